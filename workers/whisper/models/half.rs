//! 16-bit floating point (IEEE 754 binary16), as weights are stored.

/// The value of a half as `f32`; exact.
pub(super) fn to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from((half >> 10) & 0x1f);
    let fraction = u32::from(half & 0x03ff);
    let bits = match (exponent, fraction) {
        (0, 0) => sign,
        (0, _) => {
            // Subnormal: its value is fraction × 2⁻²⁴.
            let value = fraction as f32 / 16_777_216.0;
            return if sign == 0 { value } else { -value };
        }
        (31, _) => sign | 0x7f80_0000 | (fraction << 13),
        _ => sign | ((exponent + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(bits)
}

/// The half nearest to `value`, ties to even; too large becomes infinite.
pub(super) fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let fraction = bits & 0x007f_ffff;
    if exponent == 128 {
        return sign | 0x7c00 | if fraction == 0 { 0 } else { 0x0200 };
    }
    if exponent > 15 {
        return sign | 0x7c00;
    }
    // The significand with its hidden bit, shifted to where the half's last bit stands.
    let (significand, shift, base) = if exponent >= -14 {
        (fraction, 13, ((exponent + 15) as u32) << 10)
    } else if exponent >= -25 {
        (fraction | 0x0080_0000, (-exponent - 1) as u32, 0)
    } else {
        return sign;
    };
    let kept = significand >> shift;
    let dropped = significand & ((1 << shift) - 1);
    let tie = 1 << (shift - 1);
    let up = u32::from(dropped > tie || (dropped == tie && kept & 1 == 1));
    // A carry out of the fraction is a carry into the exponent, which is right, up to infinity.
    sign | (base + kept + up) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back_as_it_was() {
        for half in 0..=u16::MAX {
            let value = to_f32(half);
            if !value.is_nan() {
                assert_eq!(from_f32(value), half, "{half:#06x} = {value}");
            }
        }
    }

    #[test]
    fn values_between_halves_round_to_the_nearest_and_ties_to_even() {
        for half in (0..0x7bff_u16).step_by(7) {
            let (below, above) = (to_f32(half), to_f32(half + 1));
            let middle = f32::midpoint(below, above);
            let even = if half & 1 == 0 { half } else { half + 1 };
            assert_eq!(from_f32(middle), even);
            assert_eq!(from_f32(below + (above - below) * 0.25), half);
            assert_eq!(from_f32(below + (above - below) * 0.75), half + 1);
        }
    }

    #[test]
    fn what_is_too_large_becomes_infinite() {
        assert_eq!(from_f32(70_000.0), 0x7c00);
        assert_eq!(from_f32(-70_000.0), 0xfc00);
        assert_eq!(from_f32(1e-9), 0);
    }
}
