//! Who sits at which desk: a signed-in person looking at one tenant, whose id stands in the address.
//!
//! [`Desk`] is for pages, [`Sent`] for forms, [`SentFile`] for forms with a file. A handler that names
//! one of them has asked who it is, whether they may see this tenant and, for forms, whether the
//! form is ours. What their role may do, it asks by [`Desk::may`].

use crate::fault::Fault;
use crate::menu;
use crate::show::{Shell, Values};
use crate::state::ConsoleState;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use strowger_access::{Posted, PostedUpload, Principal, Signed, Upload};
use strowger_model::record::Tenant;
use strowger_model::role::Permission;
use strowger_model::{Role, TenantId, UserId};
use strowger_store::{Actor, Scope};

/// A person at a tenant's desk.
#[derive(Clone)]
pub struct Desk {
    /// The console.
    pub state: ConsoleState,
    /// The tenant.
    pub tenant: Tenant,
    /// The tenant's data.
    pub scope: Scope,
    who: Signed,
    path: String,
    query: Values,
}

impl Desk {
    async fn sit(state: &ConsoleState, who: Signed, tenant: Option<TenantId>, seen: Seen) -> Result<Self, Fault> {
        let tenant = tenant.ok_or(Fault::NotFound)?;
        let principal = who.principal();
        let may_enter = principal.role() == Role::PlatformAdmin || principal.tenant() == Some(tenant);
        if !may_enter {
            return Err(Fault::NotFound);
        }
        let tenant = state.store().tenants().get(tenant).await?.ok_or(Fault::NotFound)?;
        Ok(Self {
            scope: state.store().tenant(tenant.id),
            state: state.clone(),
            tenant,
            who,
            path: seen.path,
            query: seen.query,
        })
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.who.principal()
    }

    /// The person's id.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.principal().user()
    }

    /// Their role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.principal().role()
    }

    /// Lets only those pass who may do that.
    ///
    /// # Errors
    /// They may not.
    pub fn may(&self, permission: Permission) -> Result<(), Fault> {
        self.who.require(permission).map_err(Fault::from)
    }

    /// Whether they may do that.
    #[must_use]
    pub fn can(&self, permission: Permission) -> bool {
        self.principal().may(permission)
    }

    /// The person as the audit log names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::named(self.principal().actor())
    }

    /// The tenant's address: `/t/ID`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("/t/{}", self.tenant.id)
    }

    /// The query of the address.
    #[must_use]
    pub fn query(&self) -> &Values {
        &self.query
    }

    /// Where the request came from, for audit rows.
    #[must_use]
    pub fn source(&self) -> String {
        self.who.source().address.to_string()
    }

    /// This machine as the browser's address bar names it, `https://pbx.example`, for links that are
    /// passed on; empty when the request does not say.
    #[must_use]
    pub fn origin(&self, headers: &axum::http::HeaderMap) -> String {
        let scheme = if self.who.source().https { "https" } else { "http" };
        let host = headers
            .get(axum::http::header::HOST)
            .and_then(|host| host.to_str().ok());
        host.map(|host| format!("{scheme}://{host}")).unwrap_or_default()
    }

    /// The user whose calls they may see: `None` sees all of the tenant.
    #[must_use]
    pub fn sees_only(&self) -> Option<UserId> {
        if self.can(Permission::ReadAllCalls) {
            None
        } else {
            self.user()
        }
    }

    /// What surrounds the page.
    #[must_use]
    pub fn shell(&self) -> Shell {
        let live = self.state.exchange().live_calls(self.tenant.id).len();
        menu::shell(
            &self.state,
            &self.who,
            Some(&self.tenant),
            (&self.path, self.query.get("done")),
            i64::try_from(live).unwrap_or(i64::MAX),
        )
    }

    /// Goes to a page of this tenant after a form, which then says what was done.
    #[must_use]
    pub fn back(&self, path: &str, done: &str) -> Response {
        let (path, fragment) = path
            .split_once('#')
            .map_or((path, ""), |(path, fragment)| (path, fragment));
        let joint = if path.contains('?') { '&' } else { '?' };
        let hash = if fragment.is_empty() {
            String::new()
        } else {
            format!("#{fragment}")
        };
        Redirect::to(&format!("{}{path}{joint}done={done}{hash}", self.base())).into_response()
    }
}

/// Lets those pass who run the tenant or read all of it.
///
/// # Errors
/// They may not.
pub fn sees_tenant(desk: &Desk) -> Result<(), Fault> {
    either(desk, Permission::ManageTenant, Permission::ReadAudit)
}

