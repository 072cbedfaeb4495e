//! `/api/settings`: the cascade of platform, tenant and user.

use crate::body::{Asked, Body, Checked, Faults};
use crate::caller::Caller;
use crate::problem::{FieldError, Problem};
use crate::refusals::{Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use strowger_model::UserId;
use strowger_model::role::Permission;
use strowger_model::settings::{Entry, Invalid, KEYS, Kind, Layer, Lock, Settings, Tier};
use strowger_store::{Actor, Scope};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(get, put))
}

/// Whose settings, and how they are told.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SettingsQuery {
    /// The settings as they hold for this user; the tenant's when absent.
    user_id: Option<Uuid>,
    /// Tells of each value where it came from and who locked it.
    explain: Option<bool>,
}

/// A value and where it came from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    /// The value that counts.
    #[schema(value_type = Object)]
    value: Value,
    /// `platform`, `tenant`, `user`, or `default`.
    source: &'static str,
    /// The tier that holds a hard lock on it.
    locked_by: Option<&'static str>,
    /// Whether the value overrides a soft lock.
    overrides_soft_lock: bool,
    /// What it does.
    label: &'static str,
}

/// The effective settings: name to value, or name to value and origin with `?explain=1`.
#[utoipa::path(
    get, path = "/api/settings", tag = "settings", params(SettingsQuery),
    responses((status = 200, description = "Name to value, or to `Explained`", body = BTreeMap<String, Explained>), Refusals)
)]
pub(crate) async fn get(caller: Caller, Asked(query): Asked<SettingsQuery>) -> Result<Json<Value>, Problem> {
    let scope = caller
        .may(Permission::UsePhone)
        .or_else(|_| caller.may(Permission::ReadAllCalls))?;
    let user = user_of(&scope, query.user_id).await?;
    let settings = effective(&scope, user).await?;
    Ok(Json(Value::Object(write(&settings, query.explain.unwrap_or(false)))))
}

fn write(settings: &Settings, explain: bool) -> Map<String, Value> {
    let mut out = Map::new();
    for key in KEYS {
        let effective = settings.effective(key.name);
        let value = typed(key.kind, &effective.value);
        let told = if explain {
            serde_json::json!(Explained {
                value,
                source: effective.from.map_or("default", Tier::code),
                locked_by: effective.locked_by.map(Tier::code),
                overrides_soft_lock: effective.overrides_soft_lock,
                label: key.label,
            })
        } else {
            value
        };
        out.insert(key.name.to_owned(), told);
    }
    out
}

fn typed(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Switch => Value::Bool(text == "true"),
        Kind::Number(..) => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        Kind::Text(_) => Value::from(text),
    }
}

/// What is to be set.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SettingsBody {
    /// `tenant` (when absent), `user`, or `platform`, which no token may change.
    #[serde(default)]
    tier: Option<String>,
    /// The user, for the tier `user`.
    #[serde(default)]
    user_id: Option<Uuid>,
    /// Name to value; null takes the tier's own value away.
    #[schema(value_type = Object)]
    #[serde(default)]
    values: BTreeMap<String, Value>,
    /// Name to `unlocked`, `soft` or `hard`; people cannot lock.
    #[serde(default)]
    locks: BTreeMap<String, String>,
}

impl Checked for SettingsBody {
    fn check(&self, faults: &mut Faults) {
        let tier = self.tier.as_deref().is_none_or(|tier| Tier::from_code(tier).is_some());
        faults.unless(tier, "tier", "tenant, user or platform");
        let says_something = !(self.values.is_empty() && self.locks.is_empty());
        faults.unless(says_something, "values", "name at least one setting and its value");
        let person = self.tier.as_deref() == Some(Tier::User.code());
        faults.unless(
            !person || self.locks.is_empty(),
            "locks",
            "there is nothing below a user to lock",
        );
        for (name, lock) in &self.locks {
            let known = Lock::from_code(lock).is_some();
            faults.unless(known, &format!("locks.{name}"), "unlocked, soft or hard");
        }
    }
}

