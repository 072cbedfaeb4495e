//! A leg that speaks a wide-band codec is recorded as it was heard.

use super::*;
use crate::audio::opus_file::rate_of;
use crate::audio::tests::level;
use strowger_media::timeline::Rate;

/// What each side says in the telephone band and, where its codec carries it, above.
const LEFT_HZ: [f32; 2] = [1004.0, 5500.0];
const RIGHT_HZ: [f32; 2] = [440.0, 6200.0];

/// Three seconds of two pitches as loud as each other, as far as a codec carries them.
fn chord(codec: Codec, pitches: [f32; 2]) -> Vec<i16> {
    let rate = timeline::rate_of(codec.captured());
    let wave = |n: u32, hz: f32| (std::f32::consts::TAU * hz * n as f32 / rate.hertz() as f32).sin();
    let is_carried = |hz: &&f32| rate == Rate::Wide || **hz < 4000.0;
    (0..rate.hertz() * 3)
        .map(|n| (pitches.iter().filter(is_carried).map(|hz| wave(n, *hz)).sum::<f32>() * 6000.0) as i16)
        .collect()
}

async fn processed(bench: &Bench, desk: &Desk, recording: RecordingId, capture: CaptureId) -> Recording {
    let job = Job::ProcessRecording {
        tenant: bench.scope.tenant(),
        capture,
        recording,
    };
    desk.run(job, context(1, false)).await.unwrap();
    bench.recording(recording).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_as_wide_as_it_was_spoken() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    let said = chord(Codec::G722, LEFT_HZ);
    let (_, recording, capture) = bench.call_of(Purpose::Voicemail, &[(Codec::G722, &said)]).await;
    let made = processed(&bench, &desk, recording, capture).await;
    let file = bench.scope.blobs().get(&made.blob.unwrap()).await.unwrap();
    let pcm = decode(&file, "x.ogg", rate_of(&file), Layout::Kept).unwrap();
    assert_eq!((pcm.sample_rate_hz, pcm.channels.len()), (16_000, 1));
    let [low, high] = LEFT_HZ.map(|hz| level(&pcm.channels[0][16_000..32_000], 16_000, hz));
    assert!(high > low / 2.0 && low > 2000.0, "{high} of {low}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_as_wide_as_the_widest_leg_and_each_side_as_its_own() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    for (left, right, wanted_hz) in [
        (Codec::G722, Codec::Pcmu, 16_000),
        (Codec::Pcma, Codec::Opus, 16_000),
        (Codec::Opus, Codec::G722, 16_000),
        (Codec::Pcma, Codec::Pcmu, 8_000),
    ] {
        let legs = [(left, LEFT_HZ), (right, RIGHT_HZ)];
        let said = legs.map(|(codec, pitches)| chord(codec, pitches));
        let (_, recording, capture) = bench
            .call_of(Purpose::Call, &[(left, &said[0]), (right, &said[1])])
            .await;
        let made = processed(&bench, &desk, recording, capture).await;
        assert!(
            (made.duration_ms - 3000).abs() <= 20,
            "{left:?}: {} ms",
            made.duration_ms
        );
        assert_eq!(made.sample_rate_hz, Some(i64::from(wanted_hz)));
        assert_eq!((made.peaks.len(), made.peaks[0].len()), (2, crate::audio::peaks::COUNT));
        let file = bench.scope.blobs().get(&made.blob.unwrap()).await.unwrap();
        assert_eq!(rate_of(&file), wanted_hz, "{left:?} and {right:?}");
        let pcm = decode(&file, "x.ogg", 16_000, Layout::Kept).unwrap();
        for (channel, (codec, own)) in legs.into_iter().enumerate() {
            let talk = &pcm.channels[channel][16_000..32_000];
            let [low, high] = own.map(|hz| level(talk, 16_000, hz));
            assert!(low > 2000.0, "{codec:?} says {low}");
            if codec.is_wide() {
                assert!(high > low / 2.0, "{codec:?}: {high} of {low}");
            } else {
                assert!(high < low / 300.0, "{codec:?}: {high} of {low}");
            }
            let foreign = legs[1 - channel].1.map(|hz| level(talk, 16_000, hz));
            assert!(
                foreign.iter().all(|other| *other < low / 30.0),
                "{codec:?}: {foreign:?} of {low}"
            );
        }
    }
}

/// Sentences of Debian's package, the word each begins with and how long it is silent before.
const SENTENCES: [(&str, &str, usize); 3] = [
    ("vm-intro", "please", 1),
    ("demo-thanks", "goodbye", 3),
    ("demo-congrats", "congratulations", 2),
];

/// What somebody says at 16 kHz, and when (ms) each first word begins to sound.
fn sentences(before_s: usize) -> (Vec<i16>, Vec<(&'static str, i64)>) {
    let (mut said, mut begin) = (vec![0; before_s * 16_000], Vec::new());
    for (name, word, pause_s) in SENTENCES {
        said.resize(said.len() + pause_s * 16_000, 0);
        let path = PathBuf::from(SOUNDS).join(format!("{name}.wav"));
        let file = std::fs::read(&path).expect("tests need speech: apt install asterisk-core-sounds-en-wav");
        let sentence = decode(&file, "x.wav", 16_000, Layout::Mono).unwrap().channels.remove(0);
        let loudest = sentence.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        let sounds = |sample: &i16| sample.unsigned_abs() > loudest / 16;
        let onset = sentence.iter().position(sounds).unwrap();
        begin.push((word, (said.len() + onset) as i64 / 16));
        // A sentence is enough of the longest.
        said.extend(sentence.iter().take(10 * 16_000));
    }
    (said, begin)
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_wide_band_legs_stand_where_they_were_said() {
    let bench = Bench::open().await;
    let ((left, of_left), (right, of_right)) = (sentences(0), sentences(20));
    let legs = [(Codec::Opus, &left[..]), (Codec::G722, &right[..])];
    let (call, ..) = bench.call_of(Purpose::Call, &legs).await;
    bench.work(&bench.desk(&models())).await;
    let detail = bench.scope.calls().detail(call).await.unwrap().unwrap();
    let segments = &detail.transcripts[0].segments;
    for (channel, begin) in [(0, of_left), (1, of_right)] {
        let own = segments.iter().filter(|segment| segment.channel == channel);
        let words: Vec<_> = own.flat_map(|segment| &segment.words).collect();
        for (word, at_ms) in begin {
            let is_it = |text: &str| text.to_lowercase().contains(word);
            let nearest = words.iter().filter(|heard| is_it(&heard.text));
            let away_ms = nearest.map(|heard| (heard.start_ms - at_ms).abs()).min();
            assert!(
                away_ms.is_some_and(|away_ms| away_ms <= 300),
                "“{word}” of {channel} at {at_ms} ms: {away_ms:?} away"
            );
        }
    }
}
