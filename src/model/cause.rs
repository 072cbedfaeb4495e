//! Why a leg or a call ended.

use serde::{Deserialize, Serialize};

/// Why a leg ended. Stored as its code, shown as a sentence by the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// A party hung up after talking.
    Normal,
    /// The caller gave up before an answer.
    Cancelled,
    /// The callee was busy.
    Busy,
    /// Nobody answered within the ring time.
    NoAnswer,
    /// The callee refused.
    Rejected,
    /// Nobody has this number.
    NotFound,
    /// The callee has no device that can be reached now.
    Unreachable,
    /// The caller may not place this call.
    Forbidden,
    /// The call reached its permitted length.
    MaxDuration,
    /// No audio arrived for too long.
    MediaTimeout,
    /// The two sides share no codec.
    NoCodec,
    /// We are at a limit and refused.
    Congestion,
    /// The provider or phone answered with an error.
    ProviderError,
    /// The daemon is shutting down.
    Shutdown,
    /// The daemon ended without closing the call; found at the next start.
    DaemonRestart,
    /// An administrator or a program ended the call.
    Administrative,
    /// The flow ended the call.
    FlowEnded,
    /// Another device answered first.
    AnsweredElsewhere,
    /// Something went wrong on our side.
    InternalError,
}

impl HangupCause {
    /// Every cause, in the order of the enum.
    pub const ALL: [Self; 19] = [
        Self::Normal,
        Self::Cancelled,
        Self::Busy,
        Self::NoAnswer,
        Self::Rejected,
        Self::NotFound,
        Self::Unreachable,
        Self::Forbidden,
        Self::MaxDuration,
        Self::MediaTimeout,
        Self::NoCodec,
        Self::Congestion,
        Self::ProviderError,
        Self::Shutdown,
        Self::DaemonRestart,
        Self::Administrative,
        Self::FlowEnded,
        Self::AnsweredElsewhere,
        Self::InternalError,
    ];

    /// The stable code used in rows, JSON and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::Unreachable => "unreachable",
            Self::Forbidden => "forbidden",
            Self::MaxDuration => "max_duration",
            Self::MediaTimeout => "media_timeout",
            Self::NoCodec => "no_codec",
            Self::Congestion => "congestion",
            Self::ProviderError => "provider_error",
            Self::Shutdown => "shutdown",
            Self::DaemonRestart => "daemon_restart",
            Self::Administrative => "administrative",
            Self::FlowEnded => "flow_ended",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::InternalError => "internal_error",
        }
    }

    /// The cause of a code, or `None` for an unknown one.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.code() == code)
    }
}

impl std::fmt::Display for HangupCause {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_found_by_its_code_and_serialises_as_it() {
        for cause in HangupCause::ALL {
            assert_eq!(HangupCause::from_code(cause.code()), Some(cause));
            assert_eq!(serde_json::to_string(&cause).unwrap(), format!("\"{}\"", cause.code()));
        }
    }
}
