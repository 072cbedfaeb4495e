//! How a recorder listens: packets of tracks as they come, before anybody else's needs change them.

use crate::forward::Packet;
use crate::protocol as wire;
use std::sync::Arc;
use std::time::Instant;

/// Takes packets of tracks. Runs within the room's own task: it must not wait, and what it cannot take it
/// drops and counts.
pub trait Tap: Send {
    /// A track began to be tapped.
    fn opened(&mut self, track: &Arc<TrackTag>, now: Instant);
    /// A packet. Redundant audio has been stripped to its primary block; of simulcast video the best layer
    /// that flows comes, beginning with a key frame.
    fn packet(&mut self, track: &Arc<TrackTag>, packet: &Packet, now: Instant);
    /// A track was muted (no packets come) or let speak again.
    fn muted(&mut self, _track: &Arc<TrackTag>, _muted: bool, _now: Instant) {}
    /// A track ended.
    fn closed(&mut self, track: &Arc<TrackTag>, now: Instant);
    /// Whether it keeps what it hears: then it gets nothing of who may not be recorded.
    fn keeps(&self) -> bool {
        true
    }
    /// Whether it wants no more; it is dropped then.
    fn is_done(&self) -> bool {
        false
    }
}

/// What a recorder is told of a track.
#[derive(Debug, Clone)]
pub struct TrackTag {
    /// The track's sid.
    pub track_sid: String,
    /// The publisher's sid.
    pub participant_sid: String,
    /// The publisher's identity.
    pub identity: String,
    /// The publisher's name when it began.
    pub name: String,
    /// Sound or picture.
    pub kind: wire::TrackType,
    /// Where it comes from.
    pub source: wire::TrackSource,
    /// Its codec, such as `audio/opus`.
    pub mime: String,
    /// Whether members alone can open it (end-to-end encryption).
    pub is_encrypted: bool,
    /// Whether it may not be recorded: a phone that was not told, or does not agree.
    pub is_withheld: bool,
}

/// Which tracks a tap takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapFilter {
    /// One track.
    Track(String),
    /// All tracks of one participant, by identity.
    Participant(String),
    /// Everything that sounds.
    AllAudio,
    /// Everything.
    All,
}

/// Names a tap within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TapId(pub u64);
