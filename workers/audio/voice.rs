//! One member's Opus, packet by packet, for the timeline of a meeting.

use opus::{Channels, Decoder};
use strowger_media::timeline::{self, OPUS_RATE_HZ};

/// 120 ms at 48 kHz, the longest an Opus packet can be.
const LONGEST: usize = 5760;
/// 2.5 ms: what libopus conceals is a multiple of it.
const STEP: usize = 120;
/// 20 ms, the usual packet and how much of what was lost the next one may hold a copy of.
const PACKET: usize = 960;

/// Decodes one stream to 48 kHz mono; a stereo microphone is mixed to one channel by libopus.
pub struct Voice {
    decoder: Decoder,
    buffer: Vec<i16>,
}

impl Voice {
    /// A decoder that has heard nothing.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self, super::Error> {
        Ok(Self {
            decoder: Decoder::new(OPUS_RATE_HZ, Channels::Mono)?,
            buffer: vec![0; LONGEST],
        })
    }

    fn run(&mut self, payload: &[u8], samples: usize, from_copy: bool, out: &mut Vec<i16>) {
        let room = self.buffer.get_mut(..samples).unwrap_or_default();
        if let Ok(length) = self.decoder.decode(payload, room, from_copy) {
            out.extend(room.iter().take(length));
        }
    }
}

impl timeline::Decoder for Voice {
    fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        let mut out = Vec::with_capacity(PACKET);
        self.run(payload, LONGEST, false, &mut out);
        out
    }

    fn conceal(&mut self, samples: usize, next: &[u8]) -> Vec<i16> {
        let copied = samples.min(PACKET) / STEP * STEP;
        let mut out = Vec::with_capacity(samples);
        let mut guessed = (samples - copied) / STEP * STEP;
        while guessed > 0 {
            let part = guessed.min(PACKET);
            self.run(&[], part, false, &mut out);
            guessed -= part;
        }
        // RFC 6716 §2.1.7: a packet may carry a coarse copy of the one before it; without one libopus
        // goes on guessing.
        self.run(next, copied, true, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opus::{Application, Encoder};
    use strowger_media::timeline::{Decoder as _, Timeline};
    use strowger_model::capture::{Codec, Frame};

    const TONE_HZ: f32 = 440.0;

    fn packets(count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(OPUS_RATE_HZ, Channels::Mono, Application::Voip).unwrap();
        let step = std::f32::consts::TAU * TONE_HZ / OPUS_RATE_HZ as f32;
        (0..count)
            .map(|n| {
                let samples: Vec<i16> = (0..PACKET)
                    .map(|at| (((n * PACKET + at) as f32 * step).sin() * 9000.0) as i16)
                    .collect();
                encoder.encode_vec(&samples, 400).unwrap()
            })
            .collect()
    }

    /// Puts packets on a timeline, without those that `lost` names; `late_us` delays each.
    fn heard(lost: &[usize], late_us: impl Fn(usize) -> u64) -> Vec<i16> {
        let voice: Box<dyn timeline::Decoder> = Box::new(Voice::new().unwrap());
        let mut timeline = Timeline::of_opus([(3, voice)]);
        let packets = packets(200);
        let mut order: Vec<usize> = (0..packets.len()).filter(|n| !lost.contains(n)).collect();
        order.sort_by_key(|n| *n as u64 * 20_000 + late_us(*n));
        for n in order {
            timeline.push(&Frame {
                stream: 3,
                codec: Codec::Opus,
                arrival_us: 1_000_000 + n as u64 * 20_000 + late_us(n),
                rtp_timestamp: (u32::MAX - 48_000).wrapping_add((n * PACKET) as u32),
                sequence: n as u16,
                payload: &packets[n],
            });
        }
        timeline.finish();
        let mut all = Vec::new();
        while let Some(block) = timeline.next_block() {
            all.extend_from_slice(&block.streams[0]);
        }
        all
    }

    /// The mean size of a stretch of samples.
    fn level(samples: &[i16]) -> f64 {
        samples.iter().map(|s| f64::from(s.unsigned_abs())).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn a_member_stands_where_they_spoke_and_as_long() {
        let all = heard(&[], |_| 0);
        assert!((all.len() as i64 - 5 * 48_000).abs() <= 960, "{}", all.len());
        let first = all.iter().position(|sample| sample.unsigned_abs() > 2000).unwrap();
        assert!(first.abs_diff(48_000) <= 960, "{first}");
    }

    #[test]
    fn disorder_within_half_a_second_leaves_no_hole() {
        let all = heard(&[], |n| (n as u64 * 7919 % 23) * 10_000);
        let quiet = all[52_000..235_000].chunks(480).filter(|part| level(part) < 1500.0);
        assert_eq!(quiet.count(), 0);
    }

    #[test]
    fn one_lost_packet_is_concealed_and_a_second_of_them_is_silence() {
        let one = heard(&[100], |_| 0);
        let hole = 48_000 + 100 * 960;
        assert!(level(&one[hole..hole + 960]) > 1500.0);
        let many: Vec<usize> = (100..150).collect();
        let all = heard(&many, |_| 0);
        assert!(level(&all[hole + 9600..hole + 40_000]) < 5.0);
        assert!(level(&all[hole + 50_000..hole + 60_000]) > 1500.0);
        assert_eq!(all.len(), one.len());
    }

    #[test]
    fn arbitrary_packets_never_panic() {
        let mut voice = Voice::new().unwrap();
        let mut seed = 1_u32;
        for length in 0..300 {
            let payload: Vec<u8> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            let _ = voice.decode(&payload);
            let _ = voice.conceal(length * 7, &payload);
        }
    }
}
