//! The capture spool: what calls sound like, sealed on disk while they run.
mod disk;

pub use disk::free_bytes;
