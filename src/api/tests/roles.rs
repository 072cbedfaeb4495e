//! Who may do what: the whole matrix of roles and endpoints, held against a table.

use super::house::House;
use super::isolation::{fill, operations};
use axum::http::StatusCode;
use strowger_model::Role;
use strowger_model::role::Permission;

/// The permission each endpoint asks for; several where any of them will do.
fn wanted(method: &str, path: &str) -> &'static [Permission] {
    use Permission::{ManageCalls, ManageFlows, ManageTenant, ReadAllCalls, ReadAudit, UsePhone};
    match (method, path) {
        ("GET", "/api/settings") => &[UsePhone, ReadAllCalls],
        ("PUT", "/api/settings") => &[ManageTenant],
        ("POST", "/api/calls/outbound") => &[UsePhone],
        (_, path) if path.starts_with("/api/room-") => &[ManageTenant],
        (_, path) if path.starts_with("/api/subjects") || path.starts_with("/api/erasures") => &[ManageTenant],
        ("GET", "/api/audit") => &[ReadAudit],
        ("POST", "/api/retention/run") | ("PUT" | "DELETE", "/api/recordings/{id}/hold") => &[ManageTenant],
        ("GET", "/api/voip/history" | "/api/voip/events") => &[ReadAllCalls],
        (_, path) if path.starts_with("/api/voip") => &[UsePhone],
        ("GET", "/api/internal-call/active") => &[UsePhone, ReadAllCalls],
        (_, path) if path.starts_with("/api/internal-call") || path.starts_with("/api/livekit") => &[UsePhone],
        ("GET", _) => &[ReadAllCalls],
        (_, path) if path.starts_with("/api/rooms") || path.starts_with("/api/guest-links") => &[ManageCalls],
        (_, path) if path.starts_with("/api/flows") || path.starts_with("/api/prompts") => &[ManageFlows],
        (_, path) if path.starts_with("/api/numbers") || path.starts_with("/api/devices") => &[ManageTenant],
        (_, path) if path.starts_with("/api/voicemail/greetings") || path.starts_with("/api/trunks") => &[ManageTenant],
        (_, path)
            if path.starts_with("/api/calls")
                || path.starts_with("/api/jobs")
                || path.starts_with("/api/recordings")
                || path.starts_with("/api/uploads")
                || path.starts_with("/api/voicemail")
                || path.starts_with("/api/transcription") =>
        {
            &[ManageCalls]
        }
        _ => panic!("say in this table who may {method} {path}"),
    }
}

/// Bodies that pass the check of their shape, so that the role decides.
fn body(method: &str, path: &str, house: &House) -> Option<serde_json::Value> {
    let user = &house.acme.ids["user"];
    Some(match (method, path) {
        ("POST", "/api/calls/outbound") => serde_json::json!({"to": "+4942112345"}),
        ("POST", "/api/calls/{id}/recording") => serde_json::json!({"action": "pause"}),
        ("POST", "/api/calls/{id}/tags") => serde_json::json!({"tag": "seen"}),
        ("POST", path) if path.starts_with("/api/subjects") => serde_json::json!({"subject": "+4942112345"}),
        ("POST", "/api/rooms") => serde_json::json!({"name": "n"}),
        ("POST", "/api/rooms/{id}/act") => serde_json::json!({"act": "lock"}),
        ("POST", "/api/rooms/{id}/dial") => serde_json::json!({"to": "101"}),
        ("POST", "/api/rooms/{id}/transfer") => serde_json::json!({"identity": "sip_1", "to": "101"}),
        ("POST", "/api/internal-call/token" | "/api/livekit/token") => {
            serde_json::json!({"roomName": "n", "participantName": "p"})
        }
        ("POST", "/api/numbers/purchase") => serde_json::json!({"phone_number": "+4942199"}),
        ("POST", "/api/devices/register") => {
            serde_json::json!({"user_id": user, "device_name": "d", "username": "fresh"})
        }
        ("POST", "/api/flows") => serde_json::json!({"name": "n", "flow_definition": {}}),
        ("POST", "/api/flows/validate") => serde_json::json!({"flow_definition": {}}),
        ("POST", "/api/voicemail/greetings") => {
            serde_json::json!({"user_id": user, "name": "n", "text_to_speech": "t"})
        }
        ("POST", "/api/transcription/request") => serde_json::json!({"call_id": user}),
        ("POST", "/api/voip/start-call") => serde_json::json!({"userId": user, "to": "101"}),
        ("POST", "/api/voip/act") => serde_json::json!({"userId": user, "callId": user, "act": "hold"}),
        ("POST", path) if path.starts_with("/api/voip/") => serde_json::json!({"userId": user, "callId": user}),
        ("POST", "/api/room-keys") => serde_json::json!({"name": "n"}),
        ("POST", "/api/room-webhooks") => serde_json::json!({"url": "https://a.example/", "api_key": "APIx"}),
        ("PUT", "/api/settings") => serde_json::json!({"values": {"auto_record_calls": true}}),
        ("PATCH" | "PUT", _) => serde_json::json!({}),
        _ => return None,
    })
}

#[tokio::test]
async fn each_role_may_what_the_table_says_and_nothing_else() {
    let house = House::new().await;
    let nowhere = "019a0000-0000-7000-8000-000000000000";
    for (method, path) in operations(&house.description().await) {
        if !path.starts_with("/api/") {
            continue;
        }
        for role in [Role::TenantAdmin, Role::Manager, Role::User, Role::Auditor] {
            let may = wanted(&method, &path).iter().any(|permission| role.may(*permission));
            let token = house.acme.token(role);
            let answer = house
                .ask_as(token, &method, &fill(&path, nowhere), body(&method, &path, &house))
                .await;
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(
                !refused,
                may,
                "{role} {method} {path}: {} {}",
                answer.status,
                answer.text()
            );
            if refused {
                assert_eq!(answer.json()["code"], "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_but_the_open_paths_answers() {
    let house = House::new().await;
    for (method, path) in operations(&house.description().await) {
        let request = axum::http::Request::builder()
            .method(method.as_str())
            .uri(fill(&path, "019a0000-0000-7000-8000-000000000000"))
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = house.send(request).await;
        if path.starts_with("/api/") {
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.json()["code"], "token_missing");
            assert!(answer.headers.contains_key("www-authenticate"));
        } else {
            assert_ne!(answer.status, 401, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_may_not_change_the_platforms_settings() {
    let house = House::new().await;
    let body = serde_json::json!({"tier": "platform", "values": {"enable_ivr": false}});
    house.ask("PUT", "/api/settings", Some(body)).await.expect(403);
}
