//! What comes back of speech-like sound at both widths, and bytes as others make them.

use super::*;

fn pitch(hertz: f64, rate_hz: f64, samples: usize) -> Vec<i16> {
    let step = std::f64::consts::TAU * hertz / rate_hz;
    (0..samples)
        .map(|n| ((n as f64 * step).sin() * 8_000.0) as i16)
        .collect()
}

fn coded(width: Width, samples: &[i16]) -> Vec<u8> {
    let mut out = vec![0; samples.len()];
    let length = Encoder::new(width).encode(samples, &mut out);
    out.truncate(length);
    out
}

fn decoded(width: Width, payload: &[u8]) -> Vec<i16> {
    let mut out = vec![0; payload.len() * 2];
    let length = Decoder::new(width).decode(payload, &mut out);
    out.truncate(length);
    out
}

#[test]
fn the_widths_have_their_lengths_and_a_half_pair_is_left() {
    assert_eq!(coded(Width::Wide, &[5; 321]).len(), 160);
    assert_eq!(coded(Width::Narrow, &[5; 160]).len(), 160);
    assert_eq!(decoded(Width::Wide, &[0; 160]).len(), 320);
    assert_eq!(decoded(Width::Narrow, &[0; 160]).len(), 160);
    let mut short = [0; 7];
    assert_eq!(Decoder::new(Width::Wide).decode(&[0; 160], &mut short), 6);
}

#[test]
fn silence_stays_silent() {
    for width in [Width::Wide, Width::Narrow] {
        let heard = decoded(width, &coded(width, &[0; 1_600]));
        assert!(heard.iter().all(|sample| sample.abs() < 8), "{width:?}");
    }
}

#[test]
fn one_width_understands_the_other() {
    // A wide pitch below 4 kHz heard narrow, and the other way round, as loud as it was.
    let loudness = |samples: &[i16]| {
        let settled = &samples[samples.len() / 2..];
        (settled.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / settled.len() as f64).sqrt()
    };
    let wide = pitch(1_000.0, 16_000.0, 8_000);
    let narrow = pitch(1_000.0, 8_000.0, 4_000);
    for heard in [
        decoded(Width::Narrow, &coded(Width::Wide, &wide)),
        decoded(Width::Wide, &coded(Width::Narrow, &narrow)),
    ] {
        let ratio = loudness(&heard) / loudness(&wide);
        assert!((0.95..1.05).contains(&ratio), "{ratio}");
    }
}

#[test]
fn what_lies_above_the_telephone_band_is_carried() {
    let heard = decoded(Width::Wide, &coded(Width::Wide, &pitch(6_000.0, 16_000.0, 8_000)));
    let loudest = heard[4_000..].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    assert!((5_000..12_000).contains(&loudest), "{loudest}");
}

/// The 64-bit FNV-1a of values.
fn digest(values: impl IntoIterator<Item = u16>) -> u64 {
    let step = |hash: u64, value| (hash ^ u64::from(value)).wrapping_mul(0x0100_0000_01B3);
    values.into_iter().fold(0xCBF2_9CE4_8422_2325, step)
}

#[test]
fn bytes_and_samples_are_those_of_other_coders() {
    // Noise on a chirp; what FFmpeg 5.1 makes of it and hears in its own bytes, which follows the recommendation bit
    // by bit as well.
    let mut seed = 1_u32;
    let samples = (0..640_i32).map(|n| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (((n * n / 3) % 4_096 - 2_048) * 4 + ((seed >> 20) & 0xFFF) as i32 - 2_048) as i16
    });
    let bytes = coded(Width::Wide, &samples.collect::<Vec<_>>());
    assert_eq!(
        bytes[..16],
        [
            0x30, 0x85, 0x20, 0x85, 0x22, 0x84, 0x04, 0x8C, 0x0F, 0x8F, 0x8F, 0x11, 0x93, 0x95, 0x14, 0x93
        ]
    );
    assert_eq!(digest(bytes.iter().map(|byte| u16::from(*byte))), 0x3507_E0F1_76F1_D377);
    let heard = decoded(Width::Wide, &bytes);
    assert_eq!(heard[10..18], [0, 55, -5, -145, 18, 288, -10, -524]);
    assert_eq!(digest(heard.iter().map(|sample| *sample as u16)), 0xC945_2C02_72F4_AD4F);
}
