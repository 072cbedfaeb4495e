//! What a call stands on while it takes an input: the moment, what is known, and what it may draw from.

use crate::directory::Directory;
use crate::route::Load;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use strowger_media::OpenLeg;
use strowger_model::record::Binding;
use strowger_model::{CallId, DeviceId, TrunkId, UserId, World};
use strowger_sip::DialogKey;

/// What a call draws from its surroundings at once: names, ports, and where phones are. The daemon
/// answers from the SIP endpoint and the media threads, tests and the simulation from counters.
pub trait Supply: Send + Sync {
    /// The name of a dialog that we are about to open.
    fn dialog(&self) -> DialogKey;
    /// Opens the audio of a leg whose far end is at or behind `toward`; `None` when no port is free.
    fn open_leg(&self, call: CallId, toward: Option<IpAddr>) -> Option<OpenLeg>;
    /// Opens the audio of a leg that had this port in a process before this one, there if it can be.
    fn reopen_leg(&self, call: CallId, toward: Option<IpAddr>, _port: u16) -> Option<OpenLeg> {
        self.open_leg(call, toward)
    }
    /// Opens the audio of a leg whose far end is a browser; `None` when that is not possible.
    fn open_browser(&self, _call: CallId) -> Option<OpenLeg> {
        None
    }
    /// Whether a user has a phone page open.
    fn has_browser(&self, _user: UserId) -> bool {
        false
    }
    /// Where a phone can be reached now.
    fn bindings(&self, device: DeviceId) -> Vec<Binding>;
    /// Where a provider's host is, once its name was found.
    fn trunk_address(&self, trunk: TrunkId) -> Option<SocketAddr>;
}

/// The surroundings of one input.
pub struct Scene<'a> {
    /// The moment.
    pub now: Instant,
    /// What is known.
    pub directory: &'a Arc<Directory>,
    /// Names, ports and places.
    pub supply: &'a dyn Supply,
    /// Wall time and chance.
    pub world: &'a dyn World,
    /// The calls that run.
    pub load: &'a mut Load,
}
