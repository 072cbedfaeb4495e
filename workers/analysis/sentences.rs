//! A transcript as sentences, each with its speaker and time.

use super::cues;
use strowger_model::speech::{Point, Segment};

/// One sentence.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sentence {
    pub(super) text: String,
    /// As [`cues::plain`] makes it.
    pub(super) plain: String,
    pub(super) speaker: String,
    /// Whether the caller's channel has it.
    pub(super) is_callers: bool,
    pub(super) at_ms: i64,
}

impl Sentence {
    pub(super) fn point(&self) -> Point {
        Point {
            text: self.text.clone(),
            speaker: self.speaker.clone(),
            at_ms: self.at_ms,
        }
    }

    pub(super) fn word_count(&self) -> usize {
        self.plain.split_whitespace().count()
    }
}

/// All sentences in the order they begin. One that runs over several segments of a speaker is cut at
/// their borders: what lies between was said by somebody else.
pub(super) fn sentences(segments: &[Segment]) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for segment in segments {
        let mut words_before = 0;
        for text in split(&segment.text) {
            let at_ms = segment
                .words
                .get(words_before)
                .map_or(segment.start_ms, |word| word.start_ms);
            words_before += text.split_whitespace().count();
            sentences.push(Sentence {
                plain: cues::plain(&text),
                speaker: segment.speaker.clone(),
                is_callers: segment.channel == 0,
                at_ms,
                text,
            });
        }
    }
    sentences.sort_by_key(|sentence| sentence.at_ms);
    sentences
}

/// Cuts a text after `.`, `?` and `!`, not within numbers and not after a title or a single letter.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut sentences = vec![Vec::new()];
    for word in text.split_whitespace() {
        if let Some(sentence) = sentences.last_mut() {
            sentence.push(word);
        }
        let bare = word.trim_end_matches(['"', '\'', ')']);
        let ends = bare.ends_with(['.', '?', '!', '。', '？', '！']);
        if ends && !is_abbreviation(bare) {
            sentences.push(Vec::new());
        }
    }
    let texts = sentences.into_iter().map(|words| words.join(" "));
    texts.filter(|text| !text.is_empty()).collect()
}

fn is_abbreviation(word: &str) -> bool {
    let Some(stem) = word.strip_suffix('.') else {
        return false;
    };
    let is_initial = stem.len() == 1 && stem.chars().all(|c| c.is_ascii_uppercase()) && stem != "I";
    is_initial
        || matches!(
            stem,
            "Mr" | "Mrs" | "Ms" | "Dr" | "St" | "No" | "vs" | "e.g" | "i.e" | "a.m" | "p.m"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_marks_but_not_after_titles_or_in_numbers() {
        assert_eq!(
            split("Mr. Strowger paid 4.50 euros. Why? J. R. knows!"),
            ["Mr. Strowger paid 4.50 euros.", "Why?", "J. R. knows!"]
        );
        assert_eq!(split("no mark at all"), ["no mark at all"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn each_sentence_has_the_time_of_its_first_word() {
        let call = super::super::tests::call(&["0|One two. Three four five.", "1|Six."]);
        let at: Vec<i64> = sentences(&call).iter().map(|sentence| sentence.at_ms).collect();
        assert_eq!(at, [0, 2000, 5000]);
    }
}
