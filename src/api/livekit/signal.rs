//! The signalling connection of a browser or a client library: a WebSocket that carries the room's requests
//! and responses, in both generations of the protocol.

use super::grants;
use crate::state::ApiState;
use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::HashMap;
use std::time::Duration;
use strowger_access::{RoomBearer, RoomTokenRefusal};
use strowger_rooms::protocol as wire;
use strowger_rooms::signal;
use strowger_rooms::{Generation, JoinBrowser, JoinRefused, RoomName, RoomsHandle, Session};
use tracing::debug;
use wire::signal_response::Message as Said;

/// The longest message a client may send: a session description with room to spare.
const MESSAGE_BYTES: usize = 1 << 20;

/// How long the last words of a client that takes nothing more are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection on which nothing was heard for so long is gone: clients ping every five seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// How often a client gets a fresh token, so that it can come back after a cut.
const REFRESH: Duration = Duration::from_secs(5 * 60);

/// How long such a token lasts.
const REFRESHED: Duration = Duration::from_secs(10 * 60);

type Asked = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;
type Bearer = Result<RoomBearer, RoomTokenRefusal>;

/// The routes.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/rtc", get(older))
        .route("/rtc/validate", get(validate))
        .route("/rtc/v1", get(newer))
        .route("/rtc/v1/validate", get(validate))
}

async fn older(
    State(state): State<ApiState>,
    bearer: Bearer,
    Query(query): Query<HashMap<String, String>>,
    asked: Asked,
) -> Response {
    let request = signal::from_query(&query);
    open(state, bearer, asked, Generation::Two, request).await
}

