//! A service outside of this machine, asked where the tenant says so.

use super::redact::holding;
use super::*;
use crate::providers::chain::Providers;
use crate::providers::mock::Mock;
use strowger_model::settings::{Entry, Lock};
use strowger_model::speech::{Segment, Sentiment};
use strowger_store::{AuditFilter, KnownProvider, ProviderState, TranscriptResult};

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
        text: "My boiler broke.".into(),
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
    let made = bench
        .scope
        .transcripts()
        .get(transcript)
        .await
        .unwrap()
        .unwrap()
        .analysis
        .unwrap();
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
    let made = bench
        .scope
        .transcripts()
        .get(transcript)
        .await
        .unwrap()
        .unwrap()
        .analysis
        .unwrap();
    assert_eq!(made.provider, "local-rules");
    assert_eq!(made.usage.passed_over, ["cloud: answered 503"]);
    let (transcript, job) = transcribed(&bench).await;
    desk.run(job, context(1, false)).await.unwrap();
    let made = bench
        .scope
        .transcripts()
        .get(transcript)
        .await
        .unwrap()
        .unwrap()
        .analysis
        .unwrap();
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
