//! Stepping back behind calls. Under systemd the unit says so; a worker that the daemon starts as its
//! child says it itself.

use std::process::{Command, Stdio};

/// How nice we are to others.
const NICE: &str = "15";
/// Whom the kernel ends first when memory runs out: us.
const OUT_OF_MEMORY: &str = "500";

/// Lowers this process's claim on processor and memory, unless somebody set it already. What cannot be
/// done is left as it is: the work is right either way.
pub fn step_back() {
    let _ = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY);
    if niceness() == Some(0) {
        let _ = Command::new("renice")
            .args(["-n", NICE, "-p", &std::process::id().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn niceness() -> Option<i32> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may hold spaces; the fields after it do not. Niceness is the 19th of all.
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(16)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn niceness_is_read_from_the_right_field() {
        assert!((-20..=19).contains(&niceness().unwrap()));
    }
}
