//! One track on its way to phones: its packets in order, and 20 ms of sound at a time while it is heard.
//!
//! The newest few packets are kept while nobody hears the track, so that its first word is whole when
//! it is. A lost packet is concealed by the decoder, from the next one's spare copy where it has one.

use std::collections::VecDeque;
use std::sync::Arc;
use strowger_media::{AudioFrame, FRAME_SAMPLES, SAMPLE_RATE_HZ};

/// Packets that must wait before a track is heard: 60 ms of 20 ms packets, against jitter.
const START: usize = 3;
/// Packets that may wait. Beyond that the oldest is dropped, so that the delay stays below 160 ms.
const MOST: usize = 8;
/// Frames concealed in a row before a track counts as having paused.
const MOST_CONCEALED: u32 = 5;
/// Packets lost in a row beyond which what follows is a new start.
const MOST_LOST: u64 = 10;
/// Ticks for which a decoder is kept after the track was last heard: 5 s.
const WARM: u32 = 250;
/// Samples of the longest packet Opus has, 120 ms.
const LONGEST: usize = 960;
/// Bytes of the longest packet taken: RFC 6716 §3.4 allows 1275 a frame, no network carries more.
const MOST_BYTES: usize = 1_400;

#[derive(Debug)]
struct Held {
    sequence: u64,
    payload: Arc<[u8]>,
}

/// The sound of one track.
#[derive(Debug, Default)]
pub(super) struct Voice {
    packets: VecDeque<Held>,
    state: State,
    decoder: Option<opus::Decoder>,
    /// Ticks since it was last heard.
    idle: u32,
    samples: VecDeque<i16>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Idle,
    Playing {
        /// The packet to be decoded next.
        next: u64,
        /// Frames concealed since the last packet.
        concealed: u32,
        /// It begins with this frame.
        fresh: bool,
    },
}

impl Voice {
    /// Takes a packet.
    pub(super) fn put(&mut self, sequence: u64, payload: Arc<[u8]>) {
        if payload.is_empty() || payload.len() > MOST_BYTES {
            return;
        }
        let is_late = matches!(self.state, State::Playing { next, .. } if sequence < next);
        let place = self.packets.partition_point(|held| held.sequence < sequence);
        let is_twice = self.packets.get(place).is_some_and(|held| held.sequence == sequence);
        if is_late || is_twice {
            return;
        }
        self.packets.insert(place, Held { sequence, payload });
        if self.packets.len() > MOST {
            self.packets.pop_front();
            self.skip_to_front();
        }
    }

    /// The next 20 ms; `None` when it is not heard or has nothing to say.
    pub(super) fn step(&mut self, wanted: bool) -> Option<AudioFrame> {
        if let (State::Idle, true) = (self.state, wanted) {
            self.start();
        }
        let State::Playing { fresh, .. } = self.state else {
            self.rest();
            return None;
        };
        self.idle = 0;
        let mut frame = self.sound()?;
        let ends = !wanted || self.has_paused();
        if fresh {
            fade(&mut frame, false);
        }
        if ends {
            fade(&mut frame, true);
            self.state = State::Idle;
        } else if let State::Playing { fresh, .. } = &mut self.state {
            *fresh = false;
        }
        Some(frame)
    }

    fn has_paused(&self) -> bool {
        matches!(self.state, State::Playing { concealed, .. } if concealed > MOST_CONCEALED)
    }

    /// Begins to be heard, once enough has come, with the newest packets.
    fn start(&mut self) {
        if self.packets.len() < START {
            return;
        }
        while self.packets.len() > START {
            self.packets.pop_front();
        }
        match &mut self.decoder {
            // What it remembers is from another sentence.
            Some(decoder) => {
                if decoder.reset_state().is_err() {
                    self.decoder = None;
                }
            }
            None => self.decoder = opus::Decoder::new(SAMPLE_RATE_HZ, opus::Channels::Mono).ok(),
        }
        self.samples.clear();
        if let (Some(first), Some(_)) = (self.packets.front(), &self.decoder) {
            self.state = State::Playing {
                next: first.sequence,
                concealed: 0,
                fresh: true,
            };
        }
    }

    fn rest(&mut self) {
        self.idle = self.idle.saturating_add(1);
        if self.idle > WARM {
            self.decoder = None;
        }
        while self.packets.len() > START {
            self.packets.pop_front();
        }
    }

    fn sound(&mut self) -> Option<AudioFrame> {
        while self.samples.len() < FRAME_SAMPLES {
            self.fill()?;
        }
        let mut frame = [0; FRAME_SAMPLES];
        for (out, sample) in frame.iter_mut().zip(self.samples.drain(..FRAME_SAMPLES)) {
            *out = sample;
        }
        Some(frame)
    }

