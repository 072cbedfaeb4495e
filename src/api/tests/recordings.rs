//! Audio with ranges, and who listened.

use super::house::{House, audio};
use axum::http::{Request, header};
use strowger_model::Role;

async fn range(house: &House, range: Option<&str>) -> super::house::Answer {
    let mut request = Request::builder()
        .uri(format!("/api/recordings/{}/audio", house.acme.recording))
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", house.acme.token(Role::Auditor)),
        );
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    house.send(request.body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn audio_comes_whole_or_in_the_part_asked_for() {
    let house = House::new().await;
    let whole = range(&house, None).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.headers[header::CONTENT_TYPE], "audio/ogg");
    assert_eq!(whole.headers[header::ACCEPT_RANGES], "bytes");
    assert_eq!(whole.body, audio());

    let part = range(&house, Some("bytes=100-199")).await;
    assert_eq!(part.status, 206);
    assert_eq!(part.headers[header::CONTENT_RANGE], "bytes 100-199/1000");
    assert_eq!(part.headers[header::CONTENT_LENGTH], "100");
    assert_eq!(part.body, audio()[100..200]);

    let tail = range(&house, Some("bytes=-1")).await;
    assert_eq!(tail.body, audio()[999..]);

    let beyond = range(&house, Some("bytes=1000-")).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.headers[header::CONTENT_RANGE], "bytes */1000");
    assert_eq!(beyond.json()["code"], "range");
}

#[tokio::test]
async fn every_listening_is_in_the_audit_log() {
    let house = House::new().await;
    range(&house, None).await;
    range(&house, Some("bytes=0-")).await;
    let filter = strowger_store::AuditFilter {
        action: Some("recording.play".into()),
        target: Some(house.acme.recording.to_string()),
        ..Default::default()
    };
    let audit = house.store.tenant(house.acme.id).audit();
    let lines = audit
        .list(&filter, &strowger_store::Page::default())
        .await
        .unwrap()
        .items;
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].actor, "token auditor");
}

#[tokio::test]
async fn a_recording_has_its_size_its_sum_and_its_peaks() {
    let house = House::new().await;
    let path = format!("/api/recordings/{}", house.acme.recording);
    let recording = house.get(&path).await.expect(200);
    assert_eq!(recording["size_bytes"], 1000);
    assert_eq!(recording["recorded_by"], "voicemail");
    assert_eq!(recording["peaks"][1][2], 6);
    assert_eq!(recording["call_id"], house.acme.call.to_string());
    house.ask("DELETE", &path, None).await.expect(204);
    assert_eq!(range(&house, None).await.expect(409)["code"], "not_ready");
}
