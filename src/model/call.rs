//! What a call is and how its state may change.

use crate::HangupCause;
use serde::{Deserialize, Serialize};

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $code)] $variant,)* }

        impl $name {
            /// Every value, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code used in rows, JSON and logs.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The value of a code, or `None` for an unknown one.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.code())
            }
        }
    };
}
pub(crate) use coded;

coded! {
    /// What came of telling a party that a call is to be recorded.
    ConsentOutcome {
        /// It heard the announcement or the beep.
        Announced = "announced",
        /// It was asked and agreed.
        Agreed = "agreed",
        /// It was asked and refused: nothing of the call is recorded from there on.
        Refused = "refused",
        /// It was asked and pressed nothing: as if it had refused.
        Unanswered = "unanswered",
        /// It could not be told: as if it had refused.
        Unheard = "unheard",
    }
}

coded! {
    /// The state of a call. The first three are live, the others final.
    CallState {
        /// The call exists; nobody rings yet.
        Initiated = "initiated",
        /// Somebody is being rung.
        Ringing = "ringing",
        /// The caller was answered, by a person, a flow or a mailbox.
        Active = "active",
        /// The caller gave up before an answer.
        Cancelled = "cancelled",
        /// An inbound call that nobody and nothing answered.
        Missed = "missed",
        /// Answered and ended in order.
        Completed = "completed",
        /// An outbound or internal call that nobody answered within the ring time.
        NoAnswer = "no_answer",
        /// The callee was busy.
        Busy = "busy",
        /// The call could not be made or broke.
        Failed = "failed",
    }
}

coded! {
    /// Which way a call went, seen from the tenant.
    Direction {
        /// From a trunk to us.
        Inbound = "inbound",
        /// From us to a trunk.
        Outbound = "outbound",
        /// Between devices of one tenant.
        Internal = "internal",
    }
}

coded! {
    /// Who is talking to whom (the seeds' call types).
    CallType {
        /// Two users of a tenant.
        Internal = "INTERNAL",
        /// A customer calls us.
        CustomerInbound = "CUSTOMER_INBOUND",
        /// We call a customer.
        CustomerOutbound = "CUSTOMER_OUTBOUND",
        /// Members of a room.
        Meeting = "MEETING",
    }
}

impl CallState {
    /// Whether the call is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Initiated | Self::Ringing | Self::Active => false,
            Self::Cancelled | Self::Missed | Self::Completed | Self::NoAnswer | Self::Busy | Self::Failed => true,
        }
    }

    /// Whether a call may go from this state to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Initiated => !matches!(next, Self::Initiated | Self::Completed),
            Self::Ringing => !matches!(next, Self::Initiated | Self::Ringing | Self::Completed),
            Self::Active => matches!(next, Self::Completed | Self::Failed),
            Self::Cancelled | Self::Missed | Self::Completed | Self::NoAnswer | Self::Busy | Self::Failed => false,
        }
    }

    /// The final state of a call that ended with `cause`.
    #[must_use]
    pub const fn at_end(self, direction: Direction, cause: HangupCause) -> Self {
        if matches!(self, Self::Active) {
            return match cause {
                HangupCause::DaemonRestart | HangupCause::InternalError => Self::Failed,
                HangupCause::Normal
                | HangupCause::Cancelled
                | HangupCause::Busy
                | HangupCause::NoAnswer
                | HangupCause::Rejected
                | HangupCause::NotFound
                | HangupCause::Unreachable
                | HangupCause::Forbidden
                | HangupCause::MaxDuration
                | HangupCause::MediaTimeout
                | HangupCause::NoCodec
                | HangupCause::Congestion
                | HangupCause::ProviderError
                | HangupCause::Shutdown
                | HangupCause::Administrative
                | HangupCause::FlowEnded
                | HangupCause::AnsweredElsewhere => Self::Completed,
            };
        }
        match cause {
            HangupCause::Cancelled => Self::Cancelled,
            HangupCause::Busy => Self::Busy,
            HangupCause::NoAnswer | HangupCause::Unreachable | HangupCause::Rejected => match direction {
                Direction::Inbound => Self::Missed,
                Direction::Outbound | Direction::Internal => Self::NoAnswer,
            },
            HangupCause::Normal
            | HangupCause::NotFound
            | HangupCause::Forbidden
            | HangupCause::MaxDuration
            | HangupCause::MediaTimeout
            | HangupCause::NoCodec
            | HangupCause::Congestion
            | HangupCause::ProviderError
            | HangupCause::Shutdown
            | HangupCause::DaemonRestart
            | HangupCause::Administrative
            | HangupCause::FlowEnded
            | HangupCause::AnsweredElsewhere
            | HangupCause::InternalError => Self::Failed,
        }
    }

    /// The seeds' upper-case word for this state.
    #[must_use]
    pub const fn seed_word(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::Ringing => "RINGING",
            Self::Active => "ACTIVE",
            Self::Cancelled => "CANCELLED",
            Self::Missed | Self::NoAnswer => "MISSED",
            Self::Completed => "COMPLETED",
            Self::Busy | Self::Failed => "FAILED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_follows_a_final_state_and_live_states_only_go_forward() {
        for &from in CallState::ALL {
            for &to in CallState::ALL {
                let allowed = from.may_become(to);
                if from.is_final() || from == to || to == CallState::Initiated {
                    assert!(!allowed, "{from} -> {to}");
                }
                if to == CallState::Completed {
                    assert_eq!(allowed, from == CallState::Active);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn every_end_is_a_legal_final_state(state in 0usize..3, direction in 0usize..3, cause in 0usize..19) {
            let state = CallState::ALL[state];
            let end = state.at_end(Direction::ALL[direction], HangupCause::ALL[cause]);
            prop_assert!(end.is_final());
            prop_assert!(state.may_become(end), "{state} -> {end}");
        }
    }
}
