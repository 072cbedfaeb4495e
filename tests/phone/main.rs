//! The phone in the browser, in Debian's Chromium: colleagues, phones, a provider, several windows, a program.

#![cfg(test)]

mod matrix;
mod mute;
mod reach;
mod records;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::scene::{channels, log, only_call, phone, tone_file, whole};
use strowger_tests::{Chromium, Events, Sandbox, eventually, process, sipp, tone};

const ADA_HZ: f64 = 620.0;
const GRACE_HZ: f64 = 1330.0;
const SOON: Duration = Duration::from_secs(60);
const OUTSIDE: &str = "+1234567890";

fn beeps(folder: &Path, hertz: f64) -> PathBuf {
    let path = folder.join(format!("beeps-{hertz}.wav"));
    tone::write_beeps(&path, hertz, 20).unwrap();
    path
}

async fn speaking(folder: &Path, hertz: f64) -> Chromium {
    let file = beeps(folder, hertz);
    let setup = Setup {
        speaks: Some(&file),
        ..Setup::default()
    };
    Chromium::start(&setup).await.unwrap()
}

/// Somebody of the demo tenant with an open phone, which rings from here on.
async fn at_the_phone<'a>(browser: &'a Chromium, sandbox: &Sandbox, who: &str) -> Page<'a> {
    let page = browser.page("about:blank").await.unwrap();
    let email = format!("{who}@sandbox.invalid");
    let account = (email.as_str(), sandbox.card.admin.password.as_str());
    page.sign_in(&sandbox.card.http, account, "/phone").await.unwrap();
    is_ready(&page).await;
    page
}

async fn is_ready(page: &Page<'_>) {
    page.until("document.getElementById('line').textContent === 'Ready'")
        .await
        .unwrap();
}

/// Dials and notes when.
async fn dials(page: &Page<'_>, to: &str) {
    page.fill("#to", to).await.unwrap();
    page.evaluate("dial.addEventListener('click', () => { globalThis.dialled = Date.now(); })")
        .await
        .unwrap();
    page.click("#dial").await.unwrap();
}

/// Lets a page note when its window about a caller opens and closes.
async fn watch_for_callers(page: &Page<'_>) {
    page.evaluate(
        "new MutationObserver(() => { globalThis[incoming.open ? 'opened' : 'stopped'] = Date.now(); })\
         .observe(incoming, { attributes: true, attributeFilter: ['open'] })",
    )
    .await
    .unwrap();
}

async fn number(page: &Page<'_>, expression: &str) -> f64 {
    page.until(expression).await.unwrap().as_f64().unwrap()
}

async fn is_talking(page: &Page<'_>) {
    page.until("phone.lines.some((one) => one.state === 'active' && one.here)")
        .await
        .unwrap();
}

async fn is_idle(page: &Page<'_>) {
    page.until("phone.lines.length === 0 && phone.room === null")
        .await
        .unwrap();
}

async fn last(page: &Page<'_>) -> String {
    let text = page.until("document.getElementById('last').textContent").await.unwrap();
    text.as_str().unwrap().to_owned()
}

/// Waits until a pitch is heard no more: what was said before may still be on its way.
async fn is_silent(page: &Page<'_>, hertz: f64) {
    eventually(SOON, "silence", || async {
        let levels = page.levels(&[hertz]).await?;
        anyhow::ensure!(levels[0] < -60.0, "{levels:?}");
        Ok(())
    })
    .await
    .unwrap();
}

/// Seconds that stand in a page's timer.
async fn timer(page: &Page<'_>) -> f64 {
    let text = page
        .evaluate("document.getElementById('time').textContent")
        .await
        .unwrap();
    let parts: Vec<f64> = text
        .as_str()
        .unwrap()
        .split(':')
        .map(|part| part.parse().unwrap())
        .collect();
    parts.iter().fold(0.0, |sum, part| sum * 60.0 + part)
}

/// What a page's clock says: this machine's.
async fn clock(page: &Page<'_>) -> time::OffsetDateTime {
    let now = page.evaluate("({ now: new Date().toISOString() })").await.unwrap();
    moment(&now, "now")
}

