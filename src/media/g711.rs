//! G.711: µ-law and A-law to and from 16-bit linear, by the bit operations of ITU-T G.711.

/// Which of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// µ-law: PCMU.
    Mu,
    /// A-law: PCMA.
    A,
}

static ULAW: [i16; 256] = decoded(Law::Mu);
static ALAW: [i16; 256] = decoded(Law::A);
static ULAW_TO_ALAW: [u8; 256] = crossing(Law::Mu, Law::A);
static ALAW_TO_ULAW: [u8; 256] = crossing(Law::A, Law::Mu);

/// Decodes one byte.
#[must_use]
pub fn decode(law: Law, byte: u8) -> i16 {
    match law {
        Law::Mu => ULAW[usize::from(byte)],
        Law::A => ALAW[usize::from(byte)],
    }
}

/// Encodes one sample.
#[must_use]
pub const fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => linear_to_ulaw(sample),
        Law::A => linear_to_alaw(sample),
    }
}

/// The byte that decodes to silence.
#[must_use]
pub const fn silence(law: Law) -> u8 {
    match law {
        Law::Mu => 0xFF,
        Law::A => 0xD5,
    }
}

/// Rewrites a payload from one law to the other in place; does nothing between equal ones.
pub fn transcode(from: Law, to: Law, payload: &mut [u8]) {
    let table = match (from, to) {
        (Law::Mu, Law::A) => &ULAW_TO_ALAW,
        (Law::A, Law::Mu) => &ALAW_TO_ULAW,
        (Law::Mu, Law::Mu) | (Law::A, Law::A) => return,
    };
    for byte in payload {
        *byte = table[usize::from(*byte)];
    }
}

const fn decoded(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = to_linear(law, byte as u8);
        byte += 1;
    }
    table
}

const fn crossing(from: Law, to: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = encode(to, to_linear(from, byte as u8));
        byte += 1;
    }
    table
}

const fn to_linear(law: Law, byte: u8) -> i16 {
    match law {
        Law::Mu => ulaw_to_linear(byte),
        Law::A => alaw_to_linear(byte),
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

    const BOTH: [Law; 2] = [Law::Mu, Law::A];

    #[test]
    fn every_byte_survives_a_round_trip() {
        for law in BOTH {
            for byte in 0..=u8::MAX {
                let sample = decode(law, byte);
                let back = decode(law, encode(law, sample));
                assert_eq!(back, sample, "{law:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn known_values_of_the_standard() {
        // ITU-T G.711 tables 1a/2a scaled to 16 bits: the outermost and innermost decision values.
        assert_eq!(decode(Law::Mu, 0x80), 32_124);
        assert_eq!(decode(Law::Mu, 0x00), -32_124);
        assert_eq!(decode(Law::Mu, 0xFF), 0);
        assert_eq!(decode(Law::A, 0xAA), 32_256);
        assert_eq!(decode(Law::A, 0x2A), -32_256);
        assert_eq!(decode(Law::A, 0xD5), 8);
        assert_eq!(decode(Law::A, 0x55), -8);
    }

    #[test]
    fn the_error_stays_within_half_a_step() {
        for law in BOTH {
            for sample in i16::MIN..=i16::MAX {
                let back = i32::from(decode(law, encode(law, sample)));
                let error = (back - i32::from(sample)).abs();
                let allowed =
                    ((i32::from(sample).abs() + 140) / 32).max(16) + i32::from(sample.unsigned_abs() > 32_500) * 1_000;
                assert!(error <= allowed, "{law:?} {sample} came back as {back}");
            }
        }
    }

    #[test]
    fn crossing_the_laws_keeps_the_sound() {
        for byte in 0..=u8::MAX {
            let mut payload = [byte];
            transcode(Law::Mu, Law::A, &mut payload);
            let before = i32::from(decode(Law::Mu, byte));
            let after = i32::from(decode(Law::A, payload[0]));
            assert!(
                (before - after).abs() <= before.abs() / 16 + 16,
                "{byte:#x}: {before} became {after}"
            );
            transcode(Law::A, Law::A, &mut payload);
            assert_eq!(i32::from(decode(Law::A, payload[0])), after);
        }
    }

    #[test]
    fn silence_is_silent() {
        assert_eq!(decode(Law::Mu, silence(Law::Mu)), 0);
        assert!(decode(Law::A, silence(Law::A)).abs() <= 8);
    }
}
