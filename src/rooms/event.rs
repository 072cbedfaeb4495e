//! What happens in rooms, for rows, webhooks and pages.

use crate::RoomName;
use crate::protocol as wire;
use time::OffsetDateTime;

/// Something that happened in a room.
#[derive(Debug, Clone)]
pub struct RoomEvent {
    /// Which room.
    pub room: RoomName,
    /// This run of it: `RM_…`.
    pub room_sid: String,
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub kind: RoomEventKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum RoomEventKind {
    /// The room began.
    Started(Box<wire::Room>),
    /// The room ended.
    Finished(Box<wire::Room>),
    /// Somebody came in.
    Joined(Box<wire::ParticipantInfo>),
    /// Somebody is gone.
    Left {
        /// Who.
        participant: Box<wire::ParticipantInfo>,
        /// Why.
        reason: wire::DisconnectReason,
        /// Whether their media ever flowed; without, the connection never came about.
        connected: bool,
    },
    /// Somebody publishes.
    TrackPublished {
        /// Who.
        participant: Box<wire::ParticipantInfo>,
        /// What.
        track: Box<wire::TrackInfo>,
    },
    /// Somebody stopped publishing.
    TrackUnpublished {
        /// Who.
        participant: Box<wire::ParticipantInfo>,
        /// What.
        track: Box<wire::TrackInfo>,
    },
    /// A track was muted or let speak again.
    TrackMuted {
        /// Who.
        participant: Box<wire::ParticipantInfo>,
        /// Which, with its state.
        track: Box<wire::TrackInfo>,
    },
    /// Somebody's name, metadata, attributes or permission changed.
    ParticipantChanged(Box<wire::ParticipantInfo>),
    /// The room's metadata, lock or recording mark changed.
    RoomChanged(Box<wire::Room>),
    /// Somebody wrote: a chat message, whole, in whichever way it came.
    Chat {
        /// The writer's identity.
        identity: String,
        /// The writer's name.
        name: String,
        /// The message's own id; empty when it has none.
        id: String,
        /// What they wrote.
        text: String,
    },
    /// A data message that is for everybody.
    Data {
        /// The sender's identity; empty: the server.
        identity: String,
        /// Its topic.
        topic: String,
        /// What it says.
        bytes: bytes::Bytes,
    },
    /// Somebody waits to be admitted.
    Knocked {
        /// Who.
        identity: String,
        /// What they call themselves.
        name: String,
    },
    /// The ones who speak, loudest first.
    Speakers(Vec<String>),
}
