//! Causes as SIP statuses and back: the one table of this boundary.

use strowger_ivr::DialOutcome;
use strowger_model::HangupCause;
use strowger_rooms::protocol::DisconnectReason;

/// Why a call that was refused with `status` ended.
#[must_use]
pub const fn of_status(status: u16) -> HangupCause {
    match status {
        401..=403 | 405..=407 | 423 => HangupCause::Forbidden,
        404 | 410 | 416 | 484 | 485 | 604 => HangupCause::NotFound,
        408 => HangupCause::NoAnswer,
        480 | 430 => HangupCause::Unreachable,
        486 | 600 => HangupCause::Busy,
        487 => HangupCause::Cancelled,
        488 | 415 | 606 => HangupCause::NoCodec,
        503 => HangupCause::Congestion,
        603 | 607 | 608 => HangupCause::Rejected,
        _ => HangupCause::ProviderError,
    }
}

/// Whether a refusal speaks of the provider and not of the called party, so that another provider may do better.
///
/// RFC 3263 §4.3 goes on after 503, a timeout and a transport that fails; Kamailio's and OpenSIPS' dispatchers after
/// 408 and every 5xx, and so do we. What 4xx and 6xx say, 480 included, another provider would only say again, and a
/// 403 that keeps a number from being called must not be walked around. A 408 after ringing is a phone that nobody
/// picked up: the caller of this function knows whether it rang.
#[must_use]
pub const fn is_of_provider(status: u16) -> bool {
    matches!(status, 408 | 500..=599)
}

/// The status and reason phrase that refuse a caller for a cause.
#[must_use]
pub const fn status(cause: HangupCause) -> (u16, &'static str) {
    match cause {
        HangupCause::NotFound => (404, "Not Found"),
        HangupCause::Forbidden => (403, "Forbidden"),
        HangupCause::Busy => (486, "Busy Here"),
        HangupCause::Rejected => (603, "Decline"),
        HangupCause::NoAnswer
        | HangupCause::Unreachable
        | HangupCause::AnsweredElsewhere
        | HangupCause::Normal
        | HangupCause::FlowEnded
        | HangupCause::MaxDuration
        | HangupCause::Administrative => (480, "Temporarily Unavailable"),
        HangupCause::Cancelled => (487, "Request Terminated"),
        HangupCause::NoCodec => (488, "Not Acceptable Here"),
        HangupCause::Congestion | HangupCause::Shutdown | HangupCause::DaemonRestart => (503, "Service Unavailable"),
        HangupCause::ProviderError | HangupCause::MediaTimeout => (502, "Bad Gateway"),
        HangupCause::InternalError => (500, "Server Internal Error"),
    }
}

/// The `Reason` header of a BYE (RFC 3326), where the far end can use it.
#[must_use]
pub fn reason(cause: HangupCause) -> Option<String> {
    let (q850, text) = match cause {
        HangupCause::MaxDuration => (102, "maximum call duration reached"),
        HangupCause::MediaTimeout => (127, "no media"),
        HangupCause::Shutdown => (41, "shutting down"),
        HangupCause::NoCodec => (88, "no common codec"),
        HangupCause::InternalError => (41, "internal error"),
        HangupCause::DaemonRestart => (41, "Restarted"),
        HangupCause::Normal
        | HangupCause::Cancelled
        | HangupCause::Busy
        | HangupCause::NoAnswer
        | HangupCause::Rejected
        | HangupCause::NotFound
        | HangupCause::Unreachable
        | HangupCause::Forbidden
        | HangupCause::Congestion
        | HangupCause::ProviderError
        | HangupCause::Administrative
        | HangupCause::FlowEnded
        | HangupCause::AnsweredElsewhere => return None,
    };
    Some(format!("Q.850;cause={q850};text=\"{text}\""))
}

