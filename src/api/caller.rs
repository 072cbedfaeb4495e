//! Who calls the interface, and the one way to a tenant's data.

use crate::problem::Problem;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use strowger_access::{Access, Bearer, Principal};
use strowger_model::TenantId;
use strowger_model::role::Permission;
use strowger_store::Scope;

/// A program with a valid API token.
#[derive(Clone)]
pub struct Caller(Bearer);

impl Caller {
    /// The tenant's data, for those who may do that.
    ///
    /// # Errors
    /// 403: the token's role does not allow it.
    pub fn may(&self, permission: Permission) -> Result<Scope, Problem> {
        Ok(self.0.scope(permission)?)
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.0.tenant()
    }

    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        self.0.principal()
    }

    /// Who the audit log says it was.
    #[must_use]
    pub fn actor(&self) -> &str {
        self.0.principal().actor()
    }
}

impl<S> FromRequestParts<S> for Caller
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Bearer::from_request_parts(parts, state).await?))
    }
}
