//! What is known of a trunk we register at or ping.

use crate::command::{PingTrunk, RegisterTrunk};
use crate::transaction::TimerId;
use std::time::{Duration, Instant};

/// The first pause after a failure, and the longest.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A registration we hold.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) wanted: RegisterTrunk,
    pub(crate) sip_call_id: String,
    pub(crate) tag: String,
    /// The URI we last registered.
    pub(crate) contact: String,
    pub(crate) number: u32,
    /// For how long we ask: what is wanted, or what the provider insists on.
    pub(crate) asked: Duration,
    /// Attempts with the present challenge.
    pub(crate) tries: u8,
    /// Failures in a row.
    pub(crate) failures: u32,
    pub(crate) timer: Option<TimerId>,
    pub(crate) is_registered: bool,
    /// Whether it is being taken back.
    pub(crate) is_leaving: bool,
}

impl Registration {
    /// How long to wait after a failure; doubles, with up to half as much again by chance.
    pub(crate) fn pause(&self, jitter: impl FnOnce(Duration) -> Duration) -> Duration {
        let base = PAUSE
            .saturating_mul(1 << self.failures.saturating_sub(1).min(8))
            .min(LONGEST_PAUSE);
        base + jitter(base / 2)
    }

    /// When to refresh: well before the end, sooner for short ones by share, and not all trunks at once.
    pub(crate) fn refresh_after(granted: Duration, jitter: impl FnOnce(Duration) -> Duration) -> Duration {
        let margin = (granted / 4).min(Duration::from_secs(120));
        granted
            .saturating_sub(margin + jitter(margin / 2))
            .max(Duration::from_millis(500))
    }
}

/// Whether a trunk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Unknown,
    Up,
    Down,
}

/// A trunk that is pinged.
#[derive(Debug)]
pub(crate) struct Ping {
    pub(crate) wanted: PingTrunk,
    pub(crate) sent: Instant,
    pub(crate) misses: u32,
    pub(crate) hits: u32,
    pub(crate) health: Health,
    pub(crate) timer: Option<TimerId>,
    pub(crate) late: Option<TimerId>,
}

impl Ping {
    /// An answer came; whether the trunk counts as up. One that was down must answer twice.
    pub(crate) const fn hit(&mut self) -> bool {
        self.misses = 0;
        self.hits = self.hits.saturating_add(1);
        if matches!(self.health, Health::Down) && self.hits < 2 {
            return false;
        }
        self.health = Health::Up;
        true
    }

    /// None came; whether the trunk has just gone down. Some providers take registrations and never answer OPTIONS:
    /// where we are `registered`, only one that has answered before can fall silent.
    pub(crate) fn miss(&mut self, registered: bool) -> bool {
        self.hits = 0;
        self.misses = self.misses.saturating_add(1);
        let may_go_down = match self.health {
            Health::Unknown => !registered,
            Health::Up => true,
            Health::Down => false,
        };
        let goes_down = self.misses >= 2 && may_go_down;
        if goes_down {
            self.health = Health::Down;
        }
        goes_down
    }
}
