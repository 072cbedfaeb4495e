//! From the model's tokens to words with times, and from words to turns. Pure.

use super::onset::{first_sound_ms, onset_ms};
use super::pieces::Piece;
use strowger_model::speech::Word;

/// A token as the model gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// Its bytes; a leading space begins a word, and a character may be spread over tokens.
    pub(super) bytes: Vec<u8>,
    /// How sure the model was.
    pub(super) probability: f32,
    /// When it ends, milliseconds within the piece.
    pub(super) end_ms: i64,
}

impl Token {
    /// Whether it has letters or figures; part of a letter counts as one.
    fn is_spoken(&self) -> bool {
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
        self.bytes.iter().any(letter)
    }
}

/// A pause within a channel that ends a turn.
const PAUSE_MS: i64 = 1200;
/// A turn ends with a sentence once it is this long …
const ENOUGH_MS: i64 = 4000;
/// … and anywhere once it is this long.
const TOO_LONG_MS: i64 = 30_000;
/// The longest a single word may be said to last …
const LONGEST_WORD_MS: i64 = 1500;
/// … and each figure of a number, with the pause before it.
const LONGEST_FIGURE_MS: i64 = 1500;
/// So many figures in one written word are several that were spoken.
const NUMBER_FIGURES: usize = 3;
/// With so many there are pauses within it; with fewer a pause is before it.
const PAUSED_FIGURES: usize = 8;

/// Joins tokens to words and gives them times in the recording: a word ends where its last token
/// ends, and begins where it begins to sound after the word before it ended or its span began. `samples` are the
/// recording's.
pub(super) fn words(tokens: &[Token], piece: &Piece, samples: &[i16]) -> Vec<Word> {
    let mut groups: Vec<Vec<&Token>> = Vec::new();
    for token in tokens {
        match groups.last_mut() {
            Some(group) if !token.bytes.starts_with(b" ") => group.push(token),
            Some(_) | None => groups.push(vec![token]),
        }
    }
    let mut words: Vec<Word> = Vec::new();
    for group in groups {
        let bytes: Vec<u8> = group.iter().flat_map(|token| token.bytes.iter().copied()).collect();
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if text.is_empty() {
            continue;
        }
        // A comma is timed into the pause or the word after it: only what is spoken ends a word.
        let spoken = group.iter().filter(|token| token.is_spoken());
        let last = spoken.map(|token| token.end_ms).max();
        let piece_end_ms = last
            .or_else(|| group.iter().map(|token| token.end_ms).max())
            .unwrap_or(0);
        let previous_ms = words.last().map_or(0, |word| word.end_ms);
        let end_ms = piece.time_ms(piece_end_ms).max(previous_ms);
        let start_ms = if figures(text.bytes()) >= NUMBER_FIGURES {
            number_start_ms(&group, piece, (previous_ms, end_ms), samples)
        } else {
            let start_ms = previous_ms
                .max(piece.part_start_ms(piece_end_ms))
                .max(end_ms - LONGEST_WORD_MS)
                .min(end_ms);
            onset_ms(samples, start_ms, end_ms)
        };
        let sum: f32 = group.iter().map(|token| token.probability).sum();
        words.push(Word {
            text,
            start_ms,
            end_ms,
            confidence: f64::from(sum) / group.len() as f64,
        });
    }
    words
}

/// Where a number begins that is written as one word and said as many, with pauses between them: where its first token
/// may have begun, which is no later than the first sound there. What is taken out of a recording goes by this.
fn number_start_ms(group: &[&Token], piece: &Piece, (previous_ms, end_ms): (i64, i64), samples: &[i16]) -> i64 {
    let Some(first) = group.iter().find(|token| token.is_spoken()) else {
        return previous_ms;
    };
    let longest_ms = i64::try_from(figures(first.bytes.iter().copied()).max(1)).unwrap_or(1) * LONGEST_FIGURE_MS;
    let first_end_ms = piece.time_ms(first.end_ms).clamp(previous_ms, end_ms);
    let all = group.iter().map(|token| figures(token.bytes.iter().copied()));
    let span_ms = if all.sum::<usize>() < PAUSED_FIGURES {
        piece.part_start_ms(first.end_ms).min(first_end_ms)
    } else {
        previous_ms
    };
    let from_ms = previous_ms.max(span_ms).max(first_end_ms - longest_ms);
    first_sound_ms(samples, from_ms, first_end_ms)
}

fn figures(bytes: impl Iterator<Item = u8>) -> usize {
    bytes.filter(u8::is_ascii_digit).count()
}

/// Groups a channel's words into turns: at pauses, and at the ends of sentences in long talk.
pub(super) fn turns(words: Vec<Word>) -> Vec<Vec<Word>> {
    let mut turns: Vec<Vec<Word>> = Vec::new();
    for word in words {
        let goes_on = turns.last().is_some_and(|turn| {
            let (Some(first), Some(last)) = (turn.first(), turn.last()) else {
                return false;
            };
            let length_ms = last.end_ms - first.start_ms;
            let sentence_ends = last.text.ends_with(['.', '?', '!', '。', '？', '！']);
            word.start_ms - last.end_ms < PAUSE_MS
                && !(sentence_ends && length_ms >= ENOUGH_MS)
                && length_ms < TOO_LONG_MS
        });
        match turns.last_mut() {
            Some(turn) if goes_on => turn.push(word),
            Some(_) | None => turns.push(vec![word]),
        }
    }
    turns
}

/// Whether a text goes round in circles: the same 1 to 12 words at least three times in a row, or
/// four times for a single short word ("no, no, no" is speech).
pub(super) fn is_repeating(words: &[Word]) -> bool {
    let plain: Vec<String> = words.iter().map(|word| plain(&word.text)).collect();
    (1..=12).any(|length| repeats_in_a_row(&plain, length) >= if length == 1 { 5 } else { 3 })
}

