//! Audio with ranges, and who listened.

use super::house::{House, audio};
use axum::http::{Request, header};
use serde_json::json;
use std::time::Duration;
use strowger_access::{RoomClaims, VideoGrant};
use strowger_model::{RecordingId, Role, TenantId};

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
async fn audio_in_a_bucket_that_is_away_is_refused_before_the_answer_begins() {
    let house = House::new().await;
    let storage = strowger_host::config::Storage {
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        bucket: "calls".to_owned(),
        prefix: String::new(),
        region: "us-east-1".to_owned(),
        access_key: "test".to_owned(),
        secret_key: "test".to_owned(),
        path_style: true,
        ca_file: None,
    };
    let bucket = strowger_store::Bucket::open(&storage).unwrap();
    let _same = house.store.clone().with_bucket(Some(bucket));
    let blobs = house.folder.path().join("blobs").join(house.acme.id.to_string());
    std::fs::remove_dir_all(blobs).unwrap();
    for asked in [None, Some("bytes=10-19")] {
        let answer = range(&house, asked).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (503, Some("bucket"))
        );
    }
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
    let sound = ["codec", "sample_rate_hz", "channels", "bitrate_bps"].map(|field| recording[field].clone());
    assert_eq!(sound, [json!("opus"), json!(16_000), json!(2), json!(266)]);
    assert_eq!(recording["call_id"], house.acme.call.to_string());
    house.ask("DELETE", &path, None).await.expect(204);
    assert_eq!(range(&house, None).await.expect(409)["code"], "not_ready");
}

#[tokio::test]
async fn a_legal_hold_is_set_and_ended() {
    let house = House::new().await;
    let path = format!("/api/recordings/{}", house.acme.recording);
    let hold = format!("{path}/hold");
    for _ in 0..2 {
        house.ask("PUT", &hold, None).await.expect(204);
    }
    assert_eq!(house.get(&path).await.expect(200)["is_held"], true);
    assert_eq!(house.ask("DELETE", &path, None).await.expect(409)["code"], "held");
    house.ask("DELETE", &hold, None).await.expect(204);
    assert_eq!(house.get(&path).await.expect(200)["is_held"], false);
    let nobody = "/api/recordings/0192f0c1-2b3c-7d4e-8f5a-6b7c8d9e0f1a/hold";
    house.ask("PUT", nobody, None).await.expect(404);
    house.ask("DELETE", &path, None).await.expect(204);
}

#[tokio::test]
async fn a_recording_is_named_and_described() {
    let house = House::new().await;
    let path = format!("/api/recordings/{}", house.acme.recording);
    let change = |body| house.ask("PATCH", &path, Some(body));
    let named = change(json!({"name": "First talk", "description": "About the boiler."})).await;
    assert_eq!(named.expect(200)["name"], "First talk");
    let other = change(json!({"name": "Second talk"})).await.expect(200);
    assert_eq!(other["description"], "About the boiler.", "what is absent stays");
    assert_eq!(house.get(&path).await.expect(200)["name"], "Second talk");
    let long = change(json!({"name": "x".repeat(201)})).await.expect(422);
    assert_eq!(long["errors"][0]["field"], "name");
    let line = house
        .get("/api/audit?action=recording.rename&limit=1")
        .await
        .expect(200);
    assert_eq!(line["items"][0]["target"], house.acme.recording.to_string());
}

