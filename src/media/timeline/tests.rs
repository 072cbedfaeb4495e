//! Synthetic senders, clocks and networks: what goes in with loss, jitter, drift and disorder comes
//! out where it was said.

mod wide;

use super::*;
use crate::g711::{self, Law};
use proptest::prelude::*;

const FRAME: i64 = 160;
/// Where the clicks of a spoken frame stand.
const CLICK: i16 = 20_000;

/// A frame as it reached us.
#[derive(Clone)]
struct Packet {
    stream: u8,
    arrival_us: u64,
    rtp_timestamp: u32,
    sequence: u16,
    payload: Vec<u8>,
}

/// A phone whose clock runs `drift_ppm` fast, behind a network that delays each packet by what `delay_us` says.
struct Phone {
    stream: u8,
    drift_ppm: f64,
    first_timestamp: u32,
    start_us: u64,
}

impl Phone {
    fn new(stream: u8) -> Self {
        Self {
            stream,
            drift_ppm: 0.0,
            first_timestamp: u32::MAX - 5_000,
            start_us: 0,
        }
    }

    /// When its nth frame is complete by our clock.
    fn true_us(&self, n: u32) -> u64 {
        self.start_us + (f64::from(n) * 20_000.0 / (1.0 + self.drift_ppm / 1e6)) as u64
    }

    /// The nth frame; its first sample clicks when `n` is a multiple of 50.
    fn frame(&self, n: u32, delay_us: u64) -> Packet {
        let mut samples = [0_i16; FRAME as usize];
        if n.is_multiple_of(50) {
            samples[0] = CLICK;
        }
        Packet {
            stream: self.stream,
            arrival_us: self.true_us(n) + delay_us,
            rtp_timestamp: self.first_timestamp.wrapping_add(n * FRAME as u32),
            sequence: n as u16,
            payload: samples.iter().map(|s| g711::encode(Law::Mu, *s)).collect(),
        }
    }
}

fn chance(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *seed >> 8
}

/// Everything through a timeline, drained as it grows.
fn render(streams: u8, packets: &[Packet]) -> (Vec<Vec<i16>>, Vec<Marked>) {
    render_at(Rate::Narrow, streams, packets)
}

fn render_at(rate: Rate, streams: u8, packets: &[Packet]) -> (Vec<Vec<i16>>, Vec<Marked>) {
    let mut timeline = Timeline::new(rate, 0..streams);
    let mut out = vec![Vec::new(); usize::from(streams)];
    let mut marks = Vec::new();
    let mut drain = |timeline: &mut Timeline| {
        while let Some(block) = timeline.next_block() {
            assert_eq!(block.start, out[0].len() as u64);
            assert!(
                block
                    .streams
                    .iter()
                    .all(|stream| stream.len() == block.streams[0].len())
            );
            for (whole, part) in out.iter_mut().zip(&block.streams) {
                whole.extend_from_slice(part);
            }
            marks.extend(block.marks);
        }
    };
    for packet in packets {
        timeline.push(&Frame {
            stream: packet.stream,
            codec: Codec::Pcmu,
            arrival_us: packet.arrival_us,
            rtp_timestamp: packet.rtp_timestamp,
            sequence: packet.sequence,
            payload: &packet.payload,
        });
        drain(&mut timeline);
    }
    timeline.finish();
    drain(&mut timeline);
    (out, marks)
}

fn by_arrival(mut packets: Vec<Packet>) -> Vec<Packet> {
    packets.sort_by_key(|packet| packet.arrival_us);
    packets
}

fn clicks(samples: &[i16]) -> Vec<i64> {
    let loud = |sample: &(usize, &i16)| sample.1.unsigned_abs() > CLICK.unsigned_abs() / 3;
    let mut places: Vec<i64> = samples.iter().enumerate().filter(loud).map(|(n, _)| n as i64).collect();
    places.dedup_by(|later, earlier| *later - *earlier < 8);
    places
}

/// The greatest distance between where clicks came out and where they were said, in milliseconds.
fn worst_ms(phone: &Phone, delay_us: u64, samples: &[i16], frames: u32) -> f64 {
    let places = clicks(samples);
    let said: Vec<i64> = (0..frames)
        .step_by(50)
        .map(|n| ((phone.true_us(n) + delay_us) / 125) as i64)
        .collect();
    assert_eq!(places.len(), said.len());
    places
        .iter()
        .zip(&said)
        .map(|(place, said)| (place - said).abs())
        .max()
        .unwrap() as f64
        / 8.0
}

