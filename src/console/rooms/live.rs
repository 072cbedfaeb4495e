//! The rooms that run now, as a board that keeps itself fresh.

use super::view::{self, Running};
use crate::desk::Desk;
use crate::fault::{Fault, Page};
use crate::show::page::Bodies;
use askama::Template;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::time::Duration;
use strowger_model::role::Permission;
use strowger_rooms::RoomEvent;
use time::OffsetDateTime;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Interval;
use tokio_stream::Stream;

/// A board is drawn at most this often, however much happens.
const BEAT: Duration = Duration::from_millis(500);
/// After so many beats without an event it is drawn anew all the same, so that its times go on.
const QUIET_BEATS: u32 = 10;
/// After so many beats the stream ends; the browser comes back and is asked again who it is.
const MOST_BEATS: u32 = 600;

/// The tenant's rooms in which somebody is.
pub(super) async fn now(desk: &Desk) -> Page<Vec<Running>> {
    let Some(rooms) = desk.state.rooms() else {
        return Ok(Vec::new());
    };
    let meetings = desk.scope.meetings().list().await?;
    let running = rooms.list(desk.tenant.id, &[]).await;
    let line = |room: &strowger_rooms::protocol::Room| {
        let known = meetings.iter().find(|meeting| meeting.room.name == room.name);
        Running {
            room: known.map(|meeting| meeting.room.id),
            name: known.map_or_else(|| room.name.clone(), |meeting| meeting.heading().to_owned()),
            since: OffsetDateTime::from_unix_timestamp(room.creation_time).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            people: room.num_participants,
            speaking: room.num_publishers,
            recorded: room.active_recording,
        }
    };
    Ok(running.iter().map(line).collect())
}

/// The board as events: first as it is, then after each change and each tick.
pub(super) async fn events(desk: Desk) -> Page {
    if !(desk.can(Permission::UsePhone) || desk.can(Permission::ReadAllCalls)) {
        return Err(Fault::forbidden(Permission::UsePhone));
    }
    let changes = match desk.state.rooms() {
        Some(rooms) => rooms.events(),
        // Nobody ever sends: the board stays empty until the page is left.
        None => broadcast::channel(1).1,
    };
    let watch = Watch {
        changes,
        beats: tokio::time::interval(BEAT),
        count: 0,
        is_stale: true,
        desk,
    };
    Ok(respond(watch))
}

fn respond(watch: Watch) -> Response {
    Sse::new(stream(watch)).keep_alive(KeepAlive::default()).into_response()
}

struct Watch {
    desk: Desk,
    changes: broadcast::Receiver<RoomEvent>,
    beats: Interval,
    count: u32,
    is_stale: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        let shutdown = self.desk.state.config().shutdown.clone();
        let mut open = true;
        loop {
            // Every branch is safe to drop: none holds anything half done.
            tokio::select! {
                () = shutdown.cancelled() => return None,
                change = self.changes.recv(), if open => match change {
                    Ok(event) => self.is_stale |= event.room.tenant == self.desk.tenant.id,
                    Err(RecvError::Lagged(_)) => self.is_stale = true,
                    Err(RecvError::Closed) => open = false,
                },
                _ = self.beats.tick() => {
                    let due = self.is_stale || self.count.is_multiple_of(QUIET_BEATS);
                    self.count += 1;
                    if self.count > MOST_BEATS {
                        return None;
                    }
                    if due {
                        self.is_stale = false;
                        let html = self.drawn().await?;
                        return Some(Event::default().event("part").data(html));
                    }
                }
            }
        }
    }

    async fn drawn(&self) -> Option<String> {
        let running = now(&self.desk).await.ok()?;
        let body = [view::board(&running, &self.desk.base(), &self.desk.state.clock())];
        Bodies { body: &body }.render().ok()
    }
}

fn stream(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    })
}
