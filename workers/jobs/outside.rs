//! Asking providers outside of this machine, and counting what they were asked.

use super::transcribe::{SAMPLE_RATE_HZ, Voices, decoded};
use super::{Desk, Fault, apart, sides};
use crate::audio::{Pcm, opus_file};
use crate::providers::Sound;
use crate::providers::chain::{Providers, Try, Wish};
use strowger_model::World;
use strowger_model::meaning::{Meaning, Stretch};
use strowger_model::settings::Settings;
use strowger_model::speech::{Analysis, Segment, Usage};
use strowger_store::{ProviderBreaker, ProviderTry, Scope, Store, StretchMeaning};

/// A channel on which no sample is louder holds nobody.
const QUIET: u16 = 64;

/// Has a transcript understood by whom the tenant wishes; the rules' result stays where nobody does.
pub(super) async fn understand(
    desk: &Desk,
    scope: &Scope,
    settings: &Settings,
    segments: &[Segment],
    analysis: &mut Analysis,
) -> Result<(), Fault> {
    let wish = Wish::of(settings);
    if segments.is_empty() || wish.understanding.is_empty() {
        return Ok(());
    }
    let outcome = desk.providers.understand(&wish, segments, analysis).await;
    count(desk, scope, &outcome.tries).await?;
    let mut usage = usage(&outcome.tries);
    let resting = outcome.resting.iter();
    usage
        .passed_over
        .extend(resting.map(|name| format!("{name}: not asked, it failed of late")));
    if let Some(better) = outcome.answer {
        *analysis = better;
    }
    analysis.usage = usage;
    Ok(())
}

/// Has stretches of a call turned into vectors, with the name of their model. `None`: nobody does it.
pub(super) async fn meanings(
    desk: &Desk,
    scope: &Scope,
    wish: &Wish,
    parts: Vec<Stretch>,
) -> Result<Option<(String, Vec<StretchMeaning>)>, Fault> {
    if wish.embedding.is_empty() || parts.is_empty() {
        return Ok(None);
    }
    let texts: Vec<String> = parts.iter().map(|part| part.text.clone()).collect();
    let outcome = desk.providers.embed(wish, &texts).await;
    count(desk, scope, &outcome.tries).await?;
    Ok(outcome.answer.map(|(model, vectors)| {
        let meanings = parts.iter().zip(&vectors).filter_map(|(part, vector)| {
            Some(StretchMeaning {
                from_ms: part.from_ms,
                to_ms: part.to_ms,
                meaning: Meaning::of(vector)?,
            })
        });
        (model, meanings.collect())
    }))
}

/// Counts what was asked, and says how the breakers stand where something failed or was asked again.
pub(super) async fn count(desk: &Desk, scope: &Scope, tries: &[Try]) -> Result<(), Fault> {
    if tries.is_empty() {
        return Ok(());
    }
    let tries = tries.iter().map(|one| ProviderTry {
        provider: one.provider.clone(),
        task: one.task.code(),
        problem: one.problem.clone(),
        tokens_asked: one.tokens.asked,
        tokens_answered: one.tokens.answered,
        cost_micros: one.cost_micros,
        spent_ms: i64::try_from(one.took.as_millis()).unwrap_or(i64::MAX),
    });
    scope.provider_days().count(&tries.collect::<Vec<_>>()).await?;
    Ok(tell_breakers(&desk.store, desk.world.as_ref(), &desk.providers).await?)
}

