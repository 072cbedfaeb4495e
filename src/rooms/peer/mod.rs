//! One WebRTC connection of a participant: ICE, DTLS, SRTP, data channels and session descriptions.
//!
//! The WebRTC library is known here and nowhere else: its types stop at this folder, because it changes its
//! face with nearly every version (docs/decisions/0010). A [`Peer`] is a machine like the others. Datagrams
//! go in with [`Peer::receive`], time with [`Peer::handle_timeout`], and everything that comes of it is
//! drained with [`Peer::poll`] until it says how long to wait. Which track goes where is not decided here.

mod codecs;
mod negotiate;
mod stun;
#[cfg(test)]
pub(crate) mod testing;
mod wiring;

pub(crate) use negotiate::{Add, Changes, End, Offered};
pub(crate) use stun::local_name;
pub(crate) use wiring::{Door, Identity, LocalAddress};

use crate::forward::layers::{self, Layer};
use crate::forward::{Codec, Gapless, Packet, Vp8Numbers};
use codecs::Codecs;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpPendingOffer;
use str0m::channel::ChannelId;
use str0m::media::{KeyframeRequestKind, Mid};
use str0m::net::{DatagramRecv, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor, Vp8Patch};
use str0m::{Event, IceConnectionState, Input, Output, Rtc};
use tracing::{debug, trace};

/// What a peer that has nothing to do waits for.
const LONG: Duration = Duration::from_secs(3600);

/// What a line is taken for before it is measured, in bits a second.
const FIRST_GUESS: u64 = 3_000_000;

/// Bytes that may wait in one data channel: beyond, the reader is too slow and messages to it are dropped.
const CHANNEL_BACKLOG: usize = 8 << 20;

/// One section of a connection, by its `mid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MediaId(Mid);

impl MediaId {
    /// The section of that `mid`.
    pub(crate) fn of(mid: &str) -> Self {
        Self(mid.into())
    }
}

impl std::fmt::Display for MediaId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

/// Which data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// In order, each message arrives.
    Reliable,
    /// Out of order, some are lost.
    Lossy,
}

impl Channel {
    const fn label(self) -> &'static str {
        match self {
            Self::Reliable => "_reliable",
            Self::Lossy => "_lossy",
        }
    }

    fn of(label: &str) -> Option<Self> {
        [Self::Reliable, Self::Lossy]
            .into_iter()
            .find(|channel| channel.label() == label)
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What the client publishes.
    Publish,
    /// What is subscribed.
    Subscribe,
    /// Both.
    Both,
}

/// A datagram that is to leave.
#[derive(Debug)]
pub(crate) struct Transmit {
    /// Through which door.
    pub(crate) door: Door,
    /// Where to.
    pub(crate) destination: SocketAddr,
    /// What.
    pub(crate) bytes: Vec<u8>,
}

/// What comes of a peer.
#[derive(Debug)]
pub(crate) enum Polled {
    /// A datagram is to leave.
    Transmit(Transmit),
    /// Something happened.
    Event(Happened),
    /// Nothing more until then.
    Wait(Instant),
    /// The connection is over.
    Over,
}

/// Something that happened on a connection.
#[derive(Debug)]
pub(crate) enum Happened {
    /// It stands.
    Connected,
    /// Nothing is heard from the other side; it may come back.
    Lost,
    /// A channel can be written to.
    Opened,
    /// A message came.
    Data(Channel, Vec<u8>),
    /// A packet came.
    Packet(MediaId, Option<Layer>, Packet),
    /// The other side cannot go on without a key frame.
    KeyFrameWanted(MediaId),
    /// What the line to the other side carries, in bits a second.
    Line(u64),
    /// Lost packets of the last second, both ways, 0 to 1, and the round trip.
    Health {
        /// From us to them.
        down: Option<f32>,
        /// From them to us.
        up: Option<f32>,
        /// There and back.
        round_trip: Option<Duration>,
    },
}

/// How one packet is to leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing {
    /// Its sequence number.
    pub(crate) sequence: u64,
    /// Its timestamp.
    pub(crate) timestamp: u32,
    /// Whether a picture ends with it.
    pub(crate) marker: bool,
    /// VP8's own numbers, when they differ from what stands in the payload.
    pub(crate) vp8: Option<Vp8Numbers>,
}

/// One connection.
pub(crate) struct Peer {
    rtc: Rtc,
    purpose: Purpose,
    pending: Option<SdpPendingOffer>,
    channels: Vec<(ChannelId, Channel, bool)>,
    codecs: Codecs,
    /// Where an SSRC belongs; asked of the library once, because asking makes it look at everything anew.
    incoming: HashMap<u32, Incoming>,
    connected: bool,
    /// Whether its end was reported.
    is_over: bool,
    deadline: Instant,
}

