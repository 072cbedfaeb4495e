//! The mel filter bank that Whisper hears through, computed: 16 kHz, 400-point transform, Slaney's
//! scale, area-normalised.

const SAMPLE_RATE_HZ: f64 = 16_000.0;
const TRANSFORM_POINTS: usize = 400;

/// `bands` rows of 201 weights.
pub(super) fn filters(bands: usize) -> Vec<Vec<f32>> {
    let top = hz_to_mel(SAMPLE_RATE_HZ / 2.0);
    let edges: Vec<f64> = (0..bands + 2)
        .map(|n| mel_to_hz(top * n as f64 / (bands + 1) as f64))
        .collect();
    edges
        .windows(3)
        .map(|edge| {
            let (lower, centre, upper) = (edge[0], edge[1], edge[2]);
            (0..=TRANSFORM_POINTS / 2)
                .map(|bin| {
                    let hz = bin as f64 * SAMPLE_RATE_HZ / TRANSFORM_POINTS as f64;
                    let up = (hz - lower) / (centre - lower);
                    let down = (upper - hz) / (upper - centre);
                    (up.min(down).max(0.0) * 2.0 / (upper - lower)) as f32
                })
                .collect()
        })
        .collect()
}

/// Linear below 1 kHz (200/3 Hz a mel), logarithmic above.
fn hz_to_mel(hz: f64) -> f64 {
    if hz < 1000.0 {
        hz * 3.0 / 200.0
    } else {
        15.0 + (hz / 1000.0).ln() / log_step()
    }
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1000.0 * (log_step() * (mel - 15.0)).exp()
    }
}

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_band_peaks_after_the_one_below() {
        for bands in [80, 128] {
            let filters = filters(bands);
            assert_eq!(filters.len(), bands);
            let peaks: Vec<usize> = filters
                .iter()
                .map(|row| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap())
                .collect();
            assert!(peaks.is_sorted());
            assert!(filters.iter().flatten().all(|weight| *weight >= 0.0));
        }
    }

    #[test]
    fn known_weights_are_met() {
        // From the published table: first weight of the first of 80 bands.
        let filters = filters(80);
        assert!((filters[0][1] - 0.024_862_594).abs() < 1e-6);
    }
}
