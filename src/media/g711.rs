//! G.711: µ-law and A-law to and from 16-bit linear, by the bit operations of ITU-T G.711.

use crate::sdp::Codec;

static ULAW: [i16; 256] = decoded(Codec::Pcmu);
static ALAW: [i16; 256] = decoded(Codec::Pcma);
static ULAW_TO_ALAW: [u8; 256] = crossing(Codec::Pcmu, Codec::Pcma);
static ALAW_TO_ULAW: [u8; 256] = crossing(Codec::Pcma, Codec::Pcmu);

/// Decodes one byte.
#[must_use]
pub fn decode(codec: Codec, byte: u8) -> i16 {
    match codec {
        Codec::Pcmu => ULAW[usize::from(byte)],
        Codec::Pcma => ALAW[usize::from(byte)],
    }
}

/// Encodes one sample.
#[must_use]
pub const fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => linear_to_ulaw(sample),
        Codec::Pcma => linear_to_alaw(sample),
    }
}

/// The byte that decodes to silence.
#[must_use]
pub const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0xFF,
        Codec::Pcma => 0xD5,
    }
}

/// Rewrites a payload from one law to the other in place; does nothing between equal ones.
pub fn transcode(from: Codec, to: Codec, payload: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => &ULAW_TO_ALAW,
        (Codec::Pcma, Codec::Pcmu) => &ALAW_TO_ULAW,
        (Codec::Pcmu, Codec::Pcmu) | (Codec::Pcma, Codec::Pcma) => return,
    };
    for byte in payload {
        *byte = table[usize::from(*byte)];
    }
}

const fn decoded(codec: Codec) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = to_linear(codec, byte as u8);
        byte += 1;
    }
    table
}

const fn crossing(from: Codec, to: Codec) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = encode(to, to_linear(from, byte as u8));
        byte += 1;
    }
    table
}

const fn to_linear(codec: Codec, byte: u8) -> i16 {
    match codec {
        Codec::Pcmu => ulaw_to_linear(byte),
        Codec::Pcma => alaw_to_linear(byte),
    }
}

/// The bias that makes µ-law's segments start at powers of two, on the 16-bit scale.
const ULAW_BIAS: i32 = 0x84;
const ULAW_CLIP: i32 = 32_635;

const fn ulaw_to_linear(byte: u8) -> i16 {
    let byte = !byte;
    let segment = (byte >> 4) & 7;
    let step = (byte & 0x0F) as i32;
    let magnitude = (((step << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
    (if byte & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

const fn linear_to_ulaw(sample: i16) -> u8 {
    let wide = sample as i32;
    let sign = if wide < 0 { 0x80 } else { 0 };
    let magnitude = wide.abs();
    let biased = if magnitude > ULAW_CLIP { ULAW_CLIP } else { magnitude } + ULAW_BIAS;
    // The bias guarantees a set bit at 7 or above.
    let segment = (24 - biased.leading_zeros()) as u8;
    let step = ((biased >> (segment + 3)) & 0x0F) as u8;
    !(sign | (segment << 4) | step)
}

const fn alaw_to_linear(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let segment = (byte >> 4) & 7;
    let step = ((byte & 0x0F) as i32) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    (if byte & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

const fn linear_to_alaw(sample: i16) -> u8 {
    let wide = (sample as i32) >> 3;
    let (sign, magnitude) = if wide >= 0 { (0x80, wide) } else { (0, -wide - 1) };
    // 13-bit magnitude: segment 0 and 1 are linear, each further one doubles.
    let segment = (32 - (magnitude >> 5).leading_zeros()) as u8;
    let step = match segment {
        0 => (magnitude >> 1) as u8 & 0x0F,
        _ => (magnitude >> segment) as u8 & 0x0F,
    };
    (sign | (segment << 4) | step) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    #[test]
    fn every_byte_survives_a_round_trip() {
        for codec in BOTH {
            for byte in 0..=u8::MAX {
                let sample = decode(codec, byte);
                let back = decode(codec, encode(codec, sample));
                assert_eq!(back, sample, "{codec:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn known_values_of_the_standard() {
        // ITU-T G.711 tables 1a/2a scaled to 16 bits: the outermost and innermost decision values.
        assert_eq!(decode(Codec::Pcmu, 0x80), 32_124);
        assert_eq!(decode(Codec::Pcmu, 0x00), -32_124);
        assert_eq!(decode(Codec::Pcmu, 0xFF), 0);
        assert_eq!(decode(Codec::Pcma, 0xAA), 32_256);
        assert_eq!(decode(Codec::Pcma, 0x2A), -32_256);
        assert_eq!(decode(Codec::Pcma, 0xD5), 8);
        assert_eq!(decode(Codec::Pcma, 0x55), -8);
    }

    #[test]
    fn the_error_stays_within_half_a_step() {
        for codec in BOTH {
            for sample in i16::MIN..=i16::MAX {
                let back = i32::from(decode(codec, encode(codec, sample)));
                let error = (back - i32::from(sample)).abs();
                let allowed =
                    ((i32::from(sample).abs() + 140) / 32).max(16) + i32::from(sample.unsigned_abs() > 32_500) * 1_000;
                assert!(error <= allowed, "{codec:?} {sample} came back as {back}");
            }
        }
    }

    #[test]
    fn crossing_the_laws_keeps_the_sound() {
        for byte in 0..=u8::MAX {
            let mut payload = [byte];
            transcode(Codec::Pcmu, Codec::Pcma, &mut payload);
            let before = i32::from(decode(Codec::Pcmu, byte));
            let after = i32::from(decode(Codec::Pcma, payload[0]));
            assert!(
                (before - after).abs() <= before.abs() / 16 + 16,
                "{byte:#x}: {before} became {after}"
            );
            transcode(Codec::Pcma, Codec::Pcma, &mut payload);
            assert_eq!(i32::from(decode(Codec::Pcma, payload[0])), after);
        }
    }

    #[test]
    fn silence_is_silent() {
        assert_eq!(decode(Codec::Pcmu, silence(Codec::Pcmu)), 0);
        assert!(decode(Codec::Pcma, silence(Codec::Pcma)).abs() <= 8);
    }
}
