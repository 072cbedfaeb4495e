//! Audio from sealed blobs, and the live board.

use super::harness::Bench;
use axum::http::{StatusCode, header};
use strowger_model::Role;
use strowger_store::{AuditFilter, Page};

#[tokio::test]
async fn audio_is_served_by_range_and_each_listening_is_noted_once() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let recording = bench.call(&tenant, None).await;
    let path = format!("/t/{}/recordings/{}/audio", tenant.id, recording.id);
    let whole = bench.send("GET", &path, &admin, "", &[("range", "bytes=0-")]).await;
    assert_eq!(whole.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(whole.headers[header::CONTENT_TYPE], "audio/ogg");
    assert_eq!(whole.headers[header::CONTENT_RANGE], "bytes 0-199999/200000");
    assert_eq!(whole.bytes.len(), 200_000);
    let part = bench
        .send("GET", &path, &admin, "", &[("range", "bytes=70000-70009")])
        .await;
    assert_eq!(part.bytes, whole.bytes[70_000..70_010]);
    let beyond = bench
        .send("GET", &path, &admin, "", &[("range", "bytes=200000-")])
        .await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let download = bench.get(&format!("{path}?download=1"), &admin).await;
    assert!(
        download.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert!(!download.headers.contains_key(header::CONTENT_ENCODING));
    let other = bench.get(&format!("{path}?format=m4a"), &admin).await;
    let said = format!("recording-{}.m4a: 200000 bytes", recording.id);
    assert_eq!(String::from_utf8_lossy(&other.bytes), said);
    let filter = AuditFilter {
        target: Some(recording.id.to_string()),
        ..AuditFilter::default()
    };
    let log = bench
        .store
        .tenant(tenant.id)
        .audit()
        .list(&filter, &Page::first(50))
        .await
        .unwrap();
    let actions: Vec<&str> = log.items.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["recording.export", "recording.download", "recording.play"]);
}

#[tokio::test]
async fn an_asset_lasts_a_year_and_is_not_sent_twice() {
    let bench = Bench::new().await;
    let path = crate::assets::path("strowger.css");
    let nobody = super::harness::Browser::default();
    let first = bench.get(path, &nobody).await;
    assert_eq!(first.status, StatusCode::OK);
    assert!(
        first.headers[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let tag = first.headers[header::ETAG].to_str().unwrap();
    let second = bench.send("GET", path, &nobody, "", &[("if-none-match", tag)]).await;
    assert_eq!(second.status, StatusCode::NOT_MODIFIED);
    assert_eq!(
        bench.get("/assets/strowger.0.css", &nobody).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_prompt_is_uploaded_with_a_token_before_the_file() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let manager = bench.signed_in(Some(&tenant), Role::Manager).await;
    let path = format!("/t/{}/prompts", tenant.id);
    let part =
        |name: &str, value: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let file = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"hi.wav\"\r\n\r\nRIFF\r\n--x--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    let form = format!("{}{}{file}", part("csrf", &manager.csrf), part("name", "greeting"));
    let answer = bench.send("POST", &path, &manager, &form, &kind).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let answer = bench.send("POST", &path, &manager, &form, &kind).await;
    assert!(
        answer.text().contains("Another prompt has this name"),
        "{}",
        answer.text()
    );
    let form = format!("{}{file}", part("name", "other"));
    let answer = bench.send("POST", &path, &manager, &form, &kind).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(bench.get(&path, &manager).await.text().contains("hi.wav"));
}

#[tokio::test]
async fn the_live_board_begins_with_the_present() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let manager = bench.signed_in(Some(&tenant), Role::Manager).await;
    let path = format!("/t/{}/live/events", tenant.id);
    let (headers, frame) = bench.first_frame(&path, &manager).await;
    assert_eq!(headers[header::CONTENT_TYPE], "text/event-stream");
    assert!(
        frame.contains("event: part") && frame.contains("id: 0") && frame.contains("Nobody is talking"),
        "{frame}"
    );
}
