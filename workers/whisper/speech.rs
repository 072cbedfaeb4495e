//! Where somebody speaks: from the voice-activity model's probabilities to spans of samples. Pure.

/// Samples per probability: 32 ms at 16 kHz.
pub(super) const HOP: usize = 512;

/// From this probability on somebody speaks …
const ENTER: f32 = 0.5;
/// … until it falls below this one.
const LEAVE: f32 = 0.35;
/// Silence shorter than this does not end a span: 400 ms.
const SHORTEST_SILENCE: usize = 16_000 * 400 / 1000 / HOP;
/// Speech shorter than this is a click: 190 ms.
const SHORTEST_SPEECH: usize = 6;
/// Kept before and after each span: 200 ms.
const PAD: usize = 16_000 * 200 / 1000;

/// Hops before and after a place that say how quiet it is.
const AROUND: usize = 3;
/// Silence is not weighed by the probability alone: it says 0 of loud noise too.
const SURE_OF_NOTHING: f32 = 0.1;

/// A stretch of samples, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) const fn len(self) -> usize {
        self.end - self.start
    }
}

/// The spans with speech, none longer than `longest` samples. A longer one is cut where its second half is
/// quietest.
pub(super) fn spans(probabilities: &[f32], samples: &[i16], longest: usize) -> Vec<Span> {
    let total = samples.len();
    let mut spans: Vec<Span> = Vec::new();
    for (first, last) in talk(probabilities) {
        for (from, to) in cut(
            probabilities,
            samples,
            first,
            last,
            longest.saturating_sub(2 * PAD) / HOP,
        ) {
            let end_of_previous = spans.last().map_or(0, |span| span.end);
            let span = Span {
                start: (from * HOP).saturating_sub(PAD).max(end_of_previous),
                end: (to * HOP + PAD).min(total),
            };
            // Two spans share the silence between them half and half.
            if let Some(previous) = spans.last_mut()
                && previous.end > from * HOP
            {
                let middle = (previous.end.saturating_sub(PAD) + from * HOP).div_ceil(2);
                previous.end = middle.max(previous.start);
                spans.push(Span {
                    start: middle,
                    end: span.end,
                });
                continue;
            }
            if span.start < span.end {
                spans.push(span);
            }
        }
    }
    spans
}

/// Runs of speech as `(first, end)` hops.
fn talk(probabilities: &[f32]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let (mut start, mut silent_since): (Option<usize>, Option<usize>) = (None, None);
    for (hop, probability) in probabilities.iter().copied().enumerate() {
        if probability >= ENTER {
            start.get_or_insert(hop);
            silent_since = None;
        } else if probability < LEAVE
            && let Some(first) = start
        {
            let since = *silent_since.get_or_insert(hop);
            if hop - since >= SHORTEST_SILENCE {
                runs.push((first, since));
                start = None;
                silent_since = None;
            }
        }
    }
    if let Some(first) = start {
        runs.push((first, silent_since.unwrap_or(probabilities.len())));
    }
    runs.retain(|(first, end)| end - first >= SHORTEST_SPEECH);
    runs
}

fn cut(probabilities: &[f32], samples: &[i16], mut first: usize, end: usize, longest: usize) -> Vec<(usize, usize)> {
    let longest = longest.max(2);
    let mut parts = Vec::new();
    while end - first > longest {
        let (from, to) = (first + longest / 2, first + longest);
        let quietest = (from..to)
            .map(|hop| (hop, liveliness(probabilities, samples, hop)))
            .min_by(|(a, one), (b, other)| one.total_cmp(other).then(b.cmp(a)))
            .map_or(to, |(hop, _)| hop);
        parts.push((first, quietest));
        first = quietest;
    }
    parts.push((first, end));
    parts
}

/// How much goes on around a hop: its loudness times how likely it is speech, over the quarter of a second that a
/// pause for breath takes. The probability alone stays high through such a pause and falls within a word's closed
/// lips, and a word cut in two is heard as two others.
fn liveliness(probabilities: &[f32], samples: &[i16], hop: usize) -> f32 {
    let (from, to) = (hop.saturating_sub(AROUND), hop + AROUND + 1);
    let (mut loudness, mut speech) = (0.0, 0.0);
    for near in from..to.min(probabilities.len()) {
        let heard = samples.get(near * HOP..((near + 1) * HOP).min(samples.len()));
        let energy: f32 = heard.unwrap_or_default().iter().map(|s| f32::from(*s).powi(2)).sum();
        loudness += (energy / HOP as f32).sqrt();
        speech += probabilities.get(near).copied().unwrap_or(0.0);
    }
    loudness * (SURE_OF_NOTHING + speech / (to - from) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hops(parts: &[(f32, usize)]) -> Vec<f32> {
        parts.iter().flat_map(|(p, n)| std::iter::repeat_n(*p, *n)).collect()
    }

    /// Sound that is equally loud in every hop.
    fn even(hops: usize) -> Vec<i16> {
        vec![3000; hops * HOP]
    }

    #[test]
    fn silence_has_no_span_and_a_click_neither() {
        assert!(spans(&hops(&[(0.0, 100)]), &even(100), 400_000).is_empty());
        assert!(spans(&hops(&[(0.0, 50), (0.9, 3), (0.0, 50)]), &even(103), 400_000).is_empty());
    }

    #[test]
    fn a_short_pause_does_not_split_and_a_long_one_does() {
        let short = hops(&[(0.9, 30), (0.1, 8), (0.9, 30)]);
        assert_eq!(spans(&short, &even(short.len()), 400_000).len(), 1);
        let long = hops(&[(0.9, 30), (0.1, 30), (0.9, 30)]);
        assert_eq!(spans(&long, &even(long.len()), 400_000).len(), 2);
    }

    #[test]
    fn talk_without_pause_is_cut_at_its_quietest_place() {
        let probabilities = hops(&[(0.9, 200), (0.6, 1), (0.9, 99)]);
        let spans = spans(&probabilities, &even(300), 250 * HOP);
        assert_eq!(spans.len(), 2);
        assert!(spans[0].end.abs_diff(200 * HOP) <= PAD);
    }

    #[test]
    fn a_pause_for_breath_is_a_better_place_than_closed_lips() {
        // One hop that the model finds unlikely to be speech, and a real pause that it does not see.
        let probabilities = hops(&[(0.9, 160), (0.4, 1), (0.9, 139)]);
        let mut samples = even(300);
        samples[200 * HOP..208 * HOP].fill(20);
        let spans = spans(&probabilities, &samples, 250 * HOP);
        assert_eq!(spans.len(), 2);
        assert!(spans[0].end.abs_diff(204 * HOP) <= 2 * HOP, "{spans:?}");
    }

    proptest! {
        #[test]
        fn spans_are_in_order_apart_and_short_enough(probabilities in proptest::collection::vec(0.0_f32..1.0, 0..800)) {
            let total = probabilities.len() * HOP;
            let longest = 100 * HOP;
            let spans = spans(&probabilities, &even(probabilities.len()), longest);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            for span in spans {
                prop_assert!(span.start < span.end && span.end <= total && span.len() <= longest);
            }
        }
    }
}
