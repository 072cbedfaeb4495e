//! The audio of one leg as a value: which packets are believed, what becomes of them, and what is
//! sent. No sockets, no clocks: packets and moments come in, packets and events go out. The thread in
//! [`crate::io`] moves them; two legs meet there by [`Leg::receive`] of one and [`Leg::relay`] of the other.

mod ear;
mod early;
#[cfg(test)]
mod keys;
mod latch;
mod outgoing;
mod player;
mod port;
mod report;
mod tap;
#[cfg(test)]
mod tests;
mod transcoder;
#[cfg(test)]
mod transcoding;

pub use early::{Early, Kept};
pub use player::Play;
pub use port::Attached;
pub use tap::{CHUNK_BYTES, Tap};

use crate::coder::Rate;
use crate::dtmf;
use crate::inband;
use crate::quality::{Received, ticks_since};
use crate::rtp::{self, Header};
use crate::{AudioPort, Codec, Direction, FRAME_SAMPLES, MediaEvent, MediaLegId, Negotiated};
use ear::Ear;
use latch::Latch;
use outgoing::Outgoing;
use player::{Manner, Player};
use report::Reports;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_model::record::Quality;
use transcoder::{Made, Transcoder};

/// How long packets of a leg that was just answered are kept for the bridge that follows.
pub const EARLY_WINDOW: Duration = Duration::from_millis(200);

/// The longest packet that is taken; any codec at 120 ms and every extra fit.
pub const PACKET_BYTES: usize = 2_048;

/// Events for the switch, in order.
pub type Events = VecDeque<MediaEvent>;

/// A packet that was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its header.
    pub header: Header,
    /// What it carries.
    pub kind: Kind,
    /// What its source speaks at the moment: an event belongs to the audio around it.
    pub spoken: Codec,
    /// The clock that events are counted by, ticks a millisecond.
    pub event_khz: u8,
}

impl Accepted {
    /// The payload in pieces of at most so many samples, each as a packet of its own; events stay whole.
    pub fn pieces(self, most: usize) -> impl Iterator<Item = Self> {
        let whole = self.header.payload.clone();
        let step = match self.kind {
            Kind::Audio(_) => most.max(1),
            Kind::Event(_) => whole.len().max(1),
        };
        whole.clone().step_by(step).map(move |start| {
            let mut header = self.header.clone();
            header.timestamp = header.timestamp.wrapping_add((start - whole.start) as u32);
            header.marker &= start == whole.start;
            header.payload = start..whole.end.min(start + step);
            Self { header, ..self.clone() }
        })
    }
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Audio.
    Audio(Codec),
    /// A telephone-event, and the key if it begins a press.
    Event(Option<char>),
}

/// A packet to be sent: its place in the buffer and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The packet within the buffer.
    pub bytes: std::ops::Range<usize>,
    /// The far end.
    pub to: SocketAddr,
}

/// What is fixed for a leg's life.
#[derive(Debug, Clone, Copy)]
pub struct LegSetup {
    /// Its name.
    pub leg: MediaLegId,
    /// Unpredictable: our source, first sequence number and timestamp come from it.
    pub seed: u64,
    /// When it was opened.
    pub opened: Instant,
    /// How long silence may last.
    pub silence_after: Duration,
    /// Whether keys are heard as tones where no telephone-event was negotiated.
    pub inband_digits: bool,
}

/// One leg.
#[derive(Debug)]
pub struct Leg {
    setup: LegSetup,
    negotiated: Option<Negotiated>,
    latch: Latch,
    received: Received,
    source: Option<u32>,
    heard_at: Instant,
    heard: bool,
    silent: bool,
    held: bool,
    muted: bool,
    bridged: bool,
    events: dtmf::Receiver,
    /// The last press before the bridge: it was meant for whoever listened then.
    pressed_before: Option<u32>,
    tones: Option<Box<inband::Detector>>,
    /// What turns packets into samples, once somebody here needs them.
    ear: Option<Box<Ear>>,
    /// What turns the packets of a bridged leg that speaks another codec into ours, and whether it could be made.
    transcoder: Option<Box<Transcoder>>,
    /// The codec of the last audio.
    spoken: Option<Codec>,
    /// See [`Leg::most_payload`].
    most_payload: usize,
    early: Option<Box<Early>>,
    out: Outgoing,
    player: Player,
    attached: Option<Box<Attached>>,
    tap: Option<Box<Tap>>,
    played_tap: Option<Box<Tap>>,
    /// Whether captures leave out what they hear.
    taps_paused: bool,
    reports: Reports,
}

