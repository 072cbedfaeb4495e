//! The capture spool: what calls sound like, sealed on disk while they run.
//!
//! All captures of a daemon share one segment log, written by one thread ([`spool`]) with one
//! group commit a second, so that hundreds of legs cost one disk flush a second. A record's shape is in
//! [`record`], its sealing too; finding captures again is [`index`]'s affair, reading one [`reader`]'s. Whose records
//! stand where in a closed segment is kept beside it ([`contents`]).
//! `docs/formats/capture.md` describes the bytes.
//!
//! A capture's `Open` record, with its wrapped key and its owner, is durable before the first sound.
//! Media threads hand chunks over through a bounded channel and never wait: when it is full the chunk
//! is dropped, and the place is marked. Erasing a capture overwrites its wrapped key; a segment goes
//! when nothing in it can be read any more.

mod contents;
mod disk;
mod index;
mod reader;
mod record;
mod sink;
mod spool;
#[cfg(test)]
mod tests;
mod writer;

pub use disk::{free_bytes, room};
pub(crate) use index::captures_kept;
pub use index::erase;
pub use reader::{CaptureReader, Damage, Ending};
pub use sink::StreamSink;
pub use spool::{Capture, CaptureSpool, Recovered, SpoolConfig, SpoolState};

use std::path::{Path, PathBuf};

/// The folder of the segments below the data folder.
fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("captures")
}