#[tokio::test]
async fn retention_says_what_would_go_and_is_asked_to_run() {
    let house = House::new().await;
    let before = house.get("/api/retention").await.expect(200);
    assert_eq!((&before["recording_days"], &before["due"]), (&json!(90), &json!([])));
    house.world.advance(91 * 24 * 3_600_000);
    let due = house.get("/api/retention").await.expect(200);
    let going = due["due"].as_array().unwrap();
    let named = |id: &str| going.iter().any(|thing| thing["id"] == id);
    assert!(named(&house.acme.call.to_string()), "{due}");
    assert!(going.iter().any(|thing| thing["kind"] == "voicemail"), "{due}");
    assert!(due["voicemails"].as_i64().unwrap() > 0 && due["size_bytes"].as_i64().unwrap() > 0);
    house.ask("POST", "/api/retention/run", None).await.expect(202);
    let runs = house.get("/api/jobs?kind=retain").await.expect(200);
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lists_name_what_of_the_question_is_wrong() {
    let house = House::new().await;
    let lists = [
        "audit",
        "calls/log",
        "consents",
        "devices",
        "erasures",
        "flows",
        "jobs",
        "notices",
        "recordings",
        "search?q=hello",
        "transcription",
    ];
    for list in lists {
        let and = if list.contains('?') { '&' } else { '?' };
        for bad in ["limit=0", "limit=201", "cursor=~"] {
            let answer = house.get(&format!("/api/{list}{and}{bad}")).await.expect(422);
            assert_eq!(
                answer["errors"][0]["field"],
                bad.split('=').next().unwrap(),
                "{list} {bad}"
            );
        }
    }
}

/// A program that stands in for the worker's: it does what `script` says.
fn program(folder: &std::path::Path, script: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("strowger-worker");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn another_format_is_made_while_it_is_sent_and_a_failure_is_named() {
    use tower::ServiceExt as _;
    let house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let ask = async |script: &str, query: &str| {
        let metrics = strowger_host::metrics::Metrics::detached();
        let state = crate::ApiState::new(house.access.clone(), house.switch.clone(), metrics)
            .with_converter(crate::Converter::new(program(folder.path(), script)));
        let request = axum::http::Request::builder()
            .uri(format!("/api/recordings/{}/audio?{query}", house.acme.recording))
            .header(
                "authorization",
                format!("Bearer {}", house.acme.token(strowger_model::Role::TenantAdmin)),
            )
            .body(axum::body::Body::empty())
            .unwrap();
        let response = crate::router(state).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, axum::body::to_bytes(body, 1 << 24).await)
    };
    // It says how it was called and gives back what it was given.
    let (parts, body) = ask("echo \"$@\"; cat", "format=wav").await;
    assert_eq!(
        (parts.status.as_u16(), &parts.headers["content-type"]),
        (200, &"audio/wav".parse().unwrap())
    );
    let body = body.unwrap();
    let said = b"convert --to wav\n";
    assert_eq!(&body[..said.len()], said);
    assert_eq!(&body[said.len()..], super::house::audio());

    let (parts, body) = ask(
        "cat > /dev/null; echo 'the recording holds no audio' >&2; exit 1",
        "format=mp3",
    )
    .await;
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
    assert_eq!(parts.status.as_u16(), 503, "{body}");
    assert!(body.contains("the recording holds no audio"), "{body}");

    let (parts, _) = ask("cat", "format=m4a").await;
    assert_eq!(parts.headers["content-type"], "audio/mp4");

    let (parts, body) = ask("cat > /dev/null; echo half; exit 3", "format=wav").await;
    assert_eq!(parts.status.as_u16(), 200);
    assert!(body.is_err(), "a file that was cut does not look whole");

    let (parts, _) = ask("cat", "format=flac").await;
    assert_eq!(parts.status.as_u16(), 422);
}

/// A link as an egress is told with, for `tenant`'s recording.
async fn link(house: &House, tenant: TenantId, recording: RecordingId, lasts: Duration) -> String {
    let claims = RoomClaims {
        recording: recording.to_string(),
        ..RoomClaims::default()
    };
    let signed = house.access.sign_room_token(tenant, &claims, Some(lasts)).await;
    format!("/livekit/files/{recording}?access_token={}", signed.unwrap().0)
}

async fn follow(house: &House, link: &str) -> super::house::Answer {
    house
        .send(Request::get(link).body(axum::body::Body::empty()).unwrap())
        .await
}

#[tokio::test]
async fn a_signed_link_leads_to_its_one_file_without_a_token_until_it_ends() {
    let house = House::new().await;
    let (acme, recording) = (house.acme.id, house.acme.recording);
    let links = crate::FileLinks::new(house.access.clone(), Some("https://calls.example/"));
    let told = links.to(acme, recording, false).await;
    let path = told.strip_prefix("https://calls.example").unwrap();
    let answer = follow(&house, path).await;
    assert_eq!((answer.status.as_u16(), answer.body.to_vec()), (200, audio()));
    let foreign = follow(
        &house,
        &path.replace(&recording.to_string(), &house.zenith.recording.to_string()),
    )
    .await;
    assert_eq!(foreign.status, 404, "it names another recording");

    let over = link(&house, acme, recording, Duration::from_secs(1)).await;
    house.world.advance(3_600_000);
    assert_eq!(follow(&house, &over).await.status, 401, "its time is over");
    assert_eq!(follow(&house, path).await.status, 200, "a day is longer than an hour");
}

#[tokio::test]
async fn a_forged_or_foreign_link_leads_nowhere() {
    let house = House::new().await;
    let (acme, recording) = (house.acme.id, house.acme.recording);
    let day = Duration::from_secs(86_400);
    let own = link(&house, acme, recording, day).await;
    let (head, signature) = own.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    assert_eq!(follow(&house, &format!("{head}.{turned}")).await.status, 401);
    let bare = format!("/livekit/files/{recording}");
    assert_eq!(follow(&house, &bare).await.status, 401);
    // Zenith's key signs a link to acme's recording: it is looked for among zenith's.
    let neighbour = link(&house, house.zenith.id, recording, day).await;
    assert_eq!(follow(&house, &neighbour).await.status, 404);
    // A token for rooms opens no file, whatever else it allows.
    let claims = RoomClaims {
        identity: "ada".into(),
        video: VideoGrant {
            room_record: true,
            room_admin: true,
            ..VideoGrant::default()
        },
        ..RoomClaims::default()
    };
    let token = house.access.sign_room_token(acme, &claims, None).await.unwrap().0;
    assert_eq!(
        follow(&house, &format!("{bare}?access_token={token}")).await.status,
        404
    );
}

fn metadata(pairs: &[(&str, &str)]) -> String {
    use base64::Engine as _;
    let pair =
        |(name, value): &(&str, &str)| format!("{name} {}", base64::engine::general_purpose::STANDARD.encode(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join(",")
}

async fn tus(
    house: &House,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: axum::body::Body,
) -> super::house::Answer {
    let token = format!("Bearer {}", house.acme.token(Role::TenantAdmin));
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, token)
        .header("Tus-Resumable", "1.0.0");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house.send(request.body(body).unwrap()).await
}

/// A body whose connection is cut after its bytes.
fn cut(bytes: &'static [u8]) -> axum::body::Body {
    let came = Ok(axum::body::Bytes::from_static(bytes));
    let broke = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    axum::body::Body::from_stream(futures_util::stream::iter([came, broke]))
}

#[tokio::test]
async fn a_client_uploads_its_recording_of_a_call_and_goes_on_after_a_cut() {
    let house = House::new().await;
    let call = house.acme.call.to_string();
    let said = metadata(&[("filename", "call.webm"), ("call_id", &call)]);
    let create = [("Upload-Length", "12"), ("Upload-Metadata", said.as_str())];
    let off = tus(&house, "POST", "/api/uploads", &create, axum::body::Body::empty()).await;
    assert_eq!(off.expect(409)["code"], "off", "it is off by default");
    let on = serde_json::json!({"values": {"client_recordings": "true"}});
    house.ask("PUT", "/api/settings", Some(on)).await.expect(200);

    let made = tus(&house, "POST", "/api/uploads", &create, axum::body::Body::empty()).await;
    assert_eq!(made.status, 201);
    let place = made.headers[header::LOCATION].to_str().unwrap().to_owned();
    let kind = ("Content-Type", "application/offset+octet-stream");
    let at = |offset: &'static str| [kind, ("Upload-Offset", offset)];
    tus(&house, "PATCH", &place, &at("0"), cut(b"webm!")).await;
    let stands = tus(&house, "HEAD", &place, &[], axum::body::Body::empty()).await;
    assert_eq!(
        (stands.status.as_u16(), &stands.headers["upload-offset"]),
        (200, &"5".parse().unwrap())
    );
    assert_eq!(stands.headers["upload-length"], "12");
    assert_eq!(stands.headers[header::CACHE_CONTROL], "no-store");
    let again = tus(&house, "PATCH", &place, &at("0"), "webm!".into()).await;
    assert_eq!(again.expect(409)["code"], "offset");
    let plain = [("Upload-Offset", "5")];
    assert_eq!(tus(&house, "PATCH", &place, &plain, "rest".into()).await.status, 415);
    let done = tus(&house, "PATCH", &place, &at("5"), "the-end".into()).await;
    assert_eq!(
        (done.status.as_u16(), &done.headers["upload-offset"]),
        (204, &"12".parse().unwrap())
    );

    let upload = house.get(&place).await.expect(200);
    assert_eq!(
        (&upload["status"], &upload["call_id"]),
        (&"whole".into(), &call.as_str().into())
    );
    let path = format!("/api/recordings/{}", upload["recording_id"].as_str().unwrap());
    let recording = house.get(&path).await.expect(200);
    assert_eq!(
        (&recording["status"], &recording["recorded_by"]),
        (&"captured".into(), &"client".into())
    );
    let removed = tus(&house, "DELETE", &place, &[], axum::body::Body::empty()).await;
    assert_eq!(removed.status, 409, "what is whole is a recording");
}

/// Ada's browser, signed in: its cookie and the token of its pages.
async fn page_of_ada(house: &House) -> (String, String) {
    let user = house.acme.ids["user"].parse().unwrap();
    let actor = strowger_store::Actor::named("test");
    let changed = house.access.set_password(&actor, user, "correct horse battery").await;
    assert!(changed.unwrap());
    let source = strowger_access::Source {
        address: [127, 0, 0, 1].into(),
        https: false,
    };
    let sign_in = strowger_access::SignIn {
        email: "ada@acme.example",
        password: "correct horse battery",
        source,
        user_agent: "a test",
    };
    let signed = house.access.sign_in(sign_in).await.unwrap();
    let cookie = signed.set_cookie.split(';').next().unwrap().to_owned();
    let secret = cookie.split_once('=').unwrap().1.to_owned();
    (cookie, strowger_access::csrf::token(&secret))
}

#[tokio::test]
async fn a_page_sends_what_its_person_recorded_of_their_own_call_and_of_no_other() {
    let house = House::new().await;
    let on = serde_json::json!({"values": {"client_recordings": "true"}});
    house.ask("PUT", "/api/settings", Some(on)).await.expect(200);
    let (cookie, csrf) = page_of_ada(&house).await;
    let send = async |method: &str, path: &str, headers: &[(&str, &str)], body: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &cookie);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        house.send(request.body(body.into()).unwrap()).await
    };
    let own = metadata(&[("filename", "call.webm"), ("call_id", &house.acme.call.to_string())]);
    let foreign = metadata(&[("filename", "call.webm"), ("call_id", &house.zenith.call.to_string())]);
    let import = metadata(&[("filename", "call.webm")]);
    let token = ("x-csrf-token", csrf.as_str());
    let wish = |said| [("Upload-Length", "4"), ("Upload-Metadata", said), token];
    let blind = send("POST", "/api/uploads", &wish(&own)[..2], "").await;
    assert_eq!(blind.status, 403, "another site's page sends the cookie too");
    assert_eq!(send("POST", "/api/uploads", &wish(&foreign), "").await.status, 404);
    assert_eq!(send("POST", "/api/uploads", &wish(&import), "").await.status, 403);

    let made = send("POST", "/api/uploads", &wish(&own), "").await;
    assert_eq!(made.status, 201, "{}", made.text());
    let place = made.headers[header::LOCATION].to_str().unwrap().to_owned();
    let piece = [
        ("Content-Type", "application/offset+octet-stream"),
        ("Upload-Offset", "0"),
        token,
    ];
    assert_eq!(send("PATCH", &place, &piece, "webm").await.status, 204);
    let stands = send("HEAD", &place, &[token], "").await;
    assert_eq!(stands.headers["upload-offset"], "4");

    let others = metadata(&[("filename", "other.webm"), ("call_id", &house.acme.call.to_string())]);
    let create = [("Upload-Length", "4"), ("Upload-Metadata", others.as_str())];
    let other = tus(&house, "POST", "/api/uploads", &create, axum::body::Body::empty()).await;
    let other = other.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(send("PATCH", &other, &piece, "webm").await.status, 403, "not hers");
    assert_eq!(send("HEAD", &other, &[token], "").await.status, 403);
    assert_eq!(send("DELETE", &other, &[token], "").await.status, 403);
}

