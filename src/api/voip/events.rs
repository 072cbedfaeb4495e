//! `GET /api/voip/events`: what happens to calls, over a WebSocket. A frame is one event in JSON.

use super::refused;
use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::rooms::known_user;
use crate::state::ApiState;
use crate::wire::stamp;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strowger_model::role::Permission;
use strowger_model::{CallState, HangupCause, TenantId, UserId};
use strowger_switch::browser::{Owner, Refused};
use strowger_switch::io::PhonePage;
use strowger_switch::live::{EventKind, SwitchEvent};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How often a listener is asked whether it lives.
const BEAT: Duration = Duration::from_secs(20);

/// A listener of which nothing was heard for so long is gone: it answers every beat.
const SILENCE: Duration = Duration::from_secs(65);

/// Frames of listeners have nothing to say.
const MESSAGE_BYTES: usize = 1_024;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// Whose events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Calls this user places, is called in or is rung for; all of the tenant when absent.
    #[serde(alias = "userId")]
    user_id: Option<Uuid>,
    /// Whether the user is rung here, like on a phone, while the connection stands.
    ring: Option<bool>,
}

/// What happened to a call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallEventJson {
    /// Counts up over all events of this run of the daemon.
    id: u64,
    /// The tenant.
    tenant_id: Uuid,
    /// The user who calls, where it is one of the tenant's.
    caller_id: Option<Uuid>,
    /// The user who is called or was reached, where it is one of the tenant's.
    callee_id: Option<Uuid>,
    /// The meeting the call is in, if it is in one.
    room_name: Option<String>,
    /// `CALL_STARTED`, `RINGING`, `ACCEPTED`, `REJECTED`, `ENDED` or `MISSED`.
    event_type: &'static str,
    /// The call as it stood then.
    payload: PayloadJson,
    /// When.
    created_at: String,
}

/// The call of an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayloadJson {
    /// The call.
    call_id: Uuid,
    /// `INITIATED`, `RINGING`, `ACTIVE`, `COMPLETED`, `CANCELLED`, `MISSED` or `FAILED`.
    status: &'static str,
    /// `inbound`, `outbound` or `internal`.
    direction: &'static str,
    /// The caller's number.
    from_number: String,
    /// The caller's name, where known.
    from_name: Option<String>,
    /// The dialled number.
    to_number: String,
    /// When it began.
    start_time: String,
    /// When it was answered.
    answer_time: Option<String>,
    /// Why it ended, once it has.
    hangup_cause: Option<&'static str>,
}

/// What happens to calls, as it happens: a WebSocket whose frames are events in JSON.
///
/// An event that a slow listener missed is not sent again; `GET /api/voip/history` tells what became of calls.
#[utoipa::path(
    get, path = "/api/voip/events", tag = "voip", params(EventsQuery),
    responses((status = 101, description = "A WebSocket; each frame is one event", body = CallEventJson), Refusals)
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    caller: Caller,
    Asked(query): Asked<EventsQuery>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let tenant = caller.tenant();
    let user = match query.user_id {
        Some(user) => {
            let scope = caller
                .may(Permission::UsePhone)
                .or_else(|_| caller.may(Permission::ReadAllCalls))?;
            Some(known_user(&scope, "userId", user).await?)
        }
        None => {
            caller.may(Permission::ReadAllCalls)?;
            None
        }
    };
    let page = match (user, query.ring.unwrap_or(false)) {
        (_, false) => None,
        (None, true) => return Err(Problem::field("userId", "say who is rung")),
        (Some(user), true) => {
            caller.may(Permission::UsePhone)?;
            let phones = state.phones.as_ref().ok_or_else(|| refused(Refused::NoRooms))?;
            Some(phones.open_phone_page(Owner { tenant, user }).await.map_err(refused)?)
        }
    };
    let not_here = |_| Problem::field("(connection)", "connect with a WebSocket");
    let upgrade = upgrade.map_err(not_here)?;
    let listener = Listener {
        tenant,
        user,
        events: state.calls.subscribe(),
        page,
        ending: state.ending.clone(),
    };
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| listener.carry(socket)))
}

