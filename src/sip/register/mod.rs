//! Where devices can be reached: bindings by device, ended by deadline without a scan, and with their connection.

use crate::transaction::{FlowId, Path};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Instant;
use strowger_model::DeviceId;
use strowger_model::record::Binding;

/// One binding and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) binding: Binding,
    pub(crate) path: Path,
    pub(crate) expires: Instant,
    /// Preference in thousandths.
    pub(crate) q: u16,
}

/// All bindings.
#[derive(Debug)]
pub(crate) struct Bindings {
    most: usize,
    next: u64,
    by_device: HashMap<DeviceId, Vec<(u64, Held)>>,
    ends: BTreeMap<(Instant, u64), DeviceId>,
    by_flow: HashMap<FlowId, HashSet<DeviceId>>,
    /// How many bindings there are at each source.
    by_source: HashMap<SocketAddr, u32>,
}

impl Bindings {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            next: 0,
            by_device: HashMap::new(),
            ends: BTreeMap::new(),
            by_flow: HashMap::new(),
            by_source: HashMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bindings of a device, best first.
    pub(crate) fn of(&self, device: DeviceId) -> Vec<Binding> {
        let mut held: Vec<_> = self.held(device).collect();
        held.sort_by_key(|held| (std::cmp::Reverse(held.q), std::cmp::Reverse(held.expires)));
        held.into_iter().map(|held| held.binding.clone()).collect()
    }

    pub(crate) fn held(&self, device: DeviceId) -> impl Iterator<Item = &Held> {
        self.by_device.get(&device).into_iter().flatten().map(|(_, held)| held)
    }

    pub(crate) fn path_of(&self, device: DeviceId, contact: &str) -> Option<Path> {
        self.held(device)
            .find(|held| held.binding.contact == contact)
            .map(|held| held.path)
    }

    /// Whether a device has a binding at this source.
    pub(crate) fn is_at(&self, device: DeviceId, source: SocketAddr) -> bool {
        let text = source.to_string();
        self.held(device).any(|held| held.binding.source == text)
    }

    /// Whether any device has a binding at this source.
    pub(crate) fn is_anyone_at(&self, source: SocketAddr) -> bool {
        self.by_source.contains_key(&source)
    }

    pub(crate) fn has_flow(&self, flow: FlowId) -> bool {
        self.by_flow.contains_key(&flow)
    }

    /// Adds or refreshes a binding; the contacts that went for it.
    pub(crate) fn bind(&mut self, held: Held) -> Vec<String> {
        let new = &held.binding;
        let device = new.device;
        let replaces = |old: &Binding| {
            let is_same_phone = new.instance.is_some() && old.instance == new.instance;
            // A phone without an instance id that started anew: nobody else can be at the same source.
            let is_same_place =
                old.source == new.source && old.transport == new.transport && old.sip_call_id != new.sip_call_id;
            old.contact == new.contact || is_same_phone || is_same_place
        };
        let mut gone: Vec<String> = self
            .held(device)
            .map(|old| &old.binding)
            .filter(|old| replaces(old))
            .map(|old| old.contact.clone())
            .collect();
        for contact in &gone {
            self.unbind(device, contact);
        }
        gone.retain(|contact| *contact != new.contact);
        while self.held(device).count() >= self.most {
            let oldest = self
                .held(device)
                .min_by_key(|held| held.expires)
                .map(|held| held.binding.contact.clone());
            let Some(oldest) = oldest else { break };
            self.unbind(device, &oldest);
            gone.push(oldest);
        }
        self.next += 1;
        self.ends.insert((held.expires, self.next), device);
        if let Path::Flow(flow) = held.path {
            self.by_flow.entry(flow).or_default().insert(device);
        }
        if let Ok(source) = held.binding.source.parse() {
            *self.by_source.entry(source).or_default() += 1;
        }
        self.by_device.entry(device).or_default().push((self.next, held));
        gone
    }

    /// Ends one binding; false when there is none.
    pub(crate) fn unbind(&mut self, device: DeviceId, contact: &str) -> bool {
        !self.remove(device, |held| held.binding.contact == contact).is_empty()
    }

    /// Ends every binding of a device; their contacts.
    pub(crate) fn unbind_all(&mut self, device: DeviceId) -> Vec<String> {
        self.remove(device, |_| true)
    }

    /// Ends the bindings of a connection.
    pub(crate) fn unbind_flow(&mut self, flow: FlowId) -> Vec<(DeviceId, String)> {
        let devices = self.by_flow.remove(&flow).unwrap_or_default();
        let mut gone = Vec::new();
        for device in devices {
            let contacts = self.remove(device, |held| held.path == Path::Flow(flow));
            gone.extend(contacts.into_iter().map(|contact| (device, contact)));
        }
        gone
    }

    /// Ends what has run out.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(DeviceId, String)> {
        let mut gone = Vec::new();
        while let Some((&(end, _), &device)) = self.ends.first_key_value() {
            if end > now {
                break;
            }
            let contacts = self.remove(device, |held| held.expires <= now);
            if contacts.is_empty() {
                self.ends.pop_first();
            }
            gone.extend(contacts.into_iter().map(|contact| (device, contact)));
        }
        gone
    }

    /// When the next one runs out.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.ends.first_key_value().map(|((end, _), _)| *end)
    }

    fn remove(&mut self, device: DeviceId, goes: impl Fn(&Held) -> bool) -> Vec<String> {
        let Some(list) = self.by_device.get_mut(&device) else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        let (mut flows, mut sources) = (Vec::new(), Vec::new());
        list.retain(|(name, held)| {
            let is_gone = goes(held);
            if is_gone {
                self.ends.remove(&(held.expires, *name));
                gone.push(held.binding.contact.clone());
                flows.push(held.path);
                sources.extend(held.binding.source.parse::<SocketAddr>());
            }
            !is_gone
        });
        for source in sources {
            if let Some(count) = self.by_source.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    self.by_source.remove(&source);
                }
            }
        }
        for path in flows {
            let Path::Flow(flow) = path else { continue };
            if !list.iter().any(|(_, held)| held.path == path)
                && let Some(devices) = self.by_flow.get_mut(&flow)
            {
                devices.remove(&device);
                if devices.is_empty() {
                    self.by_flow.remove(&flow);
                }
            }
        }
        if list.is_empty() {
            self.by_device.remove(&device);
        }
        gone
    }
}
