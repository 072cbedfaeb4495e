//! Clients that leave: their last words count, though they take nothing more.

use super::house::House;
use crate::ApiState;
use prost::Message as _;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_access::{RoomClaims, VideoGrant};
use strowger_host::metrics::Metrics;
use strowger_rooms::protocol as wire;
use strowger_rooms::{Generation, Grants, JoinBrowser, Limits, RoomName, RoomsConfig, RoomsHandle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const ROOM: &str = "standup";

/// Far less than a cut session is kept for, and time enough for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(8);

/// A message as a browser frames it (RFC 6455 §5.2). All zeros are as good a mask as any.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(message.len()).unwrap();
    let mut frame = vec![0x82, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(message);
    frame
}

/// Joins, says that it leaves and is gone, with what the room tells it unread.
async fn come_and_go(server: SocketAddr, token: &str) {
    let mut line = TcpStream::connect(server).await.unwrap();
    let ask = format!(
        "GET /rtc?protocol=16&access_token={token} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    line.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(line.read_u8().await.unwrap());
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    // The room has let it in once it says so.
    line.read_u8().await.unwrap();
    let leave = wire::SignalRequest {
        message: Some(wire::signal_request::Message::Leave(wire::LeaveRequest::default())),
    };
    line.write_all(&frame(&leave.encode_to_vec())).await.unwrap();
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "clients come over real connections")]
async fn who_says_that_it_leaves_and_hangs_up_is_gone_at_once() {
    let house = House::new().await;
    let config = RoomsConfig {
        udp: "127.0.0.1:0".parse().unwrap(),
        tcp: None,
        advertised: Vec::new(),
        turn: None,
        limits: Limits::default(),
    };
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let rooms = RoomsHandle::start(config, house.world.clone(), &tasks, end)
        .await
        .unwrap();
    let state = ApiState::new(house.access.clone(), house.switch.clone(), Metrics::detached());
    let router = crate::router(state.with_rooms(rooms.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await });
    let room = RoomName::new(house.acme.id, ROOM);
    let host = JoinBrowser {
        room: room.clone(),
        grants: Grants {
            identity: "host".into(),
            room_join: Some(ROOM.into()),
            ..Grants::default()
        },
        generation: Generation::One,
        request: wire::JoinRequest::default(),
        resume: None,
        client_address: None,
    };
    let _host = rooms.join(host).await.unwrap();
    for guest in 0..20 {
        let claims = RoomClaims {
            identity: format!("guest {guest}"),
            video: VideoGrant {
                room: ROOM.into(),
                room_join: true,
                ..VideoGrant::default()
            },
            ..RoomClaims::default()
        };
        let token = house
            .access
            .sign_room_token(house.acme.id, &claims, None)
            .await
            .unwrap()
            .0;
        come_and_go(server, &token).await;
    }
    let alone = async {
        while rooms.participants(&room).await.unwrap().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(AT_ONCE, alone)
        .await
        .expect("all who left are gone");
}
