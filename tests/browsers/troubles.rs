//! Each thing that goes wrong on the way into a meeting, made to go wrong: the page says what it is and what
//! mends it.

use super::{IS_IN, TROUBLE, knocks, link, room};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::{Chromium, Sandbox, eventually, minutes};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A name that is this machine and no secure place.
const PLAIN: &str = "--host-resolver-rules=MAP meet.test 127.0.0.1";

/// The page tells of this trouble, and its cause and its mend stand in words.
async fn tells(page: &Page<'_>, code: &str, cause: &str, mend: &str) {
    page.until(&format!("{TROUBLE} === {code:?}")).await.unwrap();
    let words = page
        .evaluate("document.querySelector('#trouble').innerText")
        .await
        .unwrap();
    let words = words.as_str().unwrap();
    assert!(words.contains(cause) && words.contains(mend), "{code}: {words}");
}

/// Somebody who is asked by the browser whether a page gets the microphone.
async fn asked(arguments: &[&str]) -> Chromium {
    let setup = Setup {
        asks: true,
        arguments,
        ..Setup::default()
    };
    Chromium::start(&setup).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_every_cause_and_its_mend() {
    let _alone = strowger_tests::chromium::alone().await;
    let sandbox = Sandbox::start().await.unwrap();
    let friday = room(&sandbox, &json!({"name": "Friday"})).await;
    let (_, url) = link(&sandbox, &friday).await;
    let browser = asked(&[PLAIN]).await;
    let crashed_ms = crash(&browser, &url).await;

    a_refused_microphone(&browser, &sandbox, &url).await;
    a_token_that_expires(&browser, &sandbox, &url).await;
    let none = Setup {
        arguments: &["--use-fake-device-for-media-stream=device-count=0"],
        ..Setup::default()
    };
    let none = Chromium::start(&none).await.unwrap();
    let page = none.page(&url).await.unwrap();
    page.click("#with-cam").await.unwrap();
    tells(&page, "cam_missing", "No camera was found.", "Connect one").await;
    drop(none);

    let small = room(&sandbox, &json!({"name": "Small", "max_participants": 1})).await;
    let (_, small) = link(&sandbox, &small).await;
    let (first, second) = (browser.page(&small).await.unwrap(), browser.page(&small).await.unwrap());
    knocks(&first, "First").await;
    first.until(IS_IN).await.unwrap();
    knocks(&second, "Second").await;
    tells(&second, "room_full", "As many people as may", "until somebody leaves").await;

    a_meeting_that_has_not_begun(&browser, &sandbox).await;

    let plain = browser.page(&url.replace("127.0.0.1", "meet.test")).await.unwrap();
    tells(&plain, "insecure", "encrypted pages only", "https://").await;

    a_meeting_that_ended_while_one_was_away(&browser, &sandbox).await;
    crashed_is_gone(&sandbox, crashed_ms).await;
    sandbox.stop().await.unwrap();
    second.click("#join").await.unwrap();
    tells(
        &second,
        "signal_lost",
        "server cannot be reached",
        "Check your connection",
    )
    .await;
    first.until("main.dataset.view === 'bye'").await.unwrap();
    assert!(first.text().await.contains("being restarted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_that_meetings_are_not_set_up() {
    let _alone = strowger_tests::chromium::alone().await;
    let off = [("STROWGER__ROOMS__ENABLED", "false")];
    let sandbox = Sandbox::start_with(&[], &off).await.unwrap();
    let id = room(&sandbox, &json!({"name": "Friday"})).await;
    let (_, url) = link(&sandbox, &id).await;
    let browser = asked(&[]).await;
    let page = browser.page(&url).await.unwrap();
    knocks(&page, "Gil").await;
    tells(
        &page,
        "room_off",
        "not set up on this machine",
        "[rooms] enabled = true",
    )
    .await;
}

async fn a_refused_microphone(browser: &Chromium, sandbox: &Sandbox, url: &str) {
    let page = browser.page(&format!("{}/login", sandbox.card.http)).await.unwrap();
    page.permit("microphone", "denied").await.unwrap();
    page.open(url).await.unwrap();
    tells(
        &page,
        "mic_refused",
        "does not let this page use the microphone",
        "allow the microphone",
    )
    .await;
    knocks(&page, "Gil").await;
    page.until(IS_IN).await.unwrap();
    page.click("#mic").await.unwrap();
    tells(&page, "mic_refused", "does not let this page", "allow the microphone").await;
    page.permit("microphone", "granted").await.unwrap();
    page.click("#mic").await.unwrap();
    page.until("document.querySelector('#mic').getAttribute('aria-pressed') === 'true'")
        .await
        .unwrap();
    // What is mended is no longer complained of.
    page.until(&format!("!{TROUBLE}.length")).await.unwrap();
    page.close().await.unwrap();
}

/// A token lets nobody in once it has expired; who is in stays in, and comes back after a cut.
async fn a_token_that_expires(browser: &Chromium, sandbox: &Sandbox, url: &str) {
    let page = browser.page(url).await.unwrap();
    let rooms = &sandbox.card.rooms;
    let now = page.evaluate("Math.floor(Date.now() / 1000)").await.unwrap();
    // Clocks differ: a token is taken for ten seconds more.
    let ends = now.as_i64().unwrap();
    let claims = json!({"sub": "short", "exp": ends, "video": {"roomJoin": true, "room": "Friday"}});
    let (key, secret) = (&rooms.api_key, &rooms.api_secret);
    let token = page
        .evaluate(&format!("test.token({key:?}, {secret:?}, {claims})"))
        .await
        .unwrap();
    let bring = format!("test.bring({token})");
    page.evaluate(&bring).await.unwrap();
    knocks(&page, "Short").await;
    page.until(IS_IN).await.unwrap();
    page.until(&format!("Date.now() / 1000 > {ends} + 11")).await.unwrap();
    let late = browser.page(url).await.unwrap();
    late.evaluate(&bring).await.unwrap();
    knocks(&late, "Late").await;
    tells(&late, "token_expired", "has expired", "Join again").await;
    late.close().await.unwrap();
    let stands = "main.dataset.view === 'room' && meeting.room.state === 'connected'";
    page.until(stands).await.unwrap();
    page.close().await.unwrap();
}

/// A scheduled meeting opens a quarter of an hour before its time, and calendars are told that time.
async fn a_meeting_that_has_not_begun(browser: &Chromium, sandbox: &Sandbox) {
    let id = room(sandbox, &json!({"name": "Later", "title": "Quarter"})).await;
    let (_, url) = link(sandbox, &id).await;
    let page = browser.page(&url).await.unwrap();
    let path = format!("/api/rooms/{id}");
    for (minutes, is_open) in [(20, false), (14, true)] {
        let at = |minutes: i64| format!("new Date(Date.now() + {minutes} * 60000).toISOString().slice(0, 19) + 'Z'");
        let begins = page.evaluate(&at(minutes)).await.unwrap();
        let ends = page.evaluate(&at(minutes + 30)).await.unwrap();
        let schedule = json!({"schedule": {"starts_at": begins, "ends_at": ends, "time_zone": "Europe/London"}});
        let (status, answer) = sandbox.send(Method::PATCH, &path, Some(&schedule)).await.unwrap();
        assert!(status.is_success(), "{answer}");
        knocks(&page, "Gil").await;
        if is_open {
            page.until(IS_IN).await.unwrap();
        } else {
            tells(&page, "room_not_open", "has not begun", "quarter of an hour before").await;
        }
        let calendar = sandbox.bytes(&format!("{path}/calendar")).await.unwrap();
        let stamp = begins.as_str().unwrap().replace(['-', ':'], "");
        let calendar = String::from_utf8(calendar).unwrap();
        assert!(calendar.contains(&format!("DTSTART:{stamp}\r\n")), "{calendar}");
        assert!(calendar.contains("SUMMARY:Quarter\r\n"), "{calendar}");
    }
    page.close().await.unwrap();
}

/// Who was cut off while the meeting was ended does not raise it again by coming back, and reads what happened.
async fn a_meeting_that_ended_while_one_was_away(browser: &Chromium, sandbox: &Sandbox) {
    let id = room(sandbox, &json!({"name": "Brief"})).await;
    let (_, url) = link(sandbox, &id).await;
    let page = browser.page(&url).await.unwrap();
    knocks(&page, "Gil").await;
    page.until(IS_IN).await.unwrap();
    page.evaluate("test.away(true)").await.unwrap();
    page.evaluate("meeting.room.simulateScenario('signal-reconnect')")
        .await
        .unwrap();
    page.until("meeting.room.state !== 'connected'").await.unwrap();
    let path = format!("/api/rooms/{id}/act");
    let (status, answer) = sandbox
        .send(Method::POST, &path, Some(&json!({"act": "end"})))
        .await
        .unwrap();
    assert!(status.is_success(), "{answer}");
    page.evaluate("test.away(false)").await.unwrap();
    let ended = "document.querySelector('#bye-what').innerText === 'This meeting has ended.'";
    page.until(ended).await.unwrap();
    let words = page.text().await;
    assert!(
        words.contains("while you were away") && words.contains("Open it again") && !words.contains("cut off"),
        "{words}"
    );
    assert_eq!(page.evaluate(TROUBLE).await.unwrap(), "");
    // Whoever comes through the door opens it again.
    page.click("#rejoin").await.unwrap();
    page.until(IS_IN).await.unwrap();
    page.close().await.unwrap();
}

/// A page in the room whose process dies; when it did, in milliseconds since 1970.
async fn crash(browser: &Chromium, url: &str) -> i64 {
    let page = browser.page(url).await.unwrap();
    knocks(&page, "Crash").await;
    page.until(IS_IN).await.unwrap();
    let now = page.evaluate("Date.now()").await.unwrap();
    page.crash().await.unwrap();
    now.as_i64().unwrap()
}

/// Who crashed has left within twenty seconds.
async fn crashed_is_gone(sandbox: &Sandbox, crashed_ms: i64) {
    let left = eventually(Duration::from_secs(60), "who crashed to have left", || async {
        let meeting = minutes::newest(sandbox, "Friday").await?;
        let mut members = meeting["participants"].as_array().context("no members")?.iter();
        let crashed = members.find(|one| one["name"] == "Crash").context("never came")?;
        let left = crashed["left_at"].as_str().context("still in")?;
        Ok::<_, anyhow::Error>(OffsetDateTime::parse(left, &Rfc3339)?)
    })
    .await
    .unwrap();
    // The crash itself is waited for up to a second.
    let after_ms = left.unix_timestamp() * 1000 - crashed_ms;
    check(after_ms).unwrap();
}

fn check(after_ms: i64) -> Result<()> {
    ensure!(
        (0..=21_000).contains(&after_ms),
        "they left {after_ms} ms after the crash"
    );
    Ok(())
}
