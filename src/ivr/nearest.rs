//! The known word nearest to a mistyped one.

/// The nearest of `known` to `written`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = written.to_lowercase().chars().take(64).collect();
    let near = |word: &'a str| {
        let letters: Vec<char> = word.to_lowercase().chars().take(64).collect();
        let apart = distance(&wanted, &letters);
        // A word that begins with the other ("menuNode", "hang") is near however long its rest.
        let grows =
            wanted.len().min(letters.len()) >= 3 && (wanted.starts_with(&letters) || letters.starts_with(&wanted));
        (apart <= 1 + letters.len() / 3 || grows).then_some((apart, word))
    };
    known
        .into_iter()
        .filter_map(near)
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, word)| word)
}

/// “ Did you mean …?” with a leading space, or nothing.
pub(crate) fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known)
        .map(|word| format!(" Did you mean “{word}”?"))
        .unwrap_or_default()
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.iter().enumerate() {
        let mut diagonal = at;
        let mut previous = at + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(right) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            previous = changed.min(previous + 1).min(diagonal + 1);
            *cell = previous;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let kinds = ["start", "say", "play", "menu", "dial", "voicemail", "hangup"];
        for (written, meant) in [
            ("mneu", Some("menu")),
            ("voicmail", Some("voicemail")),
            ("menuNode", Some("menu")),
            ("Dial", Some("dial")),
            ("hang", Some("hangup")),
            ("teleport", None),
        ] {
            assert_eq!(nearest(written, kinds), meant, "{written}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        assert_eq!(distance(&letters("kitten"), &letters("sitting")), 3);
        assert_eq!(distance(&letters(""), &letters("abc")), 3);
    }
}
