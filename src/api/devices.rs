//! `/api/devices`: the phones of users.

use crate::body::{Asked, Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_access::{Access, device_password};
use strowger_model::record::Device;
use strowger_model::role::Permission;
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::{DeviceId, UserId};
use strowger_store::{Actor, NewDevice};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(register))
        .routes(routes!(get, remove))
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    /// What people call it.
    device_name: String,
    /// The SIP user name.
    username: String,
    /// The digest algorithm it takes: `MD5` or `SHA-256`.
    algorithm: &'static str,
    /// Whether it may register and call.
    is_active: bool,
    /// When it was made.
    created_at: String,
    /// Its password, in the answer that made it only; nobody can read it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl From<Device> for DeviceJson {
    fn from(device: Device) -> Self {
        Self {
            id: device.id.uuid(),
            tenant_id: device.tenant.uuid(),
            user_id: device.user.uuid(),
            device_name: device.name,
            username: device.username,
            algorithm: device.algorithm.code(),
            is_active: device.active,
            created_at: stamp(device.created_at),
            password: None,
        }
    }
}

/// Which devices are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DevicesQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the tenant's devices.
#[utoipa::path(
    get, path = "/api/devices", tag = "devices", params(DevicesQuery),
    responses((status = 200, description = "The devices", body = Listing<DeviceJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<DevicesQuery>,
) -> Result<Json<Listing<DeviceJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let paged = scope
        .devices()
        .list(&page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, DeviceJson::from)))
}

/// A device that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RegisterBody {
    /// Whose it is.
    user_id: Uuid,
    /// What people call it.
    #[schema(example = "Desk phone")]
    device_name: String,
    /// The SIP user name, unique on this machine.
    #[schema(example = "ada-desk")]
    username: String,
    /// `MD5`, which every phone takes, or `SHA-256`.
    #[serde(default)]
    algorithm: Option<String>,
}

impl Checked for RegisterBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(!self.device_name.trim().is_empty(), "device_name", "give it a name");
        faults.at_most(100, "device_name", Some(&self.device_name));
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let good = (1..=64).contains(&self.username.len()) && self.username.chars().all(plain);
        faults.unless(good, "username", "1 to 64 letters, digits, `-`, `_` or `.`");
        let known = self
            .algorithm
            .as_deref()
            .is_none_or(|code| DigestAlgorithm::from_code(code).is_some());
        faults.unless(known, "algorithm", "MD5 or SHA-256");
    }
}

/// Makes a device. The answer holds its password, which nobody can read again.
#[utoipa::path(
    post, path = "/api/devices/register", tag = "devices", request_body = RegisterBody,
    responses((status = 201, description = "The device with its password", body = DeviceJson), Refusals, Sent)
)]
pub(crate) async fn register(
    State(access): State<Access>,
    caller: Caller,
    Body(body): Body<RegisterBody>,
) -> Result<(StatusCode, Json<DeviceJson>), Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let user = UserId::from_uuid(body.user_id);
    if scope.users().get(user).await?.is_none() {
        return Err(Problem::field("user_id", "there is no such user"));
    }
    let password = device_password(access.world());
    let algorithm = body.algorithm.as_deref().and_then(DigestAlgorithm::from_code);
    let new = NewDevice {
        user,
        name: body.device_name.trim().to_owned(),
        username: body.username,
        algorithm: algorithm.unwrap_or(DigestAlgorithm::Md5),
    };
    let actor = Actor::named(caller.actor());
    let device = scope.devices().create(&actor, new, &password).await?;
    let mut json = DeviceJson::from(device);
    json.password = Some(password);
    Ok((StatusCode::CREATED, Json(json)))
}

/// One device.
#[utoipa::path(
    get, path = "/api/devices/{id}", tag = "devices", params(("id" = Uuid, Path, description = "The device's id")),
    responses((status = 200, description = "The device", body = DeviceJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<DeviceId>) -> Result<Json<DeviceJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let device = scope.devices().get(id).await?;
    Ok(Json(device.ok_or_else(|| Problem::not_found("device"))?.into()))
}

/// Removes a device; it can no longer register or call.
#[utoipa::path(
    delete, path = "/api/devices/{id}", tag = "devices", params(("id" = Uuid, Path, description = "The device's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<DeviceId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let removed = scope.devices().remove(&Actor::named(caller.actor()), id).await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("device"))
    }
}
