//! Transcripts as files: plain text, `WebVTT` and `SubRip`, with a line a turn.

use crate::call::coded;
use crate::speech::{Segment, Word};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

coded! {
    /// The form of a transcript's file.
    Form {
        /// A line a turn, with speaker and time.
        Text = "txt",
        /// `WebVTT`, with voices and a time for each word.
        Vtt = "vtt",
        /// `SubRip`.
        Srt = "srt",
        /// Turns and words with all their figures.
        Json = "json",
    }
}

impl Form {
    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Srt => "application/x-subrip",
            Self::Json => "application/json",
        }
    }
}

/// Lines of captions are at most this long, letters …
const LINE_LETTERS: usize = 84;
/// … and stand at most this long, milliseconds.
const LINE_MS: i64 = 6000;

/// Writes turns in a form; `language` is that of the talk, where it is known.
#[must_use]
pub fn write(segments: &[Segment], language: Option<&str>, form: Form) -> String {
    match form {
        Form::Text => text(segments),
        Form::Vtt => vtt(segments),
        Form::Srt => srt(segments),
        Form::Json => json(segments, language),
    }
}

/// Turns and words with all their figures; words of which the model was not sure say so.
fn json(segments: &[Segment], language: Option<&str>) -> String {
    let mut turns = serde_json::json!(segments);
    let all = turns.as_array_mut().into_iter().flatten().zip(segments);
    let words = all.flat_map(|(turn, segment)| {
        let words = turn.get_mut("words").and_then(serde_json::Value::as_array_mut);
        words.into_iter().flatten().zip(&segment.words)
    });
    for (written, word) in words {
        if let Some(fields) = written.as_object_mut() {
            fields.insert("unsure".to_owned(), word.is_unsure().into());
        }
    }
    let whole = serde_json::json!({"language": language, "unsure_below": Word::UNSURE_BELOW, "segments": turns});
    serde_json::to_string_pretty(&whole).unwrap_or_default()
}

fn text(segments: &[Segment]) -> String {
    let mut out = String::new();
    for segment in segments {
        let _ = writeln!(out, "[{}] {}{}", short(segment.start_ms), voice(segment), segment.text);
    }
    out
}

/// A caption: from, to, words.
struct Caption<'a> {
    segment: &'a Segment,
    start_ms: i64,
    end_ms: i64,
    words: &'a [Word],
}

/// Turns cut into captions that can be read while they stand.
fn captions(segments: &[Segment]) -> Vec<Caption<'_>> {
    let mut all = Vec::new();
    for segment in segments {
        let caption = |words: &'_ [Word]| {
            (
                words.first().map(|word| word.start_ms),
                words.last().map(|word| word.end_ms),
            )
        };
        if segment.words.is_empty() {
            all.push(Caption {
                segment,
                start_ms: segment.start_ms,
                end_ms: segment.end_ms,
                words: &[],
            });
        }
        let mut rest: &[Word] = &segment.words;
        while let Some(first) = rest.first() {
            let mut letters = 0;
            let fits = rest.iter().take_while(|word| {
                letters += word.text.chars().count() + 1;
                letters <= LINE_LETTERS && word.end_ms - first.start_ms <= LINE_MS
            });
            let (line, after) = rest.split_at(fits.count().max(1));
            let (start, end) = caption(line);
            let start_ms = start.unwrap_or(segment.start_ms);
            all.push(Caption {
                segment,
                start_ms,
                end_ms: end.unwrap_or(segment.end_ms).max(start_ms + 1),
                words: line,
            });
            rest = after;
        }
    }
    all
}

fn vtt(segments: &[Segment]) -> String {
    let mut out = String::from("WEBVTT\n");
    for caption in captions(segments) {
        let _ = write!(
            out,
            "\n{} --> {}\n",
            stamp(caption.start_ms, '.'),
            stamp(caption.end_ms, '.')
        );
        // A voice without a name is no voice tag.
        if !caption.segment.speaker.trim().is_empty() {
            let name = line(&caption.segment.speaker.replace('>', " "));
            let _ = write!(out, "<v {}>", escaped(&name));
        }
        if caption.words.is_empty() {
            out.push_str(&escaped(&line(&caption.segment.text)));
        }
        for (n, word) in caption.words.iter().enumerate() {
            if n > 0 {
                let _ = write!(out, " <{}>", stamp(word.start_ms, '.'));
            }
            out.push_str(&escaped(&line(&word.text)));
        }
        out.push('\n');
    }
    out
}

