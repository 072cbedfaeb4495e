//! Simulcast: which of a publisher's layers flow, how much each costs, and which one a subscriber gets.

use std::time::{Duration, Instant};

/// A layer: 0 is the smallest picture.
pub(crate) type Layer = u8;

/// The most layers of one track.
pub(crate) const LAYERS: usize = 3;

/// A layer from which nothing came for so long does not flow.
const STALE: Duration = Duration::from_millis(1500);

/// The span over which a rate is measured.
const SPAN: Duration = Duration::from_millis(500);

/// The layer that a simulcast name means: `q`, `h` and `f` are what clients send.
pub(crate) fn of_name(name: &str) -> Layer {
    match name {
        "q" | "0" | "l" | "a" => 0,
        "h" | "1" | "m" | "b" => 1,
        _ => 2,
    }
}

/// What is known of one layer.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    last: Option<Instant>,
    since: Option<Instant>,
    bytes: u64,
    bits_per_second: u64,
}

impl Seen {
    fn count(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes as u64;
        let since = *self.since.get_or_insert(now);
        let span = now.saturating_duration_since(since);
        if span >= SPAN {
            let measured = self.bytes * 8 * 1000 / u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
            self.bits_per_second = if self.bits_per_second == 0 {
                measured
            } else {
                u64::midpoint(self.bits_per_second, measured)
            };
            (self.bytes, self.since) = (0, Some(now));
        }
    }
}

/// The layers of one track as they come in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    seen: [Seen; LAYERS],
}

impl Layers {
    /// A packet of a layer came.
    pub(crate) fn heard(&mut self, layer: Layer, bytes: usize, now: Instant) {
        if let Some(seen) = self.seen.get_mut(usize::from(layer)) {
            seen.last = Some(now);
            seen.count(bytes, now);
        }
    }

    /// A packet came of a layer on which the larger ones build: each of them costs it as well.
    pub(crate) fn heard_below(&mut self, layer: Layer, bytes: usize, now: Instant) {
        for (above, seen) in self.seen.iter_mut().enumerate().skip(usize::from(layer)) {
            if above == usize::from(layer) {
                seen.last = Some(now);
            }
            seen.count(bytes, now);
        }
    }

    /// Whether a layer flows.
    pub(crate) fn flows(&self, layer: Layer, now: Instant) -> bool {
        let seen = self.seen.get(usize::from(layer));
        seen.and_then(|seen| seen.last)
            .is_some_and(|last| now.saturating_duration_since(last) < STALE)
    }

    /// What a layer costs in bits a second; 0 while unknown.
    pub(crate) fn cost(&self, layer: Layer) -> u64 {
        self.seen.get(usize::from(layer)).map_or(0, |seen| seen.bits_per_second)
    }

    /// The best flowing layer up to `most`; when none of those flows, the smallest that does.
    pub(crate) fn best(&self, most: Layer, now: Instant) -> Option<Layer> {
        let flowing = (0..3).filter(|layer| self.flows(*layer, now));
        let (below, above): (Vec<Layer>, Vec<Layer>) = flowing.partition(|layer| *layer <= most);
        below.last().or(above.first()).copied()
    }
}

/// What a subscriber asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Nothing for now: the picture is not on screen.
    pub(crate) is_disabled: bool,
    /// The best layer wanted.
    pub(crate) most: Layer,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            is_disabled: false,
            most: 2,
        }
    }
}

/// The smallest layer that fills `width` × `height`; `sizes` are the layers' own, smallest first.
pub(crate) fn for_size(width: u32, height: u32, sizes: &[(Layer, u32, u32)]) -> Layer {
    // A tenth less is not seen, and saves a layer where the window is a little larger than the picture.
    let fills = |own: u32, asked: u32| u64::from(own) * 11 >= u64::from(asked) * 10;
    sizes
        .iter()
        .find(|(_, own_width, own_height)| fills(*own_width, width) && fills(*own_height, height))
        .or(sizes.last())
        .map_or(2, |(layer, _, _)| *layer)
}