    /// Decodes or conceals one packet.
    fn fill(&mut self) -> Option<()> {
        let State::Playing { next, concealed, .. } = &mut self.state else {
            return None;
        };
        let decoder = self.decoder.as_mut()?;
        let mut pcm = [0; LONGEST];
        let front = self.packets.front().map(|held| held.sequence);
        let decoded = match front {
            Some(sequence) if sequence <= *next => {
                *next = sequence + 1;
                *concealed = 0;
                let held = self.packets.pop_front()?;
                decoder.decode(&held.payload, &mut pcm, false)
            }
            Some(sequence) if sequence - *next > MOST_LOST => {
                *next = sequence;
                return Some(());
            }
            Some(sequence) => {
                *next += 1;
                let payload = self.packets.front().filter(|_| sequence == *next);
                let payload = payload.map_or(&[][..], |held| &held.payload);
                decoder.decode(payload, pcm.get_mut(..FRAME_SAMPLES)?, !payload.is_empty())
            }
            None => {
                *concealed += 1;
                decoder.decode(&[], pcm.get_mut(..FRAME_SAMPLES)?, false)
            }
        };
        // A payload that is not Opus is as good as lost; the silence keeps the pace.
        let count = decoded.unwrap_or(FRAME_SAMPLES).clamp(1, LONGEST);
        self.samples.extend(pcm.get(..count)?);
        Some(())
    }

    fn skip_to_front(&mut self) {
        if let (State::Playing { next, .. }, Some(front)) = (&mut self.state, self.packets.front()) {
            *next = (*next).max(front.sequence);
        }
    }
}

/// Fades a whole frame in or out, so that nobody begins or ends with a click.
fn fade(frame: &mut AudioFrame, out: bool) {
    let length = frame.len() as i32;
    for (n, sample) in frame.iter_mut().enumerate() {
        let n = n as i32;
        let share = if out { length - 1 - n } else { n };
        *sample = (i32::from(*sample) * share / length) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::testing::{Teller, power, power_of};

    fn play(voice: &mut Voice, teller: &mut Teller, ticks: usize, lose: impl Fn(usize) -> bool) -> Vec<i16> {
        let mut heard = Vec::new();
        for tick in 0..ticks {
            let (sequence, payload) = teller.next();
            if !lose(tick) {
                voice.put(sequence, payload);
            }
            heard.extend(voice.step(true).into_iter().flatten());
        }
        heard
    }

    #[test]
    fn a_track_is_heard_at_its_pitch_and_level_at_8_khz() {
        let (mut voice, mut teller) = (Voice::default(), Teller::new(440.0, 12_000.0));
        let heard = play(&mut voice, &mut teller, 100, |_| false);
        let (tone, rest) = power_of(&heard[8_000..], 440.0);
        assert!((0.45..0.55).contains(&(tone / (12_000.0 * 12_000.0))), "{tone}");
        assert!(rest < tone / 100.0);
    }

    #[test]
    fn lost_packets_are_concealed_without_a_gap() {
        let (mut voice, mut teller) = (Voice::default(), Teller::new(440.0, 12_000.0));
        let heard = play(&mut voice, &mut teller, 150, |tick| tick > 20 && tick % 20 == 0);
        let whole = power(&heard[4_000..]);
        for piece in heard[4_000..].chunks_exact(160) {
            assert!(power(piece) > whole / 30.0, "{}", power(piece) / whole);
        }
    }

    #[test]
    fn packets_out_of_order_are_put_in_order_and_copies_are_dropped() {
        let (mut voice, mut teller) = (Voice::default(), Teller::new(500.0, 12_000.0));
        let mut heard = Vec::new();
        for _ in 0..40 {
            let (first, second) = (teller.next(), teller.next());
            voice.put(second.0, second.1);
            voice.put(first.0, first.1.clone());
            voice.put(first.0, first.1);
            for _ in 0..2 {
                heard.extend(voice.step(true).into_iter().flatten());
            }
        }
        let (tone, rest) = power_of(&heard[4_000..], 500.0);
        assert!(rest < tone / 100.0);
    }

    #[test]
    fn a_track_that_enters_or_leaves_does_so_without_a_click() {
        let (mut voice, mut teller) = (Voice::default(), Teller::new(300.0, 12_000.0));
        let mut heard = Vec::new();
        for tick in 0..200 {
            let (sequence, payload) = teller.next();
            voice.put(sequence, payload);
            let frame = voice.step((tick / 25) % 2 == 0);
            heard.extend(frame.unwrap_or([0; FRAME_SAMPLES]));
        }
        // The steepest step of a 300 Hz tone of that level at 8 kHz is 2·π·300/8000·12000.
        let steepest = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
        assert!(steepest < 3_300, "{steepest}");
    }

    #[test]
    fn who_stops_sending_fades_away_and_may_come_back() {
        let (mut voice, mut teller) = (Voice::default(), Teller::new(440.0, 12_000.0));
        play(&mut voice, &mut teller, 20, |_| false);
        let pause: Vec<_> = (0..30).map(|_| voice.step(true)).collect();
        assert!(pause[0].is_some() && pause[20].is_none());
        let again = play(&mut voice, &mut teller, 20, |_| false);
        assert!(power(&again[1_600..]) > 1_000_000.0);
    }

    #[test]
    fn payloads_that_are_not_opus_do_no_harm() {
        let mut voice = Voice::default();
        for sequence in 0..200_u64 {
            voice.put(sequence, [sequence as u8; 40].into());
            voice.put(sequence.wrapping_mul(u64::MAX / 3), [0xff; 1_300].into());
            voice.step(sequence % 3 != 0);
        }
        assert!(voice.packets.len() <= MOST);
    }
}
