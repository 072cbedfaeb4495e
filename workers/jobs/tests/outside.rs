//! A service outside of this machine, asked where the tenant says so.

use super::redact::holding;
use super::*;
use crate::providers::chain::Providers;
use crate::providers::mock::{Asked, Mock};
use strowger_model::settings::{Entry, Lock};
use strowger_model::speech::{Analysis, Segment, Sentiment};
use strowger_store::{AuditFilter, ByMeaning, KnownProvider, Narrowed, ProviderState, TranscriptResult};

const UNDERSTOOD: &str = r#"{"summary": "The boiler broke.", "sentiment": "negative"}"#;

async fn set(bench: &Bench, name: &str, value: &str) {
    let entry = Entry {
        value: Some(value.into()),
        lock: Lock::Unlocked,
    };
    bench.scope.settings().set(&actor(), name, &entry).await.unwrap();
}

/// A transcript that waits to be understood, and the job.
async fn transcribed(bench: &Bench) -> (strowger_model::TranscriptId, Job) {
    transcribed_as(bench, "My boiler broke.").await
}

async fn transcribed_as(bench: &Bench, text: &str) -> (strowger_model::TranscriptId, Job) {
    let (_, recording, _) = bench.call(&tone(300.0, 1), &tone(500.0, 1)).await;
    let desk = bench.desk(Path::new("/nowhere"));
    let rows = bench
        .scope
        .jobs()
        .list(&JobFilter::default(), &Page::first(1))
        .await
        .unwrap();
    let job: Job = serde_json::from_value(rows.items[0].payload.clone()).unwrap();
    desk.run(job, context(1, false)).await.unwrap();
    let transcript = bench
        .scope
        .transcripts()
        .of_recording(recording)
        .await
        .unwrap()
        .unwrap()
        .id;
    let segment = Segment {
        channel: 0,
        speaker: "Ada".into(),
        start_ms: 0,
        end_ms: 900,
        text: text.into(),
        confidence: 1.0,
        sentiment: Sentiment::Neutral,
        words: vec![],
    };
    let result = TranscriptResult {
        text: segment.text.clone(),
        language: Some("en".into()),
        confidence: 1.0,
        provider: "local-whisper".into(),
        model: "tiny".into(),
        cpu_seconds: 0.1,
        cost_micros: 0,
        audio_ms: 1000,
        segments: vec![segment],
    };
    bench.scope.transcripts().ready(transcript, &result).await.unwrap();
    let tenant = bench.scope.tenant();
    (transcript, Job::Analyse { tenant, transcript })
}

