//! Calls in progress: the board, its events, and what is done to a call there.

use super::list::{Kept, Live, Placing, live_page, live_table};
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
use strowger_switch::live::{LiveCall, Steer, SwitchEvent};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Interval;
use tokio_stream::Stream;

/// A board is drawn at most this often, however much happens.
const BEAT: Duration = Duration::from_millis(500);
/// After so many beats without an event it is drawn anew all the same, so that its times go on.
const QUIET_BEATS: u32 = 10;
/// After so many beats the stream ends; the browser comes back and is asked again who it is.
const MOST_BEATS: u32 = 600;

fn line(call: &LiveCall) -> Live {
    let callee = call.legs.iter().find(|leg| leg.side == "callee");
    let by = match (&call.node, call.doing) {
        (Some(node), "app") => format!("{node}: voice app"),
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
        kept: match (call.recording, call.recording_paused) {
            (false, _) => Kept::Not,
            (true, true) => Kept::Paused,
            (true, false) => Kept::Recorded,
        },
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
    let placing = Placing::default();
    Ok(live_page(&desk.shell(), &desk.base(), &now(&desk), desk.role(), &placing).into_response())
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

/// An open board.
struct Watch {
    desk: Desk,
    small: bool,
    changes: broadcast::Receiver<SwitchEvent>,
    beats: Interval,
    count: u32,
    is_stale: bool,
    sequence: u64,
}

impl Watch {
    /// The next drawing; `None` when the stream is to end.
    async fn next(&mut self) -> Option<Event> {
        let shutdown = self.desk.state.config().shutdown.clone();
        loop {
            // Every branch is safe to drop: none holds anything half done.
            tokio::select! {
                () = shutdown.cancelled() => return None,
                change = self.changes.recv() => match change {
                    Ok(event) => {
                        self.sequence = event.sequence;
                        self.is_stale |= event.call.tenant == self.desk.tenant.id;
                    }
                    Err(RecvError::Lagged(_)) => self.is_stale = true,
                    Err(RecvError::Closed) => return None,
                },
                _ = self.beats.tick() => {
                    let due = self.is_stale || self.count.is_multiple_of(QUIET_BEATS);
                    self.count += 1;
                    if self.count > MOST_BEATS {
                        return None;
                    }
                    if due {
                        self.is_stale = false;
                        let html = drawn(&self.desk, self.small);
                        return Some(Event::default().event("part").id(self.sequence.to_string()).data(html));
                    }
                }
            }
        }
    }
}

fn stream(desk: Desk, small: bool) -> impl Stream<Item = Result<Event, Infallible>> {
    let watch = Watch {
        changes: desk.state.exchange().subscribe(),
        beats: tokio::time::interval(BEAT),
        count: 0,
        is_stale: true,
        sequence: 0,
        desk,
        small,
    };
    futures_util::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    })
}

pub(super) async fn hang_up(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    if desk.scope.calls().get(call).await?.is_none() {
        return Err(Fault::NotFound);
    }
    let ended = desk.state.exchange().steer(desk.tenant.id, call, Steer::HangUp).await;
    if ended {
        desk.scope
            .audit()
            .write(&desk.actor(), "call.hang_up", &call.to_string(), "")
            .await?;
    }
    Ok(desk.back("/live", if ended { "ended" } else { "gone" }))
}

pub(super) async fn record(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    if desk.scope.calls().get(call).await?.is_none() {
        return Err(Fault::NotFound);
    }
    let asked = sent.values.get("do");
    let steer = match asked {
        "record" => Steer::StartRecording,
        "stop" => Steer::StopRecording,
        "pause" => Steer::PauseRecording,
        "resume" => Steer::ResumeRecording,
        _ => return Err(Fault::NotFound),
    };
    let done = desk.state.exchange().steer(desk.tenant.id, call, steer).await;
    if done {
        let audit = desk.scope.audit();
        audit
            .write(&desk.actor(), "call.recording", &call.to_string(), asked)
            .await?;
    }
    Ok(desk.back("/live", if done { "steered" } else { "gone" }))
}
