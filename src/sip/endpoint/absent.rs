//! Phones whose connection ended with the daemon before: their dialogs stand, and wait a while for them to connect again.
//! They are back with their registration, with any request of the dialog, or when they take a connection at their Contact.

use super::standing::told_by;
use super::{Due, Endpoint};
use crate::event::DialogKey;
use crate::standing::{RETURN, Standing};
use crate::transaction::{FlowId, Path};
use std::collections::HashMap;
use std::net::SocketAddr;
use strowger_model::DeviceId;
use strowger_model::record::Binding;
use strowger_model::trunk::Transport;

/// A connection there never is.
const NOWHERE: Path = Path::Flow(FlowId(0));

/// Who is waited for.
#[derive(Debug, Default)]
pub(super) struct Absent {
    by_device: HashMap<DeviceId, Vec<Missing>>,
    /// Connections that were asked for at Contacts, and the dialogs they are for.
    asked: HashMap<FlowId, Vec<DialogKey>>,
    count: usize,
    /// Bindings of connections that ended with the daemon before.
    former: Vec<Binding>,
}

#[derive(Debug)]
struct Missing {
    dialog: DialogKey,
    transport: Transport,
    /// Where its connection came from.
    far: SocketAddr,
    /// What it was registered as on that connection.
    former: Option<Binding>,
}

impl Missing {
    /// Whether a new binding is of the same phone: its instance id tells (RFC 5626 §4.1), otherwise the Contact, the Call-ID of
    /// its registration, which a phone keeps (RFC 3261 §10.2), or the host that it speaks from.
    fn is_back_as(&self, new: &Binding) -> bool {
        if new.transport != self.transport {
            return false;
        }
        let former = self.former.as_ref();
        if let Some((before, now)) = former.and_then(|former| former.instance.as_ref().zip(new.instance.as_ref())) {
            return before == now;
        }
        let is_same_place = new.source.parse().is_ok_and(|at: SocketAddr| at.ip() == self.far.ip());
        let is_same = |former: &Binding| former.contact == new.contact || former.sip_call_id == new.sip_call_id;
        is_same_place || former.is_some_and(is_same)
    }
}

impl Absent {
    pub(super) fn was_bound(&mut self, binding: Binding) {
        self.former.push(binding);
    }

    /// Nobody is missed any more who is not missed by now.
    pub(super) fn forget_former(&mut self) {
        self.former = Vec::new();
    }

    fn add(&mut self, device: DeviceId, missing: Missing, path: Path) {
        if let Path::Flow(flow) = path
            && path != NOWHERE
        {
            self.asked.entry(flow).or_default().push(missing.dialog);
        }
        self.by_device.entry(device).or_default().push(missing);
        self.count += 1;
    }

    pub(super) fn remove(&mut self, dialog: DialogKey, device: Option<DeviceId>) {
        let Some(device) = device else { return };
        let Some(missing) = self.by_device.get_mut(&device) else {
            return;
        };
        let before = missing.len();
        missing.retain(|one| one.dialog != dialog);
        self.count -= before - missing.len();
        if missing.is_empty() {
            self.by_device.remove(&device);
        }
        if self.count == 0 {
            self.asked.clear();
        }
    }
}

impl Endpoint {
    /// How a dialog begins whose phone is to be waited for; `None` where nobody is: datagrams find their way, and providers are
    /// connected to.
    pub(super) fn path_of_absent(&mut self, one: &Standing, target: &str) -> Option<Path> {
        let is_one = one.transport != Transport::Udp && one.device.is_some();
        if !is_one || self.absent.count >= self.core.config.limits.dialogs {
            return None;
        }
        // What is behind a NAT says an address of its own network, where somebody else may be; and no phone has a certificate.
        let told = told_by(target, one.transport);
        let told = told.filter(|told| one.transport == Transport::Tcp && told.ip() == one.far.ip());
        let path = told.and_then(|told| self.core.path_to(told, Transport::Tcp, ""));
        Some(path.unwrap_or(NOWHERE))
    }

    /// Waits for the phone of a dialog.
    pub(super) fn miss(&mut self, key: DialogKey, one: &Standing) {
        let timer = self.core.after(RETURN, Due::Missed(key));
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.missed = Some(timer);
        let Some(device) = one.device else { return };
        let source = one.far.to_string();
        let is_former = |binding: &&Binding| binding.device == device && binding.source == source;
        let missing = Missing {
            dialog: key,
            transport: one.transport,
            far: one.far,
            former: self.absent.former.iter().find(is_former).cloned(),
        };
        let path = dialog.path;
        self.absent.add(device, missing, path);
    }

    /// A device has registered on a connection.
    pub(super) fn registered_again(&mut self, device: DeviceId, path: Path) {
        let Some(missing) = self.absent.by_device.get(&device) else {
            return;
        };
        let is_back = |missing: &&Missing| {
            let mut new = self.bindings.held(device).filter(|held| held.path == path);
            new.any(|held| missing.is_back_as(&held.binding))
        };
        let back: Vec<DialogKey> = missing.iter().filter(is_back).map(|missing| missing.dialog).collect();
        for dialog in back {
            self.is_back(dialog, path);
            self.send_queued(dialog);
        }
    }

    /// A connection that was asked for stands.
    pub(super) fn reached_again(&mut self, flow: FlowId) {
        for dialog in self.absent.asked.remove(&flow).unwrap_or_default() {
            if self.is_back(dialog, Path::Flow(flow)) {
                self.send_queued(dialog);
            }
        }
    }

    /// A request of a dialog came on a path: its phone is there, unless it is over TLS and the request is not. What waits is
    /// left waiting. Whether it was missed.
    pub(super) fn spoke_again(&mut self, key: DialogKey, path: Path) -> bool {
        let is_in_clear = self.core.transport_of(path) != Transport::Tls;
        let was_encrypted = self.dialogs.get(&key).is_some_and(|dialog| dialog.far_name.is_some());
        !(is_in_clear && was_encrypted) && self.is_back(key, path)
    }

    fn is_back(&mut self, key: DialogKey, path: Path) -> bool {
        if !self.miss_no_more(key) {
            return false;
        }
        if let Some(dialog) = self.dialogs.get_mut(&key) {
            (dialog.path, dialog.heard) = (path, path);
            dialog.far = self.core.remote_of(path);
        }
        self.keep(key);
        true
    }

    /// Whether it was missed.
    pub(super) fn miss_no_more(&mut self, key: DialogKey) -> bool {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return false;
        };
        let device = dialog.device;
        let Some(timer) = dialog.missed.take() else {
            return false;
        };
        self.core.forget(Some(timer));
        self.absent.remove(key, device);
        true
    }

    /// Nobody came back, or nobody is wanted any more: what is said yet goes to the Contact, should anybody listen there.
    pub(super) fn try_contact(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get(&key) else { return };
        if let Path::Flow(flow) = dialog.path
            && self.core.flows.contains_key(&flow)
        {
            return;
        }
        let way = (dialog.target.clone(), dialog.far, dialog.far_name.clone());
        let path = match way {
            // Nobody we could tell from somebody else.
            (_, _, Some(_)) => None,
            (target, far, None) => {
                let told = told_by(&target, Transport::Tcp);
                self.core.path_to(told.unwrap_or(far), Transport::Tcp, "")
            }
        };
        if let Some((path, dialog)) = path.zip(self.dialogs.get_mut(&key)) {
            dialog.path = path;
        }
    }
}
