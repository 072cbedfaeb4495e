//! Calling phones into rooms, and leading them out to somebody else.

use super::{of_cause, trunks};
use crate::livekit::twirp::{Code, Context, TwirpError};
use std::time::Duration;
use strowger_model::{CallId, HangupCause, Metadata};
use strowger_rooms::protocol as wire;
use strowger_switch::entrance::{DialIntoRoom, IntoRoom, WayIn};
use strowger_switch::io::DialError;
use strowger_switch::live::{EventKind, PlaceCall, PlaceError, SwitchEvent};
use tokio::sync::broadcast;
use wire::{SipTransferReason, SipTransferStatus};

/// The longest a phone may be rung.
const LONGEST_RING: Duration = Duration::from_secs(600);

fn span(duration: Option<pbjson_types::Duration>) -> Option<Duration> {
    let seconds = u64::try_from(duration?.seconds).ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Keys as the protocol writes them: digits, `*`, `#`, and `w` for half a second's pause.
fn keys(text: &str) -> Result<String, TwirpError> {
    let key = |character: char| character.is_ascii_digit() || "*#wWABCD".contains(character);
    if text.len() <= 100 && text.chars().all(key) {
        Ok(text.to_owned())
    } else {
        Err(TwirpError::invalid("dtmf holds digits, *, # and w for a pause"))
    }
}

pub(super) async fn create(
    on: Context,
    request: wire::CreateSipParticipantRequest,
) -> Result<wire::SipParticipantInfo, TwirpError> {
    on.need(|grants| grants.sip_call)?;
    let room = on.room(&request.room_name)?;
    on.rooms()?;
    if request.sip_call_to.is_empty() {
        return Err(TwirpError::invalid("missing sip callee number"));
    }
    if request.trunk.is_some() {
        return Err(TwirpError::unimplemented(
            "make an outbound trunk and name it: sip_trunk_id",
        ));
    }
    let (trunk, shown) = if request.sip_trunk_id.is_empty() {
        // Without a trunk the call goes where the tenant's own would: to an extension, or out by prefix.
        (None, None)
    } else {
        let (trunk, shown) = trunks::behind(&on, &request.sip_trunk_id).await?;
        (Some(trunk), shown)
    };
    let from = shown_number(&on, request.sip_number, shown).await?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    let ring_timeout = span(request.ringing_timeout).map(|timeout| timeout.min(LONGEST_RING));
    let dial = DialIntoRoom {
        order: PlaceCall {
            tenant: on.tenant(),
            user: None,
            from,
            to: request.sip_call_to,
            record: None,
            transcribe: false,
            ring_timeout,
            metadata: Metadata::default(),
            flow: None,
        },
        into: IntoRoom {
            way: WayIn {
                identity: given(request.participant_identity),
                name: given(request.participant_name),
                metadata: request.participant_metadata,
                attributes: request.participant_attributes.into_iter().collect(),
                hides_number: request.hide_phone_number,
                ..WayIn::to(room.name)
            },
            trunk,
            digits: keys(&request.dtmf)?,
            max_duration: span(request.max_call_duration),
        },
        wait_until_answered: request.wait_until_answered,
    };
    let dialled = on.state().calls.dial_into_room(dial).await.map_err(refused)?;
    Ok(wire::SipParticipantInfo {
        participant_id: dialled.participant.unwrap_or_default(),
        participant_identity: dialled.identity,
        room_name: request.room_name,
        sip_call_id: dialled.call.to_string(),
    })
}

/// The number a call shows: the one asked for, or the trunk's where it is one of the tenant's own.
async fn shown_number(on: &Context, asked: String, of_trunk: Option<String>) -> Result<Option<String>, TwirpError> {
    if !asked.is_empty() {
        return Ok(Some(asked));
    }
    let Some(number) = of_trunk else { return Ok(None) };
    let own = on.scope().numbers().by_number(&number).await?;
    Ok(own.map(|own| own.number))
}

fn refused(error: DialError) -> TwirpError {
    match error {
        DialError::Place(PlaceError::ForeignCaller) => {
            TwirpError::invalid("sip_number is not one of your numbers: add it in the console")
        }
        DialError::Place(PlaceError::NoRoute) => of_cause(HangupCause::NotFound),
        DialError::Place(PlaceError::Unreachable) => of_cause(HangupCause::Unreachable),
        DialError::Place(error @ PlaceError::Busy) => TwirpError::new(Code::ResourceExhausted, error.to_string()),
        DialError::Place(error @ PlaceError::ShuttingDown) => TwirpError::new(Code::Unavailable, error.to_string()),
        DialError::Unanswered(cause) => of_cause(cause),
    }
}

pub(super) async fn transfer(
    on: Context,
    request: wire::TransferSipParticipantRequest,
) -> Result<wire::TransferSipParticipantResponse, TwirpError> {
    on.need(|grants| grants.sip_call)?;
    let room = on.steer(&request.room_name)?;
    if request.transfer_to.is_empty() {
        return Err(TwirpError::invalid("missing transfer_to"));
    }
    let (calls, who) = (&on.state().calls, &request.participant_identity);
    let timeout = span(request.ringing_timeout).map(|timeout| timeout.min(LONGEST_RING));
    let phone = on.rooms()?.participant(&room, who).await?;
    let call: Option<CallId> = phone.attributes.get("sip.callID").and_then(|id| id.parse().ok());
    let events = calls.subscribe();
    let is_rung = calls
        .transfer_room_phone(&room, who, &request.transfer_to, timeout)
        .await;
    let (Some(call), true) = (call, is_rung) else {
        return Err(TwirpError::not_found(
            "there is no such phone in the room, or nobody who could be rung",
        ));
    };
    let (status, reason) = outcome(events, call).await;
    Ok(wire::TransferSipParticipantResponse {
        transfer_id: on.new_id("STX"),
        status: status.into(),
        reason: reason.into(),
        ..wire::TransferSipParticipantResponse::default()
    })
}

/// How a transfer ends: the phone talks with somebody else, comes back into the room, or hangs up.
async fn outcome(mut events: broadcast::Receiver<SwitchEvent>, call: CallId) -> (SipTransferStatus, SipTransferReason) {
    let mut has_left = false;
    // Ringing ends by itself; the limit is for events that were missed.
    let end = tokio::time::Instant::now() + LONGEST_RING;
    loop {
        match tokio::time::timeout_at(end, events.recv()).await {
            Err(_) | Ok(Err(broadcast::error::RecvError::Closed)) => {
                return (SipTransferStatus::StsTransferOngoing, SipTransferReason::default());
            }
            Ok(Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Ok(event)) if event.call.id == call => match (event.kind, event.call.doing) {
                (EventKind::Ended | EventKind::Missed | EventKind::Rejected, _) => {
                    return (SipTransferStatus::StsTransferFailed, SipTransferReason::StrCallEnded);
                }
                (_, "talking" | "held") => {
                    return (
                        SipTransferStatus::StsTransferSuccessful,
                        SipTransferReason::StrCompleted,
                    );
                }
                (_, "room") if has_left => {
                    return (
                        SipTransferStatus::StsTransferFailed,
                        SipTransferReason::StrRingingTimeout,
                    );
                }
                (_, "room") => {}
                (_, _) => has_left = true,
            },
            Ok(Ok(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_a_phone_has_are_pressed() {
        assert!(keys("1w2#*").is_ok() && keys("").is_ok());
        assert!(keys("1\r\nX").is_err() && keys(&"1".repeat(101)).is_err());
    }

    #[test]
    fn no_time_is_no_limit() {
        let of = |seconds| span(Some(pbjson_types::Duration { seconds, nanos: 0 }));
        assert_eq!((of(0), of(-1), of(5)), (None, None, Some(Duration::from_secs(5))));
    }
}
