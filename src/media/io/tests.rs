//! The threads against real sockets on loopback. Nothing sleeps: every wait is for a packet or an
//! event, with a deadline.

use super::*;
use crate::g711::{self, Law};
use crate::rtp::{self, Header};
use crate::{Codec, Direction, FRAME_SAMPLES, tone};
use std::net::UdpSocket;
use std::sync::Mutex;
use strowger_model::capture::{Chunk, Frame, Refusal};
use strowger_model::world::SeededWorld;

const DEADLINE: Duration = Duration::from_secs(5);

struct Media {
    handle: MediaHandle,
    events: mpsc::Receiver<MediaEvent>,
}

impl Media {
    fn start(threads: usize) -> Self {
        let config = MediaConfig {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: 0..=0,
            threads,
            legs_per_thread: 1,
            silence_after: Duration::from_millis(900),
            ..MediaConfig::default()
        };
        let world = SeededWorld::new(7, 0);
        let (handle, events) = MediaHandle::start(config, &world).unwrap();
        Self { handle, events }
    }

    fn event(&mut self) -> MediaEvent {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let next = async { tokio::time::timeout(DEADLINE, self.events.recv()).await };
        runtime.block_on(next).unwrap().unwrap()
    }

    /// The next event that is not `Heard`.
    fn news(&mut self) -> MediaEvent {
        loop {
            let event = self.event();
            if !matches!(event, MediaEvent::Heard { .. }) {
                return event;
            }
        }
    }

    fn phone(&self, call: u8, codec: Codec) -> Phone {
        let open = self.handle.open(call_id(call)).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Phone {
            leg: open.leg,
            local: open.local,
            socket,
            codec,
            event: Some(101),
            sequence: u16::MAX - 2,
            timestamp: u32::MAX - 300,
            ssrc: u32::from(call) + 1_000,
        }
    }

    fn connected(&self, call: u8, codec: Codec) -> Phone {
        let phone = self.phone(call, codec);
        self.handle.connect(phone.leg, phone.negotiated());
        phone
    }
}

fn call_id(n: u8) -> CallId {
    let world = SeededWorld::new(u64::from(n), 1);
    CallId::generate(&world)
}

struct Phone {
    leg: MediaLegId,
    local: SocketAddr,
    socket: UdpSocket,
    codec: Codec,
    event: Option<u8>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Phone {
    fn negotiated(&self) -> Negotiated {
        let remote = self.socket.local_addr().unwrap();
        Negotiated {
            remote,
            remote_rtcp: SocketAddr::new(remote.ip(), remote.port().wrapping_add(1)),
            codec: self.codec,
            payload_type: self.codec.payload_type(),
            dtmf_payload_type: self.event,
            dtmf_receive_type: self.event,
            dtmf_clock_khz: 8,
            opus: None,
            ptime_ms: 20,
            direction: Direction::BOTH,
        }
    }

    fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 12];
        packet.extend_from_slice(payload);
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: 12..packet.len(),
        };
        rtp::write(&mut packet, &header).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        packet
    }

    /// Says one packet of 20 ms whose every sample is the byte.
    fn say(&mut self, byte: u8) {
        let packet = self.packet(self.codec.payload_type(), &[byte; FRAME_SAMPLES]);
        self.socket.send_to(&packet, self.local).unwrap();
    }

    fn hear(&self) -> (Header, Vec<u8>) {
        let mut buffer = [0; 2_048];
        let (length, from) = self.socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, self.local);
        let header = rtp::parse(&buffer[..length]).unwrap();
        (header.clone(), buffer[header.payload].to_vec())
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Sink for Kept {
    fn submit(&mut self, mut chunk: Chunk) -> Result<Chunk, (Chunk, Refusal)> {
        self.0.lock().unwrap().extend_from_slice(chunk.bytes());
        chunk.clear();
        Ok(chunk)
    }
}

