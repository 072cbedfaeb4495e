//! A call's SIP messages as a packet capture file.

use crate::body::Id;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use strowger_model::CallId;
use strowger_model::role::Permission;
use strowger_store::Actor;

/// The SIP messages of a call, all legs together, as a packet capture file for Wireshark, sngrep and their like.
///
/// Keyed digits, card numbers, proofs of passwords and keys of media are overwritten. Every message is one UDP datagram,
/// whatever it travelled by. They are kept for the days of `signalling_retention_days`, and are there some seconds after
/// they passed.
#[utoipa::path(
    get, path = "/api/calls/{id}/pcap", tag = "calls", params(("id" = Uuid, Path, description = "The call's id")),
    responses((status = 200, description = "The file", content_type = "application/vnd.tcpdump.pcap", body = Vec<u8>), Refusals, Named)
)]
pub(crate) async fn pcap(caller: Caller, Id(id): Id<CallId>) -> Result<Response, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let actor = Actor::named(caller.actor());
    let file = scope.signalling().take_out(&actor, id).await?;
    let file = file.ok_or_else(|| Problem::not_found("signalling of the call"))?;
    let head = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"call-{id}.pcap\""),
        ),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((head, file).into_response())
}
