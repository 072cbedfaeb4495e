//! Bindings on their way to the store, so that a restart forgets no registration.

use std::collections::HashMap;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_model::DeviceId;
use strowger_model::record::Binding;
use strowger_store::Store;
use tokio::sync::mpsc;
use tracing::warn;

/// Changes that wait. When it is full a change is left out: the device's next refresh writes it again,
/// and until then only a restart would notice.
const WAITING: usize = 8_192;

/// How long changes are gathered before they are written together.
const GATHER: Duration = Duration::from_millis(500);

/// A change of where a device can be reached.
#[derive(Debug)]
pub(super) enum Change {
    Bound(Box<Binding>),
    Unbound(DeviceId, String),
}

pub(super) fn start(store: &Store, shutdown: &Shutdown) -> mpsc::Sender<Change> {
    let (changes, receiver) = mpsc::channel(WAITING);
    let store = store.clone();
    shutdown.tasks().spawn(run(store, receiver));
    changes
}

async fn run(store: Store, mut changes: mpsc::Receiver<Change>) {
    let mut waiting: HashMap<(DeviceId, String), Option<Box<Binding>>> = HashMap::new();
    while let Some(change) = changes.recv().await {
        take(change, &mut waiting);
        let until = tokio::time::Instant::now() + GATHER;
        while let Ok(Some(change)) = tokio::time::timeout_at(until, changes.recv()).await {
            take(change, &mut waiting);
        }
        write(&store, &mut waiting).await;
    }
    write(&store, &mut waiting).await;
}

fn take(change: Change, waiting: &mut HashMap<(DeviceId, String), Option<Box<Binding>>>) {
    match change {
        Change::Bound(binding) => waiting.insert((binding.device, binding.contact.clone()), Some(binding)),
        Change::Unbound(device, contact) => waiting.insert((device, contact), None),
    };
}

async fn write(store: &Store, waiting: &mut HashMap<(DeviceId, String), Option<Box<Binding>>>) {
    let bound: Vec<Binding> = waiting.values().flatten().map(|binding| (**binding).clone()).collect();
    if !bound.is_empty()
        && let Err(problem) = store.bindings().put(&bound).await
    {
        warn!(
            problem = &problem as &dyn std::error::Error,
            "registrations are not kept yet"
        );
        return;
    }
    waiting.retain(|_, binding| binding.is_none());
    let gone: Vec<(DeviceId, String)> = waiting.keys().cloned().collect();
    for (device, contact) in gone {
        if let Err(problem) = store.bindings().remove(device, &contact).await {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "a registration that ended is not forgotten yet"
            );
            return;
        }
        waiting.remove(&(device, contact));
    }
}