/// One stream that comes in.
#[derive(Debug)]
struct Incoming {
    media: MediaId,
    layer: Option<Layer>,
    numbers: Gapless,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Peer")
            .field("purpose", &self.purpose)
            .field("connected", &self.connected)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// A connection that nobody has described yet.
    pub(crate) fn new(purpose: Purpose, identity: &Identity, local: &[LocalAddress], now: Instant) -> Self {
        let mut config = identity
            .config()
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .enable_opus(true, true)
            .set_sctp_max_buffered_amount(CHANNEL_BACKLOG)
            .set_stats_interval(Some(Duration::from_secs(1)));
        if purpose != Purpose::Publish {
            config = config.enable_bwe(Some(Bitrate::bps(FIRST_GUESS)));
        }
        let mut rtc = config.build(now);
        for address in local {
            if let Some(candidate) = address.candidate() {
                rtc.add_local_candidate(candidate);
            }
        }
        Self {
            rtc,
            purpose,
            pending: None,
            channels: Vec::new(),
            codecs: Codecs::default(),
            incoming: HashMap::new(),
            connected: false,
            is_over: false,
            deadline: now,
        }
    }

    /// The name under which the other side's connectivity checks come in.
    pub(crate) fn ufrag(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    /// Whether media and data flow.
    pub(crate) const fn is_connected(&self) -> bool {
        self.connected
    }

    /// When to call [`Peer::handle_timeout`].
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// A datagram came. `false`: it is nothing this connection knows.
    pub(crate) fn receive(
        &mut self,
        door: Door,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) -> bool {
        let Ok(contents) = DatagramRecv::try_from(bytes) else {
            return false;
        };
        let receive = Receive {
            proto: door.protocol(),
            source,
            destination,
            contents,
        };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return false;
        }
        if let Err(error) = self.rtc.handle_input(input) {
            debug!("a datagram made a connection stumble: {error}");
        }
        true
    }

