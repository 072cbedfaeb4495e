//! What follows of a recording's sound from its row.

use crate::record::Recording;

impl Recording {
    /// How many channels its sound has, while there is any.
    #[must_use]
    pub const fn channels(&self) -> Option<usize> {
        match self.peaks.len() {
            0 => None,
            channels => Some(channels),
        }
    }

    /// Bits a second of its audio, on average, while there is any.
    #[must_use]
    pub const fn bits_per_second(&self) -> Option<i64> {
        if self.size_bytes == 0 {
            return None;
        }
        self.size_bytes.saturating_mul(8_000).checked_div(self.duration_ms)
    }
}