/// What members of a room are told of a phone that was called into it and never came, in the words of their clients.
#[must_use]
pub const fn disconnect(cause: HangupCause) -> DisconnectReason {
    match cause {
        HangupCause::NoAnswer | HangupCause::Unreachable | HangupCause::NotFound | HangupCause::Cancelled => {
            DisconnectReason::UserUnavailable
        }
        HangupCause::Busy | HangupCause::Rejected | HangupCause::Forbidden | HangupCause::NoCodec => {
            DisconnectReason::UserRejected
        }
        HangupCause::Congestion | HangupCause::ProviderError => DisconnectReason::SipTrunkFailure,
        HangupCause::MediaTimeout => DisconnectReason::MediaFailure,
        HangupCause::Shutdown | HangupCause::DaemonRestart => DisconnectReason::ServerShutdown,
        HangupCause::InternalError => DisconnectReason::UnknownReason,
        HangupCause::Normal
        | HangupCause::MaxDuration
        | HangupCause::Administrative
        | HangupCause::FlowEnded
        | HangupCause::AnsweredElsewhere => DisconnectReason::ClientInitiated,
    }
}

/// How a flow is told that nobody answered.
#[must_use]
pub const fn outcome(cause: HangupCause) -> DialOutcome {
    match cause {
        HangupCause::Busy => DialOutcome::Busy,
        HangupCause::NoAnswer => DialOutcome::NoAnswer,
        HangupCause::Rejected => DialOutcome::Rejected,
        HangupCause::Cancelled | HangupCause::AnsweredElsewhere | HangupCause::Administrative => DialOutcome::Cancelled,
        HangupCause::Normal
        | HangupCause::NotFound
        | HangupCause::Unreachable
        | HangupCause::Forbidden
        | HangupCause::MaxDuration
        | HangupCause::MediaTimeout
        | HangupCause::NoCodec
        | HangupCause::Congestion
        | HangupCause::ProviderError
        | HangupCause::Shutdown
        | HangupCause::DaemonRestart
        | HangupCause::FlowEnded
        | HangupCause::InternalError => DialOutcome::Failed,
    }
}

/// How telling a cause is when several phones gave one each: the highest is the caller's.
pub(crate) const fn weight(cause: HangupCause) -> u8 {
    match cause {
        HangupCause::Rejected => 9,
        HangupCause::Busy => 8,
        HangupCause::NoAnswer => 7,
        HangupCause::NoCodec => 6,
        HangupCause::Unreachable => 5,
        HangupCause::NotFound => 4,
        HangupCause::Congestion => 3,
        HangupCause::Forbidden => 2,
        HangupCause::ProviderError => 1,
        HangupCause::Normal
        | HangupCause::Cancelled
        | HangupCause::MaxDuration
        | HangupCause::MediaTimeout
        | HangupCause::Shutdown
        | HangupCause::DaemonRestart
        | HangupCause::Administrative
        | HangupCause::FlowEnded
        | HangupCause::AnsweredElsewhere
        | HangupCause::InternalError => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_passed_on_as_what_it_meant() {
        for (theirs, ours) in [
            (486, 486),
            (600, 486),
            (404, 404),
            (480, 480),
            (408, 480),
            (603, 603),
            (488, 488),
            (503, 503),
            (500, 502),
        ] {
            assert_eq!(status(of_status(theirs)).0, ours, "{theirs}");
        }
    }

    #[test]
    fn who_was_called_into_a_room_in_vain_is_said_to_be_away_unwilling_or_out_of_reach() {
        for (status, told) in [
            (404, DisconnectReason::UserUnavailable),
            (408, DisconnectReason::UserUnavailable),
            (480, DisconnectReason::UserUnavailable),
            (403, DisconnectReason::UserRejected),
            (486, DisconnectReason::UserRejected),
            (488, DisconnectReason::UserRejected),
            (600, DisconnectReason::UserRejected),
            (603, DisconnectReason::UserRejected),
            (500, DisconnectReason::SipTrunkFailure),
            (503, DisconnectReason::SipTrunkFailure),
        ] {
            assert_eq!(disconnect(of_status(status)), told, "{status}");
        }
    }

    #[test]
    fn every_cause_refuses_with_a_final_status() {
        for cause in HangupCause::ALL {
            assert!((400..700).contains(&status(cause).0));
        }
    }
}
