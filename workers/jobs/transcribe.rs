//! Recording → who said what and when.

use super::recognisers::Recognisers;
use super::sides::{self, Stretch};
use super::{Desk, Fault, apart, outside, silence};
use crate::audio::decode::Layout;
use crate::audio::{self, Pcm};
use crate::cpu_time;
use crate::redact::{self, Policy};
use crate::whisper::{Course, Heard, Options};
use std::sync::Arc;
use std::time::Duration;
use strowger_model::record::Recording;
use strowger_model::speech::Segment;
use strowger_model::{RecordingId, TenantId, TranscriptId};
use strowger_store::queue::Context;
use strowger_store::{CallDetail, Scope, TranscriptResult};
use tracing::info;

/// What this machine's own engine is called.
const PROVIDER: &str = "local-whisper";
/// The engine listens at this rate.
pub(super) const SAMPLE_RATE_HZ: u32 = 16_000;
/// How often a running transcription looks whether it is still wanted.
const LOOK: Duration = Duration::from_secs(2);
/// No transcript takes longer than this …
const SHORTEST_LIMIT: Duration = Duration::from_secs(300);
/// … or so many times the audio, whichever is more: a loaded machine is slow, a hanging one never ends.
const LIMIT_FACTOR: u32 = 8;

pub(super) async fn run(
    desk: &Desk,
    tenant: TenantId,
    recording: RecordingId,
    transcript: TranscriptId,
    context: &Context,
) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    match scope.transcripts().get(transcript).await? {
        Some(row) if row.state != "ready" => {}
        // Done, or removed meanwhile.
        Some(_) | None => return Ok(()),
    }
    let Some(row) = scope.recordings().get(recording).await? else {
        return Ok(());
    };
    let Some(blob) = row.blob.clone().filter(|_| row.state == "ready") else {
        return match row.state.as_str() {
            "captured" => Err(Fault::again("the recording is not made yet")),
            state => Err(Fault::never(anyhow::anyhow!(
                "the recording is {state}, there is nothing to hear"
            ))),
        };
    };
    scope.transcripts().running(transcript).await?;
    let settings = scope.recordings().settings(recording).await?;
    let policy = Policy::of(&settings);
    let voices = voices(&scope, &row, &blob).await?;
    let audio_ms = u64::try_from(voices.len()).unwrap_or(1) * row.duration_ms.unsigned_abs();
    let limit = SHORTEST_LIMIT.max(Duration::from_millis(audio_ms) * LIMIT_FACTOR);

    if let Some(heard) = outside::hear(desk, &scope, &settings, &voices).await? {
        return keep(&scope, &row, transcript, heard, policy).await;
    }

    let course = Arc::new(Course::default());
    let (recognisers, heard) = (Arc::clone(&desk.recognisers), Arc::clone(&course));
    let work = apart(move || listen(&recognisers, voices, policy, &heard));
    let stop = async {
        tokio::select! {
            () = context.cancelled.cancelled() => {}
            () = passed(limit) => {}
            () = unwanted(&scope, transcript, &course, context) => {}
        }
        course.end();
        // The engine looks at the flag between two windows; its answer comes through `work`.
        std::future::pending::<()>().await;
    };
    // Neither branch is lost half-way: `stop` never ends before `work`.
    let (result, stretches) = tokio::select! {
        result = work => match result {
            // It was taken back while it was made: there is nothing left to do.
            Err(_) if !is_wanted(&scope, transcript).await => return Ok(()),
            result => result?,
        },
        () = stop => return Err(Fault::again("the transcription was cancelled")),
    };
    info!(
        %transcript,
        audio_ms = result.audio_ms,
        cpu_seconds = result.cpu_seconds,
        segments = result.segments.len(),
        "transcript made"
    );
    let silenced = silence::audio(&scope, &row, &stretches).await?;
    let transcripts = scope.transcripts();
    Ok(transcripts
        .ready_with_audio(transcript, &result, silenced.as_ref())
        .await?)
}

