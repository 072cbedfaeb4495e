//! A card number that was said or keyed: gone from text, audio and disk.

use super::import::uploaded;
use super::*;
use crate::audio::{Pcm, wav};
use strowger_media::tone;
use strowger_model::settings::{Entry, Lock};

const CARD: &str = "4539148803436467";

fn digits(number: &str) -> Vec<i16> {
    let mut samples = Vec::new();
    for (n, digit) in number.chars().enumerate() {
        samples.extend(spoken(&format!("digits/{digit}")));
        // A pause after every four, as people read a card.
        samples.resize(samples.len() + if n % 4 == 3 { 4000 } else { 400 }, 0);
    }
    samples
}

/// Every file of the machine's folder that holds these bytes.
pub(super) fn holding(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, needle));
        } else if std::fs::read(&path)
            .unwrap()
            .windows(needle.len())
            .any(|part| part == needle)
        {
            found.push(path);
        }
    }
    found
}

fn blobs(folder: &Path) -> usize {
    let prefixes = std::fs::read_dir(folder.join("blobs")).into_iter().flatten().flatten();
    let prefixes = prefixes.flat_map(|tenant| std::fs::read_dir(tenant.path()).into_iter().flatten().flatten());
    prefixes
        .map(|prefix| std::fs::read_dir(prefix.path()).unwrap().count())
        .sum()
}

/// The loudest sample of each stretch of a second of a channel.
fn seconds(channel: &[i16]) -> Vec<u16> {
    let loudest = |part: &[i16]| part.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    channel.chunks(8000).map(loudest).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_card_number_is_in_no_text_no_audio_and_no_file() {
    let bench = Bench::open().await;
    let before = spoken("vm-options");
    let said = digits(CARD);
    let after = spoken("demo-congrats");
    let left = [&before[..], &said[..], &[0; 4000], &after[..]].concat();
    let (call, recording, _) = bench.call(&left, &spoken("demo-thanks")).await;
    bench.work(&bench.desk(&models())).await;

    let detail = bench.scope.calls().detail(call).await.unwrap().unwrap();
    let transcript = &detail.transcripts[0];
    assert!(transcript.text.contains("[card number]"), "{}", transcript.text);
    let caller = transcript.segments.iter().filter(|segment| segment.channel == 0);
    let heard: String = caller.map(|segment| segment.text.clone()).collect();
    let digits: Vec<bool> = heard.bytes().map(|byte| byte.is_ascii_digit()).collect();
    assert!(!digits.windows(2).any(|pair| pair == [true, true]), "{heard}");
    assert!(heard.to_lowercase().contains("congratulations"), "{heard}");

    let made = bench.recording(recording).await;
    let file = bench.scope.blobs().get(&made.blob.unwrap()).await.unwrap();
    let pcm = decode(&file, "x.ogg", 8000, Layout::Kept).unwrap();
    assert!((pcm.duration_ms() - made.duration_ms).abs() <= 20);
    let levels = seconds(&pcm.channels[0]);
    let (from, to) = (before.len() / 8000 + 1, (before.len() + said.len()) / 8000 - 1);
    assert!(
        levels[from..to].iter().all(|level| *level < 300),
        "{from}..{to} of {levels:?}"
    );
    assert!(levels[..from - 1].iter().any(|level| *level > 3000), "{levels:?}");
    assert!(levels[to + 2..].iter().any(|level| *level > 3000), "{levels:?}");
    let peaks = &made.peaks[0];
    let part = |ms: usize| ms * peaks.len() / pcm.len();
    let (from, to) = (part(before.len()) + 4, part(before.len() + said.len()) - 4);
    assert!(
        peaks[from..to].iter().all(|peak| *peak < 4),
        "{from}..{to} of {peaks:?}"
    );

    // One sealed file is left, and neither it nor the database knows the digits.
    assert_eq!(blobs(bench.folder.path()), 1);
    bench.store.close().await;
    for needle in [
        CARD,
        "4539 1488 0343 6467",
        "4539-1488-0343-6467",
        "0343 6467",
        "03436467",
    ] {
        let found = holding(bench.folder.path(), needle.as_bytes());
        assert!(found.is_empty(), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_card_number_never_reaches_the_recording_unless_a_tenant_keeps_them() {
    for keeps in [false, true] {
        let bench = Bench::open().await;
        keep_cards(&bench, keeps).await;
        let left = with_keys();
        let (_, recording, _) = bench.call(&left, &tone(500.0, 1)).await;
        let desk = bench.desk(Path::new("/nowhere"));
        let job = bench
            .scope
            .jobs()
            .list(&JobFilter::default(), &Page::first(1))
            .await
            .unwrap()
            .items
            .remove(0);
        let job: Job = serde_json::from_value(job.payload).unwrap();
        desk.run(job, context(1, false)).await.unwrap();
        let made = bench.recording(recording).await;
        assert_eq!(keys_heard(&bench, &made).await, keeps);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_that_was_keyed_in_an_imported_call_is_silenced_as_well() {
    for keeps in [false, true] {
        let bench = Bench::open().await;
        keep_cards(&bench, keeps).await;
        let left = with_keys();
        let file = wav::encode(&Pcm {
            sample_rate_hz: 8000,
            channels: vec![left.clone(), vec![0; left.len()]],
        });
        let (recording, job) = uploaded(&bench, &file.unwrap(), "call.wav").await;
        let desk = bench.desk(Path::new("/nowhere"));
        desk.run(job, context(1, false)).await.unwrap();
        let made = bench.recording(recording.id).await;
        assert_eq!(keys_heard(&bench, &made).await, keeps);
    }
}

async fn keep_cards(bench: &Bench, keeps: bool) {
    let entry = Entry {
        value: Some((!keeps).to_string()),
        lock: Lock::Unlocked,
    };
    let settings = bench.scope.settings();
    settings.set(&actor(), "redact_cards", &entry).await.unwrap();
}

/// A tone, the keys of a card number at ease, and the tone again.
fn with_keys() -> Vec<i16> {
    let mut left = tone(300.0, 2);
    for digit in CARD.chars() {
        left.extend(tone::key(digit, 90).unwrap().iter());
        left.extend([0; 1600]);
    }
    left.extend(tone(300.0, 3));
    left
}

/// Whether a recording of [`with_keys`] holds the keys; what was before and after them it holds in any case.
async fn keys_heard(bench: &Bench, made: &Recording) -> bool {
    let file = bench.scope.blobs().get(made.blob.as_deref().unwrap()).await.unwrap();
    let pcm = decode(&file, "x.ogg", 8000, Layout::Kept).unwrap();
    let levels = seconds(&pcm.channels[0]);
    let is_loud = levels[3..5].iter().all(|level| *level > 1000);
    assert_eq!(
        crate::redact::sound::keyed_cards(&pcm).unwrap().len(),
        usize::from(is_loud)
    );
    assert!(levels[0] > 1000 && levels[levels.len() - 1] > 1000, "{levels:?}");
    is_loud
}
