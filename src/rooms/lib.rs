//! Meetings: browsers, programs and phones that hear, see and write to each other.
//!
//! The wire is `LiveKit`'s protocol, so stock clients join unchanged ([`protocol`]). A [`room::Room`] is a
//! value: signalling requests, datagrams and orders go in, signalling responses, datagrams and events come
//! out, and time is a parameter. One browser's WebRTC connection is a [`peer`]; which packet of which layer
//! goes to whom is decided in [`forward`]; phones are decoded and mixed in [`stage`]. Sockets, clocks and
//! tasks live in [`io`] alone: start reading at [`io::RoomsHandle`]. This crate knows nothing of HTTP,
//! of tokens or of rows.

pub mod claims;
pub mod config;
pub mod error;
pub mod event;
pub mod forward;
#[expect(clippy::disallowed_methods, reason = "sockets, clocks and tasks live in io/")]
pub mod io;
pub mod peer;
pub mod protocol;
pub mod room;
pub mod signal;
pub mod stage;
pub mod tap;
pub mod turn;

/// The attribute of a phone that names the agent which is to come into the room with it.
pub const WANTS_AGENT: &str = "strowger.agent";

/// The attribute of a phone that says how its call stands: `dialing`, `ringing`, `active`, `hold`, `hangup`.
pub const CALL_STATUS: &str = "sip.callStatus";

/// The attribute of a phone that is not recorded though its room is: `refused`, `unanswered` or `unheard`.
pub const UNRECORDED: &str = "strowger.unrecorded";

pub use claims::{Grants, Role};
pub use config::{IceServers, Limits, RoomOptions, RoomsConfig};
pub use error::{JoinRefused, RoomError};
pub use event::{RoomEvent, RoomEventKind};
pub use forward::{Codec, Packet};
pub use io::{AgentBoard, AgentWorker, JoinBrowser, JoinPhone, PhoneEvent, PhoneSession, RoomsHandle, Session};
pub use signal::Generation;
pub use tap::{Tap, TapFilter, TapId, TrackTag};

use strowger_model::TenantId;

/// Names a running room. Two tenants never meet: the tenant is part of the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName {
    /// Who owns it.
    pub tenant: TenantId,
    /// What its members call it; any text, unique within the tenant.
    pub name: String,
}

impl RoomName {
    /// The room `name` of `tenant`.
    #[must_use]
    pub fn new(tenant: TenantId, name: impl Into<String>) -> Self {
        Self {
            tenant,
            name: name.into(),
        }
    }

    /// The room in which one browser's side of a call is heard. Nobody can guess the name, which is all that
    /// leads into it.
    #[must_use]
    pub fn of_line(tenant: TenantId, secret: &str) -> Self {
        Self::new(tenant, format!("{LINE}{secret}"))
    }

    /// Whether it is one browser's side of a call rather than a meeting: it is in no list, nothing is told of
    /// it, and only [`RoomsHandle::open_line`] makes it.
    #[must_use]
    pub fn is_line(&self) -> bool {
        self.name.starts_with(LINE)
    }
}

/// What the names of [`RoomName::of_line`] begin with.
const LINE: &str = "line/";