/// Lets those pass who steer flows or read all of the tenant.
///
/// # Errors
/// They may not.
pub fn sees_routing(desk: &Desk) -> Result<(), Fault> {
    either(desk, Permission::ManageFlows, Permission::ReadAudit)
}

fn either(desk: &Desk, one: Permission, other: Permission) -> Result<(), Fault> {
    if desk.can(one) || desk.can(other) {
        Ok(())
    } else {
        Err(Fault::forbidden(one))
    }
}

/// The tenant somebody belongs to or works in.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn tenant_of_person(state: &ConsoleState, who: &Signed) -> Result<Option<Tenant>, Fault> {
    match who.principal().tenant() {
        Some(tenant) => Ok(state.store().tenants().get(tenant).await?),
        None => Ok(None),
    }
}

/// What the address says.
struct Seen {
    path: String,
    query: Values,
}

impl Seen {
    fn of(parts: &Parts) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            query: crate::query::parsed(parts.uri.query().unwrap_or_default()),
        }
    }
}

async fn tenant_of(parts: &mut Parts, state: &ConsoleState) -> Option<TenantId> {
    let path = RawPathParams::from_request_parts(parts, state).await.ok()?;
    path.iter().find(|(name, _)| *name == "tenant")?.1.parse().ok()
}

impl FromRequestParts<ConsoleState> for Desk {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &ConsoleState) -> Result<Self, Fault> {
        let who = Signed::from_request_parts(parts, state).await?;
        let tenant = tenant_of(parts, state).await;
        Self::sit(state, who, tenant, Seen::of(parts)).await
    }
}

/// A form sent from a tenant's desk.
pub struct Sent {
    /// Who sent it, and for which tenant.
    pub desk: Desk,
    /// What was typed.
    pub values: Values,
}

impl FromRequest<ConsoleState> for Sent {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &ConsoleState) -> Result<Self, Fault> {
        let (mut parts, body) = request.into_parts();
        let tenant = tenant_of(&mut parts, state).await;
        let seen = Seen::of(&parts);
        let request = Request::from_parts(parts, body);
        let posted = Posted::<Vec<(String, String)>>::from_request(request, state).await?;
        let desk = Desk::sit(state, posted.who, tenant, seen).await?;
        Ok(Self {
            desk,
            values: posted.form.into_iter().collect(),
        })
    }
}

/// A form with a file sent from a tenant's desk.
pub struct SentFile {
    /// Who sent it, and for which tenant.
    pub desk: Desk,
    /// What was typed.
    pub values: Values,
    /// The file, when one was chosen.
    pub file: Option<Upload>,
}

impl FromRequest<ConsoleState> for SentFile {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &ConsoleState) -> Result<Self, Fault> {
        let (mut parts, body) = request.into_parts();
        let tenant = tenant_of(&mut parts, state).await;
        let seen = Seen::of(&parts);
        let posted = PostedUpload::from_request(Request::from_parts(parts, body), state).await?;
        let desk = Desk::sit(state, posted.who, tenant, seen).await?;
        Ok(Self {
            desk,
            values: posted.fields.into_iter().collect(),
            file: posted.file,
        })
    }
}

/// A platform administrator's desk: no tenant.
#[derive(Clone)]
pub struct PlatformDesk {
    /// The console.
    pub state: ConsoleState,
    who: Signed,
    path: String,
    query: Values,
}

impl PlatformDesk {
    fn sit(state: &ConsoleState, who: Signed, seen: Seen) -> Result<Self, Fault> {
        who.require(Permission::ManagePlatform)?;
        Ok(Self {
            state: state.clone(),
            who,
            path: seen.path,
            query: seen.query,
        })
    }

    /// The person as the audit log names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::named(self.who.principal().actor())
    }

    /// The query of the address.
    #[must_use]
    pub fn query(&self) -> &Values {
        &self.query
    }

    /// What surrounds the page.
    #[must_use]
    pub fn shell(&self) -> Shell {
        menu::shell(&self.state, &self.who, None, (&self.path, self.query.get("done")), 0)
    }
}

impl FromRequestParts<ConsoleState> for PlatformDesk {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &ConsoleState) -> Result<Self, Fault> {
        let who = Signed::from_request_parts(parts, state).await?;
        Self::sit(state, who, Seen::of(parts))
    }
}

/// A form sent from a platform administrator's desk.
pub struct PlatformSent {
    /// Who sent it.
    pub desk: PlatformDesk,
    /// What was typed.
    pub values: Values,
}

impl FromRequest<ConsoleState> for PlatformSent {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &ConsoleState) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let seen = Seen::of(&parts);
        let posted = Posted::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self {
            desk: PlatformDesk::sit(state, posted.who, seen)?,
            values: posted.form.into_iter().collect(),
        })
    }
}
