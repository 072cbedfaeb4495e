//! Whose packets a leg believes and where its own go: symmetric RTP with a latch, so that phones
//! behind NAT are heard and strangers are not.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// After this long without a packet another port of the same host may take over (NAT rebinding).
const REBIND_AFTER: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latch {
    /// From the session description.
    described: Option<SocketAddr>,
    learned: Option<Learned>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    from: SocketAddr,
    last: Instant,
    /// The same description came again (a refresh, or a phone that changed networks): once the former
    /// place is quiet, the next packet may come from anywhere.
    loose: bool,
}

impl Latch {
    /// A description came; `moved` when it names another place than before.
    pub(super) fn connect(&mut self, described: SocketAddr, moved: bool) {
        self.described = Some(described);
        if moved {
            self.learned = None;
        } else if let Some(learned) = &mut self.learned {
            learned.loose = true;
        }
    }

    /// Whether a packet from there is the far end's. The first one after connecting decides; the
    /// address of the description may always correct that, and the same host after a pause.
    pub(super) fn believes(&mut self, from: SocketAddr, now: Instant) -> bool {
        let believed = match &self.learned {
            None => true,
            Some(learned) => {
                let quiet = now.saturating_duration_since(learned.last) >= REBIND_AFTER;
                from == learned.from
                    || self.described == Some(from)
                    || (quiet && (learned.loose || from.ip() == learned.from.ip()))
            }
        };
        if believed {
            self.learned = Some(Learned {
                from,
                last: now,
                loose: false,
            });
        }
        believed
    }

    /// Where to send, if anywhere: never to the unspecified address or port 0, whatever was learned.
    pub(super) fn target(&self, may_send: bool) -> Option<SocketAddr> {
        let described = self.described.filter(|_| may_send)?;
        let to = self.learned.map_or(described, |learned| learned.from);
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// The far end's host, once known.
    pub(super) fn host(&self) -> Option<IpAddr> {
        self.learned
            .map(|learned| learned.from.ip())
            .or(self.described.map(|described| described.ip()))
    }
}
