//! Looking for words in what was said and written: what a question means, and where a text answers it.
//!
//! A text is its words, without case and accents ([`folded`]); the store's index holds them so, and the
//! marks in what is shown come from the same rule ([`Question::marks`]). Words of three letters and more
//! are beginnings (`refund` finds `refunds`), `"a phrase"` in quotes is meant as written.

use crate::speech::{Analysis, Segment};
use std::ops::Range;

/// The most words and phrases of a question.
const MOST_PARTS: usize = 12;
/// Words shorter than this are whole words, not beginnings.
const BEGINNING: usize = 3;
/// Words shown on either side of what was found.
const AROUND: usize = 9;

/// Words that must stand together, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The words, folded.
    pub words: Vec<String>,
    /// Whether the last word may go on.
    pub open: bool,
}

/// What is looked for: every part must occur.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The parts; empty finds nothing.
    pub parts: Vec<Part>,
}

/// A piece of a text, and whether it is what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it was looked for.
    pub found: bool,
}

/// A place that answers a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Who said it; empty for what nobody said.
    pub speaker: String,
    /// Where the first word found begins, milliseconds from the start of the recording.
    pub at_ms: Option<i64>,
    /// Where the line it stands in begins.
    pub line_ms: Option<i64>,
    /// What stands there, with what was found marked.
    pub pieces: Vec<Piece>,
}

/// A letter without case and accent; nothing for what only changes the letter before it.
fn bare(letter: char, out: &mut String) {
    let plain = match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ð' | 'ď' | 'đ' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '\u{300}'..='\u{36f}' => "",
        other => {
            out.push(other);
            return;
        }
    };
    out.push_str(plain);
}

/// The words of a text with their places in it, folded.
fn words(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    let mut word = String::new();
    let mut from = 0;
    for (at, letter) in text.char_indices() {
        let joins = letter.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&letter);
        if joins {
            if word.is_empty() {
                from = at;
            }
            letter.to_lowercase().for_each(|small| bare(small, &mut word));
        } else if !word.is_empty() {
            found.push((from..at, std::mem::take(&mut word)));
        }
    }
    if !word.is_empty() {
        found.push((from..text.len(), word));
    }
    found
}

/// A text as the index holds it: its words without case and accents, one space between.
#[must_use]
pub fn folded(text: &str) -> String {
    let words: Vec<String> = words(text).into_iter().map(|(_, word)| word).collect();
    words.join(" ")
}

impl Question {
    /// Reads what was typed: words, and phrases in quotes.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        for (n, stretch) in text.split('"').enumerate() {
            let quoted = n % 2 == 1;
            let pieces: Vec<&str> = if quoted {
                vec![stretch]
            } else {
                stretch.split_whitespace().collect()
            };
            for piece in pieces {
                let words: Vec<String> = words(piece).into_iter().map(|(_, word)| word).collect();
                let Some(last) = words.last() else { continue };
                let open = !quoted && last.chars().count() >= BEGINNING;
                parts.push(Part { words, open });
            }
        }
        parts.truncate(MOST_PARTS);
        Self { parts }
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The bytes of `text` that are looked for, in order, each range a word or phrase.
    #[must_use]
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        let words = words(text);
        let mut marks: Vec<Range<usize>> = Vec::new();
        for start in 0..words.len() {
            let rest = words.get(start..).unwrap_or_default();
            let longest = self
                .parts
                .iter()
                .filter(|part| part.begins(rest))
                .map(|part| part.words.len());
            let Some(last) = longest.max().and_then(|count| rest.get(count - 1)) else {
                continue;
            };
            let from = rest.first().map_or(0, |word| word.0.start);
            match marks.last_mut() {
                Some(before) if before.end > from => before.end = before.end.max(last.0.end),
                _ => marks.push(from..last.0.end),
            }
        }
        marks
    }

    /// Where a written text answers, if it does.
    #[must_use]
    pub fn in_text(&self, text: &str) -> Option<Place> {
        let marks = self.marks(text);
        let first = marks.first()?.clone();
        Some(Place {
            speaker: String::new(),
            at_ms: None,
            line_ms: None,
            pieces: excerpt(text, &marks, first.start),
        })
    }

    /// Where turns answer: each turn that holds something looked for, at the time of its first word.
    #[must_use]
    pub fn in_turns(&self, segments: &[Segment]) -> Vec<Place> {
        segments.iter().filter_map(|segment| self.in_turn(segment)).collect()
    }

    fn in_turn(&self, segment: &Segment) -> Option<Place> {
        let mut text = String::new();
        let mut starts: Vec<(usize, i64)> = Vec::new();
        for word in &segment.words {
            if !text.is_empty() {
                text.push(' ');
            }
            starts.push((text.len(), word.start_ms));
            text.push_str(&word.text);
        }
        if starts.is_empty() {
            text.clone_from(&segment.text);
        }
        let marks = self.marks(&text);
        let first = marks.first()?.start;
        let word = starts.iter().rev().find(|(at, _)| *at <= first);
        Some(Place {
            speaker: segment.speaker.clone(),
            at_ms: Some(word.map_or(segment.start_ms, |(_, start_ms)| *start_ms)),
            line_ms: Some(segment.start_ms),
            pieces: excerpt(&text, &marks, first),
        })
    }

    /// Where the understanding answers: its summary, then its points, which have their time.
    #[must_use]
    pub fn in_analysis(&self, analysis: &Analysis) -> Vec<Place> {
        let mut places: Vec<Place> = self.in_text(&analysis.summary).into_iter().collect();
        for point in analysis.key_points.iter().chain(&analysis.action_items) {
            places.extend(self.in_text(&point.text).map(|place| Place {
                speaker: point.speaker.clone(),
                at_ms: Some(point.at_ms),
                line_ms: Some(point.at_ms),
                ..place
            }));
        }
        places
    }
}

