//! Phones and a provider that share no codec: a flow leads them together, each hears the other, and the recording holds
//! both, each as wide as it spoke.

use super::SOON;
use std::path::{Path, PathBuf};
use strowger_tests::baresip::{Baresip, Setup};
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, decode, only_call, recording, whole};
use strowger_tests::{Sandbox, eventually, tone};
use strowger_worker::audio::opus_file::rate_of;

/// A codec of phones.
struct Spoken {
    /// As the phone calls it, and as the call's row does.
    named: [&'static str; 2],
    /// What it speaks at, so that a file of that rate is not made narrower by the phone.
    rate_hz: u32,
}

const OPUS: Spoken = Spoken {
    named: ["opus/48000/2", "opus"],
    rate_hz: 48_000,
};
const G722: Spoken = Spoken {
    named: ["G722/16000/1", "G722"],
    rate_hz: 16_000,
};
const PCMU: Spoken = Spoken {
    named: ["PCMU", "PCMU"],
    rate_hz: 8_000,
};

/// What each side says: a pitch in the telephone band, and one above it where its codec has room for that.
const SAID: [[f64; 2]; 2] = [[CALLER_HZ, 5_500.0], [CALLEE_HZ, 6_200.0]];

impl Spoken {
    fn is_wide(&self) -> bool {
        self.rate_hz > 8_000
    }

    fn file(&self, folder: &Path, pitches: [f64; 2]) -> PathBuf {
        let path = folder.join(format!("{}.wav", pitches[0]));
        let carried = if self.is_wide() { &pitches[..] } else { &pitches[..1] };
        tone::write_chord(&path, carried, self.rate_hz, 120).unwrap();
        path
    }
}

async fn phone(sandbox: &Sandbox, index: usize, spoken: &Spoken, folder: &Path) -> Baresip {
    let device = &sandbox.card.devices[index];
    let setup = Setup {
        server: sandbox.sip(),
        user: &device.user,
        password: &device.password,
        speaks: &spoken.file(folder, SAID[index]),
        answers: index == 1,
        transport: "udp",
        registers: true,
        codecs: spoken.named[0],
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
async fn meets(spoken: [&Spoken; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mut caller = phone(&sandbox, 0, spoken[0], folder.path()).await;
    let mut callee = phone(&sandbox, 1, spoken[1], folder.path()).await;
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
    assert_eq!(named, spoken.map(|spoken| spoken.named[1]), "{row}");
    let file = recording(&sandbox, &call, SOON).await.unwrap();
    assert_eq!(rate_of(&file), 16_000);
    let sound = decode(&file, 16_000).unwrap();
    // The prompt is on the callee's side too, so only the end is looked at, when both had been talking for two seconds.
    let end = sound.seconds();
    for (channel, spoken) in spoken.into_iter().enumerate() {
        let talk = sound.part(channel, end - 2.0, end - 0.3);
        let [low, high] = SAID[channel];
        tone::holds(talk, sound.rate_hz, low, -35.0, 0.7).unwrap();
        if spoken.is_wide() {
            tone::holds(talk, sound.rate_hz, high, -35.0, 0.7).unwrap();
        } else {
            assert!(tone::level(talk, sound.rate_hz, high) < -60.0, "channel {channel}");
        }
        let foreign = SAID[1 - channel].map(|hertz| tone::level(talk, sound.rate_hz, hertz));
        assert!(
            foreign.iter().all(|level| *level < -45.0),
            "channel {channel}: {foreign:?}"
        );
    }
}

#[tokio::test]
async fn an_opus_phone_and_a_g722_phone_meet_through_a_flow_and_are_recorded() {
    meets([&OPUS, &G722]).await;
}

#[tokio::test]
async fn a_g722_phone_and_a_g711_phone_meet_through_a_flow_and_are_recorded() {
    meets([&G722, &PCMU]).await;
}
