//! What those who steer a meeting are told as it happens: who waits at the door, and whether it is locked.

use super::{Seat, acts, entry};
use crate::fault::{Fault, Page};
use crate::state::ConsoleState;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::time::Duration;
use strowger_access::Signed;
use strowger_model::RoomId;
use strowger_model::meeting::RoomAct;
use strowger_rooms::{RoomEvent, RoomName, RoomsHandle};
use strowger_store::Scope;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Interval;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

/// The list is read at most this often.
const BEAT: Duration = Duration::from_millis(500);
/// After so many beats without an event it is read all the same: another page may have locked the door.
const QUIET_BEATS: u32 = 6;
/// After so many beats the stream ends; the browser comes back and is asked again who it is.
const MOST_BEATS: u32 = 1200;

pub(super) async fn events(State(state): State<ConsoleState>, Path(room): Path<RoomId>, who: Signed) -> Page {
    let seat = Seat::take(&state, &who, room).await?;
    if !seat.caller.role().may(RoomAct::Admit) {
        return Err(Fault::NotFound);
    }
    let rooms = state.rooms().ok_or(Fault::NotFound)?.clone();
    let watch = Watch {
        room,
        name: entry::running(&seat.meeting),
        scope: seat.scope,
        changes: rooms.events(),
        rooms,
        beats: tokio::time::interval(BEAT),
        count: 0,
        is_stale: true,
        told: String::new(),
        shutdown: state.config().shutdown.clone(),
    };
    Ok(respond(watch))
}

fn respond(watch: Watch) -> Response {
    Sse::new(stream(watch)).keep_alive(KeepAlive::default()).into_response()
}

struct Watch {
    room: RoomId,
    name: RoomName,
    scope: Scope,
    rooms: RoomsHandle,
    changes: broadcast::Receiver<RoomEvent>,
    beats: Interval,
    count: u32,
    is_stale: bool,
    told: String,
    shutdown: CancellationToken,
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        loop {
            // Every branch is safe to drop: none holds anything half done.
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                change = self.changes.recv() => match change {
                    // What happened is read at the next beat, all at once.
                    Ok(event) => self.is_stale |= event.room == self.name,
                    Err(RecvError::Lagged(_)) => self.is_stale = true,
                    Err(RecvError::Closed) => return None,
                },
                _ = self.beats.tick() => {
                    self.count += 1;
                    if self.count > MOST_BEATS {
                        return None;
                    }
                    if !self.is_stale && !self.count.is_multiple_of(QUIET_BEATS) {
                        continue;
                    }
                    self.is_stale = false;
                    let now = self.standing().await?;
                    if now != self.told {
                        self.told.clone_from(&now);
                        return Some(Event::default().event("room").data(now));
                    }
                }
            }
        }
    }

    async fn standing(&self) -> Option<String> {
        let meeting = self.scope.meetings().get(self.room).await.ok()??;
        let waiting = self.rooms.waiting(&self.name).await.unwrap_or_default();
        Some(acts::standing(waiting, meeting.locked).to_string())
    }
}

fn stream(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    })
}
