//! The sample for front-end developers (`docs/samples/meeting`): stock React components, built as its README says, meet in
//! a room.

use super::{GUEST_HZ, HOST_HZ, beeps, speaking};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use strowger_tests::Sandbox;
use strowger_tests::chromium::Page;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/samples/meeting");

/// The packages the sample names, where `packaging/fetch-clients` put them.
#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn packages() -> PathBuf {
    let folder = std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS");
    Path::new(&folder).join("react/node_modules")
}

/// Builds the page with the command its `package.json` names.
async fn build(dist: &Path) {
    let built = Command::new("node")
        .arg(packages().join("esbuild/bin/esbuild"))
        .args(["src/main.jsx", "--bundle", "--minify", "--jsx=automatic"])
        .arg(format!("--outdir={}", dist.display()))
        .env("NODE_PATH", packages())
        .current_dir(SAMPLE)
        .status();
    assert!(built.await.unwrap().success(), "the page cannot be built");
}

/// The sample's own back end and its address; it ends with the value.
async fn serve(sandbox: &Sandbox, dist: &Path) -> (Child, String) {
    let mut server = Command::new("node")
        .arg("server.mjs")
        .current_dir(SAMPLE)
        .env("STROWGER_URL", &sandbox.card.http)
        .env("STROWGER_API_TOKEN", &sandbox.card.api_token)
        .env("PORT", "0")
        .env("DIST", dist)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().expect("the server says where it is");
    (server, address)
}

async fn joins(page: &Page<'_>, name: &str) {
    page.fill("[name=name]", name).await.unwrap();
    page.click("button").await.unwrap();
}

/// So many tiles, pictures and placeholders together.
async fn sees_tiles(page: &Page<'_>, count: usize) {
    let there = format!("document.querySelectorAll('.lk-participant-tile').length === {count}");
    page.until(&there).await.unwrap();
}

/// A shown screen of somebody else, with a picture in it.
const THEIR_SCREEN: &str = "[...document.querySelectorAll('[data-lk-source=screen_share][data-lk-local-participant=false] video')]\
     .some((video) => video.videoWidth > 0)";

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_page_of_stock_react_components_meets_hears_shows_and_writes() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    build(folder.path()).await;
    let (_server, address) = serve(&sandbox, folder.path()).await;
    let (hers, his) = (beeps(folder.path(), HOST_HZ), beeps(folder.path(), GUEST_HZ));
    let (her_browser, his_browser) = tokio::join!(speaking(&hers), speaking(&his));
    let ada = her_browser.page(&address).await.unwrap();
    let bob = his_browser.page(&address).await.unwrap();
    joins(&ada, "Ada").await;
    joins(&bob, "Bob").await;
    for page in [&ada, &bob] {
        sees_tiles(page, 2).await;
    }
    ada.hears(&[GUEST_HZ]).await.unwrap();
    bob.hears(&[HOST_HZ]).await.unwrap();

    ada.click(".lk-chat-toggle").await.unwrap();
    ada.fill(".lk-chat-form-input", "Good morning").await.unwrap();
    ada.click(".lk-chat-form-button").await.unwrap();
    bob.click(".lk-chat-toggle").await.unwrap();
    bob.until("document.querySelector('.lk-chat-messages').textContent.includes('Good morning')")
        .await
        .unwrap();

    // Both show their screens, one after the other: the second takes nothing from the first.
    let share = "button[data-lk-source=screen_share]";
    ada.click(share).await.unwrap();
    bob.until(THEIR_SCREEN).await.unwrap();
    bob.click(share).await.unwrap();
    ada.until(THEIR_SCREEN).await.unwrap();
    bob.click(share).await.unwrap();
    ada.until(&format!("!({THEIR_SCREEN})")).await.unwrap();
    bob.until(THEIR_SCREEN).await.unwrap();

    bob.click(".lk-disconnect-button").await.unwrap();
    bob.until("Boolean(document.querySelector('[name=name]'))")
        .await
        .unwrap();
    ada.until("![...document.querySelectorAll('.lk-participant-name')].some((name) => name.textContent === 'Bob')")
        .await
        .unwrap();
}