/// Says how the breakers of this worker stand, for health pages.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn tell_breakers(
    store: &Store,
    world: &dyn World,
    providers: &Providers,
) -> strowger_store::Result<()> {
    let now_ms = i64::try_from(world.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let stands = providers.stands().into_iter().map(|one| ProviderBreaker {
        provider: one.provider,
        failures: one.failures,
        rests_until_ms: one
            .rests
            .map(|rests| now_ms.saturating_add(i64::try_from(rests.as_millis()).unwrap_or(i64::MAX))),
        told_at_ms: now_ms,
    });
    let known = store.known_providers();
    known
        .tell_breakers(providers.worker(), &stands.collect::<Vec<_>>())
        .await
}

fn usage(tries: &[Try]) -> Usage {
    let mut usage = Usage::default();
    for one in tries {
        usage.tokens_asked += one.tokens.asked;
        usage.tokens_answered += one.tokens.answered;
        usage.cost_micros += one.cost_micros;
        let failed = one
            .problem
            .as_ref()
            .map(|problem| format!("{}: {problem}", one.provider));
        usage.passed_over.extend(failed);
    }
    usage
}

/// What a provider heard of a whole recording.
pub(super) struct HeardOutside {
    /// Who heard it.
    pub(super) provider: String,
    /// With what model.
    pub(super) model: String,
    /// The turns with channel and speaker, in order.
    pub(super) segments: Vec<Segment>,
    /// ISO 639-1 code.
    pub(super) language: Option<String>,
    /// Millionths of the currency.
    pub(super) cost_micros: i64,
}

/// One speaker's stretch of a channel, as a file.
struct Voice {
    channel: u8,
    speaker: String,
    file: Vec<u8>,
    duration_ms: i64,
}

/// Has each speaker heard by whom the tenant wishes. `None`: this machine does it, which it also does when
/// one speaker is not heard, so that a transcript is of one making.
pub(super) async fn hear(
    desk: &Desk,
    scope: &Scope,
    settings: &Settings,
    voices: &[Voices],
) -> Result<Option<HeardOutside>, Fault> {
    let wish = Wish::of(settings);
    if wish.hearing.is_empty() {
        return Ok(None);
    }
    let files = voices.to_vec();
    let voices = apart(move || alone(files)).await?;
    let mut whole = HeardOutside {
        provider: String::new(),
        model: String::new(),
        segments: Vec::new(),
        language: None,
        cost_micros: 0,
    };
    for voice in &voices {
        let sound = Sound {
            file: &voice.file,
            duration_ms: voice.duration_ms,
        };
        let outcome = desk.providers.hear(&wish, sound).await;
        count(desk, scope, &outcome.tries).await?;
        whole.cost_micros += outcome.tries.iter().map(|one| one.cost_micros).sum::<i64>();
        let Some((hearer, heard)) = outcome.answer else {
            return Ok(None);
        };
        (whole.provider, whole.model) = (hearer.provider, hearer.model);
        whole.language = whole.language.or(heard.language);
        whole.segments.extend(heard.segments.into_iter().map(|segment| Segment {
            channel: voice.channel,
            speaker: voice.speaker.clone(),
            ..segment
        }));
    }
    whole
        .segments
        .sort_by_key(|segment| (segment.start_ms, segment.channel));
    Ok((!voices.is_empty()).then_some(whole))
}

/// Each speaker alone as Opus, those who never made a sound left out.
fn alone(files: Vec<Voices>) -> Result<Vec<Voice>, Fault> {
    let mut voices = Vec::new();
    let mut before = 0_u8;
    for one in files {
        let pcm = decoded(&one.file)?;
        let stretches = sides::within(one.stretches, pcm.channels.len());
        let channels = sides::apart(&pcm.channels, &stretches, SAMPLE_RATE_HZ);
        for ((samples, speaker), channel) in channels
            .into_iter()
            .zip(sides::speakers(&stretches))
            .zip(sides::channels(&stretches))
        {
            if samples.iter().all(|sample| sample.unsigned_abs() < QUIET) {
                continue;
            }
            let alone = Pcm {
                sample_rate_hz: SAMPLE_RATE_HZ,
                channels: vec![samples],
            };
            voices.push(Voice {
                channel: channel.saturating_add(before),
                speaker,
                file: opus_file::encode(&alone)?,
                duration_ms: alone.duration_ms(),
            });
        }
        before = before.saturating_add(u8::try_from(pcm.channels.len()).unwrap_or(u8::MAX));
    }
    Ok(voices)
}
