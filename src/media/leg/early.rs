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
#[derive(Debug, Clone)]
pub struct Kept {
    /// When it came.
    pub at: Instant,
    /// From where.
    pub from: SocketAddr,
    /// The datagram.
    pub bytes: Vec<u8>,
    /// What was made of it, if the leg was connected.
    pub accepted: Option<Accepted>,
    /// A bridge has had it; only a capture may still want it.
    passed: bool,
}

impl Early {
    pub(super) fn since(now: Instant) -> Self {
        Self {
            since: Some(now),
            ..Self::default()
        }
    }

    /// Keeps a packet; `passed` when a bridge takes it at once.
    pub(super) fn keep(
        &mut self,
        packet: &[u8],
        from: SocketAddr,
        now: Instant,
        accepted: Option<Accepted>,
        passed: bool,
    ) {
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
            passed,
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

    /// The packets that no bridge has had yet, oldest first; they stay for a capture that begins a moment later.
    pub(super) fn pass(&mut self, now: Instant) -> Vec<Kept> {
        let fresh = |kept: &&mut Kept| !kept.passed && now.saturating_duration_since(kept.at) <= EARLY_WINDOW;
        let passing = self.kept.iter_mut().filter(fresh).map(|kept| {
            kept.passed = true;
            kept.clone()
        });
        passing.collect()
    }

    /// The packets still worth hearing, oldest first.
    pub fn fresh(self, now: Instant) -> impl Iterator<Item = Kept> {
        self.kept
            .into_iter()
            .filter(move |kept| now.saturating_duration_since(kept.at) <= EARLY_WINDOW)
    }
}
