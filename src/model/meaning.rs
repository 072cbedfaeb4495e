//! The meaning of texts as vectors: what of a call is turned into one, and how near two are. Pure.

use crate::speech::{Analysis, Segment};

/// A stretch of talk is this long at most, letters: long enough to mean something, short enough to mean one thing.
const STRETCH_LETTERS: usize = 700;
/// So many stretches of a call are understood; a day-long meeting is cut there.
const MOST_STRETCHES: usize = 400;

/// A stretch of a call that has a meaning of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Where its first turn begins, milliseconds from the start of the recording; `None` for the summary.
    pub from_ms: Option<i64>,
    /// Where its last turn begins.
    pub to_ms: i64,
    /// What is said there.
    pub text: String,
}

/// The stretches of a call: its summary, then its turns in order.
#[must_use]
pub fn stretches(segments: &[Segment], analysis: Option<&Analysis>) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    if let Some(summary) = analysis
        .map(|analysis| analysis.summary.trim())
        .filter(|text| !text.is_empty())
    {
        all.push(Stretch {
            from_ms: None,
            to_ms: 0,
            text: summary.to_owned(),
        });
    }
    for segment in segments.iter().filter(|segment| !segment.text.trim().is_empty()) {
        let text = segment.text.trim();
        match all.last_mut() {
            Some(last) if last.from_ms.is_some() && last.text.len() + text.len() < STRETCH_LETTERS => {
                last.text.push('\n');
                last.text.push_str(text);
                last.to_ms = segment.start_ms;
            }
            Some(_) | None => all.push(Stretch {
                from_ms: Some(segment.start_ms),
                to_ms: segment.start_ms,
                text: text.to_owned(),
            }),
        }
    }
    all.truncate(MOST_STRETCHES);
    all
}

/// A vector of length one, as it is stored: 16 bits a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning(Vec<i16>);

/// What a figure of one is stored as.
const ONE: f32 = 32_767.0;

impl Meaning {
    /// The direction of a vector; `None` for one without any.
    #[must_use]
    pub fn of(vector: &[f32]) -> Option<Self> {
        let length = vector.iter().map(|figure| figure * figure).sum::<f32>().sqrt();
        if !length.is_normal() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a figure of a vector of length one")]
        let stored = vector.iter().map(|figure| (figure / length * ONE).round() as i16);
        Some(Self(stored.collect()))
    }

    /// As bytes, little end first.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|figure| figure.to_le_bytes()).collect()
    }

    /// From such bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let pairs = bytes.chunks_exact(2);
        Self(
            pairs
                .map(|pair| i16::from_le_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]))
                .collect(),
        )
    }

    /// How near another is: 1 the same direction, 0 nothing in common. Of another model's vectors, which have
    /// another number of figures, nothing can be said: 0.
    #[must_use]
    pub fn nearness(&self, other: &[u8]) -> f32 {
        if other.len() != self.0.len() * 2 {
            return 0.0;
        }
        let mut sum = 0_i64;
        for (own, pair) in self.0.iter().zip(other.chunks_exact(2)) {
            if let [low, high] = pair {
                sum += i64::from(i32::from(*own) * i32::from(i16::from_le_bytes([*low, *high])));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "six digits are enough to rank by")]
        let nearness = sum as f32 / (ONE * ONE);
        nearness
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::Sentiment;

    fn turn(start_ms: i64, text: &str) -> Segment {
        Segment {
            channel: 0,
            speaker: "Ada".into(),
            start_ms,
            end_ms: start_ms + 900,
            text: text.into(),
            confidence: 1.0,
            sentiment: Sentiment::Neutral,
            words: vec![],
        }
    }

    #[test]
    fn turns_are_joined_until_they_are_long_enough() {
        let long = "word ".repeat(100);
        let turns = [
            turn(0, "Hello."),
            turn(1000, "My boiler broke."),
            turn(2000, &long),
            turn(3000, &long),
        ];
        let found: Vec<(Option<i64>, i64)> = stretches(&turns, None)
            .iter()
            .map(|one| (one.from_ms, one.to_ms))
            .collect();
        assert_eq!(found, [(Some(0), 2000), (Some(3000), 3000)]);
        assert!(stretches(&[turn(0, " ")], None).is_empty());
    }

    #[test]
    fn nearness_is_the_cosine() {
        let one = Meaning::of(&[3.0, 4.0, 0.0]).unwrap();
        let near = |vector: &[f32]| one.nearness(&Meaning::of(vector).unwrap().bytes());
        assert!((near(&[6.0, 8.0, 0.0]) - 1.0).abs() < 1e-4);
        assert!((near(&[4.0, -3.0, 0.0])).abs() < 1e-4);
        assert!((near(&[1.0, 0.0, 0.0]) - 0.6).abs() < 1e-4);
        assert!((near(&[-3.0, -4.0, 0.0]) + 1.0).abs() < 1e-4);
        assert!(near(&[1.0, 0.0]).abs() < f32::EPSILON, "another model's");
        assert_eq!(Meaning::of(&[0.0, 0.0]), None);
        assert_eq!(Meaning::of(&[f32::NAN]), None);
        assert_eq!(Meaning::from_bytes(&one.bytes()), one);
    }
}
