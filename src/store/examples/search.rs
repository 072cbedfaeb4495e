//! How fast words and meanings are found: fills transcripts of six hundred words each, looks for common and rare ones,
//! and compares questions with as many vectors as are looked at.
//!
//! `cargo run --release -p strowger-store --example search -- [URL] [TRANSCRIPTS]`, where `URL` is
//! `postgres://…` of an empty database or nothing for SQLite in a temporary folder. With no transcripts (`0`) it
//! looks through what a run before left in that database.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement prints, and ends when it cannot go on"
)]

use std::sync::Arc;
use std::time::Instant;
use strowger_model::meaning::Meaning;
use strowger_model::record::Call;
use strowger_model::search::Question;
use strowger_model::speech::{Segment, Sentiment, Word};
use strowger_model::{CallId, CallState, CallType, CaptureId, Direction, Metadata, RecordingId, UserId};
use strowger_store::{
    Actor, Afterwards, FinishedCall, Meanings, Narrowed, NewRecording, NewTenant, Page, RecordingResult, Scope, Store,
    StoreConfig, StretchMeaning, SystemWorld, TranscriptFilter, TranscriptResult, Where,
};

const ROUNDS: usize = 40;
const BUDGET_MS: f64 = 300.0;
const WORDS: u64 = 600;
const WORDS_A_TURN: u64 = 20;
/// Stretches of a transcript, and figures of a vector.
const STRETCHES: i64 = 10;
const FIGURES: usize = 1536;

#[tokio::main]
async fn main() {
    let mut given = std::env::args().skip(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = given
        .next()
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| format!("sqlite://{}/strowger.db", folder.path().display()));
    let count: u64 = given.next().map_or(100_000, |count| count.parse().expect("a count"));
    let config = StoreConfig {
        url,
        data_dir: folder.path().to_owned(),
        master_key: [7; 32],
    };
    let store = Store::open(&config, Arc::new(SystemWorld)).await.expect("the store");
    let mut scopes = Vec::new();
    let few = UserId::from_uuid(uuid::Uuid::from_u128(11));
    let nobody = UserId::from_uuid(uuid::Uuid::from_u128(12));
    let standing = store.tenants().list(&Page::first(10)).await.expect("the tenants").items;
    for name in ["ours", "theirs", "empty"] {
        if let Some(tenant) = standing.iter().find(|tenant| tenant.name == name) {
            scopes.push(store.tenant(tenant.id));
            continue;
        }
        let new = NewTenant {
            name: name.to_owned(),
            realm: format!("{name}.example"),
        };
        let tenant = store
            .tenants()
            .create(&Actor::named("bench"), new)
            .await
            .expect("a tenant");
        scopes.push(store.tenant(tenant.id));
    }
    let began = Instant::now();
    for n in 0..count {
        // One in five is another tenant's.
        let scope = scopes.get(usize::from(n % 5 == 4)).expect("a scope");
        put(scope, n, (n % 2000 == 11).then_some(few)).await;
    }
    store.upkeep().await.expect("upkeep");
    println!("{count} transcripts written in {:.0} s", began.elapsed().as_secs_f64());

    let scope = scopes.first().expect("a scope");
    let mut slowest = 0.0_f64;
    for (name, asked, to, user) in [
        ("in every one", "common", None, None),
        ("the beginning of most words", "wor", None, None),
        ("two common words", "common word17", None, None),
        ("a phrase", "\"word17 word18\"", None, None),
        ("in a hundredth", "hundredth", None, None),
        ("in one", "needle", None, None),
        ("common and rare", "common needle", None, None),
        ("nowhere", "zebra", None, None),
        ("common, but nowhere there", "common", Some(Where::Notes), None),
        ("common, of one with few calls", "common word17", None, Some(few)),
        ("common, of one with no calls", "common word17", None, Some(nobody)),
    ] {
        slowest = slowest.max(measure(scope, name, asked, Narrowed { to, user }).await);
    }
    let empty = scopes.last().expect("a scope");
    let name = "common, but with others alone";
    slowest = slowest.max(measure(empty, name, "common word17", Narrowed::default()).await);
    println!("slowest p95 {slowest:.1} ms, budget {BUDGET_MS} ms");
    by_meaning(scope).await;
    store.close().await;
}

