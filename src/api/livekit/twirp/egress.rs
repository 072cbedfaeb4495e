//! `livekit.Egress`: recordings that programs ask for. Each is one recording of the meeting, made by the
//! same hands as all others; how far it is, the recording's row says.
//!
//! Sound only: whoever wants pictures of a page needs a browser, which this machine does not have, and is
//! told so. Files stay here, sealed; their location is a link that leads to one of them for a day.

use super::{Call, Code, Context, TwirpError};
use crate::livekit::files::FileLinks;
use crate::livekit::webhook::Webhooks;
use crate::state::ApiState;
use axum::response::Response;
use std::collections::HashMap;
use std::time::Duration;
use strowger_model::minutes::Egress;
use strowger_model::record::Recording;
use strowger_rooms::TapFilter;
use strowger_rooms::protocol::egress_info::Request;
use strowger_rooms::protocol::{self as wire, EgressStatus, EncodedFileType};
use strowger_store::Store;
use strowger_switch::io::{Asked, RecordError, RoomRecorder};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// The most egresses in a list.
const MOST: i64 = 1_000;

/// How often it is looked how egresses go on.
const LOOK: Duration = Duration::from_secs(1);

/// What is said to whoever wants what we do not do.
const NO_PICTURES: &str = "pictures are not recorded here: ask with audio_only, or for an audio track";

/// Answers a method of the service.
pub(super) async fn call(call: Call, method: &str) -> Result<Response, TwirpError> {
    match method {
        "StartRoomCompositeEgress" => call.answer(room_composite).await,
        "StartParticipantEgress" => call.answer(participant).await,
        "StartTrackCompositeEgress" => call.answer(track_composite).await,
        "StartTrackEgress" => call.answer(track).await,
        "ListEgress" => call.answer(list).await,
        "StopEgress" => call.answer(stop).await,
        "StartEgress" => call.answer(unified).await,
        "StartWebEgress" => Err(TwirpError::unimplemented(
            "web pages are not recorded here: there is no browser",
        )),
        "UpdateLayout" => Err(TwirpError::unimplemented("there is no layout: only sound is recorded")),
        "UpdateStream" => Err(TwirpError::unimplemented("egress goes to files here, not to streams")),
        _ => Err(TwirpError::bad_route("livekit.Egress", method)),
    }
}

async fn room_composite(
    on: Context,
    request: wire::RoomCompositeEgressRequest,
) -> Result<wire::EgressInfo, TwirpError> {
    if !request.audio_only {
        return Err(TwirpError::unimplemented(NO_PICTURES));
    }
    let mut outputs = Outputs::default();
    outputs.files(&request.file_outputs);
    outputs.others(&[
        request.stream_outputs.len(),
        request.segment_outputs.len(),
        request.image_outputs.len(),
    ]);
    if let Some(output) = &request.output {
        use wire::room_composite_egress_request::Output;
        #[expect(deprecated, reason = "current SDKs still fill it in beside the new field")]
        match output {
            Output::File(file) => outputs.files(std::slice::from_ref(file)),
            Output::Stream(_) | Output::Segments(_) => outputs.others(&[1]),
        }
    }
    let file = outputs.file(&on)?;
    let room = request.room_name.clone();
    start(on, &room, TapFilter::AllAudio, file, Request::RoomComposite(request)).await
}

/// The newer request for all of these: a template with sound alone is the room's mix, and media name one
/// participant's sound, one track, or everything.
async fn unified(on: Context, request: wire::StartEgressRequest) -> Result<wire::EgressInfo, TwirpError> {
    use wire::output::Config;
    use wire::start_egress_request::Source;
    let mut outputs = Outputs::default();
    if request.storage.is_some() || request.outputs.iter().any(|output| output.storage.is_some()) {
        return Err(no_upload());
    }
    for output in &request.outputs {
        match &output.config {
            Some(Config::File(file)) => outputs.files(&[wire::EncodedFileOutput {
                file_type: file.file_type,
                filepath: file.filepath.clone(),
                disable_manifest: file.disable_manifest,
                ..wire::EncodedFileOutput::default()
            }]),
            Some(Config::Stream(_) | Config::Segments(_) | Config::Images(_)) => outputs.others(&[1]),
            None => {}
        }
    }
    let file = outputs.file(&on)?;
    let room = request.room_name.clone();
    let what = match &request.source {
        Some(Source::Template(template)) if template.audio_only => TapFilter::AllAudio,
        Some(Source::Template(_)) => return Err(TwirpError::unimplemented(NO_PICTURES)),
        Some(Source::Web(_)) => {
            return Err(TwirpError::unimplemented(
                "web pages are not recorded here: there is no browser",
            ));
        }
        Some(Source::Media(media)) => media_of(&on, &room, media).await?,
        None => return Err(TwirpError::invalid("request has missing or invalid field: source")),
    };
    start(on, &room, what, file, Request::Egress(request)).await
}

