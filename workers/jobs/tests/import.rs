//! Recordings from outside: files of every format become recordings, what is no audio ends with its reason.

use super::{Bench, actor, context, models, spoken};
use crate::audio::decode::{Layout, decode};
use crate::audio::{Pcm, wav};
use std::path::Path;
use std::process::Command;
use strowger_model::job::Job;
use strowger_model::record::Recording;
use strowger_model::transcript::TranscriptSource;
use strowger_model::{Direction, World as _};
use strowger_store::SystemWorld;
use strowger_store::queue::JobError;
use strowger_store::uploads::{About, Appended, Begun, Wish};

const RATE_HZ: u32 = 44_100;
const SECONDS: u32 = 3;

/// 440 Hz on the left, 1 kHz on the right.
fn tones() -> Pcm {
    let tone = |hz: f32| {
        let step = std::f32::consts::TAU * hz / RATE_HZ as f32;
        (0..RATE_HZ * SECONDS)
            .map(|n| ((n as f32 * step).sin() * 9000.0) as i16)
            .collect()
    };
    Pcm {
        sample_rate_hz: RATE_HZ,
        channels: vec![tone(440.0), tone(1000.0)],
    }
}

fn converted(folder: &Path, ending: &str) -> Vec<u8> {
    let (from, to) = (folder.join("call.wav"), folder.join(format!("made.{ending}")));
    std::fs::write(&from, wav::encode(&tones()).unwrap()).unwrap();
    let mut command = Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-loglevel", "error", "-y", "-i"])
        .arg(&from);
    if ending == "webm" {
        command.args(["-c:a", "libopus"]);
    }
    let status = command
        .arg(&to)
        .status()
        .expect("ffmpeg makes the files: apt install ffmpeg");
    assert!(status.success(), "no {ending}");
    std::fs::read(&to).unwrap()
}

/// Uploads a file in two pieces; the recording it becomes, and its job.
pub(super) async fn uploaded(bench: &Bench, file: &[u8], name: &str) -> (Recording, Job) {
    let about = About {
        name: name.to_owned(),
        from_number: "+4930111".to_owned(),
        to_number: "+4930222".to_owned(),
        direction: Direction::Inbound,
        started_at: SystemWorld.now(),
    };
    let uploads = bench.scope.uploads();
    let begun = uploads
        .begin(&actor(), Wish::Import(about), name, file.len() as u64)
        .await;
    let Ok(Begun::Open(upload)) = begun else {
        panic!("{begun:?}")
    };
    let (first, rest) = file.split_at(file.len() / 2);
    uploads.append(&actor(), upload.id, 0, first).await.unwrap();
    let kept = uploads
        .append(&actor(), upload.id, first.len() as u64, rest)
        .await
        .unwrap();
    let Appended::Kept(whole) = kept else {
        panic!("{kept:?}")
    };
    let recording = whole.recording.unwrap();
    let job = Job::ImportRecording {
        tenant: bench.scope.tenant(),
        recording,
        upload: whole.id,
    };
    (bench.scope.recordings().get(recording).await.unwrap().unwrap(), job)
}

/// The share of a channel's energy at a frequency (Goertzel).
fn share(samples: &[i16], hz: f32, rate_hz: f32) -> f32 {
    let turn = 2.0 * (std::f32::consts::TAU * hz / rate_hz).cos();
    let (mut one, mut two, mut all) = (0.0_f32, 0.0_f32, 0.0_f32);
    for sample in samples {
        let value = f32::from(*sample) / 32_768.0;
        let now = value + turn * one - two;
        (two, one) = (one, now);
        all += value * value;
    }
    let power = one * one + two * two - turn * one * two;
    2.0 * power / (samples.len() as f32 * all.max(1e-9))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_any_format_becomes_a_recording_with_its_call() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    let folder = tempfile::tempdir().unwrap();
    for ending in ["wav", "mp3", "m4a", "ogg", "flac", "webm"] {
        let file = converted(folder.path(), ending);
        let (recording, job) = uploaded(&bench, &file, &format!("call.{ending}")).await;
        assert_eq!(recording.state, "captured");
        desk.run(job.clone(), context(1, false)).await.unwrap();
        desk.run(job, context(2, false)).await.unwrap();
        let made = bench.scope.recordings().get(recording.id).await.unwrap().unwrap();
        assert_eq!(
            (made.state.as_str(), made.format.as_str()),
            ("ready", "ogg/opus"),
            "{ending}"
        );
        // What encoders put before and after the audio.
        let off = (made.duration_ms - i64::from(SECONDS) * 1000).abs();
        assert!(off <= 120, "{ending}: {} ms", made.duration_ms);
        let sound = bench.scope.blobs().get(&made.blob.unwrap()).await.unwrap();
        let sound = decode(&sound, "", 16_000, Layout::Kept).unwrap();
        let middle = |channel: usize| &sound.channels[channel][8_000..40_000];
        for (channel, hz) in [(0, 440.0), (1, 1000.0)] {
            let heard = share(middle(channel), hz, 16_000.0);
            assert!(heard > 0.8, "{ending}: {heard} of channel {channel} at {hz} Hz");
        }
        let call = bench.scope.calls().get(made.call).await.unwrap().unwrap();
        assert_eq!(call.duration_ms, made.duration_ms);
        assert_eq!(call.from_number, "+4930111");
    }
    let seen = bench.store.examine_recordings().await.unwrap();
    assert_eq!((seen.recordings, seen.findings), (6, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_channels_of_a_file_are_its_two_numbers() {
    let bench = Bench::open().await;
    let mut channels = vec![spoken("vm-options"), spoken("demo-congrats")];
    let longest = channels.iter().map(Vec::len).max().unwrap();
    channels.iter_mut().for_each(|channel| channel.resize(longest, 0));
    let file = wav::encode(&Pcm {
        sample_rate_hz: 8000,
        channels,
    });
    let (recording, job) = uploaded(&bench, &file.unwrap(), "call.wav").await;
    let desk = bench.desk(&models());
    desk.run(job, context(1, false)).await.unwrap();
    let asked = bench.scope.transcripts().request(&actor(), recording.id).await;
    assert!(asked.unwrap().is_some());
    let done = bench.work(&desk).await;
    assert_eq!(done, ["import_recording", "transcribe", "analyse"]);
    let detail = bench.scope.calls().detail(recording.call).await.unwrap().unwrap();
    assert_eq!(detail.transcripts[0].source, TranscriptSource::Recording(recording.id));
    let segments = &detail.transcripts[0].segments;
    let named = |channel: u8, name: &str| {
        let mut of_channel = segments.iter().filter(|segment| segment.channel == channel).peekable();
        of_channel.peek().is_some() && of_channel.all(|segment| segment.speaker == name)
    };
    assert!(named(0, "+4930111") && named(1, "+4930222"), "{segments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_audio_ends_as_failed_with_its_reason() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    let (recording, job) = uploaded(&bench, b"%PDF-1.4 this is a letter", "letter.wav").await;
    let refused = desk.run(job, context(1, false)).await;
    assert!(matches!(refused, Err(JobError::GiveUp(_))), "{refused:?}");
    let failed = bench.scope.recordings().get(recording.id).await.unwrap().unwrap();
    assert_eq!(failed.state, "failed");
    assert!(failed.problem.unwrap().contains("not an audio file"));
}
