//! A meeting of members who speak Opus: the mix, the tracks, and a transcript with names.

use super::{Bench, actor, models, spoken, submit};
use crate::audio::decode::{Layout, decode};
use crate::audio::resample;
use opus::{Application, Channels, Encoder};
use std::path::Path;
use strowger_model::capture::{CaptureMeta, Chunk, Codec, Frame, Mark, Purpose, StreamMeta};
use strowger_model::minutes::{Member, Minutes};
use strowger_model::{CallId, CaptureId, LegId, RecordingId};
use strowger_store::capture::{CaptureSpool, SpoolConfig};
use strowger_store::{MinutesDetail, NewRecording};

const RATE_HZ: u32 = 48_000;
const PACKET: usize = 960;

/// Somebody who speaks from a second of the meeting on.
struct Spoken {
    identity: &'static str,
    from_s: usize,
    /// 48 kHz.
    samples: Vec<i16>,
}

fn tone(hz: f32, seconds: usize) -> Vec<i16> {
    let step = std::f32::consts::TAU * hz / RATE_HZ as f32;
    (0..RATE_HZ as usize * seconds)
        .map(|n| ((n as f32 * step).sin() * 4000.0) as i16)
        .collect()
}

fn member(bench: &Bench, call: CallId, identity: &str) -> Member {
    Member {
        id: LegId::generate(bench.world.as_ref()),
        call,
        sid: format!("PA_{identity}"),
        identity: identity.to_owned(),
        name: format!("{}{}", identity[..1].to_uppercase(), &identity[1..]),
        kind: "standard".to_owned(),
        role: "participant".to_owned(),
        joined_at: bench.world.now(),
        left_at: None,
        reason: None,
        is_muted: false,
        has_video: false,
        is_sharing: false,
    }
}

/// A meeting that is captured as members speak, each a packet of 20 ms after the other; `lasts_s` is its
/// length. Every fiftieth packet is lost.
async fn hold(bench: &Bench, voices: &[Spoken], lasts_s: u64) -> (CallId, RecordingId) {
    let world = bench.world.as_ref();
    let minutes = Minutes {
        call: CallId::generate(world),
        tenant: bench.scope.tenant(),
        sid: "RM_test".to_owned(),
        room: "standup".to_owned(),
        title: String::new(),
        host: None,
        peak: 2,
        started_at: world.now(),
        ended_at: None,
    };
    let area = bench.scope.minutes();
    area.begin(&minutes).await.unwrap();
    let new = NewRecording {
        id: RecordingId::generate(world),
        capture: CaptureId::generate(world),
        name: "standup".to_owned(),
        recorded_by: "settings".to_owned(),
        problem: None,
        created_at: world.now(),
    };
    area.recording_begins(minutes.call, &new).await.unwrap();
    let meta = CaptureMeta {
        capture: new.capture,
        recording: new.id,
        tenant: bench.scope.tenant(),
        call: minutes.call,
        purpose: Purpose::Room,
        started_unix_ms: 0,
    };
    let config = SpoolConfig {
        reserve_bytes: 0,
        ..SpoolConfig::default()
    };
    let spool = CaptureSpool::start(&bench.store, &config).unwrap();
    let capture = spool.open(&meta, &[]).await.unwrap();
    let mut speaking = Vec::new();
    for (stream, voice) in (0_u8..).zip(voices) {
        let member = member(bench, minutes.call, voice.identity);
        area.member(&member).await.unwrap();
        let announced = StreamMeta {
            stream,
            leg: member.id,
            speaker: member.name.clone(),
        };
        capture.announce(&announced).unwrap();
        let encoder = Encoder::new(RATE_HZ, Channels::Mono, Application::Voip).unwrap();
        speaking.push((stream, voice, encoder, capture.sink(stream)));
    }
    // A second of each in turn, as a room's task hands them over.
    for second in 0..lasts_s {
        for (stream, voice, encoder, sink) in &mut speaking {
            let Some(from) = (second as usize).checked_sub(voice.from_s) else {
                continue;
            };
            let mut chunk = Chunk::with_capacity(50 * 1200);
            for n in from * 50..(from + 1) * 50 {
                let Some(samples) = voice.samples.get(n * PACKET..(n + 1) * PACKET) else {
                    continue;
                };
                let payload = encoder.encode_vec(samples, 1000).unwrap();
                if n % 50 == 49 {
                    continue;
                }
                let frame = Frame {
                    stream: *stream,
                    codec: Codec::Opus,
                    arrival_us: (voice.from_s * 50 + n) as u64 * 20_000,
                    rtp_timestamp: (n * PACKET) as u32,
                    sequence: n as u16,
                    payload: &payload,
                };
                assert!(chunk.push(&frame));
            }
            submit(sink, chunk).await;
        }
    }
    for (stream, _, _, sink) in &mut speaking {
        let mut chunk = Chunk::with_capacity(100);
        let end = Frame {
            stream: *stream,
            codec: Codec::Mark,
            arrival_us: lasts_s * 1_000_000,
            rtp_timestamp: 0,
            sequence: 0,
            payload: &[Mark::Paused.byte()],
        };
        assert!(chunk.push(&end));
        submit(sink, chunk).await;
    }
    capture.finish().await.unwrap();
    spool.close().await;
    area.finish(minutes.call, world.now()).await.unwrap();
    area.recording_ends(new.id).await.unwrap();
    (minutes.call, new.id)
}

