//! The calls of server SDKs across tenants: every method, asked by a neighbour with every grant about rooms and ids of
//! another tenant, finds nothing and changes nothing.

use super::house::House;
use crate::{Agents, ApiState};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use std::time::Duration;
use strowger_access::{RoomClaims, SipGrant, VideoGrant};
use strowger_host::metrics::Metrics;
use strowger_model::TenantId;
use strowger_rooms::protocol as wire;
use strowger_rooms::{Generation, Grants, JoinBrowser, Limits, RoomName, RoomsConfig, RoomsHandle, Session};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

const ROOM: &str = "standup";

/// Two tenants and running rooms; in acme's is ada.
struct Neighbours {
    house: House,
    rooms: RoomsHandle,
    router: Router,
    acme: String,
    zenith: String,
    _ada: Session,
}

async fn token(house: &House, tenant: TenantId) -> String {
    let claims = RoomClaims {
        identity: "program".into(),
        video: VideoGrant {
            room: ROOM.into(),
            room_create: true,
            room_list: true,
            room_admin: true,
            room_record: true,
            destination_room: "annex".into(),
            ..VideoGrant::default()
        },
        sip: SipGrant {
            admin: true,
            call: true,
        },
        ..RoomClaims::default()
    };
    let signed = house
        .access
        .sign_room_token(tenant, &claims, Some(Duration::from_secs(600)));
    signed.await.unwrap().0
}

impl Neighbours {
    async fn new() -> Self {
        let house = House::new().await;
        let config = RoomsConfig {
            udp: "127.0.0.1:0".parse().unwrap(),
            tcp: None,
            advertised: Vec::new(),
            turn: None,
            limits: Limits::default(),
        };
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let rooms = RoomsHandle::start(config, house.world.clone(), &tasks, end.clone())
            .await
            .unwrap();
        let agents = Agents::start(house.access.clone(), &rooms, &tasks, end);
        let state = ApiState::new(house.access.clone(), house.switch.clone(), Metrics::detached())
            .with_rooms(rooms.clone())
            .with_agents(agents);
        let ada = JoinBrowser {
            room: RoomName::new(house.acme.id, ROOM),
            grants: Grants {
                identity: "ada".into(),
                room_join: Some(ROOM.into()),
                ..Grants::default()
            },
            generation: Generation::One,
            request: wire::JoinRequest::default(),
            resume: None,
            client_address: None,
        };
        let ada = rooms.join(ada).await.unwrap();
        Self {
            router: crate::router(state),
            acme: token(&house, house.acme.id).await,
            zenith: token(&house, house.zenith.id).await,
            house,
            rooms,
            _ada: ada,
        }
    }

