//! What is measured of a leg: loss and jitter by RFC 3550, and the E-model's opinion of both.

use std::time::Instant;
use strowger_model::record::Quality;

/// A jump beyond this starts counting anew (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3_000;

/// Counts one source's packets.
#[derive(Debug, Clone)]
pub struct Received {
    started: bool,
    base: u32,
    highest: u32,
    packets: u64,
    /// Of sources before this one, and of stretches before a jump.
    earlier_expected: u64,
    earlier_packets: u64,
    /// The ticks of the stream's clock in a millisecond.
    khz: u8,
    /// RFC 3550 §6.4.1, in ticks.
    jitter: f32,
    jitter_sum: f64,
    jitter_count: u64,
    transit: Option<i64>,
    report_expected: u64,
    report_packets: u64,
}

impl Default for Received {
    fn default() -> Self {
        Self {
            started: false,
            base: 0,
            highest: 0,
            packets: 0,
            earlier_expected: 0,
            earlier_packets: 0,
            khz: 8,
            jitter: 0.0,
            jitter_sum: 0.0,
            jitter_count: 0,
            transit: None,
            report_expected: 0,
            report_packets: 0,
        }
    }
}

/// What a report block says of a source (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// Lost since the last report, in 256ths.
    pub fraction: u8,
    /// Lost in all.
    pub cumulative: u32,
    /// The extended highest sequence number.
    pub highest: u32,
    /// In ticks.
    pub jitter: u32,
}

impl Received {
    /// From here on the stream's clock has so many ticks a millisecond.
    pub fn set_clock(&mut self, khz: u8) {
        if self.khz != khz {
            (self.khz, self.jitter, self.transit) = (khz, 0.0, None);
        }
    }

    /// Counts a packet. `arrival_ticks` is its arrival on our clock, in ticks of the stream's.
    pub fn count(&mut self, sequence: u16, timestamp: u32, arrival_ticks: i64) {
        self.sequence(sequence);
        self.packets += 1;
        // Only differences of transit matter, so the circle of timestamps is cut where it is.
        let transit = arrival_ticks - i64::from(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit - before).unsigned_abs();
            // A jump of the timestamps or a wrap says nothing about the network.
            if difference < u64::from(self.khz) * 1_000 {
                self.jitter += (difference as f32 - self.jitter) / 16.0;
                self.jitter_sum += f64::from(self.jitter) / f64::from(self.khz);
                self.jitter_count += 1;
            }
        }
    }

    fn sequence(&mut self, sequence: u16) {
        if !self.started {
            self.started = true;
            self.base = u32::from(sequence);
            self.highest = u32::from(sequence);
            return;
        }
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        } else if ahead < 0x8000 || u16::MAX - ahead > MAX_DROPOUT {
            self.restart();
            self.sequence(sequence);
        }
    }

    /// Another source, or the same after a jump: what was counted stays counted.
    pub fn restart(&mut self) {
        self.earlier_expected += self.expected_now();
        self.earlier_packets = self.packets;
        self.started = false;
        self.transit = None;
    }

    fn expected_now(&self) -> u64 {
        if self.started {
            u64::from(self.highest.wrapping_sub(self.base)) + 1
        } else {
            0
        }
    }

    fn expected(&self) -> u64 {
        self.earlier_expected + self.expected_now()
    }

    /// Packets that came.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets that did not.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    /// The next report's figures.
    pub fn report(&mut self) -> Loss {
        let expected = self.expected() - self.report_expected;
        let packets = self.packets - self.report_packets;
        self.report_expected = self.expected();
        self.report_packets = self.packets;
        let lost = expected.saturating_sub(packets);
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
        Loss {
            fraction: fraction as u8,
            cumulative: u32::try_from(self.lost()).unwrap_or(u32::MAX).min(0x7F_FFFF),
            highest: self.highest,
            jitter: self.jitter as u32,
        }
    }

    /// The mean jitter over the leg's life, milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        if self.jitter_count == 0 {
            return 0.0;
        }
        self.jitter_sum / self.jitter_count as f64
    }

    /// Everything as a row.
    #[must_use]
    pub fn quality(&self, sent: u64, round_trip_ms: Option<f64>) -> Quality {
        let lost = self.lost();
        let expected = self.packets + lost;
        let mos = (self.packets > 0).then(|| {
            let loss = lost as f64 * 100.0 / expected as f64;
            mos(loss, self.jitter_ms(), round_trip_ms.unwrap_or(0.0))
        });
        Quality {
            received: self.packets,
            sent,
            lost,
            jitter_ms: self.jitter_ms(),
            round_trip_ms,
            mos,
        }
    }
}

