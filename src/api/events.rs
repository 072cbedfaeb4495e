//! `GET /api/events`: what happens to the tenant's calls, as server-sent events.

use crate::caller::Caller;
use crate::live::LiveEventJson;
use crate::problem::Problem;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use std::convert::Infallible;
use strowger_model::TenantId;
use strowger_model::role::Permission;
use strowger_switch::live::SwitchEvent;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Events of the tenant's calls, as they happen.
///
/// Each has an `id`; a client that comes back with `Last-Event-ID` gets what it missed, or an event
/// `lost` when that is no longer remembered: read the call log then.
#[utoipa::path(
    get, path = "/api/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen.")),
    responses(
        (status = 200, description = "A stream of events", content_type = "text/event-stream", body = LiveEventJson),
        (status = 401, description = "No valid token", body = crate::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The token's role does not allow it", body = crate::problem::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.may(Permission::ReadAllCalls)?;
    let tenant = caller.tenant();
    // Subscribed before the past is read, so that nothing falls between; what comes twice is dropped
    // by its number.
    let receiver = state.calls.subscribe();
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let missed = last.map(|last| state.calls.since(tenant, last));
    let (lost, past) = match missed {
        None => (false, Vec::new()),
        Some(None) => (true, Vec::new()),
        Some(Some(past)) => (false, past),
    };
    let seen = past
        .last()
        .map(|event| event.sequence)
        .or(last.filter(|_| !lost))
        .unwrap_or(0);
    let before = lost
        .then(lost_event)
        .into_iter()
        .chain(past.into_iter().map(write))
        .collect::<Vec<_>>();
    let all = stream::iter(before).chain(follow(receiver, tenant, seen)).map(Ok);
    let stream = all.take_until(state.ending.clone().cancelled_owned());
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn follow(receiver: Receiver<SwitchEvent>, tenant: TenantId, seen: u64) -> impl Stream<Item = Event> {
    stream::unfold((receiver, seen), move |(mut receiver, seen)| async move {
        loop {
            match receiver.recv().await {
                Ok(event) if event.call.tenant == tenant && event.sequence > seen => {
                    let sequence = event.sequence;
                    return Some((write(event), (receiver, sequence)));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some((lost_event(), (receiver, seen))),
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn write(event: SwitchEvent) -> Event {
    let frame = Event::default().id(event.sequence.to_string()).event(event.kind.code());
    let data = serde_json::to_string(&LiveEventJson::from(event)).unwrap_or_default();
    frame.data(data)
}

fn lost_event() -> Event {
    Event::default().event("lost").data("{}")
}
