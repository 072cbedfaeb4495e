//! A person or number about whom everything is wanted, or nothing any more: how they are found in texts.

use std::ops::Range;

/// What stands where they stood.
pub const ERASED: &str = "[erased]";

/// The fewest digits of a number: fewer would be found everywhere.
const FEWEST_DIGITS: usize = 5;
/// The fewest letters of a name.
const FEWEST_LETTERS: usize = 3;

/// Whom to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A telephone number: its digits with the country's code and without a prefix. It is found however it is
    /// grouped, with `+`, `00` or neither before it, and never within a longer number.
    Number(String),
    /// A name, e-mail address or identity, in lower case; found as whole words, whatever their case.
    Name(String),
}

/// Why somebody cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too short: it would be found everywhere.
    #[error("write a number of at least 5 digits or a name of at least 3 letters")]
    TooShort,
    /// Longer than any number or name.
    #[error("write at most 200 characters")]
    TooLong,
}

impl Subject {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn read(written: &str) -> Result<Self, Unfit> {
        let written = written.trim();
        if written.chars().count() > 200 {
            return Err(Unfit::TooLong);
        }
        let is_number = written
            .chars()
            .all(|letter| letter.is_ascii_digit() || is_separator(letter) || letter == '+');
        if !is_number {
            let is_long = written.chars().filter(|letter| letter.is_alphanumeric()).count() >= FEWEST_LETTERS;
            return if is_long {
                Ok(Self::Name(written.to_lowercase()))
            } else {
                Err(Unfit::TooShort)
            };
        }
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        let bare = digits.strip_prefix("00").unwrap_or(&digits);
        if bare.len() < FEWEST_DIGITS {
            return Err(Unfit::TooShort);
        }
        Ok(Self::Number(bare.to_owned()))
    }

    /// A pattern for `like` over lower-case text that every text with them fits, and others too.
    #[must_use]
    pub fn pattern(&self) -> String {
        match self {
            Self::Number(digits) => {
                let mut pattern = String::from("%");
                for digit in digits.chars() {
                    pattern.push(digit);
                    pattern.push('%');
                }
                pattern
            }
            Self::Name(name) => {
                // SQLite folds ASCII alone: any other letter may stand for itself in another case.
                let loose = |letter: char| match letter {
                    '%' | '_' | '\\' => "_".to_owned(),
                    letter if letter.is_ascii() => letter.to_string(),
                    _ => "%".to_owned(),
                };
                format!("%{}%", name.chars().map(loose).collect::<String>())
            }
        }
    }

    /// Where they stand in a text, in order.
    #[must_use]
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Number(digits) => numbers(digits, text),
            Self::Name(name) => names(name, text),
        }
    }

    /// Whether they stand in a text.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        !self.places(text).is_empty()
    }

    /// The text with [`ERASED`] where they stood; `None` when they did not.
    #[must_use]
    pub fn erased_from(&self, text: &str) -> Option<String> {
        let places = self.places(text);
        if places.is_empty() {
            return None;
        }
        let mut left = String::with_capacity(text.len());
        let mut done = 0;
        for place in places {
            left.push_str(text.get(done..place.start).unwrap_or_default());
            left.push_str(ERASED);
            done = place.end;
        }
        left.push_str(text.get(done..).unwrap_or_default());
        Some(left)
    }
}

const fn is_separator(letter: char) -> bool {
    matches!(letter, ' ' | '-' | '/' | '.' | '(' | ')' | '\u{a0}')
}

fn numbers(wanted: &str, text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text
        .get(from..)
        .and_then(|rest| rest.find(|letter: char| letter.is_ascii_digit()))
    {
        let start = from + start;
        let (end, digits) = run(text, start);
        let bare = digits.strip_prefix("00").unwrap_or(&digits);
        if bare == wanted || digits == wanted {
            let before = text.get(..start).unwrap_or_default();
            let begin = if before.ends_with('+') { start - 1 } else { start };
            found.push(begin..end);
            from = end;
        } else {
            // Numbers that are kept apart by a blank alone may be two: each group is tried as a beginning.
            let group = text.get(start..end).unwrap_or_default();
            let next = group
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(group.len());
            match within(wanted, text, start, end) {
                Some(place) => {
                    from = place.end;
                    found.push(place);
                }
                None => from = start + next.max(1),
            }
        }
    }
    found
}

