//! A page's visitor: somebody with a signed-in browser.

use super::{Refusal, SESSION_COOKIE, Source, TENANT_COOKIE};
use crate::principal::Principal;
use crate::{Access, csrf};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum_extra::extract::CookieJar;
use strowger_model::TenantId;
use strowger_model::role::Permission;
use strowger_store::Scope;

/// Somebody with a signed-in browser. Without a session the visitor is sent to `/login?next=…`.
#[derive(Clone)]
pub struct Signed {
    access: Access,
    principal: Principal,
    secret: String,
    source: Source,
}

impl Signed {
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The token that every form of this visitor's pages carries in its field `csrf`.
    #[must_use]
    pub fn csrf(&self) -> String {
        csrf::token(&self.secret)
    }

    /// Where the request came from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Lets only those pass who may do that.
    ///
    /// # Errors
    /// They may not.
    pub fn require(&self, permission: Permission) -> Result<(), Refusal> {
        if self.principal.may(permission) {
            Ok(())
        } else {
            Err(Refusal::Forbidden(permission))
        }
    }

    /// The data of the visitor's tenant, for those who may do that.
    ///
    /// # Errors
    /// They may not, or a platform administrator has not chosen a tenant.
    pub fn scope(&self, permission: Permission) -> Result<Scope, Refusal> {
        self.require(permission)?;
        let tenant = self.principal.tenant().ok_or(Refusal::ChooseTenant)?;
        Ok(self.access.store().tenant(tenant))
    }

    /// Ends this session, here and in the database.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sign_out(&self) -> Result<(), Refusal> {
        self.access
            .end_secret(&self.secret)
            .await
            .map_err(|_| Refusal::Unavailable)
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Finds the visitor of a request.
    pub(crate) async fn find(parts: &Parts, access: Access) -> Result<Self, Refusal> {
        let jar = CookieJar::from_headers(&parts.headers);
        let nobody = || Refusal::SignInFirst {
            next: way_back(parts),
            script: parts.headers.contains_key("hx-request"),
        };
        let secret = jar.get(SESSION_COOKIE).ok_or_else(nobody)?.value().to_owned();
        let found = access.session(&secret).await.map_err(|_| Refusal::Unavailable)?;
        let mut principal = found.ok_or_else(nobody)?;
        // Only somebody who belongs to no tenant may choose one, and only a platform administrator does.
        if principal.tenant().is_none()
            && principal.may(Permission::ManagePlatform)
            && let Some(chosen) = jar.get(TENANT_COOKIE)
            && let Ok(tenant) = chosen.value().parse::<TenantId>()
        {
            principal = principal.working_in(tenant);
        }
        let source = Source::of(parts, &access);
        Ok(Self {
            access,
            principal,
            secret,
            source,
        })
    }
}

/// The page to come back to: the one asked for, or the one a form or script was sent from.
fn way_back(parts: &Parts) -> String {
    if parts.method == Method::GET && !parts.headers.contains_key("hx-request") {
        return parts
            .uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned());
    }
    let from = parts.headers.get(header::REFERER).and_then(|from| from.to_str().ok());
    from.and_then(|from| from.parse::<axum::http::Uri>().ok())
        .and_then(|uri| Some(uri.path_and_query()?.as_str().to_owned()))
        .unwrap_or_else(|| "/".to_owned())
}

impl<S> FromRequestParts<S> for Signed
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Self::find(parts, Access::from_ref(state)).await
    }
}
