//! Clocks, tasks and channels of the switch: the only place of this crate where they occur.
//!
//! One task ([`task`]) drives the [`crate::exchange::Exchange`]: it waits for what the SIP side, the
//! media threads, programs and the clock have to say, lets the exchange decide, and performs what it
//! asks for. Beside it one task writes the [`journal`], one keeps the [`directory`] fresh, one the
//! [`trunks`] registered, and one a capture that runs ([`captures`]). None of them is waited for on
//! the way of a call.
//!
//! [`SwitchHandle`] is the way in for the console and the REST interface; [`start`] puts it together.

#![expect(clippy::disallowed_methods, reason = "clocks and tasks of this crate live here")]

mod audio;
mod bindings;
mod board;
mod captures;
mod directory;
mod handle;
mod journal;
mod known;
mod recover;
mod spill;
mod supply;
mod task;
mod trunks;

pub use directory::DirectoryCache;
pub use handle::SwitchHandle;

use board::Board;
use std::sync::Arc;
use strowger_host::Shutdown;
use strowger_media::{MediaEvent, MediaHandle};
use strowger_model::World;
use strowger_sip::{SipEvent, SipHandle};
use strowger_store::Store;
use strowger_store::capture::CaptureSpool;
use tokio::sync::mpsc;

/// Orders of programs that wait. When it is full a program is told that we are busy.
const ORDERS: usize = 256;

/// What the switch stands on.
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Parts {
    pub store: Store,
    pub spool: CaptureSpool,
    pub directory: Arc<DirectoryCache>,
    pub sip: SipHandle,
    pub sip_events: mpsc::Receiver<SipEvent>,
    pub media: MediaHandle,
    pub media_events: mpsc::Receiver<MediaEvent>,
    pub world: Arc<dyn World>,
    /// The most calls at once; further ones are refused with 503.
    pub most_calls: usize,
}

/// Why the switch could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What a daemon before this one left open could not be closed.
    #[error("cannot close what was left open before")]
    Recover(#[source] strowger_store::Error),
    /// The directory could not be read.
    #[error("cannot read the directory")]
    Directory(#[source] strowger_store::Error),
    /// The file of journal entries that wait for the database could not be read.
    #[error("cannot read the journal's spill file")]
    Spill(#[source] std::io::Error),
}

/// Closes what a daemon before this one left open, then takes calls until the shutdown.
///
/// At its soft stage new calls are refused with 503, at its hard stage every call ends. The tasks are
/// the shutdown's; they end once every call is over and written.
///
/// # Errors
/// What was left open could not be closed.
pub async fn start(parts: Parts, shutdown: &Shutdown) -> Result<SwitchHandle, Error> {
    let journal = journal::start(&parts.store, shutdown).await?;
    recover::close_unfinished(&parts.store, &parts.spool, &journal, parts.world.as_ref()).await?;
    let board = Arc::new(Board::new());
    let (orders, ordered) = mpsc::channel(ORDERS);
    let handle = SwitchHandle::new(
        Arc::clone(&board),
        orders,
        Arc::clone(&parts.directory),
        parts.sip.clone(),
    );
    task::start(parts, board, journal, ordered, shutdown);
    Ok(handle)
}
