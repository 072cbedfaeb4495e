//! What others hold to speak with the SIP side.

use crate::event::{DialogKey, SipEvent};
use crate::standing::TakenUp;
use crate::trace::Traced;
use crate::{Command, Error};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use strowger_model::DeviceId;
use strowger_model::record::Binding;
use tokio::sync::mpsc;

/// Sends commands and knows who can be reached. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SipHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    next: AtomicU64,
    bindings: Mutex<HashMap<DeviceId, Vec<Binding>>>,
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    taken_up: Mutex<Vec<TakenUp>>,
    traces: Mutex<Option<mpsc::Receiver<Traced>>>,
}

impl SipHandle {
    /// `listeners` are those of UDP, TCP and TLS.
    pub(super) fn new(commands: mpsc::Sender<Command>, listeners: [Vec<SocketAddr>; 3]) -> Self {
        let [udp, tcp, tls] = listeners;
        let bindings = Mutex::new(HashMap::new());
        let next = AtomicU64::new(2);
        Self {
            shared: Arc::new(Shared {
                commands,
                next,
                bindings,
                udp,
                tcp,
                tls,
                taken_up: Mutex::default(),
                traces: Mutex::default(),
            }),
        }
    }

    /// A handle that is connected to nothing but the receiver of its commands: for tests of those who use it.
    #[must_use]
    pub fn detached(capacity: usize) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(capacity);
        (Self::new(commands, Default::default()), receiver)
    }

    /// A fresh name for a dialog we are about to open.
    #[must_use]
    pub fn new_dialog(&self) -> DialogKey {
        DialogKey(self.shared.next.fetch_add(2, Ordering::Relaxed))
    }

    /// The dialogs of a process before this one that stand again. Whoever asks has them, once, and owes each a new offer
    /// or BYE.
    #[must_use]
    pub fn taken_up(&self) -> Vec<TakenUp> {
        std::mem::take(&mut *self.shared.taken_up.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn takes_up(&self, dialogs: Vec<TakenUp>) {
        *self.shared.taken_up.lock().unwrap_or_else(PoisonError::into_inner) = dialogs;
    }

    /// The messages of dialogs as they came and went, where [`crate::SipConfig::traces`] is set. Whoever asks has them, once.
    /// Those that are not taken in time are dropped.
    #[must_use]
    pub fn traces(&self) -> Option<mpsc::Receiver<Traced>> {
        self.shared.traces.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn shows(&self, traces: mpsc::Receiver<Traced>) {
        *self.shared.traces.lock().unwrap_or_else(PoisonError::into_inner) = Some(traces);
    }

    /// Sends a command, waiting while the queue is full.
    ///
    /// # Errors
    ///
    /// When the SIP side has ended.
    pub async fn send(&self, command: Command) -> Result<(), Error> {
        self.shared.commands.send(command).await.map_err(|_| Error::Ended)
    }

    /// Sends a command without waiting. A full queue returns the command: calls refuse then.
    ///
    /// # Errors
    ///
    /// The command itself when the queue is full or the SIP side has ended.
    pub fn try_send(&self, command: Command) -> Result<(), Command> {
        self.shared
            .commands
            .try_send(command)
            .map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Where a device can be reached, best first.
    #[must_use]
    pub fn bindings_of(&self, device: DeviceId) -> Vec<Binding> {
        self.lock().get(&device).cloned().unwrap_or_default()
    }

    /// The devices that can be reached.
    #[must_use]
    pub fn devices_online(&self) -> Vec<DeviceId> {
        self.lock().keys().copied().collect()
    }

    /// The UDP addresses that are listened on.
    #[must_use]
    pub fn udp_addrs(&self) -> &[SocketAddr] {
        &self.shared.udp
    }

    /// The TCP addresses that are listened on.
    #[must_use]
    pub fn tcp_addrs(&self) -> &[SocketAddr] {
        &self.shared.tcp
    }

    /// The TLS addresses that are listened on.
    #[must_use]
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        &self.shared.tls
    }

    /// Keeps the picture of who can be reached; called for every event before it is passed on.
    pub(super) fn observe(&self, event: &SipEvent) {
        if let SipEvent::Bound { binding } = event {
            self.bound(binding);
        } else if let SipEvent::Unbound { device, contact } = event {
            let mut all = self.lock();
            if let Some(list) = all.get_mut(device) {
                list.retain(|held| held.contact != *contact);
                if list.is_empty() {
                    all.remove(device);
                }
            }
        }
    }

    pub(super) fn bound(&self, binding: &Binding) {
        let mut all = self.lock();
        let list = all.entry(binding.device).or_default();
        list.retain(|held| held.contact != binding.contact);
        // The freshest first: a phone that moved is most likely where it spoke last.
        list.insert(0, binding.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Vec<Binding>>> {
        self.shared.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
