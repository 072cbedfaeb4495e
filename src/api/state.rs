//! What handlers stand on. The store is not within their reach: a tenant's data comes from
//! [`crate::caller::Caller::may`] alone.

use crate::health::Check;
use crate::live::Calls;
use crate::livekit::agents::Agents;
use crate::livekit::files::FileLinks;
use crate::livekit::webhook::Webhooks;
use crate::recordings::Converter;
use axum::body::Bytes;
use axum::extract::FromRef;
use std::sync::{Arc, OnceLock};
use strowger_access::Access;
use strowger_host::metrics::Metrics;
use strowger_rooms::RoomsHandle;
use strowger_switch::io::{RoomRecorder, SwitchHandle};
use tokio_util::sync::CancellationToken;

/// Something that is looked at for `/health` besides what this crate knows of.
pub type Probe = Arc<dyn Fn() -> Check + Send + Sync>;

/// What the interface stands on. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    pub(crate) access: Access,
    pub(crate) calls: Arc<dyn Calls>,
    pub(crate) metrics: Metrics,
    pub(crate) metrics_public: bool,
    pub(crate) probes: Arc<[Probe]>,
    pub(crate) ending: CancellationToken,
    pub(crate) rooms: Option<RoomsHandle>,
    pub(crate) agents: Option<Agents>,
    pub(crate) webhooks: Option<Webhooks>,
    pub(crate) recorder: Option<RoomRecorder>,
    pub(crate) phones: Option<SwitchHandle>,
    pub(crate) converter: Option<Converter>,
    pub(crate) files: FileLinks,
    pub(crate) described: Arc<OnceLock<Described>>,
}

/// The interface's description, written once. As text it takes a fraction of what its tree does.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// OpenAPI as JSON.
    pub(crate) document: Bytes,
    /// The page for people, once somebody has asked for it.
    pub(crate) page: OnceLock<String>,
}

impl ApiState {
    /// Puts it together: the store comes with `access`.
    #[must_use]
    pub fn new(access: Access, calls: Arc<dyn Calls>, metrics: Metrics) -> Self {
        Self {
            files: FileLinks::new(access.clone(), None),
            access,
            calls,
            metrics,
            metrics_public: false,
            probes: Arc::from([]),
            ending: CancellationToken::new(),
            rooms: None,
            agents: None,
            webhooks: None,
            recorder: None,
            phones: None,
            converter: None,
            described: Arc::default(),
        }
    }

    /// Answers what `LiveKit`'s clients and server SDKs ask of rooms.
    #[must_use]
    pub fn with_rooms(mut self, rooms: RoomsHandle) -> Self {
        self.rooms = Some(rooms);
        self
    }

    /// Offers recordings in other formats.
    #[must_use]
    pub fn with_converter(mut self, converter: Converter) -> Self {
        self.converter = Some(converter);
        self
    }

    /// Begins the links to files with the address under which this machine is reached from outside.
    #[must_use]
    pub fn with_public_url(mut self, public_url: Option<&str>) -> Self {
        self.files = FileLinks::new(self.access.clone(), public_url);
        self
    }

    /// Lets programs call for users in browsers.
    #[must_use]
    pub fn with_phones(mut self, phones: SwitchHandle) -> Self {
        self.phones = Some(phones);
        self
    }

    /// Lets hosts and programs record rooms.
    #[must_use]
    pub fn with_recorder(mut self, recorder: RoomRecorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Tells webhooks what happens beside the rooms: recordings for programs.
    #[must_use]
    pub fn with_webhooks(mut self, webhooks: Webhooks) -> Self {
        self.webhooks = Some(webhooks);
        self
    }

    /// Takes agents' workers and sends for them.
    #[must_use]
    pub fn with_agents(mut self, agents: Agents) -> Self {
        self.agents = Some(agents);
        self
    }

    /// Lets `/metrics` answer others than this machine.
    #[must_use]
    pub fn with_public_metrics(mut self, public: bool) -> Self {
        self.metrics_public = public;
        self
    }

    /// Ends every stream of events when the daemon ends, so that no client holds it up.
    #[must_use]
    pub fn ending_with(mut self, ending: CancellationToken) -> Self {
        self.ending = ending;
        self
    }

    /// Adds what `/health` looks at.
    #[must_use]
    pub fn with_probes(mut self, probes: Vec<Probe>) -> Self {
        self.probes = probes.into();
        self
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ApiState").finish_non_exhaustive()
    }
}

impl FromRef<ApiState> for Access {
    fn from_ref(state: &ApiState) -> Self {
        state.access.clone()
    }
}
