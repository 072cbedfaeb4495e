//! What is uploaded is what callers hear.

use crate::{SOON, flow_at, set};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use strowger_tests::scene::{CALLER_HZ, channels, only_call, phone, tone_file};
use strowger_tests::{Sandbox, process, speech};

const RATE_HZ: u32 = 44_100;

/// Speech between two bursts of tone, 44.1 kHz, stereo: something whose place in a recording is unmistakable.
fn source(folder: &Path) -> PathBuf {
    let said = speech::file("vm-intro").unwrap();
    let mut read = hound::WavReader::open(said).unwrap();
    let rate = read.spec().sample_rate;
    let said: Vec<f64> = read
        .samples::<i16>()
        .map(|sample| f64::from(sample.unwrap()) / 32_768.0)
        .collect();
    let path = folder.join("prompt.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(&path, spec).unwrap();
    let seconds = said.len() as f64 / f64::from(rate);
    for n in 0..(seconds * f64::from(RATE_HZ)) as usize {
        let at = n as f64 / f64::from(RATE_HZ);
        let place = at * f64::from(rate);
        let (left, right) = (said.get(place as usize), said.get(place as usize + 1));
        let share = place.fract();
        let voice = left.copied().unwrap_or(0.0) * (1.0 - share) + right.copied().unwrap_or(0.0) * share;
        let chirp = if at < 0.3 {
            (TAU * (300.0 + 1500.0 * at) * at).sin() * 0.2
        } else {
            0.0
        };
        let sample = ((voice + chirp).clamp(-1.0, 1.0) * 30_000.0) as i16;
        file.write_sample(sample).unwrap();
        file.write_sample(sample).unwrap();
    }
    file.finalize().unwrap();
    path
}

fn convert(from: &Path, ending: &str) -> PathBuf {
    let to = from.with_extension(ending);
    if ending != "wav" {
        let status = Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-y", "-i"])
            .arg(from)
            .arg(&to)
            .status()
            .expect("ffmpeg makes the files: apt install ffmpeg");
        assert!(status.success(), "no {ending}");
    }
    to
}

async fn upload(sandbox: &Sandbox, name: &str, file_name: &str, bytes: Vec<u8>) -> (StatusCode, Value) {
    let url = format!("{}/api/prompts?name={name}&file_name={file_name}", sandbox.card.http);
    let answer = reqwest::Client::new()
        .post(url)
        .bearer_auth(&sandbox.card.api_token)
        .header("content-type", "application/octet-stream")
        .body(bytes)
        .timeout(Duration::from_secs(60))
        .send()
        .await
        .unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or(Value::Null))
}

/// The file as it is heard over a telephone: 8 kHz mono.
fn narrow(file: &Path) -> Vec<f32> {
    let bytes = std::fs::read(file).unwrap();
    let layout = strowger_worker::audio::decode::Layout::Mono;
    let pcm = strowger_worker::audio::decode(&bytes, "x", 8000, layout).unwrap();
    pcm.channels[0]
        .iter()
        .map(|sample| f32::from(*sample) / 32_768.0)
        .collect()
}

/// The highest correlation of `part` with any place of `whole`: 1 is the same but for loudness. The place is found on a
/// sixteenth of the samples, then to the sample.
fn correlation(whole: &[f32], part: &[f32]) -> f64 {
    const COARSE: usize = 16;
    let thin = |samples: &[f32]| -> Vec<f32> {
        let mean = |block: &[f32]| block.iter().map(|sample| sample.abs()).sum::<f32>() / block.len() as f32;
        samples.chunks(COARSE).map(mean).collect()
    };
    let (few, of_part) = (thin(whole), thin(part));
    let last = few.len().saturating_sub(of_part.len());
    let near = (0..last).max_by(|a, b| alike(&few[*a..], &of_part).total_cmp(&alike(&few[*b..], &of_part)));
    let near = near.unwrap_or(0) * COARSE;
    let from = near.saturating_sub(8 * COARSE);
    let to = (near + 8 * COARSE).min(whole.len().saturating_sub(part.len()));
    (from..to).map(|at| alike(&whole[at..], part)).fold(0.0, f64::max)
}

fn alike(here: &[f32], part: &[f32]) -> f64 {
    let (mut dot, mut ours, mut theirs) = (0.0, 0.0, 0.0);
    for (a, b) in here.iter().zip(part) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        (dot, ours, theirs) = (dot + a * b, ours + a * a, theirs + b * b);
    }
    dot / (ours * theirs).sqrt().max(1e-9)
}

#[tokio::test]
async fn a_stereo_mp3_is_heard_by_the_caller_and_other_formats_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let wav = source(folder.path());
    for ending in ["mp3", "wav", "ogg", "flac", "m4a"] {
        let bytes = std::fs::read(convert(&wav, ending)).unwrap();
        let (status, prompt) = upload(&sandbox, ending, &format!("prompt.{ending}"), bytes).await;
        assert_eq!(status, StatusCode::CREATED, "{ending}: {prompt}");
        assert_eq!(prompt["status"], "ready", "{ending}: {prompt}");
    }
    let heard_of = narrow(&convert(&wav, "mp3"));

    set(&sandbox, json!({"auto_record_calls": true})).await;
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "play", "type": "play", "data": {"prompt": "mp3"}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "play"},
            {"id": "2", "source": "play", "target": "bye"}
        ]
    });
    flow_at(&sandbox, "+15550002000", definition).await;
    let mut caller = phone(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    caller.dial("+15550002000").await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
    // Three seconds of it, the beginning left out: speech, in which no place is like another.
    let part = &heard_of[4_000..28_000.min(heard_of.len())];
    let heard = caller.heard_sound().unwrap();
    let close = correlation(&heard.channels[0], part);
    assert!(
        close > 0.95,
        "what the caller heard correlates {close:.3} with the file"
    );
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let recorded = channels(&sandbox, &call, SOON).await.unwrap();
    let close = correlation(&recorded.channels[1], part);
    assert!(close > 0.95, "the recording correlates {close:.3} with the file");
}

#[tokio::test]
async fn a_file_that_nobody_can_play_is_refused_with_the_reason_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mp3 = std::fs::read(convert(&source(folder.path()), "mp3")).unwrap();
    let noise: Vec<u8> = mp3.iter().map(|byte| byte.wrapping_mul(31) ^ 0x5a).collect();
    let cases = [
        ("text", "hello.mp3", b"this is a letter, not a sound".to_vec()),
        ("corrupt", "prompt.mp3", noise),
        ("empty", "prompt.wav", b"RIFF\x24\0\0\0WAVE".to_vec()),
    ];
    for (name, file_name, bytes) in cases {
        let (status, problem) = upload(&sandbox, name, file_name, bytes).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {problem}");
        let reason = problem.to_string();
        assert!(reason.contains("file") && reason.len() > 40, "{reason}");
    }
    let kept = sandbox.get("/api/prompts").await.unwrap();
    assert_eq!(kept["items"], json!([]), "nothing is kept");
    assert!(process::is_running(sandbox.card.pids.worker));
}
