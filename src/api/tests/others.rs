//! Numbers, voicemail, transcripts, devices, flows, settings, health.

use super::house::{House, flow};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::json;
use std::net::SocketAddr;
use strowger_model::settings::{Entry, Lock};
use strowger_model::speech::{Segment, Sentiment, Word};
use strowger_store::{Actor, KnownProvider, ProviderBreaker, ProviderTry, TranscriptResult};

#[tokio::test]
async fn a_number_is_claimed_once_changed_and_given_up() {
    let house = House::new().await;
    let body = json!({"phone_number": "+49 421 300", "friendly_name": "Sales", "ivr_flow_id": house.acme.ids["flow"]});
    let (one, two) = tokio::join!(
        house.ask("POST", "/api/numbers/purchase", Some(body.clone())),
        house.ask_as(
            house.zenith.token(strowger_model::Role::TenantAdmin),
            "POST",
            "/api/numbers/purchase",
            Some(json!({"phone_number": "+49421300"}))
        ),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", one.text(), two.text());

    let path = "/api/numbers/%2B49421100";
    let flow = &house.acme.ids["flow"];
    let number = house
        .ask("PATCH", path, Some(json!({"ivr_flow_id": flow, "record": true})))
        .await
        .expect(200);
    assert_eq!(number["ivr_flow_id"], flow.as_str());
    assert_eq!(number["target"]["kind"], "flow");
    assert_eq!(number["record"], true);
    let number = house
        .ask("PATCH", path, Some(json!({"target": null, "is_active": false})))
        .await
        .expect(200);
    assert!(number["target"].is_null());
    assert_eq!(number["record"], true, "what is not sent stays");
    let free = house.get("/api/numbers/available?area_code=421").await.expect(200);
    assert_eq!(free["items"][0]["phone_number"], "+49421100");
    house
        .ask(
            "PATCH",
            path,
            Some(json!({"capabilities": {"voice": true, "sms": true}})),
        )
        .await
        .expect(422);
    house
        .ask(
            "POST",
            "/api/numbers/purchase",
            Some(json!({"phone_number": "+49421100"})),
        )
        .await
        .expect(201);
    house.ask("DELETE", path, None).await.expect(204);
    house.get(path).await.expect(404);
}

#[tokio::test]
async fn of_fifty_who_want_a_number_of_the_pool_one_gets_it() {
    let house = House::new().await;
    let added = house
        .store
        .number_pool()
        .add(&Actor::system(), &["+14155550100".to_owned()])
        .await
        .unwrap();
    assert_eq!(added, 1);
    let free = house
        .get("/api/numbers/available?area_code=415&limit=5")
        .await
        .expect(200);
    assert_eq!(
        free["items"],
        json!([{"phone_number": "+14155550100", "friendly_name": "", "pooled": true}])
    );
    let body = json!({"phone_number": "+14155550100"});
    let admins = [
        house.acme.token(strowger_model::Role::TenantAdmin),
        house.zenith.token(strowger_model::Role::TenantAdmin),
    ];
    let asked = (0..50).map(|n| house.ask_as(admins[n % 2], "POST", "/api/numbers/purchase", Some(body.clone())));
    let answers = futures_util::future::join_all(asked).await;
    let mut by_status = std::collections::BTreeMap::new();
    for answer in &answers {
        *by_status.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(by_status, std::collections::BTreeMap::from([(201, 1), (409, 49)]));
    // Nor is there a way for two to wake one that sleeps.
    let winner = usize::from(house.get("/api/numbers/+14155550100").await.status != 200);
    let sleep = json!({"is_active": false});
    house
        .ask_as(admins[winner], "PATCH", "/api/numbers/+14155550100", Some(sleep))
        .await
        .expect(200);
    let asked = (0..10).map(|_| house.ask_as(admins[winner], "POST", "/api/numbers/purchase", Some(body.clone())));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
}

#[tokio::test]
async fn a_number_that_was_given_up_is_nobody_elses_for_thirty_days() {
    let house = House::new().await;
    let other = house.zenith.token(strowger_model::Role::TenantAdmin);
    let (path, body) = ("/api/numbers/+49421100", json!({"phone_number": "+49421100"}));
    house.ask("DELETE", path, None).await.expect(204);
    house.get(path).await.expect(404);
    let refused = house
        .ask_as(other, "POST", "/api/numbers/purchase", Some(body.clone()))
        .await
        .expect(409);
    assert_eq!(refused["code"], "number_quarantined");
    let free = house
        .ask_as(other, "GET", "/api/numbers/available", None)
        .await
        .expect(200);
    assert_eq!(free["items"], json!([]));
    let free = house.get("/api/numbers/available").await.expect(200);
    assert_eq!(
        free["items"][0]["phone_number"], "+49421100",
        "who gave it up may have it back"
    );
    house.world.advance(31 * 24 * 3_600_000);
    house
        .ask_as(other, "POST", "/api/numbers/purchase", Some(body))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_trunk_is_made_changed_and_removed_and_keeps_its_password_to_itself() {
    let house = House::new().await;
    let answer = house
        .ask("POST", "/api/trunks", Some(json!({"kind": "registration"})))
        .await;
    assert_eq!(answer.status, 422);
    for field in ["name", "host", "username"] {
        assert!(answer.text().contains(field), "{field}: {}", answer.text());
    }
    let wrong =
        json!({"name": "n", "host": "h", "port": 0, "transport": "pigeon", "addresses": ["here"], "prefix": "x"});
    let answer = house.ask("POST", "/api/trunks", Some(wrong)).await;
    for field in ["port", "transport", "addresses", "prefix"] {
        assert!(answer.text().contains(field), "{field}: {}", answer.text());
    }
    let body = json!({
        "name": "Gamma", "kind": "registration", "host": "sip.gamma.example", "username": "acme",
        "password": "correct horse", "prefix": "+44", "max_calls": 4,
    });
    let made = house.ask("POST", "/api/trunks", Some(body.clone())).await.expect(201);
    assert!(!made.to_string().contains("correct horse"), "{made}");
    assert_eq!(
        (made["port"].as_i64(), made["transport"].as_str()),
        (Some(5060), Some("udp"))
    );
    let again = house.ask("POST", "/api/trunks", Some(body)).await.expect(409);
    assert_eq!(again["code"], "trunk_taken");
    let path = format!("/api/trunks/{}", made["id"].as_str().unwrap());
    let change = json!({"host": "sip2.gamma.example", "is_active": false});
    let changed = house.ask("PATCH", &path, Some(change)).await.expect(200);
    assert_eq!(changed["username"], "acme", "what is not named stays");
    assert_eq!(
        (changed["host"].as_str(), changed["is_active"].as_bool()),
        (Some("sip2.gamma.example"), Some(false))
    );
    let answer = house.ask("PATCH", &path, Some(json!({"username": null}))).await;
    assert_eq!(answer.status, 422, "it registers: {}", answer.text());
    house.ask("DELETE", &path, None).await.expect(204);
    assert_eq!(house.ask("GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn a_message_is_read_trashed_and_restored() {
    let house = House::new().await;
    let path = format!("/api/voicemail/messages/{}", house.acme.ids["voicemail"]);
    let message = house.get(&path).await.expect(200);
    assert_eq!(message["is_read"], false);
    assert_eq!(message["transcription"]["status"], "queued");
    let count = async |query: &str| {
        let list = house.get(&format!("/api/voicemail/messages?{query}")).await.expect(200);
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count("is_read=false").await, 1);
    assert_eq!(
        house.ask("PATCH", &format!("{path}/read"), None).await.expect(200)["is_read"],
        true
    );
    assert_eq!(count("is_read=false").await, 0);
    let unread = house
        .ask("PATCH", &format!("{path}/read"), Some(json!({"is_read": false})))
        .await
        .expect(200);
    assert_eq!(unread["is_read"], false);
    house.ask("DELETE", &path, None).await.expect(204);
    assert_eq!((count("").await, count("is_deleted=true").await), (0, 1));
    house.ask("POST", &format!("{path}/restore"), None).await.expect(200);
    assert_eq!(count("").await, 1);
}

#[tokio::test]
async fn a_greeting_is_made_chosen_and_removed() {
    let house = House::new().await;
    let body = json!({
        "user_id": house.acme.ids["user"], "name": "Away", "type": "holiday", "text_to_speech": "Back on Monday.",
    });
    let greeting = house
        .ask("POST", "/api/voicemail/greetings", Some(body))
        .await
        .expect(201);
    assert_eq!(greeting["type"], "holiday");
    assert_eq!(greeting["status"], "pending");
    let path = format!("/api/voicemail/greetings/{}", greeting["id"].as_str().unwrap());
    assert_eq!(
        house.ask("PATCH", &format!("{path}/default"), None).await.expect(200)["is_default"],
        true
    );
    let list = house.get("/api/voicemail/greetings").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    house.ask("DELETE", &path, None).await.expect(204);
    house.ask("DELETE", &path, None).await.expect(404);
}

#[tokio::test]
async fn asking_twice_for_a_transcript_answers_the_same_one() {
    let house = House::new().await;
    let ask = async |body| {
        house
            .ask("POST", "/api/transcription/request", Some(body))
            .await
            .expect(202)
    };
    let one = ask(json!({"source_type": "call", "source_id": house.acme.ids["call"]})).await;
    let two = ask(json!({"recording_id": house.acme.ids["recording"]})).await;
    let three = ask(json!({"voicemail_id": house.acme.ids["voicemail"]})).await;
    assert_eq!(one["id"], two["id"]);
    assert_eq!(two["id"], three["id"]);
    let path = format!("/api/transcription/{}", one["id"].as_str().unwrap());
    assert_eq!(house.get(&path).await.expect(200)["status"], "queued");
    house.ask("DELETE", &path, None).await.expect(204);
    house.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_transcript_says_of_what_it_is_so_that_it_can_be_asked_for_again() {
    let house = House::new().await;
    let ask = async |body| house.ask("POST", "/api/transcription/request", Some(body)).await;
    let ids = &house.acme.ids;
    // Whether it is of a message is told by the audio, and of what it is else by who asks first.
    let standing = house.get("/api/transcription").await.expect(200)["items"][0].clone();
    let again = json!({"source_type": standing["source_type"], "source_id": standing["source_id"]});
    assert_eq!(ask(again).await.expect(202)["id"], standing["id"]);
    assert_eq!(standing["source_id"], json!(ids["voicemail"]));
    assert_eq!(standing["recording_id"], json!(ids["recording"]));

    for (query, field) in [("status=done", "status"), ("source_type=letter", "source_type")] {
        let refused = house.get(&format!("/api/transcription?{query}")).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let of = async |kind: &str| {
        let path = format!("/api/transcription?source_type={kind}");
        house.get(&path).await.expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!((of("voicemail").await, of("call").await), (1, 0));
    let refused = ask(json!({"source_id": ids["call"]})).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "source_type");
}

#[tokio::test]
async fn what_was_said_is_found_with_its_second_and_saved_as_captions() {
    let house = House::new().await;
    let scope = house.store.tenant(house.acme.id);
    let word = |text: &str, start_ms| Word {
        text: text.to_owned(),
        start_ms,
        end_ms: start_ms + 300,
        confidence: 0.9,
    };
    let segment = Segment {
        channel: 0,
        speaker: "Ada".into(),
        start_ms: 1000,
        end_ms: 3000,
        text: "Send it to Timbuktu.".into(),
        confidence: 0.9,
        sentiment: Sentiment::Neutral,
        words: vec![
            word("Send", 1000),
            word("it", 1400),
            word("to", 1700),
            word("Timbuktu.", 2100),
        ],
    };
    let result = TranscriptResult {
        text: segment.text.clone(),
        language: Some("en".into()),
        confidence: 0.9,
        provider: "local".into(),
        model: "tiny".into(),
        cpu_seconds: 0.1,
        cost_micros: 0,
        audio_ms: 3000,
        segments: vec![segment],
    };
    let id = &house.acme.ids["transcript"];
    scope.transcripts().ready(id.parse().unwrap(), &result).await.unwrap();

    let found = house.get("/api/search?q=timbuktu&in=transcript").await.expect(200);
    let place = &found["items"][0]["places"][0];
    assert_eq!(
        (place["at_ms"].as_i64(), place["part"].as_str()),
        (Some(2100), Some("transcript"))
    );
    assert_eq!(place["pieces"][1], json!({"text": "Timbuktu", "found": true}));
    assert_eq!(place["transcript_id"], json!(id));
    let other = house.zenith.token(strowger_model::Role::TenantAdmin);
    let nothing = house
        .ask_as(other, "GET", "/api/search?q=timbuktu", None)
        .await
        .expect(200);
    assert_eq!(nothing["items"], json!([]));
    house.get("/api/search?q=%20").await.expect(422);
    house.get("/api/search?q=x&in=moon").await.expect(422);

    let path = format!("/api/transcription/{id}");
    assert_eq!(
        house.get(&path).await.expect(200)["segments"][0]["words"][3]["start_ms"],
        2100
    );
    let captions = house.get(&format!("{path}/file?format=vtt")).await.text();
    assert!(
        captions.starts_with("WEBVTT") && captions.contains("<00:00:02.100>Timbuktu."),
        "{captions}"
    );
    assert!(
        house
            .get(&format!("{path}/file?format=srt"))
            .await
            .text()
            .contains("Ada: Send it to Timbuktu.")
    );
    house.get(&format!("{path}/file?format=doc")).await.expect(422);
}

#[tokio::test]
async fn a_device_shows_its_password_once() {
    let house = House::new().await;
    let body = json!({"user_id": house.acme.ids["user"], "device_name": "Kitchen", "username": "kitchen"});
    let device = house
        .ask("POST", "/api/devices/register", Some(body.clone()))
        .await
        .expect(201);
    assert_eq!(device["password"].as_str().unwrap().len(), 26);
    let path = format!("/api/devices/{}", device["id"].as_str().unwrap());
    assert!(house.get(&path).await.expect(200).get("password").is_none());
    let taken = house.ask("POST", "/api/devices/register", Some(body)).await.expect(409);
    assert_eq!(taken["errors"][0]["field"], "username");
    house.ask("DELETE", &path, None).await.expect(204);
}

#[tokio::test]
async fn a_flow_is_drafted_checked_and_published() {
    let house = House::new().await;
    let body = json!({"name": "Menu", "flow_definition": {"nodes": [], "edges": []}});
    let draft = house.ask("POST", "/api/flows", Some(body)).await.expect(201);
    assert!(
        !draft["findings"].as_array().unwrap().is_empty(),
        "a draft may be wrong and says so"
    );
    let path = format!("/api/flows/{}", draft["id"].as_str().unwrap());
    let refused = house.ask("POST", &format!("{path}/publish"), None).await.expect(422);
    assert_eq!(refused["code"], "invalid");
    house
        .ask("PATCH", &path, Some(json!({"flow_definition": flow()})))
        .await
        .expect(200);
    let version = house.ask("POST", &format!("{path}/publish"), None).await.expect(201);
    assert_eq!(version["version"], 1);
    assert_eq!(version["status"], "rendering");
    let checked = house
        .ask("POST", "/api/flows/validate", Some(json!({"flow_definition": flow()})))
        .await
        .expect(200);
    assert_eq!(checked["valid"], true);
}

#[tokio::test]
async fn settings_tell_where_they_come_from_and_locks_hold() {
    let house = House::new().await;
    let plain = house.get("/api/settings").await.expect(200);
    assert_eq!(plain["auto_record_calls"], true);
    assert_eq!(plain["max_call_duration_seconds"], 3600);
    let set = |values| json!({"values": values});
    let told = house
        .ask(
            "PUT",
            "/api/settings",
            Some(set(json!({"recording_retention_days": 30}))),
        )
        .await
        .expect(200);
    assert_eq!(told["recording_retention_days"]["value"], 30);
    assert_eq!(told["recording_retention_days"]["source"], "tenant");

    let lock = Entry {
        value: Some("false".into()),
        lock: Lock::Hard,
    };
    house
        .store
        .platform_settings()
        .set(&Actor::system(), "enable_ivr", &lock)
        .await
        .unwrap();
    let locked = house
        .ask("PUT", "/api/settings", Some(set(json!({"enable_ivr": true}))))
        .await
        .expect(423);
    assert_eq!(locked["code"], "setting_locked");
    let told = house.get("/api/settings?explain=1").await.expect(200);
    assert_eq!(told["enable_ivr"]["locked_by"], "platform");
    assert_eq!(told["enable_ivr"]["value"], false);

    let bad = set(json!({"recording_retention_days": "soon", "no_such_key": 1}));
    // Names beside `values` would set nothing, and that is said.
    let beside = Some(json!({"enable_ivr": true}));
    let refused = house.ask("PUT", "/api/settings", beside).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "values");
    let refused = house.ask("PUT", "/api/settings", Some(bad)).await.expect(422);
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2);

    let user = &house.acme.ids["user"];
    let mine = json!({"tier": "user", "user_id": user, "values": {"recording_retention_days": 7}});
    house.ask("PUT", "/api/settings", Some(mine)).await.expect(200);
    let told = house
        .get(&format!("/api/settings?user_id={user}&explain=1"))
        .await
        .expect(200);
    assert_eq!(told["recording_retention_days"]["source"], "user");
    let back = set(json!({"recording_retention_days": null}));
    let told = house.ask("PUT", "/api/settings", Some(back)).await.expect(200);
    assert_eq!(told["recording_retention_days"]["source"], "default");
}

#[tokio::test]
async fn health_is_open_and_counters_answer_this_machine_only() {
    let house = House::new().await;
    let health = house.get("/health").await.expect(200);
    assert_eq!(health["checks"]["database"]["status"], "pass");
    assert_eq!(health["checks"]["queue"]["status"], "pass");
    let from = |address: &str, forwarded: bool| {
        let mut request = Request::get("/metrics");
        if forwarded {
            request = request.header("x-forwarded-for", "203.0.113.9");
        }
        let address: SocketAddr = address.parse().unwrap();
        request.extension(ConnectInfo(address)).body(Body::empty()).unwrap()
    };
    assert_eq!(house.send(from("127.0.0.1:5000", false)).await.status, 200);
    assert_eq!(house.send(from("203.0.113.9:5000", false)).await.status, 403);
    assert_eq!(house.send(from("127.0.0.1:5000", true)).await.status, 403);
}

#[tokio::test]
async fn what_providers_were_asked_is_counted_and_their_failing_is_amber() {
    let house = House::new().await;
    let known = KnownProvider {
        name: "cloud".into(),
        kind: "openai".into(),
        host: "api.example".into(),
        on_premises: false,
        chats: true,
        hears: false,
        embeds: false,
    };
    let lines = house.get("/health").await.expect(200);
    assert_eq!(lines["checks"]["providers"]["status"], "pass");
    house.store.known_providers().publish(&[known]).await.unwrap();
    let asked = |problem: Option<&str>| ProviderTry {
        provider: "cloud".into(),
        task: "understanding",
        problem: problem.map(str::to_owned),
        tokens_asked: 100,
        tokens_answered: 7,
        cost_micros: 30,
        spent_ms: 300,
    };
    for tenant in [house.acme.id, house.zenith.id] {
        let days = house.store.tenant(tenant).provider_days();
        days.count(&[asked(None), asked(None)]).await.unwrap();
    }
    let metrics = async || {
        let address: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        let request = Request::get("/metrics").extension(ConnectInfo(address));
        let answer = house.send(request.body(Body::empty()).unwrap()).await;
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    let counted = |outcome: &str, count: u32| {
        format!(
            "strowger_provider_requests_total{{provider=\"cloud\",task=\"understanding\",outcome=\"{outcome}\"}} {count}\n"
        )
    };
    let text = metrics().await;
    assert!(text.contains(&counted("answered", 4)), "{text}");
    let cost = "strowger_provider_cost_micros_total{provider=\"cloud\",task=\"understanding\"} 120\n";
    assert!(text.contains(cost), "{text}");
    assert_eq!(
        house.get("/health").await.expect(200)["checks"]["providers"]["status"],
        "pass"
    );

    house.world.advance(1000);
    let days = house.store.tenant(house.acme.id).provider_days();
    days.count(&[asked(Some("nobody answers"))]).await.unwrap();
    let now_ms = i64::try_from(house.store.tenant(house.acme.id).now().unix_timestamp_nanos() / 1_000_000).unwrap();
    let rests = ProviderBreaker {
        provider: "cloud".into(),
        failures: 3,
        rests_until_ms: Some(now_ms + 60_000),
        told_at_ms: now_ms,
    };
    house
        .store
        .known_providers()
        .tell_breakers("w", &[rests])
        .await
        .unwrap();
    let text = metrics().await;
    assert!(text.contains(&counted("failed", 1)), "{text}");
    // Amber: calls go on, so it is no 503; and no stranger reads who is asked.
    let health = house.get("/health").await.expect(200);
    assert_eq!(
        (&health["status"], &health["checks"]["providers"]["status"]),
        (&json!("warn"), &json!("warn"))
    );
    let detail = health["checks"]["providers"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("1 of 1 fail") && !detail.contains("cloud"),
        "{detail}"
    );
    let told = house.get("/api/providers").await.expect(200);
    let cloud = &told["providers"][0];
    assert_eq!((&cloud["circuit"], &cloud["failing"]), (&json!("open"), &json!(true)));
    assert!(cloud["rests_until"].is_string());
    assert_eq!(cloud["this_month"][0]["asked"], 3, "its own tenant's alone");
}

#[tokio::test]
async fn a_closed_database_is_red_and_stops_calls() {
    let house = House::new().await;
    house.store.close().await;
    let health = house.get("/health").await.expect(503);
    assert_eq!(health["checks"]["database"]["status"], "fail");
}

#[tokio::test]
async fn a_job_is_found_stopped_and_tried_again() {
    let house = House::new().await;
    let jobs = house.get("/api/jobs?state=queued&kind=transcribe").await.expect(200);
    let job = &jobs["items"][0];
    assert_eq!(job["id"], house.acme.ids["job"].as_str());
    assert_eq!(job["about"]["transcript"], house.acme.ids["transcript"].as_str());
    assert_eq!((&job["percent"], &job["can_be_stopped"]), (&json!(0), &json!(true)));

    let path = format!("/api/jobs/{}", house.acme.ids["job"]);
    let stopped = house.ask("POST", &format!("{path}/stop"), None).await.expect(200);
    assert_eq!(
        (&stopped["state"], &stopped["can_be_stopped"]),
        (&json!("dead"), &json!(false))
    );
    assert!(stopped["problem"].as_str().unwrap().starts_with("stopped by "));
    house.ask("POST", &format!("{path}/stop"), None).await.expect(404);
    let transcript = format!("/api/transcription/{}", house.acme.ids["transcript"]);
    let transcript = house.get(&transcript).await.expect(200);
    assert_eq!(
        (&transcript["status"], &transcript["problem"]),
        (&json!("failed"), &stopped["problem"])
    );

    let again = house.ask("POST", &format!("{path}/retry"), None).await.expect(200);
    assert_eq!(
        (&again["state"], &again["stopped_by"]),
        (&json!("queued"), &json!(null))
    );
    house.get("/api/jobs?state=asleep").await.expect(422);
}
