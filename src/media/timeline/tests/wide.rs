//! Timelines of calls with a wide-band leg: what its codec carries comes out, and everybody is where they were.

use super::*;
use crate::coder::Encoder;
use std::f64::consts::TAU;

const RATE_HZ: usize = 16_000;

/// What one leg says: samples at its codec's rate, from a moment on.
struct Leg {
    stream: u8,
    codec: crate::Codec,
    from_us: u64,
    first_timestamp: u32,
}

impl Leg {
    /// The frames of what a leg says at each moment (seconds since it began), without those that are lost.
    fn says(&self, seconds: f64, lost: &[u16], wave: impl Fn(f64) -> f64, chunk: &mut Chunk) {
        let rate = rate_of(self.codec.captured());
        let mut encoder = Encoder::new(self.codec, rate, None).unwrap();
        let frame = usize::from(rate.khz()) * 20;
        for n in 0..(seconds * 50.0) as u16 {
            let moment = |k| (usize::from(n) * frame + k) as f64 / f64::from(rate.hertz());
            let samples: Vec<i16> = (0..frame).map(|k| wave(moment(k)) as i16).collect();
            let mut payload = [0; 500];
            let length = encoder.encode(&samples, &mut payload);
            if lost.contains(&n) {
                continue;
            }
            let ticks = u32::from(n) * 20 * u32::from(self.codec.clock_khz());
            assert!(chunk.push(&Frame {
                stream: self.stream,
                codec: self.codec.captured(),
                arrival_us: self.from_us + u64::from(n) * 20_000,
                rtp_timestamp: self.first_timestamp.wrapping_add(ticks),
                sequence: n,
                payload: &payload[..length],
            }));
        }
    }
}

fn leg(codec: crate::Codec) -> Leg {
    Leg {
        stream: 0,
        codec,
        from_us: 0,
        // The clocks go round within the first second.
        first_timestamp: u32::MAX - 4_000,
    }
}

/// A steady pitch.
fn pitch(hertz: f64) -> impl Fn(f64) -> f64 {
    move |at| (TAU * hertz * at).sin() * 8_000.0
}

/// The amplitude of a pitch.
fn level(samples: &[i16], rate_hz: u32, hertz: f64) -> f64 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (s, c) = (n as f64 * TAU * hertz / f64::from(rate_hz)).sin_cos();
        sine += s * f64::from(*sample);
        cosine += c * f64::from(*sample);
    }
    2.0 * sine.hypot(cosine) / samples.len() as f64
}

fn heard(rate: Rate, streams: u8, chunk: Chunk) -> Vec<Vec<i16>> {
    let mut all = vec![Vec::new(); usize::from(streams)];
    for block in blocks(rate, 0..streams, [chunk]) {
        for (whole, part) in all.iter_mut().zip(block.streams) {
            whole.extend(part);
        }
    }
    all
}

#[test]
fn what_a_codec_carries_is_heard_to_its_end() {
    for codec in [crate::Codec::G722, crate::Codec::Opus] {
        for hertz in [440.0, 3_400.0, 5_500.0, 7_000.0] {
            let mut chunk = Chunk::with_capacity(100_000);
            leg(codec).says(2.0, &[], pitch(hertz), &mut chunk);
            let all = heard(rate_of(codec.captured()), 1, chunk).remove(0);
            assert!(all.len().abs_diff(2 * RATE_HZ) <= 20, "{codec:?}: {}", all.len());
            let level = level(&all[RATE_HZ / 2..3 * RATE_HZ / 2], 16_000, hertz);
            assert!((6_500.0..9_000.0).contains(&level), "{codec:?} at {hertz} Hz: {level}");
        }
    }
}

#[test]
fn a_telephone_band_leg_is_as_loud_as_in_a_recording_of_its_own_band() {
    for codec in [crate::Codec::Pcmu, crate::Codec::Pcma] {
        let levels = [Rate::Narrow, Rate::Wide].map(|rate| {
            let mut chunk = Chunk::with_capacity(100_000);
            leg(codec).says(2.0, &[], pitch(1_004.0), &mut chunk);
            let all = heard(rate, 1, chunk).remove(0);
            let hertz = rate.hertz() as usize;
            assert_eq!(all.len(), 2 * hertz);
            level(&all[hertz / 2..3 * hertz / 2], rate.hertz(), 1_004.0)
        });
        assert!((levels[0] / levels[1] - 1.0).abs() < 0.005, "{levels:?}");
    }
}