#[test]
fn a_steady_stream_comes_out_as_it_was_said() {
    let phone = Phone::new(0);
    let packets: Vec<Packet> = (0..500).map(|n| phone.frame(n, 10_000)).collect();
    let (out, _) = render(1, &packets);
    assert_eq!(out[0].len(), 80 + 500 * 160);
    assert!(worst_ms(&phone, 10_000, &out[0], 500) < 0.2);
}

#[test]
fn jitter_and_disorder_leave_no_trace() {
    let phone = Phone::new(0);
    let mut seed = 1;
    let packets: Vec<Packet> = (0..3_000)
        .map(|n| phone.frame(n, 30_000 + u64::from(chance(&mut seed) % 80_000)))
        .collect();
    let (out, _) = render(1, &by_arrival(packets));
    let worst = worst_ms(&phone, 30_000, &out[0], 3_000);
    assert!(worst < 5.0, "{worst} ms");
}

#[test]
fn lost_packets_are_silence_of_their_length() {
    let phone = Phone::new(0);
    let mut seed = 3;
    let packets: Vec<Packet> = (0..3_000)
        .filter(|n| n % 50 == 0 || chance(&mut seed) % 100 >= 20)
        .map(|n| phone.frame(n, 20_000))
        .collect();
    let (out, _) = render(1, &packets);
    let worst = worst_ms(&phone, 20_000, &out[0], 3_000);
    assert!(worst < 1.0, "{worst} ms");
}

#[test]
fn two_phones_whose_clocks_drift_apart_are_together_after_an_hour() {
    let fast = Phone {
        drift_ppm: 100.0,
        ..Phone::new(0)
    };
    let slow = Phone {
        drift_ppm: -80.0,
        first_timestamp: 7,
        start_us: 3_000,
        ..Phone::new(1)
    };
    let mut seed = 5;
    let frames = 60 * 60 * 50;
    let mut packets = Vec::new();
    for n in 0..frames {
        packets.push(fast.frame(n, 5_000 + u64::from(chance(&mut seed) % 15_000)));
        packets.push(slow.frame(n, 12_000 + u64::from(chance(&mut seed) % 15_000)));
    }
    let (out, _) = render(2, &by_arrival(packets));
    let worst = worst_ms(&fast, 5_000, &out[0], frames).max(worst_ms(&slow, 12_000, &out[1], frames));
    assert!(worst < 10.0, "{worst} ms");
}

#[test]
fn pauses_of_the_sender_are_silence_whether_its_clock_runs_on_or_not() {
    let phone = Phone::new(0);
    for clock_runs in [true, false] {
        let mut packets: Vec<Packet> = (0..200).map(|n| phone.frame(n, 20_000)).collect();
        for n in 500..700 {
            let mut packet = phone.frame(n, 20_000);
            if !clock_runs {
                packet.rtp_timestamp = phone.first_timestamp.wrapping_add((n - 300) * 160);
            }
            packets.push(packet);
        }
        let (out, _) = render(1, &packets);
        let seconds: Vec<i64> = clicks(&out[0]).iter().map(|place| (place - 160 + 8) / 8_000).collect();
        assert_eq!(seconds, [0, 1, 2, 3, 10, 11, 12, 13], "clock runs: {clock_runs}");
    }
}

#[test]
fn a_short_pause_with_a_standing_clock_is_kept() {
    let phone = Phone::new(0);
    let mut packets: Vec<Packet> = (0..100).map(|n| phone.frame(n, 20_000)).collect();
    packets.extend((100..200).map(|n| phone.frame(n, 20_000 + 600_000)));
    let (out, _) = render(1, &packets);
    let places = clicks(&out[0]);
    assert!((places[2] - places[1] - 8_000 - 4_800).abs() < 40, "{places:?}");
}

#[test]
fn a_network_that_stops_for_a_moment_and_then_delivers_all_is_no_pause() {
    let phone = Phone::new(0);
    let packets: Vec<Packet> = (0..400)
        .map(|n| {
            let stalled = (100..140).contains(&n);
            phone.frame(
                n,
                if stalled {
                    20_000 + u64::from(140 - n) * 20_000
                } else {
                    20_000
                },
            )
        })
        .collect();
    let (out, _) = render(1, &packets);
    let worst = worst_ms(&phone, 20_000, &out[0], 400);
    assert!(worst < 2.0, "{worst} ms");
}

#[test]
fn another_source_with_another_clock_goes_on_where_it_arrives() {
    let phone = Phone::new(0);
    let mut packets: Vec<Packet> = (0..200).map(|n| phone.frame(n, 20_000)).collect();
    for n in 200..400 {
        let mut packet = phone.frame(n, 20_000);
        packet.rtp_timestamp = packet.rtp_timestamp.wrapping_add(0x9000_0000);
        packet.sequence = packet.sequence.wrapping_mul(31);
        packets.push(packet);
    }
    let (out, _) = render(1, &packets);
    assert!(worst_ms(&phone, 20_000, &out[0], 400) < 1.0);
}

