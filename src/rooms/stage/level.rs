//! How loud 20 ms are, in the unit of RFC 6464: decibels below overload, 0 the loudest, 127 silence.

use strowger_media::AudioFrame;

/// Digital silence.
pub(super) const SILENCE: u8 = 127;

/// The level of a frame.
pub(super) fn level(frame: &AudioFrame) -> u8 {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let mean = energy / frame.len() as f64;
    if mean < 1.0 {
        return SILENCE;
    }
    // 0 dBov is the square wave that just does not overload.
    let below = -10.0 * (mean / (32_767.0 * 32_767.0)).log10();
    below.round().clamp(0.0, f64::from(SILENCE)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_decibels_below_overload() {
        assert_eq!(level(&[32_767; 160]), 0);
        assert_eq!(level(&[3_277; 160]), 20);
        assert_eq!(level(&[33; 160]), 60);
        assert_eq!(level(&[0; 160]), SILENCE);
    }
}
