//! The one task that owns the endpoint.

use crate::io::SipHandle;
use crate::{Directory, Error, SipConfig, SipEvent};
use std::sync::Arc;
use strowger_host::Shutdown;
use strowger_model::World;
use strowger_model::record::Binding;
use tokio::sync::mpsc;

pub(super) async fn start(
    config: SipConfig,
    directory: Arc<dyn Directory>,
    world: Arc<dyn World>,
    bindings: Vec<Binding>,
    shutdown: &Shutdown,
) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), Error> {
    let (commands, mut incoming) = mpsc::channel(config.limits.queued_commands);
    let (events, receiver) = mpsc::channel(config.limits.queued_events);
    let handle = SipHandle::new(commands, config.udp, config.tcp);
    for binding in &bindings {
        handle.bound(binding);
    }
    let (hard, watched) = (shutdown.hard().clone(), handle.clone());
    shutdown.tasks().spawn(async move {
        let _ = (directory, world, events);
        if let Some(event) = None::<SipEvent> {
            watched.observe(&event);
        }
        while hard.run_until_cancelled(incoming.recv()).await.flatten().is_some() {}
    });
    Ok((handle, receiver))
}
