//! Events on their way to the switch, kept in order while it is behind.

use crate::MediaEvent;
use crate::leg::Events;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Events kept aside while the switch is behind; beyond, all but the ends of legs are dropped.
const KEPT_EVENTS: usize = 65_536;

pub(super) struct Outbox {
    pub(super) sender: mpsc::Sender<MediaEvent>,
    pub(super) waiting: Events,
}

impl Outbox {
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.sender.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    break;
                }
                // Nobody listens any more; the daemon is going down.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        if self.waiting.len() > KEPT_EVENTS {
            self.waiting.retain(|event| matches!(event, MediaEvent::Closed { .. }));
        }
    }
}
