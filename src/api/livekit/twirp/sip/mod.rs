//! `livekit.SIP`: trunks, and the rules that say which room a call goes to.
//!
//! A trunk of the dialect is a trunk of ours where an address is named: calls are known by where they come
//! from, and what is out of reach without one is refused rather than left open. What programs wrote is kept
//! and given back, less passwords.

mod calls;
mod rules;
mod status;
mod trunks;

pub(crate) use status::of_cause;

use super::{Call, Context, TwirpError};
use axum::response::Response;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strowger_rooms::protocol as wire;
use time::OffsetDateTime;

/// Answers a method of the service.
pub(super) async fn call(call: Call, method: &str) -> Result<Response, TwirpError> {
    match method {
        "CreateSIPInboundTrunk" => call.answer(trunks::create_inbound).await,
        "CreateSIPOutboundTrunk" => call.answer(trunks::create_outbound).await,
        "UpdateSIPInboundTrunk" => call.answer(trunks::update_inbound).await,
        "UpdateSIPOutboundTrunk" => call.answer(trunks::update_outbound).await,
        "GetSIPInboundTrunk" => call.answer(trunks::get_inbound).await,
        "GetSIPOutboundTrunk" => call.answer(trunks::get_outbound).await,
        "ListSIPTrunk" => call.answer(trunks::list_all).await,
        "ListSIPInboundTrunk" => call.answer(trunks::list_inbound).await,
        "ListSIPOutboundTrunk" => call.answer(trunks::list_outbound).await,
        "DeleteSIPTrunk" => call.answer(trunks::delete).await,
        "CreateSIPDispatchRule" => call.answer(rules::create).await,
        "UpdateSIPDispatchRule" => call.answer(rules::update).await,
        "ListSIPDispatchRule" => call.answer(rules::list).await,
        "DeleteSIPDispatchRule" => call.answer(rules::delete).await,
        "CreateSIPParticipant" => call.answer(calls::create).await,
        "TransferSIPParticipant" => call.answer(calls::transfer).await,
        _ => Err(TwirpError::bad_route("livekit.SIP", method)),
    }
}

impl Context {
    /// Goes on when the token may steer trunks and rules.
    fn sip_admin(&self) -> Result<(), TwirpError> {
        self.need(|grants| grants.sip_admin)
    }

    /// A new id: the prefix and 60 bits that grow with time, so that ids list in the order of making.
    fn new_id(&self, prefix: &str) -> String {
        let id = strowger_model::TrunkId::generate(self.state().access.world());
        format!("{prefix}_{}", id.uuid().simple())
    }
}

/// What programs wrote, as it is kept.
fn kept<T: Serialize>(value: &T) -> Result<Value, TwirpError> {
    serde_json::to_value(value).map_err(|_| TwirpError::invalid("this cannot be kept"))
}

/// What was kept, as programs wrote it. What cannot be read any more is empty.
fn written<T: Message + Default + DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// In whole seconds: not every SDK reads fractions beside an offset.
fn stamp(at: OffsetDateTime) -> Option<pbjson_types::Timestamp> {
    Some(pbjson_types::Timestamp {
        seconds: at.unix_timestamp(),
        nanos: 0,
    })
}

/// Changes a list as an update says.
fn change(list: &mut Vec<String>, update: Option<wire::ListUpdate>) {
    let Some(update) = update else { return };
    if update.clear {
        list.clear();
    }
    if !update.set.is_empty() {
        *list = update.set;
    }
    for item in update.add {
        if !list.contains(&item) {
            list.push(item);
        }
    }
    list.retain(|item| !update.remove.contains(item));
}

/// A part of a list: what comes after an id, at most so many.
fn part<T>(items: Vec<T>, page: Option<&wire::Pagination>, id: impl Fn(&T) -> &str) -> Vec<T> {
    let (after, limit) = page.map_or(("", 0), |page| (page.after_id.as_str(), page.limit));
    let limit = usize::try_from(limit)
        .ok()
        .filter(|limit| *limit > 0)
        .unwrap_or(usize::MAX);
    items.into_iter().filter(|item| id(item) > after).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_change_as_an_update_says() {
        let mut list = vec!["a".to_owned(), "b".to_owned()];
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        change(
            &mut list,
            Some(wire::ListUpdate {
                add: words(&["b", "c"]),
                remove: words(&["a"]),
                ..wire::ListUpdate::default()
            }),
        );
        assert_eq!(list, ["b", "c"]);
        change(
            &mut list,
            Some(wire::ListUpdate {
                clear: true,
                ..wire::ListUpdate::default()
            }),
        );
        assert!(list.is_empty());
    }
}
