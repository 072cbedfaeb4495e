//! A call as programs see it: the seeds' keys, and ours beside them.

use crate::wire::{seconds, stamp};
use serde::Serialize;
use strowger_model::record::{Call, CallEvent, Consent, Leg, Quality};
use strowger_model::{CallId, Metadata};
use strowger_store::{Beside, Ended};
use utoipa::ToSchema;
use uuid::Uuid;

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallJson {
    /// Its id.
    pub id: Uuid,
    /// Its tenant.
    pub tenant_id: Uuid,
    /// Who was called, or who calls.
    pub user_id: Option<Uuid>,
    /// The id in Twilio's form, for programs written against it.
    #[schema(example = "CA0192f0c05b7a7c0cb2f7c6f2c3a1d4e5")]
    pub twilio_call_sid: String,
    /// `inbound`, `outbound` or `internal`.
    pub direction: &'static str,
    /// `INTERNAL`, `CUSTOMER_INBOUND` or `CUSTOMER_OUTBOUND`.
    pub call_type: &'static str,
    /// `initiated`, `ringing`, `active`, `completed`, `missed`, `no_answer`, `busy`, `cancelled` or `failed`.
    pub status: &'static str,
    /// The caller's number.
    pub from_number: String,
    /// The caller's name, where known.
    pub from_name: Option<String>,
    /// The dialled number.
    pub to_number: String,
    /// When it began, RFC 3339.
    pub start_time: String,
    /// When it was answered.
    pub answer_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// From answer to end; 0 when never answered.
    pub duration_seconds: i64,
    /// The same in milliseconds.
    pub duration_ms: i64,
    /// Why it ended.
    pub hangup_cause: Option<&'static str>,
    /// Where its audio is, once it is ready.
    pub recording_url: Option<String>,
    /// The recording's id in Twilio's form.
    pub recording_sid: Option<String>,
    /// The recording's id.
    pub recording_id: Option<Uuid>,
    /// The id of its transcript.
    pub transcription_id: Option<Uuid>,
    /// What it cost; 0 until rated.
    pub cost: f64,
    /// The currency of the cost.
    pub currency: String,
    /// How it ended up, once it is over: `answered`, `missed`, `voicemail` or another end by itself, or a word that a
    /// person gave it.
    pub disposition: Option<String>,
    /// How it seems to have ended, by what was said in it: `resolved`, `follow_up`, `callback_promised`, `appointment`,
    /// `sale`, `complaint_open`, `not_interested`, `wrong_number`, `voicemail` or `no_result`.
    pub suggested_disposition: Option<String>,
    /// What it was about, what was heard most first: names of lists, and words that were said.
    pub topics: Vec<String>,
    /// What a person noted.
    pub notes: String,
    /// What the program that placed it gave along, as it came.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Its legs, in the answer for one call only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legs: Option<Vec<LegJson>>,
    /// What happened, in order, in the answer for one call only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventJson>>,
    /// What its parties were told and answered before they were recorded, in the answer for one call only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consents: Option<Vec<ConsentJson>>,
}

/// What a party of a call was told before it was recorded, and what it answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentJson {
    /// When.
    pub at: String,
    /// Its leg.
    pub leg_id: Option<Uuid>,
    /// Its number or name.
    pub party: String,
    /// `announced`, `agreed`, `refused`, `unanswered` or `unheard`.
    pub outcome: &'static str,
    /// The key it pressed.
    pub digit: Option<String>,
    /// What it was told, word for word; empty where only a beep sounded.
    pub text: String,
}

impl From<Consent> for ConsentJson {
    fn from(consent: Consent) -> Self {
        Self {
            at: stamp(consent.at),
            leg_id: consent.leg.map(|leg| leg.uuid()),
            party: consent.party,
            outcome: consent.outcome.code(),
            digit: consent.digit.map(String::from),
            text: consent.text,
        }
    }
}

/// One party's connection within a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegJson {
    /// Its id.
    pub id: Uuid,
    /// `caller` or `callee`.
    pub side: String,
    /// Who is at the other end.
    pub party: String,
    /// The device, if it is one of the tenant's.
    pub device_id: Option<Uuid>,
    /// The trunk, if it goes through one.
    pub trunk_id: Option<Uuid>,
    /// The SIP Call-ID.
    pub sip_call_id: String,
    /// The codec once agreed.
    pub codec: Option<String>,
    /// When it began.
    pub start_time: String,
    /// When it was answered.
    pub answer_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// Why it ended.
    pub hangup_cause: Option<&'static str>,
    /// What RTP and RTCP said, at its end.
    pub quality: Option<QualityJson>,
}

/// What RTP and RTCP said of a leg.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QualityJson {
    /// Packets received.
    pub packets_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets that never came.
    pub packets_lost: u64,
    /// Mean inter-arrival jitter.
    pub jitter_ms: f64,
    /// Round trip, where the far end reports.
    pub round_trip_ms: Option<f64>,
    /// Mean opinion score estimate, 1 to 4.5.
    pub mos: Option<f64>,
}

