//! What is kept of a meeting: its minutes and the sound of its recordings.

use crate::{Sandbox, eventually};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use strowger_worker::audio::decode::{Layout, decode};

/// Samples a second of the sound of a recording.
pub const RATE_HZ: u32 = 48_000;

/// The newest meeting of a room as its minutes stand.
///
/// # Errors
/// There was none.
pub async fn newest(sandbox: &Sandbox, room: &str) -> Result<Value> {
    let list = sandbox.get(&format!("/api/rooms/history?room={room}")).await?;
    let id = list["items"][0]["id"].as_str().context("no meeting yet")?;
    sandbox.get(&format!("/api/rooms/history/{id}")).await
}

/// The newest meeting of a room once its first recording stands as wished.
///
/// # Errors
/// It never does.
pub async fn recorded(sandbox: &Sandbox, room: &str, is_done: fn(&Value) -> bool) -> Result<Value> {
    eventually(Duration::from_secs(240), "the recording", || async {
        let one = newest(sandbox, room).await?;
        ensure!(is_done(&one["recordings"][0]), "not done: {}", one["recordings"][0]);
        Ok(one)
    })
    .await
}

/// The samples of a recording, −1 to 1, everything in one channel.
///
/// # Errors
/// There is no such file, or it is no sound.
pub async fn sound(sandbox: &Sandbox, url: &Value) -> Result<Vec<f32>> {
    let bytes = sandbox.bytes(url.as_str().context("no sound")?).await?;
    let mut pcm = decode(&bytes, "x.ogg", RATE_HZ, Layout::Mono)?;
    ensure!(!pcm.channels.is_empty(), "a sound without channels");
    let samples = pcm.channels.remove(0);
    Ok(samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect())
}