/// What of a room is meant. Sound goes to one channel here, so routes to several are refused.
async fn media_of(on: &Context, room: &str, media: &wire::MediaSource) -> Result<TapFilter, TwirpError> {
    use wire::audio_route::Match;
    if media.video.is_some() {
        return Err(TwirpError::unimplemented(NO_PICTURES));
    }
    let audio = media
        .audio
        .as_ref()
        .ok_or_else(|| TwirpError::invalid("request has missing or invalid field: audio"))?;
    match &audio.routes[..] {
        [] => Ok(TapFilter::AllAudio),
        [route] if !audio.capture_all => match &route.r#match {
            Some(Match::TrackId(sid)) => audio_track(on, room, sid).await,
            Some(Match::ParticipantIdentity(identity)) => {
                on.rooms()?.participant(&on.room(room)?, identity).await?;
                Ok(TapFilter::Participant(identity.clone()))
            }
            Some(Match::ParticipantKind(_)) | None => Err(TwirpError::unimplemented(
                "name a track or a participant: kinds are not told apart here",
            )),
        },
        _ => Err(TwirpError::unimplemented(
            "one route goes to one file here: ask for an egress for each",
        )),
    }
}

async fn participant(on: Context, request: wire::ParticipantEgressRequest) -> Result<wire::EgressInfo, TwirpError> {
    let mut outputs = Outputs::default();
    outputs.files(&request.file_outputs);
    outputs.others(&[
        request.stream_outputs.len(),
        request.segment_outputs.len(),
        request.image_outputs.len(),
    ]);
    let file = outputs.file(&on)?;
    let what = TapFilter::Participant(request.identity.clone());
    let room = on.room(&request.room_name)?;
    on.rooms()?.participant(&room, &request.identity).await?;
    start(on, &room.name, what, file, Request::Participant(request)).await
}

async fn track_composite(
    on: Context,
    request: wire::TrackCompositeEgressRequest,
) -> Result<wire::EgressInfo, TwirpError> {
    if !request.video_track_id.is_empty() || request.audio_track_id.is_empty() {
        return Err(TwirpError::unimplemented(NO_PICTURES));
    }
    let mut outputs = Outputs::default();
    outputs.files(&request.file_outputs);
    outputs.others(&[
        request.stream_outputs.len(),
        request.segment_outputs.len(),
        request.image_outputs.len(),
    ]);
    if let Some(output) = &request.output {
        use wire::track_composite_egress_request::Output;
        #[expect(deprecated, reason = "current SDKs still fill it in beside the new field")]
        match output {
            Output::File(file) => outputs.files(std::slice::from_ref(file)),
            Output::Stream(_) | Output::Segments(_) => outputs.others(&[1]),
        }
    }
    let file = outputs.file(&on)?;
    let what = audio_track(&on, &request.room_name, &request.audio_track_id).await?;
    let room = request.room_name.clone();
    start(on, &room, what, file, Request::TrackComposite(request)).await
}

async fn track(on: Context, request: wire::TrackEgressRequest) -> Result<wire::EgressInfo, TwirpError> {
    use wire::track_egress_request::Output;
    let path = match &request.output {
        Some(Output::File(file)) if file.output.is_some() => return Err(no_upload()),
        Some(Output::File(file)) => file.filepath.clone(),
        Some(Output::WebsocketUrl(_)) => {
            return Err(TwirpError::unimplemented(
                "egress goes to files here, not to WebSockets",
            ));
        }
        None => return Err(TwirpError::invalid("request has missing or invalid field: output")),
    };
    let what = audio_track(&on, &request.room_name, &request.track_id).await?;
    let room = request.room_name.clone();
    let file = File { path, is_mp3: false };
    start(on, &room, what, file, Request::Track(request)).await
}

