//! The calls of server SDKs: Twirp (`POST /twirp/livekit.<Service>/<Method>`), protobuf or JSON in and the
//! same out, refusals as Twirp's JSON. A service is one file with a `call` that knows its methods.

mod agent_dispatch;
mod call;
pub(crate) mod egress;
mod error;
mod room_service;
mod sip;

pub(crate) use call::{Call, Context};
pub(crate) use error::{Code, TwirpError};

use crate::state::ApiState;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use strowger_access::{RoomBearer, RoomTokenRefusal};

/// The routes.
pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/twirp/{service}/{method}", post(answer))
}

async fn answer(
    State(state): State<ApiState>,
    Path((service, method)): Path<(String, String)>,
    bearer: Result<RoomBearer, RoomTokenRefusal>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let called = async {
        let call = Call::read(state, bearer?.token, &headers, body)?;
        match service.strip_prefix("livekit.").unwrap_or_default() {
            "RoomService" => room_service::call(call, &method).await,
            "Egress" => egress::call(call, &method).await,
            "AgentDispatchService" => agent_dispatch::call(call, &method).await,
            "SIP" => sip::call(call, &method).await,
            "Ingress" => Err(TwirpError::unimplemented(
                "there is no ingress here: publish with a client SDK",
            )),
            _ => Err(TwirpError::bad_route(&service, &method)),
        }
    };
    called.await.unwrap_or_else(IntoResponse::into_response)
}
