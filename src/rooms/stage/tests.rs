//! The stage by ear: who hears which tones.

use super::testing::{Teller, power, power_of};
use super::*;
use std::collections::HashMap;
use std::f64::consts::TAU;

const LEVEL: f64 = 6_000.0;

/// Sequence number, timestamp, marker, level and payload.
type Said = (u16, u32, bool, u8, Vec<u8>);

struct Meeting {
    stage: Stage,
    tellers: Vec<(u64, Teller, u8)>,
    phones: Vec<(u64, f64)>,
    ticks: usize,
    heard: HashMap<u64, Vec<i16>>,
    said: HashMap<u64, Vec<Said>>,
}

impl Meeting {
    /// Browsers that tell tones at a level, and phones that tell tones; 0 Hz is silence.
    fn new(browsers: &[(f64, u8)], phones: &[f64]) -> Self {
        let mut stage = Stage::new();
        for n in 0..phones.len() {
            stage.add_phone(PhoneKey(n as u64), 100, 5_000);
        }
        let tellers = browsers.iter().enumerate();
        Self {
            stage,
            tellers: tellers
                .map(|(n, (hz, level))| (n as u64, Teller::new(*hz, LEVEL), *level))
                .collect(),
            phones: (0..).zip(phones.iter().copied()).collect(),
            ticks: 0,
            heard: HashMap::new(),
            said: HashMap::new(),
        }
    }

    fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for (key, teller, level) in &mut self.tellers {
                let (sequence, payload) = teller.next();
                let packet = TrackPacket {
                    sequence,
                    level: Some(*level),
                    payload,
                };
                self.stage.track_said(TrackKey(*key), packet);
            }
            for (key, hz) in &self.phones {
                let mut frame = [0; FRAME_SAMPLES];
                for (n, sample) in frame.iter_mut().enumerate() {
                    let at = (self.ticks * FRAME_SAMPLES + n) as f64;
                    *sample = ((TAU * hz * at / 8_000.0).sin() * LEVEL) as i16;
                }
                self.stage.phone_said(PhoneKey(*key), &frame);
            }
            let (heard, said) = (&mut self.heard, &mut self.said);
            self.stage.tick(
                true,
                |key, frame| heard.entry(key.0).or_default().extend(frame),
                |key, spoken| {
                    said.entry(key.0).or_default().push((
                        spoken.sequence,
                        spoken.timestamp,
                        spoken.marker,
                        spoken.level,
                        spoken.payload.to_vec(),
                    ));
                },
            );
            self.ticks += 1;
        }
    }

    /// Which of the pitches somebody heard in the last second.
    fn tones(&self, phone: u64, pitches: &[f64]) -> Vec<f64> {
        let heard = &self.heard[&phone];
        let last = &heard[heard.len() - 8_000..];
        let full = LEVEL * LEVEL / 2.0;
        let is_heard = |hz: &f64| power_of(last, *hz).0 > full / 4.0;
        pitches.iter().copied().filter(is_heard).collect()
    }
}

#[test]
fn everybody_hears_all_others_and_not_themselves() {
    let pitches = [440.0, 600.0, 1_000.0];
    let mut meeting = Meeting::new(&[(440.0, 20)], &[600.0, 1_000.0, 0.0]);
    meeting.run(100);
    assert_eq!(meeting.tones(0, &pitches), [440.0, 1_000.0]);
    assert_eq!(meeting.tones(1, &pitches), [440.0, 600.0]);
    assert_eq!(meeting.tones(2, &pitches), pitches);
    let own = power_of(&meeting.heard[&0][8_000..], 600.0).0;
    assert!(own < LEVEL * LEVEL / 20_000.0, "{own}");
}

