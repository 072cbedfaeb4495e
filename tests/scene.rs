//! Scenes that many tests share: a phone of the demo tenant, a call's row, a recording's two channels.

use crate::baresip::{G711, Setup};
use crate::nat::Home;
use crate::{Baresip, Sandbox, eventually, tone};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The frequency the caller speaks with in tone tests, Hz.
pub const CALLER_HZ: f64 = 1004.0;
/// The frequency the callee speaks with in tone tests, Hz.
pub const CALLEE_HZ: f64 = 1400.0;

/// A WAV file with a minute of one tone.
///
/// # Errors
/// It cannot be written.
pub fn tone_file(folder: &Path, hertz: f64) -> Result<PathBuf> {
    let path = folder.join(format!("{hertz}.wav"));
    tone::write(&path, hertz, 180)?;
    Ok(path)
}

/// Registers the `index`th phone of the sandbox over UDP.
///
/// # Errors
/// It does not register.
pub async fn phone(sandbox: &Sandbox, index: usize, speaks: &Path, answers: bool) -> Result<Baresip> {
    phone_over(sandbox, index, speaks, answers, "udp").await
}

/// Registers the first two phones of the sandbox, each with its tone: one that calls and one that answers.
///
/// # Errors
/// One of them does not register.
pub async fn two_phones(sandbox: &Sandbox, folder: &Path) -> Result<(Baresip, Baresip)> {
    let caller = phone(sandbox, 0, &tone_file(folder, CALLER_HZ)?, false).await?;
    let callee = phone(sandbox, 1, &tone_file(folder, CALLEE_HZ)?, true).await?;
    Ok((caller, callee))
}

/// Registers the `index`th phone of the sandbox over `transport`.
///
/// # Errors
/// It does not register.
pub async fn phone_over(
    sandbox: &Sandbox,
    index: usize,
    speaks: &Path,
    answers: bool,
    transport: &str,
) -> Result<Baresip> {
    phone_at(sandbox, index, (speaks, answers, transport), None).await
}

/// Registers the `index`th phone of the sandbox at home behind routers: what it speaks, whether it answers, over what.
///
/// # Errors
/// It does not register.
pub async fn phone_at(
    sandbox: &Sandbox,
    index: usize,
    (speaks, answers, transport): (&Path, bool, &str),
    home: Option<&Home>,
) -> Result<Baresip> {
    let device = sandbox
        .card
        .devices
        .get(index)
        .context("the sandbox has no such phone")?;
    let setup = Setup {
        server: sandbox.sip(),
        user: &device.user,
        password: &device.password,
        speaks,
        answers,
        transport,
        registers: true,
        codecs: G711,
        port: None,
    };
    Baresip::start_at(&setup, home).await
}

/// The calls of the log, newest first.
///
/// # Errors
/// The instance does not answer.
pub async fn log(sandbox: &Sandbox) -> Result<Vec<Value>> {
    let body = sandbox.get("/api/calls/log?limit=100").await?;
    Ok(body["items"].as_array().context("no `items` in the log")?.clone())
}

/// Waits until exactly one call stands in the log, in `status`, and returns it.
///
/// # Errors
/// It does not get there within `limit`.
pub async fn only_call(sandbox: &Sandbox, status: &str, limit: Duration) -> Result<Value> {
    eventually(limit, &format!("a call in status {status}"), || async {
        let calls = log(sandbox).await?;
        match calls.as_slice() {
            [call] if call["status"] == status => Ok(call.clone()),
            other => bail!("the log holds {}", json!(other)),
        }
    })
    .await
}

/// The full row of a call.
///
/// # Errors
/// The instance does not answer.
pub async fn detail(sandbox: &Sandbox, call: &Value) -> Result<Value> {
    sandbox
        .get(&format!(
            "/api/calls/{}",
            call["id"].as_str().context("a call without id")?
        ))
        .await
}

/// The full row of a call that is over, with all that happened in it: the events are written after the state.
///
/// # Errors
/// The end does not stand there within a minute.
pub async fn whole(sandbox: &Sandbox, call: &Value) -> Result<Value> {
    eventually(Duration::from_secs(60), "the end among the call's events", || async {
        let row = detail(sandbox, call).await?;
        let events = row["events"].as_array().context("a call without events")?;
        anyhow::ensure!(events.iter().any(|event| event["kind"] == "end"), "{}", row["events"]);
        Ok(row)
    })
    .await
}

/// The kinds of the events of a call that is over, in order.
///
/// # Errors
/// As [`whole`].
pub async fn event_kinds(sandbox: &Sandbox, call: &Value) -> Result<Vec<String>> {
    let detail = whole(sandbox, call).await?;
    let events = detail["events"].as_array().context("a call without events")?;
    Ok(events
        .iter()
        .filter_map(|event| Some(event["kind"].as_str()?.to_owned()))
        .collect())
}

/// Waits for a call's recording and returns its channels: caller left, callee right.
///
/// # Errors
/// It is not ready within `limit` or does not decode.
pub async fn channels(sandbox: &Sandbox, call: &Value, limit: Duration) -> Result<Sound> {
    decode(&recording(sandbox, call, limit).await?, 8000)
}

/// Waits for a call's recording and returns its file.
///
/// # Errors
/// It is not ready within `limit`.
pub async fn recording(sandbox: &Sandbox, call: &Value, limit: Duration) -> Result<Vec<u8>> {
    let url = eventually(limit, "the recording", || async {
        let row = detail(sandbox, call).await?;
        row["recording_url"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no recording yet: {row}"))
    })
    .await?;
    sandbox.bytes(&url).await
}

/// Decoded audio.
#[derive(Debug, Clone)]
pub struct Sound {
    /// Samples a second.
    pub rate_hz: u32,
    /// The samples of each channel, −1 to 1.
    pub channels: Vec<Vec<f32>>,
}

impl Sound {
    /// Length in seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a test recording is short")]
    pub fn seconds(&self) -> f64 {
        self.channels.first().map_or(0, Vec::len) as f64 / f64::from(self.rate_hz)
    }

    /// A channel between two moments in seconds, clamped to its ends.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "moments of a short recording"
    )]
    pub fn part(&self, channel: usize, from_s: f64, to_s: f64) -> &[f32] {
        let Some(samples) = self.channels.get(channel) else {
            return &[];
        };
        let at = |seconds: f64| ((seconds.max(0.0) * f64::from(self.rate_hz)) as usize).min(samples.len());
        samples.get(at(from_s)..at(to_s)).unwrap_or_default()
    }
}

/// Decodes a recording to a rate, as the worker would.
///
/// # Errors
/// It is no Opus in Ogg.
pub fn decode(bytes: &[u8], rate_hz: u32) -> Result<Sound> {
    let pcm = strowger_worker::audio::opus_file::decode(bytes, rate_hz)?;
    let channels = pcm
        .channels
        .iter()
        .map(|samples| samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect());
    Ok(Sound {
        rate_hz,
        channels: channels.collect(),
    })
}