/// One picture that wants a share of a subscriber's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The best layer it may get.
    pub(crate) most: Layer,
    /// What each layer costs in bits a second; 0: does not flow.
    pub(crate) costs: [u64; LAYERS],
    /// Higher goes first.
    pub(crate) priority: u32,
}

/// Shares a line among pictures: everybody gets the smallest layer before anybody gets a better one. `None`
/// for a picture that does not fit at all.
pub(crate) fn share(line_bps: u64, demands: &[Demand]) -> Vec<Option<Layer>> {
    let mut left = line_bps;
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(demands.get(*index).map_or(0, |demand| demand.priority)));
    let mut given: Vec<Option<Layer>> = vec![None; demands.len()];
    let mut paid = vec![0_u64; demands.len()];
    for layer in 0..3_u8 {
        for index in &order {
            let (Some(demand), Some(share), Some(paid)) =
                (demands.get(*index), given.get_mut(*index), paid.get_mut(*index))
            else {
                continue;
            };
            let cost = demand.costs[usize::from(layer)];
            // The smallest that flows may be larger than what was asked for: better than nothing.
            let is_wanted = layer <= demand.most || share.is_none();
            if cost > 0 && is_wanted && cost.saturating_sub(*paid) <= left {
                left -= cost.saturating_sub(*paid);
                (*share, *paid) = (Some(layer), cost);
            }
        }
    }
    given
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere in time")]
mod tests {
    use super::*;

    #[test]
    fn the_best_layer_is_the_largest_wanted_that_flows() {
        let now = Instant::now();
        let mut layers = Layers::default();
        assert_eq!(layers.best(2, now), None);
        layers.heard(1, 100, now);
        assert_eq!((layers.best(2, now), layers.best(0, now)), (Some(1), Some(1)));
        layers.heard(0, 100, now);
        assert_eq!(layers.best(0, now), Some(0));
        assert_eq!(layers.best(2, now + STALE), None);
    }

    #[test]
    fn the_rate_of_a_layer_is_measured() {
        let t0 = Instant::now();
        let mut layers = Layers::default();
        for step in 0..=100 {
            layers.heard(2, 1250, t0 + Duration::from_millis(10) * step);
        }
        assert!((950_000..1_050_000).contains(&layers.cost(2)), "{}", layers.cost(2));
    }

    #[test]
    fn a_layer_that_builds_on_others_costs_them_too() {
        let t0 = Instant::now();
        let mut layers = Layers::default();
        for step in 0..=100 {
            let now = t0 + Duration::from_millis(10) * step;
            layers.heard_below(0, 250, now);
            layers.heard_below(1, 1000, now);
        }
        assert!((190_000..210_000).contains(&layers.cost(0)), "{}", layers.cost(0));
        assert!((950_000..1_050_000).contains(&layers.cost(1)), "{}", layers.cost(1));
        let now = t0 + Duration::from_secs(1);
        assert!(layers.flows(1, now) && !layers.flows(2, now));
    }

    #[test]
    fn a_window_gets_the_smallest_layer_that_fills_it() {
        let sizes = [(0, 320, 180), (1, 640, 360), (2, 1280, 720)];
        assert_eq!(for_size(300, 170, &sizes), 0);
        assert_eq!(for_size(350, 190, &sizes), 0);
        assert_eq!(for_size(600, 300, &sizes), 1);
        assert_eq!(for_size(4000, 3000, &sizes), 2);
    }

    #[test]
    fn a_narrow_line_gives_everybody_a_little_before_anybody_much() {
        let demand = |priority| Demand {
            most: 2,
            costs: [100, 300, 900],
            priority,
        };
        assert_eq!(share(2_000, &[demand(0), demand(0)]), [Some(2), Some(2)]);
        assert_eq!(share(1_200, &[demand(0), demand(1)]), [Some(1), Some(2)]);
        assert_eq!(share(250, &[demand(0), demand(1)]), [Some(0), Some(0)]);
        assert_eq!(share(150, &[demand(0), demand(1)]), [None, Some(0)]);
    }
}
