//! A worker's connection.

use super::desk::{Agents, Order};
use crate::state::ApiState;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prost::Message as _;
use std::time::Duration;
use strowger_access::{RoomBearer, RoomTokenRefusal};
use strowger_model::TenantId;
use strowger_rooms::protocol as wire;
use tokio::sync::mpsc;
use wire::worker_message::Message as FromWorker;

/// The longest message a worker may send.
const MESSAGE_BYTES: usize = 1 << 20;

/// A connection on which nothing was heard for so long is gone: workers say how busy they are every few
/// seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Messages that wait for a worker; one that is further behind is cut off.
const WAITING: usize = 256;

/// The routes.
pub(crate) fn routes() -> Router<ApiState> {
    Router::new().route("/agent", get(open))
}

async fn open(
    State(state): State<ApiState>,
    bearer: Result<RoomBearer, RoomTokenRefusal>,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let bearer = match bearer {
        Ok(bearer) => bearer,
        Err(refusal) => return refusal.into_response(),
    };
    if !bearer.token.claims().video.agent {
        return (StatusCode::UNAUTHORIZED, "the token is not an agent's").into_response();
    }
    let (Some(agents), Ok(upgrade)) = (state.agents.clone(), asked) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tenant = bearer.token.tenant();
    upgrade
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .on_upgrade(move |socket| carry(socket, agents, tenant))
}

async fn carry(mut socket: WebSocket, agents: Agents, tenant: TenantId) {
    let Some(FromWorker::Register(request)) = hear(&mut socket).await else {
        return;
    };
    let (line, mut to_say) = mpsc::channel(WAITING);
    let Some(key) = agents.register(tenant, request, line).await else {
        return;
    };
    loop {
        // Both branches may be dropped half-way: a message is taken whole or not at all.
        tokio::select! {
            said = to_say.recv() => {
                let Some(message) = said else { break };
                let message = wire::ServerMessage { message: Some(message) };
                if socket.send(Message::Binary(message.encode_to_vec().into())).await.is_err() {
                    break;
                }
            }
            heard = hear(&mut socket) => {
                let Some(message) = heard else { break };
                if !agents.order(Order::Said(key, Box::new(message))).await {
                    break;
                }
            }
        }
    }
    agents.order(Order::Gone(key)).await;
}

/// The next thing a worker says; `None` when it is gone. Messages of a kind we do not know are passed over.
async fn hear(socket: &mut WebSocket) -> Option<FromWorker> {
    loop {
        let heard = tokio::time::timeout(SILENCE, socket.recv()).await.ok()??.ok()?;
        let message = match heard {
            Message::Binary(bytes) => wire::WorkerMessage::decode(bytes).ok()?,
            Message::Text(text) => serde_json::from_str(&text).ok()?,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return None,
        };
        if let Some(message) = message.message {
            return Some(message);
        }
    }
}