/// Leaves of each run of repeated words only the first.
pub(super) fn without_repeats(mut words: Vec<Word>) -> Vec<Word> {
    for length in 1..=12 {
        let allowed = if length == 1 { 4 } else { 2 };
        let mut at = 0;
        while at + length <= words.len() {
            let copies = copies_at(&words, at, length);
            if copies > allowed {
                words.drain(at + length..at + copies * length);
            }
            at += 1;
        }
    }
    words
}

fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn copies_at(words: &[Word], at: usize, length: usize) -> usize {
    let same = |n: usize| {
        (0..length).all(|offset| {
            let first = words.get(at + offset).map(|word| plain(&word.text));
            let other = words.get(at + n * length + offset).map(|word| plain(&word.text));
            other.is_some() && first == other
        })
    };
    1 + (1..).take_while(|n| same(*n)).count()
}

fn repeats_in_a_row(words: &[String], length: usize) -> usize {
    let mut longest = 1;
    let mut matching = 0;
    for at in length..words.len() {
        matching = if words.get(at) == words.get(at - length) {
            matching + 1
        } else {
            0
        };
        longest = longest.max(1 + matching / length);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::super::pieces::pack;
    use super::super::speech::Span;
    use super::*;

    fn said(text: &str) -> Vec<Word> {
        let word = |(n, text): (usize, &str)| Word {
            text: text.to_owned(),
            start_ms: n as i64 * 300,
            end_ms: n as i64 * 300 + 300,
            confidence: 1.0,
        };
        text.split_whitespace().enumerate().map(word).collect()
    }

    fn text(words: &[Word]) -> String {
        words
            .iter()
            .map(|word| word.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn tokens_become_words_with_times_of_the_recording() {
        let piece = &pack(
            &[
                Span {
                    start: 16_000,
                    end: 32_000,
                },
                Span {
                    start: 80_000,
                    end: 96_000,
                },
            ],
            480_000,
        )[0];
        let token = |bytes: &str, end_ms| Token {
            bytes: bytes.into(),
            probability: 0.5,
            end_ms,
        };
        let words = words(
            &[
                token(" Good", 600),
                token(" mor", 900),
                token("ning", 1100),
                token(".", 1100),
                token(" Yes", 1900),
            ],
            piece,
            &[],
        );
        assert_eq!(text(&words), "Good morning. Yes");
        assert_eq!((words[0].start_ms, words[0].end_ms), (1000, 1400));
        assert_eq!((words[1].start_ms, words[1].end_ms), (1400, 1900));
        assert_eq!((words[2].start_ms, words[2].end_ms), (5000, 5500));
    }

    #[test]
    fn a_number_written_as_one_word_begins_with_the_first_of_its_figures() {
        // Said with a pause in the middle: two spans, of which the piece leaves most of the pause out.
        let spans = [(16_000, 96_000), (160_000, 240_000)].map(|(start, end)| Span { start, end });
        let piece = &pack(&spans, 480_000)[0];
        let token = |bytes: &str, end_ms| Token {
            bytes: bytes.into(),
            probability: 0.5,
            end_ms,
        };
        let said = [
            token(" is", 600),
            token(" 49", 1900),
            token("296", 3400),
            token("37580", 7000),
            token("412366", 9900),
        ];
        let words = words(&said, piece, &[]);
        assert_eq!(text(&words), "is 4929637580412366");
        assert_eq!(words[1].start_ms, words[0].end_ms);
        assert!(words[1].end_ms - words[1].start_ms > 9000, "{words:?}");
    }

    #[test]
    fn a_character_spread_over_tokens_is_put_together() {
        let piece = &pack(&[Span { start: 0, end: 16_000 }], 480_000)[0];
        let token = |bytes: &[u8]| Token {
            bytes: bytes.to_vec(),
            probability: 1.0,
            end_ms: 100,
        };
        let words = words(&[token(b" caf\xc3"), token(b"\xa9")], piece, &[]);
        assert_eq!(words[0].text, "café");
    }

    #[test]
    fn a_comma_in_the_pause_does_not_lengthen_its_word() {
        let piece = &pack(&[Span { start: 0, end: 48_000 }], 480_000)[0];
        let token = |bytes: &[u8], end_ms| Token {
            bytes: bytes.to_vec(),
            probability: 1.0,
            end_ms,
        };
        let words = words(
            &[token(b" Monday", 900), token(b",", 1700), token(b" Tuesday", 2200)],
            piece,
            &[],
        );
        assert_eq!((words[0].text.as_str(), words[0].end_ms), ("Monday,", 700));
        assert_eq!((words[1].start_ms, words[1].end_ms), (700, 2000));
    }

    #[test]
    fn turns_end_at_pauses() {
        let mut words = said("Hello there. How are you?");
        for word in &mut words[2..] {
            word.start_ms += 2000;
            word.end_ms += 2000;
        }
        let turns = turns(words);
        assert_eq!(turns.len(), 2);
        assert_eq!(text(&turns[1]), "How are you?");
    }

    #[test]
    fn circles_are_found_and_cut_and_ordinary_talk_is_not() {
        assert!(is_repeating(&said("In this regard, in this regard, in this regard we")));
        assert!(is_repeating(&said("the the the the the the")));
        assert!(!is_repeating(&said(
            "no, no, no, that is not what I said, not what I said"
        )));
        let cut = without_repeats(said("well in this regard, in this regard, in this regard, we go"));
        assert_eq!(text(&cut), "well in this regard, we go");
        let kept = without_repeats(said("no no no never"));
        assert_eq!(text(&kept), "no no no never");
    }
}