/// The mean opinion score of G.711 with loss concealment, by the E-model of ITU-T G.107 without echo.
#[must_use]
pub fn mos(loss_percent: f64, jitter_ms: f64, round_trip_ms: f64) -> f64 {
    // The path, a 20 ms packet, and a jitter buffer of twice the jitter.
    let delay = round_trip_ms / 2.0 + 20.0 + 2.0 * jitter_ms;
    let late = if delay > 177.3 { delay - 177.3 } else { 0.0 };
    let impairment = 0.024 * delay + 0.11 * late;
    // ITU-T G.113 appendix I: Ie 0 and Bpl 25.1 for G.711 with concealment and random loss.
    let equipment = 95.0 * loss_percent / (loss_percent + 25.1);
    let r = (93.2 - impairment - equipment).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// A moment as ticks of a clock of so many kHz that began at `epoch`.
#[must_use]
pub fn ticks_since(epoch: Instant, now: Instant, khz: u8) -> i64 {
    let micros = now.saturating_duration_since(epoch).as_micros();
    i64::try_from(micros * u128::from(khz) / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_no_loss_and_no_jitter() {
        let mut received = Received::default();
        for n in 0..1_000_u32 {
            received.count((65_000 + n) as u16, n * 160, i64::from(n) * 160);
        }
        assert_eq!((received.packets(), received.lost()), (1_000, 0));
        assert!(received.jitter_ms() < 0.01);
        assert!(received.quality(5, None).mos.unwrap() > 4.3);
    }

    #[test]
    fn loss_is_counted_reordering_is_not() {
        let mut received = Received::default();
        for n in [0_u16, 1, 3, 2, 4, 6, 7, 9] {
            received.count(n, u32::from(n) * 160, i64::from(n) * 160);
        }
        assert_eq!(received.lost(), 2);
        let loss = received.report();
        assert_eq!((loss.fraction, loss.cumulative, loss.highest), (51, 2, 9));
        assert_eq!(received.report().fraction, 0);
    }

    #[test]
    fn a_jump_of_the_sequence_is_not_loss() {
        let mut received = Received::default();
        for n in [10_u16, 11, 40_000, 40_001] {
            received.count(n, u32::from(n), 0);
        }
        assert_eq!(received.lost(), 0);
    }

    #[test]
    fn alternating_delay_is_jitter() {
        let mut received = Received::default();
        for n in 0..2_000_i64 {
            received.count(n as u16, (n * 160) as u32, n * 160 + (n % 2) * 80);
        }
        assert!((9.0..10.5).contains(&received.jitter_ms()), "{}", received.jitter_ms());
    }

    #[test]
    fn opinion_falls_with_loss_and_delay() {
        assert!(mos(0.0, 0.0, 0.0) > 4.35);
        assert!((3.2..4.0).contains(&mos(5.0, 5.0, 100.0)));
        assert!(mos(1.0, 0.0, 0.0) > mos(3.0, 0.0, 0.0));
        assert!(mos(0.0, 0.0, 100.0) > mos(0.0, 0.0, 600.0));
        assert!(mos(100.0, 500.0, 5_000.0) < 1.2);
    }
}
