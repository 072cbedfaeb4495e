//! Legs driven by hand in virtual time.

use super::*;
use crate::FRAME_SAMPLES;
use std::sync::Arc;

pub(super) struct Bench {
    epoch: Instant,
    pub(super) ms: u64,
    pub(super) events: Events,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "an epoch for virtual time")]
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            ms: 0,
            events: Events::new(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.epoch + Duration::from_millis(self.ms)
    }

    pub(super) fn leg(&self, seed: u64, remote: &str) -> Leg {
        let mut leg = Leg::new(LegSetup {
            leg: MediaLegId(seed),
            seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            opened: self.epoch,
            silence_after: Duration::from_secs(30),
            inband_digits: true,
        });
        leg.connect(negotiated(remote), self.now());
        leg
    }

    pub(super) fn receive(&mut self, leg: &mut Leg, packet: &[u8], from: &str) -> Option<Accepted> {
        let now = self.now();
        leg.receive(packet, address(from), now, &mut self.events)
    }

    /// A packet of one leg through another; the header as sent and where.
    fn through(&mut self, a: &mut Leg, from: &str, b: &mut Leg, packet: &[u8]) -> Option<(Header, SocketAddr)> {
        let mut packet = packet.to_vec();
        let accepted = self.receive(a, &packet, from)?;
        let transmit = b.relay(&mut packet, &accepted, self.now())?;
        Some((rtp::parse(&packet[transmit.bytes])?, transmit.to))
    }

    /// 20 ms of one leg into another, and its report, which the network takes 30 ms with.
    fn exchange(&mut self, from: &mut Leg, to: &mut Leg, source: &str) {
        let now = self.now();
        let mut packet = [0; PACKET_BYTES];
        let transmit = from.tick(&mut packet, now, &mut self.events).unwrap();
        self.receive(to, &packet[transmit.bytes], source).unwrap();
        let mut report = [0; crate::rtcp::PACKET_BYTES];
        if let Some((length, _)) = from.report(&mut report, false, now) {
            to.receive_report(&report[..length], address(source), now + Duration::from_millis(30));
        }
    }

    fn tick(&mut self, leg: &mut Leg) -> Option<(Header, Vec<u8>)> {
        let mut buffer = [0; PACKET_BYTES];
        let now = self.now();
        let transmit = leg.tick(&mut buffer, now, &mut self.events)?;
        let packet = &buffer[transmit.bytes];
        let header = rtp::parse(packet)?;
        Some((header.clone(), packet[header.payload].to_vec()))
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn negotiated(remote: &str) -> Negotiated {
    let remote = address(remote);
    Negotiated {
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        codec: Codec::Pcmu,
        payload_type: 0,
        dtmf_payload_type: Some(101),
        dtmf_receive_type: Some(101),
        dtmf_clock_khz: 8,
        opus: None,
        ptime_ms: 20,
        direction: Direction::BOTH,
    }
}

pub(super) fn packet(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend_from_slice(payload);
    let header = Header {
        marker: false,
        payload_type,
        sequence,
        timestamp,
        ssrc,
        payload: 12..packet.len(),
    };
    rtp::write(&mut packet, &header).unwrap();
    packet
}

fn audio(n: u16, ssrc: u32) -> Vec<u8> {
    packet(0, n, u32::from(n).wrapping_mul(160), ssrc, &[n as u8; FRAME_SAMPLES])
}

fn prompt(frames: usize) -> Play {
    Play {
        id: None,
        samples: Arc::from(vec![1_000; frames * FRAME_SAMPLES]),
        repeat: false,
    }
}

const A: &str = "10.0.0.1:4000";
const B: &str = "10.0.0.2:5000";

#[test]
fn a_prompt_a_bridge_and_another_bridge_are_one_stream() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    let mut sent = Vec::new();
    b.play(prompt(3));
    for _ in 0..3 {
        sent.push(bench.tick(&mut b).unwrap().0);
        bench.ms += 20;
    }
    a.bridge(bench.now());
    b.bridge(bench.now());
    for n in 40_000..40_003 {
        sent.push(bench.through(&mut a, A, &mut b, &audio(n, 9)).unwrap().0);
        bench.ms += 20;
    }
    // A source that begins anew in the same bridge, as after a transfer behind the far end.
    for n in 3..6 {
        sent.push(bench.through(&mut a, A, &mut b, &audio(n, 10)).unwrap().0);
        bench.ms += 20;
    }
    for pair in sent.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
    assert_eq!(
        sent.iter().map(|h| h.marker).collect::<Vec<_>>()[..4],
        [true, false, false, true]
    );
}