fn moment(row: &Value, key: &str) -> time::OffsetDateTime {
    let text = row[key].as_str().unwrap();
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_call_each_other_in_their_browsers() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mut events = Events::listen(&sandbox, "").await.unwrap();
    let (hers, his) = tokio::join!(speaking(folder.path(), ADA_HZ), speaking(folder.path(), GRACE_HZ));
    let (ada, grace) = tokio::join!(
        at_the_phone(&hers, &sandbox, "ada"),
        at_the_phone(&his, &sandbox, "grace")
    );
    watch_for_callers(&grace).await;
    dials(&ada, "102").await;
    let rung = number(&grace, "globalThis.opened").await - number(&ada, "globalThis.dialled").await;
    println!("the caller is shown after {rung} ms");
    ada.until("phone.lines[0]?.state === 'ringing'").await.unwrap();
    grace.click("#accept").await.unwrap();
    tokio::join!(is_talking(&ada), is_talking(&grace));
    let (she, he) = tokio::join!(ada.hears(&[GRACE_HZ]), grace.hears(&[ADA_HZ]));
    she.unwrap();
    he.unwrap();
    // Whoever is muted is heard by nobody, and held ones hear music instead of the other.
    ada.click("#mute").await.unwrap();
    ada.until("!phone.room.localParticipant.isMicrophoneEnabled")
        .await
        .unwrap();
    let muted_from = clock(&ada).await;
    is_silent(&grace, ADA_HZ).await;
    let muted_to = clock(&ada).await;
    ada.click("#mute").await.unwrap();
    grace.hears(&[ADA_HZ]).await.unwrap();
    grace.click("#hold").await.unwrap();
    ada.until("document.getElementById('sounds').children.length")
        .await
        .unwrap();
    grace.until("phone.lines[0]?.state === 'held'").await.unwrap();
    is_silent(&ada, GRACE_HZ).await;
    grace.click("#hold").await.unwrap();
    ada.hears(&[GRACE_HZ]).await.unwrap();
    let shown = timer(&ada).await;
    let now = clock(&ada).await;
    grace.click("#hangup").await.unwrap();
    tokio::join!(is_idle(&ada), is_idle(&grace));
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    let answered = moment(&row, "answer_time");
    let talked = (now - answered).as_seconds_f64();
    // Whole seconds, read a moment before the clock.
    assert!(
        (talked - 3.0..=talked + 1.0).contains(&shown),
        "the timer says {shown} s of {talked} s"
    );
    // One channel a side, and nothing of the muted one.
    let sound = channels(&sandbox, &call, SOON).await.unwrap();
    for (channel, own, other) in [(0, ADA_HZ, GRACE_HZ), (1, GRACE_HZ, ADA_HZ)] {
        let all = sound.part(channel, 0.0, sound.seconds());
        assert!(
            tone::share_above(all, sound.rate_hz, own, -45.0) > 0.2,
            "channel {channel}"
        );
        assert!(
            tone::share_above(all, sound.rate_hz, other, -45.0) < 0.05,
            "channel {channel}"
        );
    }
    let at = |moment: time::OffsetDateTime| (moment - answered).as_seconds_f64();
    let muted = sound.part(0, at(muted_from) + 0.3, at(muted_to) - 0.1);
    let level = tone::level(muted, sound.rate_hz, ADA_HZ);
    assert!(level < -60.0, "{level} dBFS while muted");
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "ACCEPTED", "ENDED"]);
    let past = sandbox.get("/api/voip/history").await.unwrap();
    assert_eq!(past[0]["fromUser"]["name"], "Ada Lovelace", "{past}");
    assert_eq!(past[0]["toUser"]["name"], "Grace Hopper", "{past}");
    assert_eq!(past[0]["status"], "COMPLETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_a_cancelled_one_and_a_missed_one_are_told_as_that() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let settings = json!({"values": {"enable_voicemail": false, "ring_timeout_seconds": 5}});
    let (status, answer) = sandbox
        .send(reqwest::Method::PUT, "/api/settings", Some(&settings))
        .await
        .unwrap();
    assert!(status.is_success(), "{answer}");
    let mut events = Events::listen(&sandbox, "").await.unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    let grace = at_the_phone(&browser, &sandbox, "grace").await;
    dials(&ada, "102").await;
    grace.click("#reject").await.unwrap();
    assert_eq!(last(&ada).await, "The callee refused the call.");
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "REJECTED"]);
    is_idle(&ada).await;
    dials(&ada, "102").await;
    grace.until("incoming.open").await.unwrap();
    ada.click("#hangup").await.unwrap();
    grace.until("!incoming.open").await.unwrap();
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "ENDED"]);
    is_idle(&ada).await;
    dials(&ada, "102").await;
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "MISSED"]);
    is_idle(&ada).await;
    dials(&ada, "nobody").await;
    assert_eq!(last(&ada).await, "Nobody has this number.");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_windows_and_a_phone_ring_and_one_answer_stops_the_others() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let browser = speaking(folder.path(), GRACE_HZ).await;
    let first = at_the_phone(&browser, &sandbox, "grace").await;
    let url = format!("{}/phone", sandbox.card.http);
    let second = first.beside(&url).await.unwrap();
    let third = first.beside(&url).await.unwrap();
    for page in [&first, &second, &third] {
        is_ready(page).await;
        watch_for_callers(page).await;
    }
    let speaks = tone_file(folder.path(), ADA_HZ).unwrap();
    let mut desk = phone(&sandbox, 1, &speaks, false).await.unwrap();
    let mut caller = phone(&sandbox, 0, &speaks, false).await.unwrap();
    caller.dial("102").await.unwrap();
    desk.event("CALL_INCOMING").await.unwrap();
    for page in [&first, &second, &third] {
        page.until("incoming.open").await.unwrap();
    }
    second
        .evaluate("accept.addEventListener('click', () => { globalThis.accepted = Date.now(); })")
        .await
        .unwrap();
    second.click("#accept").await.unwrap();
    let accepted = number(&second, "globalThis.accepted").await;
    for page in [&first, &third] {
        let stopped = number(page, "globalThis.stopped").await - accepted;
        assert!(stopped <= 500.0, "another window rings for {stopped} ms");
    }
    desk.event("CALL_CLOSED").await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    is_talking(&second).await;
    second.hears(&[ADA_HZ]).await.unwrap();
    first
        .until("phone.lines.some((one) => one.state === 'active' && !one.here)")
        .await
        .unwrap();
    caller.hang_up().await.unwrap();
    for page in [&first, &second, &third] {
        is_idle(page).await;
    }
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    let legs = row["legs"].as_array().unwrap();
    let stopped = legs.iter().filter(|leg| leg["hangup_cause"] == "answered_elsewhere");
    assert_eq!((legs.len(), stopped.count()), (3, 1), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_a_number_outside_and_hears_and_is_heard() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let port = process::free_port().unwrap();
    // What the provider hears comes straight back.
    let provider = sipp::provider("uas_talk", port, &["-s", OUTSIDE, "-d", "9000", "-rtp_echo"])
        .await
        .unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    dials(&ada, OUTSIDE).await;
    is_talking(&ada).await;
    ada.hears(&[ADA_HZ]).await.unwrap();
    provider.finish(SOON).await.unwrap();
    is_idle(&ada).await;
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["direction"], "outbound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_takes_a_users_call_and_only_what_concerns_the_user_is_told() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    let devices = sandbox.get("/api/devices").await.unwrap();
    let user_of = |name: &str| {
        let mut all = devices["items"].as_array().unwrap().iter();
        let device = all.find(|device| device["username"] == name).unwrap();
        device["user_id"].as_str().unwrap().to_owned()
    };
    let (grace, alan) = (user_of("grace"), user_of("alan"));
    let mut hers = Events::listen(&sandbox, &format!("?userId={grace}&ring=true"))
        .await
        .unwrap();
    let mut his = Events::listen(&sandbox, &format!("?userId={alan}&ring=true"))
        .await
        .unwrap();
    dials(&ada, "102").await;
    let started = hers.next().await.unwrap();
    assert_eq!(
        (&started["eventType"], &started["calleeId"]),
        (&json!("CALL_STARTED"), &json!(grace))
    );
    assert_eq!(hers.next().await.unwrap()["eventType"], "RINGING");
    let call = started["payload"]["callId"].clone();
    let body = json!({"userId": grace, "callId": call});
    let stranger = json!({"userId": alan, "callId": call});
    let (status, _) = sandbox
        .send(reqwest::Method::POST, "/api/voip/accept", Some(&stranger))
        .await
        .unwrap();
    assert_eq!(status, 404);
    let ticket = sandbox.post("/api/voip/accept", &body).await.unwrap();
    assert!(ticket["token"].as_str().unwrap().len() > 40 && ticket["wsUrl"].as_str().unwrap().starts_with("ws://"));
    is_talking(&ada).await;
    let again = sandbox.post("/api/voip/token", &body).await.unwrap();
    assert_eq!(again["roomName"], ticket["roomName"]);
    sandbox.post("/api/voip/end", &body).await.unwrap();
    is_idle(&ada).await;
    let ended = loop {
        let event = hers.next().await.unwrap();
        if event["eventType"] == "ENDED" {
            break event;
        }
    };
    assert_eq!(ended["payload"]["callId"], call);
    // Alan hears of his own calls alone: the first is this one.
    let body = json!({"userId": alan, "to": "102"});
    let second = sandbox.post("/api/voip/start-call", &body).await.unwrap();
    assert_eq!(his.next().await.unwrap()["payload"]["callId"], second["callId"]);
    eventually(SOON, "both calls in the log", || async {
        let count = log(&sandbox).await?.len();
        anyhow::ensure!(count == 2, "{count} calls");
        Ok(())
    })
    .await
    .unwrap();
}
