//! Bridges whose legs share no codec, in virtual time: what one says comes out of the other's packets.

use super::tests::{Bench, negotiated, packet};
use super::*;
use crate::coder::{Decoder, Encoder, LONGEST};

const A: &str = "10.0.0.1:4000";
const B: &str = "10.0.0.2:5000";
const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

fn speaking(remote: &str, codec: Codec) -> Negotiated {
    let wide = codec == Codec::Opus;
    Negotiated {
        codec,
        payload_type: codec.payload_type(),
        dtmf_clock_khz: if wide { 48 } else { 8 },
        opus: wide.then(|| (codec.payload_type(), crate::sdp::OpusTerms::default())),
        ..negotiated(remote)
    }
}

fn legs(bench: &Bench, from: Codec, to: Codec) -> (Leg, Leg) {
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    a.connect(speaking(A, from), bench.now());
    b.connect(speaking(B, to), bench.now());
    a.bridge(bench.now());
    b.bridge(bench.now());
    (a, b)
}

/// What a packet of one leg becomes on the other.
fn across(bench: &mut Bench, a: &mut Leg, b: &mut Leg, bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut out = Vec::new();
    let Some(accepted) = bench.receive(a, bytes, A) else {
        return out;
    };
    let mut take = |bytes: &[u8]| {
        let header = rtp::parse(bytes).unwrap();
        let payload = bytes[header.payload.clone()].to_vec();
        out.push((header, payload));
    };
    if b.is_foreign(&accepted) {
        b.transcode(bytes, &accepted, bench.now(), |buffer, transmit| {
            take(&buffer[transmit.bytes.clone()]);
        });
    } else {
        let mut copy = bytes.to_vec();
        let transmit = b.relay(&mut copy, &accepted, bench.now()).unwrap();
        take(&copy[transmit.bytes]);
    }
    out
}

/// A speaker of a codec: a steady pitch in packets of so many milliseconds.
struct Mouth {
    codec: Codec,
    encoder: Encoder,
    rate: Rate,
    said: usize,
    sequence: u16,
    timestamp: u32,
}

impl Mouth {
    fn new(codec: Codec, rate: Rate) -> Self {
        Self {
            codec,
            encoder: Encoder::new(codec, rate, None).unwrap(),
            rate,
            said: 0,
            sequence: u16::MAX - 3,
            timestamp: u32::MAX - 5_000,
        }
    }

    fn say(&mut self, ms: u32) -> Vec<u8> {
        let count = usize::from(self.rate.khz()) * ms as usize;
        let step = std::f64::consts::TAU * 1_004.0 / f64::from(self.rate.khz()) / 1_000.0;
        let samples: Vec<i16> = (self.said..self.said + count)
            .map(|n| ((n as f64 * step).sin() * 8_000.0) as i16)
            .collect();
        self.said += count;
        let mut payload = [0; 2_000];
        let length = self.encoder.encode(&samples, &mut payload);
        let bytes = packet(
            self.codec.payload_type(),
            self.sequence,
            self.timestamp,
            77,
            &payload[..length],
        );
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(u32::from(self.codec.clock_khz()) * ms);
        bytes
    }
}

fn loudness(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}

#[test]
fn every_pair_of_codecs_is_one_stream_of_twenty_milliseconds_as_loud_as_it_was_said() {
    for from in ALL {
        for to in ALL.into_iter().filter(|to| *to != from) {
            for ms in [10, 20, 40, 60] {
                let mut bench = Bench::new();
                let (mut a, mut b) = legs(&bench, from, to);
                let rate = Rate::between(from, to);
                let mut mouth = Mouth::new(from, rate);
                let mut ear = Decoder::new(to, rate).unwrap();
                let (mut heard, mut before): (Vec<i16>, Option<Header>) = (Vec::new(), None);
                let laws = from.law().is_some() && to.law().is_some();
                for _ in 0..1_200 / ms {
                    let said = mouth.say(ms);
                    for (header, payload) in across(&mut bench, &mut a, &mut b, &said) {
                        assert_eq!(header.payload_type, to.payload_type());
                        if let Some(before) = &before {
                            let span = if laws { ms } else { 20 };
                            assert_eq!(header.sequence, before.sequence.wrapping_add(1), "{from:?} {to:?} {ms}");
                            let step = u32::from(to.clock_khz()) * span;
                            assert_eq!(
                                header.timestamp,
                                before.timestamp.wrapping_add(step),
                                "{from:?} {to:?} {ms}"
                            );
                            assert!(!header.marker);
                        } else {
                            assert!(header.marker);
                        }
                        let mut out = [0; LONGEST];
                        let count = ear.decode(&payload, &mut out);
                        heard.extend_from_slice(&out[..count]);
                        before = Some(header);
                    }
                    bench.ms += u64::from(ms);
                }
                assert!(
                    heard.len() >= usize::from(rate.khz()) * 1_150,
                    "{from:?} {to:?} {ms}: {}",
                    heard.len()
                );
                let level = loudness(&heard[heard.len() / 2..]);
                assert!((5_000.0..6_300.0).contains(&level), "{from:?} {to:?} {ms}: {level}");
            }
        }
    }
}

