//! Somebody with a token to rooms.

use super::Source;
use crate::Access;
use crate::io::{RoomToken, RoomTokenRefusal};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Somebody with a valid token to rooms, in `Authorization: Bearer …` or, as browsers' WebSockets can
/// send no header, in `?access_token=…`.
#[derive(Debug, Clone)]
pub struct RoomBearer {
    /// Who it is.
    pub token: RoomToken,
    /// Where the request came from.
    pub source: Source,
}

impl<S> FromRequestParts<S> for RoomBearer
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = RoomTokenRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RoomTokenRefusal> {
        let access = Access::from_ref(state);
        let source = Source::of(parts, &access);
        // A link that carries its token is followed by programs that send one of their own with every request.
        let header = || {
            parts
                .headers
                .get(header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim().to_owned())
        };
        let query = || {
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .find(|(name, _)| name == "access_token")
                .map(|(_, value)| value.into_owned())
        };
        let written = query().or_else(header).filter(|token| !token.is_empty());
        let written = written.ok_or(RoomTokenRefusal::Missing)?;
        let token = access.room_token(&written, source.address).await?;
        Ok(Self { token, source })
    }
}

impl RoomTokenRefusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Wrong | Self::Expired | Self::Early => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for RoomTokenRefusal {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}
