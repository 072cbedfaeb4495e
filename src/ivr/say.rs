//! Spoken text: what is said, in which voice, and under which name its audio is kept.

use serde::{Deserialize, Serialize};

/// The voice of a text that names none.
pub const DEFAULT_VOICE: &str = "default";
/// The language of a text that names none.
pub const DEFAULT_LANGUAGE: &str = "en";

/// A text to be spoken by the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Say {
    /// What is said.
    pub text: String,
    /// Whose voice, [`DEFAULT_VOICE`] when the flow names none.
    pub voice: String,
    /// In which language (a BCP 47 tag such as `en` or `de-AT`).
    pub language: String,
}

impl Say {
    /// The name under which this text's audio is kept.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.voice, &self.language, &self.text)
    }
}

/// The canonical name of a text's audio. Equal texts have equal names and unequal ones unequal
/// names, on every machine and in every release; whoever needs a short name hashes it.
#[must_use]
pub fn key(voice: &str, language: &str, text: &str) -> String {
    // A voice or language that held the separator could imitate another text's name.
    let plain = |part: &str| part.trim().replace('|', " ").to_lowercase();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}|{}|{words}", plain(voice), plain(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_of_a_text_does_not_make_another_sound() {
        assert_eq!(key("Default", "EN", " Hello\n  there "), "default|en|Hello there");
    }

    #[test]
    fn voice_language_and_text_each_make_another_sound() {
        let base = key("a", "en", "x");
        for other in [
            key("b", "en", "x"),
            key("a", "de", "x"),
            key("a", "en", "y"),
            key("a", "e|n", "x"),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(key("a|b", "c", "d"), key("a", "b|c", "d"));
    }
}
