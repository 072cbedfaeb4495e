//! `/api/room-keys` and `/api/room-webhooks`: with what programs sign tokens to rooms, and who is told what
//! happens in rooms.

use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Listing, stamp};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_access::Access;
use strowger_model::WebhookId;
use strowger_model::record::{RoomKey, RoomWebhook, WebhookPost};
use strowger_model::role::Permission;
use strowger_store::Actor;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
        .routes(routes!(webhooks, add_webhook))
        .routes(routes!(remove_webhook))
}

/// A key to rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomKeyJson {
    /// What tokens name it by, in their `iss`.
    #[schema(example = "APIk7m2x9qfw3th")]
    api_key: String,
    /// What people call it.
    name: String,
    /// Whether the product signs its own tokens with it.
    is_own: bool,
    /// When a token signed with it was last shown, to the minute.
    last_used_at: Option<String>,
    /// When it was made.
    created_at: String,
    /// What tokens are signed with, in the answer that made it only; nobody can read it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_secret: Option<String>,
}

impl From<RoomKey> for RoomKeyJson {
    fn from(key: RoomKey) -> Self {
        Self {
            api_key: key.id,
            name: key.name,
            is_own: key.own,
            last_used_at: key.last_used_at.map(stamp),
            created_at: stamp(key.created_at),
            api_secret: None,
        }
    }
}

fn whole<T>(items: Vec<T>) -> Json<Listing<T>> {
    Json(Listing {
        items,
        next_cursor: None,
    })
}

/// Lists the tenant's keys to rooms, oldest first.
#[utoipa::path(
    get, path = "/api/room-keys", tag = "rooms",
    responses((status = 200, description = "The keys, without secrets", body = Listing<RoomKeyJson>), Refusals)
)]
pub(crate) async fn list(caller: Caller) -> Result<Json<Listing<RoomKeyJson>>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let keys = scope.room_keys().list().await?;
    Ok(whole(keys.into_iter().map(RoomKeyJson::from).collect()))
}

/// A key that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RoomKeyBody {
    /// What people call it.
    #[schema(example = "Booking site")]
    name: String,
}

impl Checked for RoomKeyBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(!self.name.trim().is_empty(), "name", "give it a name");
        faults.at_most(100, "name", Some(&self.name));
    }
}

/// Makes a key to rooms. The answer holds its secret, which nobody can read again.
#[utoipa::path(
    post, path = "/api/room-keys", tag = "rooms", request_body = RoomKeyBody,
    responses((status = 201, description = "The key with its secret", body = RoomKeyJson), Refusals, Sent)
)]
pub(crate) async fn create(
    State(access): State<Access>,
    caller: Caller,
    Body(body): Body<RoomKeyBody>,
) -> Result<(StatusCode, Json<RoomKeyJson>), Problem> {
    caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    let made = access.create_room_key(&actor, caller.tenant(), body.name.trim()).await;
    let (key, secret) = made.map_err(|error| match error {
        strowger_access::Error::Store(error) => Problem::from(error),
        error @ (strowger_access::Error::Weak(_)
        | strowger_access::Error::Hash
        | strowger_access::Error::TooMany { .. }
        | strowger_access::Error::Sign
        | strowger_access::Error::TokenRole) => {
            tracing::error!(%error, "cannot make a key to rooms");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the key could not be made",
            )
        }
    })?;
    let mut json = RoomKeyJson::from(key);
    json.api_secret = Some(secret);
    Ok((StatusCode::CREATED, Json(json)))
}

/// Revokes a key and with it every token signed with it.
#[utoipa::path(
    delete, path = "/api/room-keys/{id}", tag = "rooms",
    params(("id" = String, Path, description = "The API key")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn revoke(caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    if scope.room_keys().remove(&Actor::named(caller.actor()), &id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("room key"))
    }
}

/// The events that are listed for each address.
const EVENTS: usize = 50;

/// The events that are looked through for that.
const MOST_EVENTS: i64 = 1_000;

