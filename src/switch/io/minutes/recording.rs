//! One recording of a room, from its row to its end mark.

use super::listener::Listener;
use crate::minutes::Presences;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::capture::{CaptureMeta, Purpose};
use strowger_model::meeting::RecordingPolicy;
use strowger_model::minutes::{Egress, Minutes};
use strowger_model::{CallId, CaptureId, RecordingId, World};
use strowger_rooms::{RoomName, RoomsHandle, TapFilter};
use strowger_store::capture::{Capture, CaptureSpool};
use strowger_store::{NewRecording, Store};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long to wait before the end of a recording is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is tried; after that the next start goes on with it.
const TRIES: u32 = 60;

/// What is to be recorded.
#[derive(Debug)]
pub struct Asked {
    /// Where.
    pub room: RoomName,
    /// Which tracks.
    pub what: TapFilter,
    /// What people call it; the room's name when empty.
    pub name: String,
    /// Who asks: `host`, `settings`, `egress`.
    pub asked_by: &'static str,
    /// The egress it is for: its id, and what was asked as it came.
    pub egress: Option<(String, serde_json::Value)>,
}

/// A recording that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The recording.
    pub recording: RecordingId,
    /// The meeting's call.
    pub call: CallId,
    /// The run of the room.
    pub room_sid: String,
    /// When it began.
    pub started_at: OffsetDateTime,
}

/// Why a room is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// No such room runs.
    #[error("there is no such room")]
    NoRoom,
    /// No such participant or track is in the room.
    #[error("there is no such participant or track in the room")]
    NoTrack,
    /// The settings or the room's own rule forbid it.
    #[error("recording is not allowed here")]
    Forbidden,
    /// Too much is asked at once.
    #[error("the recorder is busy")]
    Busy,
    /// The capture could not be kept.
    #[error("the recording cannot be kept")]
    Store(#[source] strowger_store::Error),
}

/// A recording that runs, as its keeper knows it.
pub(super) struct Running {
    pub(super) room: RoomName,
    pub(super) stop: CancellationToken,
}

impl Running {
    pub(super) fn new(room: RoomName) -> Self {
        Self {
            room,
            stop: CancellationToken::new(),
        }
    }
}

/// What recordings stand on.
#[derive(Clone)]
pub(super) struct Recorder {
    pub(super) rooms: RoomsHandle,
    pub(super) store: Store,
    pub(super) spool: CaptureSpool,
    pub(super) world: Arc<dyn World>,
    pub(super) presences: Presences,
}

impl Recorder {
    /// When a room is recorded: by its own rule, and where it has none by `auto_record_rooms`; never
    /// where `enable_call_recording` is off.
    pub(super) async fn policy(&self, room: &RoomName) -> strowger_store::Result<RecordingPolicy> {
        let scope = self.store.tenant(room.tenant);
        let settings = scope.settings().resolve().await?;
        let own = scope
            .meetings()
            .named(&room.name)
            .await?
            .map(|meeting| meeting.recording);
        Ok(policy(
            own,
            settings.switch("enable_call_recording"),
            settings.switch("auto_record_rooms"),
        ))
    }

