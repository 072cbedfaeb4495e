//! The contract with each family of services, against a server that records what it is asked and answers
//! what it is told.

use super::super::mock::{Answer, Mock};
use super::*;
use serde_json::{Value, json};
use strowger_model::speech::{Ending, Sentiment};

/// Providers named `one`, `two` … at these servers, each with its kind and further lines.
fn providers(folder: &tempfile::TempDir, servers: &[(&Mock, &str, &str)]) -> Providers {
    let key = folder.path().join("key");
    std::fs::write(&key, "s3cret-key\n").unwrap();
    let mut text = String::new();
    for ((mock, kind, more), name) in servers.iter().zip(["one", "two", "three"]) {
        let prefix = if *kind == "openai" { "/v1" } else { "" };
        text.push_str(&format!(
            "[[provider]]\nname = '{name}'\nkind = '{kind}'\nurl = 'http://127.0.0.1:{}{prefix}'\nkey_file = '{}'\n\
             chat = 'chat-model'\naudio = 'audio-model'\nembedding = 'embedding-model'\nprice_asked = 1.0\n\
             price_answered = 2.0\nprice_minute = 0.006\n{more}\n",
            mock.port,
            key.display()
        ));
    }
    let file = folder.path().join("providers.toml");
    std::fs::write(&file, text).unwrap();
    Providers::new(Some(file))
}

fn wish(names: &[&str]) -> Wish {
    let order: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Wish {
        understanding: order.clone(),
        hearing: order.clone(),
        embedding: order,
        topics: TopicLists::default().names(),
        consents: true,
        budget: Duration::from_secs(5),
    }
}

fn talk() -> (Vec<Segment>, Analysis) {
    let segment = Segment {
        channel: 0,
        speaker: "Ada".into(),
        start_ms: 700,
        end_ms: 4000,
        text: "My boiler broke and I want a refund.".into(),
        confidence: 1.0,
        sentiment: Sentiment::Neutral,
        words: vec![],
    };
    let (local, segments) =
        crate::analysis::analyse(vec![segment], crate::analysis::Matter::Call, &TopicLists::default());
    (segments, local)
}

const UNDERSTOOD: &str = r#"{"summary": "The boiler broke.", "sentiment": "negative", "key_points": [], "action_items": [{"text": "Refund", "line": 1}],
    "topics": [{"name": "billing", "line": 1}, {"name": "boiler", "line": 1}], "outcome": {"ending": "complaint_open", "line": 1}}"#;

fn chat() -> Answer {
    let body = json!({"choices": [{"message": {"content": UNDERSTOOD}}], "usage": {"prompt_tokens": 100, "completion_tokens": 20}});
    (200, body.to_string())
}

const AZURE: &str = "api_version = '2024-06-01'";

