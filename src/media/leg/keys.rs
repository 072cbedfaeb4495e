//! Ten thousand keys at the shortest legal length, by event and by tone, through networks that lose packets.

use super::tests::{Bench, negotiated, packet};
use crate::g711::{self, Law};
use crate::{Codec, MediaEvent, tone};

const ALL: &[u8; 16] = b"0123456789*#ABCD";
const KEYS: usize = 10_000;
const FAR: &str = "10.0.0.1:4000";

fn chance(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *seed >> 8
}

/// Keys in an order without pattern, doubles among them.
fn keys() -> Vec<char> {
    let mut seed = 22;
    (0..KEYS)
        .map(|_| char::from(ALL[chance(&mut seed) as usize % 16]))
        .collect()
}

impl Bench {
    fn told(&mut self) -> impl Iterator<Item = char> {
        self.events.drain(..).filter_map(|event| match event {
            MediaEvent::Digit { digit, .. } => Some(digit),
            MediaEvent::PlayDone { .. }
            | MediaEvent::Silent { .. }
            | MediaEvent::Heard { .. }
            | MediaEvent::Closed { .. } => None,
        })
    }
}

/// Presses of 40 ms and pauses of 40 ms as a phone sends them: two packets that grow and the end said three times,
/// audio between. Of all packets `lost_percent` are lost.
fn by_events(lost_percent: u32) -> (Vec<char>, Vec<char>) {
    let (mut bench, keys, mut seed) = (Bench::new(), keys(), 5);
    let mut leg = bench.leg(1, FAR);
    let (mut sequence, mut heard) = (0_u16, Vec::new());
    let mut send = |bench: &mut Bench, payload_type, timestamp, payload: &[u8]| {
        sequence = sequence.wrapping_add(1);
        if chance(&mut seed) % 100 >= lost_percent {
            let bytes = packet(payload_type, sequence, timestamp, 9, payload);
            bench.receive(&mut leg, &bytes, FAR);
        }
    };
    for (n, key) in keys.iter().enumerate() {
        let began = (n * 640) as u32;
        let event = crate::dtmf::event_of(*key).unwrap();
        for (duration, end) in [(160_u16, 0), (320, 0x80), (320, 0x80), (320, 0x80)] {
            let [high, low] = duration.to_be_bytes();
            send(&mut bench, 101, began, &[event, end | 10, high, low]);
        }
        for silence in 2..4 {
            send(&mut bench, 0, began + silence * 160, &[g711::silence(Law::Mu); 160]);
        }
        bench.ms += 80;
        heard.extend(bench.told());
    }
    (keys, heard)
}

#[test]
fn ten_thousand_keys_by_event_are_all_told_once() {
    let (sent, heard) = by_events(0);
    assert!(sent == heard, "{} of {KEYS}", heard.len());
}

#[test]
fn ten_thousand_keys_by_event_survive_the_loss_of_one_packet_in_twenty() {
    let (sent, heard) = by_events(5);
    assert!(sent == heard, "{} of {KEYS}", heard.len());
}

#[test]
fn ten_thousand_keys_by_tone_are_all_told_once() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let (mut bench, keys) = (Bench::new(), keys());
        let mut leg = bench.leg(1, FAR);
        let mut agreed = negotiated(FAR);
        (agreed.codec, agreed.payload_type) = (codec, codec.payload_type());
        (agreed.dtmf_payload_type, agreed.dtmf_receive_type) = (None, None);
        leg.connect(agreed, bench.now());
        let mut samples = Vec::new();
        for key in &keys {
            samples.extend_from_slice(&tone::key(*key, 40).unwrap());
            samples.extend_from_slice(&tone::silence(40));
        }
        let mut heard = Vec::new();
        // A start that does not fall on a frame.
        for (n, frame) in samples[..].chunks(160).enumerate() {
            let payload: Vec<u8> = frame
                .iter()
                .map(|sample| g711::encode(codec.law().unwrap(), *sample))
                .collect();
            let bytes = packet(codec.payload_type(), n as u16, (n * 160) as u32, 9, &payload);
            bench.receive(&mut leg, &bytes, FAR);
            bench.ms += 20;
            heard.extend(bench.told());
        }
        assert!(keys == heard, "{codec:?}: {} of {KEYS}", heard.len());
    }
}