impl Part {
    /// Whether these words begin with this part.
    fn begins(&self, words: &[(Range<usize>, String)]) -> bool {
        let last = self.words.len().saturating_sub(1);
        words.len() >= self.words.len()
            && self
                .words
                .iter()
                .zip(words)
                .enumerate()
                .all(|(n, (wanted, (_, word)))| {
                    if n == last && self.open {
                        word.starts_with(wanted.as_str())
                    } else {
                        word == wanted
                    }
                })
    }
}

/// The stretch of a text around a place, cut at words, with the marks in it.
fn excerpt(text: &str, marks: &[Range<usize>], place: usize) -> Vec<Piece> {
    let all = words(text);
    let middle = all.iter().position(|(range, _)| range.end > place).unwrap_or(0);
    let first = all
        .get(middle.saturating_sub(AROUND))
        .map_or(0, |(range, _)| range.start);
    let last = all.get(middle + AROUND * 2).map_or(text.len(), |(range, _)| range.end);
    let (from, to) = (if middle <= AROUND { 0 } else { first }, last);
    let mut pieces = Vec::new();
    let mut push = |text: &str, found| {
        if !text.is_empty() {
            pieces.push(Piece {
                text: text.to_owned(),
                found,
            });
        }
    };
    if from > 0 {
        push("… ", false);
    }
    let mut at = from;
    for mark in marks.iter().filter(|mark| mark.start >= from && mark.end <= to) {
        push(text.get(at..mark.start).unwrap_or_default(), false);
        push(text.get(mark.clone()).unwrap_or_default(), true);
        at = mark.end;
    }
    push(text.get(at..to).unwrap_or_default(), false);
    if to < text.len() {
        push(" …", false);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::{Sentiment, Word};
    use proptest::prelude::*;

    fn shown(pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| {
            if piece.found {
                format!("[{}]", piece.text)
            } else {
                piece.text.clone()
            }
        };
        pieces.iter().map(piece).collect()
    }

    #[test]
    fn case_accents_and_signs_do_not_matter() {
        assert_eq!(
            folded("Ärger, l’Été: STRASSE/Straße—don't!"),
            "arger l ete strasse strasse don t"
        );
        assert_eq!(folded("e\u{301}te\u{301}"), "ete");
        let question = Question::read("arger strasse");
        assert_eq!(
            shown(&question.in_text("Ärger in der Straße").unwrap().pieces),
            "[Ärger] in der [Straße]"
        );
    }

    #[test]
    fn words_are_beginnings_and_phrases_are_as_written() {
        let found = |question: &str, text: &str| Question::read(question).marks(text).len();
        assert_eq!(found("refund", "refunds and a refund"), 2);
        assert_eq!(found("\"refund\"", "refunds and a refund"), 1);
        assert_eq!(found("\"order number\"", "the order has a number, the order number"), 1);
        assert_eq!(found("to", "together to"), 1);
        assert_eq!(found("", "anything"), 0);
        assert!(Question::read(" \"\" - ").is_empty());
    }

    #[test]
    fn a_turn_answers_with_the_time_of_the_word() {
        let word = |text: &str, start_ms| Word {
            text: text.to_owned(),
            start_ms,
            end_ms: start_ms + 300,
            confidence: 1.0,
        };
        let segment = Segment {
            channel: 0,
            speaker: "Ada".into(),
            start_ms: 1000,
            end_ms: 3000,
            text: "My boiler broke.".into(),
            confidence: 1.0,
            sentiment: Sentiment::Neutral,
            words: vec![word("My", 1000), word("boiler", 1400), word("broke.", 2100)],
        };
        let places = Question::read("broke").in_turns(&[segment]);
        assert_eq!((places[0].at_ms, places[0].line_ms), (Some(2100), Some(1000)));
        assert_eq!(shown(&places[0].pieces), "My boiler [broke].");
    }

    #[test]
    fn a_long_text_is_cut_around_what_was_found() {
        let text = format!("{}boiler{}", "word ".repeat(100), " more".repeat(100));
        let shown = shown(&Question::read("boiler").in_text(&text).unwrap().pieces);
        assert!(
            shown.starts_with("… word") && shown.ends_with("more …") && shown.contains("[boiler]"),
            "{shown}"
        );
        assert!(shown.len() < 200, "{shown}");
    }

    proptest! {
        #[test]
        fn marks_lie_in_the_text_in_order(question in ".{0,20}", text in ".{0,60}") {
            let mut at = 0;
            for mark in Question::read(&question).marks(&text) {
                prop_assert!(mark.start >= at && text.get(mark.clone()).is_some());
                at = mark.end;
            }
        }

        #[test]
        fn a_text_finds_itself(text in "[a-zA-ZäöüéßñÉ ,.-]{3,40}") {
            let question = Question::read(&text);
            prop_assert_eq!(question.is_empty(), folded(&text).is_empty());
            if !question.is_empty() {
                prop_assert!(question.in_text(&text).is_some());
            }
        }
    }
}
