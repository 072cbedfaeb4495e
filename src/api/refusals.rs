//! The refusals every endpoint's description lists.

use crate::problem::ProblemBody;
use utoipa::IntoResponses;

/// What may be answered to anybody.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers, is never made")]
pub(crate) enum Refusals {
    /// No valid token came along.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemBody),
    /// The token's role does not allow this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemBody),
    /// A field was refused; `errors` names it.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemBody),
    /// Too many requests; `Retry-After` says when.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] ProblemBody),
    /// Something failed on our side; look for `trace_id` in the log.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(#[to_schema] ProblemBody),
}

/// What may be answered besides when a thing is named.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers, is never made")]
pub(crate) enum Named {
    /// There is no such thing, or it is another tenant's.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemBody),
}

/// What may be answered besides when a body is sent.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers, is never made")]
pub(crate) enum Sent {
    /// The body is no JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    NotJson(#[to_schema] ProblemBody),
    /// The request contradicts how things stand.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] ProblemBody),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] ProblemBody),
    /// The body is not application/json.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJsonType(#[to_schema] ProblemBody),
}
