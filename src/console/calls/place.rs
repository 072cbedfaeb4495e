//! Placing a call from the live board: one side is rung first, then the other.

use super::list::{Placing, live_page};
use super::live::now;
use crate::desk::{Desk, Sent};
use crate::fault::Page;
use crate::show::{Problems, Values};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strowger_model::Metadata;
use strowger_model::number::normalise;
use strowger_model::role::Permission;
use strowger_switch::live::{PlaceCall, PlaceError};

async fn refused(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let placing = Placing::typed(values, problems);
    let page = live_page(&desk.shell(), &desk.base(), &now(desk), desk.role(), &placing);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// A number, an extension, or the name of a user.
fn dialled(text: &str) -> Option<String> {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let text = text.trim();
    normalise(text).or_else(|| ((1..=64).contains(&text.len()) && text.chars().all(letters)).then(|| text.to_owned()))
}

/// Places the call that the form asks for.
pub(super) async fn place(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::UsePhone)?;
    let mut problems = Problems::default();
    let to = dialled(values.get("to"));
    if to.is_none() {
        problems.add("to", "Write a number such as +4942112345, or an extension.");
    }
    let written = values.get("from").trim().to_owned();
    let from = normalise(&written);
    if !written.is_empty() && from.is_none() {
        problems.add("from", "Write a number of yours or an extension, or leave it empty.");
    }
    let Some(to) = to.filter(|_| problems.is_empty()) else {
        return refused(&desk, &values, &problems).await;
    };
    let order = PlaceCall {
        tenant: desk.tenant.id,
        user: desk.sees_only(),
        from,
        to,
        record: values.ticked("record").then_some(true),
        transcribe: false,
        ring_timeout: None,
        metadata: Metadata::empty(),
        flow: None,
    };
    match desk.state.exchange().place(order).await {
        Ok(call) => {
            let line = ("call.place", call.to_string(), values.get("to").to_owned());
            desk.scope
                .audit()
                .write(&desk.actor(), line.0, &line.1, &line.2)
                .await?;
            Ok(desk.back("/live", "placed"))
        }
        Err(error) => {
            let (field, words) = match error {
                PlaceError::ForeignCaller => ("from", "This number is not yours. Take one of your numbers."),
                PlaceError::NoRoute => ("to", "Nothing leads there: add a trunk whose prefix fits."),
                PlaceError::Unreachable => ("to", "This person has no phone that can be reached now."),
                PlaceError::Busy => ("to", "The most calls at once are running. Try again in a moment."),
                PlaceError::ShuttingDown => ("to", "The machine is ending and takes no new calls."),
            };
            refused(&desk, &values, &Problems::one(field, words)).await
        }
    }
}
