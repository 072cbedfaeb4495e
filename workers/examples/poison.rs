//! What damaged audio does to a worker: mutates good files, decodes each as a job would, and says how many
//! ended in audio and how many in which reason, and how much memory the worst took.
//!
//! `cargo run -p strowger-worker --example poison -- [COUNT] [FILE…]`: files of any format; a WAV and an Opus of
//! our own when none are named.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement prints, and ends when it cannot go on"
)]

use std::collections::BTreeMap;
use std::time::Instant;
use strowger_worker::audio::decode::Layout;
use strowger_worker::audio::{Pcm, decode, opus_file, wav};

const BUDGET_MB: u64 = 512;

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % below.max(1)
    }
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let tone: Vec<i16> = (0..16_000)
        .map(|n: i32| ((f64::from(n) * 0.3).sin() * 9000.0) as i16)
        .collect();
    let pcm = Pcm {
        sample_rate_hz: 8000,
        channels: vec![tone.clone(), tone],
    };
    vec![
        ("own.wav".to_owned(), wav::encode(&pcm).expect("a WAV")),
        ("own.ogg".to_owned(), opus_file::encode(&pcm).expect("an Opus")),
    ]
}

/// Flips, cuts, repeats and inflates: half of the damage lies in the first bytes, where headers are.
fn mutated(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut file = seed.to_vec();
    for _ in 0..=numbers.next(24) {
        let near = if numbers.next(2) == 0 { 128 } else { file.len() };
        let at = numbers.next(near.min(file.len()));
        match numbers.next(6) {
            0 => file.truncate(at.max(8)),
            1 => {
                let part = file.get(at..(at + 64).min(file.len())).unwrap_or_default().to_vec();
                file.splice(at..at, part);
            }
            2 => {
                let end = (at + 4).min(file.len());
                file.get_mut(at..end).unwrap_or_default().fill(0xff);
            }
            _ => {
                let byte = numbers.next(256) as u8;
                if let Some(place) = file.get_mut(at) {
                    *place = byte;
                }
            }
        }
    }
    file
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    // What a foreign reader says when it panics is not of interest here; that it does is counted.
    std::panic::set_hook(Box::new(|_| {}));
    let mut given = std::env::args().skip(1);
    let count: usize = given.next().map_or(10_000, |count| count.parse().expect("a count"));
    let mut all: Vec<(String, Vec<u8>)> = given
        .map(|path| {
            let file = std::fs::read(&path).expect("a file");
            (path, file)
        })
        .collect();
    if all.is_empty() {
        all = seeds();
    }
    let mut numbers = Numbers(0x5eed_5eed_5eed);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let (began, mut slowest) = (Instant::now(), 0.0_f64);
    for n in 0..count {
        let Some((name, seed)) = all.get(n % all.len()) else {
            break;
        };
        let file = mutated(seed, &mut numbers);
        let each = Instant::now();
        let end = match decode(&file, name, 16_000, Layout::Kept) {
            Ok(_) => "audio".to_owned(),
            Err(reason) => reason.to_string(),
        };
        slowest = slowest.max(each.elapsed().as_secs_f64());
        *ends.entry(end).or_default() += 1;
    }
    println!(
        "{count} files of {} kinds in {:.0} s, the slowest {slowest:.2} s",
        all.len(),
        began.elapsed().as_secs_f64()
    );
    for (end, files) in &ends {
        println!("{files:6}  {end}");
    }
    println!("peak memory {} MB, budget {BUDGET_MB} MB", peak_mb());
}
