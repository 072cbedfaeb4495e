//! `strowger-worker check`: whether everything is there, and what mends what is not.

use crate::prompts;
use crate::whisper::models::{ModelStore, Verdict};
use crate::whisper::{Recogniser, cpu};
use std::io::Write;
use std::path::Path;

pub(super) fn run(config: Option<&Path>) -> anyhow::Result<()> {
    let config = super::load(config)?;
    let models = ModelStore::new(&config.worker.models_dir);
    let findings = [
        (
            "processor",
            cpu::check()
                .map(|()| "fit for speech recognition".to_owned())
                .map_err(|e| e.to_string()),
        ),
        ("models", pinned(&models)),
        ("recognition", loads(&models, &config.worker.model)),
        (
            "speaking",
            prompts::check()
                .map(|()| "espeak-ng is there".to_owned())
                .map_err(|e| e.to_string()),
        ),
    ];
    let mut out = std::io::stdout().lock();
    for (what, finding) in &findings {
        match finding {
            Ok(good) => writeln!(out, "ok    {what:<12} {good}")?,
            Err(problem) => writeln!(out, "FAIL  {what:<12} {problem}")?,
        }
    }
    let failed = findings.iter().filter(|(_, finding)| finding.is_err()).count();
    anyhow::ensure!(failed == 0, "{failed} of {} checks failed", findings.len());
    Ok(())
}

fn pinned(models: &ModelStore) -> Result<String, String> {
    let verdicts = models.verify().map_err(|problem| problem.to_string())?;
    let damaged: Vec<&str> = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict != Verdict::Whole)
        .map(|(model, _)| model.name.as_str())
        .collect();
    if damaged.is_empty() {
        return Ok(format!("{} installed, all as pinned", verdicts.len()));
    }
    let first = damaged.first().copied().unwrap_or_default();
    Err(format!(
        "not as pinned: {}; run strowger models pull {first}",
        damaged.join(", ")
    ))
}

fn loads(models: &ModelStore, name: &str) -> Result<String, String> {
    let recogniser = Recogniser::load(models, name).map_err(|problem| problem.to_string())?;
    Ok(format!("{} loads", recogniser.model().name))
}
