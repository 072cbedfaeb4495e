//! Trunks made, changed and removed.

use super::{TrunkJson, shown};
use crate::body::{Body, Checked, Faults, Id, given};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use strowger_model::TrunkId;
use strowger_model::number::normalise;
use strowger_model::role::Permission;
use strowger_model::trunk::{Transport, TrunkKind, is_network};
use strowger_store::{Actor, Error, NewTrunk, TrunkChange};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Where SIP is spoken when nothing else is said.
const SIP_PORT: u16 = 5060;
/// The most calls at once when nothing else is said.
const CALLS: i64 = 30;
/// More than one machine carries.
const MOST_CALLS: i64 = 100_000;

/// A trunk as it is to be. In a change, what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TrunkBody {
    /// What people call it, unique in the tenant; needed in a new one.
    #[serde(default)]
    name: Option<String>,
    /// `address` (the default) or `registration`.
    #[serde(default)]
    kind: Option<String>,
    /// The provider's host; needed in a new one.
    #[serde(default)]
    host: Option<String>,
    /// Its port; 5060, or 5061 for TLS, when absent.
    #[serde(default)]
    port: Option<u16>,
    /// `udp` (the default), `tcp` or `tls`.
    #[serde(default)]
    transport: Option<String>,
    /// Addresses or networks its calls come from besides the host.
    #[serde(default)]
    addresses: Option<Vec<String>>,
    /// The user name it knows us by; null forgets it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    username: Option<Option<String>>,
    /// The password that goes with it. It is never shown again.
    #[serde(default)]
    password: Option<String>,
    /// The prefix of dialled numbers that go out here; the longest of all trunks wins, empty fits all.
    #[serde(default)]
    prefix: Option<String>,
    /// The most calls at once; 30 when absent.
    #[serde(default)]
    max_calls: Option<i64>,
    /// Whether it is used.
    #[serde(default)]
    is_active: Option<bool>,
}

impl Checked for TrunkBody {
    fn check(&self, faults: &mut Faults) {
        for (field, text) in [("name", &self.name), ("host", &self.host)] {
            let text = text.as_deref();
            faults.unless(
                text.is_none_or(|text| !text.trim().is_empty()),
                field,
                "write something",
            );
            faults.at_most(200, field, text);
        }
        let kind = self.kind.as_deref();
        let known = kind.is_none_or(|kind| TrunkKind::from_code(kind).is_some());
        faults.unless(known, "kind", "use address or registration");
        let transport = self.transport.as_deref();
        let known = transport.is_none_or(|transport| Transport::from_code(transport).is_some());
        faults.unless(known, "transport", "use udp, tcp or tls");
        faults.unless(self.port != Some(0), "port", "use a number from 1 to 65535");
        let addresses = self.addresses.as_deref().unwrap_or_default();
        let all = addresses.iter().all(|address| is_network(address));
        faults.unless(
            all,
            "addresses",
            "use addresses or networks such as 192.0.2.10 or 192.0.2.0/24",
        );
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let digits = prefix.is_empty() || prefix == "+" || normalise(prefix).is_some();
        faults.unless(digits, "prefix", "write the digits that outbound numbers begin with");
        let most = self.max_calls.is_none_or(|most| (1..=MOST_CALLS).contains(&most));
        faults.unless(most, "max_calls", "use a number from 1 to 100000");
    }
}

impl TrunkBody {
    /// The values, those of `old` where nothing is said.
    fn over(self, old: NewTrunk) -> Result<NewTrunk, Problem> {
        let kind = self.kind.as_deref().and_then(TrunkKind::from_code).unwrap_or(old.kind);
        let transport = self.transport.as_deref().and_then(Transport::from_code);
        let transport = transport.unwrap_or(old.transport);
        // Whoever changes the transport and not the port moves from one usual port to the other.
        let is_usual = old.port == old.transport.usual_port();
        let port = if is_usual { transport.usual_port() } else { old.port };
        let new = NewTrunk {
            name: self.name.unwrap_or(old.name),
            kind,
            host: self.host.unwrap_or(old.host),
            port: self.port.unwrap_or(port),
            transport,
            addresses: self.addresses.unwrap_or(old.addresses),
            username: self.username.unwrap_or(old.username).filter(|name| !name.is_empty()),
            password: self
                .password
                .filter(|password| !password.is_empty())
                .map(Zeroizing::new),
            prefix: self.prefix.unwrap_or(old.prefix),
            max_calls: self.max_calls.unwrap_or(old.max_calls),
        };
        let mut faults = Faults::default();
        faults.unless(!new.name.is_empty(), "name", "a trunk needs a name");
        faults.unless(!new.host.is_empty(), "host", "a trunk needs the provider's host");
        let named = kind == TrunkKind::Address || new.username.is_some();
        faults.unless(
            named,
            "username",
            "registration needs the user name the provider gave you",
        );
        faults.into_result()?;
        Ok(new)
    }
}

/// Makes a trunk. It is used from the next call on.
#[utoipa::path(
    post, path = "/api/trunks", tag = "trunks", request_body = TrunkBody,
    responses((status = 201, description = "The trunk", body = TrunkJson), Refusals, Sent)
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<TrunkBody>,
) -> Result<(StatusCode, Json<TrunkJson>), Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let new = body.over(NewTrunk {
        name: String::new(),
        kind: TrunkKind::Address,
        host: String::new(),
        port: SIP_PORT,
        transport: Transport::Udp,
        addresses: Vec::new(),
        username: None,
        password: None,
        prefix: String::new(),
        max_calls: CALLS,
    })?;
    let made = scope.trunks().create(&Actor::named(caller.actor()), new).await;
    let made = made.map_err(taken)?;
    Ok((StatusCode::CREATED, Json(shown(made, &state.calls.trunks()))))
}

/// Changes a trunk. Calls in progress go on as they began.
#[utoipa::path(
    patch, path = "/api/trunks/{id}", tag = "trunks", request_body = TrunkBody,
    params(("id" = Uuid, Path, description = "The trunk's id")),
    responses((status = 200, description = "The trunk as it is now", body = TrunkJson), Refusals, Named, Sent)
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TrunkId>,
    Body(body): Body<TrunkBody>,
) -> Result<Json<TrunkJson>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let missing = || Problem::not_found("trunk");
    let old = scope.trunks().get(id).await?.ok_or_else(missing)?;
    let active = body.is_active.unwrap_or(old.active);
    let values = body.over(NewTrunk {
        name: old.name,
        kind: old.kind,
        host: old.host,
        port: old.port,
        transport: old.transport,
        addresses: old.addresses,
        username: old.username,
        password: None,
        prefix: old.prefix,
        max_calls: old.max_calls,
    })?;
    let change = TrunkChange { values, active };
    let changed = scope.trunks().update(&Actor::named(caller.actor()), id, &change).await;
    let changed = changed.map_err(taken)?.ok_or_else(missing)?;
    Ok(Json(shown(changed, &state.calls.trunks())))
}

/// Removes a trunk. Calls through it end in order.
#[utoipa::path(
    delete, path = "/api/trunks/{id}", tag = "trunks", params(("id" = Uuid, Path, description = "The trunk's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<TrunkId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    if !scope.trunks().remove(&Actor::named(caller.actor()), id).await? {
        return Err(Problem::not_found("trunk"));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn taken(error: Error) -> Problem {
    if matches!(error, Error::Taken { .. }) {
        return Problem::conflict("trunk_taken", "another trunk has this name");
    }
    error.into()
}
