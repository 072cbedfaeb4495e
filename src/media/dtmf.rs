//! Keys as telephone-events (RFC 4733): [`Receiver`] tells each press once, [`Sender`] presses keys.

use crate::rtp::timestamp_after;

/// The bytes of one event payload.
pub const EVENT_BYTES: usize = 4;

const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// How long a key is pressed, in 20 ms frames.
const PRESS_FRAMES: u16 = 6;
/// The pause after a key, in 20 ms frames.
const PAUSE_FRAMES: u16 = 4;
/// RFC 4733 §2.5.1.4: the end is said three times, because any packet may be lost.
const END_PACKETS: u8 = 3;
/// -10 dBm0.
const VOLUME: u8 = 10;
/// Keys waiting to be pressed; more are dropped.
const WAITING: usize = 128;

/// Hears one leg's events.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    /// RFC 4733 §2.1: all packets of one press share its timestamp.
    last: Option<u32>,
}

impl Receiver {
    /// Takes an event packet; a key comes back when it begins a press not told yet. The first packet
    /// seen of a press tells it, whichever of its packets were lost.
    pub fn hear(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let [event, ..] = *payload.first_chunk::<EVENT_BYTES>()?;
        let key = KEYS.get(usize::from(event))?;
        // A packet of an earlier press that took a longer way is not a new press.
        if self.last.is_some_and(|last| !timestamp_after(timestamp, last)) {
            return None;
        }
        self.last = Some(timestamp);
        Some(*key)
    }

    /// The timestamp of the last press.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.last
    }

    /// Forgets what was heard: another source sends now.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

/// The number of a key's event.
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    let index = KEYS.iter().position(|key| *key == digit)?;
    u8::try_from(index).ok()
}

/// Counts an event payload's duration by another clock (RFC 4733 §2.3.5).
pub fn rescale(payload: &mut [u8], from_khz: u8, to_khz: u8) {
    if from_khz == to_khz {
        return;
    }
    if let Some([_, _, high, low]) = payload.first_chunk_mut::<EVENT_BYTES>() {
        let ticks = u32::from(u16::from_be_bytes([*high, *low])) * u32::from(to_khz) / u32::from(from_khz.max(1));
        [*high, *low] = u16::try_from(ticks).unwrap_or(u16::MAX).to_be_bytes();
    }
}

/// Presses keys, one packet each 20 ms.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// Events waiting, last one first.
    waiting: Vec<u8>,
    pressed: Option<Press>,
    pause: u16,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    event: u8,
    timestamp: u32,
    frames: u16,
    ends: u8,
}

/// What to send in this 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One event packet.
    Packet {
        /// Set on the first packet of a press.
        marker: bool,
        /// The press's timestamp.
        timestamp: u32,
        /// The payload.
        payload: [u8; EVENT_BYTES],
    },
    /// The pause between keys.
    Pause,
    /// Every key was pressed.
    Over,
}

impl Sender {
    /// Adds keys; what is no key is skipped.
    pub fn press(&mut self, digits: &str) {
        for event in digits.chars().filter_map(event_of) {
            if self.waiting.len() < WAITING {
                self.waiting.insert(0, event);
            }
        }
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.pressed.is_none() && self.pause == 0
    }

    /// The next 20 ms; `timestamp` is where the outgoing stream stands, `khz` the clock that durations are counted by.
    pub fn step(&mut self, timestamp: u32, khz: u8) -> Step {
        if let Some(press) = &mut self.pressed {
            if press.frames < PRESS_FRAMES {
                press.frames += 1;
            } else {
                press.ends += 1;
            }
            let ended = press.frames == PRESS_FRAMES;
            let step = press.packet(ended, khz);
            if press.ends + 1 == END_PACKETS {
                self.pressed = None;
                self.pause = PAUSE_FRAMES;
            }
            return step;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return Step::Pause;
        }
        let Some(event) = self.waiting.pop() else {
            return Step::Over;
        };
        let press = Press {
            event,
            timestamp,
            frames: 1,
            ends: 0,
        };
        self.pressed = Some(press);
        press.packet(false, khz)
    }
}

impl Press {
    fn packet(&self, ended: bool, khz: u8) -> Step {
        let duration = self.frames * u16::from(khz) * 20;
        let [high, low] = duration.to_be_bytes();
        Step::Packet {
            marker: self.frames == 1,
            timestamp: self.timestamp,
            payload: [self.event, (u8::from(ended) << 7) | VOLUME, high, low],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: &str = "0123456789*#ABCD";

    /// Every packet a sender makes of keys, with the running timestamp of 20 ms frames.
    fn packets(digits: &str) -> Vec<(bool, u32, [u8; 4])> {
        let mut sender = Sender::default();
        sender.press(digits);
        let mut packets = Vec::new();
        for frame in 0_u32.. {
            match sender.step((u32::MAX - 1_000).wrapping_add(frame * 160), 8) {
                Step::Packet {
                    marker,
                    timestamp,
                    payload,
                } => packets.push((marker, timestamp, payload)),
                Step::Pause => {}
                Step::Over => break,
            }
        }
        assert!(sender.is_over());
        packets
    }

    fn heard<'a>(packets: impl IntoIterator<Item = &'a (bool, u32, [u8; 4])>) -> String {
        let mut receiver = Receiver::default();
        packets
            .into_iter()
            .filter_map(|(_, timestamp, payload)| receiver.hear(*timestamp, payload))
            .collect()
    }

    #[test]
    fn a_press_grows_by_its_clock_and_ends_three_times() {
        let packets = packets("5");
        let durations: Vec<u16> = packets.iter().map(|p| u16::from_be_bytes([p.2[2], p.2[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 960, 960, 960]);
        let ends: Vec<bool> = packets.iter().map(|p| p.2[1] & 0x80 != 0).collect();
        assert_eq!(ends.iter().filter(|end| **end).count(), 3);
        assert!(packets[0].0 && !packets[1].0);
        assert!(packets.iter().all(|p| p.1 == packets[0].1));
    }

    #[test]
    fn all_keys_arrive_once_and_repeats_are_kept() {
        assert_eq!(heard(&packets(ALL)), ALL);
        assert_eq!(heard(&packets("1122")), "1122");
        assert_eq!(heard(&packets("a x5")), "A5");
    }

    #[test]
    fn a_late_packet_of_the_key_before_is_not_a_press() {
        let mut packets = packets("12");
        packets.swap(7, 8);
        assert_eq!(heard(&packets), "12");
    }

    proptest! {
        #[test]
        fn no_key_is_missed_or_doubled_while_one_packet_of_it_arrives(lost in proptest::collection::vec(any::<u8>(), 16)) {
            let all = packets(ALL);
            // Of each press's eight packets any set but the whole may be lost.
            let kept: Vec<_> = all.iter().enumerate().filter(|(n, _)| {
                let mask = lost[n / 8];
                mask == 0xFF && n % 8 == 3 || mask & (1 << (n % 8)) == 0
            }).map(|(_, packet)| *packet).collect();
            prop_assert_eq!(heard(&kept), ALL);
        }

        #[test]
        fn arbitrary_payloads_never_panic(timestamp: u32, payload in proptest::collection::vec(any::<u8>(), 0..10)) {
            let _ = Receiver::default().hear(timestamp, &payload);
        }
    }
}
