//! One's own account: the password, and the browsers that are signed in.

pub mod view;

use crate::desk::tenant_of_person;
use crate::entry::with_cookies;
use crate::fault::{Fault, Page};
use crate::menu;
use crate::people::form::sentence;
use crate::show::{Problems, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use strowger_access::{Error, Posted, Signed, Via, forget_cookies};
use strowger_model::{SessionId, UserId};
use strowger_store::Actor;

/// The routes of one's own account.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/account", get(show))
        .route("/account/password", post(change_password))
        .route("/account/sessions/{session}/end", post(end))
}

type Form = Posted<Vec<(String, String)>>;

fn person(who: &Signed) -> Page<UserId> {
    who.principal().user().ok_or(Fault::NotFound)
}

async fn page(state: &ConsoleState, who: &Signed, done: &str, problems: &Problems) -> Page {
    let user = person(who)?;
    let account = state.store().accounts().get(user).await?.ok_or(Fault::NotFound)?;
    let sessions = state.access().sessions_of(user).await?;
    let this = match who.principal().via() {
        Via::Session(session) => Some(session),
        Via::Token(_) => None,
    };
    let tenant = tenant_of_person(state, who).await?;
    let shell = menu::shell(state, who, tenant.as_ref(), ("/account", done), 0);
    let page = view::account(&shell, &account.user, &sessions, this, problems);
    Ok((problems.status(), page).into_response())
}

async fn show(State(state): State<ConsoleState>, who: Signed, RawQuery(query): RawQuery) -> Page {
    let query = crate::query::parsed(&query.unwrap_or_default());
    page(&state, &who, query.get("done"), &Problems::default()).await
}

/// Changes the password; every session ends with it, this one too.
async fn change_password(State(state): State<ConsoleState>, sent: Form) -> Page {
    let values: Values = sent.form.into_iter().collect();
    let who = sent.who;
    let user = person(&who)?;
    let refused = |field: &str, why: String| Problems::one(field, why);
    let problems = match state.access().is_password_of(user, values.raw("present")).await {
        Ok(true) if values.raw("fresh") != values.raw("again") => {
            refused("again", "This is not the same. Type the new password twice.".to_owned())
        }
        Ok(true) => {
            let actor = Actor::named(who.principal().actor());
            match state.access().set_password(&actor, user, values.raw("fresh")).await {
                Ok(_) => {
                    state.access().end_sessions_of(user).await?;
                    return Ok(with_cookies(Redirect::to("/login").into_response(), forget_cookies()));
                }
                Err(Error::Weak(weak)) => refused("fresh", format!("{}.", sentence(&weak.to_string()))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false) => refused("present", "This is not your present password.".to_owned()),
        Err(error @ Error::TooMany { .. }) => refused("", format!("{}.", sentence(&error.to_string()))),
        Err(error) => return Err(error.into()),
    };
    page(&state, &who, "", &problems).await
}

async fn end(State(state): State<ConsoleState>, Path(session): Path<SessionId>, sent: Form) -> Page {
    let user = person(&sent.who)?;
    if !state.access().end_session(user, session).await? {
        return Err(Fault::NotFound);
    }
    if sent.who.principal().via() == Via::Session(session) {
        return Ok(with_cookies(Redirect::to("/login").into_response(), forget_cookies()));
    }
    Ok(Redirect::to("/account?done=signed-out").into_response())
}