#[test]
fn streams_packed_in_chunks_a_second_apart_are_aligned() {
    let (a, b) = (Phone::new(0), Phone::new(1));
    let mut packets = Vec::new();
    for second in 0..20 {
        packets.extend((second * 50..second * 50 + 50).map(|n| a.frame(n, 20_000)));
        if second > 0 {
            packets.extend((second * 50 - 50..second * 50).map(|n| b.frame(n, 40_000)));
        }
    }
    let (out, _) = render(2, &packets);
    assert!(worst_ms(&a, 20_000, &out[0], 1_000) < 0.2);
    assert!(worst_ms(&b, 40_000, &out[1], 950) < 0.2);
}

#[test]
fn a_silent_stream_is_as_long_as_the_other() {
    let a = Phone::new(0);
    let packets: Vec<Packet> = (0..100).map(|n| a.frame(n, 0)).collect();
    let (out, _) = render(2, &packets);
    assert_eq!(out[1], vec![0; out[0].len()]);
    assert_eq!(out[0].len(), 16_000);
}

#[test]
fn marks_stand_where_they_were_set() {
    let mut timeline = Timeline::new(Rate::Narrow, [4]);
    for (arrival_us, mark) in [(1_500_000, Mark::Paused), (6_500_000, Mark::Resumed)] {
        timeline.push(&Frame {
            stream: 4,
            codec: Codec::Mark,
            arrival_us,
            rtp_timestamp: 0,
            sequence: 0,
            payload: &[mark.byte()],
        });
    }
    timeline.finish();
    let blocks: Vec<Block> = std::iter::from_fn(|| timeline.next_block()).collect();
    let marks: Vec<(u64, Mark)> = blocks.iter().flat_map(|b| &b.marks).map(|m| (m.at, m.mark)).collect();
    assert_eq!(marks, [(12_000, Mark::Paused), (52_000, Mark::Resumed)]);
    assert_eq!(blocks.iter().map(|block| block.streams[0].len()).sum::<usize>(), 52_001);
}

#[test]
fn linear_frames_of_a_mixer_come_out_unchanged() {
    let payload: Vec<u8> = (0..160_i16).flat_map(|n| (n * 100).to_le_bytes()).collect();
    let mut chunk = Chunk::with_capacity(10_000);
    for n in 0..5_u16 {
        assert!(chunk.push(&Frame {
            stream: 0,
            codec: Codec::Linear8,
            arrival_us: u64::from(n) * 20_000,
            rtp_timestamp: u32::from(n) * 160,
            sequence: n,
            payload: &payload,
        }));
    }
    let samples: Vec<i16> = blocks(Rate::Narrow, [0], [chunk])
        .flat_map(|block| block.streams.concat())
        .collect();
    assert_eq!(samples.len(), 800);
    assert_eq!(samples[160..320], (0..160_i16).map(|n| n * 100).collect::<Vec<_>>());
}

/// Two seconds of a pitch as frames of a codec, some of them lost; timestamps go round on the codec's own clock.
fn said(codec: crate::Codec, first: u32, from_us: u64, lost: &[u16], chunk: &mut Chunk) {
    use crate::coder::Encoder;
    let mut encoder = Encoder::new(codec, Rate::Narrow, None).unwrap();
    for n in 0..100_u16 {
        let wave = |k: i64| ((k as f64) * std::f64::consts::TAU / 8.0).sin() * 8_000.0;
        let samples: Vec<i16> = (0..FRAME).map(|k| wave(i64::from(n) * FRAME + k) as i16).collect();
        let mut payload = [0; 500];
        let length = encoder.encode(&samples, &mut payload);
        if lost.contains(&n) {
            continue;
        }
        assert!(chunk.push(&Frame {
            stream: 0,
            codec: codec.captured(),
            arrival_us: from_us + u64::from(n) * 20_000,
            rtp_timestamp: first.wrapping_add(u32::from(n) * 20 * u32::from(codec.clock_khz())),
            sequence: n,
            payload: &payload[..length],
        }));
    }
}

