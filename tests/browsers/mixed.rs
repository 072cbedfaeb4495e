//! A SIP phone, a browser and a stock Python client in one room.

use super::{IS_IN, at_the_door, beeps, speaking};
use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::chromium::Page;
use strowger_tests::minutes::{RATE_HZ, recorded, sound};
use strowger_tests::program::{Program, given};
use strowger_tests::scene::{CALLER_HZ, log, phone, tone_file};
use strowger_tests::{Baresip, Sandbox, tone};

const BROWSER_HZ: f64 = 1330.0;
const PROGRAM_HZ: f64 = 700.0;

fn level(levels: &Value, hertz: f64) -> f64 {
    levels[&format!("{hertz:.1}")].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_a_browser_and_a_program_hear_the_other_two_and_are_recorded() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let number = "+4940800800";
    let bought = json!({"phone_number": number, "target": {"kind": "conference"}});
    sandbox.post("/api/numbers/purchase", &bought).await.unwrap();
    let wanted = json!({"name": "Friday", "pin": "4711", "recording": "always"});
    let id = super::room(&sandbox, &wanted).await;
    let file = beeps(folder.path(), BROWSER_HZ);
    let browser = speaking(&file).await;
    let page = at_the_door(&browser, &sandbox, &id).await;
    page.click("#join").await.unwrap();
    page.until(IS_IN).await.unwrap();

    let told = json!({
        "room": "Friday", "phones": 1, "seconds": 8, "tone": PROGRAM_HZ,
        "pitches": [PROGRAM_HZ, CALLER_HZ, BROWSER_HZ],
    });
    let mut program = Program::start_held("desk.py", &given(&sandbox, told)).await.unwrap();
    assert_eq!(program.says().await.unwrap()["joined"], true);
    let mut caller = phone(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    caller.dial(number).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.press("4711#").await.unwrap();
    comes_in(&sandbox, &page, &caller).await;

    page.hears(&[PROGRAM_HZ, CALLER_HZ]).await.unwrap();
    let own = page.levels(&[BROWSER_HZ]).await.unwrap();
    assert!(own[0] < -55.0, "the browser hears itself: {own:?}");
    program.enough();
    let said = program.says().await.unwrap();
    let voices: Vec<&Value> = said["voices"].as_object().unwrap().values().collect();
    assert_eq!(voices.len(), 2, "{said}");
    for hertz in [CALLER_HZ, BROWSER_HZ] {
        let heard = voices.iter().filter(|levels| level(levels, hertz) > -45.0).count();
        assert_eq!(heard, 1, "{hertz} Hz comes from one voice: {said}");
    }
    assert!(voices.iter().all(|levels| level(levels, PROGRAM_HZ) < -55.0), "{said}");

    page.click("#show-people").await.unwrap();
    page.click("[data-act=end]").await.unwrap();
    page.click("#sure-yes").await.unwrap();
    caller
        .event_within("CALL_CLOSED", Duration::from_secs(60))
        .await
        .unwrap();
    the_phone_hears_the_others(&caller.heard_sound().unwrap());
    the_recording_holds_all(&sandbox).await;
}

/// The phone's PIN was heard.
async fn comes_in(sandbox: &Sandbox, page: &Page<'_>, caller: &Baresip) {
    if let Err(error) = page.until("meeting.room.remoteParticipants.size === 2").await {
        let calls = log(sandbox).await.unwrap();
        panic!("{error:#}\n{calls:?}\n{}", caller.log());
    }
}

/// While both others are heard there is nothing of the phone itself.
fn the_phone_hears_the_others(heard: &strowger_tests::scene::Sound) {
    let window = (heard.rate_hz / 5) as usize;
    let both: Vec<f64> = heard
        .part(0, 0.0, heard.seconds())
        .chunks_exact(window)
        .filter(|part| {
            let level = |hertz| tone::level(part, heard.rate_hz, hertz);
            level(PROGRAM_HZ) > -35.0 && level(BROWSER_HZ) > -45.0
        })
        .map(|part| tone::level(part, heard.rate_hz, CALLER_HZ))
        .collect();
    assert!(both.len() > 15, "both others were heard in {} windows", both.len());
    let echo = both.iter().filter(|level| **level > -35.0).count();
    assert!(
        echo * 20 < both.len(),
        "the phone hears itself in {echo} windows of {}",
        both.len()
    );
}

/// The mix holds all three, each track its own.
async fn the_recording_holds_all(sandbox: &Sandbox) {
    let holds = |samples: &[f32], hertz| tone::seconds_above(samples, RATE_HZ, hertz, -45.0) > 2.0;
    let all = [PROGRAM_HZ, CALLER_HZ, BROWSER_HZ];
    let meeting = recorded(sandbox, "Friday", |recording| recording["status"] == "ready")
        .await
        .unwrap();
    let recording = &meeting["recordings"][0];
    let mix = sound(sandbox, &recording["audio_url"]).await.unwrap();
    assert!(
        all.iter().all(|hertz| holds(&mix, *hertz)),
        "somebody is missing in the mix"
    );
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 3, "{recording}");
    let mut found = Vec::new();
    for track in tracks {
        let alone = sound(sandbox, &track["audio_url"]).await.unwrap();
        let heard: Vec<&f64> = all.iter().filter(|hertz| holds(&alone, **hertz)).collect();
        assert_eq!(heard.len(), 1, "{track} holds {heard:?}");
        found.push(*heard[0]);
    }
    found.sort_by(f64::total_cmp);
    assert_eq!(found, [PROGRAM_HZ, CALLER_HZ, BROWSER_HZ]);
}
