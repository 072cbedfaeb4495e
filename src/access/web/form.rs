//! Forms: those of somebody signed in carry the session's token, the others come from our own site.

use super::{Refusal, Signed, Source};
use crate::{Access, csrf};
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

/// The most bytes of a form without a file.
pub const FORM_LIMIT_BYTES: usize = 2 * 1024 * 1024;

/// A form posted by somebody signed in, with a valid token.
#[derive(Clone)]
pub struct Posted<T> {
    /// Who posted it.
    pub who: Signed,
    /// What they posted.
    pub form: T,
}

impl<T, S> FromRequest<S> for Posted<T>
where
    T: DeserializeOwned,
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let who = Signed::find(&parts, Access::from_ref(state)).await?;
        let bytes = read(body).await?;
        let given = header_token(&parts.headers).or_else(|| field_token(&bytes));
        check(&who, &parts.headers, given.as_deref())?;
        let form = parse(&bytes)?;
        Ok(Self { who, form })
    }
}

/// A form posted by somebody who is not signed in: sign-in and first run. It must come from a page of
/// this very host, which browsers tell by `Sec-Fetch-Site` or `Origin`.
#[derive(Debug, Clone)]
pub struct Opened<T> {
    /// Where it came from.
    pub source: Source,
    /// What the browser calls itself.
    pub user_agent: String,
    /// What was posted.
    pub form: T,
}

impl<T, S> FromRequest<S> for Opened<T>
where
    T: DeserializeOwned,
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if is_cross_site(&parts.headers) {
            return Err(Refusal::ForeignForm);
        }
        let source = Source::of(&parts, &Access::from_ref(state));
        let form = parse(&read(body).await?)?;
        let agent = parts.headers.get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Ok(Self {
            source,
            user_agent: agent.chars().take(200).collect(),
            form,
        })
    }
}

async fn read(body: axum::body::Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, FORM_LIMIT_BYTES)
        .await
        .map_err(|_| Refusal::TooLarge {
            limit_bytes: FORM_LIMIT_BYTES,
        })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_urlencoded::from_bytes(bytes).map_err(|error| Refusal::BrokenForm(error.to_string()))
}

fn field_token(bytes: &[u8]) -> Option<String> {
    form_urlencoded::parse(bytes)
        .find(|(name, _)| name == csrf::FIELD)
        .map(|(_, value)| value.into_owned())
}

pub(super) fn header_token(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(csrf::HEADER)?.to_str().ok()?.to_owned())
}

/// Refuses what did not come from a page of this session.
pub(super) fn check(who: &Signed, headers: &HeaderMap, given: Option<&str>) -> Result<(), Refusal> {
    if is_cross_site(headers) || !given.is_some_and(|given| csrf::verify(who.secret(), given)) {
        return Err(Refusal::ForeignForm);
    }
    Ok(())
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else {
        return false;
    };
    origin.split_once("://").is_none_or(|(_, authority)| authority != host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn another_site_is_told_from_ours() {
        assert!(!is_cross_site(&headers(&[])));
        assert!(!is_cross_site(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_cross_site(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_cross_site(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!is_cross_site(&headers(&[
            ("origin", "http://pbx:8080"),
            ("host", "pbx:8080")
        ])));
        assert!(is_cross_site(&headers(&[
            ("origin", "http://evil"),
            ("host", "pbx:8080")
        ])));
        assert!(is_cross_site(&headers(&[("origin", "null"), ("host", "pbx:8080")])));
    }
}
