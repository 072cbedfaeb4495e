//! What every 4xx and 5xx says: RFC 9457 problem details with a stable code, a hint and a trace id.
//!
//! A handler returns a [`Problem`]; [`finish`] writes it out with the request's trace id, and turns
//! whatever else went wrong on the way (no such path, wrong method, a panic) into one too.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use strowger_access::BearerRefusal;
use strowger_model::World;
use strowger_model::settings::Invalid;
use tracing::{Instrument, error, info_span};
use utoipa::ToSchema;

/// A field that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field as sent, `a.b[0]` where it is nested.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<&'static str>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
}

/// The body of every 4xx and 5xx (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Names the kind of problem; equal to `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// A word that stays the same from release to release.
    pub code: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Finds this request in the log.
    pub trace_id: String,
    /// The fields that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with a status, a stable code and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// There is no such thing, or it is another tenant's: nobody is told which.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// The request contradicts how things stand.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Fields were refused.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.field, one.message),
            several => format!("{} fields were refused", several.len()),
        };
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
        }
    }

    /// One field was refused.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// Something failed on our side; the log has the rest.
    #[must_use]
    pub fn internal(problem: &dyn std::error::Error) -> Self {
        let mut chain = problem.to_string();
        let mut source = problem.source();
        while let Some(inner) = source {
            chain.push_str(": ");
            chain.push_str(&inner.to_string());
            source = inner.source();
        }
        error!(problem = %chain, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something failed on our side",
        )
        .hint("try again; if it stays, look for the trace id in the daemon's log")
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("no_such_path", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this path does not take this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is larger than allowed"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "send application/json"),
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => ("timeout", "this took too long"),
            StatusCode::RANGE_NOT_SATISFIABLE => ("range", "this range lies outside of the audio"),
            other if other.is_server_error() => ("internal", "something failed on our side"),
            _ => ("refused", "the request was refused"),
        };
        Self::new(status, code, detail).hint("openapi.json lists every path and what it takes")
    }

    fn body(&self, trace_id: &str, path: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:strowger:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: path.to_owned(),
            code: self.code.to_owned(),
            hint: self.hint.map(str::to_owned),
            trace_id: trace_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<BearerRefusal> for Problem {
    fn from(refusal: BearerRefusal) -> Self {
        let problem = Self::new(refusal.status(), refusal.code(), refusal.to_string());
        match refusal {
            BearerRefusal::Missing | BearerRefusal::Wrong => problem
                .hint("make a token in the console under Settings, API tokens, and send `Authorization: Bearer swt_…`"),
            BearerRefusal::Forbidden(_) => problem.hint("use a token with a role that reaches further"),
            BearerRefusal::TooMany { retry_after } => problem.retry_after(retry_after),
            BearerRefusal::Unavailable => problem.retry_after(Duration::from_secs(2)),
        }
    }
}

impl From<strowger_store::Error> for Problem {
    fn from(error: strowger_store::Error) -> Self {
        use strowger_store::Error;
        let said = error.to_string();
        match error {
            Error::Taken { field } => Self {
                errors: vec![FieldError {
                    field,
                    message: "is already taken".to_owned(),
                }],
                ..Self::conflict("taken", said)
            },
            Error::Dangling => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "dangling", said),
            Error::Setting(invalid @ Invalid::Locked(..)) => crate::settings::locked_by(&invalid),
            Error::Setting(invalid) => Self::field("values", invalid.to_string()),
            Error::State { .. } => Self::conflict("state", said),
            Error::Database(_) => {
                let internal = Self::internal(&error);
                Self {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    code: "database",
                    detail: said,
                    ..internal
                }
                .retry_after(Duration::from_secs(2))
            }
            Error::Bucket { .. } => {
                let internal = Self::internal(&error);
                Self {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    code: "bucket",
                    detail: said,
                    ..internal
                }
                .retry_after(Duration::from_secs(60))
            }
            other @ (Error::Migrate(_)
            | Error::Altered { .. }
            | Error::Corrupt { .. }
            | Error::Crypto(_)
            | Error::File { .. }
            | Error::Address(_)
            | Error::Queue(_)
            | Error::NoCapture
            | Error::Stopped(_)
            | _) => Self::internal(&other),
        }
    }
}

/// Gives the request a trace id, and every refusal its body.
pub(crate) async fn finish(world: &dyn World, request: Request, next: Next) -> Response {
    let trace_id = trace_id(request.headers(), world);
    let path = request.uri().path().to_owned();
    let span = info_span!("request", trace_id, method = %request.method(), path);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let known = response.extensions_mut().remove::<Arc<Problem>>();
        let whole = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes().starts_with(b"application/problem+json")
                || kind.as_bytes().starts_with(b"application/health+json")
        });
        if !whole {
            let problem = known.unwrap_or_else(|| Arc::new(Problem::of_status(status)));
            response = write(&problem, &trace_id, &path, response.headers());
        }
    }
    if let Ok(value) = HeaderValue::try_from(trace_id) {
        response.headers_mut().insert("x-trace-id", value);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn write(problem: &Problem, trace_id: &str, path: &str, before: &HeaderMap) -> Response {
    let mut response = (problem.status, Json(problem.body(trace_id, path))).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    for kept in [header::ALLOW, header::CONTENT_RANGE] {
        if let Some(value) = before.get(&kept) {
            headers.insert(kept, value.clone());
        }
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"strowger\""),
        );
    }
    if let Some(after) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    response
}

/// The caller's trace id (W3C `traceparent`) or one of our own.
fn trace_id(headers: &HeaderMap, world: &dyn World) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split('-').nth(1));
    let fits = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    given.filter(fits).map_or_else(
        || {
            let mut bytes = [0u8; 16];
            world.fill(&mut bytes);
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        },
        str::to_ascii_lowercase,
    )
}
