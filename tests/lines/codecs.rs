//! Phones and a provider that share no codec: a flow leads them together, each hears the other, and the recording holds
//! both.

use super::SOON;
use std::path::Path;
use strowger_tests::baresip::{Baresip, Setup};
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, channels, only_call, tone_file, whole};
use strowger_tests::{Sandbox, eventually, tone};

async fn phone(sandbox: &Sandbox, index: usize, codecs: &str, speaks: &Path) -> Baresip {
    let device = &sandbox.card.devices[index];
    let setup = Setup {
        server: sandbox.sip(),
        user: &device.user,
        password: &device.password,
        speaks,
        answers: index == 1,
        transport: "udp",
        registers: true,
        codecs,
        port: None,
    };
    Baresip::start(&setup).await.unwrap()
}

async fn has_heard(phone: &Baresip, hertz: f64) {
    eventually(SOON, &format!("{hertz} Hz"), || async {
        let heard = phone.heard_sound()?;
        let all = heard.part(0, 0.0, heard.seconds());
        let seconds = tone::seconds_above(all, heard.rate_hz, hertz, -45.0);
        anyhow::ensure!(seconds >= 2.0, "{seconds} of {} s", heard.seconds());
        Ok(())
    })
    .await
    .unwrap();
}

/// A caller hears the prompt and presses a key, both are brought together, and the recording holds each on its side.
async fn meets(caller_codec: &str, callee_codec: &str, spoken: [&str; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let [low, high] = [CALLER_HZ, CALLEE_HZ].map(|hertz| tone_file(folder.path(), hertz).unwrap());
    let mut caller = phone(&sandbox, 0, caller_codec, &low).await;
    let mut callee = phone(&sandbox, 1, callee_codec, &high).await;
    caller.dial(sandbox.number("ivr").unwrap()).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.press("1").await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    has_heard(&caller, CALLEE_HZ).await;
    has_heard(&callee, CALLER_HZ).await;
    caller.hang_up().await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    let legs = row["legs"].as_array().unwrap().iter();
    let named: Vec<_> = legs.filter_map(|leg| leg["codec"].as_str()).collect();
    assert_eq!(named, spoken, "{row}");
    let sound = channels(&sandbox, &call, SOON).await.unwrap();
    // The prompt is on the callee's side too, so only the end is looked at, when both had been talking for two seconds.
    let end = sound.seconds();
    for (channel, own, other) in [(0, CALLER_HZ, CALLEE_HZ), (1, CALLEE_HZ, CALLER_HZ)] {
        let talk = sound.part(channel, end - 2.0, end - 0.3);
        tone::holds(talk, sound.rate_hz, own, -35.0, 0.7).unwrap();
        assert!(tone::level(talk, sound.rate_hz, other) < -45.0, "channel {channel}");
    }
}

#[tokio::test]
async fn an_opus_phone_and_a_g722_phone_meet_through_a_flow_and_are_recorded() {
    meets("opus/48000/2", "G722/16000/1", ["opus", "G722"]).await;
}

#[tokio::test]
async fn a_g722_phone_and_a_g711_phone_meet_through_a_flow_and_are_recorded() {
    meets("G722/16000/1", "PCMU", ["G722", "PCMU"]).await;
}