#[test]
fn loss_and_disorder_pass_through_a_bridge_as_they_are() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    a.bridge(bench.now());
    b.bridge(bench.now());
    let mut sent = Vec::new();
    for n in [65_534, 65_535, 1, 0, 4] {
        sent.push(bench.through(&mut a, A, &mut b, &audio(n, 9)).unwrap().0.sequence);
    }
    let first = sent[0];
    let steps: Vec<u16> = sent.iter().map(|sequence| sequence.wrapping_sub(first)).collect();
    assert_eq!(steps, [0, 1, 3, 2, 6]);
}

#[test]
fn a_play_silences_the_bridge_until_it_ends() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    a.bridge(bench.now());
    b.bridge(bench.now());
    b.play(prompt(1));
    assert!(bench.through(&mut a, A, &mut b, &audio(1, 9)).is_none());
    assert!(bench.tick(&mut b).is_some() && !b.needs_clock());
    bench.ms += 20;
    assert!(bench.through(&mut a, A, &mut b, &audio(2, 9)).is_some());
}

#[test]
fn events_go_only_where_they_are_taken_and_under_the_far_ends_number() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    let event = packet(101, 1, 800, 9, &[5, 10, 0, 160]);
    let mut other = negotiated(B);
    other.dtmf_payload_type = Some(96);
    b.connect(other, bench.now());
    assert_eq!(bench.through(&mut a, A, &mut b, &event).unwrap().0.payload_type, 96);
    other.dtmf_payload_type = None;
    b.connect(other, bench.now());
    assert!(bench.through(&mut a, A, &mut b, &event).is_none());
    assert_eq!(
        bench
            .events
            .iter()
            .filter(|e| matches!(e, MediaEvent::Digit { digit: '5', .. }))
            .count(),
        1
    );
}

#[test]
fn a_key_pressed_before_the_bridge_is_not_pressed_towards_the_far_end() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    let event = |sequence, began, key| packet(101, sequence, began, 9, &[key, 10, 0, 160]);
    bench.receive(&mut a, &event(1, 800, 1), A).unwrap();
    assert!(a.bridge(bench.now()).is_empty(), "nor is it kept for the bridge");
    b.bridge(bench.now());
    // The rest of the press, then the next one.
    assert!(bench.through(&mut a, A, &mut b, &event(2, 800, 1)).is_none());
    assert!(bench.through(&mut a, A, &mut b, &event(3, 2400, 2)).is_some());
    assert!(bench.through(&mut a, A, &mut b, &event(4, 2400, 2)).is_some());
    assert_eq!(
        bench
            .events
            .iter()
            .filter(|e| matches!(e, MediaEvent::Digit { .. }))
            .count(),
        2
    );
}

#[test]
fn what_is_no_audio_of_the_far_end_is_dropped() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    assert!(bench.receive(&mut a, b"not rtp", A).is_none());
    assert!(
        bench.receive(&mut a, &packet(13, 1, 0, 9, &[30]), A).is_none(),
        "comfort noise"
    );
    assert!(bench.receive(&mut a, &packet(0, 1, 0, 9, &[]), A).is_none(), "empty");
    assert!(
        bench.receive(&mut a, &packet(8, 1, 0, 9, &[1; 160]), A).is_some(),
        "the other law"
    );
    assert_eq!(a.quality().received, 1);
}

