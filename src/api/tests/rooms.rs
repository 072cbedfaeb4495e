//! Rooms: making and changing them, guests' links, the door, and who may end a call.

use super::house::House;
use crate::ApiState;
use serde_json::{Value, json};
use std::sync::Arc;
use strowger_host::metrics::Metrics;
use strowger_model::{Role, World};
use strowger_rooms::{Limits, RoomsConfig, RoomsHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A house in which rooms run.
async fn with_rooms() -> House {
    let mut house = House::new().await;
    let config = RoomsConfig {
        udp: "127.0.0.1:0".parse().unwrap(),
        tcp: None,
        advertised: Vec::new(),
        turn: None,
        limits: Limits::default(),
    };
    let world = Arc::clone(&house.world) as Arc<dyn World>;
    let rooms = RoomsHandle::start(config, world, &TaskTracker::new(), CancellationToken::new()).await;
    let state = ApiState::new(house.access.clone(), house.switch.clone(), Metrics::detached());
    house.router = crate::router(state.with_rooms(rooms.unwrap()));
    house
}

async fn room(house: &House, body: Value) -> Value {
    house.ask("POST", "/api/rooms", Some(body)).await.expect(201)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_is_said_about_a_room_is_changed_field_by_field() {
    let house = House::new().await;
    let made = room(&house, json!({"name": "Review", "waiting_room": true, "pin": "4711"})).await;
    let path = format!("/api/rooms/{}", text(&made["id"]));
    let schedule = json!({"starts_at": "2026-11-21T15:00:00+01:00", "ends_at": "2026-11-21T16:00:00+01:00",
        "time_zone": "Europe/Berlin"});
    let body = json!({"title": "Review; of, the quarter", "schedule": schedule});
    let changed = house.ask("PATCH", &path, Some(body)).await.expect(200);
    assert_eq!(
        (&changed["waiting_room"], &changed["pin"]),
        (&json!(true), &json!("4711"))
    );
    let file = house.get(&format!("{path}/calendar")).await;
    assert!(file.text().contains("DTSTART:20261121T140000Z\r\n"), "{}", file.text());
    assert!(file.text().contains("SUMMARY:Review\\; of\\, the quarter\r\n"));
    let open = json!({"schedule": null});
    let open = house.ask("PATCH", &path, Some(open)).await.expect(200);
    assert!(open.get("schedule").is_none() && open["title"] == changed["title"]);
    house.get(&format!("{path}/calendar")).await.expect(404);
    house
        .ask("POST", "/api/rooms", Some(json!({"name": "Review"})))
        .await
        .expect(409);
    house.ask("POST", "/api/rooms", Some(json!({}))).await.expect(422);
    house.ask("DELETE", &path, None).await.expect(204);
    house.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_links_address_is_told_once_and_a_revoked_link_is_gone() {
    let house = House::new().await;
    let made = room(&house, json!({"name": "Review"})).await;
    let path = format!("/api/rooms/{}/links", text(&made["id"]));
    let body = json!({"label": "Customer", "once": true});
    let link = house.ask("POST", &path, Some(body)).await.expect(201);
    assert!(text(&link["url"]).contains("/join/"));
    let listed = house.get(&path).await.expect(200);
    assert!(listed["items"][0].get("url").is_none() && listed["items"][0]["state"] == "alive");
    let revoke = format!("/api/guest-links/{}", text(&link["id"]));
    house.ask("DELETE", &revoke, None).await.expect(204);
    house.ask("DELETE", &revoke, None).await.expect(404);
    assert_eq!(house.get(&path).await.expect(200)["items"][0]["state"], "revoked");
}

#[tokio::test]
async fn only_its_maker_its_host_and_those_who_steer_calls_end_a_call() {
    let house = House::new().await;
    let user = house.acme.token(Role::User);
    let path = |id: &Value| format!("/api/internal-call/end/{}", text(id));
    // Acme's own room has its user for a host, and another program made it.
    let own = json!(house.acme.ids["room"]);
    let refused = house.ask_as(user, "POST", &path(&own), None).await;
    assert_eq!(refused.expect(403)["code"], "not_host");
    let host = json!({"userId": house.acme.ids["user"]});
    let ended = house.ask_as(user, "POST", &path(&own), Some(host.clone())).await;
    assert_eq!(ended.expect(200), json!({"success": true}));
    let manager = house.acme.token(Role::Manager);
    house.ask_as(manager, "POST", &path(&own), None).await.expect(200);
    let other = room(&house, json!({"name": "Other"})).await;
    house
        .ask_as(user, "POST", &path(&other["id"]), Some(host))
        .await
        .expect(403);
    let leave = format!("/api/internal-call/leave/{}", text(&own));
    house.ask_as(user, "POST", &leave, None).await.expect(200);
}

#[tokio::test]
async fn a_machine_without_rooms_says_that_calls_are_not_configured() {
    let house = House::new().await;
    let body = json!({"roomName": "Daily Standup", "participantName": "Alice"});
    let refused = house
        .ask("POST", "/api/internal-call/token", Some(body))
        .await
        .expect(409);
    assert_eq!(refused["code"], "rooms_off");
    assert_eq!(
        house.get("/api/internal-call/active").await.expect(200),
        json!({"calls": []})
    );
}

#[tokio::test]
async fn two_tenants_who_write_the_same_name_never_meet() {
    let house = with_rooms().await;
    let body = |name: &str| Some(json!({"roomName": "a-b", "participantName": name}));
    let path = "/api/internal-call/token";
    let ours = house.ask("POST", path, body("Alice")).await.expect(200);
    let again = house.ask("POST", "/api/livekit/token", body("Bob")).await.expect(200);
    let token = house.zenith.token(Role::User);
    let theirs = house.ask_as(token, "POST", path, body("Zoe")).await.expect(200);
    assert_eq!(ours["roomId"], again["roomId"]);
    assert_ne!(ours["roomId"], theirs["roomId"]);
    assert_eq!(
        (&ours["enterpriseName"], &ours["wsUrl"]),
        (&json!("acme"), &json!("ws://localhost"))
    );
    for (answer, tenant) in [(&ours, house.acme.id), (&theirs, house.zenith.id)] {
        assert_eq!(answer.as_object().unwrap().len(), 4, "{answer}");
        let source = [127, 0, 0, 1].into();
        let proved = house.access.room_token(&text(&answer["token"]), source).await.unwrap();
        assert_eq!(proved.tenant(), tenant);
        assert_eq!(proved.claims().video.room, "a-b");
        assert!(!proved.claims().video.room_admin);
        let life = proved.expires_at() - house.world.now();
        assert_eq!(life.whole_hours(), 24);
    }
}

#[tokio::test]
async fn a_program_calls_somebody_into_a_room_and_leads_a_phone_out() {
    let house = with_rooms().await;
    let dial = format!("/api/rooms/{}/dial", house.acme.ids["room"]);
    let wanted = json!({"to": "+49 421 123", "identity": "desk", "dtmf": "12#", "wait_until_answered": true});
    let dialled = house.ask("POST", &dial, Some(wanted)).await.expect(201);
    assert_eq!(
        (dialled["identity"].as_str(), dialled["participant_id"].as_str()),
        (Some("desk"), Some("PA_1"))
    );
    let refused = house
        .ask("POST", &dial, Some(json!({"to": "+49421000"})))
        .await
        .expect(409);
    assert_eq!(refused["code"], "no_route");
    house
        .ask("POST", &dial, Some(json!({"to": "+49421123", "dtmf": "12x"})))
        .await
        .expect(422);
    let transfer = format!("/api/rooms/{}/transfer", house.acme.ids["room"]);
    let led = json!({"identity": "sip_1", "to": "101"});
    house.ask("POST", &transfer, Some(led)).await.expect(202);
    let nobody = json!({"identity": "sip_2", "to": "101"});
    house.ask("POST", &transfer, Some(nobody)).await.expect(409);
}

#[tokio::test]
async fn a_locked_room_opens_to_its_host_alone() {
    let house = with_rooms().await;
    let user = json!(house.acme.ids["user"]);
    let act = format!("/api/rooms/{}/act", house.acme.ids["room"]);
    house.ask("POST", &act, Some(json!({"act": "lock"}))).await.expect(200);
    let path = "/api/internal-call/token";
    let stranger = json!({"roomName": "acme daily", "participantName": "Bob"});
    let refused = house.ask("POST", path, Some(stranger.clone())).await.expect(409);
    assert_eq!(refused["code"], "room_locked");
    let host = json!({"roomName": "acme daily", "userId": user});
    house.ask("POST", path, Some(host)).await.expect(200);
    house
        .ask("POST", &act, Some(json!({"act": "unlock"})))
        .await
        .expect(200);
    house.ask("POST", path, Some(stranger)).await.expect(200);
}
