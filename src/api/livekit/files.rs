//! Links to the files of egresses, for programs that hold no API token: each names one recording, is signed with the
//! tenant's own key, and ends. Whoever has the link has the file, so it goes only where the egress is told of: to the
//! server SDKs and to webhooks.

use crate::problem::Problem;
use crate::recordings::{AudioQuery, send};
use crate::state::ApiState;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::time::Duration;
use strowger_access::{Access, RoomBearer, RoomClaims, RoomTokenRefusal};
use strowger_model::{RecordingId, TenantId};
use strowger_store::Actor;
use tracing::warn;

/// How long a link leads to its file.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// The routes.
pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/livekit/files/{recording}", get(file))
}

/// Makes the links. Cheap to clone.
#[derive(Clone)]
pub struct FileLinks {
    access: Access,
    base: String,
}

impl FileLinks {
    /// Links that begin with `public_url`; without one they are paths on whatever address the program asked.
    #[must_use]
    pub fn new(access: Access, public_url: Option<&str>) -> Self {
        let base = public_url.unwrap_or_default().trim_end_matches('/').to_owned();
        Self { access, base }
    }

    /// A fresh link to a recording's file. Empty when it cannot be signed: the file can still be fetched with an API token.
    pub(crate) async fn to(&self, tenant: TenantId, recording: RecordingId, is_mp3: bool) -> String {
        let claims = RoomClaims {
            recording: recording.to_string(),
            ..RoomClaims::default()
        };
        match self.access.sign_room_token(tenant, &claims, Some(LASTS)).await {
            Ok((token, _)) => {
                let format = if is_mp3 { "format=mp3&" } else { "" };
                format!("{}/livekit/files/{recording}?{format}access_token={token}", self.base)
            }
            Err(problem) => {
                warn!(%problem, %recording, "a link to a file cannot be signed");
                String::new()
            }
        }
    }
}

async fn file(
    State(state): State<ApiState>,
    Path(recording): Path<String>,
    bearer: Result<RoomBearer, RoomTokenRefusal>,
    Query(query): Query<AudioQuery>,
    headers: HeaderMap,
) -> Response {
    let token = match bearer {
        Ok(bearer) => bearer.token,
        Err(refusal) => return refusal.into_response(),
    };
    // A token for rooms, or for another recording, is as good here as none for this one.
    let named = &token.claims().recording;
    let id = recording.parse::<RecordingId>().ok();
    let Some(id) = id.filter(|id| *named == id.to_string()) else {
        return Problem::not_found("recording").into_response();
    };
    let scope = state.access.store().tenant(token.tenant());
    let actor = Actor::named("egress link".to_owned());
    let sent = send(&state, &scope, &actor, (id, &query), &headers).await;
    sent.unwrap_or_else(IntoResponse::into_response)
}
