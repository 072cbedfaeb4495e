//! `/api/voip/*`: calls of users in browsers, for front ends of their own. The keys of bodies and answers are
//! those existing front ends use.
//!
//! A program speaks for a user of its tenant, whom it names. `start-call` and `accept` give a token; with it a
//! client of the rooms (`livekit-client`) connects to `wsUrl`, where the other side is heard. What happens
//! comes over the WebSocket of [`events`]; with `ring=true` the user is rung there like on a phone.

mod events;
mod history;
mod wire;

use crate::body::Body;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::rooms::door::Here;
use crate::rooms::known_user;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::time::Duration;
use strowger_access::meeting::member_claims;
use strowger_model::CallId;
use strowger_model::meeting::RoomRole;
use strowger_model::role::Permission;
use strowger_store::Scope;
use strowger_switch::browser::{Ask, Owner, Refused, Ticket};
use strowger_switch::io::SwitchHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use wire::{ActBody, CallBody, DoneJson, StartBody, TicketJson};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(accept))
        .routes(routes!(reject))
        .routes(routes!(end))
        .routes(routes!(token))
        .routes(routes!(act))
        .routes(routes!(history::history))
        .routes(routes!(events::events))
}

fn refused(refused: Refused) -> Problem {
    let (said, code) = (refused.to_string(), refused.code());
    match refused {
        Refused::NoCall => Problem::not_found("call").hint("it is over, or another user's; GET /api/voip/events tells"),
        Refused::NoUser => Problem::field("userId", "there is no such user, or they may not call"),
        Refused::NoKeys => Problem::field("keys", "between 1 and 32 of 0-9, *, #, A-D"),
        Refused::NoRoute => Problem::conflict(code, said).hint("write an extension, a number, or a colleague's id"),
        Refused::SwitchedOff => Problem::conflict(code, said).hint("the setting enable_browser_calls turns them on"),
        Refused::NoRooms => {
            Problem::conflict(code, said).hint("set [rooms] enabled = true in the configuration and restart the daemon")
        }
        Refused::NotNow | Refused::Busy => Problem::conflict(code, said),
        Refused::TooManyPages | Refused::Full | Refused::ShuttingDown => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, said).retry_after(Duration::from_secs(5))
        }
    }
}

/// A user whom a program speaks for, and the switch that has their calls.
struct Line<'a> {
    phones: Option<&'a SwitchHandle>,
    scope: Scope,
    owner: Owner,
}

impl<'a> Line<'a> {
    async fn of(state: &'a ApiState, caller: &Caller, user: Uuid) -> Result<Self, Problem> {
        let scope = caller.may(Permission::UsePhone)?;
        let user = known_user(&scope, "userId", user).await?;
        let tenant = caller.tenant();
        Ok(Self {
            phones: state.phones.as_ref(),
            scope,
            owner: Owner { tenant, user },
        })
    }

    /// Without a switch nobody has a call.
    async fn ask(&self, call: Uuid, ask: Ask) -> Result<Option<Ticket>, Problem> {
        let phones = self.phones.ok_or_else(|| refused(Refused::NoCall))?;
        let call = CallId::from_uuid(call);
        phones.ask_browser(self.owner, None, call, ask).await.map_err(refused)
    }

    async fn ticket(
        &self,
        state: &ApiState,
        here: &Here,
        ticket: Ticket,
        status: &'static str,
    ) -> Result<TicketJson, Problem> {
        let user = self.scope.users().get(self.owner.user).await?;
        let name = user.map(|user| user.name).unwrap_or_default();
        let room = ticket.room();
        let claims = member_claims(&room.name, &ticket.identity(), &name, RoomRole::Participant);
        let signed = state.access.sign_room_token(room.tenant, &claims, None).await;
        let (token, _) = signed.map_err(|problem| Problem::internal(&problem))?;
        Ok(TicketJson {
            call_id: ticket.call.uuid(),
            room_name: room.name,
            token,
            ws_url: here.ws(),
            status,
        })
    }
}

