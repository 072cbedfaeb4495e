//! What can go wrong with an order, and why somebody may not come in.

/// Why an order about a room was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// There is no such room.
    #[error("no such room")]
    NoRoom,
    /// Nobody of that identity is in the room.
    #[error("no such participant")]
    NoParticipant,
    /// The room has no such track.
    #[error("no such track")]
    NoTrack,
    /// The order makes no sense; says why.
    #[error("{0}")]
    Invalid(&'static str),
    /// The order is not allowed.
    #[error("not allowed")]
    NotAllowed,
    /// The machine or the room is at its limit.
    #[error("limit reached")]
    Full,
    /// The other side did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The other side answered with an error of its own.
    #[error("the participant answered {code}: {message}")]
    Answered {
        /// Its number.
        code: u32,
        /// Its words.
        message: String,
    },
    /// Rooms are switched off or the daemon is ending.
    #[error("rooms are not running")]
    NotRunning,
}

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefused {
    /// The token does not allow it.
    #[error("not allowed")]
    NotAllowed,
    /// The room or the machine is full.
    #[error("the room is full")]
    Full,
    /// The room is locked.
    #[error("the room is locked")]
    Locked,
    /// Somebody has to admit them first.
    #[error("waiting to be admitted")]
    Waiting,
    /// The meeting was ended for everybody, and nobody has opened it since.
    #[error("the meeting was ended")]
    Over,
    /// There is nothing to resume: come in anew.
    #[error("no such session")]
    UnknownSession,
    /// The request makes no sense; says why.
    #[error("{0}")]
    Invalid(&'static str),
    /// Rooms are switched off or the daemon is ending.
    #[error("rooms are not running")]
    NotRunning,
}
