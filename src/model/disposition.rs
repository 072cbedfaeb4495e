//! Words for how calls ended up: those that calls get by themselves, and a tenant's own. Pure.

use crate::settings::Settings;

/// What calls get by themselves when they end.
pub const AUTOMATIC: [&str; 7] = [
    "answered",
    "missed",
    "voicemail",
    "no_answer",
    "busy",
    "cancelled",
    "failed",
];

/// The longest word, letters.
const LETTERS: usize = 40;

/// Whether a word may be one: small letters, figures, dashes and underscores.
#[must_use]
pub fn is_word(word: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    !word.is_empty() && word.len() <= LETTERS && word.bytes().all(letter)
}

/// The words that a tenant's people may give: its own first, each once.
#[must_use]
pub fn choices(settings: &Settings) -> Vec<String> {
    let text = settings.text("dispositions").to_lowercase();
    let own = text.split(',').map(|word| word.trim().replace(' ', "_"));
    let mut all: Vec<String> = Vec::new();
    for word in own.chain(AUTOMATIC.map(str::to_owned)) {
        if is_word(&word) && !all.contains(&word) {
            all.push(word);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_own_words_come_first_and_no_word_is_a_sentence() {
        let all = choices(&Settings::default());
        assert_eq!(all.first().map(String::as_str), Some("resolved"));
        assert!(all.contains(&"voicemail".to_owned()) && all.contains(&"follow_up".to_owned()));
        for wrong in ["", "Resolved", "two words", "x,y", &"a".repeat(41)] {
            assert!(!is_word(wrong), "{wrong}");
        }
    }
}
