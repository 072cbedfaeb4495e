//! What the audio stage of a room costs: the share of one core for 25 phones, three of which speak, with
//! three browsers that speak and 22 that do not. Run it with `cargo run --release -p strowger-rooms
//! --example stage_cost`.

#![expect(clippy::print_stdout, reason = "it prints its figure")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use strowger_media::FRAME_SAMPLES;
use strowger_rooms::stage::{PhoneKey, Stage, TrackKey, TrackPacket};

const PHONES: u64 = 25;
const BROWSERS: u64 = 25;
const TICKS: usize = 3_000;
const TICK: Duration = Duration::from_millis(20);

/// 20 ms of something like speech: three pitches that come and go.
fn talk<const N: usize>(tick: usize, rate: f64) -> [i16; N] {
    let mut samples = [0; N];
    for (n, sample) in samples.iter_mut().enumerate() {
        let at = (tick * N + n) as f64 / rate;
        let swell = (at * 3.0).sin().abs();
        let voice = (at * 700.0).sin() + (at * 2_900.0).sin() / 2.0 + (at * 9_100.0).sin() / 4.0;
        *sample = (voice * swell * 6_000.0) as i16;
    }
    samples
}

/// The time this thread had a core, which does not count what others of a busy machine took.
fn worked() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().ok_or("no time in schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

fn cost(speaking_phones: u64, speaking_browsers: u64) -> Result<f64, Box<dyn Error>> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)?;
    encoder.set_bitrate(opus::Bitrate::Bits(32_000))?;
    let packets: Vec<Arc<[u8]>> = (0..TICKS)
        .map(|tick| Ok(encoder.encode_vec(&talk::<960>(tick, 48_000.0), 400)?.into()))
        .collect::<Result<_, opus::Error>>()?;
    let mut stage = Stage::new();
    for phone in 0..PHONES {
        stage.add_phone(PhoneKey(phone), 0, 0);
    }
    let said: Vec<[i16; FRAME_SAMPLES]> = (0..TICKS).map(|tick| talk(tick, 8_000.0)).collect();
    let (mut heard, mut sent) = (0_u64, 0);
    let began = worked()?;
    for ((tick, payload), said) in (0_u64..).zip(&packets).zip(&said) {
        for browser in 0..BROWSERS {
            let is_loud = browser < speaking_browsers;
            let packet = TrackPacket {
                sequence: tick,
                level: Some(if is_loud { 20 } else { 110 }),
                payload: Arc::clone(payload),
            };
            stage.track_said(TrackKey(browser), packet);
        }
        for phone in 0..PHONES {
            let speaks = phone < speaking_phones;
            stage.phone_said(PhoneKey(phone), if speaks { said } else { &[0; FRAME_SAMPLES] });
        }
        stage.tick(true, |_, _| heard += 1, |_, spoken| sent += spoken.payload.len());
    }
    let spent = worked()?.saturating_sub(began);
    std::hint::black_box(sent);
    if heard != PHONES * TICKS as u64 {
        return Err("a phone missed a frame".into());
    }
    Ok(spent.as_secs_f64() / (TICK.as_secs_f64() * TICKS as f64))
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("one room, 25 phones and 25 browsers, share of one core:");
    for (phones, browsers) in [(0, 3), (1, 2), (3, 3), (PHONES, 3)] {
        let share = cost(phones, browsers)? * 100.0;
        println!("  {phones:2} phones and {browsers} browsers speak: {share:.2} %");
    }
    Ok(())
}
