//! A program with an API token.

use super::Source;
use crate::Access;
use crate::principal::Principal;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use strowger_model::TenantId;
use strowger_model::role::Permission;
use strowger_store::Scope;

/// A program with a valid API token in `Authorization: Bearer swt_…`.
#[derive(Clone)]
pub struct Bearer {
    access: Access,
    principal: Principal,
    tenant: TenantId,
    source: Source,
}

impl Bearer {
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The tenant the token belongs to.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Where the request came from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The tenant's data, for those who may do that.
    ///
    /// # Errors
    /// The token's role does not allow it.
    pub fn scope(&self, permission: Permission) -> Result<Scope, BearerRefusal> {
        if self.principal.may(permission) {
            Ok(self.access.store().tenant(self.tenant))
        } else {
            Err(BearerRefusal::Forbidden(permission))
        }
    }
}

/// Why a program was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BearerRefusal {
    /// No token came along.
    #[error("send an API token in the Authorization header")]
    Missing,
    /// The token is not one of ours, was revoked, or its time is over.
    #[error("this API token is not valid, was revoked or has expired")]
    Wrong,
    /// Too many requests with this token, or too many wrong tokens from this address.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// The token's role does not reach that far.
    #[error("this token's role does not allow this ({0})")]
    Forbidden(Permission),
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable,
}

impl BearerRefusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Wrong => "token_invalid",
            Self::TooMany { .. } => "too_many_requests",
            Self::Forbidden(_) => "forbidden",
            Self::Unavailable => "unavailable",
        }
    }
}

impl IntoResponse for BearerRefusal {
    /// A bare problem+json; the REST interface writes a fuller one from the same value.
    fn into_response(self) -> Response {
        let status = self.status();
        let body = format!(
            r#"{{"type":"about:blank","title":"{self}","status":{},"code":"{}"}}"#,
            status.as_u16(),
            self.code()
        );
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

impl<S> FromRequestParts<S> for Bearer
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = BearerRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, BearerRefusal> {
        let access = Access::from_ref(state);
        let source = Source::of(parts, &access);
        let written = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.to_owned())
            .ok_or(BearerRefusal::Missing)?;
        let principal = access.api_token(&written, source.address).await?;
        let tenant = principal.tenant().ok_or(BearerRefusal::Wrong)?;
        Ok(Self {
            access,
            principal,
            tenant,
            source,
        })
    }
}
