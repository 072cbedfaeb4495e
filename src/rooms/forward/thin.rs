//! One subscriber's share of a picture in spatial layers: what lies above its layer is left out, the numbers close
//! up over it, and the picture ends where its topmost layer does.

use super::layers::Layer;
use super::{Gapless, Packet, Spatial};

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinned {
    /// It is sent under this number of its own stream.
    Forward {
        /// Its number, counted without what is left out.
        sequence: u64,
        /// Whether the picture ends with it.
        marker: bool,
        /// Whether the stream begins anew with it.
        begins: bool,
    },
    /// It is left out, though what came after it has its number already: something empty goes in its place.
    Hole(u64),
    /// It is left out.
    Leave,
    /// Nothing can be sent before a key frame.
    NeedsKeyFrame,
}

/// Thins one stream for one subscriber.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thinner {
    numbers: Gapless,
    /// The picture that its newest packet belongs to.
    picture: Option<u32>,
}

impl Thinner {
    /// Takes a packet. `current` is the topmost layer that is sent; it becomes `target` with a key frame, which
    /// every layer begins with, or, where less is wanted, with the next picture.
    pub(crate) fn take(
        &mut self,
        packet: &Packet,
        spatial: Spatial,
        is_key: bool,
        (current, target): (&mut Option<Layer>, Layer),
    ) -> Thinned {
        let is_newest = self.numbers.is_newest(packet.sequence);
        let is_start = is_newest && self.picture != Some(packet.timestamp);
        let begins = current.is_none();
        if begins && !is_key {
            return Thinned::NeedsKeyFrame;
        }
        if begins || (is_key && is_newest) {
            *current = Some(target);
        } else if is_start {
            *current = current.map(|current| current.min(target));
        }
        if is_newest {
            self.picture = Some(packet.timestamp);
        }
        let most = current.unwrap_or(target);
        if spatial.layer > most {
            return if self.numbers.padding(packet.sequence) {
                Thinned::Leave
            } else {
                Thinned::Hole(self.numbers.number(packet.sequence))
            };
        }
        Thinned::Forward {
            sequence: self.numbers.number(packet.sequence),
            marker: packet.marker || (spatial.layer == most && spatial.ends),
            begins,
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere in time")]
mod tests {
    use super::*;
    use crate::forward::Codec;
    use std::time::Instant;

    fn packet(sequence: u64, timestamp: u32, marker: bool) -> Packet {
        Packet {
            sequence,
            timestamp,
            marker,
            codec: Codec::Vp9,
            profile: 0,
            rotation: None,
            payload: [0].into(),
            level: None,
            voice: None,
            received: Instant::now(),
        }
    }

    /// A picture of three layers, one packet each, from a number on; what becomes of each.
    fn picture(
        thinner: &mut Thinner,
        first: u64,
        is_key: bool,
        current: &mut Option<Layer>,
        target: Layer,
    ) -> Vec<Thinned> {
        let timestamp = u32::try_from(first).unwrap();
        let take = |layer: u8| {
            let packet = packet(first + u64::from(layer), timestamp, layer == 2);
            let spatial = Spatial { layer, ends: true };
            thinner.take(&packet, spatial, is_key && layer == 0, (&mut *current, target))
        };
        (0..3).map(take).collect()
    }

    fn sent(sequence: u64, marker: bool) -> Thinned {
        Thinned::Forward {
            sequence,
            marker,
            begins: false,
        }
    }

    #[test]
    fn what_lies_above_is_left_out_and_the_numbers_close_up() {
        let (mut thinner, mut current) = (Thinner::default(), None);
        assert_eq!(
            picture(&mut thinner, 10, false, &mut current, 2),
            [Thinned::NeedsKeyFrame; 3]
        );
        let first = picture(&mut thinner, 20, true, &mut current, 2);
        let begins = Thinned::Forward {
            sequence: 20,
            marker: false,
            begins: true,
        };
        assert_eq!(first, [begins, sent(21, false), sent(22, true)]);
        let less = picture(&mut thinner, 23, false, &mut current, 1);
        assert_eq!(less, [sent(23, false), sent(24, true), Thinned::Leave]);
        let least = picture(&mut thinner, 26, false, &mut current, 0);
        assert_eq!(least, [sent(25, true), Thinned::Leave, Thinned::Leave]);
        assert_eq!(picture(&mut thinner, 29, false, &mut current, 0)[0], sent(26, true));
    }

    #[test]
    fn more_is_sent_from_a_key_frame_on() {
        let (mut thinner, mut current) = (Thinner::default(), None);
        picture(&mut thinner, 10, true, &mut current, 0);
        let waits = picture(&mut thinner, 13, false, &mut current, 2);
        assert_eq!((waits[1], current), (Thinned::Leave, Some(0)));
        let all = picture(&mut thinner, 16, true, &mut current, 2);
        assert_eq!(all, [sent(12, false), sent(13, false), sent(14, true)]);
    }

    #[test]
    fn a_late_packet_that_is_left_out_leaves_something_empty_in_its_place() {
        let (mut thinner, mut current) = (Thinner::default(), None);
        let mut take = |sequence: u64, timestamp: u32, layer: u8, is_key: bool| {
            let spatial = Spatial { layer, ends: true };
            thinner.take(&packet(sequence, timestamp, false), spatial, is_key, (&mut current, 0))
        };
        take(10, 1, 0, true);
        assert_eq!(take(12, 2, 0, false), sent(12, true));
        assert_eq!(take(11, 1, 1, false), Thinned::Hole(11));
        assert_eq!(take(13, 2, 1, false), Thinned::Leave);
        assert_eq!(take(14, 3, 0, false), sent(13, true));
    }
}