impl Kept {
    fn frames<T>(&self, read: impl Fn(&Frame<'_>) -> T) -> Vec<T> {
        let chunk = Chunk::from_bytes(self.0.lock().unwrap().clone());
        chunk.frames().map(|frame| read(&frame)).collect()
    }
}

#[test]
fn a_bridge_carries_both_ways_as_one_stream_a_leg() {
    let media = Media::start(2);
    let (mut a, mut b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    let mut before: Option<Header> = None;
    for n in 0..20 {
        a.say(n);
        b.say(n + 100);
        let (header, payload) = b.hear();
        assert_eq!(payload, [n; FRAME_SAMPLES]);
        assert_eq!(a.hear().1, [n + 100; FRAME_SAMPLES]);
        assert_ne!(header.ssrc, a.ssrc);
        assert_eq!(header.marker, n == 0);
        if let Some(before) = before {
            assert_eq!(header.sequence, before.sequence.wrapping_add(1));
            assert_eq!(header.timestamp, before.timestamp.wrapping_add(160));
            assert_eq!(header.ssrc, before.ssrc);
        }
        before = Some(header);
    }
}

#[test]
fn a_leg_at_a_port_is_bridged_and_captured_like_one_at_a_socket() {
    let media = Media::start(2);
    let mut phone = media.connected(1, Codec::Pcmu);
    let browser = media.handle.open_ported(call_id(1)).unwrap();
    let negotiated = Negotiated {
        remote: browser.local,
        remote_rtcp: browser.local,
        dtmf_payload_type: None,
        dtmf_receive_type: None,
        ..phone.negotiated()
    };
    media.handle.connect(browser.leg, negotiated);
    let (ours, theirs) = AudioPort::pair();
    media.handle.face(browser.leg, ours);
    media.handle.bridge(phone.leg, browser.leg);
    let kept = Kept::default();
    let began = Instant::now();
    media.handle.capture(browser.leg, 1, began, Box::new(kept.clone()));
    // What the browser says reaches the phone as one stream.
    for n in 0..5_u16 {
        assert!(theirs.push(&[8_000; FRAME_SAMPLES]));
        let (header, payload) = phone.hear();
        assert_eq!(header.marker, n == 0);
        assert_eq!(payload, [g711::encode(Law::Mu, 8_000); FRAME_SAMPLES]);
    }
    // What the phone says comes out of the port.
    let said = g711::encode(Law::Mu, -4_000);
    let until = Instant::now() + DEADLINE;
    let heard = loop {
        assert!(Instant::now() < until, "the port stays silent");
        phone.say(said);
        if let crate::port::Popped::Frame(frame) = theirs.pop() {
            break frame;
        }
    };
    assert_eq!(heard, [g711::decode(Law::Mu, said); FRAME_SAMPLES]);
    media.handle.close(browser.leg);
    let mut media = media;
    let MediaEvent::Closed { leg, quality } = media.news() else {
        panic!("the leg is not closed");
    };
    assert_eq!((leg, quality.lost), (browser.leg, 0));
    let frames = kept.frames(|frame| (frame.stream, frame.payload.len()));
    let end = (1, 1);
    assert_eq!(frames, [[(1, FRAME_SAMPLES); 5].as_slice(), &[end]].concat());
}

#[test]
fn the_first_word_is_heard_even_when_it_comes_before_the_answer() {
    let media = Media::start(1);
    let caller = media.connected(1, Codec::Pcmu);
    let mut callee = media.phone(1, Codec::Pcmu);
    media.handle.play(caller.leg, PlayId(1), tone::ringback(), true);
    caller.hear();
    for n in 1..=3 {
        callee.say(n);
    }
    // Another leg's echo on the same thread shows that the packets above have been taken in.
    let mut probe = media.connected(1, Codec::Pcmu);
    let echo = media.connected(1, Codec::Pcmu);
    media.handle.bridge(probe.leg, echo.leg);
    probe.say(9);
    echo.hear();
    media.handle.connect(callee.leg, callee.negotiated());
    media.handle.bridge(caller.leg, callee.leg);
    callee.say(4);
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let (header, payload) = caller.hear();
        if (1..=4).contains(&payload[0]) && payload.iter().all(|byte| *byte == payload[0]) {
            heard.push((payload[0], header.sequence));
        }
    }
    let first = heard[0].1;
    assert_eq!(heard.iter().map(|heard| heard.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(heard[3].1, first.wrapping_add(3));
}

#[test]
fn long_packets_reach_the_far_end_in_pieces_it_expects() {
    let media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    let mut heard = Vec::new();
    for n in 0..3_u8 {
        let payload: Vec<u8> = [n * 3 + 1, n * 3 + 2, n * 3 + 3]
            .iter()
            .flat_map(|byte| [*byte; FRAME_SAMPLES])
            .collect();
        let packet = a.packet(0, &payload);
        a.timestamp = a.timestamp.wrapping_add(320);
        a.socket.send_to(&packet, a.local).unwrap();
        heard.extend((0..3).map(|_| b.hear()));
    }
    for (n, (header, payload)) in heard.iter().enumerate() {
        assert_eq!(*payload, [n as u8 + 1; FRAME_SAMPLES]);
        assert_eq!(header.sequence, heard[0].0.sequence.wrapping_add(n as u16));
        assert_eq!(header.timestamp, heard[0].0.timestamp.wrapping_add(n as u32 * 160));
        assert_eq!(header.marker, n == 0);
    }
}

#[test]
fn legs_of_different_laws_understand_each_other() {
    let media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcma));
    media.handle.bridge(a.leg, b.leg);
    a.say(g711::encode(Law::Mu, 8_000));
    let (header, payload) = b.hear();
    assert_eq!(header.payload_type, 8);
    assert!((i32::from(g711::decode(Law::A, payload[0])) - 8_000).abs() < 300);
}

#[test]
fn legs_of_two_calls_on_two_threads_can_be_bridged() {
    let media = Media::start(2);
    let mut a = media.connected(1, Codec::Pcmu);
    let b = media.connected(2, Codec::Pcmu);
    assert_ne!(thread::index_of_leg(a.leg), thread::index_of_leg(b.leg));
    media.handle.bridge(a.leg, b.leg);
    loop {
        a.say(g711::encode(Law::Mu, 5_000));
        let (_, payload) = b.hear();
        if (i32::from(g711::decode(Law::Mu, payload[0])) - 5_000).abs() < 300 {
            break;
        }
    }
}

#[test]
fn a_prompt_is_played_at_its_pace_and_told_done() {
    let mut media = Media::start(1);
    let phone = media.connected(1, Codec::Pcma);
    let began = Instant::now();
    media
        .handle
        .play(phone.leg, PlayId(7), vec![4_000; FRAME_SAMPLES * 10 + 80].into(), false);
    let packets: Vec<_> = (0..11).map(|_| phone.hear()).collect();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(190), "{took:?}");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
        assert_eq!(pair[1].0.timestamp, pair[0].0.timestamp.wrapping_add(160));
    }
    assert!((i32::from(g711::decode(Law::A, packets[0].1[0])) - 4_000).abs() < 200);
    assert_eq!(packets[10].1[80..], [g711::silence(Law::A); 80]);
    let (leg, play) = (phone.leg, PlayId(7));
    assert_eq!(media.news(), MediaEvent::PlayDone { leg, play });
}