fn srt(segments: &[Segment]) -> String {
    let mut out = String::new();
    for (n, caption) in captions(segments).iter().enumerate() {
        let words: Vec<&str> = caption.words.iter().map(|word| word.text.as_str()).collect();
        let said = if words.is_empty() {
            caption.segment.text.clone()
        } else {
            words.join(" ")
        };
        let _ = write!(
            out,
            "{}\n{} --> {}\n{}{}\n\n",
            n + 1,
            stamp(caption.start_ms, ','),
            stamp(caption.end_ms, ','),
            voice(caption.segment),
            line(&said)
        );
    }
    out
}

/// Who says it, where that is known.
fn voice(segment: &Segment) -> String {
    match line(&segment.speaker).as_str() {
        "" => String::new(),
        name => format!("{name}: "),
    }
}

/// An empty line would end a caption.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn stamp(ms: i64, point: char) -> String {
    let ms = ms.max(0);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{:03}", ms % 1000)
}

fn short(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::Sentiment;

    fn turn(speaker: &str, start_ms: i64, text: &str) -> Segment {
        let words = text.split(' ').enumerate().map(|(n, word)| Word {
            text: word.to_owned(),
            start_ms: start_ms + n as i64 * 500,
            end_ms: start_ms + n as i64 * 500 + 400,
            confidence: 0.9,
        });
        let words: Vec<Word> = words.collect();
        Segment {
            channel: 0,
            speaker: speaker.into(),
            start_ms,
            end_ms: words.last().map_or(start_ms, |word| word.end_ms),
            text: text.to_owned(),
            confidence: 0.9,
            sentiment: Sentiment::Neutral,
            words,
        }
    }

    #[test]
    fn captions_have_times_voices_and_words() {
        let turns = [turn("Ada", 3_661_000, "a <b> & c"), turn("Bob", 3_664_000, "yes")];
        assert_eq!(
            write(&turns, None, Form::Vtt),
            "WEBVTT\n\n01:01:01.000 --> 01:01:02.900\n<v Ada>a <01:01:01.500>&lt;b&gt; <01:01:02.000>&amp; \
             <01:01:02.500>c\n\n01:01:04.000 --> 01:01:04.400\n<v Bob>yes\n"
        );
        assert_eq!(
            write(&turns, None, Form::Srt),
            "1\n01:01:01,000 --> 01:01:02,900\nAda: a <b> & c\n\n2\n01:01:04,000 --> 01:01:04,400\nBob: yes\n\n"
        );
        assert_eq!(
            write(&turns, None, Form::Text),
            "[61:01] Ada: a <b> & c\n[61:04] Bob: yes\n"
        );
        let mut turns = turns;
        turns[0].words[1].confidence = 0.3;
        let written: serde_json::Value = serde_json::from_str(&write(&turns, Some("en"), Form::Json)).unwrap();
        assert_eq!(written["language"], "en");
        let unsure = |n: usize| written["segments"][0]["words"][n]["unsure"].as_bool();
        assert_eq!([unsure(0), unsure(1)], [Some(false), Some(true)]);
        let back: Vec<Segment> = serde_json::from_value(written["segments"].clone()).unwrap();
        assert_eq!(back, turns);
    }

    #[test]
    fn nobody_s_words_stand_without_a_name() {
        let turns = [turn("", 0, "hello there")];
        assert_eq!(
            write(&turns, None, Form::Vtt),
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nhello <00:00:00.500>there\n"
        );
        assert_eq!(
            write(&turns, None, Form::Srt),
            "1\n00:00:00,000 --> 00:00:00,900\nhello there\n\n"
        );
        assert_eq!(write(&turns, None, Form::Text), "[0:00] hello there\n");
    }

    #[test]
    fn a_long_turn_becomes_captions_that_can_be_read() {
        let long = turn("Ada", 0, "word ".repeat(60).trim_end());
        let captions = captions(std::slice::from_ref(&long));
        assert_eq!(captions.iter().map(|caption| caption.words.len()).sum::<usize>(), 60);
        assert!(
            captions
                .iter()
                .all(|caption| caption.end_ms - caption.start_ms <= LINE_MS)
        );
        assert!(captions.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
    }
}