/// Hears each voice with this machine's engine, and takes out what must not be kept.
fn listen(
    recognisers: &Recognisers,
    voices: Vec<Voices>,
    policy: Policy,
    course: &Course,
) -> Result<(TranscriptResult, Vec<redact::Stretch>), Fault> {
    let before_s = cpu_time::of_this_thread_s();
    let recogniser = recognisers.current()?;
    let mut session = recogniser.session()?;
    let mut all = Heard {
        segments: Vec::new(),
        language: None,
    };
    let (mut duration_ms, mut channels) = (0, 0_u8);
    let count = voices.len();
    for voice in voices {
        let pcm = decoded(&voice.file)?;
        let stretches = sides::within(voice.stretches, pcm.channels.len());
        let alone = sides::apart(&pcm.channels, &stretches, SAMPLE_RATE_HZ);
        // The voices of a meeting are of about one length; each is decoded when its turn comes.
        course.expect(count * alone.iter().map(Vec::len).sum::<usize>());
        let heard = session.transcribe(&alone, &sides::speakers(&stretches), &Options::default(), course)?;
        all.language = all.language.or(heard.language);
        let segments = sides::joined(heard.segments, &stretches);
        all.segments.extend(segments.into_iter().map(|segment| Segment {
            channel: segment.channel.saturating_add(channels),
            ..segment
        }));
        channels = channels.saturating_add(u8::try_from(pcm.channels.len()).unwrap_or(u8::MAX));
        duration_ms = pcm.duration_ms().max(duration_ms);
    }
    all.segments.sort_by_key(|segment| (segment.start_ms, segment.channel));
    // What must not be kept goes here, before anybody else sees the text.
    let (segments, stretches) = redact::turns(all.segments, policy, all.language.as_deref());
    all.segments = segments;
    let cpu_seconds = cpu_time::of_this_thread_s() - before_s;
    Ok((
        result(&all, &recogniser.model().name, cpu_seconds, duration_ms),
        stretches,
    ))
}

/// Says how far it has come, and ends once nobody wants the transcript any more: it was removed.
async fn unwanted(scope: &Scope, transcript: TranscriptId, course: &Course, context: &Context) {
    while is_wanted(scope, transcript).await {
        context.progress.set(course.percent());
        passed(LOOK).await;
    }
}

/// Whether the transcript is still to be made; a database that does not answer changes nothing.
async fn is_wanted(scope: &Scope, transcript: TranscriptId) -> bool {
    !matches!(scope.transcripts().get(transcript).await, Ok(None))
}

async fn passed(limit: Duration) {
    // A timeout over what never comes is a deadline.
    let _ = tokio::time::timeout(limit, std::future::pending::<()>()).await;
}

/// A recording in which nothing was heard at all is silent, not broken.
pub(super) fn decoded(file: &[u8]) -> Result<Pcm, Fault> {
    match audio::decode(file, "recording.ogg", SAMPLE_RATE_HZ, Layout::Kept) {
        Ok(pcm) => Ok(pcm),
        Err(audio::Error::Silent) => Ok(Pcm {
            sample_rate_hz: SAMPLE_RATE_HZ,
            channels: Vec::new(),
        }),
        Err(problem) => Err(Fault::never(problem)),
    }
}

fn result(heard: &Heard, model: &str, cpu_seconds: f64, audio_ms: i64) -> TranscriptResult {
    TranscriptResult {
        text: heard.text(),
        language: heard.language.clone(),
        confidence: heard.confidence(),
        provider: PROVIDER.to_owned(),
        model: model.to_owned(),
        cpu_seconds,
        cost_micros: 0,
        audio_ms,
        segments: heard.segments.clone(),
    }
}

/// A file and who speaks on its channels when.
#[derive(Clone)]
pub(super) struct Voices {
    pub(super) file: Vec<u8>,
    pub(super) stretches: Vec<Stretch>,
}

/// Keeps what a provider heard, without what must not be kept.
async fn keep(
    scope: &Scope,
    row: &Recording,
    transcript: TranscriptId,
    heard: outside::HeardOutside,
    policy: Policy,
) -> Result<(), Fault> {
    let all = Heard {
        segments: heard.segments,
        language: heard.language,
    };
    let (segments, stretches) = redact::turns(all.segments, policy, all.language.as_deref());
    let all = Heard { segments, ..all };
    let result = TranscriptResult {
        provider: heard.provider,
        cost_micros: heard.cost_micros,
        ..result(&all, &heard.model, 0.0, row.duration_ms)
    };
    let silenced = silence::audio(scope, row, &stretches).await?;
    let transcripts = scope.transcripts();
    Ok(transcripts
        .ready_with_audio(transcript, &result, silenced.as_ref())
        .await?)
}

/// What is to be heard: a call's two channels, or each speaker of a meeting alone.
async fn voices(scope: &Scope, row: &Recording, blob: &str) -> Result<Vec<Voices>, Fault> {
    let tracks = scope.minutes().tracks(row.id).await?;
    if tracks.is_empty() {
        let detail = scope.calls().detail(row.call).await?;
        let stretches = match &detail {
            Some(CallDetail { call, .. }) if row.recorded_by == Recording::IMPORT => {
                sides::of_import(&call.from_number, &call.to_number, row.peaks.len())
            }
            detail => sides::of_call(detail.as_ref(), row.created_at),
        };
        return Ok(vec![Voices {
            file: scope.blobs().get(blob).await?,
            stretches,
        }]);
    }
    let mut voices = Vec::with_capacity(tracks.len());
    for track in tracks {
        voices.push(Voices {
            file: scope.blobs().get(&track.blob).await?,
            stretches: vec![Stretch::whole(0, &track.name)],
        });
    }
    Ok(voices)
}