#[test]
fn one_codec_on_both_sides_is_relayed_byte_by_byte_however_long_its_packets_are() {
    for (codec, length) in [(Codec::Opus, 1_200), (Codec::G722, 160)] {
        let mut bench = Bench::new();
        let (mut a, mut b) = legs(&bench, codec, codec);
        let payload: Vec<u8> = (0..length).map(|n| n as u8).collect();
        assert!(b.most_payload() >= payload.len());
        let sent = packet(codec.payload_type(), 9, 960, 5, &payload);
        let came = across(&mut bench, &mut a, &mut b, &sent);
        assert_eq!(came[0].1, payload, "{codec:?}");
    }
}

#[test]
fn loss_leaves_a_gap_in_the_numbers_or_is_made_up_for() {
    for (from, to, numbers, ticks) in [(Codec::G722, Codec::Pcmu, 2, 320), (Codec::Opus, Codec::Pcmu, 1, 160)] {
        let mut bench = Bench::new();
        let (mut a, mut b) = legs(&bench, from, to);
        let mut mouth = Mouth::new(from, Rate::between(from, to));
        let mut last = None;
        for n in 0..20 {
            let said = mouth.say(20);
            if n == 10 {
                continue;
            }
            let came = across(&mut bench, &mut a, &mut b, &said);
            bench.ms += 20;
            if n == 11 {
                let before: Header = last.clone().unwrap();
                let first = &came[0].0;
                assert_eq!(first.sequence.wrapping_sub(before.sequence), numbers, "{from:?}");
                assert_eq!(first.timestamp.wrapping_sub(before.timestamp), ticks, "{from:?}");
                // What was made up for comes together with what follows it.
                assert_eq!(came.len(), if numbers == 1 { 2 } else { 1 });
                // A packet that comes too late says nothing any more.
                let late = packet(from.payload_type(), 1, u32::MAX - 5_000, 77, &[0; 80]);
                assert!(across(&mut bench, &mut a, &mut b, &late).is_empty());
            }
            last = came.last().map(|(header, _)| header.clone());
        }
    }
}

#[test]
fn a_pause_of_the_sender_is_a_pause_of_ours() {
    let mut bench = Bench::new();
    let (mut a, mut b) = legs(&bench, Codec::Opus, Codec::Pcma);
    let mut mouth = Mouth::new(Codec::Opus, Rate::Narrow);
    let first = mouth.say(20);
    let before = across(&mut bench, &mut a, &mut b, &first)[0].0.clone();
    mouth.timestamp = mouth.timestamp.wrapping_add(48_000);
    bench.ms += 1_020;
    let later = mouth.say(20);
    let after = &across(&mut bench, &mut a, &mut b, &later)[0].0;
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(8_000 + 160));
}

#[test]
fn keys_cross_between_clocks_within_the_stream() {
    for (from, to) in [
        (Codec::Opus, Codec::Pcmu),
        (Codec::Pcmu, Codec::Opus),
        (Codec::G722, Codec::Pcma),
    ] {
        let mut bench = Bench::new();
        let (mut a, mut b) = legs(&bench, from, to);
        let mut mouth = Mouth::new(from, Rate::between(from, to));
        let said = mouth.say(20);
        let audio = across(&mut bench, &mut a, &mut b, &said)[0].0.clone();
        let clock = |codec: Codec| u16::from(codec.clock_khz());
        let mut sequences = vec![audio.sequence];
        for n in 1..=3_u16 {
            let [high, low] = (n * 20 * clock(from)).to_be_bytes();
            let event = packet(101, mouth.sequence, mouth.timestamp, 77, &[5, 10, high, low]);
            mouth.sequence = mouth.sequence.wrapping_add(1);
            let (header, payload) = across(&mut bench, &mut a, &mut b, &event).remove(0);
            assert_eq!(header.payload_type, 101);
            assert_eq!(
                header.timestamp,
                audio.timestamp.wrapping_add(u32::from(clock(to)) * 20),
                "{from:?}"
            );
            assert_eq!(u16::from_be_bytes([payload[2], payload[3]]), n * 20 * clock(to));
            sequences.push(header.sequence);
        }
        assert!(
            sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)),
            "{sequences:?}"
        );
        let pressed = |event: &MediaEvent| matches!(event, MediaEvent::Digit { digit: '5', .. });
        assert_eq!(bench.events.iter().filter(|event| pressed(event)).count(), 1);
    }
}

