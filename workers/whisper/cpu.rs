//! What the processor must know: whisper.cpp is built for any x86-64 with AVX2, and would otherwise
//! die of an illegal instruction in the middle of a job.

/// The processor is too old.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this processor lacks {missing}, which speech recognition needs (any x86-64 since 2013 has it); \
     in a virtual machine, give it the host's processor model"
)]
pub struct TooOld {
    /// The instruction sets that are missing.
    pub missing: String,
}

/// Looks whether this processor can run the speech engine.
///
/// # Errors
/// [`TooOld`], naming what is missing.
pub fn check() -> Result<(), TooOld> {
    verdict(&detected())
}

fn verdict(sets: &[(&'static str, bool)]) -> Result<(), TooOld> {
    let missing: Vec<&str> = sets.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(TooOld {
        missing: missing.join(", "),
    })
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<(&'static str, bool)> {
    vec![
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Vec<(&'static str, bool)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let problem = verdict(&[("AVX2", false), ("FMA", true), ("F16C", false)]).unwrap_err();
        assert!(problem.to_string().contains("lacks AVX2, F16C"));
        assert_eq!(verdict(&[("AVX2", true)]), Ok(()));
    }
}
