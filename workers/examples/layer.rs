//! What the layer over language services costs: sums up the thirty calls of the fixture directly at a server of
//! our own and through the layer, in turns, compares the results and says how much later the layer's come.
//!
//! `cargo run -p strowger-worker --example layer -- [ROUNDS]`

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement prints, and ends when it cannot go on"
)]

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use strowger_model::speech::{Analysis, Segment, Sentiment};
use strowger_model::topics::TopicLists;
use strowger_worker::analysis::{self, Matter};
use strowger_worker::providers::chain::{Providers, Wish};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BUDGET_MS: f64 = 20.0;

#[tokio::main]
async fn main() {
    let rounds: usize = std::env::args()
        .nth(1)
        .map_or(10, |count| count.parse().expect("a count of rounds"));
    let calls = calls();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(serve(listener, answers(&calls), Arc::clone(&asked)));

    let folder = tempfile::tempdir().expect("a folder");
    let (key, list) = (folder.path().join("key"), folder.path().join("providers.toml"));
    std::fs::write(&key, "a-key\n").expect("a key");
    let text = format!(
        "[[provider]]\nname = 'cloud'\nkind = 'openai'\nurl = 'http://127.0.0.1:{port}/v1'\nkey_file = '{}'\nchat = 'm'\n",
        key.display()
    );
    std::fs::write(&list, text).expect("a list");
    let providers = Providers::new(Some(list));
    let wish = Wish {
        understanding: vec!["cloud".into()],
        consents: true,
        budget: Duration::from_secs(30),
        ..Wish::default()
    };

    let (mut direct, mut layered, mut added, mut alike) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        for (local, segments) in &calls {
            let began = Instant::now();
            let through = providers.understand(&wish, segments, local).await.answer;
            let through_ms = began.elapsed().as_secs_f64() * 1000.0;
            let through = through.expect("the layer's answer");
            // The very body that the layer sent, so that both ask for the same.
            let body = asked.lock().expect("the record").last().cloned().expect("a request");
            let began = Instant::now();
            let answer = ask(port, &body).await;
            let direct_ms = began.elapsed().as_secs_f64() * 1000.0;
            alike += usize::from(same(&through, &answer));
            direct.push(direct_ms);
            layered.push(through_ms);
            added.push(through_ms - direct_ms);
        }
    }
    let count = calls.len() * rounds;
    println!("{count} requests each way, {alike} results alike");
    for (name, mut all) in [("direct", direct), ("through the layer", layered), ("added", added)] {
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all.get((all.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        println!(
            "{name:18} p50 {:7.2} ms   p95 {:7.2} ms   p99 {:7.2} ms",
            at(0.5),
            at(0.95),
            at(0.99)
        );
    }
    println!("budget: {BUDGET_MS} ms added at p95");
    assert_eq!(alike, count, "the layer changed a result");
}

/// The fixture's calls as the rules understand them, and their turns.
fn calls() -> Vec<(Analysis, Vec<Segment>)> {
    let mut calls: Vec<Vec<Segment>> = Vec::new();
    for line in include_str!("../analysis/fixtures/calls.txt").lines() {
        if line.starts_with('#') {
            continue;
        }
        if line.starts_with("= ") {
            calls.push(Vec::new());
            continue;
        }
        let line = line.strip_prefix("* ").unwrap_or(line);
        let (speaker, text) = line.split_once(": ").expect("a speaker and words");
        let turns = calls.last_mut().expect("a call begins with its name");
        let start_ms = turns.len() as i64 * 5000;
        turns.push(Segment {
            channel: u8::from(speaker == "agent"),
            speaker: speaker.to_owned(),
            start_ms,
            end_ms: start_ms + 4000,
            text: text.to_owned(),
            confidence: 0.9,
            sentiment: Sentiment::Neutral,
            words: Vec::new(),
        });
    }
    calls
        .into_iter()
        .map(|call| analysis::analyse(call, Matter::Call, &TopicLists::default()))
        .collect()
}

/// What the server says to each call: what the rules found, in the shape a language model is asked for.
fn answers(calls: &[(Analysis, Vec<Segment>)]) -> Vec<String> {
    let answer = |(local, segments): &(Analysis, Vec<Segment>)| {
        let line = |at_ms: i64| segments.iter().rposition(|one| one.start_ms <= at_ms).unwrap_or(0) + 1;
        let points = |points: &[strowger_model::speech::Point]| -> Vec<Value> {
            let point = |point: &strowger_model::speech::Point| json!({"text": point.text, "line": line(point.at_ms)});
            points.iter().map(point).collect()
        };
        let content = json!({
            "summary": local.summary, "sentiment": local.sentiment.code(),
            "key_points": points(&local.key_points), "action_items": points(&local.action_items),
        });
        json!({"choices": [{"message": {"content": content.to_string()}}], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})
            .to_string()
    };
    calls.iter().map(answer).collect()
}

/// Answers each call twice: to the layer and to the direct way.
async fn serve(listener: TcpListener, answers: Vec<String>, asked: Arc<Mutex<Vec<Vec<u8>>>>) {
    for n in 0.. {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let body = read(&mut stream, true).await;
        asked.lock().expect("the record").push(body);
        let text = answers.get(n / 2 % answers.len()).expect("an answer");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            text.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the head is sent");
        stream.write_all(text.as_bytes()).await.expect("the body is sent");
    }
}

/// The body of what comes: until its length, or until the other side ends.
async fn read(stream: &mut TcpStream, by_length: bool) -> Vec<u8> {
    let (mut bytes, mut part) = (Vec::new(), [0; 8192]);
    loop {
        let count = stream.read(&mut part).await.expect("bytes");
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let length: usize = length.and_then(|text| text.trim().parse().ok()).expect("a length");
        let body = bytes.get(end + 4..).unwrap_or_default();
        if count == 0 || (by_length && body.len() >= length) {
            return body.to_vec();
        }
    }
}

/// The same request as a program without the layer sends it.
async fn ask(port: u16, body: &[u8]) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer a-key\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(body).await.expect("the body is sent");
    let body = read(&mut stream, false).await;
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    let content = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
    serde_json::from_str(content.expect("a content")).expect("the summary as JSON")
}

fn same(through: &Analysis, direct: &Value) -> bool {
    let texts = |name: &str| -> Vec<&str> {
        let points = direct.get(name).and_then(Value::as_array);
        points
            .into_iter()
            .flatten()
            .filter_map(|one| one.get("text")?.as_str())
            .collect()
    };
    let own = |points: &'_ [strowger_model::speech::Point]| -> Vec<String> {
        points.iter().map(|point| point.text.clone()).collect()
    };
    direct.get("summary").and_then(Value::as_str) == Some(through.summary.as_str())
        && direct.get("sentiment").and_then(Value::as_str) == Some(through.sentiment.code())
        && texts("key_points") == own(&through.key_points)
        && texts("action_items") == own(&through.action_items)
        && through.provider == "cloud"
}