/// An address that is told what happens in rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookJson {
    /// Its id.
    id: Uuid,
    /// Where to.
    url: String,
    /// The API key its messages are signed with.
    api_key: String,
    /// When something was last told there.
    told_at: Option<String>,
    /// Why the last telling failed, if it did.
    problem: Option<String>,
    /// The last fifty events that were told, or wait to be, newest first; in lists only.
    last_events: Vec<WebhookEventJson>,
    /// When it was made.
    created_at: String,
}

/// An event that was told to an address, or waits to be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEventJson {
    /// What happened, such as `room_started`.
    event: String,
    /// `waiting`, `taken` or `given_up`.
    state: String,
    /// How often it was sent.
    tries: i64,
    /// Why it was not taken the last time.
    problem: Option<String>,
    /// When it happened.
    created_at: String,
    /// When it was taken or given up.
    told_at: Option<String>,
}

impl From<WebhookPost> for WebhookEventJson {
    fn from(post: WebhookPost) -> Self {
        Self {
            event: post.event,
            state: post.state,
            tries: post.tries,
            problem: post.problem,
            created_at: stamp(post.created_at),
            told_at: post.told_at.map(stamp),
        }
    }
}

impl From<RoomWebhook> for WebhookJson {
    fn from(webhook: RoomWebhook) -> Self {
        Self {
            id: webhook.id.uuid(),
            url: webhook.url,
            api_key: webhook.key,
            told_at: webhook.told_at.map(stamp),
            problem: webhook.problem,
            last_events: Vec::new(),
            created_at: stamp(webhook.created_at),
        }
    }
}

/// Lists the addresses that are told what happens in rooms, oldest first.
#[utoipa::path(
    get, path = "/api/room-webhooks", tag = "rooms",
    responses((status = 200, description = "The addresses", body = Listing<WebhookJson>), Refusals)
)]
pub(crate) async fn webhooks(caller: Caller) -> Result<Json<Listing<WebhookJson>>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let area = scope.room_webhooks();
    let mut listed: Vec<WebhookJson> = area.list().await?.into_iter().map(WebhookJson::from).collect();
    for (webhook, post) in area.last_posts(MOST_EVENTS).await? {
        let of = listed.iter_mut().find(|listed| listed.id == webhook.uuid());
        if let Some(of) = of.filter(|of| of.last_events.len() < EVENTS) {
            of.last_events.push(post.into());
        }
    }
    Ok(whole(listed))
}

/// An address that is to be told.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct WebhookBody {
    /// Where to; must not lie inside the machine or its private network.
    #[schema(example = "https://booking.example/livekit")]
    url: String,
    /// The API key its messages are signed with.
    api_key: String,
}

impl Checked for WebhookBody {
    fn check(&self, faults: &mut Faults) {
        let good = self.url.starts_with("https://") || self.url.starts_with("http://");
        faults.unless(good, "url", "begin with https:// or http://");
        faults.at_most(2000, "url", Some(&self.url));
    }
}

/// Adds an address. It is told at once.
#[utoipa::path(
    post, path = "/api/room-webhooks", tag = "rooms", request_body = WebhookBody,
    responses((status = 201, description = "The address", body = WebhookJson), Refusals, Sent)
)]
pub(crate) async fn add_webhook(
    caller: Caller,
    Body(body): Body<WebhookBody>,
) -> Result<(StatusCode, Json<WebhookJson>), Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    if scope.room_keys().known(&body.api_key).await?.is_none() {
        return Err(Problem::field("api_key", "there is no such key"));
    }
    let actor = Actor::named(caller.actor());
    let webhook = scope.room_webhooks().create(&actor, &body.url, &body.api_key).await?;
    Ok((StatusCode::CREATED, Json(webhook.into())))
}

/// Removes an address; it is told nothing more.
#[utoipa::path(
    delete, path = "/api/room-webhooks/{id}", tag = "rooms",
    params(("id" = Uuid, Path, description = "The address's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove_webhook(caller: Caller, Id(id): Id<WebhookId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let removed = scope.room_webhooks().remove(&Actor::named(caller.actor()), id).await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("webhook"))
    }
}
