//! Messages of calls as they went over the wire, each with its dialog, for whoever has to find out why a call failed.
//!
//! The endpoint shows its [`Tracer`] every message; those of a dialog come out as [`Traced`], in order. Messages from before
//! there is a dialog, such as an INVITE that is challenged and asked again, wait until one with their Call-ID, tag and
//! sender begins. What may be written down of a message says [`masked`]; whom it names, [`parties`].

mod ids;
mod mask;
mod parties;

pub use mask::masked;
pub use parties::parties;

use crate::event::DialogKey;
use bytes::Bytes;
use ids::Ids;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_model::trunk::Transport;
use time::OffsetDateTime;

/// For how long repeats and acknowledgements come after the end of a dialog (RFC 3261 §17.1.1.2, Timer D).
const AFTERWARDS: Duration = Duration::from_secs(32);
/// How many messages without a dialog are remembered; the oldest is forgotten for one more.
const MOST_WAITING: usize = 256;
/// And how many bytes they may have.
const MOST_WAITING_BYTES: usize = 1 << 20;

/// A message as it went over the wire: secrets and digits are still in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Traced {
    /// The dialog it belongs to.
    pub dialog: DialogKey,
    /// What was sent or came, and how.
    pub packet: Packet,
}

/// A message with its way.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// When, by the wall.
    pub at: OffsetDateTime,
    /// Whether we sent it.
    pub is_sent: bool,
    /// Our end.
    pub local: SocketAddr,
    /// The far end.
    pub remote: SocketAddr,
    /// How it travelled.
    pub transport: Transport,
    /// The whole message.
    pub bytes: Bytes,
}

// Neither shows the message: nothing of it may stand in a log.
impl std::fmt::Debug for Traced {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Traced")
            .field("dialog", &self.dialog)
            .field("packet", &self.packet)
            .finish()
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Packet")
            .field("at", &self.at)
            .field("is_sent", &self.is_sent)
            .field("size_bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Who began a dialog that was placed to us: Call-ID, From tag and address.
type Beginning = (String, SocketAddr);

/// Sorts messages to dialogs.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    is_on: bool,
    /// Dialogs by Call-ID and our tag.
    by_tag: HashMap<String, DialogKey>,
    /// Those placed to us by who began them: their first requests do not have our tag yet.
    by_beginning: HashMap<Beginning, DialogKey>,
    /// What stands of a dialog in the two above.
    names: HashMap<DialogKey, (String, Option<Beginning>)>,
    /// Dialogs that are over, and since when.
    leaving: VecDeque<(Instant, DialogKey)>,
    /// Messages without a dialog, the oldest first.
    waiting: VecDeque<(Beginning, Packet)>,
    waiting_bytes: usize,
    /// Messages that came and were not looked at yet: their dialogs may only be made of them.
    fresh: Vec<Packet>,
    out: VecDeque<Traced>,
}

impl Tracer {
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            ..Self::default()
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// A message came. It is looked at once it was handled.
    pub(crate) fn came(&mut self, packet: Packet) {
        if self.is_on {
            self.fresh.push(packet);
        }
    }

    /// A message was sent.
    pub(crate) fn sent(&mut self, packet: Packet) {
        self.settle();
        self.sort(packet);
    }

    /// What came was handled.
    pub(crate) fn settle(&mut self) {
        for packet in std::mem::take(&mut self.fresh) {
            self.sort(packet);
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Traced> {
        self.out.pop_front()
    }

    /// A dialog begins; `far` is the From tag and the sender of a request that began it.
    pub(crate) fn begins(
        &mut self,
        dialog: DialogKey,
        sip_call_id: &str,
        our_tag: &str,
        far: Option<(&str, SocketAddr)>,
    ) {
        if !self.is_on {
            return;
        }
        let name = named(sip_call_id, our_tag);
        let beginning = far.map(|(tag, remote)| (named(sip_call_id, tag), remote));
        self.by_tag.insert(name.clone(), dialog);
        if let Some(beginning) = &beginning {
            self.by_beginning.insert(beginning.clone(), dialog);
            self.claim(dialog, beginning);
        }
        self.names.insert(dialog, (name, beginning));
    }

    /// A dialog is over.
    pub(crate) fn ends(&mut self, dialog: DialogKey, now: Instant) {
        while let Some((since, gone)) = self.leaving.front()
            && now.saturating_duration_since(*since) > AFTERWARDS
        {
            if let Some((name, beginning)) = self.names.remove(gone) {
                self.by_tag.remove(&name);
                beginning.map(|beginning| self.by_beginning.remove(&beginning));
            }
            self.leaving.pop_front();
        }
        if self.names.contains_key(&dialog) {
            self.leaving.push_back((now, dialog));
        }
    }

    /// Takes what waited for a dialog.
    fn claim(&mut self, dialog: DialogKey, beginning: &Beginning) {
        if !self.waiting.iter().any(|(of, _)| of == beginning) {
            return;
        }
        for (of, packet) in std::mem::take(&mut self.waiting) {
            if of == *beginning {
                self.waiting_bytes -= packet.bytes.len();
                self.out.push_back(Traced { dialog, packet });
            } else {
                self.waiting.push_back((of, packet));
            }
        }
    }

    fn sort(&mut self, packet: Packet) {
        let Some(ids) = Ids::of(&packet.bytes) else { return };
        let by_tag = |tag: &str| self.by_tag.get(&named(ids.sip_call_id, tag)).copied();
        let known = by_tag(ids.from_tag).or_else(|| by_tag(ids.to_tag));
        let beginning = (named(ids.sip_call_id, ids.from_tag), packet.remote);
        if let Some(dialog) = known.or_else(|| self.by_beginning.get(&beginning).copied()) {
            self.out.push_back(Traced { dialog, packet });
        } else if ids.is_invite {
            self.wait(beginning, packet);
        }
    }

    fn wait(&mut self, beginning: Beginning, packet: Packet) {
        self.waiting_bytes += packet.bytes.len();
        self.waiting.push_back((beginning, packet));
        while self.waiting.len() > MOST_WAITING || self.waiting_bytes > MOST_WAITING_BYTES {
            let Some((_, packet)) = self.waiting.pop_front() else {
                return;
            };
            self.waiting_bytes -= packet.bytes.len();
        }
    }
}

/// Call-ID and tag as one key; neither has a blank in it.
fn named(sip_call_id: &str, tag: &str) -> String {
    [sip_call_id, " ", tag].concat()
}

#[cfg(test)]
mod tests;