/// As many vectors as are looked at of a tenant, of the length that common models make, and questions to them.
async fn by_meaning(scope: &Scope) {
    let meanings = scope.meanings();
    let (mut written, mut page) = (0, Page::first(200));
    while written < Meanings::MOST {
        let part = scope.transcripts().list(&TranscriptFilter::default(), &page).await;
        let part = part.expect("transcripts");
        for transcript in &part.items {
            let vectors: Vec<StretchMeaning> = (0..STRETCHES)
                .map(|n| StretchMeaning {
                    from_ms: Some(n * 24_000),
                    to_ms: n * 24_000,
                    meaning: vector(u64::try_from(written + n).unwrap_or(0)),
                })
                .collect();
            meanings
                .put(transcript.id, "bench/model", &vectors)
                .await
                .expect("vectors");
            written += STRETCHES;
        }
        page.after = part.next;
        if page.after.is_none() {
            break;
        }
    }
    let mut took = Vec::new();
    for n in 0..ROUNDS {
        let asked = vector(1_000_000_007 + n as u64);
        let began = Instant::now();
        let found = meanings.near(("bench/model", &asked), Narrowed::default(), 20).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        assert!(!found.expect("an answer").is_empty());
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| {
        took.get((took.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "by meaning, {written} vectors of {FIGURES}  p50 {:8.2} ms   p95 {:8.2} ms",
        at(0.5),
        at(0.95)
    );
}

/// A vector that is the same in every run.
fn vector(seed: u64) -> Meaning {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let figures: Vec<f32> = (0..FIGURES)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
        })
        .collect();
    Meaning::of(&figures).expect("a vector")
}

/// Pages from the newest on, twenty calls each; p95 over them.
async fn measure(scope: &Scope, name: &str, asked: &str, narrowed: Narrowed) -> f64 {
    let question = Question::read(asked);
    let (mut took, mut seen) = (Vec::new(), 0);
    let mut page = Page::first(20);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let part = scope
            .documents()
            .find(&question, narrowed, &page)
            .await
            .expect("a page");
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        seen += part.items.len();
        page.after = part.next;
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| {
        took.get((took.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{name:32} p50 {:8.2} ms   p95 {:8.2} ms   {seen} seen",
        at(0.5),
        at(0.95)
    );
    at(0.95)
}

/// A word of a transcript: frequent ones often, as in speech.
fn word(n: u64, at: u64) -> String {
    let mut mixed = (n * WORDS + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    match (at, n) {
        (3, _) => "common".into(),
        (40, 4711) => "needle".into(),
        (41, n) if n % 100 == 7 => "hundredth".into(),
        (50, _) => "word17".into(),
        (51, n) if n % 3 == 0 => "word18".into(),
        _ => format!("word{}", mixed % 3000 * (mixed >> 40) % 3000),
    }
}

fn turns(n: u64) -> Vec<Segment> {
    (0..WORDS / WORDS_A_TURN)
        .map(|turn| {
            let words = (turn * WORDS_A_TURN..(turn + 1) * WORDS_A_TURN).map(|at| Word {
                text: word(n, at),
                start_ms: (at * 400) as i64,
                end_ms: (at * 400 + 350) as i64,
                confidence: 0.9,
            });
            let words: Vec<Word> = words.collect();
            Segment {
                channel: (turn % 2) as u8,
                speaker: "Ada".into(),
                start_ms: words.first().map_or(0, |word| word.start_ms),
                end_ms: words.last().map_or(0, |word| word.end_ms),
                text: words
                    .iter()
                    .map(|word| word.text.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
                confidence: 0.9,
                sentiment: Sentiment::Neutral,
                words,
            }
        })
        .collect()
}

async fn put(scope: &Scope, n: u64, user: Option<UserId>) {
    let segments = turns(n);
    let world = SystemWorld;
    let started_at = time::OffsetDateTime::from_unix_timestamp(1_700_000_000 + n as i64 * 30).expect("a time");
    let begun = Call {
        id: CallId::generate(&world),
        tenant: scope.tenant(),
        user,
        direction: Direction::Inbound,
        call_type: CallType::CustomerInbound,
        state: CallState::Initiated,
        from_number: "+49170".into(),
        from_name: None,
        to_number: "+4930".into(),
        started_at,
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        cause: None,
        flow_version: None,
        notes: String::new(),
        metadata: Metadata::default(),
        transcribe: false,
        cost_micros: 0,
        currency: "EUR".into(),
        tags: vec![],
    };
    scope.calls().begin(&begun, &[]).await.expect("a call");
    let recording = NewRecording {
        id: RecordingId::generate(&world),
        capture: CaptureId::generate(&world),
        name: String::new(),
        recorded_by: "settings".into(),
        problem: None,
        created_at: started_at,
    };
    let finished = FinishedCall {
        call: Call {
            state: CallState::Completed,
            ended_at: Some(started_at),
            ..begun
        },
        legs: vec![],
        recordings: vec![recording.clone()],
        voicemail: None,
    };
    scope.calls().finish(&finished).await.expect("a finished call");
    let result = RecordingResult {
        format: "ogg/opus".into(),
        sample_rate_hz: 16_000,
        duration_ms: 240_000,
        size_bytes: 3,
        sha256: "aa".into(),
        blob: String::new(),
        peaks: vec![],
    };
    let recordings = scope.recordings();
    recordings
        .ready(recording.id, &result, Afterwards::Transcribe)
        .await
        .expect("a recording");
    let transcript = scope
        .transcripts()
        .of_recording(recording.id)
        .await
        .expect("a row")
        .expect("a transcript");
    let result = TranscriptResult {
        text: segments
            .iter()
            .map(|segment| segment.text.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        language: None,
        confidence: 0.9,
        provider: "bench".into(),
        model: String::new(),
        cpu_seconds: 0.0,
        cost_micros: 0,
        audio_ms: 240_000,
        segments,
    };
    scope
        .transcripts()
        .ready(transcript.id, &result)
        .await
        .expect("a transcript");
}
