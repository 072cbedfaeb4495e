//! Guests: people with a link and without an account.
//!
//! A link's secret is in the address; what proves a browser is the one that asked before is the pass,
//! a token to the room that the room honours only once somebody let its bearer in.

use super::entry::{self, Answer, Caller};
use super::on_stage;
use super::view::Stage;
use crate::entry::view::trouble;
use crate::fault::{Fault, Page};
use crate::state::ConsoleState;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use strowger_access::{Opened, meeting::member_claims, secret};
use strowger_model::meeting::{GuestLink, LinkState, Meeting, RoomRole, Visitor};
use strowger_store::Scope;

/// The most characters of a guest's name.
const NAME_MOST: usize = 60;

pub(super) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/join/{secret}", get(page))
        .route("/join/{secret}/enter", post(enter))
        .route("/join/{secret}/wait", post(wait))
        .route("/join/{secret}/unwait", post(unwait))
}

/// A link that was shown, and where it leads.
struct Link {
    link: GuestLink,
    scope: Scope,
    meeting: Meeting,
}

impl Link {
    async fn of(state: &ConsoleState, written: &str) -> Page<Self> {
        let found = state
            .store()
            .accounts()
            .guest_link(&secret::digest_hex(written))
            .await?;
        let link = found.ok_or(Fault::NotFound)?;
        let scope = state.store().tenant(link.tenant);
        let meeting = scope.meetings().get(link.room).await?.ok_or(Fault::NotFound)?;
        Ok(Self { link, scope, meeting })
    }

    /// Whether the link is worth nothing to anybody any more.
    fn is_dead(&self, state: &ConsoleState) -> bool {
        match self.link.state(state.now()) {
            LinkState::Revoked | LinkState::Expired => true,
            LinkState::Alive | LinkState::Used => false,
        }
    }

    /// Who the bearer of a pass is, when it was given out for this link.
    async fn bearer(&self, state: &ConsoleState, source: std::net::IpAddr, pass: &str) -> Option<Caller> {
        if pass.is_empty() {
            return None;
        }
        let token = state.access().room_token(pass, source).await.ok()?;
        let claims = token.claims();
        let ours = token.tenant() == self.link.tenant
            && claims.video.room == self.meeting.room.name
            && claims.identity.starts_with(&prefix(&self.link));
        ours.then(|| Caller {
            visitor: Visitor::Guest,
            identity: claims.identity.clone(),
            name: claims.name.clone(),
        })
    }
}

/// The identities that a link gives out begin with this.
fn prefix(link: &GuestLink) -> String {
    format!("guest-{}-", link.id.uuid().simple())
}

fn gone() -> Response {
    let text = "It was used up, taken back, or its time is over. Ask whoever invited you for a new one.";
    (StatusCode::GONE, trouble("This link is no longer valid", text)).into_response()
}

async fn page(State(state): State<ConsoleState>, Path(written): Path<String>, headers: HeaderMap) -> Page {
    let link = Link::of(&state, &written).await?;
    // A used link still opens the page: the browser that used it may come back with its pass.
    if link.is_dead(&state) {
        return Ok(gone());
    }
    let stage = Stage::guest(&link.meeting, &state.clock(), &written);
    Ok(on_stage(stage, &headers))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter()
        .find(|(field, _)| field == name)
        .map_or("", |(_, value)| value.trim())
}

async fn enter(
    State(state): State<ConsoleState>,
    Path(written): Path<String>,
    opened: Opened<Vec<(String, String)>>,
) -> Page {
    let link = Link::of(&state, &written).await?;
    if link.is_dead(&state) {
        return Ok(gone());
    }
    let known = link
        .bearer(&state, opened.source.address, field(&opened.form, "pass"))
        .await;
    let caller = match known {
        Some(caller) => caller,
        None => {
            let name: String = field(&opened.form, "name")
                .chars()
                .filter(|character| !character.is_control())
                .take(NAME_MOST)
                .collect();
            let name = if name.is_empty() { "Guest".to_owned() } else { name };
            if !link.scope.guest_links().spend(&link.link).await? {
                return Ok(gone());
            }
            let tail: String = secret::random_hex(state.access().world()).chars().take(12).collect();
            Caller {
                visitor: Visitor::Guest,
                identity: format!("{}{tail}", prefix(&link.link)),
                name,
            }
        }
    };
    let answer = entry::ask(&state, &link.meeting, &caller).await?;
    respond(&state, &link, &caller, &answer).await
}

/// The answer with the pass.
async fn respond(state: &ConsoleState, link: &Link, caller: &Caller, answer: &Answer) -> Page {
    let mut body = entry::write(answer, caller);
    let claims = member_claims(
        &link.meeting.room.name,
        &caller.identity,
        &caller.name,
        RoomRole::Participant,
    );
    let (pass, _) = state.access().sign_room_token(link.link.tenant, &claims, None).await?;
    if let Value::Object(fields) = &mut body {
        fields.insert("pass".to_owned(), Value::String(pass));
    }
    Ok(Json(body).into_response())
}

/// Whether somebody let the guest in by now.
async fn wait(
    State(state): State<ConsoleState>,
    Path(written): Path<String>,
    opened: Opened<Vec<(String, String)>>,
) -> Page {
    let link = Link::of(&state, &written).await?;
    if link.is_dead(&state) {
        return Ok(gone());
    }
    let pass = field(&opened.form, "pass");
    let Some(caller) = link.bearer(&state, opened.source.address, pass).await else {
        return Ok(Json(json!({"state": "shut", "code": "token_expired"})).into_response());
    };
    let Some(rooms) = state.rooms() else {
        return Ok(Json(json!({"state": "shut", "code": "room_off"})).into_response());
    };
    let name = entry::running(&link.meeting);
    let still = rooms.waiting(&name).await.unwrap_or_default();
    if still.iter().any(|(identity, _)| *identity == caller.identity) {
        return Ok(Json(json!({"state": "waiting"})).into_response());
    }
    let answer = entry::ask(&state, &link.meeting, &caller).await?;
    if matches!(answer, Answer::Waits) && rooms.room(&name).await.is_some() {
        // Off the list and yet not let in: turned away. The list is left as it was.
        let _ = rooms.turn_away(&name, &caller.identity).await;
        return Ok(Json(json!({"state": "shut", "code": "turned_away"})).into_response());
    }
    respond(&state, &link, &caller, &answer).await
}

/// Takes the guest off the list.
async fn unwait(
    State(state): State<ConsoleState>,
    Path(written): Path<String>,
    opened: Opened<Vec<(String, String)>>,
) -> Page {
    let link = Link::of(&state, &written).await?;
    let pass = field(&opened.form, "pass");
    if let (Some(caller), Some(rooms)) = (link.bearer(&state, opened.source.address, pass).await, state.rooms()) {
        // Not on the list is as good.
        let _ = rooms.turn_away(&entry::running(&link.meeting), &caller.identity).await;
    }
    Ok(Json(json!({"state": "left"})).into_response())
}
