//! Sockets, clocks and threads of the audio: the only place of this crate where they occur.
//!
//! [`MediaHandle`] is the way in, [`MediaEvent`] what comes out. A media thread ([`thread`]) owns whole
//! calls, waits for packets and for commands, and lets [`crate::leg`] decide; rooms talk with a leg through
//! a [`crate::AudioPort`]. Nothing here waits for a database, a disk or another call.

mod board;
mod command;
mod outbox;
mod placement;
mod ports;
mod seed;
#[cfg(test)]
mod tests;
mod thread;
mod wheel;
mod wire;

use crate::{AudioPort, MediaEvent, MediaLegId, Negotiated, PlayId};
use command::Command;
use mio::net::UdpSocket;
use seed::Seed;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::capture::Sink;
use strowger_model::{CallId, World};
use tokio::sync::mpsc;

/// Commands a media thread's mailbox holds. When it is full the sender waits: the thread empties it
/// at every wake-up and itself waits for nobody.
const MAILBOX: usize = 4_096;

/// Events waiting for the switch. When it is full the thread keeps them aside, oldest first, and
/// tries again at every wake-up.
const EVENTS: usize = 8_192;

/// How media is set up.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// The address RTP is received on.
    pub bind: IpAddr,
    /// The address written into session descriptions, where it differs (static NAT).
    pub advertised: Option<IpAddr>,
    /// UDP ports for RTP (even) and RTCP (odd). A range that starts at 0 lets the system choose.
    pub ports: RangeInclusive<u16>,
    /// Media threads; 0 means one a core.
    pub threads: usize,
    /// Legs a thread takes before the next thread is used: fewer threads wake up for the same packets.
    pub legs_per_thread: u32,
    /// How long a leg that should be heard may stay silent before [`MediaEvent::Silent`].
    pub silence_after: Duration,
    /// Whether keys are also heard as tones on legs that did not negotiate telephone-event.
    pub inband_digits: bool,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            advertised: None,
            ports: 20_000..=29_999,
            threads: 0,
            legs_per_thread: 400,
            silence_after: Duration::from_secs(30),
            inband_digits: true,
        }
    }
}

/// A leg that was just opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLeg {
    /// Its name in commands and events.
    pub leg: MediaLegId,
    /// Where it receives RTP, as to be written into a session description. RTCP is the next port.
    pub local: SocketAddr,
}

/// Why media could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A media thread could not be started.
    #[error("cannot start a media thread")]
    Start {
        /// What the system said.
        source: std::io::Error,
    },
    /// Every port of the range is taken: the call is refused with 503.
    #[error("no free pair of UDP ports between {first} and {last} on {ip}")]
    NoPort {
        /// The address tried.
        ip: IpAddr,
        /// The range's first port.
        first: u16,
        /// The range's last port.
        last: u16,
    },
    /// The address cannot be bound at all.
    #[error("cannot bind a UDP port on {ip}")]
    Bind {
        /// The address tried.
        ip: IpAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The media threads have ended.
    #[error("the media threads have ended")]
    Ended,
}

/// The way in to the media threads. Cheap to clone; the threads end when the last clone goes.
#[derive(Debug, Clone)]
pub struct MediaHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: MediaConfig,
    ports: ports::Ports,
    threads: Vec<thread::Running>,
    placement: placement::Placement,
}

impl MediaHandle {
    /// Starts the media threads.
    ///
    /// # Errors
    /// A thread or its poll could not be made.
    pub fn start(config: MediaConfig, world: &dyn World) -> Result<(Self, mpsc::Receiver<MediaEvent>), Error> {
        let count = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            count => count,
        }
        .min(thread::MOST_THREADS);
        let (events, receiver) = mpsc::channel(EVENTS);
        let threads = (0..count)
            .map(|index| thread::start(index, &config, Seed::draw(world), events.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| Error::Start { source })?;
        let begin = u32::try_from(Seed::draw(world).next() >> 32).unwrap_or(0);
        let inner = Inner {
            ports: ports::Ports::new(config.bind, config.ports.clone(), begin),
            placement: placement::Placement::new(count, config.legs_per_thread),
            config,
            threads,
        };
        Ok((Self { inner: Arc::new(inner) }, receiver))
    }

    /// Opens a leg: binds its ports and gives it to the thread of its call.
    ///
    /// # Errors
    /// No free port pair, or the threads have ended.
    pub fn open(&self, call: CallId) -> Result<OpenLeg, Error> {
        let pair = self.inner.ports.pair()?;
        self.open_at(pair, call)
    }

    /// Opens a leg at the ports it had in a process before this one, where they are free: until its far end has been
    /// told of others it speaks to these, and nobody else's leg should hear that. Otherwise anywhere.
    ///
    /// # Errors
    /// As [`MediaHandle::open`].
    pub fn reopen(&self, call: CallId, port: u16) -> Result<OpenLeg, Error> {
        match self.inner.ports.this_pair(port) {
            Some(pair) => self.open_at(pair, call),
            None => self.open(call),
        }
    }

    fn open_at(&self, (rtp, rtcp, bound): (UdpSocket, UdpSocket, SocketAddr), call: CallId) -> Result<OpenLeg, Error> {
        let leg = self.inner.placement.place(call);
        let ip = self.inner.config.advertised.unwrap_or_else(|| bound.ip());
        let told = self.send(leg, Command::Open { leg, rtp, rtcp });
        if !told {
            self.inner.placement.leave(leg);
            return Err(Error::Ended);
        }
        Ok(OpenLeg {
            leg,
            local: SocketAddr::new(ip, bound.port()),
        })
    }