async fn newer(
    State(state): State<ApiState>,
    bearer: Bearer,
    Query(query): Query<HashMap<String, String>>,
    asked: Asked,
) -> Response {
    if asked.is_err() {
        // Clients look for this when the connection fails: it tells them to try the older way.
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(wrapped) = query.get("join_request") else {
        return (StatusCode::BAD_REQUEST, "join_request is missing").into_response();
    };
    match signal::from_wrapped(wrapped) {
        Ok(request) => open(state, bearer, asked, Generation::One, request).await,
        Err(fault) => (StatusCode::BAD_REQUEST, fault.to_string()).into_response(),
    }
}

/// Tells a client why its connection failed.
async fn validate(State(state): State<ApiState>, bearer: Bearer) -> Response {
    let answer = match bearer {
        Err(refusal) => refused_token(&refusal),
        Ok(_) if state.rooms.is_none() => StatusCode::NOT_FOUND.into_response(),
        Ok(bearer) if grants::of_token(&bearer.token).room_join.is_none() => not_allowed(),
        Ok(bearer) => may_come(&state, &bearer.token),
    };
    let mut answer = answer;
    answer
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

/// What is known without a connection; a client that is told 403 here does not try again.
fn may_come(state: &ApiState, token: &strowger_access::RoomToken) -> Response {
    let grants = grants::of_token(token);
    let name = RoomName::new(token.tenant(), grants.room_join.clone().unwrap_or_default());
    let open = state.rooms.as_ref().map(|rooms| rooms.is_open_to(&name, &grants));
    match open {
        Some(Err(refused)) => refused_join(refused),
        Some(Ok(())) | None => "success".into_response(),
    }
}

fn refused_token(refusal: &RoomTokenRefusal) -> Response {
    (refusal.status(), refusal.to_string()).into_response()
}

fn not_allowed() -> Response {
    (StatusCode::UNAUTHORIZED, "no permissions to access the room").into_response()
}

async fn open(
    state: ApiState,
    bearer: Bearer,
    asked: Asked,
    generation: Generation,
    request: wire::JoinRequest,
) -> Response {
    let bearer = match bearer {
        Ok(bearer) => bearer,
        Err(refusal) => return refused_token(&refusal),
    };
    let (Some(rooms), Ok(upgrade)) = (state.rooms.clone(), asked) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let grants = grants::of_token(&bearer.token);
    let Some(room) = grants.room_join.clone() else {
        return not_allowed();
    };
    let room = RoomName::new(bearer.token.tenant(), room);
    if let (Some(agents), Some(config)) = (&state.agents, &grants.room_config) {
        agents.wish(room.clone(), config.agents.clone()).await;
    }
    let join = JoinBrowser {
        room: room.clone(),
        grants,
        generation,
        resume: request.reconnect.then(|| request.participant_sid.clone()),
        request,
        client_address: None,
    };
    let joined = match rooms.join(join).await {
        Ok(session) => Ok(session),
        // Said on the connection itself, so that the client comes in anew.
        Err(JoinRefused::UnknownSession) => Err(()),
        Err(refused) => return refused_join(refused),
    };
    let line = Line { state, rooms, room };
    upgrade
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .on_upgrade(move |socket| line.carry(socket, joined))
}

fn refused_join(refused: JoinRefused) -> Response {
    let status = match refused {
        JoinRefused::NotAllowed => StatusCode::UNAUTHORIZED,
        JoinRefused::Locked | JoinRefused::Waiting | JoinRefused::Over => StatusCode::FORBIDDEN,
        JoinRefused::Full => StatusCode::TOO_MANY_REQUESTS,
        JoinRefused::Invalid(_) => StatusCode::BAD_REQUEST,
        JoinRefused::UnknownSession => StatusCode::NOT_FOUND,
        JoinRefused::NotRunning => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, refused.to_string()).into_response()
}

/// One signalling connection.
struct Line {
    state: ApiState,
    rooms: RoomsHandle,
    room: RoomName,
}

impl Line {
    async fn carry(self, mut socket: WebSocket, joined: Result<Session, ()>) {
        let Ok(mut session) = joined else {
            let bytes = signal::encode(&signal::come_in_anew());
            if socket.send(Message::Binary(bytes.into())).await.is_ok() {
                close(socket).await;
            }
            return;
        };
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.reset();
        // The connection is read and written by this one task. A branch that loses has only been waiting.
        loop {
            tokio::select! {
                response = session.responses.recv() => match response {
                    Some(response) => {
                        if socket.send(Message::Binary(signal::encode(&response).into())).await.is_err() {
                            return hear_out(&mut socket, &session).await;
                        }
                    }
                    None => {
                        close(socket).await;
                        return;
                    }
                },
                received = tokio::time::timeout(SILENCE, socket.recv()) => {
                    if !hear(&session, received.ok().flatten()).await {
                        return;
                    }
                }
                _ = refresh.tick() => {
                    if let Some(token) = self.token(&session.participant_sid).await
                        && socket.send(Message::Binary(token.into())).await.is_err()
                    {
                        return hear_out(&mut socket, &session).await;
                    }
                }
            }
        }
    }

    /// A fresh token with what the participant may do by now.
    async fn token(&self, sid: &str) -> Option<Vec<u8>> {
        let members = self.rooms.participants(&self.room).await.ok()?;
        let identity = members.into_iter().find(|member| member.sid == sid)?.identity;
        let token = token_for(&self.state, &self.rooms, &self.room, &identity, &self.room.name).await?;
        Some(signal::encode(&wire::SignalResponse {
            message: Some(Said::RefreshToken(token)),
        }))
    }
}

/// Signs a token that lets a participant of `room` into the room named `destination`, with what they may do.
pub(crate) async fn token_for(
    state: &ApiState,
    rooms: &RoomsHandle,
    room: &RoomName,
    identity: &str,
    destination: &str,
) -> Option<String> {
    let grants = rooms.grants(room, identity).await.ok()?;
    let claims = grants::to_claims(&grants, destination);
    let signed = state
        .access
        .sign_room_token(room.tenant, &claims, Some(REFRESHED))
        .await;
    match signed {
        Ok((token, _)) => Some(token),
        Err(error) => {
            debug!("no fresh token: {error}");
            None
        }
    }
}

/// Hands what a client said to the room. `false`: the connection is over.
async fn hear(session: &Session, received: Option<Result<Message, axum::Error>>) -> bool {
    match received {
        Some(Ok(Message::Binary(bytes))) => match signal::decode(&bytes) {
            Some(request) => session.requests.send(request).await,
            None => true,
        },
        Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) => true,
        Some(Ok(Message::Close(_)) | Err(_)) | None => false,
    }
}

/// A client takes nothing more: what it said before it went is still heard, above all that it leaves.
async fn hear_out(socket: &mut WebSocket, session: &Session) {
    while let Ok(received) = tokio::time::timeout(LAST_WORDS, socket.recv()).await {
        if !hear(session, received).await {
            return;
        }
    }
}

async fn close(mut socket: WebSocket) {
    let frame = CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        debug!("a client was gone before it was told to leave");
    }
}