#[test]
fn plays_follow_each_other_and_a_stop_is_silent() {
    let mut media = Media::start(1);
    let phone = media.connected(1, Codec::Pcmu);
    let leg = phone.leg;
    media.handle.play(leg, PlayId(1), tone::hold_music(), true);
    media.handle.play(leg, PlayId(2), tone::silence(40), false);
    media.handle.play(leg, PlayId(3), tone::silence(40), false);
    assert_eq!(media.news(), MediaEvent::PlayDone { leg, play: PlayId(2) });
    assert_eq!(media.news(), MediaEvent::PlayDone { leg, play: PlayId(3) });
    media.handle.play(leg, PlayId(4), tone::hold_music(), false);
    media.handle.stop(leg);
    media.handle.play(leg, PlayId(5), tone::silence(20), false);
    assert_eq!(media.news(), MediaEvent::PlayDone { leg, play: PlayId(5) });
}

#[test]
fn digits_are_told_once_and_sent_as_events_through_a_bridge() {
    let mut media = Media::start(1);
    let mut a = media.connected(1, Codec::Pcmu);
    let mut b = media.phone(1, Codec::Pcmu);
    b.event = Some(96);
    media.handle.connect(b.leg, b.negotiated());
    media.handle.bridge(a.leg, b.leg);
    for (n, end) in [(1, 0), (2, 0), (3, 0x80), (3, 0x80), (3, 0x80)] {
        let before = a.timestamp;
        let packet = a.packet(101, &[5, end | 10, 0, n * 80]);
        a.timestamp = before;
        a.socket.send_to(&packet, a.local).unwrap();
        let (header, payload) = b.hear();
        assert_eq!((header.payload_type, payload.len()), (96, 4));
    }
    assert_eq!(media.news(), MediaEvent::Digit { leg: a.leg, digit: '5' });
    media.handle.send_digits(b.leg, "#");
    let packets: Vec<_> = (0..8).map(|_| b.hear()).collect();
    assert!(
        packets
            .iter()
            .all(|packet| packet.0.payload_type == 96 && packet.1[0] == 11)
    );
    a.say(1);
    media.handle.close(a.leg);
    assert!(matches!(media.news(), MediaEvent::Closed { .. }), "no second digit");
}

