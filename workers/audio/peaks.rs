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
}