    /// Records until told to stop or the room is over; then asks for the work on it. Gives its id back.
    pub(super) async fn run(
        self,
        recording: RecordingId,
        minutes: Minutes,
        asked: Asked,
        stop: CancellationToken,
        reply: oneshot::Sender<Result<Started, RecordError>>,
    ) -> RecordingId {
        let room = asked.room.clone();
        let (tap, mut back) = match self.open(recording, &minutes, asked).await {
            Ok((tap, back, started)) => {
                info!(%recording, "a meeting is being recorded");
                // Nobody asked when it is the settings' wish.
                let _ = reply.send(Ok(started));
                (tap, back)
            }
            Err(problem) => {
                warn!(%recording, problem = &problem as &dyn std::error::Error, "a meeting is not recorded");
                metrics::counter!("strowger_captures_refused_total").increment(1);
                let _ = reply.send(Err(problem));
                return recording;
            }
        };
        // Both branches only wait.
        let capture = tokio::select! {
            capture = &mut back => capture,
            () = stop.cancelled() => {
                self.rooms.untap(&room, tap).await;
                back.await
            }
        };
        if let Ok(capture) = capture
            && let Err(problem) = capture.finish().await
        {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "a capture has no end mark"
            );
        }
        self.end(&room, recording).await;
        recording
    }

    async fn open(
        &self,
        recording: RecordingId,
        minutes: &Minutes,
        asked: Asked,
    ) -> Result<(strowger_rooms::TapId, oneshot::Receiver<Capture>, Started), RecordError> {
        let now = self.world.now();
        let area = self.store.tenant(minutes.tenant).minutes();
        let capture = CaptureId::generate(self.world.as_ref());
        let new = NewRecording {
            id: recording,
            capture,
            name: if asked.name.is_empty() {
                minutes.room.clone()
            } else {
                asked.name
            },
            recorded_by: asked.asked_by.to_owned(),
            problem: None,
            created_at: now,
        };
        area.recording_begins(minutes.call, &new)
            .await
            .map_err(RecordError::Store)?;
        if let Some((id, request)) = asked.egress {
            let egress = Egress {
                id,
                call: minutes.call,
                recording,
                request,
                started_at: now,
                stopped_at: None,
                told_at: None,
            };
            area.egress_begins(&egress).await.map_err(RecordError::Store)?;
        }
        let meta = CaptureMeta {
            capture,
            recording,
            tenant: minutes.tenant,
            call: minutes.call,
            purpose: Purpose::Room,
            started_unix_ms: i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
        };
        let listened = self.listen(&asked.room, asked.what, &meta).await;
        if let Err(problem) = &listened {
            // The row says why there is nothing; when even that fails the next start finds no capture.
            let _ = area.recording_fails(recording, &problem.to_string()).await;
        }
        let (tap, back) = listened?;
        let started = Started {
            recording,
            call: minutes.call,
            room_sid: minutes.sid.clone(),
            started_at: now,
        };
        Ok((tap, back, started))
    }

    async fn listen(
        &self,
        room: &RoomName,
        what: TapFilter,
        meta: &CaptureMeta,
    ) -> Result<(strowger_rooms::TapId, oneshot::Receiver<Capture>), RecordError> {
        let capture = self.spool.open(meta, &[]).await.map_err(RecordError::Store)?;
        let (give_back, back) = oneshot::channel();
        let listener = Listener::new(
            capture,
            give_back,
            self.presences.clone(),
            Arc::clone(&self.world),
            Instant::now(),
        );
        let tap = self.rooms.tap(room, what, Box::new(listener)).await;
        let tap = tap.map_err(|_| RecordError::NoTrack)?;
        // The room may end at this moment.
        let _ = self.rooms.set_recording(room, true).await;
        Ok((tap, back))
    }

    /// Asks for the work on a recording, until it is asked for.
    async fn end(&self, room: &RoomName, recording: RecordingId) {
        let area = self.store.tenant(room.tenant).minutes();
        for _ in 0..TRIES {
            let Err(problem) = area.recording_ends(recording).await else {
                return;
            };
            warn!(
                problem = &problem as &dyn std::error::Error,
                "the end of a recording waits for the database"
            );
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn policy(own: Option<RecordingPolicy>, is_allowed: bool, is_automatic: bool) -> RecordingPolicy {
    match own {
        _ if !is_allowed => RecordingPolicy::Never,
        Some(RecordingPolicy::Never) => RecordingPolicy::Never,
        Some(RecordingPolicy::Always) => RecordingPolicy::Always,
        Some(RecordingPolicy::OnRequest) | None if is_automatic => RecordingPolicy::Always,
        Some(RecordingPolicy::OnRequest) | None => RecordingPolicy::OnRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_recorded_by_its_own_rule_then_by_the_settings_and_never_where_it_is_forbidden() {
        use RecordingPolicy::{Always, Never, OnRequest};
        for (own, allowed, automatic, wanted) in [
            (None, true, false, OnRequest),
            (None, true, true, Always),
            (Some(OnRequest), true, true, Always),
            (Some(Always), true, false, Always),
            (Some(Never), true, true, Never),
            (Some(Always), false, true, Never),
            (None, false, false, Never),
        ] {
            assert_eq!(policy(own, allowed, automatic), wanted, "{own:?} {allowed} {automatic}");
        }
    }
}
