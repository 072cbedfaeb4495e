//! Guests' links of a room.

use super::door::Here;
use super::found;
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
use strowger_access::secret;
use strowger_model::meeting::GuestLink;
use strowger_model::role::Permission;
use strowger_model::{GuestLinkId, RoomId};
use strowger_store::{Actor, NewGuestLink};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// A guest's link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkJson {
    /// Its id.
    id: Uuid,
    /// The room.
    room_id: Uuid,
    /// Whom it is for.
    label: String,
    /// `alive`, `used`, `expired` or `revoked`.
    state: &'static str,
    /// Whether it lets one person in, once.
    once: bool,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was made.
    created_at: String,
    /// Where the guest joins, in the answer that made it only; nobody can read it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl LinkJson {
    fn of(link: &GuestLink, now: OffsetDateTime) -> Self {
        Self {
            id: link.id.uuid(),
            room_id: link.room.uuid(),
            label: link.label.clone(),
            state: link.state(now).code(),
            once: link.once,
            expires_at: link.expires_at.map(stamp),
            created_at: stamp(link.created_at),
            url: None,
        }
    }
}

/// The links of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkList {
    /// Newest first.
    items: Vec<LinkJson>,
}

/// Lists a room's guest links.
#[utoipa::path(
    get, path = "/api/rooms/{id}/links", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    responses((status = 200, description = "The links", body = LinkList), Refusals, Named)
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
) -> Result<Json<LinkList>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    found(&scope, id).await?;
    let now = state.access.world().now();
    let links = scope.guest_links().of_room(id).await?;
    let items = links.iter().map(|link| LinkJson::of(link, now));
    Ok(Json(LinkList { items: items.collect() }))
}

/// A link that is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct LinkBody {
    /// Whom it is for.
    label: String,
    /// Whether it lets one person in, once.
    once: bool,
    /// How long it lasts, in hours; 24 when absent, 0: until it is revoked.
    hours: Option<u32>,
}

impl Checked for LinkBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(100, "label", Some(&self.label));
        faults.unless(self.hours.is_none_or(|hours| hours <= 8784), "hours", "0 to 8784");
    }
}

/// Makes a guest's link. The answer holds its address, which nobody can read again.
#[utoipa::path(
    post, path = "/api/rooms/{id}/links", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    request_body = LinkBody,
    responses((status = 201, description = "The link with its address", body = LinkJson), Refusals, Named, Sent)
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    here: Here,
    Body(body): Body<LinkBody>,
) -> Result<(StatusCode, Json<LinkJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    found(&scope, id).await?;
    let now = state.access.world().now();
    let written = secret::random_hex(state.access.world());
    let hours = i64::from(body.hours.unwrap_or(24));
    let new = NewGuestLink {
        room: id,
        label: body.label,
        once: body.once,
        expires_at: (hours > 0).then(|| now + Duration::hours(hours)),
        secret_hash: secret::digest_hex(&written),
    };
    let link = scope.guest_links().create(&Actor::named(caller.actor()), new).await?;
    let mut json = LinkJson::of(&link, now);
    json.url = Some(format!("{}/join/{written}", here.http()));
    Ok((StatusCode::CREATED, Json(json)))
}

/// Takes a link back: from then on it answers 410.
#[utoipa::path(
    delete, path = "/api/guest-links/{id}", tag = "rooms", params(("id" = Uuid, Path, description = "The link's id")),
    responses((status = 204, description = "It lets nobody in any more"), Refusals, Named)
)]
pub(crate) async fn revoke(caller: Caller, Id(id): Id<GuestLinkId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    if scope.guest_links().revoke(&Actor::named(caller.actor()), id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("link"))
    }
}
