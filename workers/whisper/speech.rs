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

/// The spans with speech in `total` samples, none longer than `longest` samples. A longer one is cut
/// where speech is least likely in its second half.
pub(super) fn spans(probabilities: &[f32], total: usize, longest: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (first, last) in talk(probabilities) {
        for (from, to) in cut(probabilities, first, last, longest.saturating_sub(2 * PAD) / HOP) {
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

fn cut(probabilities: &[f32], mut first: usize, end: usize, longest: usize) -> Vec<(usize, usize)> {
    let longest = longest.max(2);
    let mut parts = Vec::new();
    while end - first > longest {
        let (from, to) = (first + longest / 2, first + longest);
        let quietest = (from..to)
            .min_by(|a, b| {
                let at = |hop: &usize| probabilities.get(*hop).copied().unwrap_or(0.0);
                at(a).total_cmp(&at(b)).then(b.cmp(a))
            })
            .unwrap_or(to);
        parts.push((first, quietest));
        first = quietest;
    }
    parts.push((first, end));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hops(parts: &[(f32, usize)]) -> Vec<f32> {
        parts.iter().flat_map(|(p, n)| std::iter::repeat_n(*p, *n)).collect()
    }

    #[test]
    fn silence_has_no_span_and_a_click_neither() {
        assert!(spans(&hops(&[(0.0, 100)]), 100 * HOP, 400_000).is_empty());
        assert!(spans(&hops(&[(0.0, 50), (0.9, 3), (0.0, 50)]), 103 * HOP, 400_000).is_empty());
    }

    #[test]
    fn a_short_pause_does_not_split_and_a_long_one_does() {
        let short = hops(&[(0.9, 30), (0.1, 8), (0.9, 30)]);
        assert_eq!(spans(&short, short.len() * HOP, 400_000).len(), 1);
        let long = hops(&[(0.9, 30), (0.1, 30), (0.9, 30)]);
        assert_eq!(spans(&long, long.len() * HOP, 400_000).len(), 2);
    }

    #[test]
    fn talk_without_pause_is_cut_at_its_quietest_place() {
        let probabilities = hops(&[(0.9, 200), (0.6, 1), (0.9, 99)]);
        let spans = spans(&probabilities, 300 * HOP, 250 * HOP);
        assert_eq!(spans.len(), 2);
        assert!(spans[0].end.abs_diff(200 * HOP) <= PAD);
    }

    proptest! {
        #[test]
        fn spans_are_in_order_apart_and_short_enough(probabilities in proptest::collection::vec(0.0_f32..1.0, 0..800)) {
            let total = probabilities.len() * HOP;
            let longest = 100 * HOP;
            let spans = spans(&probabilities, total, longest);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            for span in spans {
                prop_assert!(span.start < span.end && span.end <= total && span.len() <= longest);
            }
        }
    }
}
