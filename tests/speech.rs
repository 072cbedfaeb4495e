//! Recorded human speech with its exact text: Debian's Asterisk prompts (`asterisk-core-sounds-en-wav`).

use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

const SOUNDS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const TEXTS: &str = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";

/// A prompt's file, 8 kHz 16-bit mono WAV.
///
/// # Errors
/// The Debian package is not installed.
pub fn file(name: &str) -> Result<PathBuf> {
    let path = PathBuf::from(SOUNDS).join(format!("{name}.wav"));
    path.is_file()
        .then_some(path)
        .with_context(|| format!("{name}.wav is missing: install asterisk-core-sounds-en-wav"))
}

/// A prompt's text as the package gives it.
///
/// # Errors
/// The package is not installed or has no such prompt.
pub fn text(name: &str) -> Result<String> {
    let output = Command::new("gzip")
        .args(["-dc", TEXTS])
        .output()
        .context("cannot run gzip")?;
    let all = String::from_utf8_lossy(&output.stdout);
    all.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, text)| text.trim().to_owned())
        .with_context(|| format!("no text for {name}"))
}

/// Words as they are compared: lower case, no punctuation.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !(character.is_alphanumeric() || character == '\''))
        .map(|word| word.trim_matches('\'').to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Word error rate of `heard` against `said`: substitutions, insertions and deletions a word said.
#[must_use]
pub fn word_error_rate(said: &str, heard: &str) -> f64 {
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (line, word) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in heard.iter().enumerate() {
            let best = (diagonal + usize::from(word != other))
                .min(row[column] + 1)
                .min(row[column + 1] + 1);
            diagonal = row[column + 1];
            row[column + 1] = best;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    let rate = row[heard.len()] as f64 / said.len().max(1) as f64;
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_the_word() {
        assert!(word_error_rate("Press one, please.", "press one please").abs() < f64::EPSILON);
        assert!((word_error_rate("a b c d", "a x c") - 0.5).abs() < f64::EPSILON);
    }
}
