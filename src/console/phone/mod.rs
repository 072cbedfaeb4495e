//! The phone in the browser: a dialer, the call that comes in, the call that goes on.
//!
//! `/phone` is one page; `/call?to=…` is the same page with the number filled in, and `/call?contact=…` with a
//! colleague's extension, for links on other pages.
//! Its script keeps one WebSocket open, `/phone/line` ([`line`]): while it stands the user is rung there,
//! like on any of their phones. Sound goes through a room of the call's own, for which the line gives out the
//! token. What people ask for is decided by the switch.

mod line;
pub mod trouble;
pub mod view;

use crate::desk::Desk;
use crate::fault::{Fault, Page};
use crate::meet::with_devices;
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use std::collections::HashMap;
use strowger_access::Signed;
use strowger_ivr::Disclosure;
use strowger_model::UserId;
use strowger_model::role::Permission;
use strowger_model::settings::Settings;
use strowger_switch::browser::{Owner, Refused};
use view::Phone;

/// The longest number or address that is filled in.
const MOST_TO: usize = 100;

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/phone", get(page))
        .route("/call", get(page))
        .route("/phone/line", get(line::open))
        .route("/t/{tenant}/phone", get(of_tenant))
}

/// The menu's way to it: a phone belongs to a person, whichever tenant they look at.
async fn of_tenant(desk: Desk) -> Page {
    desk.may(Permission::UsePhone)?;
    Ok(Redirect::to("/phone").into_response())
}

/// Whose phone it is, for those who may use one; `None` for somebody of no tenant.
fn owner(who: &Signed) -> Result<Option<Owner>, Fault> {
    who.require(Permission::UsePhone)?;
    let principal = who.principal();
    let both = principal.tenant().zip(principal.user());
    Ok(both.map(|(tenant, user)| Owner { tenant, user }))
}

async fn page(
    State(state): State<ConsoleState>,
    Query(query): Query<HashMap<String, String>>,
    who: Signed,
    headers: HeaderMap,
) -> Page {
    let owner = owner(&who)?;
    let to: String = match query.get("contact") {
        Some(contact) => extension_of(&state, owner, contact).await?,
        None => query
            .get("to")
            .map(|to| to.trim().chars().take(MOST_TO).collect())
            .unwrap_or_default(),
    };
    let user = match owner {
        Some(owner) => state.store().tenant(owner.tenant).users().get(owner.user).await?,
        None => None,
    };
    let trouble = match (owner, state.phones()) {
        (None, _) => "no_user",
        (Some(_), None) => "rooms_off",
        (Some(owner), Some(phones)) => phones.may_browse(owner).err().map_or("", Refused::code),
    };
    let records = match owner {
        Some(owner) => may_record(&state.store().tenant(owner.tenant).settings().resolve().await?),
        None => false,
    };
    let phone = Phone::of(who.principal().name(), user.as_ref(), &to, trouble).recording(who.csrf(), records);
    Ok(with_devices(phone.into_response(), &headers))
}

/// Whether the settings let people record calls on this page. Where the parties are to be told or asked first they do
/// not: a browser can do neither.
fn may_record(settings: &Settings) -> bool {
    let is_wanted = settings.switch("client_recordings") && settings.switch("enable_call_recording");
    is_wanted && !Disclosure::of(settings).is_on()
}

/// The extension of a colleague. Somebody of another tenant is as unknown as nobody.
async fn extension_of(state: &ConsoleState, owner: Option<Owner>, contact: &str) -> Result<String, Fault> {
    let user: UserId = contact.parse().map_err(|_| Fault::NotFound)?;
    let tenant = owner.ok_or(Fault::NotFound)?.tenant;
    let found = state.store().tenant(tenant).users().get(user).await?;
    let user = found.filter(|user| user.active).ok_or(Fault::NotFound)?;
    Ok(user.extension.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::settings::{Entry, Layer, Lock};

    #[test]
    fn nobody_records_here_unless_it_is_wanted_and_nobody_has_to_be_told() {
        let of = |switches: &[(&str, &str)]| {
            let entry = |value: &str| Entry {
                value: Some(value.to_owned()),
                lock: Lock::Unlocked,
            };
            let layer = switches.iter().map(|(name, value)| ((*name).to_owned(), entry(value)));
            may_record(&Settings::resolve(Layer::default(), layer.collect(), Layer::default()))
        };
        assert!(!of(&[]), "it is off by default");
        assert!(of(&[("client_recordings", "true")]));
        assert!(!of(&[
            ("client_recordings", "true"),
            ("enable_call_recording", "false")
        ]));
        for told in ["recording_announcement", "recording_beep", "recording_consent"] {
            assert!(!of(&[("client_recordings", "true"), (told, "true")]), "{told}");
        }
    }
}
