//! The outline of a recording that the player draws.

/// How many peaks a channel has.
pub const COUNT: usize = 400;

/// The largest sample of each four-hundredth of every channel, 0 to 255. All channels share one
/// scale, so that who is louder is seen.
#[must_use]
pub fn peaks(channels: &[Vec<i16>]) -> Vec<Vec<u8>> {
    let length = channels.iter().map(Vec::len).max().unwrap_or(0);
    channels
        .iter()
        .map(|channel| {
            (0..COUNT)
                .map(|n| {
                    let (from, to) = (
                        n * length / COUNT,
                        ((n + 1) * length / COUNT).max(n * length / COUNT + 1),
                    );
                    let part = channel.get(from..to.min(channel.len())).unwrap_or_default();
                    let largest = part.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
                    u8::try_from(largest.min(32_767) / 128).unwrap_or(u8::MAX)
                })
                .collect()
        })
        .collect()
}

/// Finds the peaks of one channel block by block, when it is known how long it will be.
#[derive(Debug, Clone)]
pub struct Outline {
    length: u64,
    at: u64,
    largest: Vec<u16>,
}

impl Outline {
    /// The outline of a channel of `length` samples.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self {
            length: length.max(1),
            at: 0,
            largest: vec![0; COUNT],
        }
    }

    /// Looks at the next samples.
    pub fn push(&mut self, samples: &[i16]) {
        for sample in samples {
            let n = usize::try_from(self.at * COUNT as u64 / self.length).unwrap_or(COUNT);
            if let Some(largest) = self.largest.get_mut(n) {
                *largest = sample.unsigned_abs().max(*largest);
            }
            self.at += 1;
        }
    }

    /// The peaks, 0 to 255.
    #[must_use]
    pub fn into_peaks(self) -> Vec<u8> {
        let scaled = |largest: u16| u8::try_from(largest.min(32_767) / 128).unwrap_or(u8::MAX);
        self.largest.into_iter().map(scaled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loud_stretches_stand_out() {
        let mut channel = vec![0_i16; 8000];
        channel[4000..6000].fill(-32_768);
        let peaks = peaks(&[channel, Vec::new()]);
        assert_eq!(peaks[0].len(), COUNT);
        assert_eq!((peaks[0][0], peaks[0][250], peaks[0][350]), (0, 255, 0));
        assert!(peaks[1].iter().all(|peak| *peak == 0));
    }

    #[test]
    fn an_outline_drawn_block_by_block_is_the_same() {
        let channel: Vec<i16> = (0..40_000).map(|n| (n % 3000) as i16 * 7).collect();
        let mut outline = Outline::new(40_000);
        channel.chunks(777).for_each(|block| outline.push(block));
        assert_eq!(outline.into_peaks(), peaks(&[channel])[0]);
    }
}
