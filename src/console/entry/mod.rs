//! The door: sign-in, sign-out, first set-up.

mod setup;
pub mod view;

use crate::fault::{Fault, Page};
use crate::people::form::sentence;
use crate::show::{Problems, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use strowger_access::{Opened, Posted, SignIn, SignInRefused, Signed, forget_cookies, safe_next};
use strowger_model::Role;

/// The routes before any tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(form).post(sign_in))
        .route("/logout", post(sign_out))
        .route("/setup", get(setup::form).post(setup::set_up))
}

/// A form of somebody not signed in.
pub(crate) type Knock = Opened<Vec<(String, String)>>;

/// The first page of whoever is signed in; the set-up on a machine without an administrator.
async fn home(State(state): State<ConsoleState>, who: Result<Signed, strowger_access::Refusal>) -> Page {
    let who = match who {
        Ok(who) => who,
        Err(refusal) => {
            if state.access().awaits_first_admin().await? {
                return Ok(Redirect::to("/setup").into_response());
            }
            return Err(refusal.into());
        }
    };
    let principal = who.principal();
    let to = match principal.tenant() {
        Some(tenant) if principal.role() != Role::PlatformAdmin => format!("/t/{tenant}/"),
        _ => "/tenants".to_owned(),
    };
    Ok(Redirect::to(&to).into_response())
}

async fn form(State(state): State<ConsoleState>, RawQuery(query): RawQuery) -> Page {
    if state.access().awaits_first_admin().await? {
        return Ok(Redirect::to("/setup").into_response());
    }
    let values = crate::query::parsed(&query.unwrap_or_default());
    let next = safe_next(values.get("next"));
    Ok(view::sign_in(next, (&Values::default(), &Problems::default())).into_response())
}

/// A response with cookies.
pub(crate) fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = String>) -> Response {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

async fn sign_in(State(state): State<ConsoleState>, knock: Knock) -> Page {
    let values: Values = knock.form.into_iter().collect();
    let next = safe_next(values.get("next"));
    let attempt = SignIn {
        email: values.get("email"),
        password: values.raw("password"),
        source: knock.source,
        user_agent: &knock.user_agent,
    };
    match state.access().sign_in(attempt).await {
        Ok(signed) => Ok(with_cookies(Redirect::to(next).into_response(), [signed.set_cookie])),
        Err(SignInRefused::Failed(error)) => Err(Fault::Access(error)),
        Err(refused) => {
            let status = match refused {
                SignInRefused::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
                SignInRefused::Wrong | SignInRefused::Failed(_) => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let problems = Problems::one("", format!("{}.", sentence(&refused.to_string())));
            Ok((status, view::sign_in(next, (&values, &problems))).into_response())
        }
    }
}

async fn sign_out(sent: Posted<Vec<(String, String)>>) -> Page {
    sent.who.sign_out().await?;
    Ok(with_cookies(Redirect::to("/login").into_response(), forget_cookies()))
}
