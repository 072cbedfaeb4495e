//! Nobody reaches another tenant's things: every endpoint is asked with every id of the other tenant.

use super::house::{House, flow};
use serde_json::{Value, json};
use strowger_model::Role;

/// A body each endpoint takes, so that a refusal is about the id and not about the body.
fn body(method: &str, path: &str, user: &str) -> Option<Value> {
    let body = match (method, path) {
        ("POST", "/api/calls/outbound") => json!({"to": "+4942112345"}),
        ("POST", "/api/calls/{id}/tags") => json!({"tag": "seen"}),
        ("POST", "/api/calls/{id}/recording") => json!({"action": "pause"}),
        ("PATCH", "/api/calls/{id}") => json!({"notes": "changed"}),
        ("POST", "/api/numbers/purchase") => json!({"phone_number": "+4942199"}),
        ("PATCH", "/api/numbers/{phone_number}") => json!({"friendly_name": "changed"}),
        ("POST", "/api/devices/register") => json!({"user_id": user, "device_name": "d", "username": "new-device"}),
        ("POST", "/api/flows") => json!({"name": "new", "flow_definition": flow()}),
        ("POST", "/api/flows/validate") => json!({"flow_definition": flow()}),
        ("PATCH", "/api/flows/{id}") => json!({"description": "changed"}),
        ("PATCH", "/api/voicemail/messages/{id}/read") => json!({"is_read": true}),
        ("POST", "/api/voicemail/greetings") => json!({"user_id": user, "name": "n", "text_to_speech": "hello"}),
        ("POST", "/api/transcription/request") => json!({"call_id": user}),
        ("POST", "/api/rooms") => json!({"name": "new"}),
        ("PATCH", "/api/rooms/{id}") => json!({"title": "changed"}),
        ("POST", "/api/rooms/{id}/act") => json!({"act": "lock"}),
        ("POST", "/api/rooms/{id}/dial") => json!({"to": "101"}),
        ("POST", "/api/rooms/{id}/transfer") => json!({"identity": "sip_1", "to": "101"}),
        ("POST", "/api/internal-call/token" | "/api/livekit/token") => json!({"roomName": "r", "participantName": "p"}),
        ("POST", "/api/voip/start-call") => json!({"userId": user, "to": "101"}),
        ("POST", "/api/voip/act") => json!({"userId": user, "callId": user, "act": "hold"}),
        ("POST", path) if path.starts_with("/api/voip/") => json!({"userId": user, "callId": user}),
        ("POST", "/api/room-keys") => json!({"name": "n"}),
        ("POST", "/api/room-webhooks") => json!({"url": "https://a.example/", "api_key": "APIx"}),
        ("PATCH", "/api/recordings/{id}") => json!({"name": "changed"}),
        ("PUT", "/api/settings") => json!({"values": {"enable_ivr": true}}),
        _ => return None,
    };
    Some(body)
}

/// Every operation of the description.
pub(super) fn operations(description: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            found.push((method.to_uppercase(), path.clone()));
        }
    }
    found
}

/// The path with its parameter filled in.
pub(super) fn fill(path: &str, id: &str) -> String {
    let escaped = id.replace('+', "%2B");
    path.replace("{id}", &escaped)
        .replace("{phone_number}", &escaped)
        .replace("{position}", "0")
        .replace("{tag}", "seen")
}

#[tokio::test]
async fn every_endpoint_answers_404_to_every_id_of_another_tenant() {
    let house = House::new().await;
    let admin = house.acme.token(Role::TenantAdmin).to_owned();
    let mut asked = 0;
    for (method, path) in operations(&house.description().await) {
        if !path.contains('{') {
            continue;
        }
        for (what, id) in &house.zenith.ids {
            let body = body(&method, &path, &house.acme.ids["user"]);
            let answer = house.ask_as(&admin, &method, &fill(&path, id), body).await;
            assert_eq!(answer.status, 404, "{method} {path} with a {what}: {}", answer.text());
            assert!(!answer.text().contains("zenith"), "{method} {path} with a {what}");
            asked += 1;
        }
    }
    assert!(asked > 150, "only {asked} requests were made");
    for (what, id) in &house.zenith.ids {
        let own = house.zenith.token(Role::TenantAdmin);
        let path = match *what {
            "call" => format!("/api/calls/{id}"),
            "recording" => format!("/api/recordings/{id}"),
            "transcript" => format!("/api/transcription/{id}"),
            "job" => format!("/api/jobs/{id}"),
            "voicemail" => format!("/api/voicemail/messages/{id}"),
            "device" => format!("/api/devices/{id}"),
            "flow" => format!("/api/flows/{id}"),
            "room" => format!("/api/rooms/{id}"),
            "number" => format!("/api/numbers/{id}"),
            _ => continue,
        };
        house.ask_as(own, "GET", &path, None).await.expect(200);
    }
}