    /// Opens a leg whose far end speaks through an [`AudioPort`] instead of RTP: a browser. It takes part in
    /// bridges, plays and captures like any other; its description names an address that is never used.
    /// Nobody is heard through it until [`MediaHandle::face`] gives it its port.
    ///
    /// # Errors
    /// The threads have ended.
    pub fn open_ported(&self, call: CallId) -> Result<OpenLeg, Error> {
        let leg = self.inner.placement.place(call);
        if !self.send(leg, Command::OpenPorted { leg }) {
            self.inner.placement.leave(leg);
            return Err(Error::Ended);
        }
        let local = wire::NOWHERE;
        Ok(OpenLeg { leg, local })
    }

    /// Gives a leg of [`MediaHandle::open_ported`] the port its far end speaks through.
    pub fn face(&self, leg: MediaLegId, port: AudioPort) {
        self.send(leg, Command::Face { leg, port });
    }

    /// Sets, or sets again, the far end of a leg. Packets that came before are heard, if they are fresh.
    pub fn connect(&self, leg: MediaLegId, negotiated: Negotiated) {
        self.send(leg, Command::Connect { leg, negotiated });
    }

    /// Joins the audio of two legs; each leaves whatever bridge, port or room it was in.
    pub fn bridge(&self, a: MediaLegId, b: MediaLegId) {
        if thread::index_of_leg(a) == thread::index_of_leg(b) {
            self.send(a, Command::Bridge { a, b });
        } else {
            // Legs of two calls on two threads meet as frames; within a call this does not occur.
            let (one, other) = AudioPort::pair();
            self.attach(a, one);
            self.attach(b, other);
        }
    }

    /// Parts a leg from the one it is bridged with.
    pub fn unbridge(&self, leg: MediaLegId) {
        self.send(leg, Command::Unbridge { leg });
    }

    /// Plays samples (16-bit linear mono, 8 kHz) to the far end, after the plays before it. A repeating
    /// play ends when another one is asked for. While something plays, the leg does not hear its bridge.
    pub fn play(&self, leg: MediaLegId, play: PlayId, samples: Arc<[i16]>, repeat: bool) {
        self.send(
            leg,
            Command::Play {
                leg,
                play,
                samples,
                repeat,
            },
        );
    }

    /// Stops all plays and unsent digits of a leg.
    pub fn stop(&self, leg: MediaLegId) {
        self.send(leg, Command::Stop { leg });
    }

    /// Presses keys towards the far end: as telephone-events, or as tones where it does not take them.
    pub fn send_digits(&self, leg: MediaLegId, digits: &str) {
        let digits = digits.to_owned();
        self.send(leg, Command::SendDigits { leg, digits });
    }

    /// Holds a leg: its bridge neither hears it nor is heard by it, no capture takes it, plays still reach
    /// it, and silence is no fault.
    pub fn hold(&self, leg: MediaLegId, held: bool) {
        self.send(leg, Command::Hold { leg, held });
    }

    /// Mutes a leg: what it says reaches nobody, nor its capture; digits are still told.
    pub fn mute(&self, leg: MediaLegId, muted: bool) {
        self.send(leg, Command::Mute { leg, muted });
    }

    /// Captures what the far end says. `began` is the moment the capture began: arrival times count
    /// from it, so all streams of one capture must be given the same.
    pub fn capture(&self, leg: MediaLegId, stream: u8, began: Instant, sink: Box<dyn Sink>) {
        let side = command::Side::Heard;
        self.send(
            leg,
            Command::Capture {
                leg,
                side,
                stream,
                began,
                sink,
            },
        );
    }

    /// Captures what we play to the far end (prompts, room audio), not what a bridge relays to it.
    pub fn capture_played(&self, leg: MediaLegId, stream: u8, began: Instant, sink: Box<dyn Sink>) {
        let side = command::Side::Played;
        self.send(
            leg,
            Command::Capture {
                leg,
                side,
                stream,
                began,
                sink,
            },
        );
    }

    /// Pauses or resumes the captures of a leg; a mark tells where. Nothing said in between is written.
    pub fn capture_pause(&self, leg: MediaLegId, paused: bool) {
        self.send(leg, Command::CapturePause { leg, paused });
    }

    /// Ends the captures of a leg: what is packed goes to the sinks, then the sinks are dropped.
    pub fn capture_stop(&self, leg: MediaLegId) {
        self.send(leg, Command::CaptureStop { leg });
    }

    /// Gives a leg an audio port to talk with; it leaves the bridge, port or room it was in.
    pub fn attach(&self, leg: MediaLegId, port: AudioPort) {
        self.send(leg, Command::Attach { leg, port });
    }

    /// Takes a leg's audio port away.
    pub fn detach(&self, leg: MediaLegId) {
        self.send(leg, Command::Detach { leg });
    }

    /// Closes a leg: its ports are free and its captures flushed when [`MediaEvent::Closed`] comes.
    pub fn close(&self, leg: MediaLegId) {
        self.inner.placement.leave(leg);
        self.send(leg, Command::Close { leg });
    }

    /// `false` when the thread has ended; it has said so by the closed channel of its events.
    fn send(&self, leg: MediaLegId, command: Command) -> bool {
        let running = self.inner.threads.get(thread::index_of_leg(leg));
        running.is_some_and(|running| running.mailbox.send(command))
    }
}
