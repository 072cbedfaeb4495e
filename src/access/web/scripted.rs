//! A page's own script.

use super::form::{check, header_token};
use super::{Refusal, Signed};
use crate::Access;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

/// Somebody with a signed-in browser whose page asks by script: the session's token comes in the header
/// `x-csrf-token`, so that the body may be anything.
#[derive(Clone)]
pub struct Scripted(pub Signed);

impl<S> FromRequestParts<S> for Scripted
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let who = Signed::find(parts, Access::from_ref(state)).await?;
        check(&who, &parts.headers, header_token(&parts.headers).as_deref())?;
        Ok(Self(who))
    }
}