impl Leg {
    /// A leg that nobody is connected to yet.
    #[must_use]
    pub fn new(setup: LegSetup) -> Self {
        Self {
            setup,
            negotiated: None,
            latch: Latch::default(),
            received: Received::default(),
            source: None,
            heard_at: setup.opened,
            heard: false,
            silent: false,
            held: false,
            muted: false,
            bridged: false,
            events: dtmf::Receiver::default(),
            pressed_before: None,
            tones: None,
            ear: None,
            transcoder: None,
            spoken: None,
            most_payload: FRAME_SAMPLES,
            early: Some(Box::default()),
            out: Outgoing::new(setup.seed, setup.opened),
            player: Player::new(setup.leg),
            attached: None,
            tap: None,
            played_tap: None,
            taps_paused: false,
            reports: Reports::new(setup.seed, setup.opened),
        }
    }

    /// Sets the far end. Packets kept from before are for the caller to [`Leg::receive`] now.
    pub fn connect(&mut self, negotiated: Negotiated, now: Instant) -> Option<Box<Early>> {
        let moved = self.negotiated.is_none_or(|before| before.remote != negotiated.remote);
        self.latch.connect(negotiated.remote, moved);
        self.negotiated = Some(negotiated);
        self.heard_at = now;
        self.silent = false;
        self.events.reset();
        self.pressed_before = None;
        self.reports.connect(negotiated.remote_rtcp);
        let khz = negotiated.codec.clock_khz();
        self.received.set_clock(khz);
        self.out.set_clock(khz);
        self.spoken = None;
        self.most_payload = match negotiated.codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => usize::from(negotiated.ptime_ms.max(20)) * 8,
            // What Opus says cannot be cut.
            Codec::Opus => usize::MAX,
        };
        let tones = self.setup.inband_digits && negotiated.dtmf_payload_type.is_none();
        self.tones = tones.then(Box::default);
        let kept = self.early.take();
        if !self.bridged && self.attached.is_none() {
            self.early = Some(Box::new(Early::since(now)));
        }
        kept
    }

    /// What was agreed to be spoken, once a far end is set.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.negotiated.map(|negotiated| negotiated.codec)
    }

    /// Whether a far end is set.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.negotiated.is_some()
    }

    /// Takes a datagram. What comes back was counted, captured and told, and is the bridge's now.
    pub fn receive(&mut self, packet: &[u8], from: SocketAddr, now: Instant, events: &mut Events) -> Option<Accepted> {
        let Some(negotiated) = self.negotiated else {
            // The far end may be faster with its audio than with its answer.
            if let Some(early) = &mut self.early {
                early.keep(packet, from, now, None, false);
            }
            return None;
        };
        let header = rtp::parse(packet)?;
        let payload = packet.get(header.payload.clone())?;
        let kind = kind_of(&negotiated, header.payload_type)?;
        if payload.is_empty() || !self.latch.believes(from, now) {
            return None;
        }
        self.count(&header, now);
        self.note_heard(now, events);
        let kind = match kind {
            Kind::Event(_) => {
                let pressed = self.events.hear(header.timestamp, payload);
                let leg = self.setup.leg;
                events.extend(pressed.map(|digit| MediaEvent::Digit { leg, digit }));
                if self
                    .pressed_before
                    .is_some_and(|before| !rtp::timestamp_after(header.timestamp, before))
                {
                    return None;
                }
                Kind::Event(pressed)
            }
            Kind::Audio(codec) => {
                self.spoken = Some(codec);
                self.hear(codec, &header, payload, now, events);
                kind
            }
        };
        let accepted = Accepted {
            header,
            kind,
            spoken: self.spoken.unwrap_or(negotiated.codec),
            event_khz: negotiated.dtmf_clock_khz,
        };
        if let Some(early) = &mut self.early {
            if early.is_over(now) {
                self.early = None;
            } else if !self.held && !self.muted {
                early.keep(packet, from, now, Some(accepted.clone()), self.bridged);
            }
        }
        Some(accepted)
    }

    fn count(&mut self, header: &Header, now: Instant) {
        if self.source != Some(header.ssrc) {
            if self.source.is_some() {
                self.received.restart();
                self.events.reset();
                self.pressed_before = None;
            }
            self.source = Some(header.ssrc);
        }
        let khz = self.codec().map_or(8, Codec::clock_khz);
        let arrival = ticks_since(self.setup.opened, now, khz);
        self.received.count(header.sequence, header.timestamp, arrival);
    }

    fn note_heard(&mut self, now: Instant, events: &mut Events) {
        self.heard_at = now;
        if !self.heard || self.silent {
            self.heard = true;
            self.silent = false;
            events.push_back(MediaEvent::Heard { leg: self.setup.leg });
        }
    }

    fn hear(&mut self, codec: Codec, header: &Header, payload: &[u8], now: Instant, events: &mut Events) {
        if self.tones.is_some() || self.attached.is_some() {
            self.listen(codec, header, payload, events);
        }
        // What nobody else hears is not captured either.
        if self.muted || self.held {
            return;
        }
        if let Some(tap) = &mut self.tap {
            tap.take(codec.captured(), header.timestamp, header.sequence, payload, now);
        }
    }

    /// Hears a packet as samples, for keys that are pressed as tones and for whoever talks with the leg by a port.
    fn listen(&mut self, codec: Codec, header: &Header, payload: &[u8], events: &mut Events) {
        if self.ear.as_ref().is_none_or(|ear| ear.codec() != codec) {
            self.ear = Ear::new(codec, Rate::Narrow).map(Box::new);
        }
        let Some(ear) = &mut self.ear else { return };
        let Some(heard) = ear.hear(header, payload) else {
            return;
        };
        let samples = ear.samples(heard);
        if let Some(tones) = &mut self.tones {
            let leg = self.setup.leg;
            tones.hear(samples.iter().copied(), |digit| {
                events.push_back(MediaEvent::Digit { leg, digit });
            });
        }
        if !self.muted
            && !self.held
            && let Some(attached) = &mut self.attached
        {
            attached.hear(samples.iter().copied());
        }
    }

    /// Whether what this leg says may pass to its bridge.
    #[must_use]
    pub fn is_heard_by_others(&self) -> bool {
        !self.held && !self.muted
    }

    /// Rewrites a packet of the bridged leg into one of ours, in place in its buffer. `None` when it
    /// must not be sent: nowhere to, on hold, something plays, or an event the far end cannot take.
    pub fn relay(&mut self, packet: &mut [u8], accepted: &Accepted, now: Instant) -> Option<Transmit> {
        let negotiated = self.negotiated.as_ref()?;
        if self.held || self.player.is_busy() {
            return None;
        }
        let to = self.latch.target(negotiated.direction.send)?;
        let payload_type = match accepted.kind {
            Kind::Event(_) => {
                let payload = packet.get_mut(accepted.header.payload.clone())?;
                dtmf::rescale(payload, accepted.event_khz, negotiated.dtmf_clock_khz);
                negotiated.dtmf_payload_type?
            }
            Kind::Audio(codec) => {
                if codec != negotiated.codec {
                    let payload = packet.get_mut(accepted.header.payload.clone())?;
                    crate::g711::transcode(codec.law()?, negotiated.codec.law()?, payload);
                }
                negotiated.payload_type
            }
        };
        let header = self.out.relayed(&accepted.header, payload_type, now);
        let start = rtp::write(packet, &header)?;
        Some(Transmit {
            bytes: start..header.payload.end,
            to,
        })
    }

    /// The longest payload the far end should get in one packet. Longer ones are sent in pieces: some
    /// trunks end a call over a packet of 60 ms.
    #[must_use]
    pub fn most_payload(&self) -> usize {
        self.most_payload
    }

    /// Whether packets of this kind must be transcoded for the far end: by [`Leg::transcode`], not [`Leg::relay`].
    #[must_use]
    pub fn is_foreign(&self, accepted: &Accepted) -> bool {
        self.negotiated.is_some_and(|negotiated| {
            let (theirs, ours) = (accepted.spoken, negotiated.codec);
            theirs != ours && (theirs.law().is_none() || ours.law().is_none())
        })
    }

    /// Makes packets of ours of one of a bridged leg that speaks another codec, and hands each to `send`.
    pub fn transcode(
        &mut self,
        packet: &[u8],
        accepted: &Accepted,
        now: Instant,
        mut send: impl FnMut(&[u8], &Transmit),
    ) {
        let (Some(negotiated), Some(payload)) = (self.negotiated, packet.get(accepted.header.payload.clone())) else {
            return;
        };
        if self.held || self.player.is_busy() {
            return;
        }
        let Some(to) = self.latch.target(negotiated.direction.send) else {
            return;
        };
        let (from, ours) = (accepted.spoken, negotiated.codec);
        if self
            .transcoder
            .as_ref()
            .is_none_or(|transcoder| !transcoder.is_between(from, ours))
        {
            let terms = negotiated.opus.map(|(_, terms)| terms);
            self.transcoder = Transcoder::new(from, ours, terms).map(Box::new);
            self.out.switch_source();
        }
        let Some(transcoder) = &mut self.transcoder else { return };
        let out = &mut self.out;
        let mut ready = |transcoder: &mut Transcoder, made: &Made, payload_type: u8| {
            let header = out.made(made, payload_type, now);
            if let Some(start) = rtp::write(transcoder.packet(), &header) {
                let bytes = start..header.payload.end;
                send(transcoder.packet(), &Transmit { bytes, to });
            }
        };
        match accepted.kind {
            Kind::Event(_) => {
                let pressed = transcoder.press(accepted, payload, negotiated.dtmf_clock_khz);
                if let (Some(made), Some(payload_type)) = (pressed, negotiated.dtmf_payload_type) {
                    ready(transcoder, &made, payload_type);
                }
            }
            Kind::Audio(_) => {
                transcoder.hear(accepted, payload);
                while let Some(made) = transcoder.next() {
                    ready(transcoder, &made, negotiated.payload_type);
                }
            }
        }
    }

    /// Says that the next relayed packet is one more piece of the last one's payload.
    pub fn next_piece(&mut self) {
        self.out.next_piece();
    }

    /// Starts to be bridged: ends a repeating play, forgets whose packets were relayed before, and
    /// gives back the fresh audio kept for this moment. A key whose press began before stays here.
    pub fn bridge(&mut self, now: Instant) -> Vec<Kept> {
        self.bridged = true;
        self.pressed_before = self.events.last();
        self.attached = None;
        self.player.end_repeating();
        self.out.switch_source();
        self.transcoder = None;
        let is_audio = |kept: &Kept| {
            kept.accepted
                .as_ref()
                .is_none_or(|accepted| matches!(accepted.kind, Kind::Audio(_)))
        };
        let kept = self.early.as_mut().map(|early| early.pass(now)).unwrap_or_default();
        kept.into_iter().filter(is_audio).collect()
    }

    /// Stops to be bridged.
    pub fn unbridge(&mut self) {
        self.bridged = false;
    }

    /// Adds a play after those that wait.
    pub fn play(&mut self, play: Play) {
        self.player.add(play);
    }

    /// Stops plays and keys.
    pub fn stop(&mut self) {
        self.player.clear();
    }

    /// Presses keys towards the far end.
    pub fn send_digits(&mut self, digits: &str) {
        self.player.press(digits, self.takes_events());
    }

    /// Whether the far end takes keys as telephone-events; otherwise they must be tones.
    #[must_use]
    pub fn takes_events(&self) -> bool {
        self.negotiated
            .is_none_or(|negotiated| negotiated.dtmf_payload_type.is_some())
    }

    /// Holds or resumes.
    pub fn hold(&mut self, held: bool, now: Instant) {
        self.held = held;
        self.heard_at = now;
    }

    /// Mutes or unmutes what the far end says.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Gives the leg a port to talk with.
    pub fn attach(&mut self, port: AudioPort) {
        self.early = None;
        self.player.end_repeating();
        self.attached = Some(Box::new(Attached::new(port)));
    }

    /// Takes the port away.
    pub fn detach(&mut self) {
        self.attached = None;
    }

    /// Captures what the far end says, from the first packets after its answer on.
    pub fn tap(&mut self, mut tap: Tap, now: Instant) {
        tap.pause(self.taps_paused, now);
        for kept in self.early.iter().flat_map(|early| early.peek(now)) {
            let Some(Accepted {
                header,
                kind: Kind::Audio(codec),
                ..
            }) = &kept.accepted
            else {
                continue;
            };
            if let Some(payload) = kept.bytes.get(header.payload.clone()) {
                tap.take(codec.captured(), header.timestamp, header.sequence, payload, kept.at);
            }
        }
        self.tap = Some(Box::new(tap));
    }

    /// Captures what is played.
    pub fn tap_played(&mut self, mut tap: Tap, now: Instant) {
        tap.pause(self.taps_paused, now);
        self.played_tap = Some(Box::new(tap));
    }

    /// Pauses or resumes the captures, those too that begin before they are stopped: one that is still being
    /// opened must not let slip what a pause is to keep out.
    pub fn pause_taps(&mut self, paused: bool, now: Instant) {
        self.taps_paused = paused;
        for tap in self.tap.iter_mut().chain(&mut self.played_tap) {
            tap.pause(paused, now);
        }
    }

    /// Flushes and ends the captures.
    pub fn stop_taps(&mut self, now: Instant) {
        self.taps_paused = false;
        for tap in self.tap.take().into_iter().chain(self.played_tap.take()) {
            tap.end(now);
        }
    }

    /// Whether [`Leg::tick`] has something to do each 20 ms.
    #[must_use]
    pub fn needs_clock(&self) -> bool {
        self.player.is_busy() || self.attached.is_some()
    }

    /// 20 ms of what we say ourselves, written into the buffer.
    pub fn tick(&mut self, packet: &mut [u8; PACKET_BYTES], now: Instant, events: &mut Events) -> Option<Transmit> {
        let manner = Manner {
            codec: self.codec().unwrap_or(Codec::Pcmu),
            terms: self
                .negotiated
                .and_then(|negotiated| negotiated.opus)
                .map(|(_, terms)| terms),
            event_khz: self.negotiated.map_or(8, |negotiated| negotiated.dtmf_clock_khz),
        };
        // The port runs on beneath a prompt, so that it is not heard late afterwards.
        let ported = self.attached.as_mut().and_then(|attached| attached.say());
        if self.attached.as_ref().is_some_and(|attached| attached.is_gone()) {
            self.attached = None;
        }
        let stands = self.out.stands_at(now);
        let frame = self.player.step(manner, stands, ported, packet, events)?;
        let negotiated = self.negotiated.as_ref()?;
        let to = self.latch.target(negotiated.direction.send);
        let payload_type = match frame.kind {
            Kind::Audio(_) => negotiated.payload_type,
            Kind::Event(_) => negotiated.dtmf_payload_type?,
        };
        let header = self.out.own(&frame, payload_type, to.is_some(), now);
        if matches!(frame.kind, Kind::Audio(_))
            && let Some(tap) = &mut self.played_tap
        {
            let payload = packet.get(header.payload.clone())?;
            tap.take(manner.codec.captured(), header.timestamp, header.sequence, payload, now);
        }
        let start = rtp::write(packet, &header)?;
        Some(Transmit {
            bytes: start..header.payload.end,
            to: to?,
        })
    }

    /// What is due a few times a second: what was captured is handed over, early packets forgotten, silence noticed.
    pub fn housekeeping(&mut self, now: Instant, events: &mut Events) {
        for tap in self.tap.iter_mut().chain(&mut self.played_tap) {
            tap.flush();
        }
        if self.is_connected() && self.early.as_ref().is_some_and(|early| early.is_over(now)) {
            self.early = None;
        }
        let expected = self
            .negotiated
            .is_some_and(|negotiated| negotiated.direction == Direction::BOTH)
            && !self.held;
        if expected && !self.silent && now.saturating_duration_since(self.heard_at) >= self.setup.silence_after {
            self.silent = true;
            events.push_back(MediaEvent::Silent { leg: self.setup.leg });
        }
    }

    /// What was measured so far.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.received.quality(self.out.packets(), self.reports.round_trip_ms())
    }
}

fn kind_of(negotiated: &Negotiated, payload_type: u8) -> Option<Kind> {
    if payload_type == negotiated.payload_type {
        return Some(Kind::Audio(negotiated.codec));
    }
    if negotiated.dtmf_receive_type == Some(payload_type) || negotiated.dtmf_payload_type == Some(payload_type) {
        return Some(Kind::Event(None));
    }
    // A far end may change between the codecs it was offered without saying so.
    let is_opus = negotiated.opus.is_some_and(|(number, _)| number == payload_type);
    let codec = if is_opus {
        Some(Codec::Opus)
    } else {
        Codec::of_static(payload_type)
    };
    codec.map(Kind::Audio)
}
