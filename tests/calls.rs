//! Calls through the real daemon with real partners: baresip as phones, SIPp as a provider.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use strowger_tests::scene::{
    CALLEE_HZ, CALLER_HZ, channels, event_kinds, only_call, phone, phone_over, tone_file, two_phones, whole,
};
use strowger_tests::{Sandbox, process, sipp, tone};

const SOON: Duration = Duration::from_secs(60);
const RECORDED: Duration = Duration::from_secs(60);

/// A sandbox with a provider on a free port of ours; calls from and to that port are its.
async fn with_trunk() -> (Sandbox, u16) {
    let port = process::free_port().unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    (sandbox, port)
}

#[tokio::test]
async fn phones_register_over_udp_and_tcp_and_call_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mut caller = phone_over(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false, "tcp")
        .await
        .unwrap();
    let mut callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();

    caller.dial(&sandbox.card.devices[1].extension).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    let live = only_call(&sandbox, "active", SOON).await.unwrap();
    assert_eq!(live["direction"], "internal");
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();

    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["hangup_cause"], "normal");
    assert!(call["duration_ms"].as_i64().unwrap() > 1000, "{call}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let sandbox = Sandbox::start().await.unwrap();
    for user in [sandbox.card.devices[0].user.as_str(), "nobody-has-this-name"] {
        let scenario = sipp::start("register_wrong", sandbox.sip(), None, &["-s", user, "-ap", "wrong"]).unwrap();
        scenario.finish(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_presses_one_and_each_channel_of_the_recording_holds_its_speaker_only() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();

    caller.dial(sandbox.number("ivr").unwrap()).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.press("1").await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    // baresip reports RTCP every five seconds: two reports are ten seconds of talk.
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();

    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let kinds = event_kinds(&sandbox, &call).await.unwrap();
    assert!(kinds.iter().any(|kind| kind == "bridge"), "{kinds:?}");
    let sound = channels(&sandbox, &call, RECORDED).await.unwrap();
    assert_eq!(sound.channels.len(), 2);
    let end = sound.seconds();
    let talk = call["duration_ms"].as_f64().unwrap() / 1000.0;
    assert!((end - talk).abs() < 0.5, "recording {end} s of a call of {talk} s");
    let (left, right) = (sound.part(0, end - 6.0, end - 0.5), sound.part(1, end - 6.0, end - 0.5));
    tone::holds(left, sound.rate_hz, CALLER_HZ, -30.0, 0.95).expect("the caller speaks left");
    tone::holds(right, sound.rate_hz, CALLEE_HZ, -30.0, 0.95).expect("the callee speaks right");
    assert!(
        tone::level(left, sound.rate_hz, CALLEE_HZ) < -50.0,
        "nothing of the callee left"
    );
    assert!(
        tone::level(right, sound.rate_hz, CALLER_HZ) < -50.0,
        "nothing of the caller right"
    );
}

#[tokio::test]
async fn a_provider_gives_up_while_the_phone_rings() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, port) = with_trunk().await;
    let mut callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), false)
        .await
        .unwrap();
    let scenario = sipp::start(
        "uac_cancel",
        sandbox.sip(),
        Some(port),
        &["-s", sandbox.number("bridge").unwrap()],
    )
    .unwrap();
    callee.event("CALL_CLOSED").await.unwrap();
    scenario.finish(SOON).await.unwrap();
    let call = only_call(&sandbox, "cancelled", SOON).await.unwrap();
    assert_eq!(
        (call["direction"].as_str(), call["hangup_cause"].as_str()),
        (Some("inbound"), Some("cancelled"))
    );
}

#[tokio::test]
async fn a_provider_holds_and_takes_the_call_back() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, port) = with_trunk().await;
    let mut callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    let scenario = sipp::start(
        "uac_hold",
        sandbox.sip(),
        Some(port),
        &["-s", sandbox.number("bridge").unwrap()],
    )
    .unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    scenario.finish(SOON).await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let kinds = event_kinds(&sandbox, &call).await.unwrap();
    assert!(
        kinds.iter().any(|kind| kind == "hold") && kinds.iter().any(|kind| kind == "resume"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_number_that_nobody_has_is_refused_and_stands_as_failed_in_the_log() {
    let (sandbox, port) = with_trunk().await;
    let scenario = sipp::start("uac_refused", sandbox.sip(), Some(port), &["-s", "+19990001111"]).unwrap();
    scenario.finish(SOON).await.unwrap();
    // The row is closed after the answer is sent.
    only_call(&sandbox, "failed", SOON).await.unwrap();
}

#[tokio::test]
async fn nobody_answers_and_the_caller_leaves_a_message_that_is_transcribed() {
    let (sandbox, port) = with_trunk().await;
    // The callee has no phone registered, so the caller reaches the mailbox at once.
    let scenario = sipp::start(
        "uac_call",
        sandbox.sip(),
        Some(port),
        &["-s", sandbox.number("bridge").unwrap(), "-d", "8000"],
    )
    .unwrap();
    scenario.finish(Duration::from_secs(40)).await.unwrap();
    let message = strowger_tests::eventually(RECORDED, "a message", || async {
        let body = sandbox.get("/api/voicemail/messages").await?;
        let messages = body["items"].as_array().cloned().unwrap_or_default();
        messages
            .into_iter()
            .next()
            .ok_or_else(|| anyhow::anyhow!("no message: {body}"))
    })
    .await
    .unwrap();
    assert_eq!(message["is_read"], false);
    assert!(message["call_id"].is_string());
}

#[tokio::test]
async fn a_program_places_a_call_that_rings_and_completes() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mut callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    let body = json!({"to": sandbox.card.devices[1].extension, "record": true, "metadata": {"order": "A-7"}});
    let placed = sandbox.post("/api/calls/outbound", &body).await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    let live = only_call(&sandbox, "active", SOON).await.unwrap();
    assert_eq!(live["id"], placed["id"]);
    callee.hang_up().await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["metadata"], json!({"order": "A-7"}));
}

