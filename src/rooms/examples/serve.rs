//! The rooms behind a bare WebSocket, without tokens, rows or pages: what `load` measures when only the rooms are
//! to be measured. `cargo run --release -p strowger-rooms --example serve` prints the address it listens on.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measuring program")]

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use strowger_model::{TenantId, World};
use strowger_rooms::io::turn::{TurnHandle, TurnSetup};
use strowger_rooms::protocol as wire;
use strowger_rooms::turn::MediaAddress;
use strowger_rooms::{
    Generation, Grants, IceServers, JoinBrowser, Limits, RoomName, RoomOptions, RoomsConfig, RoomsHandle, signal,
};
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The real clock, and chance that is good enough where nothing is secret.
struct Outside(strowger_model::world::SeededWorld);

impl World for Outside {
    fn now(&self) -> OffsetDateTime {
        SystemTime::now().into()
    }

    fn passed(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let idle: usize = std::env::args().nth(1).map_or(Ok(0), |count| count.parse())?;
    let world = Arc::new(Outside(strowger_model::world::SeededWorld::new(1, 0)));
    let tenant = TenantId::generate(world.as_ref());
    let config = RoomsConfig {
        udp: "127.0.0.1:0".parse()?,
        tcp: Some("127.0.0.1:0".parse()?),
        advertised: Vec::new(),
        turn: None,
        limits: Limits::default(),
    };
    let relay = match std::env::args().nth(2) {
        Some(way) => Some(relay(&way, world.clone()).await?),
        None => None,
    };
    let config = RoomsConfig {
        turn: relay.clone().map(|relay| Arc::new(relay) as Arc<dyn IceServers>),
        ..config
    };
    let rooms = RoomsHandle::start(config, world, &TaskTracker::new(), CancellationToken::new()).await?;
    if let Some(relay) = relay {
        let media = rooms.media_addresses().into_iter().map(MediaAddress::plain).collect();
        relay.reach_rooms(media).await;
    }
    for number in 0..idle {
        let name = RoomName::new(tenant, format!("idle{number}"));
        rooms.create(&name, RoomOptions::default()).await?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{} {}", listener.local_addr()?, std::process::id());
    let mut sessions = JoinSet::new();
    loop {
        let (stream, from) = listener.accept().await?;
        sessions.spawn(converse(rooms.clone(), tenant, stream, from));
        while sessions.try_join_next().is_some() {}
    }
}

/// A relay reached in one way, so that what is tried is that way.
async fn relay(way: &str, world: Arc<Outside>) -> Result<TurnHandle> {
    let at = |own: &str| match own == way {
        true => vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        false => Vec::new(),
    };
    let setup = TurnSetup {
        udp: at("udp"),
        tcp: at("tcp"),
        tls: at("tls"),
        ..TurnSetup::default()
    };
    Ok(TurnHandle::start(setup, world, &TaskTracker::new(), CancellationToken::new()).await?)
}

async fn converse(rooms: RoomsHandle, tenant: TenantId, stream: TcpStream, from: SocketAddr) -> Result<()> {
    let mut query = HashMap::new();
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    let taken = |request: &Request, response: Response| {
        for pair in request.uri().query().unwrap_or_default().split('&') {
            if let Some((name, value)) = pair.split_once('=') {
                // Padding of base64 is all that is ever escaped here.
                query.insert(name.to_owned(), value.replace("%3D", "="));
            }
        }
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, taken).await?;
    let asked = query.get("join_request").context("no join_request")?;
    let join = JoinBrowser {
        room: RoomName::new(tenant, "load"),
        grants: Grants {
            identity: format!("member {from}"),
            room_join: Some("load".to_owned()),
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
            ..Grants::default()
        },
        generation: Generation::One,
        request: signal::from_wrapped(asked)?,
        resume: None,
        client_address: Some(from),
    };
    let mut session = rooms.join(join).await?;
    loop {
        tokio::select! {
            told = session.responses.recv() => {
                let Some(told) = told else { return Ok(()) };
                socket.send(Frame::Binary(told.encode_to_vec().into())).await?;
            }
            frame = socket.next() => match frame.context("gone")?? {
                Frame::Binary(bytes) => {
                    let request = wire::SignalRequest::decode(&bytes[..])?;
                    if !session.requests.send(request).await {
                        return Ok(());
                    }
                }
                Frame::Close(_) => return Ok(()),
                Frame::Text(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {}
            },
        }
    }
}