fn loudness(samples: &[i16]) -> f64 {
    (samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

#[test]
fn every_codec_of_a_call_comes_out_where_it_was_said() {
    for codec in crate::Codec::ALL {
        // The clock of the codec goes round in the middle of it.
        let mut chunk = Chunk::with_capacity(100_000);
        said(codec, u32::MAX - 20_000, 0, &[], &mut chunk);
        let heard: Vec<i16> = blocks(Rate::Narrow, [0], [chunk])
            .flat_map(|block| block.streams.concat())
            .collect();
        assert!((15_990..=16_010).contains(&heard.len()), "{codec:?}: {}", heard.len());
        for part in heard[800..].chunks_exact(400) {
            assert!(loudness(part) > 4_500.0, "{codec:?}");
        }
    }
}

#[test]
fn a_leg_that_changes_its_codec_goes_on_at_the_same_place() {
    let mut chunk = Chunk::with_capacity(200_000);
    said(crate::Codec::Pcmu, 5_000, 0, &[], &mut chunk);
    said(crate::Codec::Opus, 3_000_000_000, 2_000_000, &[], &mut chunk);
    said(crate::Codec::G722, 77, 4_000_000, &[], &mut chunk);
    let heard: Vec<i16> = blocks(Rate::Narrow, [0], [chunk])
        .flat_map(|block| block.streams.concat())
        .collect();
    assert!((47_980..=48_020).contains(&heard.len()), "{}", heard.len());
    for second in heard.chunks_exact(8_000) {
        assert!(loudness(second) > 4_500.0);
    }
}

#[test]
fn what_an_opus_leg_lost_is_made_up_for() {
    let mut chunk = Chunk::with_capacity(100_000);
    said(crate::Codec::Opus, 9, 0, &[50, 51], &mut chunk);
    let heard: Vec<i16> = blocks(Rate::Narrow, [0], [chunk])
        .flat_map(|block| block.streams.concat())
        .collect();
    assert!(loudness(&heard[50 * 160..52 * 160]) > 2_000.0);
    let mut chunk = Chunk::with_capacity(100_000);
    said(crate::Codec::G722, 9, 0, &[50, 51], &mut chunk);
    let heard: Vec<i16> = blocks(Rate::Narrow, [0], [chunk])
        .flat_map(|block| block.streams.concat())
        .collect();
    assert!(loudness(&heard[50 * 160..52 * 160]) < 10.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_frames_end_and_streams_stay_equally_long(
        frames in proptest::collection::vec((0_u8..3, 0_u64..60_000_000, any::<u32>(), any::<u16>(), 0_usize..400), 0..200)
    ) {
        let packets: Vec<Packet> = frames
            .into_iter()
            .map(|(stream, arrival_us, rtp_timestamp, sequence, length)| Packet {
                stream, arrival_us, rtp_timestamp, sequence, payload: vec![0xFF; length],
            })
            .collect();
        let (out, _) = render(2, &packets);
        prop_assert_eq!(out[0].len(), out[1].len());
        prop_assert!(out[0].len() < 8_000 * 180);
    }
}

#[test]
fn a_minute_through_a_bad_network_keeps_its_length_and_is_silent_only_where_packets_are_missing() {
    const FRAMES: u32 = 3_000;
    for lost_percent in [1, 5, 10] {
        let (phone, mut seed) = (Phone::new(0), lost_percent);
        let (mut packets, mut is_lost) = (Vec::new(), Vec::new());
        for n in 0..FRAMES {
            let at_an_end = n == 0 || n == FRAMES - 1;
            is_lost.push(!at_an_end && chance(&mut seed) % 100 < lost_percent);
            let delay_us = 20_000 + u64::from(chance(&mut seed) % 30_000);
            let mut packet = phone.frame(n, delay_us);
            packet.payload = vec![g711::encode(Law::Mu, 8_000); FRAME as usize];
            packets.extend((!is_lost[n as usize]).then_some(packet));
        }
        let (out, _) = render(1, &by_arrival(packets));
        let begins = out[0].iter().position(|sample| *sample > 4_000).unwrap();
        let length_ms = (out[0].len() - begins) as f64 / 8.0;
        assert!((length_ms - 60_000.0).abs() <= 20.0, "{lost_percent} %: {length_ms} ms");
        let lost = is_lost.iter().filter(|lost| **lost).count();
        assert!(lost >= lost_percent as usize * 20, "{lost} of {FRAMES} were lost");
        for (n, is_lost) in is_lost.iter().enumerate() {
            // The middle of the frame: where it stands to the sample is another test's.
            let middle = begins + n * FRAME as usize + 60;
            let part = &out[0][middle..middle + 40];
            let is_silent = part.iter().all(|sample| sample.unsigned_abs() < 100);
            assert_eq!(is_silent, *is_lost, "{lost_percent} %: frame {n}");
        }
    }
}