#[tokio::test]
async fn a_call_ends_at_its_longest_duration() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, port) = with_trunk().await;
    let setting = json!({"values": {"max_call_duration_seconds": 3}});
    let (status, answer) = sandbox
        .send(Method::PUT, "/api/settings", Some(&setting))
        .await
        .unwrap();
    assert!(status.is_success(), "{answer}");
    let _callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    let scenario = sipp::start(
        "uac_until_bye",
        sandbox.sip(),
        Some(port),
        &["-s", sandbox.number("bridge").unwrap()],
    )
    .unwrap();
    scenario.finish(SOON).await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["hangup_cause"], "max_duration");
    let length = call["duration_ms"].as_i64().unwrap();
    assert!((2900..3600).contains(&length), "{length} ms");
}

#[tokio::test]
async fn three_phones_meet_in_a_room_and_each_hears_the_two_others() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let tones = [600.0, CALLER_HZ, CALLEE_HZ];
    let mut phones = Vec::new();
    for (index, hertz) in tones.iter().enumerate() {
        phones.push(
            phone(&sandbox, index, &tone_file(folder.path(), *hertz).unwrap(), false)
                .await
                .unwrap(),
        );
    }
    for member in &mut phones {
        member.dial(sandbox.number("room").unwrap()).await.unwrap();
        member.event("CALL_ESTABLISHED").await.unwrap();
    }
    for member in &mut phones {
        member.event_within("CALL_RTCP", SOON).await.unwrap();
    }
    for member in &mut phones {
        member.hang_up().await.unwrap();
        member.event("CALL_CLOSED").await.unwrap();
    }
    for (index, member) in phones.iter().enumerate() {
        let heard = member.heard_sound().unwrap();
        let end = heard.seconds();
        // All three were in from the last one's joining on; the first leaves at the end.
        let part = heard.part(0, end - 4.0, end - 1.0);
        for (other, hertz) in tones.iter().enumerate() {
            let level = tone::level(part, heard.rate_hz, *hertz);
            if other == index {
                assert!(level < -45.0, "phone {index} hears itself at {level} dBFS");
            } else if index == 0 {
                assert!(level > -35.0, "phone {index} hears phone {other} at {level} dBFS only");
            }
        }
    }
}

#[tokio::test]
async fn what_is_said_while_a_recording_is_paused_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(sandbox.number("record").unwrap()).await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    let call = only_call(&sandbox, "active", SOON).await.unwrap();
    let path = format!("/api/calls/{}/recording", call["id"].as_str().unwrap());
    let stands = sandbox.post(&path, &json!({"action": "pause"})).await.unwrap();
    assert_eq!(stands, json!({"recording": false, "paused": true}));
    let paused = tokio::time::Instant::now();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    let pause_s = paused.elapsed().as_secs_f64();
    let stands = sandbox.post(&path, &json!({"action": "resume"})).await.unwrap();
    assert_eq!(stands, json!({"recording": true, "paused": false}));
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();

    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let sound = channels(&sandbox, &call, RECORDED).await.unwrap();
    let talk = call["duration_ms"].as_f64().unwrap() / 1000.0;
    assert!(
        (sound.seconds() - talk).abs() < 0.5,
        "{} s of {talk} s",
        sound.seconds()
    );
    for (channel, hertz) in [(0, CALLER_HZ), (1, CALLEE_HZ)] {
        let all = sound.part(channel, 0.0, sound.seconds());
        let silent_s = (1.0 - tone::share_above(all, sound.rate_hz, hertz, -30.0)) * sound.seconds();
        assert!(
            (silent_s - pause_s).abs() < 1.0,
            "channel {channel}: {silent_s} s silent, paused for {pause_s} s"
        );
    }
    let row = whole(&sandbox, &call).await.unwrap();
    let marked = row["events"].as_array().unwrap().iter();
    let marked: Vec<&str> = marked.filter_map(|event| event["detail"].as_str()).collect();
    assert!(
        marked.contains(&"paused") && marked.contains(&"resumed"),
        "the timeline shows the pause: {marked:?}"
    );
}
