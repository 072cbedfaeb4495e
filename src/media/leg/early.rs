//! The first packets of a leg whose bridge is about to be made: the far end's "hello" must not be
//! lost in the milliseconds between its answer and the bridge.

use super::{Accepted, EARLY_WINDOW};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// 200 ms of 20 ms packets; beyond, the oldest goes.
const MOST: usize = 10;

/// Kept packets, oldest first.
#[derive(Debug, Default)]
pub struct Early {
    kept: VecDeque<Kept>,
    /// The window's begin: connecting, or the first packet after it.
    since: Option<Instant>,
    heard: bool,
}

/// One kept packet.
#[derive(Debug)]
pub struct Kept {
    /// When it came.
    pub at: Instant,
    /// From where.
    pub from: SocketAddr,
    /// The datagram.
    pub bytes: Vec<u8>,
    /// What was made of it, if the leg was connected.
    pub accepted: Option<Accepted>,
}

impl Early {
    pub(super) fn since(now: Instant) -> Self {
        Self {
            since: Some(now),
            ..Self::default()
        }
    }

    pub(super) fn keep(&mut self, packet: &[u8], from: SocketAddr, now: Instant, accepted: Option<Accepted>) {
        if !self.heard {
            self.heard = true;
            self.since = self.since.map(|_| now);
        }
        if self.kept.len() == MOST {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept {
            at: now,
            from,
            bytes: packet.to_vec(),
            accepted,
        });
    }

    /// Whether the window is over. It is never over while no far end is set.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let waits = if self.heard { EARLY_WINDOW } else { Duration::MAX };
        self.since
            .is_some_and(|since| now.saturating_duration_since(since) > waits)
    }

    /// The packets still worth hearing, left where they are.
    pub(super) fn peek(&self, now: Instant) -> impl Iterator<Item = &Kept> {
        self.kept
            .iter()
            .filter(move |kept| now.saturating_duration_since(kept.at) <= EARLY_WINDOW)
    }

    /// The packets still worth hearing, oldest first.
    pub fn fresh(self, now: Instant) -> impl Iterator<Item = Kept> {
        self.kept
            .into_iter()
            .filter(move |kept| now.saturating_duration_since(kept.at) <= EARLY_WINDOW)
    }
}
