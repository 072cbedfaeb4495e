//! Why a page or a form was refused.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strowger_model::role::Permission;

/// Why a page or a form was refused. The response carries it as an extension, so that the console can
/// put a whole page around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody is signed in.
    #[error("sign in first")]
    SignInFirst {
        /// Where to go after that, a path of ours.
        next: String,
        /// Whether a script asked, which has to be told to move the whole page.
        script: bool,
    },
    /// The role does not reach that far.
    #[error("your role does not allow this ({0})")]
    Forbidden(Permission),
    /// A platform administrator has to choose a tenant first.
    #[error("choose a tenant first")]
    ChooseTenant,
    /// The form did not come from a page of this session.
    #[error("this form is from an older sign-in or another site; go back, reload the page and send it again")]
    ForeignForm,
    /// The form lacks a field or has one of the wrong kind.
    #[error("the form could not be read: {0}")]
    BrokenForm(String),
    /// The form or its file is larger than allowed.
    #[error("this is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The most bytes taken.
        limit_bytes: usize,
    },
    /// The database does not answer.
    #[error("the database does not answer; try again in a moment")]
    Unavailable,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::SignInFirst { script: false, .. } | Self::ChooseTenant => StatusCode::SEE_OTHER,
            Self::SignInFirst { script: true, .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::BrokenForm(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn moves_to(&self) -> Option<(header::HeaderName, String)> {
        match self {
            Self::SignInFirst { next, script } => {
                let to = match next.as_str() {
                    "" | "/" => "/login".to_owned(),
                    path => format!("/login?next={}", percent(path)),
                };
                let name = if *script {
                    header::HeaderName::from_static("hx-redirect")
                } else {
                    header::LOCATION
                };
                Some((name, to))
            }
            Self::ChooseTenant => Some((header::LOCATION, "/tenants".to_owned())),
            Self::Forbidden(_)
            | Self::ForeignForm
            | Self::BrokenForm(_)
            | Self::TooLarge { .. }
            | Self::Unavailable => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_string()).into_response();
        if let Some((name, to)) = self.moves_to()
            && let Ok(value) = HeaderValue::try_from(to)
        {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Percent-encodes everything but the characters that are plain in a query value.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The page to go to after signing in: `next` when it is a path of ours, `/` otherwise. A path of
/// ours begins with one slash; `//host` and `/\host` lead browsers elsewhere.
#[must_use]
pub fn safe_next(next: &str) -> &str {
    let mut characters = next.chars();
    let ours = characters.next() == Some('/')
        && !matches!(characters.next(), Some('/' | '\\'))
        && !next.chars().any(char::is_control);
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_kept_through_the_sign_in() {
        let refusal = Refusal::SignInFirst {
            next: "/calls?tag=a b&x".into(),
            script: false,
        };
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(
            response.headers()[header::LOCATION],
            "/login?next=/calls%3Ftag%3Da%20b%26x"
        );
    }

    #[test]
    fn nobody_is_led_off_our_site() {
        assert_eq!(safe_next("/calls?x=1"), "/calls?x=1");
        for foreign in ["", "//evil", "/\\evil", "https://evil", "calls", "/a\nb"] {
            assert_eq!(safe_next(foreign), "/", "{foreign}");
        }
    }
}