/// What was made of a transcript.
async fn understood(bench: &Bench, transcript: strowger_model::TranscriptId) -> Analysis {
    let row = bench.scope.transcripts().get(transcript).await.unwrap();
    row.unwrap().analysis.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_sums_up_once_tenant_and_list_say_so_and_its_key_is_nowhere() {
    let answer = serde_json::json!({"choices": [{"message": {"content": UNDERSTOOD}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 10}});
    let mock = Mock::start(vec![(503, String::new()), (200, answer.to_string())]).await;
    let bench = Bench::open().await;
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, "s3cret-key").unwrap();
    let list = keys.path().join("providers.toml");
    let text = format!(
        "[[provider]]\nname = 'cloud'\nkind = 'openai'\nurl = 'http://127.0.0.1:{}/v1'\nkey_file = '{}'\n\
         chat = 'm'\nprice_asked = 1.0\n",
        mock.port,
        key.display()
    );
    std::fs::write(&list, text).unwrap();
    let desk = bench
        .desk(Path::new("/nowhere"))
        .with_providers(Arc::new(Providers::new(Some(list))));

    // Named in the list, but in no order: this machine.
    let (transcript, job) = transcribed(&bench).await;
    desk.run(job, context(1, false)).await.unwrap();
    let made = understood(&bench, transcript).await;
    assert_eq!((made.provider.as_str(), made.usage.tokens_asked), ("local-rules", 0));

    // In the order without consent: this machine, and nobody is asked.
    set(&bench, "ai_understanding_order", "cloud").await;
    let (_, job) = transcribed(&bench).await;
    desk.run(job, context(1, false)).await.unwrap();
    assert!(mock.asked().is_empty());

    // With consent it is asked; what fails is passed over and said.
    set(&bench, "ai_may_leave_site", "true").await;
    let (transcript, job) = transcribed(&bench).await;
    desk.run(job, context(1, false)).await.unwrap();
    let made = understood(&bench, transcript).await;
    assert_eq!(made.provider, "local-rules");
    assert_eq!(made.usage.passed_over, ["cloud: answered 503"]);
    let (transcript, job) = transcribed(&bench).await;
    desk.run(job, context(1, false)).await.unwrap();
    let made = understood(&bench, transcript).await;
    assert_eq!(
        (made.provider.as_str(), made.summary.as_str()),
        ("cloud", "The boiler broke.")
    );
    assert_eq!((made.usage.tokens_asked, made.usage.cost_micros), (1000, 1000));

    let figures = bench.scope.provider_days().since("2000-01-01").await.unwrap();
    assert_eq!(
        (figures[0].asked, figures[0].failed, figures[0].cost_micros),
        (2, 1, 1000)
    );
    assert!(!figures[0].is_failing());
    // Every request went through the layer and is counted.
    assert_eq!(figures[0].asked, i64::try_from(mock.asked().len()).unwrap());

    // The service is gone: three calls find it out, the fourth is spared the wait, all are understood.
    let cloud = KnownProvider {
        name: "cloud".into(),
        kind: "openai".into(),
        host: "127.0.0.1".into(),
        on_premises: false,
        chats: true,
        hears: false,
        embeds: false,
    };
    let known = bench.store.known_providers();
    known.publish(&[cloud]).await.unwrap();
    assert_eq!(known.health().await.unwrap()[0].state, ProviderState::Works);
    drop(mock);
    for failed in [2, 3, 4, 4] {
        let (transcript, job) = transcribed(&bench).await;
        desk.run(job, context(1, false)).await.unwrap();
        let row = bench.scope.transcripts().get(transcript).await.unwrap().unwrap();
        assert_eq!(row.analysis.unwrap().provider, "local-rules");
        let figures = bench.scope.provider_days().since("2000-01-01").await.unwrap();
        assert_eq!(figures[0].failed, failed);
    }
    let health = known.health().await.unwrap();
    assert_eq!(health[0].state.circuit(), "open", "{health:?}");
    assert_eq!(health[0].last_problem.as_deref(), Some("nobody answers"));
    let spend = known.spend_of_the_month().await.unwrap();
    assert_eq!((spend.len(), spend[0].figures.cost_micros), (1, 1000));

    let consents = AuditFilter {
        target: Some("ai_may_leave_site".into()),
        ..AuditFilter::default()
    };
    assert_eq!(
        bench
            .scope
            .audit()
            .list(&consents, &Page::first(5))
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    bench.store.close().await;
    let found = holding(bench.folder.path(), b"s3cret-key");
    assert!(found.is_empty(), "{found:?}");
}

/// Vectors of a model that knows three things: anger, money and food.
fn meanings_of(asked: &Asked) -> (u16, String) {
    let things: [&[&str]; 3] = [
        &["angry", "furious", "ridiculous", "unacceptable"],
        &["invoice", "bill", "charged", "card"],
        &["table", "dinner", "eight"],
    ];
    let asked = asked.json();
    let texts = asked["input"].as_array().unwrap();
    let data = texts.iter().enumerate().map(|(index, text)| {
        let text = text.as_str().unwrap().to_lowercase();
        let mut vector: Vec<f32> = things
            .iter()
            .map(|words| words.iter().filter(|word| text.contains(**word)).count() as f32)
            .collect();
        vector.push(0.1);
        serde_json::json!({"index": index, "embedding": vector})
    });
    let body = serde_json::json!({"data": data.collect::<Vec<_>>(), "usage": {"prompt_tokens": 5, "total_tokens": 5}});
    (200, body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_found_by_what_it_means_with_none_of_the_words() {
    let mock = Mock::answering(meanings_of).await;
    let bench = Bench::open().await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("providers.toml");
    let text = format!(
        "[[provider]]\nname = 'house'\nkind = 'openai'\nurl = 'http://127.0.0.1:{}/v1'\nembedding = 'e'\non_premises = true\n",
        mock.port
    );
    std::fs::write(&list, text).unwrap();
    let desk = bench
        .desk(Path::new("/nowhere"))
        .with_providers(Arc::new(Providers::new(Some(list))));
    let meanings = bench.scope.meanings();
    let patience = std::time::Duration::from_millis(1);
    let search = || meanings.search("angry about invoice", Narrowed::default(), 20, patience);

    // Before anybody is named nobody is asked, and the words are all there is.
    let (before, job) = transcribed_as(&bench, "A table for eight, please.").await;
    desk.run(job, context(1, false)).await.unwrap();
    assert_eq!(search().await.unwrap(), ByMeaning::Nobody);
    assert!(mock.asked().is_empty());

    set(&bench, "ai_embedding_order", "house").await;
    let said = "You charged my card twice. This is ridiculous, I am furious.";
    let (furious, job) = transcribed_as(&bench, said).await;
    desk.run(job, context(1, false)).await.unwrap();
    assert!(
        matches!(search().await.unwrap(), ByMeaning::Failed(_)),
        "no worker runs"
    );

    // The question is a job, and what was transcribed before is understood after it.
    for kind in ["embed_question", "embed"] {
        let filter = JobFilter {
            kind: Some(kind.into()),
            ..JobFilter::default()
        };
        let rows = bench.scope.jobs().list(&filter, &Page::first(5)).await.unwrap();
        assert_eq!(rows.items.len(), 1, "{kind}");
        let job: Job = serde_json::from_value(rows.items[0].payload.clone()).unwrap();
        desk.run(job.clone(), context(1, false)).await.unwrap();
        desk.run(job, context(1, false)).await.unwrap();
    }
    let ByMeaning::Found(hits) = search().await.unwrap() else {
        panic!("nothing was found")
    };
    let found: Vec<_> = hits.iter().map(|(hit, _)| hit.places[0].transcript).collect();
    assert_eq!(found, [Some(furious), Some(before)]);
    assert!(hits[0].1 > 0.9 && hits[1].1 < 0.2, "{hits:?}");
    let words = strowger_model::search::Question::read("angry about invoice");
    let by_words = bench
        .scope
        .documents()
        .find(&words, Narrowed::default(), &Page::first(5))
        .await
        .unwrap();
    assert!(by_words.items.is_empty());

    // Each request was counted: two calls and one question, and nothing twice.
    let figures = bench.scope.provider_days().since("2000-01-01").await.unwrap();
    assert_eq!((figures[0].task.as_str(), figures[0].asked), ("embedding", 3));
    assert_eq!(mock.asked().len(), 3);
    assert_eq!(mock.asked()[0].line, "POST /v1/embeddings HTTP/1.1");

    // What is removed is not found.
    bench.scope.transcripts().remove(&actor(), furious).await.unwrap();
    let ByMeaning::Found(hits) = search().await.unwrap() else {
        panic!("nothing was found")
    };
    assert_eq!(hits.len(), 1);
}