/// Sets values of the tenant or of a user. What a higher tier has locked hard is answered 423.
#[utoipa::path(
    put, path = "/api/settings", tag = "settings", request_body = SettingsBody,
    responses(
        (status = 200, description = "The settings as they hold now", body = BTreeMap<String, Explained>),
        (status = 423, description = "A higher tier has locked one of them", body = crate::problem::ProblemBody, content_type = "application/problem+json"),
        Refusals, Sent
    )
)]
pub(crate) async fn put(caller: Caller, Body(body): Body<SettingsBody>) -> Result<Json<Value>, Problem> {
    let tier = body.tier.as_deref().and_then(Tier::from_code).unwrap_or(Tier::Tenant);
    let scope = caller.may(match tier {
        Tier::Platform => Permission::ManagePlatform,
        Tier::Tenant | Tier::User => Permission::ManageTenant,
    })?;
    let user = match tier {
        Tier::User => {
            let user = user_of(&scope, body.user_id).await?;
            Some(user.ok_or_else(|| Problem::field("user_id", "say whose"))?)
        }
        Tier::Platform | Tier::Tenant => None,
    };
    let present = match user {
        Some(user) => scope.settings().user_layer(user).await?,
        None => scope.settings().layer().await?,
    };
    let entries = entries(&body, &present)?;
    let actor = Actor::named(caller.actor());
    // All are looked at before one is written.
    check(&effective(&scope, user).await?, tier, &entries)?;
    for (name, entry) in entries {
        match user {
            Some(user) => scope.settings().set_for(&actor, user, &name, entry.value).await?,
            None => scope.settings().set(&actor, &name, &entry).await?,
        }
    }
    let settings = effective(&scope, user).await?;
    Ok(Json(Value::Object(write(&settings, true))))
}

async fn effective(scope: &Scope, user: Option<UserId>) -> Result<Settings, Problem> {
    Ok(match user {
        Some(user) => scope.settings().resolve_for(user).await?,
        None => scope.settings().resolve().await?,
    })
}

fn check(settings: &Settings, tier: Tier, entries: &Layer) -> Result<(), Problem> {
    let mut errors = Vec::new();
    for (name, entry) in entries {
        let value = entry.value.clone().unwrap_or_else(|| settings.text(name));
        match settings.may_write(tier, name, &value) {
            Ok(()) if name == "time_zone" && !value.is_empty() && jiff::tz::TimeZone::get(&value).is_err() => {
                errors.push(FieldError {
                    field: format!("values.{name}"),
                    message: "there is no such time zone; write it like Europe/Berlin".to_owned(),
                });
            }
            Ok(()) => {}
            Err(locked @ Invalid::Locked(..)) => return Err(locked_by(&locked)),
            Err(invalid) => errors.push(FieldError {
                field: format!("values.{name}"),
                message: invalid.to_string(),
            }),
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}

/// What the tier is to say. A lock that is not sent stays, and so does a value.
fn entries(body: &SettingsBody, present: &Layer) -> Result<Layer, Problem> {
    let mut entries = Layer::new();
    let nothing = || Entry {
        value: None,
        lock: Lock::Unlocked,
    };
    let now = |name: &str| present.get(name).cloned().unwrap_or_else(nothing);
    for (name, value) in &body.values {
        let value = match value {
            Value::Null => None,
            Value::Bool(on) => Some(on.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            Value::Array(_) | Value::Object(_) => {
                return Err(Problem::field(format!("values.{name}"), "a switch, a number or a text"));
            }
        };
        entries.insert(name.clone(), Entry { value, ..now(name) });
    }
    for (name, code) in &body.locks {
        let lock = Lock::from_code(code).unwrap_or(Lock::Unlocked);
        entries.entry(name.clone()).or_insert_with(|| now(name)).lock = lock;
    }
    Ok(entries)
}

/// The refusal of a locked setting.
pub(crate) fn locked_by(invalid: &Invalid) -> Problem {
    Problem::new(StatusCode::LOCKED, "setting_locked", invalid.to_string())
        .hint("GET /api/settings?explain=1 tells who locked it")
}

async fn user_of(scope: &Scope, user: Option<Uuid>) -> Result<Option<UserId>, Problem> {
    let Some(user) = user.map(UserId::from_uuid) else {
        return Ok(None);
    };
    match scope.users().get(user).await? {
        Some(_) => Ok(Some(user)),
        None => Err(Problem::field("user_id", "there is no such user")),
    }
}