#[test]
fn a_key_pressed_as_event_is_heard_as_tone_where_events_are_not_taken() {
    let media = Media::start(1);
    let mut a = media.connected(1, Codec::Pcmu);
    let mut b = media.phone(1, Codec::Pcma);
    b.event = None;
    media.handle.connect(b.leg, b.negotiated());
    media.handle.bridge(a.leg, b.leg);
    let packet = a.packet(101, &[9, 10, 0, 160]);
    a.socket.send_to(&packet, a.local).unwrap();
    let mut detector = crate::inband::Detector::default();
    let mut keys = String::new();
    while keys.is_empty() {
        let (_, payload) = b.hear();
        detector.hear(payload.iter().map(|byte| g711::decode(Law::A, *byte)), |key| {
            keys.push(key)
        });
    }
    assert_eq!(keys, "9");
}

#[test]
fn keys_are_tones_where_no_events_were_negotiated() {
    let mut media = Media::start(1);
    let mut a = media.phone(1, Codec::Pcmu);
    a.event = None;
    media.handle.connect(a.leg, a.negotiated());
    let tones: Vec<u8> = [tone::key('8', 100).unwrap(), tone::silence(60)]
        .iter()
        .flat_map(|part| {
            part.iter()
                .map(|sample| g711::encode(Law::Mu, *sample))
                .collect::<Vec<_>>()
        })
        .collect();
    for part in tones.chunks(FRAME_SAMPLES) {
        let packet = a.packet(0, part);
        a.socket.send_to(&packet, a.local).unwrap();
    }
    assert_eq!(media.news(), MediaEvent::Digit { leg: a.leg, digit: '8' });
    media.handle.send_digits(a.leg, "9");
    let mut detector = crate::inband::Detector::default();
    let mut keys = String::new();
    while keys.is_empty() {
        let (_, payload) = a.hear();
        detector.hear(payload.iter().map(|byte| g711::decode(Law::Mu, *byte)), |key| {
            keys.push(key)
        });
    }
    assert_eq!(keys, "9");
}

#[test]
fn a_capture_holds_what_was_said_but_nothing_of_a_pause() {
    let mut media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    let kept = Kept::default();
    media.handle.capture(a.leg, 3, Instant::now(), Box::new(kept.clone()));
    let say = |a: &mut Phone, byte| {
        a.say(byte);
        b.hear();
    };
    (1..=3).for_each(|byte| say(&mut a, byte));
    media.handle.capture_pause(a.leg, true);
    (50..=52).for_each(|byte| say(&mut a, byte));
    media.handle.capture_pause(a.leg, false);
    (4..=6).for_each(|byte| say(&mut a, byte));
    media.handle.close(a.leg);
    let MediaEvent::Closed { leg, quality } = media.news() else {
        panic!("closed");
    };
    assert_eq!((leg, quality.received, quality.lost), (a.leg, 9, 0));
    let frames = kept.frames(|frame| (frame.stream, frame.codec, frame.payload[0]));
    use strowger_model::capture::{Codec::*, Mark};
    let (pause, resume) = (Mark::Paused.byte(), Mark::Resumed.byte());
    let expected = [
        (Pcmu, 1),
        (Pcmu, 2),
        (Pcmu, 3),
        (Mark, pause),
        (Mark, resume),
        (Pcmu, 4),
        (Pcmu, 5),
        (Pcmu, 6),
        // Where it ends.
        (Mark, pause),
    ];
    assert_eq!(frames, expected.map(|(codec, byte)| (3, codec, byte)));
    let arrivals = kept.frames(|frame| frame.arrival_us);
    assert!(arrivals.is_sorted() && arrivals[8] < 5_000_000);
}

/// Keeps the thread until it is let go.
struct Held {
    kept: Kept,
    inside: std::sync::mpsc::Sender<()>,
    gate: std::sync::mpsc::Receiver<()>,
}

impl Sink for Held {
    fn submit(&mut self, chunk: Chunk) -> Result<Chunk, (Chunk, Refusal)> {
        let _ = self.inside.send(());
        // Open for good once its other end is gone.
        let _ = self.gate.recv();
        self.kept.submit(chunk)
    }
}

