//! What went wrong, as a page: one table from errors to statuses and sentences.

use crate::entry::view::trouble;
use crate::people::form::sentence;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use strowger_access::Refusal;
use strowger_model::role::Permission;
use tracing::error;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The visitor was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing, or it is another tenant's.
    #[error("there is no such page")]
    NotFound,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] strowger_store::Error),
    /// Accounts failed.
    #[error("accounts failed")]
    Access(#[from] strowger_access::Error),
    /// The wish does not fit the state of the thing.
    #[error("{0}")]
    Conflict(String),
    /// A page could not be drawn.
    #[error("a page could not be drawn")]
    Drawn(#[from] askama::Error),
}

impl Fault {
    /// A refusal for lack of a permission.
    #[must_use]
    pub const fn forbidden(permission: Permission) -> Self {
        Self::Refused(Refusal::Forbidden(permission))
    }
}

/// What handlers give back.
pub type Page<T = Response> = Result<T, Fault>;

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::Refused(refusal) => return refused(refusal),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "It may have been removed, or it belongs to another tenant.".to_owned(),
            ),
            Self::Conflict(why) => (StatusCode::CONFLICT, "This cannot be done now", why),
            Self::Store(strowger_store::Error::State { what, state, wish }) => (
                StatusCode::CONFLICT,
                "This cannot be done now",
                format!("{} is {state}, so it cannot {wish}.", sentence(what)),
            ),
            Self::Store(source @ strowger_store::Error::Bucket { .. }) => {
                broken(&source);
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The bucket does not answer",
                    "This recording lies in the bucket, which cannot be reached now. Try again later.".to_owned(),
                )
            }
            Self::Store(source) => broken(&source),
            Self::Access(source) => broken(&source),
            Self::Drawn(source) => broken(&source),
        };
        (status, trouble(title, &text)).into_response()
    }
}

fn broken(source: &(dyn std::error::Error + 'static)) -> (StatusCode, &'static str, String) {
    let mut chain = source.to_string();
    let mut next = source.source();
    while let Some(inner) = next {
        chain.push_str(": ");
        chain.push_str(&inner.to_string());
        next = inner.source();
    }
    error!(error = %chain, "a page failed");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on our side",
        "The log has more. Calls go on. Try again in a moment.".to_owned(),
    )
}

/// A refusal as a page; refusals that lead elsewhere stay as they are.
fn refused(refusal: Refusal) -> Response {
    let status = refusal.status();
    if status.is_redirection() || matches!(refusal, Refusal::SignInFirst { .. }) {
        if refusal == Refusal::ChooseTenant {
            return Redirect::to("/tenants").into_response();
        }
        return refusal.into_response();
    }
    let title = match &refusal {
        Refusal::Forbidden(_) => "Your role does not allow this",
        Refusal::ForeignForm => "This form is too old",
        Refusal::Unavailable => "The database does not answer",
        Refusal::SignInFirst { .. } | Refusal::ChooseTenant => "Sign in first",
        Refusal::BrokenForm(_) => "The form could not be read",
        Refusal::TooLarge { .. } => "This is too large",
    };
    let text = format!("{}.", upper_first(&refusal.to_string()));
    (status, trouble(title, &text)).into_response()
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The page for an address nobody has: give it to the whole machine's router as its fallback.
pub async fn not_found() -> Response {
    Fault::NotFound.into_response()
}