async fn sound(bench: &Bench, blob: &str) -> Vec<i16> {
    let file = bench.scope.blobs().get(blob).await.unwrap();
    decode(&file, "x.ogg", RATE_HZ, Layout::Kept)
        .unwrap()
        .channels
        .remove(0)
}

/// The power of `hz` in a signal (Goertzel).
fn power(samples: &[i16], hz: f32) -> f64 {
    let coefficient = 2.0 * f64::from(std::f32::consts::TAU * hz / RATE_HZ as f32).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (f64::from(*sample) + coefficient * one - two, one);
    }
    (one * one + two * two - coefficient * one * two) / samples.len().max(1) as f64
}

async fn detail(bench: &Bench, call: CallId) -> MinutesDetail {
    bench.scope.minutes().detail(call).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mix_holds_everybody_and_each_track_one_member_where_they_spoke() {
    let bench = Bench::open().await;
    let off = strowger_model::settings::Entry {
        value: Some("false".to_owned()),
        lock: strowger_model::settings::Lock::Unlocked,
    };
    let settings = bench.scope.settings();
    settings.set(&actor(), "auto_transcribe_rooms", &off).await.unwrap();
    let voices = [
        Spoken {
            identity: "ada",
            from_s: 0,
            samples: tone(440.0, 5),
        },
        Spoken {
            identity: "bob",
            from_s: 2,
            samples: tone(1000.0, 3),
        },
    ];
    let (call, recording) = hold(&bench, &voices, 6).await;
    let desk = bench.desk(Path::new("/nonexistent"));
    assert_eq!(bench.work(&desk).await, ["process_recording"]);

    let made = bench.recording(recording).await;
    assert_eq!((made.state.as_str(), made.peaks.len()), ("ready", 1));
    assert!((made.duration_ms - 6000).abs() <= 20, "{}", made.duration_ms);
    let mix = sound(&bench, made.blob.as_deref().unwrap()).await;
    let tracks = detail(&bench, call).await.tracks;
    let names: Vec<&str> = tracks.iter().map(|track| track.name.as_str()).collect();
    assert_eq!(names, ["Ada", "Bob"]);
    let (ada, bob) = (
        sound(&bench, &tracks[0].blob).await,
        sound(&bench, &tracks[1].blob).await,
    );
    assert_eq!((ada.len(), bob.len()), (mix.len(), mix.len()));
    let second = |samples: &[i16], n: usize| samples[n * 48_000..(n + 1) * 48_000].to_vec();
    for hz in [440.0, 1000.0] {
        assert!(power(&second(&mix, 3), hz) > 1e6, "{hz} Hz in the mix");
    }
    assert!(power(&second(&ada, 3), 440.0) > 1000.0 * power(&second(&ada, 3), 1000.0));
    assert!(power(&second(&bob, 3), 1000.0) > 1000.0 * power(&second(&bob, 3), 440.0));
    assert!(power(&second(&mix, 1), 440.0) > 1000.0 * power(&second(&mix, 1), 1000.0));
    let first = bob.iter().position(|sample| sample.unsigned_abs() > 3000).unwrap();
    assert!(first.abs_diff(2 * 48_000) <= 960, "bob begins at {first}");
    let loudest = mix[5 * 48_000 + 9600..]
        .iter()
        .map(|sample| sample.unsigned_abs())
        .max();
    assert!(loudest < Some(100), "{loudest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_transcribed_with_names_and_understood() {
    let bench = Bench::open().await;
    let desk = bench.desk(&models());
    let wide = |name: &str| resample::channel(&spoken(name), 8000, RATE_HZ).unwrap();
    let voices = [
        Spoken {
            identity: "ada",
            from_s: 0,
            samples: wide("vm-options"),
        },
        Spoken {
            identity: "bob",
            from_s: 4,
            samples: wide("demo-congrats"),
        },
    ];
    let (call, _) = hold(&bench, &voices, 40).await;
    assert_eq!(bench.work(&desk).await, ["process_recording", "transcribe", "analyse"]);
    let detail = detail(&bench, call).await;
    let transcript = &detail.transcripts[0];
    let of = |name: &str| {
        let own = transcript.segments.iter().filter(|segment| segment.speaker == name);
        let texts: Vec<String> = own.map(|segment| segment.text.to_lowercase()).collect();
        texts.join(" ")
    };
    assert!(
        of("Ada").contains("greeting") && !of("Ada").contains("asterisk"),
        "{}",
        of("Ada")
    );
    assert!(
        of("Bob").contains("congratulations") && !of("Bob").contains("greeting"),
        "{}",
        of("Bob")
    );
    assert!(!transcript.analysis.as_ref().unwrap().summary.is_empty());
}
