//! Refusals as Twirp writes them: a code, a message and pairs for programs.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use strowger_access::RoomTokenRefusal;
use strowger_rooms::RoomError;

/// Twirp's codes, those of them we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    Canceled,
    Unknown,
    InvalidArgument,
    Malformed,
    DeadlineExceeded,
    NotFound,
    BadRoute,
    AlreadyExists,
    PermissionDenied,
    Unauthenticated,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    Unimplemented,
    Internal,
    Unavailable,
}

impl Code {
    /// The HTTP status that goes with it.
    const fn status(self) -> StatusCode {
        match self {
            Self::Canceled | Self::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
            Self::InvalidArgument | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotFound | Self::BadRoute => StatusCode::NOT_FOUND,
            Self::AlreadyExists | Self::Aborted => StatusCode::CONFLICT,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Unknown | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TwirpError {
    code: Code,
    #[serde(rename = "msg")]
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<&'static str, String>,
}

impl TwirpError {
    /// A refusal with a code and words.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            meta: BTreeMap::new(),
        }
    }

    /// Adds a pair for programs.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.meta.insert(name, value.into());
        self
    }

    /// Something in the request makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// We do not do that.
    pub(crate) fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, message)
    }

    /// The token does not reach that far. `LiveKit` answers so, and SDKs look for it, although the bearer is
    /// known.
    pub(crate) fn not_permitted() -> Self {
        Self::new(Code::Unauthenticated, "permissions denied")
    }

    /// Nobody listens at this path.
    pub(crate) fn bad_route(service: &str, method: &str) -> Self {
        Self::new(Code::BadRoute, format!("no handler for path /twirp/{service}/{method}"))
            .with("twirp_invalid_route", format!("POST /twirp/{service}/{method}"))
    }
}

impl IntoResponse for TwirpError {
    fn into_response(self) -> Response {
        (self.code.status(), Json(self)).into_response()
    }
}

impl From<RoomTokenRefusal> for TwirpError {
    fn from(refusal: RoomTokenRefusal) -> Self {
        let code = match refusal {
            RoomTokenRefusal::Missing
            | RoomTokenRefusal::Wrong
            | RoomTokenRefusal::Expired
            | RoomTokenRefusal::Early => Code::Unauthenticated,
            RoomTokenRefusal::TooMany { .. } => Code::ResourceExhausted,
            RoomTokenRefusal::Unavailable => Code::Unavailable,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<RoomError> for TwirpError {
    fn from(error: RoomError) -> Self {
        match error {
            RoomError::NoRoom => Self::not_found("requested room does not exist"),
            RoomError::NoParticipant => Self::not_found("participant does not exist"),
            RoomError::NoTrack => Self::not_found("track is not found"),
            RoomError::Invalid(why) => Self::invalid(why),
            RoomError::NotAllowed => Self::new(Code::PermissionDenied, "not allowed"),
            RoomError::Full => Self::new(Code::ResourceExhausted, "limit reached"),
            RoomError::TimedOut => Self::new(Code::DeadlineExceeded, "no answer in time"),
            RoomError::Answered { code, message } => {
                Self::new(Code::Unknown, message).with("rpc_code", code.to_string())
            }
            RoomError::NotRunning => Self::new(Code::Unavailable, "rooms are not running"),
        }
    }
}

impl From<strowger_store::Error> for TwirpError {
    fn from(error: strowger_store::Error) -> Self {
        if let strowger_store::Error::Taken { field } = &error {
            return Self::new(Code::AlreadyExists, format!("{field} is taken"));
        }
        tracing::error!(%error, "a call of a server SDK failed");
        Self::new(Code::Internal, "the database did not answer")
    }
}