#[test]
fn the_latch_follows_the_first_packet_the_description_and_a_rebinding_but_no_stranger() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    let to = |bench: &mut Bench, a: &mut Leg, b: &mut Leg| bench.through(b, B, a, &audio(1, 5)).unwrap().1;
    assert_eq!(to(&mut bench, &mut a, &mut b), address(A));
    let nat = "192.0.2.1:6000";
    assert!(bench.receive(&mut a, &audio(1, 9), nat).is_some());
    assert_eq!(to(&mut bench, &mut a, &mut b), address(nat));
    assert!(bench.receive(&mut a, &audio(2, 9), "203.0.113.5:7000").is_none());
    assert!(
        bench.receive(&mut a, &audio(2, 9), "192.0.2.1:6001").is_none(),
        "too soon for a rebinding"
    );
    bench.ms += 600;
    assert!(bench.receive(&mut a, &audio(3, 9), "203.0.113.5:7000").is_none());
    assert!(bench.receive(&mut a, &audio(3, 9), "192.0.2.1:6001").is_some());
    assert!(
        bench.receive(&mut a, &audio(4, 9), A).is_some(),
        "the described address may always correct"
    );
    a.connect(negotiated(A), bench.now());
    assert!(
        bench.receive(&mut a, &audio(5, 9), "203.0.113.5:7000").is_none(),
        "a refresh opens no door"
    );
    bench.ms += 600;
    assert!(
        bench.receive(&mut a, &audio(5, 9), "192.0.2.77:7000").is_some(),
        "a phone in another network"
    );
    a.connect(negotiated("10.0.0.9:4000"), bench.now());
    assert!(bench.receive(&mut a, &audio(6, 9), "203.0.113.5:7000").is_some());
}

#[test]
fn early_packets_wait_for_the_bridge_and_no_longer_than_their_window() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    bench.ms = 5_000;
    bench.receive(&mut a, &audio(1, 9), A).unwrap();
    bench.ms += 20;
    bench.receive(&mut a, &audio(2, 9), A).unwrap();
    let passed = |leg: &mut Leg, now| -> Vec<u16> {
        let kept = leg.bridge(now).into_iter();
        kept.map(|kept| kept.accepted.unwrap().header.sequence).collect()
    };
    assert_eq!(passed(&mut a, bench.now()), [1, 2]);
    assert!(passed(&mut a, bench.now()).is_empty());
    let mut late = bench.leg(2, A);
    for n in 0..30 {
        bench.receive(&mut late, &audio(n, 9), A).unwrap();
        bench.ms += 20;
    }
    assert!(passed(&mut late, bench.now()).is_empty());
}

#[test]
fn a_capture_that_begins_a_moment_after_the_bridge_has_the_first_word() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    bench.receive(&mut a, &audio(1, 9), A).unwrap();
    a.bridge(bench.now());
    bench.ms += 20;
    bench.receive(&mut a, &audio(2, 9), A).unwrap();
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    a.tap(
        Tap::new(0, bench.epoch, Box::new(Notebook(Arc::clone(&kept)))),
        bench.now(),
    );
    bench.ms += 20;
    bench.receive(&mut a, &audio(3, 9), A).unwrap();
    a.stop_taps(bench.now());
    // The mark of its end carries the number 0.
    assert_eq!(*kept.lock().unwrap(), [(1, 0), (2, 20_000), (3, 40_000), (0, 40_000)]);
}

#[test]
fn a_capture_that_begins_in_a_pause_keeps_nothing_until_it_is_resumed() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    a.pause_taps(true, bench.now());
    bench.receive(&mut a, &audio(1, 9), A).unwrap();
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tap = Tap::new(0, bench.epoch, Box::new(Notebook(Arc::clone(&kept))));
    a.tap(tap, bench.now());
    bench.ms += 20;
    bench.receive(&mut a, &audio(2, 9), A).unwrap();
    a.pause_taps(false, bench.now());
    bench.ms += 20;
    bench.receive(&mut a, &audio(3, 9), A).unwrap();
    a.stop_taps(bench.now());
    let heard: Vec<u16> = kept.lock().unwrap().iter().map(|(sequence, _)| *sequence).collect();
    // Marks carry the number 0.
    assert_eq!(heard, [0, 0, 3, 0]);
}

#[test]
fn a_capture_lasts_until_it_is_stopped_though_nothing_comes_any_more() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tap = Tap::new(0, bench.epoch, Box::new(Notebook(Arc::clone(&kept))));
    a.tap(tap, bench.now());
    bench.receive(&mut a, &audio(1, 9), A).unwrap();
    bench.ms += 4_000;
    a.stop_taps(bench.now());
    assert_eq!(*kept.lock().unwrap(), [(1, 0), (0, 4_000_000)]);
}

/// Notes sequence numbers and arrivals.
struct Notebook(Arc<std::sync::Mutex<Vec<(u16, u64)>>>);

