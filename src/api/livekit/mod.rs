//! The `LiveKit` dialect: what `LiveKit`'s clients and server SDKs say to a room server, answered by
//! [`strowger_rooms`]. Start reading at [`grants`] for what a token allows, at [`signal`] for browsers and at
//! [`twirp`] for the calls of server SDKs.
//!
//! Every request carries a token signed with a tenant's key; the tenant comes from the key alone, so that a
//! room's name never reaches another tenant's room.

pub(crate) mod agents;
pub(crate) mod files;
pub(crate) mod grants;
pub(crate) mod signal;
pub(crate) mod twirp;
pub(crate) mod webhook;

use crate::state::ApiState;
use axum::Router;

/// The routes at the root of the listener. They are the protocol's, not ours, and so not described with
/// those of the REST interface.
pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .merge(agents::routes())
        .merge(files::routes())
        .merge(signal::routes())
        .merge(twirp::routes())
}
