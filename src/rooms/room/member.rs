//! One member: what they are called, what they may do, and how they are connected.

use super::pulse::Health;
use super::subscribe::{Slot, Subscription};
use crate::Generation;
use crate::claims::Grants;
use crate::peer::Peer;
use crate::protocol as wire;
use crate::stage::{PhoneKey, TrackKey};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;
use strowger_media::AudioPort;

/// A member within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MemberKey(pub(crate) u64);

/// A signalling session within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey(pub(crate) u64);

/// A connection within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PeerKey {
    /// Whose.
    pub(crate) member: MemberKey,
    /// Whether it is the second one, which carries what is subscribed.
    pub(crate) is_subscriber: bool,
}

/// A member.
pub(super) struct Member {
    pub(super) key: MemberKey,
    pub(super) info: wire::ParticipantInfo,
    pub(super) grants: Grants,
    pub(super) tracks: Vec<TrackKey>,
    pub(super) body: Body,
    pub(super) health: Health,
    /// When they came.
    pub(super) since: Instant,
    pub(super) was_connected: bool,
    /// Who may subscribe to their tracks; `None`: everybody.
    pub(super) audience: Option<Vec<wire::TrackPermission>>,
    /// The number of the last reliable message they sent.
    pub(super) last_reliable: u32,
    pub(super) writing: super::chat::Writing,
}

/// How a member is there.
pub(super) enum Body {
    /// A browser, or a program with a client library.
    Browser(Box<Browser>),
    /// A phone.
    Phone(Phone),
    /// Somebody who is in another room.
    Relayed,
}

/// A phone's side.
pub(super) struct Phone {
    pub(super) key: PhoneKey,
    pub(super) track: TrackKey,
    pub(super) port: AudioPort,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(super) peer: Peer,
    pub(super) ufrag: String,
    /// Whether something happened on it.
    pub(super) is_touched: bool,
    /// Whether something was written to it that time must pass for.
    pub(super) is_written: bool,
    /// Since when nothing is heard, as the connection itself tells after a while.
    pub(super) silent_since: Option<Instant>,
    /// When something was last heard; `None`: nothing yet.
    pub(super) heard_at: Option<Instant>,
}

impl Leg {
    pub(super) fn new(mut peer: Peer) -> Self {
        Self {
            ufrag: peer.ufrag(),
            peer,
            is_touched: false,
            is_written: false,
            silent_since: None,
            heard_at: None,
        }
    }
}

/// A browser's side.
pub(super) struct Browser {
    pub(super) generation: Generation,
    pub(super) session: Option<SessionKey>,
    /// Since when there is no signalling.
    pub(super) lost_since: Option<Instant>,
    pub(super) bucket: Bucket,
    pub(super) publisher: Leg,
    pub(super) subscriber: Option<Leg>,
    /// The sections in which this browser receives.
    pub(super) slots: Vec<Slot>,
    pub(super) subscriptions: BTreeMap<TrackKey, Subscription>,
    pub(super) is_auto: bool,
    pub(super) may_pause: bool,
    /// Whether the client has described itself yet.
    pub(super) has_offered: bool,
    /// Whether sections were asked for and no offer came since.
    pub(super) has_asked: bool,
    /// Whether the second connection's channels were agreed on.
    pub(super) has_channels: bool,
    /// The number of our last offer.
    pub(super) offer_id: u32,
    /// Whether a section may carry another track when its first ended.
    pub(super) may_reuse: bool,
    /// What the line to them carries, once measured.
    pub(super) line: Option<u64>,
    pub(super) wanted_line: u64,
    /// Layers their publishing was last told to keep, by track.
    pub(super) told_layers: HashMap<TrackKey, u8>,
}

impl Browser {
    pub(super) fn leg(&mut self, is_subscriber: bool) -> Option<&mut Leg> {
        if is_subscriber {
            self.subscriber.as_mut()
        } else {
            Some(&mut self.publisher)
        }
    }

    /// The connection that carries what is subscribed.
    pub(super) fn down(&mut self) -> &mut Leg {
        self.subscriber.as_mut().unwrap_or(&mut self.publisher)
    }
}

impl Member {
    pub(super) fn is_hidden(&self) -> bool {
        self.grants.hidden
    }

    pub(super) fn is_agent(&self) -> bool {
        self.info.kind == wire::participant_info::Kind::Agent as i32
    }

    pub(super) fn session(&self) -> Option<SessionKey> {
        match &self.body {
            Body::Browser(browser) => browser.session,
            Body::Phone(_) | Body::Relayed => None,
        }
    }

    pub(super) fn browser(&self) -> Option<&Browser> {
        match &self.body {
            Body::Browser(browser) => Some(browser),
            Body::Phone(_) | Body::Relayed => None,
        }
    }

    pub(super) fn browser_mut(&mut self) -> Option<&mut Browser> {
        match &mut self.body {
            Body::Browser(browser) => Some(browser),
            Body::Phone(_) | Body::Relayed => None,
        }
    }

    /// Its connections.
    pub(super) fn peers(&self) -> impl Iterator<Item = (PeerKey, &Leg)> {
        let member = self.key;
        let legs = self.browser().into_iter().flat_map(|browser| {
            let first = Some((false, &browser.publisher));
            let second = browser.subscriber.as_ref().map(|leg| (true, leg));
            first.into_iter().chain(second)
        });
        legs.map(move |(is_subscriber, leg)| (PeerKey { member, is_subscriber }, leg))
    }

    /// The key of the connection that carries what is subscribed.
    pub(super) fn down_key(&self) -> PeerKey {
        PeerKey {
            member: self.key,
            is_subscriber: self.browser().is_some_and(|browser| browser.subscriber.is_some()),
        }
    }
}

/// How many requests a session may make: so many at once, so many a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    left: f64,
    most: f64,
    per_second: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        Self {
            left: f64::from(burst),
            most: f64::from(burst),
            per_second: f64::from(per_second),
            at: now,
        }
    }

    /// Takes one. `false`: there is none left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * self.per_second).min(self.most);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere in time")]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_gives_a_burst_and_then_a_trickle() {
        let t0 = Instant::now();
        let mut bucket = Bucket::new(3, 2, t0);
        assert_eq!((0..5).filter(|_| bucket.take(t0)).count(), 3);
        let later = t0 + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
    }
}