    /// Calls a method; status and answer.
    async fn call(&self, token: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(format!("/twirp/livekit.{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn made(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(&self.acme, path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }
}

/// What a neighbour asks about rooms and who is in them.
fn about_rooms(dispatch: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("RoomService/DeleteRoom", json!({"room": ROOM})),
        ("RoomService/ListParticipants", json!({"room": ROOM})),
        ("RoomService/GetParticipant", json!({"room": ROOM, "identity": "ada"})),
        (
            "RoomService/RemoveParticipant",
            json!({"room": ROOM, "identity": "ada"}),
        ),
        (
            "RoomService/MutePublishedTrack",
            json!({"room": ROOM, "identity": "ada", "trackSid": "TR_1", "muted": true}),
        ),
        (
            "RoomService/UpdateParticipant",
            json!({"room": ROOM, "identity": "ada", "name": "x"}),
        ),
        (
            "RoomService/UpdateSubscriptions",
            json!({"room": ROOM, "identity": "ada", "trackSids": ["TR_1"], "subscribe": true}),
        ),
        ("RoomService/SendData", json!({"room": ROOM, "data": "aGk="})),
        ("RoomService/UpdateRoomMetadata", json!({"room": ROOM, "metadata": "x"})),
        (
            "RoomService/MoveParticipant",
            json!({"room": ROOM, "identity": "ada", "destinationRoom": "annex"}),
        ),
        (
            "RoomService/ForwardParticipant",
            json!({"room": ROOM, "identity": "ada", "destinationRoom": "annex"}),
        ),
        (
            "RoomService/PerformRpc",
            json!({"room": ROOM, "destinationIdentity": "ada", "method": "greet"}),
        ),
        (
            "AgentDispatchService/DeleteDispatch",
            json!({"room": ROOM, "dispatchId": dispatch}),
        ),
        (
            "Egress/StartRoomCompositeEgress",
            json!({"roomName": ROOM, "audioOnly": true, "fileOutputs": [{"filepath": "x"}]}),
        ),
        (
            "Egress/StartParticipantEgress",
            json!({"roomName": ROOM, "identity": "ada", "fileOutputs": [{"filepath": "x"}]}),
        ),
        (
            "Egress/StartTrackEgress",
            json!({"roomName": ROOM, "trackId": "TR_1", "file": {"filepath": "x"}}),
        ),
        (
            "Egress/StartTrackCompositeEgress",
            json!({"roomName": ROOM, "audioTrackId": "TR_1", "fileOutputs": [{"filepath": "x"}]}),
        ),
        (
            "Egress/StartEgress",
            json!({"roomName": ROOM, "template": {"audioOnly": true}, "outputs": [{"file": {"filepath": "x"}}]}),
        ),
        ("Egress/StopEgress", json!({"egressId": "EG_1"})),
    ]
}

/// What a neighbour asks about phones.
fn about_phones(trunk: &Value, inbound: &Value, rule: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("SIP/DeleteSIPTrunk", json!({"sipTrunkId": trunk})),
        ("SIP/DeleteSIPTrunk", json!({"sipTrunkId": inbound})),
        ("SIP/DeleteSIPDispatchRule", json!({"sipDispatchRuleId": rule})),
        ("SIP/GetSIPOutboundTrunk", json!({"sipTrunkId": trunk})),
        ("SIP/GetSIPInboundTrunk", json!({"sipTrunkId": inbound})),
        (
            "SIP/UpdateSIPOutboundTrunk",
            json!({"sipTrunkId": trunk, "update": {"name": "x"}}),
        ),
        (
            "SIP/UpdateSIPInboundTrunk",
            json!({"sipTrunkId": inbound, "update": {"name": "x"}}),
        ),
        (
            "SIP/UpdateSIPDispatchRule",
            json!({"sipDispatchRuleId": rule, "update": {"name": "x"}}),
        ),
        (
            "SIP/CreateSIPParticipant",
            json!({"sipTrunkId": trunk, "sipCallTo": "101", "roomName": ROOM}),
        ),
        (
            "SIP/TransferSIPParticipant",
            json!({"roomName": ROOM, "participantIdentity": "ada", "transferTo": "tel:101"}),
        ),
    ]
}

#[tokio::test]
async fn a_neighbour_finds_no_room_participant_trunk_rule_or_dispatch() {
    let both = Neighbours::new().await;
    let trunk = json!({"trunk": {"name": "out", "address": "192.0.2.7", "numbers": [both.house.acme.number]}});
    let trunk = both.made("SIP/CreateSIPOutboundTrunk", &trunk).await["sipTrunkId"].clone();
    let inbound = json!({"trunk": {"name": "in", "numbers": ["+4942177"], "allowedAddresses": ["192.0.2.8"]}});
    let inbound = both.made("SIP/CreateSIPInboundTrunk", &inbound).await["sipTrunkId"].clone();
    let rule = json!({"dispatchRule": {"name": "r", "rule": {"dispatchRuleDirect": {"roomName": ROOM}}, "trunkIds": [inbound]}});
    let rule = both.made("SIP/CreateSIPDispatchRule", &rule).await["sipDispatchRuleId"].clone();
    let dispatch = json!({"room": ROOM, "agentName": "clerk"});
    let dispatch = both.made("AgentDispatchService/CreateDispatch", &dispatch).await["id"].clone();

    for (path, body) in about_rooms(&dispatch)
        .iter()
        .chain(&about_phones(&trunk, &inbound, &rule))
    {
        let (_, answer) = both.call(&both.zenith, path, body).await;
        assert_eq!(answer["code"], "not_found", "{path}: {answer}");
    }
    for (path, list) in [
        ("RoomService/ListRooms", "rooms"),
        ("AgentDispatchService/ListDispatch", "agentDispatches"),
        ("SIP/ListSIPInboundTrunk", "items"),
        ("SIP/ListSIPOutboundTrunk", "items"),
        ("SIP/ListSIPTrunk", "items"),
        ("SIP/ListSIPDispatchRule", "items"),
        ("Egress/ListEgress", "items"),
    ] {
        // Of these only dispatches are listed by room.
        let asked = if list == "agentDispatches" {
            json!({"room": ROOM})
        } else {
            json!({})
        };
        let (status, answer) = both.call(&both.zenith, path, &asked).await;
        let is_empty = answer[list].as_array().is_none_or(Vec::is_empty);
        assert!(status == StatusCode::OK && is_empty, "{path}: {answer}");
    }

    // Everything of acme's is as it was.
    let there = both
        .rooms
        .participants(&RoomName::new(both.house.acme.id, ROOM))
        .await
        .unwrap();
    assert_eq!((there[0].identity.as_str(), there[0].name.as_str()), ("ada", ""));
    assert_eq!(
        both.made("SIP/ListSIPDispatchRule", &json!({})).await["items"][0]["name"],
        "r"
    );
    assert_eq!(
        both.made("SIP/ListSIPOutboundTrunk", &json!({})).await["items"][0]["name"],
        "out"
    );
}

#[tokio::test]
async fn rooms_of_one_name_are_two() {
    let both = Neighbours::new().await;
    let (status, made) = both
        .call(&both.zenith, "RoomService/CreateRoom", &json!({"name": ROOM}))
        .await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let own = both.made("RoomService/ListRooms", &json!({})).await;
    assert_ne!(own["rooms"][0]["sid"], made["sid"]);
    let (_, nobody) = both
        .call(&both.zenith, "RoomService/ListParticipants", &json!({"room": ROOM}))
        .await;
    assert!(nobody["participants"].as_array().is_none_or(Vec::is_empty), "{nobody}");
    let (_, gone) = both
        .call(&both.zenith, "RoomService/DeleteRoom", &json!({"room": ROOM}))
        .await;
    assert_eq!(gone, json!({}));
    assert_eq!(both.rooms.list(both.house.acme.id, &[]).await.len(), 1);
}
