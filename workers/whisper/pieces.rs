//! What is handed to the model at once: spans of speech packed together with short gaps, and the map
//! that leads from a time in such a piece back to the time in the recording. Pure.

use super::speech::Span;

/// Silence before the first span of a piece and between two: 200 ms at 16 kHz.
const GAP: usize = 3200;
/// How loud a piece is where nothing is, 1.0 being full scale: silence of zeros is nothing the model was taught on, and
/// after it it mishears the beginnings of words.
const HISS: f32 = 0.0003;
const SAMPLES_PER_MS: usize = 16;

/// A span and where it stands in its piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    at: usize,
    span: Span,
}

/// Up to some seconds of speech without long silences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    parts: Vec<Part>,
}

/// Packs spans in order into pieces of at most `longest` samples.
pub(super) fn pack(spans: &[Span], longest: usize) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for span in spans {
        if let Some(piece) = pieces.last_mut()
            && piece.len() + GAP + span.len() <= longest
        {
            let at = piece.len() + GAP;
            piece.parts.push(Part { at, span: *span });
        } else {
            pieces.push(Piece {
                parts: vec![Part { at: GAP, span: *span }],
            });
        }
    }
    pieces
}

impl Piece {
    /// Its length in samples.
    pub(super) fn len(&self) -> usize {
        self.parts.last().map_or(0, |part| part.at + part.span.len())
    }

    /// Where, in the recording, its last span ends.
    pub(super) fn end(&self) -> usize {
        self.parts.last().map_or(0, |part| part.span.end)
    }

    /// Its samples, out of the whole recording's.
    pub(super) fn samples(&self, whole: &[i16]) -> Vec<f32> {
        let mut samples: Vec<f32> = hiss().take(self.len()).collect();
        for part in &self.parts {
            let (Some(from), Some(to)) = (
                whole.get(part.span.start..part.span.end),
                samples.get_mut(part.at..part.at + part.span.len()),
            ) else {
                continue;
            };
            for (sample, out) in from.iter().zip(to) {
                *out += f32::from(*sample) / 32_768.0;
            }
        }
        samples
    }

    /// The time in the recording of a time in the piece, both in milliseconds; a time within a gap
    /// belongs to the end of the span before it.
    pub(super) fn time_ms(&self, at_ms: i64) -> i64 {
        let at = usize::try_from(at_ms).unwrap_or(0) * SAMPLES_PER_MS;
        let part = self.part_at(at);
        let sample = part.map_or(at, |part| {
            part.span.start + at.saturating_sub(part.at).min(part.span.len())
        });
        i64::try_from(sample / SAMPLES_PER_MS).unwrap_or(i64::MAX)
    }

    /// When, in the recording, the span begins that a time in the piece falls into; milliseconds.
    pub(super) fn part_start_ms(&self, at_ms: i64) -> i64 {
        let at = usize::try_from(at_ms).unwrap_or(0) * SAMPLES_PER_MS;
        let start = self.part_at(at).map_or(0, |part| part.span.start);
        i64::try_from(start / SAMPLES_PER_MS).unwrap_or(i64::MAX)
    }

    fn part_at(&self, at: usize) -> Option<&Part> {
        let after = self.parts.partition_point(|part| part.at <= at);
        self.parts.get(after.saturating_sub(1))
    }
}

/// The same faint noise for every piece, so that a piece is always heard alike (Numerical Recipes' generator).
fn hiss() -> impl Iterator<Item = f32> {
    std::iter::successors(Some(1_u32), |seed| {
        Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    })
    .map(|seed| ((seed >> 16) as f32 / 32_768.0 - 1.0) * HISS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 16_000;

    fn span(start_s: usize, end_s: usize) -> Span {
        Span {
            start: start_s * SECOND,
            end: end_s * SECOND,
        }
    }

    #[test]
    fn spans_are_packed_until_the_piece_is_full() {
        let pieces = pack(&[span(0, 10), span(20, 30), span(40, 50)], 28 * SECOND);
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0].len(), 20 * SECOND + 2 * GAP);
        assert_eq!(pieces[1].len(), 10 * SECOND + GAP);
    }

    #[test]
    fn times_lead_back_to_the_recording() {
        let pieces = pack(&[span(5, 10), span(20, 30)], 28 * SECOND);
        let piece = &pieces[0];
        assert_eq!(piece.time_ms(0), 5000, "before the first");
        assert_eq!(piece.time_ms(200), 5000);
        assert_eq!(piece.time_ms(5200), 10_000);
        assert_eq!(piece.time_ms(5300), 10_000, "within the gap");
        assert_eq!(piece.time_ms(5400), 20_000);
        assert_eq!(piece.time_ms(6400), 21_000);
        assert_eq!(piece.time_ms(60_000), 30_000, "beyond the end");
        assert_eq!(piece.part_start_ms(6400), 20_000);
    }

    #[test]
    fn samples_are_those_of_the_spans_with_silence_between() {
        let whole: Vec<i16> = (0..6 * SECOND)
            .map(|n| if n % (2 * SECOND) < SECOND { 16_384 } else { 1 })
            .collect();
        let pieces = pack(&[span(0, 1), span(2, 3)], 28 * SECOND);
        let samples = pieces[0].samples(&whole);
        let silence = [0..GAP, GAP + SECOND..2 * GAP + SECOND];
        for at in silence.into_iter().flatten() {
            assert!(samples[at].abs() <= HISS);
        }
        assert!(samples[..GAP].iter().any(|sample| sample.abs() > HISS / 2.0));
        for at in [GAP, 2 * GAP + SECOND] {
            assert!((samples[at] - 0.5).abs() <= HISS);
        }
        assert_eq!(samples.len(), 2 * (SECOND + GAP));
    }
}