#[test]
fn legs_of_all_codecs_say_a_thing_at_the_same_moment() {
    let mut chunk = Chunk::with_capacity(200_000);
    for (stream, codec) in (0..).zip(crate::Codec::ALL) {
        let burst = |at: f64| {
            if (1.0..1.1).contains(&at) {
                pitch(1_000.0)(at)
            } else {
                0.0
            }
        };
        let leg = Leg { stream, ..leg(codec) };
        leg.says(3.0, &[], burst, &mut chunk);
    }
    for (codec, samples) in crate::Codec::ALL.iter().zip(heard(Rate::Wide, 4, chunk)) {
        let begins = samples.iter().position(|sample| sample.unsigned_abs() > 2_000).unwrap();
        assert!(
            (RATE_HZ..RATE_HZ + RATE_HZ / 100).contains(&begins),
            "{codec:?}: {begins}"
        );
    }
}

#[test]
fn a_leg_that_changes_its_codec_stays_one_timeline() {
    let mut chunk = Chunk::with_capacity(300_000);
    let spoken = [
        crate::Codec::Pcmu,
        crate::Codec::Opus,
        crate::Codec::G722,
        crate::Codec::Pcma,
    ];
    for (n, codec) in (0..).zip(spoken) {
        let leg = Leg {
            from_us: n * 2_000_000,
            ..leg(codec)
        };
        leg.says(2.0, &[], pitch(1_000.0), &mut chunk);
    }
    let all = heard(Rate::Wide, 1, chunk).remove(0);
    assert!(all.len().abs_diff(8 * RATE_HZ) <= 40, "{}", all.len());
    for (n, tenth) in all.chunks_exact(RATE_HZ / 10).enumerate() {
        assert!(loudness(tenth) > 4_500.0, "{} s", n as f64 / 10.0);
    }
}

#[test]
fn what_was_lost_is_silence_of_its_length_or_what_opus_makes_of_it() {
    for (codec, is_made_up) in [(crate::Codec::G722, false), (crate::Codec::Opus, true)] {
        let mut chunk = Chunk::with_capacity(100_000);
        leg(codec).says(2.0, &[50, 51], pitch(1_000.0), &mut chunk);
        let all = heard(Rate::Wide, 1, chunk).remove(0);
        assert!(all.len().abs_diff(2 * RATE_HZ) <= 20, "{codec:?}: {}", all.len());
        let level = loudness(&all[50 * 320..52 * 320]);
        assert_eq!(level > 1_000.0, is_made_up, "{codec:?}: {level}");
        assert!(is_made_up || level < 10.0, "{codec:?}: {level}");
        assert!(loudness(&all[54 * 320..]) > 4_500.0, "{codec:?}");
    }
}

#[test]
fn clocks_that_drift_apart_and_a_bad_network_are_followed_as_in_the_telephone_band() {
    let fast = Phone {
        drift_ppm: 300.0,
        ..Phone::new(0)
    };
    let slow = Phone {
        drift_ppm: -250.0,
        first_timestamp: 7,
        start_us: 3_000,
        ..Phone::new(1)
    };
    let mut seed = 5;
    let frames = 5 * 60 * 50;
    let mut packets = Vec::new();
    for n in 0..frames {
        let is_there = n % 50 == 0 || chance(&mut seed) % 100 >= 5;
        let jitter_us = u64::from(chance(&mut seed) % 15_000);
        packets.extend(is_there.then(|| fast.frame(n, 5_000 + jitter_us)));
        packets.extend(is_there.then(|| slow.frame(n, 12_000 + jitter_us)));
    }
    let (out, _) = render_at(Rate::Wide, 2, &by_arrival(packets));
    for (phone, delay_us, samples) in [(&fast, 5_000, &out[0]), (&slow, 12_000, &out[1])] {
        let telephone: Vec<i16> = samples.iter().step_by(2).copied().collect();
        let worst = worst_ms(phone, delay_us, &telephone, frames);
        assert!(worst < 10.0, "{worst} ms");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_frames_of_arbitrary_codecs_end(
        frames in proptest::collection::vec(
            (0_u8..3, 0_usize..6, 0_u64..20_000_000, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..100
        )
    ) {
        const CODECS: [Codec; 6] =
            [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus, Codec::Linear8, Codec::Mark];
        for rate in [Rate::Narrow, Rate::Wide] {
            let mut timeline = Timeline::new(rate, 0..2);
            for (stream, codec, arrival_us, rtp_timestamp, payload) in &frames {
                timeline.push(&Frame {
                    stream: *stream,
                    codec: CODECS[*codec],
                    arrival_us: *arrival_us,
                    rtp_timestamp: *rtp_timestamp,
                    sequence: 0,
                    payload,
                });
            }
            timeline.finish();
            let mut lengths = [0; 2];
            while let Some(block) = timeline.next_block() {
                for (length, part) in lengths.iter_mut().zip(&block.streams) {
                    *length += part.len();
                }
            }
            prop_assert_eq!(lengths[0], lengths[1]);
            prop_assert!(lengths[0] < rate.hertz() as usize * 90);
        }
    }
}