#[tokio::test]
async fn a_file_sent_whole_is_a_recording_with_a_call_of_its_own() {
    let house = House::new().await;
    let path =
        "/api/recordings?file_name=old.wav&from=%2B4930111&to=101&direction=inbound&started_at=2025-01-02T03:04:05Z";
    let length = [("Content-Length", "4")];
    let made = tus(&house, "POST", path, &length, "RIFF".into()).await.expect(202);
    assert_eq!(
        (&made["name"], &made["recorded_by"]),
        (&"old.wav".into(), &"import".into())
    );
    let call = house
        .get(&format!("/api/calls/{}", made["call_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        (&call["from_number"], &call["status"]),
        (&"+4930111".into(), &"completed".into())
    );
    let short = [("Content-Length", "9")];
    assert_eq!(tus(&house, "POST", path, &short, cut(b"RIFF")).await.status, 422);
    assert_eq!(tus(&house, "POST", path, &[], cut(b"RIFF")).await.status, 411);
    let list = house.get("/api/recordings").await.expect(200);
    let imported = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["recorded_by"] == "import");
    assert_eq!(imported.count(), 1, "the one that was cut leaves nothing");
    let storage = house.get("/api/recordings/storage").await.expect(200);
    assert_eq!(
        (&storage["bucket"], &storage["moved"]),
        (&serde_json::Value::Null, &0.into())
    );
}
