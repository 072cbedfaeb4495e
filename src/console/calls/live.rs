//! Calls in progress: the board, its events, and hanging up.

use super::list::{Live, live_page, live_table};
use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::show::page::Bodies;
use askama::Template;
use axum::extract::Path;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::time::Duration;
use strowger_model::role::Permission;
use strowger_model::{CallId, UserId};
use strowger_switch::live::LiveCall;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::Stream;

/// How often a board is drawn anew though nothing happened, so that its times go on.
const TICK: Duration = Duration::from_secs(5);

fn line(call: &LiveCall) -> Live {
    let callee = call.legs.iter().find(|leg| leg.side == "callee");
    let by = match (&call.node, call.doing) {
        (Some(node), _) => node.clone(),
        (None, doing) => doing.to_owned(),
    };
    let named = call.from_name.clone().filter(|name| !name.is_empty());
    Live {
        call: call.id,
        since: call.started_at,
        from_number: if named.is_some() {
            call.from_number.clone()
        } else {
            String::new()
        },
        from: named.unwrap_or_else(|| call.from_number.clone()),
        with: callee.map_or_else(|| call.to_number.clone(), |leg| leg.party.clone()),
        state: call.state,
        by,
        recorded: call.recording && !call.recording_paused,
    }
}

/// The calls in progress that this person may see.
pub(crate) fn now(desk: &Desk) -> Vec<Live> {
    let only = desk.sees_only();
    let calls = desk.state.exchange().live_calls(desk.tenant.id);
    calls.iter().filter(|call| may_see(call, only)).map(line).collect()
}

fn may_see(call: &LiveCall, only: Option<UserId>) -> bool {
    only.is_none() || call.user == only
}

pub(super) async fn board(desk: Desk) -> Page {
    Ok(live_page(&desk.shell(), &desk.base(), &now(&desk), desk.role()).into_response())
}

/// The board as it is now, as HTML.
fn drawn(desk: &Desk, small: bool) -> String {
    let may_end = !small && desk.can(Permission::ManageCalls);
    let shell = desk.shell();
    let csrf = if may_end { shell.csrf.as_str() } else { "" };
    let body = [live_table(&now(desk), &desk.base(), &shell.clock, csrf)];
    Bodies { body: &body }.render().unwrap_or_default()
}

/// The board as events: first as it is, then after each change and each tick. An event carries the whole
/// board, so a client that missed some needs none of them again.
pub(super) async fn events(desk: Desk) -> Response {
    let small = desk.query().get("board") == "small";
    let stream = stream(desk, small);
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

fn stream(desk: Desk, small: bool) -> impl Stream<Item = Result<Event, Infallible>> {
    let tenant = desk.tenant.id;
    let ticks = tokio::time::interval(TICK);
    let changes = desk.state.exchange().subscribe();
    let state = (desk, changes, ticks, 0_u64, String::new());
    futures_util::stream::unfold(
        state,
        move |(desk, mut changes, mut ticks, mut number, last)| async move {
            let shutdown = desk.state.config().shutdown.clone();
            loop {
                // Every branch is safe to drop: none holds anything half done.
                let drawn_now = tokio::select! {
                    () = shutdown.cancelled() => return None,
                    change = changes.recv() => match change {
                        Ok(event) => {
                            number = event.sequence;
                            event.call.tenant == tenant
                        }
                        Err(RecvError::Lagged(_)) => true,
                        Err(RecvError::Closed) => return None,
                    },
                    _ = ticks.tick() => true,
                };
                if !drawn_now {
                    continue;
                }
                let html = drawn(&desk, small);
                if html != last {
                    let event = Event::default().event("part").id(number.to_string()).data(&html);
                    return Some((Ok(event), (desk, changes, ticks, number, html)));
                }
            }
        },
    )
}

pub(super) async fn hang_up(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    if desk.scope.calls().get(call).await?.is_none() {
        return Err(Fault::NotFound);
    }
    let ended = desk.state.exchange().hang_up(desk.tenant.id, call).await;
    if ended {
        desk.scope
            .audit()
            .write(&desk.actor(), "call.hang_up", &call.to_string(), "")
            .await?;
    }
    Ok(desk.back("/live", if ended { "ended" } else { "gone" }))
}
