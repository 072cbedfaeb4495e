//! The recorder's ear in a room: packs tracks' packets into chunks and hands them to the spool.

use crate::minutes::Presences;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::World;
use strowger_model::capture::{Chunk, Codec, Frame, Mark, Sink as _, StreamMeta};
use strowger_rooms::protocol::TrackSource;
use strowger_rooms::{Codec as Spoken, Packet, Tap, TrackTag};
use strowger_store::capture::{Capture, StreamSink};
use tokio::sync::oneshot;
use tracing::warn;

/// How often what was packed of all voices is handed over.
const PACKED: Duration = Duration::from_millis(300);
/// Room for so much Opus at its usual rates; more is handed over sooner.
const CHUNK: usize = 6 * 1024;

/// Whose sound, and from where: who comes again goes on in the same stream.
type Voice = (String, TrackSource);

/// Runs in the room's own task and never waits. Dropped with its tap, it gives the capture back.
pub(super) struct Listener {
    capture: Option<Capture>,
    give_back: Option<oneshot::Sender<Capture>>,
    presences: Presences,
    world: Arc<dyn World>,
    began: Instant,
    streams: HashMap<Voice, u8>,
    open: HashMap<u8, Open>,
    swept: Instant,
}

struct Open {
    chunk: Chunk,
    sink: StreamSink,
}

impl Open {
    fn hand_over(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        // What is refused is lost and marked; calls and meetings go on.
        self.chunk = match self.sink.submit(std::mem::take(&mut self.chunk)) {
            Ok(empty) | Err((empty, _)) => empty,
        };
    }

    fn push(&mut self, frame: &Frame<'_>) {
        if !self.chunk.push(frame) {
            self.hand_over();
            // A frame longer than a whole chunk cannot come in a datagram; it is not captured.
            let _ = self.chunk.push(frame);
        }
    }
}

impl Listener {
    pub(super) fn new(
        capture: Capture,
        give_back: oneshot::Sender<Capture>,
        presences: Presences,
        world: Arc<dyn World>,
        began: Instant,
    ) -> Self {
        Self {
            capture: Some(capture),
            give_back: Some(give_back),
            presences,
            world,
            began,
            streams: HashMap::new(),
            open: HashMap::new(),
            swept: began,
        }
    }

    fn stream(&mut self, track: &TrackTag) -> Option<u8> {
        let voice = (track.identity.clone(), track.source);
        if let Some(stream) = self.streams.get(&voice) {
            return Some(*stream);
        }
        let capture = self.capture.as_ref()?;
        let Ok(stream) = u8::try_from(self.streams.len()) else {
            warn!("more than 256 voices in one meeting: the last ones are not recorded");
            return None;
        };
        let meta = StreamMeta {
            stream,
            leg: self.presences.of(&track.participant_sid, self.world.as_ref()),
            speaker: if track.name.is_empty() {
                &track.identity
            } else {
                &track.name
            }
            .clone(),
        };
        // A writer that is behind is tried again with the next packet.
        capture.announce(&meta).ok()?;
        self.streams.insert(voice, stream);
        let open = Open {
            chunk: Chunk::with_capacity(CHUNK),
            sink: capture.sink(stream),
        };
        self.open.insert(stream, open);
        Some(stream)
    }

    fn arrival_us(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Tap for Listener {
    fn opened(&mut self, track: &Arc<TrackTag>, _now: Instant) {
        if track.is_encrypted
            && let Some(capture) = &self.capture
        {
            warn!(recording = %capture.meta().recording, "a track that only members can open is not recorded");
        }
    }

    fn packet(&mut self, track: &Arc<TrackTag>, packet: &Packet, now: Instant) {
        if track.is_encrypted || packet.codec != Spoken::Opus || packet.payload.is_empty() {
            return;
        }
        let Some(stream) = self.stream(track) else { return };
        let arrival_us = self.arrival_us(now);
        if now.saturating_duration_since(self.swept) >= PACKED {
            // What somebody said before they fell silent must not come seconds after what others say.
            self.swept = now;
            self.open.values_mut().for_each(Open::hand_over);
        }
        if let Some(open) = self.open.get_mut(&stream) {
            let frame = Frame {
                stream,
                codec: Codec::Opus,
                arrival_us,
                rtp_timestamp: packet.timestamp,
                sequence: packet.sequence as u16,
                payload: &packet.payload,
            };
            open.push(&frame);
        }
    }

    fn muted(&mut self, _track: &Arc<TrackTag>, _muted: bool, _now: Instant) {
        self.open.values_mut().for_each(Open::hand_over);
    }

    fn closed(&mut self, _track: &Arc<TrackTag>, _now: Instant) {
        self.open.values_mut().for_each(Open::hand_over);
    }
}

impl Drop for Listener {
    /// Says where the recording ends, though everybody may have been silent, and gives the capture back.
    fn drop(&mut self) {
        let now = Instant::now();
        let arrival_us = self.arrival_us(now);
        if let Some((stream, open)) = self.open.iter_mut().next() {
            let end = Frame {
                stream: *stream,
                codec: Codec::Mark,
                arrival_us,
                rtp_timestamp: 0,
                sequence: 0,
                payload: &[Mark::Paused.byte()],
            };
            open.push(&end);
        }
        self.open.values_mut().for_each(Open::hand_over);
        if let (Some(capture), Some(give_back)) = (self.capture.take(), self.give_back.take()) {
            // Nobody waits at the end of the daemon: the capture ends itself.
            let _ = give_back.send(capture);
        }
    }
}
