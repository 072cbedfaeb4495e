//! What calls draw from at once: dialog names, ports, where phones and providers are.

use super::browsers::Pages;
use crate::scene::Supply;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use strowger_media::{MediaHandle, OpenLeg};
use strowger_model::record::Binding;
use strowger_model::{CallId, DeviceId, TrunkId, UserId};
use strowger_sip::{DialogKey, SipHandle};

/// Far ends whose way out of this machine is remembered. Beyond that all are forgotten and found anew.
const REMEMBERED: usize = 4_096;

pub(super) struct LiveSupply {
    sip: SipHandle,
    media: MediaHandle,
    pages: Arc<Pages>,
    trunks: Mutex<HashMap<TrunkId, SocketAddr>>,
    ways_out: Mutex<HashMap<IpAddr, IpAddr>>,
}

impl LiveSupply {
    pub(super) fn new(sip: SipHandle, media: MediaHandle, pages: Arc<Pages>) -> Self {
        Self {
            sip,
            media,
            pages,
            trunks: Mutex::default(),
            ways_out: Mutex::default(),
        }
    }

    pub(super) fn found_trunk(&self, trunk: TrunkId, address: SocketAddr) {
        let mut trunks = self.trunks.lock().unwrap_or_else(PoisonError::into_inner);
        trunks.insert(trunk, address);
    }

    pub(super) fn forget_trunk(&self, trunk: TrunkId) {
        let mut trunks = self.trunks.lock().unwrap_or_else(PoisonError::into_inner);
        trunks.remove(&trunk);
    }

    /// A leg with an address that its far end can send to.
    fn opened(&self, open: Result<OpenLeg, strowger_media::io::Error>, toward: Option<IpAddr>) -> Option<OpenLeg> {
        let mut open = match open {
            Ok(open) => open,
            Err(problem) => {
                tracing::error!(
                    problem = &problem as &dyn std::error::Error,
                    "no audio for a leg; it is refused"
                );
                return None;
            }
        };
        if open.local.ip().is_unspecified() {
            let ours = toward.and_then(|toward| self.way_out(toward));
            open.local.set_ip(ours.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        Some(open)
    }

    /// The address of ours that packets to `toward` leave from.
    fn way_out(&self, toward: IpAddr) -> Option<IpAddr> {
        let mut known = self.ways_out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ours) = known.get(&toward) {
            return Some(*ours);
        }
        // Connecting a datagram socket sends nothing; the system only chooses the way.
        let unspecified = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        let any = if toward.is_ipv4() {
            unspecified
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((toward, 9)).ok()?;
        let ours = socket.local_addr().ok()?.ip();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(toward, ours);
        Some(ours)
    }
}

impl Supply for LiveSupply {
    fn dialog(&self) -> DialogKey {
        self.sip.new_dialog()
    }

    fn open_leg(&self, call: CallId, toward: Option<IpAddr>) -> Option<OpenLeg> {
        self.opened(self.media.open(call), toward)
    }

    fn reopen_leg(&self, call: CallId, toward: Option<IpAddr>, port: u16) -> Option<OpenLeg> {
        self.opened(self.media.reopen(call, port), toward)
    }

    fn open_browser(&self, call: CallId) -> Option<OpenLeg> {
        self.media.open_ported(call).ok()
    }

    fn has_browser(&self, user: UserId) -> bool {
        self.pages.has(user)
    }

    fn bindings(&self, device: DeviceId) -> Vec<Binding> {
        self.sip.bindings_of(device)
    }

    fn trunk_address(&self, trunk: TrunkId) -> Option<SocketAddr> {
        let trunks = self.trunks.lock().unwrap_or_else(PoisonError::into_inner);
        trunks.get(&trunk).copied()
    }
}