/// Something that happened in a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventJson {
    /// When.
    pub at: String,
    /// What, in a word.
    pub kind: String,
    /// The leg, where it concerns one.
    pub leg_id: Option<Uuid>,
    /// What is worth knowing.
    pub detail: String,
    /// Of `restart` and `re-attached`: the call that the talk goes on as after a restart of the daemon, or goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_call_id: Option<Uuid>,
}

/// The call's id in Twilio's form.
#[must_use]
pub(crate) fn call_sid(id: CallId) -> String {
    format!("CA{}", id.uuid().simple())
}

impl CallJson {
    /// Writes a call with what is shown beside it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no call costs nine quadrillion millionths")]
    pub(crate) fn of(call: Call, beside: Option<&Beside>) -> Self {
        let playable = beside.filter(|beside| beside.is_ready);
        Self {
            id: call.id.uuid(),
            tenant_id: call.tenant.uuid(),
            user_id: call.user.map(|user| user.uuid()),
            twilio_call_sid: call_sid(call.id),
            direction: call.direction.code(),
            call_type: call.call_type.code(),
            status: call.state.code(),
            from_number: call.from_number,
            from_name: call.from_name,
            to_number: call.to_number,
            start_time: stamp(call.started_at),
            answer_time: call.answered_at.map(stamp),
            end_time: call.ended_at.map(stamp),
            duration_seconds: seconds(call.duration_ms),
            duration_ms: call.duration_ms,
            hangup_cause: call.cause.map(strowger_model::HangupCause::code),
            recording_url: playable.map(|beside| format!("/api/recordings/{}/audio", beside.recording)),
            recording_sid: beside.map(|beside| format!("RE{}", beside.recording.uuid().simple())),
            recording_id: beside.map(|beside| beside.recording.uuid()),
            transcription_id: beside
                .and_then(|beside| beside.transcript)
                .map(|transcript| transcript.uuid()),
            cost: call.cost_micros as f64 / 1e6,
            currency: call.currency,
            disposition: None,
            suggested_disposition: None,
            topics: Vec::new(),
            notes: call.notes,
            metadata: call.metadata,
            tags: call.tags,
            legs: None,
            events: None,
            consents: None,
        }
    }
}

impl CallJson {
    /// The same with how the call ended up and what it was about.
    #[must_use]
    pub(super) fn ended(self, ended: Option<Ended>) -> Self {
        let ended = ended.unwrap_or_default();
        let some = |word: String| Some(word).filter(|word| !word.is_empty());
        Self {
            disposition: some(ended.disposition),
            suggested_disposition: some(ended.suggested),
            topics: ended.topics,
            ..self
        }
    }
}

impl From<Leg> for LegJson {
    fn from(leg: Leg) -> Self {
        Self {
            id: leg.id.uuid(),
            side: leg.side,
            party: leg.party,
            device_id: leg.device.map(|device| device.uuid()),
            trunk_id: leg.trunk.map(|trunk| trunk.uuid()),
            sip_call_id: leg.sip_call_id,
            codec: leg.codec,
            start_time: stamp(leg.started_at),
            answer_time: leg.answered_at.map(stamp),
            end_time: leg.ended_at.map(stamp),
            hangup_cause: leg.cause.map(strowger_model::HangupCause::code),
            quality: leg.quality.map(QualityJson::from),
        }
    }
}

impl From<Quality> for QualityJson {
    fn from(quality: Quality) -> Self {
        Self {
            packets_received: quality.received,
            packets_sent: quality.sent,
            packets_lost: quality.lost,
            jitter_ms: quality.jitter_ms,
            round_trip_ms: quality.round_trip_ms,
            mos: quality.mos,
        }
    }
}

impl From<CallEvent> for EventJson {
    fn from(event: CallEvent) -> Self {
        Self {
            other_call_id: event.other_half().map(|call| call.uuid()),
            at: stamp(event.at),
            kind: event.kind,
            leg_id: event.leg.map(|leg| leg.uuid()),
            detail: event.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::World as _;
    use strowger_model::world::SeededWorld;

    #[test]
    fn events_of_a_restart_name_the_other_call() {
        let world = SeededWorld::new(1, 0);
        let other = CallId::generate(&world);
        let event = |kind: &str, detail: String| {
            EventJson::from(CallEvent {
                at: world.now(),
                kind: kind.to_owned(),
                leg: None,
                detail,
            })
        };
        for (kind, words) in [
            (CallEvent::RESTART, "re-attached, goes on as call"),
            (CallEvent::REATTACHED, "continues call"),
        ] {
            let json = event(kind, format!("{words} {other}"));
            assert_eq!(json.other_call_id, Some(other.uuid()));
        }
        let ended = event(CallEvent::RESTART, "not re-attached: callee: gone".to_owned());
        assert_eq!(ended.other_call_id, None);
        assert_eq!(event("node", format!("room {other}")).other_call_id, None);
    }
}