struct Listener {
    tenant: TenantId,
    user: Option<UserId>,
    events: Receiver<SwitchEvent>,
    /// Rings while it is held.
    page: Option<PhonePage>,
    ending: CancellationToken,
}

impl Listener {
    async fn carry(mut self, mut socket: WebSocket) {
        let mut beat = tokio::time::interval(BEAT);
        beat.reset();
        // One task reads and writes; a branch that loses has only been waiting.
        loop {
            let frame = tokio::select! {
                () = self.ending.cancelled() => return,
                event = self.events.recv() => match event {
                    Ok(event) => match self.write(&event) {
                        Some(text) => Message::Text(text.into()),
                        None => continue,
                    },
                    // What was missed stands in the history.
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
                // How things stand is in the events already; a page that was closed for not reading opens anew.
                stands = next_word(&mut self.page) => if stands { continue } else { return },
                heard = tokio::time::timeout(SILENCE, socket.recv()) => match heard.ok().flatten() {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => continue,
                },
                _ = beat.tick() => Message::Ping(Vec::new().into()),
            };
            if socket.send(frame).await.is_err() {
                return;
            }
        }
    }

    fn write(&self, event: &SwitchEvent) -> Option<String> {
        let call = &event.call;
        let concerns = self.user.is_none_or(|user| call.users.contains(&user));
        if call.tenant != self.tenant || !concerns {
            return None;
        }
        let event = CallEventJson {
            id: event.sequence,
            tenant_id: call.tenant.uuid(),
            caller_id: call.caller.map(|user| user.uuid()),
            callee_id: call.callee.map(|user| user.uuid()),
            room_name: call.room.as_ref().map(|room| room.name.clone()),
            event_type: word(event.kind, call.state)?,
            payload: PayloadJson {
                call_id: call.id.uuid(),
                status: call.state.seed_word(),
                direction: call.direction.code(),
                from_number: call.from_number.clone(),
                from_name: call.from_name.clone(),
                to_number: call.to_number.clone(),
                start_time: stamp(call.started_at),
                answer_time: call.answered_at.map(stamp),
                hangup_cause: event.cause.map(HangupCause::code),
            },
            created_at: stamp(event.at),
        };
        serde_json::to_string(&event).ok()
    }
}

/// Whether the page still stands, once it was told something; waits for ever where there is none.
async fn next_word(page: &mut Option<PhonePage>) -> bool {
    match page {
        Some(page) => page.words.recv().await.is_some(),
        None => std::future::pending().await,
    }
}

/// The seeds' word for what happened; `None` for what they have none for.
const fn word(kind: EventKind, state: CallState) -> Option<&'static str> {
    Some(match (kind, state) {
        (EventKind::Started, _) => "CALL_STARTED",
        (EventKind::Ringing, _) => "RINGING",
        (EventKind::Accepted, _) => "ACCEPTED",
        (EventKind::Rejected, _) => "REJECTED",
        // Nobody took it, whichever way it went.
        (EventKind::Ended, CallState::NoAnswer) | (EventKind::Missed, _) => "MISSED",
        (EventKind::Ended, _) => "ENDED",
        (EventKind::Changed, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_words_of_the_seeds() {
        let words = [
            (EventKind::Started, CallState::Initiated, Some("CALL_STARTED")),
            (EventKind::Ringing, CallState::Ringing, Some("RINGING")),
            (EventKind::Accepted, CallState::Active, Some("ACCEPTED")),
            (EventKind::Changed, CallState::Active, None),
            (EventKind::Ended, CallState::Completed, Some("ENDED")),
            (EventKind::Ended, CallState::Cancelled, Some("ENDED")),
            (EventKind::Ended, CallState::NoAnswer, Some("MISSED")),
            (EventKind::Missed, CallState::Missed, Some("MISSED")),
            (EventKind::Rejected, CallState::NoAnswer, Some("REJECTED")),
        ];
        for (kind, state, expected) in words {
            assert_eq!(word(kind, state), expected, "{kind:?} {state:?}");
        }
    }
}
