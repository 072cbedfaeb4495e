//! Placing, finding, noting, ending and deleting calls.

use super::house::{self, House};
use serde_json::json;
use strowger_model::{CallState, Direction, Role, World};

#[tokio::test]
async fn the_seeds_body_places_a_call_and_its_metadata_comes_back_equal() {
    let house = House::new().await;
    let metadata = json!({"order": 17, "nested": {"z": [1, 2.5, null], "a": "ü"}});
    let body = json!({
        "to": "+1 (234) 567-890", "from": "+49421100", "record": true, "transcribe": true, "timeout": 60,
        "metadata": metadata,
    });
    let call = house.ask("POST", "/api/calls/outbound", Some(body)).await.expect(201);
    assert_eq!(call["status"], "initiated");
    assert_eq!(call["to_number"], "+1234567890");
    let order = house.switch.orders.lock().unwrap().pop().unwrap();
    assert_eq!(order.tenant, house.acme.id);
    assert_eq!(order.record, Some(true));
    assert!(order.transcribe);
    assert_eq!(order.ring_timeout.unwrap().as_secs(), 60);
    let path = format!("/api/calls/{}", call["id"].as_str().unwrap());
    assert_eq!(house.get(&path).await.expect(200)["metadata"], metadata);
}

#[tokio::test]
async fn metadata_comes_back_letter_by_letter() {
    let house = House::new().await;
    let given = r#"{"z": 1.50, "a":[1e3, 12345678901234567890123 ],  "ü":"\u00fc"}"#;
    let send = |method: &str, path: String, body: String| {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header(
                "authorization",
                format!("Bearer {}", house.acme.token(Role::TenantAdmin)),
            )
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body));
        house.send(request.unwrap())
    };
    let placed = send(
        "POST",
        "/api/calls/outbound".to_owned(),
        format!(r#"{{"to": "+1234567890", "metadata": {given}}}"#),
    )
    .await;
    let id = placed.expect(201)["id"].as_str().unwrap().to_owned();
    for answer in [placed, house.get(&format!("/api/calls/{id}")).await] {
        assert!(answer.text().contains(given), "{}", answer.text());
    }
    let path = format!("/api/calls/{}", house.acme.call);
    let changed = send("PATCH", path, format!(r#"{{"metadata": {given}}}"#)).await;
    assert!(changed.text().contains(given), "{}", changed.text());
}

#[tokio::test]
async fn a_call_that_cannot_be_placed_says_why() {
    let house = House::new().await;
    for (body, status, code) in [
        (json!({"to": "+49421000"}), 409, "no_route"),
        (json!({"to": "+49421001"}), 503, "at_limit"),
        (
            json!({"to": "+4942155", "from": "+15550100"}),
            403,
            "foreign_caller_number",
        ),
        (json!({"to": "call me!"}), 422, "invalid"),
        (json!({"to": "1", "timeout": 0}), 422, "invalid"),
        (json!({"to": "1", "timeout": "long"}), 422, "invalid"),
        (json!({"to": "1", "metadata": [1]}), 422, "invalid"),
        (json!({}), 422, "invalid"),
    ] {
        let answer = house
            .ask("POST", "/api/calls/outbound", Some(body.clone()))
            .await
            .expect(status);
        assert_eq!(answer["code"], code, "{body}");
    }
    assert!(house.switch.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_call_has_every_key_of_the_seeds_and_its_legs() {
    let house = House::new().await;
    let call = house.get(&format!("/api/calls/{}", house.acme.call)).await.expect(200);
    for key in [
        "id",
        "tenant_id",
        "user_id",
        "twilio_call_sid",
        "direction",
        "from_number",
        "to_number",
        "status",
        "start_time",
        "end_time",
        "duration_seconds",
        "recording_url",
        "recording_sid",
        "transcription_id",
        "cost",
        "currency",
        "notes",
        "metadata",
    ] {
        assert!(call.get(key).is_some_and(|value| !value.is_null()), "{key}: {call}");
    }
    assert_eq!(call["duration_seconds"], 30);
    assert_eq!(call["status"], "completed");
    assert_eq!(call["cost"], 0.0125);
    assert_eq!(call["legs"][0]["side"], "caller");
    assert_eq!(
        call["recording_url"],
        format!("/api/recordings/{}/audio", house.acme.recording)
    );
}

#[tokio::test]
async fn notes_metadata_and_tags_change_and_are_found_again() {
    let house = House::new().await;
    let path = format!("/api/calls/{}", house.acme.call);
    let body = json!({"notes": "promised a refund", "metadata": {"crm": 4}, "tags": ["vip", "refund"]});
    let call = house.ask("PATCH", &path, Some(body)).await.expect(200);
    assert_eq!(call["notes"], "promised a refund");
    assert_eq!(call["metadata"], json!({"crm": 4}));
    assert_eq!(call["tags"], json!(["refund", "vip"]));

    let tags = format!("{path}/tags");
    let call = house
        .ask("POST", &tags, Some(json!({"tag": "later"})))
        .await
        .expect(200);
    assert_eq!(call["tags"], json!(["later", "refund", "vip"]));
    let call = house.ask("DELETE", &format!("{tags}/vip"), None).await.expect(200);
    assert_eq!(call["tags"], json!(["later", "refund"]));
    house.ask("POST", &tags, Some(json!({"tag": "<b>"}))).await.expect(422);

    for (query, found) in [
        ("tag=refund", 1),
        ("tag=vip", 0),
        ("search=REFUND", 1),
        ("search=nothing", 0),
    ] {
        let list = house.get(&format!("/api/calls/log?{query}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{query}");
    }
}

async fn many(house: &House) {
    for n in 0..30 {
        let mut call = house::call(house.world.as_ref(), house.acme.id);
        call.started_at = house.world.now() + time::Duration::minutes(i64::from(n) + 1);
        call.from_number = format!("+4930{:02}", n % 5);
        call.direction = if n % 3 == 0 {
            Direction::Outbound
        } else {
            Direction::Inbound
        };
        call.state = if n % 4 == 0 {
            CallState::Missed
        } else {
            CallState::Completed
        };
        house
            .store
            .tenant(house.acme.id)
            .calls()
            .begin(&call, &[])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_log_filters_and_pages_without_losing_or_repeating() {
    let house = House::new().await;
    many(&house).await;
    let count = async |query: &str| {
        let list = house
            .get(&format!("/api/calls/log?limit=200&{query}"))
            .await
            .expect(200);
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 31);
    assert_eq!(count("direction=outbound").await, 10);
    assert_eq!(count("status=missed").await, 8);
    assert_eq!(count("status=missed,completed").await, 31);
    assert_eq!(count("number=004930%30%31").await, 6);
    assert_eq!(count("direction=outbound&status=missed").await, 3);
    assert_eq!(count("from=2100-01-01").await, 0);
    assert_eq!(count("to=2020-01-01").await, 0);
    for bad in [
        "direction=up",
        "status=gone",
        "from=soon",
        "limit=x",
        "limit=0",
        "limit=201",
        "user_id=me",
        "cursor=x",
        "cursor=17.x",
    ] {
        let answer = house.get(&format!("/api/calls/log?{bad}")).await.expect(422);
        let field = bad.split('=').next().unwrap();
        assert_eq!(answer["errors"][0]["field"], field, "{answer}");
    }

    let mut seen = Vec::new();
    let mut path = "/api/calls/log?limit=7".to_owned();
    loop {
        let list = house.get(&path).await.expect(200);
        for call in list["items"].as_array().unwrap() {
            seen.push((
                call["start_time"].as_str().unwrap().to_owned(),
                call["id"].clone().to_string(),
            ));
        }
        match list["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/calls/log?limit=7&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 31);
    let mut sorted = seen.clone();
    sorted.sort_by(|left, right| right.cmp(left));
    sorted.dedup();
    assert_eq!(seen, sorted, "newest first, each once");
}

#[tokio::test]
async fn figures_equal_the_calls() {
    let house = House::new().await;
    many(&house).await;
    let figures = house.get("/api/calls/stats/summary").await.expect(200);
    assert_eq!(figures["total_calls"], 31);
    assert_eq!(figures["outbound_calls"], 10);
    assert_eq!(figures["inbound_calls"], 21);
    let user = house.acme.ids["user"].clone();
    let figures = house
        .get(&format!("/api/calls/stats/summary?user_id={user}"))
        .await
        .expect(200);
    assert_eq!(figures["total_calls"], 1);
    assert_eq!(figures["total_duration_seconds"], 30);
    assert_eq!(figures["total_cost"], 0.0125);
}

#[tokio::test]
async fn a_call_says_how_it_ended_up_and_a_person_may_say_better() {
    let house = House::new().await;
    let path = format!("/api/calls/{}", house.acme.call);
    assert_eq!(house.get(&path).await.expect(200)["disposition"], "voicemail");
    let say = async |path: &str, word: &str| house.ask("PATCH", path, Some(json!({"disposition": word}))).await;
    say(&path, "Two words").await.expect(422);
    say(&path, "follow_up").await.expect(200);
    assert_eq!(house.get(&path).await.expect(200)["disposition"], "follow_up");
    let count = async |query: &str| {
        let listed = house.get(&format!("/api/calls/log?{query}")).await.expect(200);
        listed["items"].as_array().unwrap().len()
    };
    assert_eq!(count("disposition=follow_up").await, 1);
    assert_eq!(count("disposition=voicemail").await, 0);
    assert_eq!(count("call_type=CUSTOMER_INBOUND").await, 1);
    assert_eq!(count("call_type=INTERNAL").await, 0);
    let figures = house.get("/api/calls/stats/summary").await.expect(200);
    assert_eq!(figures["by_disposition"], json!({"follow_up": 1}));
    let other = house
        .get("/api/calls/stats/summary?call_type=INTERNAL")
        .await
        .expect(200);
    assert_eq!(other["total_calls"], 0);
    // While it runs there is nothing to say.
    let call = house
        .ask("POST", "/api/calls/outbound", Some(json!({"to": "102"})))
        .await
        .expect(201);
    let running = format!("/api/calls/{}", call["id"].as_str().unwrap());
    say(&running, "busy").await.expect(409);
}

#[tokio::test]
async fn what_was_said_suggests_an_end_that_a_person_may_accept() {
    use strowger_model::speech::{Analysis, Ending, Sentiment, Suggestion, Topic, Usage};
    let house = House::new().await;
    let path = format!("/api/calls/{}", house.acme.call);
    let accept = format!("{path}/disposition/accept");
    assert_eq!(
        house.ask("POST", &accept, None).await.expect(409)["code"],
        "nothing_to_accept"
    );
    let analysis = Analysis {
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_trend: [0.0, 0.0],
        summary: "An invoice is wrong.".into(),
        key_points: vec![],
        action_items: vec![],
        topics: vec![Topic {
            name: "billing".into(),
            listed: true,
            times: 2,
            text: "The invoice is wrong.".into(),
            speaker: "Ada".into(),
            at_ms: 900,
            provider: "local-rules".into(),
        }],
        outcome: Some(Suggestion {
            ending: Ending::CallbackPromised,
            text: "I will call you back.".into(),
            speaker: "Bob".into(),
            at_ms: 4200,
            provider: "local-rules".into(),
        }),
        provider: "local-rules".into(),
        usage: Usage::default(),
    };
    let transcripts = house.store.tenant(house.acme.id).transcripts();
    let transcript = house.acme.ids["transcript"].parse().unwrap();
    transcripts.analysed(transcript, &analysis, &[]).await.unwrap();

    let call = house.get(&path).await.expect(200);
    assert_eq!(
        (&call["suggested_disposition"], &call["topics"]),
        (&json!("callback_promised"), &json!(["billing"]))
    );
    let text = house.get(&format!("/api/transcription/{transcript}")).await.expect(200);
    assert_eq!(text["outcome"]["at_ms"], 4200);
    assert_eq!(text["topics"][0]["text"], "The invoice is wrong.");
    let count = async |query: &str| {
        let listed = house.get(&format!("/api/calls/log?{query}")).await.expect(200);
        listed["items"].as_array().unwrap().len()
    };
    assert_eq!(count("topic=billing&suggested_disposition=callback_promised").await, 1);
    assert_eq!(
        (count("topic=praise").await, count("suggested_disposition=sale").await),
        (0, 0)
    );
    house.get("/api/calls/log?suggested_disposition=won").await.expect(422);

    let theirs = house.zenith.token(Role::TenantAdmin).to_owned();
    house.ask_as(&theirs, "POST", &accept, None).await.expect(404);
    assert_eq!(
        house.ask("POST", &accept, None).await.expect(200)["disposition"],
        "callback_promised"
    );
    house
        .ask("PATCH", &path, Some(json!({"disposition": "resolved"})))
        .await
        .expect(200);
    house.ask("POST", &accept, None).await.expect(409);
    assert_eq!(house.get(&path).await.expect(200)["disposition"], "resolved");
}

#[tokio::test]
async fn a_running_call_is_ended_and_only_a_finished_one_is_deleted() {
    let house = House::new().await;
    let call = house
        .ask("POST", "/api/calls/outbound", Some(json!({"to": "102"})))
        .await
        .expect(201);
    let path = format!("/api/calls/{}", call["id"].as_str().unwrap());
    assert_eq!(
        house.ask("DELETE", &path, None).await.expect(409)["code"],
        "call_running"
    );
    house.ask("POST", &format!("{path}/hangup"), None).await.expect(202);
    assert_eq!(house.switch.hung_up.lock().unwrap().len(), 1);

    let path = format!("/api/calls/{}", house.acme.call);
    let over = house.ask("POST", &format!("{path}/hangup"), None).await.expect(409);
    assert_eq!(over["code"], "call_over");
    house.ask("DELETE", &path, None).await.expect(204);
    house.get(&path).await.expect(404);
    house
        .get(&format!("/api/recordings/{}", house.acme.recording))
        .await
        .expect(404);
    house
        .get(&format!("/api/transcription/{}", house.acme.ids["transcript"]))
        .await
        .expect(404);
}

#[tokio::test]
async fn events_follow_the_last_one_seen_and_are_the_tenants_own() {
    use strowger_switch::live::EventKind;
    let house = House::new().await;
    house.switch.happen(house.acme.id, EventKind::Started);
    house.switch.happen(house.zenith.id, EventKind::Started);
    house.switch.happen(house.acme.id, EventKind::Ringing);
    let text = stream(&house, Some("1"), 1).await;
    assert!(
        text.contains("id: 3\n") && text.contains("event: CALL_RINGING\n"),
        "{text}"
    );
    assert!(!text.contains(&house.zenith.id.to_string()), "{text}");
    let text = stream(&house, None, 0).await;
    assert!(text.is_empty(), "who does not ask for the past gets none");
    let text = stream(&house, Some("99"), 1).await;
    assert!(text.contains("event: lost\n"), "{text}");
}

/// The first frames of the stream.
async fn stream(house: &House, last: Option<&str>, frames: usize) -> String {
    use tower::ServiceExt;
    let mut request = axum::http::Request::builder()
        .uri("/api/events")
        .header("authorization", format!("Bearer {}", house.acme.token(Role::Manager)));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = house
        .router
        .clone()
        .oneshot(request.body(axum::body::Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    while text.matches("\n\n").count() < frames {
        let piece = futures_util::StreamExt::next(&mut stream).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

#[tokio::test]
async fn what_an_answer_says_is_written_in_the_audit_log() {
    let house = House::new().await;
    let path = format!("/api/calls/{}", house.acme.call);
    house.ask("PATCH", &path, Some(json!({"notes": "x"}))).await.expect(200);
    let filter = strowger_store::AuditFilter {
        actor: Some("token tenant_admin".into()),
        ..Default::default()
    };
    let lines = house
        .store
        .tenant(house.acme.id)
        .audit()
        .list(&filter, &strowger_store::Page::default())
        .await
        .unwrap();
    assert!(
        lines.items.iter().any(|line| line.action.starts_with("call.")),
        "{:?}",
        lines.items
    );
}

#[tokio::test]
async fn the_recording_of_a_running_call_is_started_paused_resumed_and_stopped() {
    let house = House::new().await;
    let call = house
        .ask("POST", "/api/calls/outbound", Some(json!({"to": "102"})))
        .await;
    let path = format!("/api/calls/{}/recording", call.expect(201)["id"].as_str().unwrap());
    let steer = |action: &'static str| house.ask("POST", &path, Some(json!({"action": action})));
    assert_eq!(steer("pause").await.expect(409)["code"], "not_recording");
    for (action, stands) in [
        ("start", json!({"recording": true, "paused": false})),
        ("pause", json!({"recording": false, "paused": true})),
        ("resume", json!({"recording": true, "paused": false})),
        ("stop", json!({"recording": false, "paused": false})),
    ] {
        assert_eq!(steer(action).await.expect(200), stands, "{action}");
    }
    assert_eq!(steer("erase").await.expect(422)["errors"][0]["field"], "action");
    house
        .switch
        .is_not_to_be_recorded("a party of the call did not agree to be recorded");
    let refused = steer("start").await.expect(409);
    assert_eq!(refused["code"], "cannot_record");
    assert!(
        refused["detail"].as_str().unwrap().contains("did not agree"),
        "{refused}"
    );
    let over = format!("/api/calls/{}/recording", house.acme.call);
    let over = house.ask("POST", &over, Some(json!({"action": "start"}))).await;
    assert_eq!(over.expect(409)["code"], "call_over");
}
