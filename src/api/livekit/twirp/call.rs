//! One call: who makes it, in which encoding, and how its answer is written.

use super::error::{Code, TwirpError};
use crate::livekit::grants;
use crate::state::ApiState;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use strowger_access::RoomToken;
use strowger_model::TenantId;
use strowger_rooms::claims::Grants;
use strowger_rooms::{RoomName, RoomsHandle};
use strowger_store::{Actor, Scope};

/// How requests and answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match kind.split(';').next().unwrap_or_default().trim() {
            kind if kind.eq_ignore_ascii_case("application/protobuf") => Some(Self::Protobuf),
            kind if kind.eq_ignore_ascii_case("application/json") => Some(Self::Json),
            _ => None,
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/protobuf",
            Self::Json => "application/json",
        }
    }
}

/// Who makes a call and what they may do. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    state: ApiState,
    who: Arc<(RoomToken, Grants)>,
}

impl Context {
    /// The tenant: the one whose key signed the token.
    pub(crate) fn tenant(&self) -> TenantId {
        self.who.0.tenant()
    }

    /// The tenant's rows.
    pub(crate) fn scope(&self) -> Scope {
        self.state.access.store().tenant(self.tenant())
    }

    /// What the interface stands on.
    pub(crate) const fn state(&self) -> &ApiState {
        &self.state
    }

    /// Who the audit log says it was.
    pub(crate) fn actor(&self) -> Actor {
        Actor::named(self.who.0.actor())
    }

    /// The rooms.
    pub(crate) fn rooms(&self) -> Result<&RoomsHandle, TwirpError> {
        let off = || TwirpError::new(Code::Unavailable, "rooms are switched off on this machine");
        self.state.rooms.as_ref().ok_or_else(off)
    }

    /// Signs a token that lets a participant of a room into another.
    pub(crate) async fn token_for(
        &self,
        room: &RoomName,
        identity: &str,
        destination: &str,
    ) -> Result<String, TwirpError> {
        let rooms = self.rooms()?;
        let token = crate::livekit::signal::token_for(&self.state, rooms, room, identity, destination).await;
        token.ok_or_else(|| TwirpError::new(Code::NotFound, "participant does not exist"))
    }

    /// A room of the tenant. Its name is checked.
    pub(crate) fn room(&self, name: &str) -> Result<RoomName, TwirpError> {
        if name.is_empty() {
            return Err(TwirpError::invalid("room name is required"));
        }
        if name.len() > LONGEST_NAME {
            return Err(TwirpError::invalid("room name exceeds limits"));
        }
        Ok(RoomName {
            tenant: self.tenant(),
            name: name.to_owned(),
        })
    }

    /// Goes on when the token says so.
    pub(crate) fn need(&self, granted: impl FnOnce(&Grants) -> bool) -> Result<(), TwirpError> {
        if granted(&self.who.1) {
            Ok(())
        } else {
            Err(TwirpError::not_permitted())
        }
    }

    /// The room, for whoever may steer it.
    pub(crate) fn steer(&self, name: &str) -> Result<RoomName, TwirpError> {
        self.need(|grants| grants.room_admin && grants.room == name)?;
        self.room(name)
    }
}

/// The longest name of a room, in bytes.
const LONGEST_NAME: usize = 256;

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    context: Context,
    encoding: Encoding,
    body: Bytes,
}

impl Call {
    /// Reads what is the same for all calls.
    pub(crate) fn read(
        state: ApiState,
        token: RoomToken,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Self, TwirpError> {
        let encoding = Encoding::of(headers).ok_or_else(|| {
            TwirpError::new(
                Code::BadRoute,
                "unexpected Content-Type: send application/protobuf or application/json",
            )
        })?;
        let grants = grants::of_token(&token);
        let who = Arc::new((token, grants));
        let context = Context { state, who };
        Ok(Self {
            context,
            encoding,
            body,
        })
    }

    /// Reads the request, asks `method`, writes its answer.
    pub(crate) async fn answer<Q, A, F, T>(self, method: F) -> Result<Response, TwirpError>
    where
        Q: Message + Default + DeserializeOwned,
        A: Message + Serialize,
        F: FnOnce(Context, Q) -> T,
        T: Future<Output = Result<A, TwirpError>>,
    {
        let request = self.request::<Q>()?;
        let encoding = self.encoding;
        let answer = method(self.context, request).await?;
        let body = match encoding {
            Encoding::Protobuf => answer.encode_to_vec(),
            Encoding::Json => serde_json::to_vec(&answer)
                .map_err(|_| TwirpError::new(Code::Internal, "the answer cannot be written as JSON"))?,
        };
        let kind = HeaderValue::from_static(encoding.content_type());
        Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], body).into_response())
    }

    fn request<Q: Message + Default + DeserializeOwned>(&self) -> Result<Q, TwirpError> {
        let malformed = |why: String| TwirpError::new(Code::Malformed, format!("the request cannot be read: {why}"));
        match self.encoding {
            Encoding::Protobuf => Q::decode(self.body.clone()).map_err(|error| malformed(error.to_string())),
            Encoding::Json if self.body.is_empty() => Ok(Q::default()),
            Encoding::Json => serde_json::from_slice(&self.body).map_err(|error| malformed(error.to_string())),
        }
    }
}
