//! How the phone in the browser is reached: by a link, by everybody's eyes and ears, over a line that breaks.

use super::{ADA_HZ, GRACE_HZ, SOON, at_the_phone, beeps, dials, is_idle, is_ready, is_talking, speaking};
use std::path::Path;
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::network::Network;
use strowger_tests::scene::{channels, only_call, phone, tone_file, whole};
use strowger_tests::{Chromium, Sandbox, eventually, process, tone};
use tokio::time::Instant;

const ALAN_HZ: f64 = 1004.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_fills_the_number_in_and_the_call_is_handed_over_to_another_browser() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (hers, his) = tokio::join!(speaking(folder.path(), ADA_HZ), speaking(folder.path(), GRACE_HZ));
    let ada = at_the_phone(&hers, &sandbox, "ada").await;
    let speaks = tone_file(folder.path(), ALAN_HZ).unwrap();
    let mut alan = phone(&sandbox, 2, &speaks, true).await.unwrap();
    // A link on another page fills the number in, and the way back leads there.
    let link = format!("{}/call?to=103", sandbox.card.http);
    ada.open(&link).await.unwrap();
    ada.until("document.getElementById('to').value === '103'")
        .await
        .unwrap();
    ada.evaluate("history.back()").await.unwrap();
    ada.until("location.pathname === '/phone'").await.unwrap();
    ada.open(&link).await.unwrap();
    is_ready(&ada).await;
    ada.click("#dial").await.unwrap();
    alan.event("CALL_ESTABLISHED").await.unwrap();
    is_talking(&ada).await;
    ada.hears(&[ALAN_HZ]).await.unwrap();
    eventually(SOON, "the phone hears the browser", || async {
        let heard = alan.heard_sound()?;
        let all = heard.part(0, 0.0, heard.seconds());
        let share = tone::share_above(all, heard.rate_hz, ADA_HZ, -40.0);
        anyhow::ensure!(share > 0.05, "it is heard for {share} of the time");
        Ok(())
    })
    .await
    .unwrap();
    ada.click("[data-key='7']").await.unwrap();
    let key = alan.event("CALL_DTMF_START").await.unwrap();
    assert_eq!(key["param"], "7", "{key}");
    let grace = at_the_phone(&his, &sandbox, "grace").await;
    ada.click("#pass").await.unwrap();
    ada.fill("#handover-to", "102").await.unwrap();
    ada.click("#handover button").await.unwrap();
    grace.click("#accept").await.unwrap();
    is_idle(&ada).await;
    is_talking(&grace).await;
    grace.hears(&[ALAN_HZ]).await.unwrap();
    alan.hang_up().await.unwrap();
    is_idle(&grace).await;
    only_call(&sandbox, "completed", SOON).await.unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn axe() -> String {
    let folder = std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS");
    std::fs::read_to_string(Path::new(&folder).join("node/node_modules/axe-core/axe.min.js")).unwrap()
}

/// What axe finds on a page that keeps somebody from using it.
async fn is_for_everybody(page: &Page<'_>, what: &str) {
    page.evaluate(&format!("{};0", axe())).await.unwrap();
    let run = "axe.run().then(({ violations, passes }) => ({ \
        checked: passes.length, \
        found: violations.filter((one) => ['serious', 'critical'].includes(one.impact)) \
            .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' | ')}`) }))";
    let seen = page.evaluate(run).await.unwrap();
    assert!(seen["checked"].as_u64().unwrap() > 10, "{seen}");
    assert_eq!(seen["found"], serde_json::json!([]), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_use_the_phone_and_what_stands_there_of_a_caller_and_a_call() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let his = speaking(folder.path(), GRACE_HZ).await;
    let grace = at_the_phone(&his, &sandbox, "grace").await;
    is_for_everybody(&grace, "the dialer").await;
    let speaks = tone_file(folder.path(), ADA_HZ).unwrap();
    let mut ada = phone(&sandbox, 0, &speaks, false).await.unwrap();
    ada.dial("102").await.unwrap();
    grace.until("incoming.open").await.unwrap();
    // Whoever uses no mouse is already where the answer is.
    let focus = "incoming.contains(document.activeElement)";
    assert_eq!(grace.evaluate(focus).await.unwrap(), true);
    is_for_everybody(&grace, "somebody who calls").await;
    grace.click("#accept").await.unwrap();
    is_talking(&grace).await;
    is_for_everybody(&grace, "a call").await;
    ada.hang_up().await.unwrap();
    is_idle(&grace).await;
}

/// Ten seconds of nothing in a call: it goes on as the same call in one recording.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_after_a_black_out() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new().await.unwrap();
    let host = network.host();
    let media = format!("{host}:{}", process::free_port().unwrap());
    let environment = [
        ("STROWGER__ROOMS__UDP", media.as_str()),
        ("STROWGER__ROOMS__TCP", &media),
    ];
    let sandbox = Sandbox::start_with(&["--http", &format!("{host}:0")], &environment)
        .await
        .unwrap();
    let file = beeps(folder.path(), ADA_HZ);
    let trusted = format!("--unsafely-treat-insecure-origin-as-secure={}", sandbox.card.http);
    let setup = Setup {
        speaks: Some(&file),
        arguments: &[&trusted],
        inside: &network.inside(),
        ..Setup::default()
    };
    let hers = Chromium::start(&setup).await.unwrap();
    let ada = at_the_phone(&hers, &sandbox, "ada").await;
    let speaks = tone_file(folder.path(), GRACE_HZ).unwrap();
    let _desk = phone(&sandbox, 1, &speaks, true).await.unwrap();
    dials(&ada, "102").await;
    is_talking(&ada).await;
    ada.hears(&[GRACE_HZ]).await.unwrap();
    let call = ada.evaluate("phone.lines[0].call").await.unwrap();
    network.cut().await.unwrap();
    // Nothing to wait for but the clock: the page's own.
    ada.until("new Promise((done) => setTimeout(() => done(true), 10000))")
        .await
        .unwrap();
    network.mend().await.unwrap();
    let back = Instant::now();
    ada.until(&format!(
        "test.levels([{GRACE_HZ}], 250).then(([level]) => level > -50)"
    ))
    .await
    .unwrap();
    println!("after a black-out sound took {:?}", back.elapsed());
    ada.until("phone.lines.some((one) => one.state === 'active' && one.here)")
        .await
        .unwrap();
    assert_eq!(ada.evaluate("phone.lines[0].call").await.unwrap(), call);
    ada.hears(&[GRACE_HZ]).await.unwrap();
    ada.click("#hangup").await.unwrap();
    is_idle(&ada).await;
    let row = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(row["id"], call);
    let row = whole(&sandbox, &row).await.unwrap();
    let sound = channels(&sandbox, &row, SOON).await.unwrap();
    assert!(sound.seconds() > 10.0, "{} s in one recording", sound.seconds());
    let heard = |channel: usize, hertz: f64, from: f64, to: f64| {
        tone::share_above(sound.part(channel, from, to), sound.rate_hz, hertz, -45.0)
    };
    // Her side has one gap; the desk was recorded throughout.
    let end = sound.seconds();
    assert!(heard(0, ADA_HZ, 0.0, end - 12.0) > 0.05 && heard(0, ADA_HZ, end - 3.0, end) > 0.05);
    assert!(heard(1, GRACE_HZ, 1.0, end - 1.0) > 0.95);
}