/// A track of a room, if it is sound.
async fn audio_track(on: &Context, room: &str, sid: &str) -> Result<TapFilter, TwirpError> {
    let room = on.room(room)?;
    let participants = on.rooms()?.participants(&room).await?;
    let mut tracks = participants.iter().flat_map(|participant| &participant.tracks);
    let track = tracks.find(|track| track.sid == sid);
    match track.map(wire::TrackInfo::r#type) {
        Some(wire::TrackType::Audio) => Ok(TapFilter::Track(sid.to_owned())),
        Some(wire::TrackType::Video | wire::TrackType::Data) => Err(TwirpError::unimplemented(NO_PICTURES)),
        None => Err(TwirpError::not_found("track does not exist")),
    }
}

/// What a request wants made.
#[derive(Default)]
struct Outputs {
    files: Vec<wire::EncodedFileOutput>,
    others: usize,
}

/// The one file that comes of it.
struct File {
    path: String,
    is_mp3: bool,
}

fn no_upload() -> TwirpError {
    TwirpError::unimplemented("files stay on this machine: fetch them from their location")
}

impl Outputs {
    /// Current SDKs name the same file in the new and in the old field.
    fn files(&mut self, files: &[wire::EncodedFileOutput]) {
        for file in files {
            if !self.files.contains(file) {
                self.files.push(file.clone());
            }
        }
    }

    fn others(&mut self, counts: &[usize]) {
        self.others += counts.iter().sum::<usize>();
    }

    fn file(self, on: &Context) -> Result<File, TwirpError> {
        if self.others > 0 {
            return Err(TwirpError::unimplemented(
                "egress goes to one file: no streams, segments or images",
            ));
        }
        let [file] = &self.files[..] else {
            return Err(TwirpError::invalid("request has missing or invalid field: output"));
        };
        if file.output.is_some() {
            return Err(no_upload());
        }
        let is_mp3 = match file.file_type() {
            EncodedFileType::DefaultFiletype | EncodedFileType::Ogg => false,
            EncodedFileType::Mp3 if on.state().converter.is_some() => true,
            EncodedFileType::Mp3 | EncodedFileType::Mp4 => {
                return Err(TwirpError::unimplemented("recordings are OGG files with Opus here"));
            }
        };
        let path = file.filepath.clone();
        Ok(File { path, is_mp3 })
    }
}

/// The name of the file: as asked, with the ending that it really has.
fn named(file: &File, room: &str, room_sid: &str, at: OffsetDateTime) -> String {
    let ending = if file.is_mp3 { "mp3" } else { "ogg" };
    let time = at.unix_timestamp().to_string();
    let path = if file.path.is_empty() || file.path.ends_with('/') {
        format!("{}{{room_name}}-{{time}}", file.path)
    } else {
        file.path.clone()
    };
    let stem = match path.rsplit_once('.') {
        Some((stem, "ogg" | "mp3" | "mp4" | "webm" | "oga" | "opus")) => stem,
        Some(_) | None => &path,
    };
    let name = stem
        .replace("{room_name}", room)
        .replace("{room_id}", room_sid)
        .replace("{time}", &time);
    format!("{name}.{ending}")
}

fn recorder(on: &Context) -> Result<&RoomRecorder, TwirpError> {
    let off = || TwirpError::new(Code::Unavailable, "rooms are switched off on this machine");
    on.state().recorder.as_ref().ok_or_else(off)
}