impl strowger_model::capture::Sink for Notebook {
    fn submit(
        &mut self,
        chunk: strowger_model::capture::Chunk,
    ) -> Result<strowger_model::capture::Chunk, (strowger_model::capture::Chunk, strowger_model::capture::Refusal)>
    {
        let mut notes = self.0.lock().unwrap();
        notes.extend(chunk.frames().map(|frame| (frame.sequence, frame.arrival_us)));
        Ok(chunk)
    }
}

#[test]
fn packets_before_connecting_are_kept_to_the_newest_ten() {
    let mut bench = Bench::new();
    let mut leg = Leg::new(LegSetup {
        leg: MediaLegId(1),
        seed: 1,
        opened: bench.epoch,
        silence_after: Duration::from_secs(1),
        inband_digits: false,
    });
    for n in 0..50 {
        assert!(bench.receive(&mut leg, &audio(n, 9), A).is_none());
    }
    let kept = leg.connect(negotiated(A), bench.now()).unwrap();
    assert_eq!(kept.fresh(bench.now()).count(), 10);
}

#[test]
fn two_legs_report_to_each_other_and_learn_the_round_trip() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, B), bench.leg(2, A));
    a.play(prompt(2_000));
    b.play(prompt(2_000));
    for _ in 0..800 {
        bench.ms += 20;
        bench.exchange(&mut a, &mut b, A);
        bench.exchange(&mut b, &mut a, B);
    }
    for leg in [&a, &b] {
        let quality = leg.quality();
        assert_eq!((quality.received, quality.sent, quality.lost), (800, 800, 0));
        let trip = quality.round_trip_ms.unwrap();
        assert!((59.0..61.0).contains(&trip), "{trip}");
        assert!(quality.mos.unwrap() > 4.2);
    }
}

#[test]
fn silence_is_no_fault_on_hold() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    let silent = |bench: &mut Bench, a: &mut Leg| {
        bench.ms += 31_000;
        let now = bench.now();
        a.housekeeping(now, &mut bench.events);
        bench
            .events
            .drain(..)
            .any(|event| matches!(event, MediaEvent::Silent { .. }))
    };
    a.hold(true, bench.now());
    assert!(!silent(&mut bench, &mut a));
    a.hold(false, bench.now());
    let mut held = negotiated(A);
    held.direction = Direction::RECV;
    a.connect(held, bench.now());
    assert!(!silent(&mut bench, &mut a));
    a.connect(negotiated(A), bench.now());
    assert!(silent(&mut bench, &mut a));
    assert!(!silent(&mut bench, &mut a), "told once");
}

#[test]
fn a_muted_leg_is_not_heard_and_a_held_one_neither_hears() {
    let mut bench = Bench::new();
    let (mut a, mut b) = (bench.leg(1, A), bench.leg(2, B));
    a.mute(true);
    assert!(!a.is_heard_by_others());
    a.mute(false);
    a.hold(true, bench.now());
    assert!(!a.is_heard_by_others());
    assert!(bench.through(&mut b, B, &mut a, &audio(1, 9)).is_none());
    a.play(prompt(1));
    assert!(bench.tick(&mut a).is_some(), "hold music reaches it");
}

#[test]
fn a_port_speaks_and_listens_in_frames_whatever_the_packet_time() {
    let mut bench = Bench::new();
    let mut a = bench.leg(1, A);
    let (ours, theirs) = AudioPort::pair();
    a.attach(theirs);
    for n in 0..2_u16 {
        // 30 ms packets.
        let packet = packet(
            0,
            n,
            u32::from(n) * 240,
            9,
            &[crate::g711::encode(crate::g711::Law::Mu, 4_000); 240],
        );
        bench.receive(&mut a, &packet, A).unwrap();
    }
    for _ in 0..3 {
        assert!(matches!(ours.pop(), crate::port::Popped::Frame(frame) if frame[159] > 3_800));
    }
    assert!(bench.tick(&mut a).is_none() && a.needs_clock());
    ours.push(&[4_000; FRAME_SAMPLES]);
    assert_eq!(bench.tick(&mut a).unwrap().1.len(), FRAME_SAMPLES);
    drop(ours);
    bench.tick(&mut a);
    assert!(!a.needs_clock());
}