    /// The deadline came, or something was written: lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            debug!("a connection stumbled: {error}");
        }
    }

    /// What comes next; drain until `Wait` or `Over`.
    pub(crate) fn poll(&mut self, now: Instant) -> Polled {
        loop {
            if !self.rtc.is_alive() {
                self.deadline = now + LONG;
                let was_over = std::mem::replace(&mut self.is_over, true);
                self.connected = false;
                return if was_over {
                    Polled::Wait(self.deadline)
                } else {
                    Polled::Over
                };
            }
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.deadline = at.min(now + LONG);
                    return Polled::Wait(self.deadline);
                }
                Ok(Output::Transmit(transmit)) => {
                    return Polled::Transmit(Transmit {
                        door: Door::of(transmit.proto),
                        destination: transmit.destination,
                        bytes: transmit.contents.into(),
                    });
                }
                Ok(Output::Event(event)) => {
                    if let Some(happened) = self.understand(event) {
                        return Polled::Event(happened);
                    }
                }
                Err(error) => {
                    debug!("a connection broke: {error}");
                    self.rtc.disconnect();
                }
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that grows; what is not named here is of no interest"
    )]
    fn understand(&mut self, event: Event) -> Option<Happened> {
        match event {
            Event::Connected => {
                self.connected = true;
                Some(Happened::Connected)
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => Some(Happened::Lost),
            Event::ChannelOpen(id, label) => {
                let channel = Channel::of(&label)?;
                self.channels.retain(|(known, _, _)| *known != id);
                self.channels.push((id, channel, true));
                Some(Happened::Opened)
            }
            Event::ChannelClose(id) => {
                self.channels.retain(|(known, _, _)| *known != id);
                None
            }
            Event::ChannelData(data) => {
                let (_, channel, _) = self.channels.iter().find(|(id, _, _)| *id == data.id)?;
                Some(Happened::Data(*channel, data.data))
            }
            Event::RtpPacket(packet) => self.packet(packet),
            Event::KeyframeRequest(request) => Some(Happened::KeyFrameWanted(MediaId(request.mid))),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => Some(Happened::Line(estimate.as_u64())),
            Event::PeerStats(stats) => Some(Happened::Health {
                down: stats.egress_loss_fraction,
                up: stats.ingress_loss_fraction,
                round_trip: stats.rtt,
            }),
            _ => None,
        }
    }

    fn packet(&mut self, packet: RtpPacket) -> Option<Happened> {
        let ssrc = packet.header.ssrc;
        let incoming = match self.incoming.entry(*ssrc) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let mut api = self.rtc.direct_api();
                let stream = api.stream_rx(&ssrc)?;
                unknown.insert(Incoming {
                    media: MediaId(stream.mid()),
                    layer: stream.rid().map(|rid| layers::of_name(&rid)),
                    numbers: Gapless::default(),
                })
            }
        };
        if packet.payload.is_empty() {
            incoming.numbers.padding(*packet.seq_no);
            return None;
        }
        let (media, layer) = (incoming.media, incoming.layer);
        let sequence = incoming.numbers.number(*packet.seq_no);
        let format = self.codecs.of_payload_type(*packet.header.payload_type, &self.rtc)?;
        let extensions = &packet.header.ext_vals;
        Some(Happened::Packet(
            media,
            layer,
            Packet {
                sequence,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                codec: format.codec,
                profile: format.profile,
                level: extensions.audio_level.map(|level| level.unsigned_abs().min(127)),
                voice: extensions.voice_activity,
                rotation: codecs::rotation_of(extensions.video_orientation),
                payload: packet.payload,
                received: packet.timestamp,
            },
        ))
    }

    /// Whether the other side takes this codec in that section.
    pub(crate) fn takes(&mut self, media: MediaId, codec: Codec, profile: u32) -> bool {
        self.codecs.payload_type(media.0, codec, profile, &self.rtc).is_some()
    }

    /// Sends a packet in a section. `false`: the section cannot carry it. [`Peer::handle_timeout`] must follow.
    pub(crate) fn write(&mut self, media: MediaId, packet: &Packet, payload: &Payload<'_>, out: Outgoing) -> bool {
        let (codec, bytes) = match payload {
            Payload::AsIs => (packet.codec, packet.payload.clone()),
            Payload::Primary(bytes) => (Codec::Opus, (*bytes).into()),
            Payload::Nothing => (packet.codec, [].into()),
        };
        let Some(payload_type) = self.codecs.payload_type(media.0, codec, packet.profile, &self.rtc) else {
            return false;
        };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(media.0, None) else {
            trace!(%media, "no stream for a section");
            return false;
        };
        let extensions = ExtensionValues {
            audio_level: packet.level.map(|level| -i8::try_from(level).unwrap_or(i8::MAX)),
            voice_activity: packet.voice,
            video_orientation: codecs::orientation_of(packet.rotation),
            ..ExtensionValues::default()
        };
        let mut write = RtpWrite::new(
            payload_type.into(),
            out.sequence.into(),
            out.timestamp,
            packet.received,
            bytes,
        )
        .marker(out.marker)
        .nackable(codec.is_video())
        .ext_vals(extensions);
        if let Some(patch) = out.vp8.and_then(|numbers| vp8_patch(&packet.payload, numbers)) {
            write = write.vp8_patch(patch);
        }
        stream.write_rtp(write);
        true
    }

    /// Asks the publisher for a key frame. [`Peer::handle_timeout`] must follow.
    pub(crate) fn want_key_frame(&mut self, media: MediaId, layer: Option<Layer>) {
        let rid = layer.filter(|layer| {
            let mut streams = self.incoming.values().filter(|known| known.media == media);
            streams.any(|known| known.layer == Some(*layer))
        });
        let ssrc = self
            .incoming
            .iter()
            .find(|(_, known)| known.media == media && (rid.is_none() || known.layer == rid))
            .map(|(ssrc, _)| *ssrc);
        let Some(ssrc) = ssrc else { return };
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_rx(&ssrc.into()) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// What the pictures on this connection would like to have in all, in bits a second.
    pub(crate) fn want_line(&mut self, bits_per_second: u64) {
        self.rtc
            .bwe()
            .set_bitrate(Bitrate::bps(0), Bitrate::bps(bits_per_second));
    }

    /// Sends a data message. `false`: the channel is not open or its reader is far behind.
    /// [`Peer::handle_timeout`] must follow.
    pub(crate) fn send(&mut self, channel: Channel, bytes: &[u8]) -> bool {
        let open = self
            .channels
            .iter()
            .find(|(_, known, is_open)| *known == channel && *is_open);
        let Some((id, _, _)) = open else { return false };
        let Some(mut writer) = self.rtc.channel(*id) else {
            return false;
        };
        // An error here is a channel that closes; the close is reported by itself.
        writer.write(true, bytes).unwrap_or(false)
    }

    /// Says goodbye to the other side.
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            debug!("cannot close a connection: {error}");
        }
    }
}

/// What of a packet's payload leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload<'a> {
    /// All of it.
    AsIs,
    /// The primary block of redundant audio.
    Primary(&'a [u8]),
    /// Nothing: the packet stands for one that is left out.
    Nothing,
}

fn vp8_patch(payload: &[u8], numbers: Vp8Numbers) -> Option<Vp8Patch> {
    let mut patch = Vp8Descriptor::parse(payload).ok()?.patch();
    if let Some(picture) = numbers.picture {
        patch = patch.picture_id(picture);
    }
    if let Some(base) = numbers.base {
        patch = patch.tl0_pic_idx(base);
    }
    patch.build().ok()
}
