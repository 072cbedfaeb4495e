//! A media thread: placeholder loop.

use super::command::{Command, Inbox, Mailbox, mailbox};
use super::{MAILBOX, MediaConfig, MediaEvent};
use crate::MediaLegId;
use strowger_model::record::Quality;
use strowger_model::{CallId, World};
use tokio::sync::mpsc;

pub(super) const MOST_THREADS: usize = 256;

#[derive(Debug)]
pub(super) struct Running {
    pub(super) mailbox: Mailbox,
}

pub(super) struct Seed(pub(super) u64);

impl Seed {
    pub(super) fn draw(world: &dyn World) -> Self {
        let mut bytes = [0; 8];
        world.fill(&mut bytes);
        Self(u64::from_le_bytes(bytes))
    }
}

pub(super) fn leg_id(number: u64, index: usize) -> MediaLegId {
    MediaLegId((number << 8) | index as u64)
}

pub(super) fn index_of_leg(leg: MediaLegId) -> usize {
    (leg.0 & 0xff) as usize
}

pub(super) fn index_of_call(call: CallId, threads: usize) -> usize {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    call.hash(&mut hasher);
    (hasher.finish() % threads.max(1) as u64) as usize
}

pub(super) fn start(
    index: usize,
    _config: &MediaConfig,
    seed: Seed,
    events: mpsc::Sender<MediaEvent>,
) -> std::io::Result<Running> {
    let poll = mio::Poll::new()?;
    let waker = mio::Waker::new(poll.registry(), mio::Token(usize::MAX))?;
    let (mailbox, inbox) = mailbox(MAILBOX, waker);
    std::thread::Builder::new()
        .name(format!("media-{index}"))
        .spawn(move || run(inbox, seed, events))?;
    Ok(Running { mailbox })
}

fn run(inbox: Inbox, _seed: Seed, events: mpsc::Sender<MediaEvent>) {
    while let Ok(command) = inbox.receiver.recv() {
        if let Command::Close { leg } = command {
            let quality = Quality::default();
            let _ = events.try_send(MediaEvent::Closed { leg, quality });
        }
    }
}
