//! How long things are kept.

use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

crate::call::coded! {
    /// What a retention rule is about.
    Kind {
        /// A call's row with its legs and notes.
        Call = "call",
        /// A recording with its transcript.
        Recording = "recording",
        /// A voicemail message with its audio and transcript.
        Voicemail = "voicemail",
    }
}

/// Days to keep, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPolicy {
    /// Days a call's row is kept.
    pub call_days: i64,
    /// Days a recording is kept.
    pub recording_days: i64,
    /// Days a message is kept.
    pub voicemail_days: i64,
    /// Days a call's signalling is kept; none is where it is nought.
    pub signalling_days: i64,
    /// Days the proof of a consent is kept.
    pub consent_days: i64,
    /// Days the proof of an erasure is kept.
    pub erasure_days: i64,
}

/// What is to become of a thing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Its time is not up.
    Keep {
        /// When it will be.
        until: OffsetDateTime,
    },
    /// Its time is up but a legal hold keeps it.
    Held,
    /// Its time is up.
    Remove,
}

impl RetentionPolicy {
    /// The policy that a tenant's settings make.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            call_days: settings.number("call_retention_days"),
            recording_days: settings.number("recording_retention_days"),
            voicemail_days: settings.number("voicemail_retention_days"),
            signalling_days: settings.number("signalling_retention_days"),
            consent_days: settings.number("consent_retention_days"),
            erasure_days: settings.number("erasure_retention_days"),
        }
    }

    /// The days for a kind.
    #[must_use]
    pub const fn days(&self, kind: Kind) -> i64 {
        match kind {
            Kind::Call => self.call_days,
            Kind::Recording => self.recording_days,
            Kind::Voicemail => self.voicemail_days,
        }
    }

    /// The youngest creation time whose time is up at `now`.
    #[must_use]
    pub fn limit(&self, kind: Kind, now: OffsetDateTime) -> OffsetDateTime {
        now - Duration::days(self.days(kind))
    }

    /// What is to become of a thing made at `created`.
    #[must_use]
    pub fn disposition(&self, kind: Kind, created: OffsetDateTime, held: bool, now: OffsetDateTime) -> Disposition {
        if created > self.limit(kind, now) {
            Disposition::Keep {
                until: created + Duration::days(self.days(kind)),
            }
        } else if held {
            Disposition::Held
        } else {
            Disposition::Remove
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_go_exactly_at_the_limit_and_never_under_a_hold() {
        let policy = RetentionPolicy {
            call_days: 90,
            recording_days: 90,
            voicemail_days: 30,
            signalling_days: 7,
            consent_days: 3650,
            erasure_days: 3650,
        };
        let created = OffsetDateTime::UNIX_EPOCH;
        let at = |days: i64| created + Duration::days(days);
        assert_eq!(
            policy.disposition(Kind::Recording, created, false, at(89)),
            Disposition::Keep { until: at(90) }
        );
        assert_eq!(
            policy.disposition(Kind::Recording, created, false, at(90)),
            Disposition::Remove
        );
        assert_eq!(
            policy.disposition(Kind::Recording, created, true, at(91)),
            Disposition::Held
        );
        assert_eq!(
            policy.disposition(Kind::Voicemail, created, false, at(30)),
            Disposition::Remove
        );
    }
}
