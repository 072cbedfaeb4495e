//! Gathers the messages of calls until it is time to write them down.
//!
//! The SIP side shows messages by dialog, the exchange says whose dialog it is, a little later. Messages of nobody wait
//! for that; those of a call are ready once it has been quiet, is over, or has many.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};
use strowger_model::{CallId, TenantId, pcap};
use strowger_sip::DialogKey;
use strowger_sip::trace::{Packet, Traced, masked, parties};
use strowger_store::{Error, Signalling, SignallingChunk};

/// Messages of a call that is quiet for so long are ready …
const QUIET: Duration = Duration::from_secs(5);
/// … and so long after one that is over …
const OVER: Duration = Duration::from_millis(500);
/// … and when they are so many bytes.
const MANY_BYTES: usize = 64 << 10;
/// How long messages wait for word whose they are.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long after the end of a dialog its messages are still its call's.
const AFTERWARDS: Duration = Duration::from_secs(40);
/// The most that is held in all; further messages are dropped and counted.
const MOST_HELD: usize = 16 << 20;

/// Whose call a dialog belongs to; `None` where nothing of it is to be kept.
pub(crate) type Owner = Option<(TenantId, CallId)>;

/// What was gathered of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) tenant: TenantId,
    pub(crate) call: CallId,
    pub(crate) packets: Vec<Packet>,
}

#[derive(Debug)]
struct Gathered {
    tenant: TenantId,
    packets: Vec<Packet>,
    /// Bytes of these, and of all there were.
    bytes: usize,
    total: usize,
    last: Instant,
    /// Dialogs that are not over, and that are not forgotten.
    open: usize,
    known: usize,
}

/// All that waits.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    owners: HashMap<DialogKey, Owner>,
    calls: HashMap<CallId, Gathered>,
    early: VecDeque<(Instant, Traced)>,
    leaving: VecDeque<(Instant, DialogKey)>,
    held: usize,
}

impl Gathering {
    /// The exchange says whose a dialog is. How many of the messages that waited for that found no room.
    pub(crate) fn owned(&mut self, dialog: DialogKey, owner: Owner, now: Instant) -> usize {
        if self.owners.insert(dialog, owner).is_some() {
            return 0;
        }
        if let Some((tenant, call)) = owner {
            let gathered = self.calls.entry(call).or_insert_with(|| Gathered {
                tenant,
                packets: Vec::new(),
                bytes: 0,
                total: 0,
                last: now,
                open: 0,
                known: 0,
            });
            gathered.open += 1;
            gathered.known += 1;
        }
        let mut dropped = 0;
        for (since, traced) in std::mem::take(&mut self.early) {
            if traced.dialog == dialog {
                self.held -= traced.packet.bytes.len();
                dropped += usize::from(!self.passed(traced, since));
            } else {
                self.early.push_back((since, traced));
            }
        }
        dropped
    }

    /// A dialog is over. A last message may follow.
    pub(crate) fn over(&mut self, dialog: DialogKey, now: Instant) {
        let Some(owner) = self.owners.get(&dialog) else { return };
        self.leaving.push_back((now, dialog));
        if let Some(gathered) = owner.and_then(|(_, call)| self.calls.get_mut(&call)) {
            gathered.open = gathered.open.saturating_sub(1);
        }
    }

    /// A message passed. Whether there was room for it.
    pub(crate) fn passed(&mut self, traced: Traced, now: Instant) -> bool {
        let size = traced.packet.bytes.len();
        let call = match self.owners.get(&traced.dialog) {
            Some(Some((_, call))) => self.calls.get_mut(call),
            Some(None) => return true,
            None => None,
        };
        if self.held + size > MOST_HELD
            || call
                .as_ref()
                .is_some_and(|call| call.total + size > Signalling::MOST_BYTES)
        {
            return false;
        }
        self.held += size;
        if let Some(call) = call {
            call.bytes += size;
            call.total += size;
            call.last = now;
            call.packets.push(traced.packet);
        } else {
            self.early.push_back((now, traced));
        }
        true
    }

    /// What is to be written now; all there is, when `is_end`.
    pub(crate) fn ready(&mut self, now: Instant, is_end: bool) -> Vec<Ready> {
        self.forget(now);
        let mut found = Vec::new();
        for (call, gathered) in &mut self.calls {
            let quiet = now.saturating_duration_since(gathered.last);
            let enough = if gathered.open == 0 { OVER } else { QUIET };
            if gathered.packets.is_empty() || !(is_end || quiet >= enough || gathered.bytes >= MANY_BYTES) {
                continue;
            }
            self.held -= std::mem::take(&mut gathered.bytes);
            found.push(Ready {
                tenant: gathered.tenant,
                call: *call,
                packets: std::mem::take(&mut gathered.packets),
            });
        }
        self.calls
            .retain(|_, gathered| gathered.known > 0 || !gathered.packets.is_empty());
        found
    }

    fn forget(&mut self, now: Instant) {
        let is_past = |since: Instant, span: Duration| now.saturating_duration_since(since) >= span;
        while let Some((since, _)) = self.early.front()
            && is_past(*since, PATIENCE)
        {
            if let Some((_, traced)) = self.early.pop_front() {
                self.held -= traced.packet.bytes.len();
            }
        }
        while let Some((since, dialog)) = self.leaving.front().copied()
            && is_past(since, AFTERWARDS)
        {
            self.leaving.pop_front();
            let owner = self.owners.remove(&dialog).flatten();
            if let Some(gathered) = owner.and_then(|(_, call)| self.calls.get_mut(&call)) {
                gathered.known = gathered.known.saturating_sub(1);
            }
        }
    }
}