async fn start(
    on: Context,
    room: &str,
    what: TapFilter,
    file: File,
    request: Request,
) -> Result<wire::EgressInfo, TwirpError> {
    on.need(|grants| grants.room_record)?;
    let name = on.room(room)?;
    let standing = on.rooms()?.room(&name).await;
    let standing = standing.ok_or_else(|| TwirpError::not_found("requested room does not exist"))?;
    let now = on.scope().now();
    let id = format!("EG_{}", on.scope().fresh_name());
    let mut info = wire::EgressInfo {
        egress_id: id.clone(),
        room_id: standing.sid.clone(),
        room_name: room.to_owned(),
        source_type: wire::EgressSourceType::Sdk.into(),
        status: EgressStatus::EgressStarting.into(),
        started_at: nanos(now),
        updated_at: nanos(now),
        request: Some(request),
        ..wire::EgressInfo::default()
    };
    info.file_results.push(wire::FileInfo {
        filename: named(&file, room, &standing.sid, now),
        started_at: nanos(now),
        ..wire::FileInfo::default()
    });
    let kept = serde_json::to_value(&info)
        .map_err(|_| TwirpError::new(Code::Internal, "the request cannot be written as JSON"))?;
    let asked = Asked {
        room: name,
        what,
        name: info
            .file_results
            .first()
            .map(|file| file.filename.clone())
            .unwrap_or_default(),
        asked_by: "egress",
        egress: Some((id, kept)),
    };
    let started = recorder(&on)?.start(asked).await?;
    on.scope()
        .audit()
        .write(&on.actor(), "room.record", &started.recording.to_string(), room)
        .await?;
    Ok(info)
}

async fn list(on: Context, request: wire::ListEgressRequest) -> Result<wire::ListEgressResponse, TwirpError> {
    on.need(|grants| grants.room_record)?;
    let id = (!request.egress_id.is_empty()).then_some(request.egress_id.as_str());
    let found = on.scope().minutes().egresses(id, None, MOST).await?;
    let mut items = Vec::new();
    for (egress, recording) in &found {
        let mut info = told(egress, recording);
        let is_asked_for = request.room_name.is_empty() || info.room_name == request.room_name;
        if is_asked_for && (!request.active || is_active(&info)) {
            locate(&on.state().files, recording, &mut info).await;
            items.push(info);
        }
    }
    Ok(wire::ListEgressResponse {
        items,
        next_page_token: None,
    })
}

async fn stop(on: Context, request: wire::StopEgressRequest) -> Result<wire::EgressInfo, TwirpError> {
    on.need(|grants| grants.room_record)?;
    let found = on.scope().minutes().egresses(Some(&request.egress_id), None, 1).await?;
    let (egress, recording) = found
        .first()
        .ok_or_else(|| TwirpError::not_found("egress does not exist"))?;
    let mut info = told(egress, recording);
    if !recorder(&on)?.stop(on.tenant(), egress.recording).await {
        return Err(TwirpError::new(
            Code::FailedPrecondition,
            format!("egress with status {} cannot be stopped", info.status().as_str_name()),
        ));
    }
    let now = nanos(on.scope().now());
    (info.status, info.ended_at, info.updated_at) = (EgressStatus::EgressEnding.into(), now, now);
    on.scope()
        .audit()
        .write(
            &on.actor(),
            "room.record_end",
            &egress.recording.to_string(),
            &info.room_name,
        )
        .await?;
    Ok(info)
}

fn is_active(info: &wire::EgressInfo) -> bool {
    match info.status() {
        EgressStatus::EgressStarting | EgressStatus::EgressActive | EgressStatus::EgressEnding => true,
        EgressStatus::EgressComplete
        | EgressStatus::EgressFailed
        | EgressStatus::EgressAborted
        | EgressStatus::EgressLimitReached => false,
    }
}

/// An egress as it stands, by its recording.
pub(crate) fn told(egress: &Egress, recording: &Recording) -> wire::EgressInfo {
    let mut info: wire::EgressInfo = serde_json::from_value(egress.request.clone()).unwrap_or_default();
    let status = match recording.state.as_str() {
        "recording" => EgressStatus::EgressActive,
        "captured" => EgressStatus::EgressEnding,
        "failed" => EgressStatus::EgressFailed,
        _ => EgressStatus::EgressComplete,
    };
    info.egress_id.clone_from(&egress.id);
    info.status = status.into();
    info.ended_at = egress.stopped_at.map_or(0, nanos);
    info.updated_at = nanos(egress.stopped_at.unwrap_or(egress.started_at));
    info.error = recording.problem.clone().unwrap_or_default();
    if let Some(file) = info.file_results.first_mut() {
        file.ended_at = info.ended_at;
        if recording.state == "ready" {
            let is_mp3 = file.filename.ends_with(".mp3");
            file.duration = recording.duration_ms.saturating_mul(1_000_000);
            // An MP3 is made while it is sent: its size is not known before.
            file.size = if is_mp3 { 0 } else { recording.size_bytes };
        }
    }
    info
}

