//! `/api/internal-call/*` and `/api/livekit/token`: browser calls between colleagues, who meet by writing
//! the same name. The keys of bodies and answers are those existing front ends use.

use super::door::{self, Here, Joiner};
use super::{known_user, running};
use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::stamp;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_access::Via;
use strowger_model::meeting::{Meeting, RoomRole, name_fault};
use strowger_model::role::Permission;
use strowger_model::{RoomId, UserId};
use strowger_store::{Actor, Error, MeetingChange, Scope};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(livekit_token))
        .routes(routes!(active))
        .routes(routes!(leave))
        .routes(routes!(end))
}

/// Who wants to join which room. The room is made when there is none of that name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinBody {
    /// The room's name.
    #[serde(alias = "room")]
    #[schema(example = "Daily Standup")]
    room_name: String,
    /// The name others see; that of the user when absent.
    #[serde(alias = "name", alias = "identity")]
    participant_name: Option<String>,
    /// The user who joins; without one somebody the program vouches for.
    user_id: Option<Uuid>,
}

impl Checked for JoinBody {
    fn check(&self, faults: &mut Faults) {
        if let Some(fault) = name_fault(&self.room_name) {
            faults.unless(false, "roomName", fault);
        }
        faults.at_most(60, "participantName", self.participant_name.as_deref());
        let named = self.user_id.is_some()
            || self
                .participant_name
                .as_deref()
                .is_some_and(|name| !name.trim().is_empty());
        faults.unless(named, "participantName", "say who joins");
    }
}

/// What a client needs to join.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinJson {
    /// The token; its life is the setting `room_token_hours`.
    token: String,
    /// The room's id, opaque and the tenant's alone: `callId` of the other paths.
    room_id: Uuid,
    /// Where the client connects.
    ws_url: String,
    /// The tenant's name.
    enterprise_name: String,
}

/// Lets somebody join a room by its name.
#[utoipa::path(
    post, path = "/api/internal-call/token", tag = "rooms", request_body = JoinBody,
    responses((status = 200, description = "What the client needs", body = JoinJson), Refusals, Sent)
)]
pub(crate) async fn token(
    State(state): State<ApiState>,
    caller: Caller,
    here: Here,
    Body(body): Body<JoinBody>,
) -> Result<Json<JoinJson>, Problem> {
    join(&state, &caller, &here, body).await.map(Json)
}

/// Lets somebody join a room by its name.
#[utoipa::path(
    post, path = "/api/livekit/token", tag = "rooms", request_body = JoinBody,
    responses((status = 200, description = "What the client needs", body = JoinJson), Refusals, Sent)
)]
pub(crate) async fn livekit_token(
    State(state): State<ApiState>,
    caller: Caller,
    here: Here,
    Body(body): Body<JoinBody>,
) -> Result<Json<JoinJson>, Problem> {
    join(&state, &caller, &here, body).await.map(Json)
}

async fn join(state: &ApiState, caller: &Caller, here: &Here, body: JoinBody) -> Result<JoinJson, Problem> {
    let scope = caller.may(Permission::UsePhone)?;
    door::rooms(state)?;
    let user = match body.user_id {
        Some(user) => Some(known_user(&scope, "userId", user).await?),
        None => None,
    };
    let meeting = named(state, caller, &scope, user, &body.room_name).await?;
    let joiner = joiner(caller, &scope, &meeting, user, body.participant_name).await?;
    let token = door::token(state, &meeting, &joiner).await?;
    let tenant = state.access.store().tenants().get(caller.tenant()).await?;
    Ok(JoinJson {
        token,
        room_id: meeting.id().uuid(),
        ws_url: here.ws(),
        enterprise_name: tenant.map(|tenant| tenant.name).unwrap_or_default(),
    })
}

/// The room of a name, made when there is none; its first user is its host.
async fn named(
    state: &ApiState,
    caller: &Caller,
    scope: &Scope,
    user: Option<UserId>,
    name: &str,
) -> Result<Meeting, Problem> {
    let meetings = scope.meetings();
    if let Some(meeting) = meetings.named(name).await? {
        return Ok(meeting);
    }
    let actor = Actor::named(caller.actor());
    match meetings.create(&actor, user, MeetingChange::named(name)).await {
        Ok(meeting) => {
            state.calls.reload();
            Ok(meeting)
        }
        // Somebody was faster with the same name.
        Err(Error::Taken { .. }) => Ok(meetings.named(name).await?.ok_or_else(|| Problem::not_found("room"))?),
        Err(error) => Err(error.into()),
    }
}

async fn joiner(
    caller: &Caller,
    scope: &Scope,
    meeting: &Meeting,
    user: Option<UserId>,
    name: Option<String>,
) -> Result<Joiner, Problem> {
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let Some(user) = user else {
        let name = name.unwrap_or_default();
        return Ok(Joiner {
            identity: format!("{}:{name}", program(caller)),
            name,
            role: RoomRole::Participant,
        });
    };
    let given = scope.meetings().role_of(meeting.id(), user).await?;
    let row = scope
        .users()
        .get(user)
        .await?
        .ok_or_else(|| Problem::not_found("user"))?;
    Ok(Joiner {
        identity: user.to_string(),
        name: name.unwrap_or(row.name),
        role: RoomRole::by_office(row.role, given),
    })
}

