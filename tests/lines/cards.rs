//! A card number that is keyed into a telephone: the other party hears the keys, and nothing else has them.

use crate::SOON;
use serde_json::Value;
use std::path::Path;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, detail, only_call, phone, tone_file};
use strowger_tests::{Baresip, Sandbox, eventually, sipp};

const CARD: &str = "4929637580412366";

/// Every file below a folder that holds these bytes.
fn holding(folder: &Path, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, wanted));
        // Some are gone by now, and some are pipes and sockets.
        } else if path.is_file()
            && let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// The digits of a text, one after the other.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The messages of a packet capture file.
fn messages(file: &[u8]) -> Vec<String> {
    let mut rest = file.get(24..).unwrap();
    let mut found = Vec::new();
    while let Some(head) = rest.get(..16) {
        let length = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        // 20 octets of IPv4, 8 of UDP.
        found.push(String::from_utf8_lossy(&rest[16 + 28..16 + length]).into_owned());
        rest = &rest[16 + length..];
    }
    found
}

async fn callee(sandbox: &Sandbox, folder: &Path) -> Baresip {
    phone(sandbox, 1, &tone_file(folder, CALLEE_HZ).unwrap(), true)
        .await
        .unwrap()
}

/// The one call's row and its messages, once the last of them is kept.
async fn kept(sandbox: &Sandbox) -> (Value, Vec<String>) {
    let call = only_call(sandbox, "completed", SOON).await.unwrap();
    let path = format!("/api/calls/{}/pcap", call["id"].as_str().unwrap());
    let kept = eventually(SOON, "the signalling is kept", || async {
        let messages = messages(&sandbox.bytes(&path).await?);
        let ends = messages.iter().filter(|message| message.starts_with("BYE")).count();
        anyhow::ensure!(ends >= 2, "{ends} of two legs have ended");
        Ok(messages)
    })
    .await
    .unwrap();
    (detail(sandbox, &call).await.unwrap(), kept)
}

/// Whether a line of the log, colours left out, says which key was pressed.
fn names_a_key(line: &str) -> bool {
    let plain: String = line
        .split('\u{1b}')
        .map(|part| {
            part.strip_prefix('[')
                .and_then(|part| part.split_once('m'))
                .map_or(part, |(_, text)| text)
        })
        .collect();
    let line = plain.to_lowercase();
    ["digit", "signal", "dtmf"].iter().any(|word| {
        let mut said = line.match_indices(word).map(|(at, _)| line.split_at(at + word.len()).1);
        said.any(|after| after.chars().take(4).any(|letter| letter.is_ascii_digit()))
    })
}

/// Nothing at rest or in the log has the number, whole or key by key.
fn is_nowhere(sandbox: &Sandbox, call: &Value, log: &Path) {
    let events: Vec<String> = call["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| digits(&event["detail"].to_string()))
        .collect();
    assert!(!events.concat().contains(CARD), "{}", call["events"]);
    assert_eq!(holding(&sandbox.card.data_dir, CARD), Vec::<String>::new());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("TRACE") && !log.contains(CARD));
    let keys: Vec<&str> = log.lines().filter(|line| names_a_key(line)).collect();
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn keys_of_signalling_stand_in_no_trace_no_row_and_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let sandbox = Sandbox::start_logging(&log).await.unwrap();
    let mut callee = callee(&sandbox, folder.path()).await;
    let [device, other, ..] = sandbox.card.devices.as_slice() else {
        panic!("two phones")
    };
    let arguments = ["-s", &other.extension, "-au", &device.user, "-ap", &device.password];
    let caller = ["-key", "user", &device.user, "-key", "card", CARD];
    let caller = sipp::start("uac_keys", sandbox.sip(), None, &[arguments, caller].concat()).unwrap();
    for _ in CARD.chars() {
        callee.event_within("CALL_DTMF_START", SOON).await.unwrap();
    }
    caller.finish(SOON).await.unwrap();
    let (call, messages) = kept(&sandbox).await;
    let keys: Vec<&String> = messages.iter().filter(|message| message.starts_with("INFO")).collect();
    assert!(keys.len() >= CARD.len(), "{} keys", keys.len());
    for key in keys {
        let body = key.split("\r\n\r\n").nth(1).unwrap();
        assert!(
            body.to_lowercase().contains("signal=x") && digits(body).is_empty(),
            "{key}"
        );
    }
    // Both legs, from the challenge on.
    for (start, times) in [
        ("INVITE", 3),
        ("SIP/2.0 401", 1),
        ("SIP/2.0 180", 2),
        ("ACK", 3),
        ("BYE", 2),
    ] {
        let count = messages.iter().filter(|message| message.starts_with(start)).count();
        assert!(count >= times, "{start}: {count} in {messages:#?}");
    }
    let proofs = messages
        .iter()
        .flat_map(|message| message.lines())
        .filter(|line| line.contains("response=\""));
    let proofs: Vec<&str> = proofs.collect();
    assert!(
        !proofs.is_empty() && proofs.iter().all(|line| line.contains("response=\"xxxxxxxx")),
        "{proofs:?}"
    );
    is_nowhere(&sandbox, &call, &log);
}

#[tokio::test]
async fn keys_of_telephone_events_stand_in_no_trace_no_row_and_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let sandbox = Sandbox::start_logging(&log).await.unwrap();
    let mut callee = callee(&sandbox, folder.path()).await;
    let tone = tone_file(folder.path(), CALLER_HZ).unwrap();
    let mut caller = phone(&sandbox, 0, &tone, false).await.unwrap();
    caller.dial(&sandbox.card.devices[1].extension).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    for key in CARD.chars() {
        caller.press(&key.to_string()).await.unwrap();
        callee.event_within("CALL_DTMF_START", SOON).await.unwrap();
    }
    caller.hang_up().await.unwrap();
    let (call, messages) = kept(&sandbox).await;
    assert!(messages.iter().all(|message| !message.starts_with("INFO")));
    is_nowhere(&sandbox, &call, &log);
}