#[tokio::test]
async fn lists_hold_nothing_of_another_tenant() {
    let house = House::new().await;
    let other = &house.zenith;
    for (method, path) in operations(&house.description().await) {
        if method != "GET" || path.contains('{') || !path.starts_with("/api/") {
            continue;
        }
        for query in [
            String::new(),
            format!("?user_id={}", other.ids["user"]),
            "?search=zenith".to_owned(),
            "?number=%2B49421200".to_owned(),
            "?limit=200".to_owned(),
        ] {
            let answer = house.get(&format!("{path}{query}")).await;
            let text = answer.text();
            assert!(
                answer.status.is_success() || answer.status == 422,
                "{path}{query}: {text}"
            );
            for (what, id) in &other.ids {
                let echoed = answer.status == 422 || query.contains(id.as_str());
                assert!(
                    echoed || !text.contains(id.as_str()),
                    "{path}{query} shows the other's {what}: {text}"
                );
            }
            assert!(!text.contains("zenith"), "{path}{query}: {text}");
        }
    }
}

#[tokio::test]
async fn bodies_cannot_name_another_tenants_things() {
    let house = House::new().await;
    let other = &house.zenith.ids;
    let (user, flow_id) = (&other["user"], &other["flow"]);
    let number = format!("/api/numbers/{}", house.acme.number.replace('+', "%2B"));
    for (method, path, body) in [
        ("POST", "/api/calls/outbound", json!({"to": "1", "user_id": user})),
        ("POST", "/api/calls/outbound", json!({"to": "1", "flow_id": flow_id})),
        (
            "POST",
            "/api/numbers/purchase",
            json!({"phone_number": "+4942188", "ivr_flow_id": flow_id}),
        ),
        ("PATCH", &number, json!({"target": {"kind": "user", "id": user}})),
        ("PATCH", &number, json!({"target": {"kind": "voicemail", "id": user}})),
        ("PATCH", &number, json!({"ivr_flow_id": flow_id})),
        (
            "POST",
            "/api/devices/register",
            json!({"user_id": user, "device_name": "d", "username": "spy"}),
        ),
        (
            "POST",
            "/api/voicemail/greetings",
            json!({"user_id": user, "name": "n", "text_to_speech": "t"}),
        ),
        ("POST", "/api/voip/start-call", json!({"userId": user, "to": "101"})),
        (
            "POST",
            "/api/voip/start-call",
            json!({"userId": house.acme.ids["user"], "calleeId": user}),
        ),
        (
            "POST",
            "/api/voip/accept",
            json!({"userId": user, "callId": other["call"]}),
        ),
        (
            "POST",
            "/api/voip/token",
            json!({"userId": user, "callId": other["call"]}),
        ),
        (
            "PUT",
            "/api/settings",
            json!({"tier": "user", "user_id": user, "values": {"enable_ivr": false}}),
        ),
    ] {
        let answer = house.ask(method, path, Some(body.clone())).await;
        assert_eq!(answer.status, 422, "{method} {path} {body}: {}", answer.text());
    }
    for what in ["accept", "reject", "end", "token"] {
        let body = json!({"userId": house.acme.ids["user"], "callId": other["call"]});
        house
            .ask("POST", &format!("/api/voip/{what}"), Some(body))
            .await
            .expect(404);
    }
    for body in [
        json!({"call_id": other["call"]}),
        json!({"voicemail_id": other["voicemail"]}),
        json!({"recording_id": other["recording"]}),
    ] {
        house
            .ask("POST", "/api/transcription/request", Some(body))
            .await
            .expect(404);
    }
    // The other's number is taken, and nobody is told by whom.
    let body = json!({"phone_number": house.zenith.number});
    let answer = house.ask("POST", "/api/numbers/purchase", Some(body)).await;
    answer.expect(409);
    assert!(!answer.text().contains("zenith"));
}
