//! The mixing thread.

use crate::{AudioPort, RoomKey};
use std::time::Instant;
use strowger_model::capture::Sink;

/// Where a meeting's mix is captured.
pub struct MixedSink {
    pub(super) stream: u8,
    pub(super) began: Instant,
    pub(super) sink: Box<dyn Sink>,
}

#[derive(Debug)]
pub(super) struct Running {}

pub(super) fn start() -> std::io::Result<Running> {
    Ok(Running {})
}

impl Running {
    pub(super) fn join(&self, _room: RoomKey, _port: AudioPort) {}
    pub(super) fn capture(&self, _room: RoomKey, _capture: MixedSink) {}
    pub(super) fn capture_stop(&self, _room: RoomKey) {}
}
