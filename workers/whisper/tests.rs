//! The real model on real speech, and on what is none.

use super::models::ModelStore;
use super::{Course, Options, Recogniser, Session};
use crate::audio::decode::{Layout, decode};
use std::path::PathBuf;
use std::process::Command;

const SOUNDS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const TEXTS: &str = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";

#[expect(
    clippy::disallowed_methods,
    reason = "where the set-up put the model is the test's environment"
)]
fn session() -> Session {
    let folder = std::env::var("STROWGER_TEST_MODELS").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../var/models")),
        PathBuf::from,
    );
    let recogniser = Recogniser::load(&ModelStore::new(folder), "tiny.en")
        .expect("tests need tiny.en: run packaging/fetch-models, or let STROWGER_TEST_MODELS name its folder");
    recogniser.session().unwrap()
}

fn heard(session: &mut Session, samples: Vec<i16>) -> super::Heard {
    session
        .transcribe(
            &[samples],
            &["speaker".to_owned()],
            &Options::default(),
            &Course::default(),
        )
        .unwrap()
}

fn prompt(name: &str) -> (Vec<i16>, String) {
    let path = PathBuf::from(SOUNDS).join(format!("{name}.wav"));
    let file = std::fs::read(path).expect("tests need speech: apt install asterisk-core-sounds-en-wav");
    assert!(
        PathBuf::from(TEXTS).exists(),
        "tests need its words: apt install asterisk-core-sounds-en"
    );
    let texts = Command::new("gzip").args(["-dc", TEXTS]).output().unwrap().stdout;
    let texts = String::from_utf8_lossy(&texts);
    let text = texts
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap();
    (
        decode(&file, "x.wav", 16_000, Layout::Mono).unwrap().channels.remove(0),
        text.to_owned(),
    )
}

fn words(text: &str) -> Vec<String> {
    let plain = |word: &str| {
        word.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
            .to_lowercase()
    };
    text.split_whitespace()
        .map(plain)
        .filter(|word| !word.is_empty())
        .collect()
}

/// Substitutions, insertions and deletions.
fn errors(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (line, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in heard.iter().enumerate() {
            let best = (diagonal + usize::from(word != other))
                .min(row[column] + 1)
                .min(row[column + 1] + 1);
            diagonal = std::mem::replace(&mut row[column + 1], best);
        }
    }
    row[heard.len()]
}

#[test]
fn speech_is_understood_with_at_most_one_word_in_ten_wrong_and_its_words_have_times_in_order() {
    let mut session = session();
    let (mut wrong, mut total) = (0, 0);
    for name in ["demo-congrats", "basic-pbx-ivr-main", "vm-options"] {
        let (samples, text) = prompt(name);
        let length_ms = samples.len() as i64 / 16;
        let heard = heard(&mut session, samples);
        let said = words(&text);
        wrong += errors(&said, &words(&heard.text()));
        total += said.len();
        let times: Vec<i64> = heard
            .segments
            .iter()
            .flat_map(|segment| &segment.words)
            .flat_map(|word| [word.start_ms, word.end_ms])
            .collect();
        assert!(times.is_sorted(), "{name}: {times:?}");
        assert!(times.iter().all(|at| (0..=length_ms).contains(at)), "{name}");
    }
    assert!(wrong * 10 <= total, "{wrong} of {total} words wrong");
}

#[test]
fn silence_noise_ringing_and_keys_give_no_text() {
    let mut session = session();
    let tones = |parts: &[f32]| -> Vec<i16> {
        (0..16_000 * 6)
            .map(|n| {
                let t = n as f32 / 16_000.0;
                let on = (t % 2.0) < 1.0;
                let sum: f32 = parts
                    .iter()
                    .map(|hz| (t * hz * std::f32::consts::TAU).sin() * 6000.0)
                    .sum();
                if on { sum as i16 } else { 0 }
            })
            .collect()
    };
    let mut seed = 1_u32;
    let noise: Vec<i16> = (0..16_000 * 6)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 16) as i16) / 16
        })
        .collect();
    for (what, samples) in [
        ("silence", vec![0; 16_000 * 12]),
        ("noise", noise),
        ("ringing", tones(&[440.0, 480.0])),
        ("a key", tones(&[770.0, 1336.0])),
    ] {
        assert_eq!(heard(&mut session, samples).text(), "", "{what}");
    }
}

#[test]
fn a_voice_that_comes_back_by_the_other_partys_loudspeaker_is_not_theirs() {
    let mut session = session();
    let ((far, said), (near, answered)) = (prompt("demo-congrats"), prompt("vm-options"));
    // 26 dB below, by some ways of a room, 130 ms later; the answer begins in the middle of it.
    let ways = [(130, 0.05), (135, 0.02), (143, -0.015), (161, 0.0075)];
    let begins = far.len() / 2;
    let back: Vec<i16> = (0..far.len().max(begins + near.len()))
        .map(|n| {
            let way = |(ms, share): &(usize, f32)| {
                let at = n.checked_sub(ms * 16);
                at.and_then(|at| far.get(at))
                    .map_or(0.0, |sample| f32::from(*sample) * share)
            };
            let own = n.checked_sub(begins).and_then(|at| near.get(at)).copied().unwrap_or(0);
            (ways.iter().map(way).sum::<f32>() + f32::from(own)) as i16
        })
        .collect();
    let (options, course) = (Options::default(), Course::default());
    let heard = session.transcribe(&[far, back], &[], &options, &course).unwrap();
    for (channel, text) in [(0, said), (1, answered)] {
        let own = heard.segments.iter().filter(|segment| segment.channel == channel);
        let own: Vec<String> = own.flat_map(|segment| words(&segment.text)).collect();
        let said = words(&text);
        assert!(
            errors(&said, &own) * 10 <= said.len(),
            "channel {channel}: {}",
            own.join(" ")
        );
    }
    let first = heard.segments.iter().find(|segment| segment.channel == 1).unwrap();
    assert!(first.start_ms >= begins as i64 / 16 - 200, "{first:?}");
}

#[test]
fn who_speaks_quietly_beside_a_loud_one_is_no_echo() {
    let names = [
        "demo-congrats",
        "vm-options",
        "basic-pbx-ivr-main",
        "demo-abouttotry",
        "demo-instruct",
        "vm-intro",
    ];
    let voices: Vec<Vec<i16>> = names.iter().map(|name| prompt(name).0).collect();
    for (one, near) in names.iter().zip(&voices) {
        for (other, far) in names.iter().zip(&voices).filter(|(other, _)| *other != one) {
            for share in [5, 20, 60] {
                let quiet: Vec<i16> = near.iter().map(|sample| sample / share).collect();
                let found = super::echo::echoes(&quiet, &[far]);
                let echo = found.iter().filter(|hop| **hop).count();
                assert_eq!(echo, 0, "{one} beside {other}, a {share}th as loud");
            }
        }
    }
}

#[test]
fn a_set_flag_ends_the_run() {
    let mut session = session();
    let (samples, _) = prompt("demo-congrats");
    let course = Course::default();
    course.end();
    let ended = session.transcribe(&[samples], &[], &Options::default(), &course);
    assert!(matches!(ended, Err(super::Error::Cancelled)));
}

#[test]
fn a_run_ends_at_a_hundred_percent_of_its_audio() {
    let mut session = session();
    let (samples, _) = prompt("vm-options");
    let course = Course::default();
    course.expect(samples.len() + 16_000);
    let channels = [samples, vec![0; 16_000]];
    session
        .transcribe(&channels, &[], &Options::default(), &course)
        .unwrap();
    assert_eq!(course.percent(), 100);
}