#[tokio::test]
async fn each_family_is_asked_to_understand_as_its_documents_say() {
    for (kind, more, line, header, key) in [
        (
            "openai",
            "",
            "POST /v1/chat/completions HTTP/1.1",
            "authorization",
            "Bearer s3cret-key",
        ),
        (
            "azure",
            AZURE,
            "POST /openai/deployments/chat-model/chat/completions?api-version=2024-06-01 HTTP/1.1",
            "api-key",
            "s3cret-key",
        ),
        (
            "gemini",
            "",
            "POST /v1beta/models/chat-model:generateContent HTTP/1.1",
            "x-goog-api-key",
            "s3cret-key",
        ),
    ] {
        let answer = if kind == "gemini" {
            let body = json!({"candidates": [{"content": {"parts": [{"text": UNDERSTOOD}]}}],
                "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20}});
            (200, body.to_string())
        } else {
            chat()
        };
        let mock = Mock::start(vec![answer]).await;
        let folder = tempfile::tempdir().unwrap();
        let (segments, local) = talk();
        let outcome = providers(&folder, &[(&mock, kind, more)])
            .understand(&wish(&["one"]), &segments, &local)
            .await;
        let analysis = outcome.answer.unwrap();
        assert_eq!(
            (analysis.provider.as_str(), analysis.summary.as_str()),
            ("one", "The boiler broke.")
        );
        assert_eq!(analysis.action_items[0].at_ms, 700);
        let topics: Vec<(&str, bool, &str)> = analysis
            .topics
            .iter()
            .map(|topic| (topic.name.as_str(), topic.listed, topic.provider.as_str()))
            .collect();
        assert_eq!(topics, [("billing", true, "one"), ("boiler", false, "one")]);
        let told = analysis.outcome.unwrap();
        assert_eq!(
            (told.ending, told.at_ms, told.provider.as_str()),
            (Ending::ComplaintOpen, 700, "one")
        );
        assert_eq!(outcome.tries.len(), 1);
        assert_eq!(
            outcome.tries[0].tokens,
            Tokens {
                asked: 100,
                answered: 20
            }
        );
        assert_eq!(outcome.tries[0].cost_micros, 140);

        let asked = mock.asked().remove(0);
        assert_eq!((asked.line.as_str(), asked.header(header)), (line, key), "{kind}");
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.header("host"), format!("127.0.0.1:{}", mock.port));
        let body = asked.json();
        let (rules, talk) = match kind {
            "gemini" => (
                &body["systemInstruction"]["parts"][0]["text"],
                &body["contents"][0]["parts"][0]["text"],
            ),
            _ => (&body["messages"][0]["content"], &body["messages"][1]["content"]),
        };
        let rules = rules.as_str().unwrap();
        assert!(
            rules.contains("JSON") && rules.contains("technical_fault") && rules.contains("callback_promised"),
            "{rules}"
        );
        assert_eq!(talk, "1. Ada: My boiler broke and I want a refund.");
        match kind {
            "openai" => assert_eq!(body["model"], "chat-model"),
            "azure" => assert!(body.get("model").is_none()),
            _ => assert_eq!(body["generationConfig"]["responseMimeType"], "application/json"),
        }
        assert!(!String::from_utf8_lossy(&asked.body).contains("s3cret"));
    }
}

#[tokio::test]
async fn each_family_is_sent_audio_as_its_documents_say() {
    let sound = Sound {
        file: b"OggS-sound",
        duration_ms: 60_000,
    };
    for (kind, more, path) in [
        ("openai", "", "/v1/audio/transcriptions"),
        (
            "azure",
            AZURE,
            "/openai/deployments/audio-model/audio/transcriptions?api-version=2024-06-01",
        ),
        ("gemini", "", "/v1beta/models/audio-model:generateContent"),
    ] {
        let body = if kind == "gemini" {
            let text = json!({"language": "en", "segments": [{"start": 0.5, "end": 1.5, "text": "Hello there."}]});
            json!({"candidates": [{"content": {"parts": [{"text": text.to_string()}]}}]})
        } else {
            json!({"text": "Hello there.", "language": "english",
                "segments": [{"start": 0.5, "end": 1.5, "text": " Hello there.", "avg_logprob": -0.1}],
                "words": [{"word": "Hello", "start": 0.5, "end": 0.9}, {"word": "there.", "start": 1.0, "end": 1.5}]})
        };
        let mock = Mock::start(vec![(200, body.to_string())]).await;
        let folder = tempfile::tempdir().unwrap();
        let outcome = providers(&folder, &[(&mock, kind, more)])
            .hear(&wish(&["one"]), sound)
            .await;
        let (hearer, heard) = outcome.answer.unwrap();
        assert_eq!(
            (hearer.provider.as_str(), hearer.model.as_str()),
            ("one", "audio-model")
        );
        assert_eq!(heard.language.as_deref(), Some("en"));
        assert_eq!(
            (heard.segments[0].start_ms, heard.segments[0].text.as_str()),
            (500, "Hello there.")
        );
        assert_eq!(heard.segments[0].words.len(), if kind == "gemini" { 0 } else { 2 });
        assert_eq!(outcome.tries[0].cost_micros, 6000);

        let asked = mock.asked().remove(0);
        assert_eq!(asked.line, format!("POST {path} HTTP/1.1"));
        let text = String::from_utf8_lossy(&asked.body);
        if kind == "gemini" {
            let inline = &asked.json()["contents"][0]["parts"][1]["inlineData"];
            assert_eq!(inline, &json!({"mimeType": "audio/ogg", "data": "T2dnUy1zb3VuZA=="}));
        } else {
            assert!(
                asked
                    .header("content-type")
                    .starts_with("multipart/form-data; boundary=")
            );
            for part in [
                "name=\"file\"; filename=\"audio.ogg\"",
                "OggS-sound",
                "verbose_json",
                "name=\"timestamp_granularities[]\"",
            ] {
                assert!(text.contains(part), "{kind}: {part}");
            }
            assert_eq!(text.contains("name=\"model\"\r\n\r\naudio-model"), kind == "openai");
            assert!(text.trim_end().ends_with("--"));
        }
    }
}

#[test]
fn each_family_is_asked_for_vectors_as_its_documents_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let one = |kind: &str, more: &str| {
        let text =
            format!("[[provider]]\nname = 'a'\nkind = '{kind}'\nurl = 'https://a.example'\nembedding = 'e'\n{more}");
        std::fs::write(&file, text).unwrap();
        list::read(Some(&file)).unwrap().remove(0)
    };
    let body = |request: &Request| serde_json::from_slice::<Value>(&request.body).unwrap();
    let open = one("openai", "");
    let texts = ["angry".to_owned()];
    let request = open.dialect.embedding(&texts);
    assert_eq!(
        (request.path.as_str(), body(&request)),
        ("/embeddings", json!({"input": ["angry"], "model": "e"}))
    );
    let both = br#"{"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [0.5, 1]}], "usage": {"prompt_tokens": 3}}"#;
    let tokens = Tokens { asked: 3, answered: 0 };
    assert_eq!(
        open.dialect.read_embedding(both, 2),
        Ok((vec![vec![0.5, 1.0], vec![0.0, 2.0]], tokens))
    );
    assert!(open.dialect.read_embedding(both, 1).is_err());
    let request = one("azure", AZURE).dialect.embedding(&texts);
    assert_eq!(request.path, "/openai/deployments/e/embeddings?api-version=2024-06-01");
    assert_eq!(request.key_header, ("api-key", ""));
    let gemini = one("gemini", "");
    let request = gemini.dialect.embedding(&texts);
    assert_eq!(request.path, "/v1beta/models/e:batchEmbedContents");
    assert_eq!(
        body(&request),
        json!({"requests": [{"model": "models/e", "content": {"parts": [{"text": "angry"}]}}]})
    );
    let (vectors, _) = gemini
        .dialect
        .read_embedding(br#"{"embeddings": [{"values": [1]}]}"#, 1)
        .unwrap();
    assert_eq!(vectors, [[1.0]]);
    assert!(gemini.dialect.read_embedding(b"{}", 1).is_err());
}

#[tokio::test]
async fn who_fails_is_passed_over_counted_and_left_alone_after_a_while() {
    let invented = json!({"choices": [{"message": {"content": UNDERSTOOD.replace("boiler", "Miller Zanzibar")}}]});
    let bad = Mock::start(vec![
        (429, "{}".into()),
        (500, "s3cret-key".into()),
        (200, "no json".into()),
    ])
    .await;
    let inventing = Mock::start(vec![(200, invented.to_string())]).await;
    let good = Mock::start(vec![chat(), chat(), chat(), chat()]).await;
    let folder = tempfile::tempdir().unwrap();
    let providers = providers(
        &folder,
        &[
            (&bad, "openai", ""),
            (&inventing, "openai", ""),
            (&good, "azure", AZURE),
        ],
    );
    let (segments, local) = talk();
    let outcome = providers
        .understand(&wish(&["one", "two", "three"]), &segments, &local)
        .await;
    assert_eq!(outcome.answer.unwrap().provider, "three");
    let problems: Vec<Option<&str>> = outcome.tries.iter().map(|one| one.problem.as_deref()).collect();
    assert_eq!(
        problems,
        [Some("answered 429"), Some("the answer invents `a name`"), None]
    );
    for _ in 0..3 {
        let outcome = providers.understand(&wish(&["one", "three"]), &segments, &local).await;
        assert_eq!(outcome.answer.unwrap().provider, "three");
        assert!(outcome.tries.iter().all(|one| !format!("{one:?}").contains("s3cret")));
    }
    // Three failures in a row: the fourth time it was not asked.
    assert_eq!(bad.asked().len(), 3);
    assert_eq!(good.asked().len(), 4);
}

#[tokio::test]
async fn nobody_is_asked_without_an_order_consent_and_time() {
    let mock = Mock::start(vec![(0, String::new()), chat(), chat()]).await;
    let folder = tempfile::tempdir().unwrap();
    let (segments, local) = talk();
    let providers = providers(
        &folder,
        &[(&mock, "openai", ""), (&mock, "openai", "on_premises = true")],
    );
    for nothing in [
        Wish {
            consents: false,
            ..wish(&["one"])
        },
        Wish {
            budget: Duration::ZERO,
            ..wish(&["one"])
        },
        wish(&[]),
        wish(&["unknown"]),
        Wish::default(),
    ] {
        let outcome = providers.understand(&nothing, &segments, &local).await;
        assert!(outcome.answer.is_none() && outcome.tries.is_empty());
    }
    assert!(mock.asked().is_empty());
    // A server that never answers costs the budget and no more.
    let hasty = Wish {
        budget: Duration::from_millis(200),
        ..wish(&["one"])
    };
    let began = Instant::now();
    let outcome = providers.understand(&hasty, &segments, &local).await;
    assert!(outcome.answer.is_none() && began.elapsed() < Duration::from_secs(3));
    assert!(outcome.tries[0].problem.as_deref().unwrap().starts_with("no answer in"));
    // What stands in the house needs no consent.
    let house = Wish {
        consents: false,
        ..wish(&["one", "two"])
    };
    let outcome = providers.understand(&house, &segments, &local).await;
    assert_eq!(outcome.answer.unwrap().provider, "two");
    // A key that is gone fails before anything is sent, and says nothing of it.
    std::fs::remove_file(folder.path().join("key")).unwrap();
    let outcome = providers.understand(&house, &segments, &local).await;
    assert_eq!(
        outcome.tries[0].problem.as_deref(),
        Some("there is no key for provider `two`")
    );
    assert_eq!(mock.asked().len(), 2);
}