/// Calls somebody from a user's browser. The answer comes at once; the other side may not ring yet.
#[utoipa::path(
    post, path = "/api/voip/start-call", tag = "voip", request_body = StartBody,
    responses((status = 201, description = "The call begins", body = TicketJson), Refusals, Sent)
)]
pub(crate) async fn start(
    State(state): State<ApiState>,
    caller: Caller,
    here: Here,
    Body(body): Body<StartBody>,
) -> Result<(StatusCode, Json<TicketJson>), Problem> {
    let line = Line::of(&state, &caller, body.user_id).await?;
    let to = match (body.callee_id, &body.to) {
        (Some(callee), _) => known_user(&line.scope, "calleeId", callee).await?.to_string(),
        (None, to) => to.clone().unwrap_or_default(),
    };
    let phones = line.phones.ok_or_else(|| refused(Refused::NoRooms))?;
    let ticket = phones.dial_from_browser(line.owner, None, to.trim()).await;
    let answer = line
        .ticket(&state, &here, ticket.map_err(refused)?, "INITIATED")
        .await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Takes a call that rings for a user; their other devices stop.
#[utoipa::path(
    post, path = "/api/voip/accept", tag = "voip", request_body = CallBody,
    responses((status = 200, description = "Both talk once the client is connected", body = TicketJson), Refusals, Named, Sent)
)]
pub(crate) async fn accept(
    State(state): State<ApiState>,
    caller: Caller,
    here: Here,
    Body(body): Body<CallBody>,
) -> Result<Json<TicketJson>, Problem> {
    let line = Line::of(&state, &caller, body.user_id).await?;
    let ticket = line.ask(body.call_id, Ask::Accept).await?;
    let ticket = ticket.ok_or_else(|| refused(Refused::NotNow))?;
    line.ticket(&state, &here, ticket, "ACTIVE").await.map(Json)
}

/// Refuses a call that rings for a user, for all their devices.
#[utoipa::path(
    post, path = "/api/voip/reject", tag = "voip", request_body = CallBody,
    responses((status = 200, description = "It does not ring any more", body = DoneJson), Refusals, Named, Sent)
)]
pub(crate) async fn reject(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<CallBody>,
) -> Result<Json<DoneJson>, Problem> {
    let line = Line::of(&state, &caller, body.user_id).await?;
    line.ask(body.call_id, Ask::Reject).await?;
    Ok(Json(DoneJson { success: true }))
}

/// Ends a user's call, or gives up calling.
#[utoipa::path(
    post, path = "/api/voip/end", tag = "voip", request_body = CallBody,
    responses((status = 200, description = "It is over", body = DoneJson), Refusals, Named, Sent)
)]
pub(crate) async fn end(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<CallBody>,
) -> Result<Json<DoneJson>, Problem> {
    let line = Line::of(&state, &caller, body.user_id).await?;
    line.ask(body.call_id, Ask::HangUp).await?;
    Ok(Json(DoneJson { success: true }))
}

/// Gives a new token for a call that a user has in a browser, for a client that comes back.
#[utoipa::path(
    post, path = "/api/voip/token", tag = "voip", request_body = CallBody,
    responses((status = 200, description = "The way back into the call", body = TicketJson), Refusals, Named, Sent)
)]
pub(crate) async fn token(
    State(state): State<ApiState>,
    caller: Caller,
    here: Here,
    Body(body): Body<CallBody>,
) -> Result<Json<TicketJson>, Problem> {
    let line = Line::of(&state, &caller, body.user_id).await?;
    let ticket = line.ask(body.call_id, Ask::Claim).await?;
    let ticket = ticket.ok_or_else(|| refused(Refused::NotNow))?;
    line.ticket(&state, &here, ticket, "ACTIVE").await.map(Json)
}

/// Holds a call, goes on, presses keys, or hands the other side over to somebody else.
#[utoipa::path(
    post, path = "/api/voip/act", tag = "voip", request_body = ActBody,
    responses((status = 200, description = "It was done", body = DoneJson), Refusals, Named, Sent)
)]
pub(crate) async fn act(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<ActBody>,
) -> Result<Json<DoneJson>, Problem> {
    let line = Line::of(&state, &caller, body.user_id).await?;
    match body.act.as_str() {
        "hold" => drop(line.ask(body.call_id, Ask::Hold(true)).await?),
        "resume" => drop(line.ask(body.call_id, Ask::Hold(false)).await?),
        "keys" => drop(
            line.ask(body.call_id, Ask::Digits(body.keys.unwrap_or_default()))
                .await?,
        ),
        _ => {
            let phones = line.phones.ok_or_else(|| refused(Refused::NoCall))?;
            let to = body.to.unwrap_or_default();
            let call = CallId::from_uuid(body.call_id);
            phones.hand_over(line.owner, call, to.trim()).await.map_err(refused)?;
        }
    }
    Ok(Json(DoneJson { success: true }))
}
