//! One band: quantiser, predictor and their adaptation (ITU-T G.722 clauses 5 and 6, tables 14 to 21).

/// What a band remembers.
#[derive(Debug, Clone)]
pub(super) struct Band {
    /// The prediction, and the part of it that the zeros make.
    predicted: i32,
    from_zeros: i32,
    /// The last two reconstructed signals and pole coefficients.
    reconstructed: [i32; 2],
    poles: [i32; 2],
    /// The last two partly reconstructed signals.
    partly: [i32; 2],
    /// The last six differences and their coefficients.
    differences: [i32; 6],
    zeros: [i32; 6],
    /// The logarithm of the quantiser's scale, and the scale.
    logarithm: i32,
    scale: i32,
}

const fn fresh(scale: i32) -> Band {
    Band {
        predicted: 0,
        from_zeros: 0,
        reconstructed: [0; 2],
        poles: [0; 2],
        partly: [0; 2],
        differences: [0; 6],
        zeros: [0; 6],
        logarithm: 0,
        scale,
    }
}

/// The lower band at the start of a stream.
pub(super) const LOW: Band = fresh(32);
/// The upper band at the start of a stream.
pub(super) const HIGH: Band = fresh(8);

/// Decision levels of the lower band's 6 bits.
const LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// The codes of negative and of positive differences, by level.
const NEGATIVE: [u8; 30] = [
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
];
const POSITIVE: [u8; 30] = [
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33,
    32,
];
/// The inverse quantisers: 6 bits for what is heard, 4 bits for what adapts, 2 bits above.
const SIX: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const FOUR: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
];
const TWO: [i32; 4] = [-7408, -1616, 7408, 1616];
/// How the scale moves with each code.
const LOW_STEPS: [i32; 16] = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
];
const HIGH_STEPS: [i32; 4] = [798, -214, 798, -214];
/// Powers of two between 1 and 2, by 32nds.
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// The code of a sample of the lower band (blocks SUBTRA and QUANTL).
pub(super) fn quantise_low(band: &Band, sample: i32) -> u8 {
    let error = saturated(sample - band.predicted);
    let magnitude = if error >= 0 { error } else { -(error + 1) };
    let level = LEVELS
        .iter()
        .take_while(|level| magnitude >= (*level * band.scale) >> 12)
        .count();
    let codes = if error < 0 { &NEGATIVE } else { &POSITIVE };
    codes.get(level).copied().unwrap_or_default()
}

/// The code of a sample of the upper band (blocks SUBTRA and QUANTH).
pub(super) fn quantise_high(band: &Band, sample: i32) -> u8 {
    let error = saturated(sample - band.predicted);
    let magnitude = if error >= 0 { error } else { -(error + 1) };
    match (error < 0, magnitude >= (564 * band.scale) >> 12) {
        (true, false) => 1,
        (true, true) => 0,
        (false, false) => 3,
        (false, true) => 2,
    }
}

impl Band {
    /// What a code of the lower band sounds like (blocks INVQBL, RECONS and LIMIT).
    pub(super) fn reconstruct_low(&self, code: u8) -> i32 {
        let difference = (self.scale * at(&SIX, code)) >> 15;
        (self.predicted + difference).clamp(-16_384, 16_383)
    }

    /// What a code of the upper band sounds like (blocks INVQAH, RECONS and LIMIT).
    pub(super) fn reconstruct_high(&self, code: u8) -> i32 {
        let difference = (self.scale * at(&TWO, code)) >> 15;
        (self.predicted + difference).clamp(-16_384, 16_383)
    }

    /// Follows a code of the lower band (blocks INVQAL, LOGSCL, SCALEL).
    pub(super) fn adapt_low(&mut self, code: u8) {
        let code = code >> 2;
        let difference = (self.scale * at(&FOUR, code)) >> 15;
        self.rescale(at(&LOW_STEPS, code), 18_432, 8);
        self.predict(difference);
    }

    /// Follows a code of the upper band (blocks INVQAH, LOGSCH, SCALEH).
    pub(super) fn adapt_high(&mut self, code: u8) {
        let difference = (self.scale * at(&TWO, code)) >> 15;
        self.rescale(at(&HIGH_STEPS, code), 22_528, 10);
        self.predict(difference);
    }

    fn rescale(&mut self, step: i32, most: i32, shift: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + step).clamp(0, most);
        let power = POWERS
            .get((self.logarithm >> 6 & 31) as usize)
            .copied()
            .unwrap_or_default();
        let down = shift - (self.logarithm >> 11);
        let scale = if down < 0 { power << -down } else { power >> down };
        self.scale = scale << 2;
    }

    /// Block 4: the two poles and six zeros of the predictor move a little, and predict the next sample.
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturated(self.predicted + difference);
        let partly = saturated(self.from_zeros + difference);
        self.move_poles(partly);
        let gain = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(self.differences) {
            let toward = if (before < 0) == (difference < 0) { gain } else { -gain };
            *zero = saturated(toward + ((*zero * 32_640) >> 15));
        }
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partly = [partly, self.partly[0]];
        let weighed = |(signal, coefficient): (&i32, &i32)| (coefficient * saturated(2 * signal)) >> 15;
        let poles: i32 = self.reconstructed.iter().zip(&self.poles).map(weighed).sum();
        let zeros: i32 = self.differences.iter().zip(&self.zeros).map(weighed).sum();
        self.from_zeros = saturated(zeros);
        self.predicted = saturated(saturated(poles) + self.from_zeros);
    }

    /// Blocks UPPOL2 and UPPOL1.
    fn move_poles(&mut self, partly: i32) {
        let agrees = self.partly.map(|before| (before < 0) == (partly < 0));
        let [first, second] = self.poles;
        let turned = saturated(first << 2);
        let turned = if agrees[0] { -turned } else { turned }.min(32_767);
        let nudge = if agrees[1] { 128 } else { -128 };
        let second = ((turned >> 7) + nudge + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let nudge = if agrees[0] { 192 } else { -192 };
        let limit = saturated(15_360 - second);
        let first = saturated(nudge + ((first * 32_640) >> 15)).clamp(-limit, limit);
        self.poles = [first, second];
    }
}

fn at<const N: usize>(table: &[i32; N], code: u8) -> i32 {
    table.get(usize::from(code)).copied().unwrap_or_default()
}

fn saturated(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// A sample as it leaves.
pub(super) fn clipped(value: i32) -> i16 {
    saturated(value) as i16
}
