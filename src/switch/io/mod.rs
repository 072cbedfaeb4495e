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

mod apps;
mod audio;
mod bindings;
mod board;
mod browsers;
mod captures;
mod directory;
mod handle;
mod journal;
mod known;
mod minutes;
mod outward;
mod recover;
mod rooms;
mod signalling;
mod spill;
mod supply;
mod task;
#[cfg(test)]
mod testing;
mod trunks;

pub use directory::DirectoryCache;
pub use handle::{DialError, PhonePage, SwitchHandle};
pub use minutes::{Asked, RecordError, RoomRecorder, Started};
pub use outward::{Connection, Outward, OutwardError};

use crate::{cause, standing};
use board::Board;
use std::sync::Arc;
use strowger_host::Shutdown;
use strowger_media::{MediaEvent, MediaHandle};
use strowger_model::{HangupCause, World};
use strowger_rooms::RoomsHandle;
use strowger_sip::{Command, SipConfig};
use strowger_store::Store;
use strowger_store::capture::{CaptureSpool, SpoolConfig};
use tokio::sync::mpsc;
use tracing::info;

/// Orders of programs that wait. When it is full a program is told that we are busy.
const ORDERS: usize = 256;

/// What the switch stands on.
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Parts {
    pub store: Store,
    pub world: Arc<dyn World>,
    pub sip: SipConfig,
    pub media: MediaHandle,
    pub media_events: mpsc::Receiver<MediaEvent>,
    /// Where callers of rooms go; without it they are turned away.
    pub rooms: Option<RoomsHandle>,
    /// How far voice apps may be.
    pub voice_apps: Outward,
    /// The most calls at once; further ones are refused with 503.
    pub max_calls: usize,
    /// Free bytes on the disk below which nothing is recorded.
    pub reserve_bytes: u64,
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
    /// The capture spool could not be started.
    #[error("cannot start the capture spool")]
    Spool(#[source] strowger_store::Error),
    /// The file of journal entries that wait for the database could not be read.
    #[error("cannot read the journal's spill file")]
    Spill(#[source] std::io::Error),
    /// SIP could not be started.
    #[error("cannot start SIP")]
    Sip(#[source] strowger_sip::Error),
}

/// Closes what a daemon before this one left open, listens for SIP, and takes calls until the shutdown.
///
/// At its soft stage new calls are refused with 503, at its hard stage every call ends. The tasks are
/// the shutdown's; they end once every call is over and written.
///
/// # Errors
/// The store did not answer, or an address cannot be listened on.
pub async fn start(parts: Parts, shutdown: &Shutdown) -> Result<SwitchHandle, Error> {
    let rules = SpoolConfig {
        reserve_bytes: parts.reserve_bytes,
        ..SpoolConfig::default()
    };
    let spool = CaptureSpool::start(&parts.store, &rules).map_err(Error::Spool)?;
    let journal = journal::start(&parts.store, shutdown).await?;
    let mut open = recover::left_open(&parts.store, &spool, &journal, parts.world.as_ref()).await?;
    let directory = DirectoryCache::start(&parts.store, shutdown).await?;
    let bindings = parts.store.bindings().all().await.map_err(Error::Recover)?;
    let known: Arc<dyn strowger_sip::Directory> = Arc::clone(&directory) as _;
    let world = Arc::clone(&parts.world);
    let sip = SipConfig {
        traces: true,
        kept_dialogs: Some(parts.store.data_dir().join("dialogs.standing")),
        ..parts.sip
    };
    let (sip, sip_events) = strowger_sip::io::start(sip, known, world, bindings, shutdown)
        .await
        .map_err(Error::Sip)?;
    let traces = sip.traces().unwrap_or_else(|| mpsc::channel(1).1);
    let signalling = signalling::start(&parts.store, traces, shutdown);
    let (revivals, ends) = standing::pair(sip.taken_up(), &mut open, &directory.current());
    if !revivals.is_empty() {
        info!(calls = revivals.len(), "taking up calls that the last run left open");
    }
    for dialog in ends {
        let reason = cause::reason(HangupCause::DaemonRestart);
        // Nobody to tell when the SIP side has ended already.
        let _ = sip.send(Command::Bye { dialog, reason }).await;
    }
    let closing = journal.another();
    let board = Arc::new(Board::new());
    let (orders, ordered) = mpsc::channel(ORDERS);
    let pages = Arc::new(browsers::Pages::default());
    let handle = SwitchHandle::new(
        Arc::clone(&board),
        orders,
        Arc::clone(&directory),
        sip.clone(),
        spool.clone(),
    );
    let handle = handle.with_browsers(Arc::clone(&pages), parts.rooms.clone());
    let recorder = parts
        .rooms
        .as_ref()
        .map(|rooms| minutes::start(rooms.clone(), &parts.store, &spool, &parts.world, shutdown));
    let handle = handle.with_recorder(recorder);
    let line = task::Line {
        store: parts.store,
        spool,
        directory,
        sip,
        sip_events,
        media: parts.media,
        media_events: parts.media_events,
        rooms: parts.rooms,
        outward: parts.voice_apps,
        pages,
        world: parts.world,
        most_calls: parts.max_calls,
        board,
        journal,
        signalling,
        orders: ordered,
        revivals,
    };
    task::start(line, shutdown);
    recover::close(open, &closing).await;
    Ok(handle)
}