/// A stretch of whole groups of digits that begins at `start` and makes the wanted number.
fn within(wanted: &str, text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let mut digits = String::new();
    for (offset, letter) in text.get(start..end)?.char_indices() {
        if letter.is_ascii_digit() {
            digits.push(letter);
        }
        let after = start + offset + letter.len_utf8();
        let is_group = !text
            .get(after..)
            .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
        let bare = digits.strip_prefix("00").unwrap_or(&digits);
        if letter.is_ascii_digit() && is_group && (bare == wanted || digits == wanted) {
            let before = text.get(..start)?;
            return Some(if before.ends_with('+') { start - 1 } else { start }..after);
        }
    }
    None
}

/// The digits from `start` on, with what may stand between them, and where the last one ends.
fn run(text: &str, start: usize) -> (usize, String) {
    let (mut end, mut digits, mut gap) = (start, String::new(), 0);
    for (offset, letter) in text.get(start..).unwrap_or_default().char_indices() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            end = start + offset + 1;
            gap = 0;
        } else if is_separator(letter) && gap < 3 {
            gap += 1;
        } else {
            break;
        }
    }
    (end, digits)
}

fn names(wanted: &str, text: &str) -> Vec<Range<usize>> {
    // Folding may change a letter's length: places are those of the text as it stands.
    let mut folded = String::with_capacity(text.len());
    let mut origin = Vec::with_capacity(text.len() + 1);
    for (at, letter) in text.char_indices() {
        for lower in letter.to_lowercase() {
            for _ in 0..lower.len_utf8() {
                origin.push((at, at + letter.len_utf8()));
            }
            folded.push(lower);
        }
    }
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = folded.get(from..).and_then(|rest| rest.find(wanted)) {
        let (start, end) = (from + at, from + at + wanted.len());
        let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        let before = folded.get(..start).and_then(|text| text.chars().next_back());
        let after = folded.get(end..).and_then(|text| text.chars().next());
        let place = origin.get(start).zip(origin.get(end.saturating_sub(1)));
        if let Some((first, last)) = place.filter(|_| !is_word(before) && !is_word(after)) {
            found.push(first.0..last.1);
        }
        from = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_found_however_it_is_written_and_never_within_another() {
        let subject = Subject::read("+49 123 45678").unwrap();
        assert_eq!(subject, Subject::Number("4912345678".to_owned()));
        for text in [
            "+4912345678",
            "004912345678",
            "sip_4912345678_ab",
            "call +49 (123) 456-78 back",
            "{\"number\":\"4912345678\"}",
            "at 10 +49 123 45678, 3 times",
        ] {
            let left = subject
                .erased_from(text)
                .unwrap_or_else(|| panic!("not found in {text}"));
            assert!(left.contains(ERASED) && !left.contains("345"), "{text}: {left}");
        }
        for text in ["+49123456789", "14912345678", "4912345", "", "4912345678901"] {
            assert!(!subject.is_in(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_found_as_whole_words_in_any_case() {
        let subject = Subject::read(" Jörg Maaß ").unwrap();
        for text in ["JÖRG MAAß rang", "ask jörg maaß", "Jörg Maaß"] {
            assert!(subject.is_in(text), "{text}");
        }
        assert!(!subject.is_in("Jörg Maaßen"));
        assert_eq!(subject.erased_from("İ Jörg Maaß!").unwrap(), "İ [erased]!");
        assert_eq!(Subject::read("ab"), Err(Unfit::TooShort));
        assert_eq!(Subject::read("+49 1"), Err(Unfit::TooShort));
    }

    proptest! {
        #[test]
        fn what_was_erased_is_not_found_again(text in "[ +0-9a-zß()./-]{0,60}", number in "[1-9][0-9]{4,6}") {
            for subject in [Subject::read(&number).unwrap(), Subject::Name("maß".to_owned())] {
                if let Some(left) = subject.erased_from(&text) {
                    prop_assert!(!subject.is_in(&left), "{left}");
                }
            }
        }
    }
}