#[test]
fn nothing_is_captured_as_if_it_had_come_before_it_was_sent() {
    let mut media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    let (kept, began) = (Kept::default(), Instant::now());
    let (inside, stands) = std::sync::mpsc::channel();
    let (go, gate) = std::sync::mpsc::channel();
    let held = Held {
        kept: kept.clone(),
        inside,
        gate,
    };
    media.handle.capture(a.leg, 3, began, Box::new(held));
    // More than a chunk takes.
    for _ in 0..8 {
        let packet = a.packet(0, &[1; 1_000]);
        a.socket.send_to(&packet, a.local).unwrap();
    }
    stands.recv_timeout(DEADLINE).unwrap();
    let sent_us = began.elapsed().as_micros() as u64;
    a.say(2);
    drop(go);
    while b.hear().1[0] != 2 {}
    media.handle.close(a.leg);
    while !matches!(media.news(), MediaEvent::Closed { .. }) {}
    let frames = kept.frames(|frame| (frame.payload[0], frame.arrival_us));
    let (_, arrival_us) = frames.iter().find(|(said, _)| *said == 2).unwrap();
    assert!(*arrival_us >= sent_us, "{arrival_us} µs, sent at {sent_us} µs");
}

#[test]
fn strangers_are_not_heard_and_a_moved_far_end_is_followed_after_reconnect() {
    let media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    a.say(1);
    assert_eq!(b.hear().1[0], 1);
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    let packet = a.packet(0, &[66; FRAME_SAMPLES]);
    stranger.send_to(&packet, a.local).unwrap();
    a.say(2);
    assert_eq!(b.hear().1[0], 2);
    // After a new description the first packet decides again.
    let mut negotiated = a.negotiated();
    negotiated.remote = SocketAddr::new(negotiated.remote.ip(), 9);
    media.handle.connect(a.leg, negotiated);
    let packet = a.packet(0, &[77; FRAME_SAMPLES]);
    loop {
        stranger.send_to(&packet, a.local).unwrap();
        if b.hear().1[0] == 77 {
            break;
        }
    }
}

#[test]
fn nothing_is_sent_to_a_far_end_on_hold_or_nowhere() {
    let media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    a.say(1);
    assert_eq!(b.hear().1[0], 1);
    let mut nowhere = b.negotiated();
    nowhere.remote = "0.0.0.0:0".parse().unwrap();
    nowhere.direction = Direction::RECV;
    media.handle.connect(b.leg, nowhere);
    a.say(2);
    // A third leg shows when the packet above has been dealt with.
    let (mut c, d) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(c.leg, d.leg);
    c.say(9);
    d.hear();
    media.handle.connect(b.leg, b.negotiated());
    a.say(3);
    let (_, payload) = b.hear();
    assert_eq!(payload[0], 3);
}

#[test]
fn silence_is_told_once_and_hearing_again_too() {
    let mut media = Media::start(1);
    let mut phone = media.connected(1, Codec::Pcmu);
    let leg = phone.leg;
    phone.say(1);
    assert_eq!(media.event(), MediaEvent::Heard { leg });
    assert_eq!(media.event(), MediaEvent::Silent { leg });
    phone.say(1);
    assert_eq!(media.event(), MediaEvent::Heard { leg });
}

#[test]
fn a_closed_leg_leaves_nothing_and_its_bridge_goes_on_alone() {
    let mut media = Media::start(1);
    let (mut a, b) = (media.connected(1, Codec::Pcmu), media.connected(1, Codec::Pcmu));
    media.handle.bridge(a.leg, b.leg);
    a.say(1);
    b.hear();
    let port = a.local;
    media.handle.close(a.leg);
    assert!(matches!(media.news(), MediaEvent::Closed { leg, .. } if leg == a.leg));
    let _free_again = UdpSocket::bind(port).unwrap();
    media.handle.close(a.leg);
    media.handle.play(b.leg, PlayId(1), tone::silence(20), false);
    assert_eq!(
        media.news(),
        MediaEvent::PlayDone {
            leg: b.leg,
            play: PlayId(1)
        }
    );
}

#[test]
fn the_last_handle_ends_the_threads_and_closes_what_is_open() {
    let mut media = Media::start(2);
    let legs = [media.connected(1, Codec::Pcmu).leg, media.connected(2, Codec::Pcmu).leg];
    let mut events = std::mem::replace(&mut media.events, mpsc::channel(1).1);
    drop(media);
    let mut closed = Vec::new();
    while let Ok(MediaEvent::Closed { leg, .. }) = events.try_recv() {
        closed.push(leg);
    }
    closed.sort();
    assert_eq!(closed, legs);
}
