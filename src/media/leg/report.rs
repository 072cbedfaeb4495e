//! A leg's RTCP: reports each five seconds, the round trip from the far end's.

use super::Leg;
use crate::rtcp::{self, Block, PACKET_BYTES, Sent};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// RFC 3550 §6.2: the least interval.
const INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Reports {
    to: Option<SocketAddr>,
    next: Instant,
    opened: Instant,
    /// The far end's last sender report and when it came.
    last: Option<(u32, Instant)>,
    round_trip_ms: Option<f64>,
}

impl Reports {
    pub(super) fn new(seed: u64, opened: Instant) -> Self {
        Self {
            to: None,
            // RFC 3550 §6.3.2: the first one at a moment of chance, so that legs do not report in step.
            next: opened + Duration::from_millis(2_500 + seed % 2_500),
            opened,
            last: None,
            round_trip_ms: None,
        }
    }

    pub(super) fn connect(&mut self, to: SocketAddr) {
        self.to = Some(to);
    }

    pub(super) fn round_trip_ms(&self) -> Option<f64> {
        self.round_trip_ms
    }

    /// Only differences matter to a far end without our wall clock (RFC 3550 §6.4.1).
    fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.opened);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        ((elapsed.as_secs() + 1) << 32) | fraction
    }
}

impl Leg {
    /// Takes an RTCP datagram. Returns nothing: what it says is measured.
    pub fn receive_report(&mut self, packet: &[u8], from: SocketAddr, now: Instant) {
        if self.latch.host() != Some(from.ip()) {
            return;
        }
        let heard = rtcp::parse(packet, self.out.ssrc());
        if let Some(ntp) = heard.sender_report {
            self.reports.last = Some((ntp, now));
            // Behind NAT the far end's reports come from where ours must go.
            self.reports.to = Some(from);
        }
        if let Some(echo) = heard.echo {
            let middle = (self.reports.ntp(now) >> 16) as u32;
            self.reports.round_trip_ms = rtcp::round_trip_ms(middle, echo).or(self.reports.round_trip_ms);
        }
    }

    /// Writes a report if one is due, or the goodbye, and tells where it goes.
    pub fn report(
        &mut self,
        packet: &mut [u8; PACKET_BYTES],
        goodbye: bool,
        now: Instant,
    ) -> Option<(usize, SocketAddr)> {
        if !goodbye && now < self.reports.next {
            return None;
        }
        self.reports.next = now + INTERVAL;
        let negotiated = self.negotiated?;
        let to = self.reports.to?;
        if to.ip().is_unspecified() || to.port() == 0 || (self.out.packets() == 0 && self.source.is_none()) {
            return None;
        }
        let sent = (self.out.packets() > 0 && negotiated.direction.send).then(|| Sent {
            ntp: self.reports.ntp(now),
            timestamp: self.out.stands_at(now),
            packets: self.out.packets() as u32,
            octets: self.out.octets(),
        });
        let block = self.source.map(|ssrc| {
            let (last_report, since) = self.reports.last.map_or((0, 0), |(ntp, came)| {
                let since = now.saturating_duration_since(came).as_micros() * 65_536 / 1_000_000;
                (ntp, since as u32)
            });
            Block {
                ssrc,
                loss: self.received.report(),
                last_report,
                since_last_report: since,
            }
        });
        let length = rtcp::write(packet, self.out.ssrc(), sent, block, goodbye);
        Some((length, to))
    }
}