#[test]
fn the_three_loudest_tracks_are_heard_and_a_louder_one_takes_a_place() {
    let pitches = [400.0, 500.0, 600.0, 700.0];
    let tracks = [(400.0, 20), (500.0, 30), (600.0, 40), (700.0, 45)];
    let mut meeting = Meeting::new(&tracks, &[0.0]);
    meeting.run(100);
    assert_eq!(meeting.tones(0, &pitches), [400.0, 500.0, 600.0]);
    meeting.tellers[3].2 = 25;
    meeting.run(120);
    assert_eq!(meeting.tones(0, &pitches), [400.0, 500.0, 700.0]);
}

#[test]
fn what_a_phone_says_becomes_one_opus_track() {
    let mut meeting = Meeting::new(&[], &[600.0, 0.0]);
    meeting.run(100);
    let said = &meeting.said[&0];
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).unwrap();
    let mut heard = Vec::new();
    for (n, (sequence, _, marker, _, payload)) in said.iter().enumerate() {
        assert_eq!(usize::from(*sequence), 100 + n);
        assert_eq!(*marker, n == 0 || said[n - 1].1 + 960 != said[n].1);
        let mut pcm = [0; 960];
        let count = decoder.decode(payload, &mut pcm, false).unwrap();
        heard.extend_from_slice(&pcm[..count]);
    }
    let (tone, rest) = power_of(&heard[8_000..], 600.0);
    assert!(tone > LEVEL * LEVEL / 4.0 && rest < tone / 10.0, "{tone} {rest}");
    // A sine of 6000 is 18 dB below overload.
    assert_eq!(said[50].3, 18);
}

#[test]
fn a_silent_phone_sends_next_to_nothing_and_its_clock_goes_on() {
    let mut meeting = Meeting::new(&[], &[0.0, 600.0]);
    meeting.run(100);
    let said = &meeting.said[&0];
    assert_eq!(said.len(), 5);
    for pair in said.windows(2) {
        assert_eq!(pair[1].1 - pair[0].1, 20 * 960);
        assert_eq!(pair[1].3, 127);
    }
}

#[test]
fn a_muted_phone_is_not_heard_and_still_hears() {
    let mut meeting = Meeting::new(&[(440.0, 20)], &[600.0, 1_000.0]);
    meeting.stage.mute_phone(PhoneKey(0), true);
    meeting.run(100);
    assert_eq!(meeting.tones(0, &[440.0, 1_000.0]), [440.0, 1_000.0]);
    assert_eq!(meeting.tones(1, &[440.0, 600.0]), [440.0]);
    assert!(!meeting.said.contains_key(&0));
}

#[test]
fn who_left_is_not_heard() {
    let mut meeting = Meeting::new(&[(440.0, 20)], &[600.0, 0.0]);
    meeting.run(50);
    meeting.stage.remove_phone(PhoneKey(0));
    meeting.stage.remove_track(TrackKey(0));
    meeting.tellers.clear();
    meeting.phones.remove(0);
    meeting.run(60);
    let heard = &meeting.heard[&1];
    assert!(power(&heard[heard.len() - 8_000..]) < 1.0);
}

#[test]
fn a_loud_meeting_is_turned_down_and_not_cut_off() {
    let phones: Vec<f64> = (0..12).map(|n| 300.0 + 100.0 * f64::from(n)).chain([0.0]).collect();
    let mut meeting = Meeting::new(&[], &phones);
    meeting.run(100);
    let heard = &meeting.heard[&12][8_000..];
    let cut = heard.iter().filter(|sample| sample.unsigned_abs() >= 32_767).count();
    assert!(cut * 1_000 < heard.len(), "{cut}");
    assert!(heard.iter().any(|sample| *sample > 25_000));
}

#[test]
fn nothing_is_encoded_where_nobody_listens() {
    let mut stage = Stage::new();
    stage.add_phone(PhoneKey(0), 0, 0);
    for _ in 0..50 {
        stage.phone_said(PhoneKey(0), &[9_000; FRAME_SAMPLES]);
        stage.tick(false, |_, _| {}, |_, _| panic!("nobody listens"));
    }
}
