//! Dialled numbers: what people write, what we compare, what logs may show.

/// Strips the punctuation people write into numbers. Keeps a leading `+`, digits, `*` and `#`;
/// returns `None` when anything else but `-`, `.`, `(`, `)`, `/` or space stands in it, when it is
/// empty, or when it is longer than 32 characters.
#[must_use]
pub fn normalise(written: &str) -> Option<String> {
    let mut out = String::with_capacity(written.len());
    for (at, character) in written.trim().char_indices() {
        match character {
            '+' if at == 0 => out.push('+'),
            '0'..='9' | '*' | '#' => out.push(character),
            '-' | '.' | '(' | ')' | '/' | ' ' | '\u{a0}' => {}
            _ => return None,
        }
    }
    let digits = out.trim_start_matches('+');
    (!digits.is_empty() && out.len() <= 32).then_some(out)
}

/// Whether both name the same subscriber: equal, or equal once a leading `+` or `00` is dropped.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    fn bare(number: &str) -> &str {
        number
            .strip_prefix('+')
            .or_else(|| number.strip_prefix("00"))
            .unwrap_or(number)
    }
    left == right || bare(left) == bare(right)
}

/// The number with all but its last three digits hidden, for logs.
#[must_use]
pub fn masked(number: &str) -> String {
    let count = number.chars().count();
    number
        .chars()
        .enumerate()
        .map(|(at, character)| {
            if at + 3 < count && character.is_ascii_digit() {
                '•'
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_numbers_in_many_ways() {
        assert_eq!(normalise(" +49 (421) 123-45/6 ").as_deref(), Some("+49421123456"));
        assert_eq!(normalise("*98").as_deref(), Some("*98"));
        assert_eq!(normalise("call me"), None);
        assert_eq!(normalise("+"), None);
        assert_eq!(normalise("1+2"), None);
    }

    #[test]
    fn international_prefixes_do_not_make_another_number() {
        assert!(same("+4942112", "004942112"));
        assert!(same("+4942112", "4942112"));
        assert!(!same("+4942112", "+4942113"));
    }

    #[test]
    fn logs_show_three_digits() {
        assert_eq!(masked("+4942112345"), "+•••••••345");
        assert_eq!(masked("12"), "12");
    }
}