/// Says where the file of a finished egress is.
async fn locate(links: &FileLinks, recording: &Recording, info: &mut wire::EgressInfo) {
    if let Some(file) = info.file_results.first_mut().filter(|_| recording.state == "ready") {
        let is_mp3 = file.filename.ends_with(".mp3");
        file.location = links.to(recording.tenant, recording.id, is_mp3).await;
    }
}

fn nanos(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

/// Tells webhooks how egresses go on, from their rows: so a file that a worker made after a restart is told of
/// as well. `tasks` owns the task; `end` ends it.
pub fn watch(api: &ApiState, tasks: &TaskTracker, end: CancellationToken) {
    let (store, links) = (api.access.store().clone(), api.files.clone());
    let Some(webhooks) = api.webhooks.clone() else { return };
    tasks.spawn(async move {
        let mut known: HashMap<String, i32> = HashMap::new();
        let mut tick = tokio::time::interval(LOOK);
        loop {
            // Both branches only wait.
            tokio::select! {
                () = end.cancelled() => return,
                _ = tick.tick() => {}
            }
            match store.untold_egresses().await {
                Ok(untold) => known = look((&store, &webhooks, &links), &known, untold).await,
                Err(problem) => warn!(%problem, "cannot see how egresses go on"),
            }
        }
    });
}

/// Tells what changed since `known`; returns what is known then.
async fn look(
    (store, webhooks, links): (&Store, &Webhooks, &FileLinks),
    known: &HashMap<String, i32>,
    untold: Vec<(Egress, Recording)>,
) -> HashMap<String, i32> {
    let mut seen = HashMap::new();
    for (egress, recording) in untold {
        let mut info = told(&egress, &recording);
        let is_over = !is_active(&info);
        let event = match known.get(&egress.id) {
            _ if is_over => "egress_ended",
            None => "egress_started",
            Some(status) if *status != info.status => "egress_updated",
            Some(_) => "",
        };
        seen.insert(egress.id.clone(), info.status);
        if is_over {
            // Written first: told twice is worse than not at all, and a receiver can list.
            match store.tenant(recording.tenant).minutes().egress_told(&egress.id).await {
                Ok(true) => {}
                Ok(false) | Err(_) => continue,
            }
        }
        if !event.is_empty() {
            locate(links, &recording, &mut info).await;
            let event = wire::WebhookEvent {
                event: event.to_owned(),
                egress_info: Some(info),
                ..wire::WebhookEvent::default()
            };
            webhooks.tell(recording.tenant, event);
        }
    }
    seen
}

impl From<RecordError> for TwirpError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NoRoom => Self::not_found("requested room does not exist"),
            RecordError::NoTrack => Self::not_found("track does not exist"),
            RecordError::Forbidden => Self::new(
                Code::PermissionDenied,
                "the settings or the room's rule forbid recording",
            ),
            RecordError::Busy => Self::new(Code::ResourceExhausted, "the recorder is busy"),
            RecordError::Store(problem) => Self::from(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_ending_it_really_has_and_its_places_are_filled() {
        let at = OffsetDateTime::from_unix_timestamp(1_760_000_000).unwrap();
        let name = |path: &str, is_mp3| {
            let file = File {
                path: path.to_owned(),
                is_mp3,
            };
            named(&file, "standup", "RM_1", at)
        };
        assert_eq!(
            name("recordings/acme/standup.mp4", false),
            "recordings/acme/standup.ogg"
        );
        assert_eq!(name("{room_name}/{room_id}", true), "standup/RM_1.mp3");
        assert_eq!(name("", false), "standup-1760000000.ogg");
        assert_eq!(name("v1.2/take", false), "v1.2/take.ogg");
    }
}