#[test]
fn a_prompt_and_the_bridge_after_it_are_one_stream_in_every_codec() {
    for to in ALL {
        let mut bench = Bench::new();
        let (mut a, mut b) = legs(&bench, Codec::Pcmu, to);
        b.play(Play {
            id: None,
            samples: crate::tone::beep(),
            repeat: false,
        });
        let mut ear = Decoder::new(to, Rate::Narrow).unwrap();
        let (mut heard, mut headers): (Vec<i16>, Vec<Header>) = (Vec::new(), Vec::new());
        let mut buffer = [0; PACKET_BYTES];
        while b.needs_clock() {
            let now = bench.now();
            let transmit = b.tick(&mut buffer, now, &mut bench.events).unwrap();
            let bytes = &buffer[transmit.bytes];
            let header = rtp::parse(bytes).unwrap();
            let mut out = [0; LONGEST];
            let count = ear.decode(&bytes[header.payload.clone()], &mut out);
            heard.extend_from_slice(&out[..count]);
            headers.push(header);
            bench.ms += 20;
        }
        assert_eq!((headers.len(), heard.len()), (15, 2_400), "{to:?}");
        assert!(loudness(&heard[400..2_000]) > 5_000.0, "{to:?}");
        let mut mouth = Mouth::new(Codec::Pcmu, Rate::Narrow);
        let said = mouth.say(20);
        headers.push(across(&mut bench, &mut a, &mut b, &said).remove(0).0);
        for pair in headers.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{to:?}");
            let step = u32::from(to.clock_khz()) * 20;
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(step), "{to:?}");
        }
    }
}

#[test]
fn a_port_hears_and_is_heard_in_every_codec() {
    for codec in ALL {
        let mut bench = Bench::new();
        let mut leg = bench.leg(1, A);
        leg.connect(speaking(A, codec), bench.now());
        let (ours, theirs) = AudioPort::pair();
        leg.attach(ours);
        let mut mouth = Mouth::new(codec, Rate::Narrow);
        let mut heard = Vec::new();
        for _ in 0..30 {
            let said = mouth.say(20);
            bench.receive(&mut leg, &said, A);
            while let crate::port::Popped::Frame(frame) = theirs.pop() {
                heard.extend_from_slice(&frame);
            }
            bench.ms += 20;
        }
        assert_eq!(heard.len(), 30 * FRAME_SAMPLES, "{codec:?}");
        let level = loudness(&heard[2_400..]);
        assert!((5_000.0..6_300.0).contains(&level), "{codec:?}: {level}");
    }
}

#[test]
fn keys_as_tones_are_heard_in_every_codec() {
    for codec in ALL {
        let mut bench = Bench::new();
        let mut leg = bench.leg(1, A);
        let mut agreed = speaking(A, codec);
        (agreed.dtmf_payload_type, agreed.dtmf_receive_type) = (None, None);
        leg.connect(agreed, bench.now());
        let mut encoder = Encoder::new(codec, Rate::Narrow, None).unwrap();
        let mut samples = vec![0; 320];
        for key in "159#".chars() {
            samples.extend_from_slice(&crate::tone::key(key, 100).unwrap());
            samples.extend_from_slice(&crate::tone::silence(100));
        }
        for (n, frame) in samples.chunks_exact(FRAME_SAMPLES).enumerate() {
            let mut payload = [0; 1_500];
            let length = encoder.encode(frame, &mut payload);
            let timestamp = n as u32 * u32::from(codec.clock_khz()) * 20;
            let bytes = packet(codec.payload_type(), n as u16, timestamp, 3, &payload[..length]);
            bench.receive(&mut leg, &bytes, A);
            bench.ms += 20;
        }
        let keys = bench.events.iter().filter_map(|event| match event {
            MediaEvent::Digit { digit, .. } => Some(*digit),
            MediaEvent::PlayDone { .. }
            | MediaEvent::Silent { .. }
            | MediaEvent::Heard { .. }
            | MediaEvent::Closed { .. } => None,
        });
        assert_eq!(keys.collect::<String>(), "159#", "{codec:?}");
    }
}

#[test]
fn jitter_and_reports_count_by_the_streams_own_clock() {
    let mut bench = Bench::new();
    let (mut a, _) = legs(&bench, Codec::Opus, Codec::Opus);
    let mut mouth = Mouth::new(Codec::Opus, Rate::Narrow);
    for _ in 0..200 {
        let said = mouth.say(20);
        bench.receive(&mut a, &said, A);
        bench.ms += 20;
    }
    let quality = a.quality();
    assert!(quality.jitter_ms < 1.0, "{quality:?}");
    assert_eq!((quality.received, quality.lost), (200, 0));
}

#[test]
fn a_source_that_begins_anew_under_its_old_name_is_heard_at_once() {
    let mut bench = Bench::new();
    let (mut a, mut b) = legs(&bench, Codec::G722, Codec::Pcma);
    let mut mouth = Mouth::new(Codec::G722, Rate::Narrow);
    let mut sent = Vec::new();
    for n in 0..10 {
        if n == 5 {
            (mouth.sequence, mouth.timestamp) = (40_000, 123_456_789);
        }
        let said = mouth.say(20);
        sent.extend(across(&mut bench, &mut a, &mut b, &said));
        bench.ms += 20;
    }
    assert_eq!(sent.len(), 10);
    for pair in sent.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
        assert_eq!(pair[1].0.timestamp, pair[0].0.timestamp.wrapping_add(160));
    }
}