/// Messages as they are written down: what must not be is masked.
///
/// # Errors
/// They cannot be packed.
pub(crate) fn packed(ready: &Ready) -> Result<SignallingChunk, Error> {
    let (mut packets, mut named) = (Vec::new(), BTreeSet::new());
    for packet in &ready.packets {
        let bytes = masked(&packet.bytes);
        parties(&bytes, &mut named);
        let (from, to) = if packet.is_sent {
            (packet.local, packet.remote)
        } else {
            (packet.remote, packet.local)
        };
        pcap::add_packet(&mut packets, packet.at, from, to, &bytes);
    }
    // Not longer than the messages themselves, which are few enough to be kept.
    let mut list = String::new();
    for name in named {
        list.extend([name.as_str(), "\n"]);
    }
    let at = ready
        .packets
        .last()
        .map_or(time::OffsetDateTime::UNIX_EPOCH, |packet| packet.at);
    let messages = i64::try_from(ready.packets.len()).unwrap_or(i64::MAX);
    SignallingChunk::pack(ready.call, at, messages, list, &packets)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts at some instant")]
mod tests {
    use super::*;
    use bytes::Bytes;
    use strowger_model::trunk::Transport;

    const PHONE: DialogKey = DialogKey(1);
    const TRUNK: DialogKey = DialogKey(2);

    fn traced(dialog: DialogKey, text: &'static str) -> Traced {
        Traced {
            dialog,
            packet: Packet {
                at: time::OffsetDateTime::UNIX_EPOCH,
                is_sent: false,
                local: "10.0.0.1:5060".parse().unwrap(),
                remote: "10.0.0.2:5060".parse().unwrap(),
                transport: Transport::Udp,
                bytes: Bytes::from_static(text.as_bytes()),
            },
        }
    }

    fn texts(ready: &[Ready]) -> Vec<Vec<&[u8]>> {
        let texts = ready
            .iter()
            .map(|ready| ready.packets.iter().map(|packet| packet.bytes.as_ref()).collect());
        texts.collect()
    }

    fn owner() -> Owner {
        let world = strowger_model::world::SeededWorld::new(1, 0);
        Some((TenantId::generate(&world), CallId::generate(&world)))
    }

    #[test]
    fn messages_of_both_legs_come_together_once_it_is_quiet() {
        let (mut all, began) = (Gathering::default(), Instant::now());
        let at = |ms| began + Duration::from_millis(ms);
        assert!(all.passed(traced(PHONE, "one"), began));
        all.owned(PHONE, owner(), at(1));
        all.owned(TRUNK, owner(), at(2));
        assert!(all.passed(traced(TRUNK, "two"), at(3)));
        assert_eq!(all.ready(at(4_000), false), []);
        assert_eq!(texts(&all.ready(at(5_003), false)), [[&b"one"[..], b"two"]]);
        assert!(all.passed(traced(PHONE, "bye"), at(60_000)));
        all.over(PHONE, at(60_000));
        all.over(TRUNK, at(60_001));
        assert!(all.passed(traced(TRUNK, "200"), at(60_010)));
        assert_eq!(texts(&all.ready(at(60_510), false)), [[&b"bye"[..], b"200"]]);
        assert_eq!(all.ready(at(101_000), false), []);
        assert!(
            all.owners.is_empty() && all.calls.is_empty() && all.held == 0,
            "{all:?}"
        );
    }

    #[test]
    fn what_is_not_to_be_kept_or_belongs_to_nobody_is_let_go() {
        let (mut all, began) = (Gathering::default(), Instant::now());
        assert!(all.passed(traced(PHONE, "one"), began));
        all.owned(PHONE, None, began);
        assert!(all.passed(traced(PHONE, "two"), began) && all.passed(traced(TRUNK, "three"), began));
        assert_eq!((all.early.len(), all.held), (1, 5));
        assert_eq!(all.ready(began + PATIENCE, true), []);
        assert_eq!((all.early.len(), all.held), (0, 0));
    }

    #[test]
    fn everybody_whom_a_stretch_names_is_listed() {
        let message = |n: usize| {
            let text = format!(
                "INFO sip:x SIP/2.0\r\nFrom: <sip:somebody-with-a-long-name-{n}@partner.example>;tag=1\r\n\r\n"
            );
            let mut traced = traced(PHONE, "");
            traced.packet.bytes = Bytes::from(text);
            traced
        };
        let (mut all, now) = (Gathering::default(), Instant::now());
        all.owned(PHONE, owner(), now);
        assert!((100..400).all(|n| all.passed(message(n), now)));
        let chunk = packed(&all.ready(now, true)[0]).unwrap();
        let missing = (100..400).filter(|n| !chunk.parties.contains(&format!("name-{n}@")));
        assert_eq!(missing.count(), 0);
    }

    #[test]
    fn there_is_a_bound_for_a_call_and_for_all() {
        let (mut all, now) = (Gathering::default(), Instant::now());
        let large = || {
            let mut traced = traced(PHONE, "");
            traced.packet.bytes = Bytes::from(vec![b'x'; MANY_BYTES]);
            traced
        };
        let before = (0..1_000).filter(|_| all.passed(large(), now)).count();
        assert_eq!(before, MOST_HELD / MANY_BYTES);
        let kept = Signalling::MOST_BYTES / MANY_BYTES;
        assert_eq!(
            all.owned(PHONE, owner(), now),
            before - kept,
            "what is let go is counted"
        );
        let ready = all.ready(now, false);
        assert_eq!(ready[0].packets.len(), kept);
        assert!(!all.passed(large(), now));
        assert_eq!(all.held, 0);
    }
}