/// What the identities that a program vouches for begin with: two programs never take each other's.
fn program(caller: &Caller) -> String {
    match caller.principal().via() {
        Via::Token(token) => format!("program-{}", token.uuid().simple()),
        Via::Session(session) => format!("program-{}", session.uuid().simple()),
    }
}

/// A call between colleagues that goes on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InternalCallJson {
    /// The room's id.
    call_id: Uuid,
    /// The same.
    room_id: Uuid,
    /// The room's name.
    room_name: String,
    /// Its title.
    title: String,
    /// How many are in.
    participant_count: u32,
    /// When it began.
    started_at: String,
    /// Who made the room.
    created_by: String,
}

/// The calls that go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveJson {
    /// One a running room.
    calls: Vec<InternalCallJson>,
}

/// Lists the browser calls that go on.
#[utoipa::path(
    get, path = "/api/internal-call/active", tag = "rooms",
    responses((status = 200, description = "The calls", body = ActiveJson), Refusals)
)]
pub(crate) async fn active(State(state): State<ApiState>, caller: Caller) -> Result<Json<ActiveJson>, Problem> {
    let scope = caller
        .may(Permission::UsePhone)
        .or_else(|_| caller.may(Permission::ReadAllCalls))?;
    let running = match &state.rooms {
        Some(rooms) => rooms.list(caller.tenant(), &[]).await,
        None => Vec::new(),
    };
    let meetings = scope.meetings().list().await?;
    let calls = running
        .iter()
        .filter(|room| room.num_participants > 0)
        .filter_map(|room| {
            let meeting = meetings.iter().find(|meeting| meeting.room.name == room.name)?;
            let began = OffsetDateTime::from_unix_timestamp(room.creation_time).ok()?;
            Some(InternalCallJson {
                call_id: meeting.id().uuid(),
                room_id: meeting.id().uuid(),
                room_name: room.name.clone(),
                title: meeting.title.clone(),
                participant_count: room.num_participants,
                started_at: stamp(began),
                created_by: meeting.created_by.clone(),
            })
        });
    Ok(Json(ActiveJson { calls: calls.collect() }))
}

/// On whose behalf.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BehalfBody {
    /// The user.
    user_id: Option<Uuid>,
    /// Without a user, the name somebody joined under.
    participant_name: Option<String>,
}

impl Checked for BehalfBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(60, "participantName", self.participant_name.as_deref());
    }
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuccessJson {
    /// Always `true`; what fails is a problem.
    success: bool,
}

/// Takes somebody out of a call. Whoever is not in is out already.
#[utoipa::path(
    post, path = "/api/internal-call/leave/{id}", tag = "rooms",
    params(("id" = Uuid, Path, description = "The call: `roomId` of the token's answer")), request_body = BehalfBody,
    responses((status = 200, description = "They are out", body = SuccessJson), Refusals, Named, Sent)
)]
pub(crate) async fn leave(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    Body(body): Body<BehalfBody>,
) -> Result<Json<SuccessJson>, Problem> {
    let scope = caller.may(Permission::UsePhone)?;
    let meeting = super::found(&scope, id).await?;
    let identity = match (body.user_id, body.participant_name) {
        (Some(user), _) => known_user(&scope, "userId", user).await?.to_string(),
        (None, name) => format!("{}:{}", program(&caller), name.unwrap_or_default().trim()),
    };
    if let Some(rooms) = &state.rooms {
        // Who is not in is out.
        let _ = rooms.remove(&running(&meeting), &identity).await;
    }
    Ok(Json(SuccessJson { success: true }))
}

/// Ends a call for everybody: for whoever made the room, its host, and those who steer the tenant's calls.
#[utoipa::path(
    post, path = "/api/internal-call/end/{id}", tag = "rooms",
    params(("id" = Uuid, Path, description = "The call: `roomId` of the token's answer")), request_body = BehalfBody,
    responses((status = 200, description = "It is over", body = SuccessJson), Refusals, Named, Sent)
)]
pub(crate) async fn end(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    Body(body): Body<BehalfBody>,
) -> Result<Json<SuccessJson>, Problem> {
    let scope = caller.may(Permission::UsePhone)?;
    let meeting = super::found(&scope, id).await?;
    let may_end = match body.user_id {
        Some(user) => {
            let user = known_user(&scope, "userId", user).await?;
            scope.meetings().role_of(id, user).await? == RoomRole::Host
        }
        None => meeting.created_by == caller.actor() || caller.may(Permission::ManageCalls).is_ok(),
    };
    if !may_end {
        let detail = "only whoever made this room or hosts it may end it";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not_host", detail));
    }
    if let Some(rooms) = &state.rooms {
        // Not running is over.
        let _ = rooms.delete(&running(&meeting)).await;
    }
    let actor = Actor::named(caller.actor());
    scope.audit().write(&actor, "room.end", &id.to_string(), "").await?;
    Ok(Json(SuccessJson { success: true }))
}
