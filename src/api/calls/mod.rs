//! `/api/calls`: place, list, read, note, tag, record, end and delete calls.

mod consents;
mod log;
mod one;
mod outbound;
mod pcap;
mod recording;
mod stats;
mod tags;
pub(crate) mod wire;

pub(crate) use outbound::{dialled, refused};

use crate::state::ApiState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(outbound::outbound))
        .routes(routes!(log::log))
        .routes(routes!(stats::summary))
        .routes(routes!(one::get, one::update, one::remove))
        .routes(routes!(one::hang_up))
        .routes(routes!(one::accept))
        .routes(routes!(pcap::pcap))
        .routes(routes!(recording::steer))
        .routes(routes!(consents::list))
        .routes(routes!(tags::add))
        .routes(routes!(tags::remove))
}
