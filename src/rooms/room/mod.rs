//! A room as a value: members, their tracks, and who gets what of whom.
//!
//! Requests, datagrams and orders go in, with the time; responses, datagrams and events come out of
//! [`Room::poll_output`]. The room never waits, and looks only at connections something happened on. Coming
//! and going is in [`mod@join`], requests are understood in [`mod@requests`], tracks in [`mod@publish`] and
//! [`mod@subscribe`], media in [`mod@media`], data in [`mod@data`], and the orders of the server's interface
//! in [`mod@orders`].

mod admit;
mod chat;
mod data;
mod demand;
mod join;
mod media;
mod member;
mod negotiate;
mod orders;
mod permission;
mod phone;
mod publish;
mod pulse;
mod relay;
mod requests;
mod rpc;
mod send;
mod subscribe;
mod taps;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere in time")]
mod tests;
mod track;

pub(crate) use join::Arrival;
pub(crate) use member::{Leg, MemberKey, PeerKey, SessionKey};
pub(crate) use phone::PhoneArrival;

use crate::config::{IceServers, Limits, RoomOptions};
use crate::event::{RoomEvent, RoomEventKind};
use crate::io::PhoneEvent;
use crate::peer::{Door, Happened, Identity, LocalAddress, Polled, Transmit};
use crate::protocol as wire;
use crate::stage::{Stage, TrackKey};
use crate::tap::TapId;
use crate::{RoomError, RoomName};
use member::Member;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::World;
use track::Track;
use wire::signal_response::Message as Response;

/// The pace of everything that is not driven by packets while somebody is heard.
const LIVELY: Duration = Duration::from_millis(200);

/// And while nobody is.
const QUIET: Duration = Duration::from_secs(1);

/// What every room of this run stands on.
#[derive(Debug)]
pub(crate) struct Ground {
    /// What nobody may exceed.
    pub(crate) limits: Limits,
    /// The addresses browsers are told.
    pub(crate) local: Vec<LocalAddress>,
    /// The certificate.
    pub(crate) identity: Identity,
    /// Relay servers.
    pub(crate) turn: Option<Arc<dyn IceServers>>,
}

/// What comes out of a room.
#[derive(Debug)]
pub(crate) enum RoomOutput {
    /// A datagram is to leave.
    Transmit(Transmit),
    /// A response is to be sent.
    Signal(SessionKey, Box<wire::SignalResponse>),
    /// A session is to be closed once everything is sent.
    Close(SessionKey),
    /// Something happened.
    Event(RoomEvent),
    /// Something happened to a phone.
    Phone(MemberKey, PhoneEvent),
    /// Connectivity checks under this name are for that connection.
    Reachable(String, PeerKey),
    /// A connection is gone.
    Unreachable(PeerKey),
    /// A picture that is relayed from another room needs a key frame: whose, and its sid there.
    KeyFrameWanted(MemberKey, String),
    /// A server's call of a member's method was answered.
    Answer(u64, Result<String, RoomError>),
}

/// A running room.
pub(crate) struct Room {
    ground: Arc<Ground>,
    world: Arc<dyn World>,
    name: RoomName,
    info: wire::Room,
    options: RoomOptions,
    is_recording: bool,
    /// Whether phones were told that an agent is there.
    has_agent: bool,
    admitted: admit::Door,
    members: BTreeMap<MemberKey, Member>,
    tracks: BTreeMap<TrackKey, Track>,
    /// Which track a section of a member's connection carries.
    incoming: HashMap<(MemberKey, crate::peer::MediaId), TrackKey>,
    sessions: HashMap<SessionKey, MemberKey>,
    stage: Stage,
    stage_due: Option<Instant>,
    taps: BTreeMap<TapId, taps::Tapped>,
    calls: BTreeMap<u64, rpc::Call>,
    outputs: VecDeque<RoomOutput>,
    touched: Vec<PeerKey>,
    speaking: Vec<(String, f32)>,
    last_key: u64,
    heard_at: Option<Instant>,
    pulse_due: Instant,
    quality_due: Instant,
    empty_since: Option<Instant>,
    ever_joined: bool,
    next: Option<Instant>,
    is_over: bool,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Room")
            .field("name", &self.name)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl Room {
    /// A room without members.
    pub(crate) fn new(
        name: RoomName,
        options: RoomOptions,
        ground: Arc<Ground>,
        world: Arc<dyn World>,
        now: Instant,
    ) -> Self {
        let created = world.now();
        let info = wire::Room {
            sid: fresh_id(world.as_ref(), "RM"),
            name: name.name.clone(),
            creation_time: created.unix_timestamp(),
            creation_time_ms: unix_ms(created),
            enabled_codecs: codecs(),
            ..wire::Room::default()
        };
        let mut room = Self {
            admitted: admit::Door::default(),
            ground,
            world,
            name,
            info,
            options: RoomOptions::default(),
            is_recording: false,
            has_agent: false,
            members: BTreeMap::new(),
            tracks: BTreeMap::new(),
            incoming: HashMap::new(),
            sessions: HashMap::new(),
            stage: Stage::new(),
            stage_due: None,
            taps: BTreeMap::new(),
            calls: BTreeMap::new(),
            outputs: VecDeque::new(),
            touched: Vec::new(),
            speaking: Vec::new(),
            last_key: 0,
            heard_at: None,
            pulse_due: now + QUIET,
            quality_due: now + pulse::QUALITY,
            empty_since: Some(now),
            ever_joined: false,
            next: Some(now + QUIET),
            is_over: false,
        };
        room.apply_options(options);
        let started = RoomEventKind::Started(Box::new(room.describe()));
        room.tell(started);
        room
    }

    /// Takes over what was asked for a room, leaving what was not said as it is.
    pub(crate) fn apply_options(&mut self, options: RoomOptions) {
        let chosen = |asked: u32, known: u32, usual: u32| match (asked, known) {
            (0, 0) => usual,
            (0, known) => known,
            (asked, _) => asked,
        };
        self.info.empty_timeout = chosen(options.empty_timeout_s, self.info.empty_timeout, 300);
        self.info.departure_timeout = chosen(options.departure_timeout_s, self.info.departure_timeout, 20);
        if options.max_participants > 0 {
            self.info.max_participants = options.max_participants;
        }
        if !options.metadata.is_empty() {
            self.info.metadata.clone_from(&options.metadata);
        }
        self.options = options;
    }

    /// What the room says of itself.
    pub(crate) fn describe(&self) -> wire::Room {
        let seen = self.members.values().filter(|member| !member.is_hidden());
        let count = |members: usize| u32::try_from(members).unwrap_or(u32::MAX);
        wire::Room {
            num_participants: count(seen.clone().count()),
            num_publishers: count(seen.filter(|member| !member.tracks.is_empty()).count()),
            active_recording: self.is_recording,
            ..self.info.clone()
        }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &RoomName {
        &self.name
    }

    /// A datagram came for a connection.
    pub(crate) fn receive(
        &mut self,
        peer: PeerKey,
        door: Door,
        (source, destination): (SocketAddr, SocketAddr),
        bytes: &[u8],
        now: Instant,
    ) {
        let Some(leg) = self.leg(peer) else { return };
        if leg.peer.receive(door, source, destination, bytes, now) {
            (leg.silent_since, leg.heard_at) = (None, Some(now));
            self.touch(peer);
            self.settle(now);
        }
    }

    /// The deadline came.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<PeerKey> = self
            .members
            .values()
            .flat_map(Member::peers)
            .filter(|(_, leg)| leg.peer.deadline() <= now)
            .map(|(key, _)| key)
            .collect();
        for key in due {
            if let Some(leg) = self.leg(key) {
                leg.peer.handle_timeout(now);
            }
            self.touch(key);
        }
        if self.stage_due.is_some_and(|due| due <= now) {
            self.stage_tick(now);
        }
        if self.pulse_due <= now {
            self.pulse(now);
            let is_lively = self.heard_at.is_some_and(|heard| now < heard + QUIET);
            self.pulse_due = now + if is_lively { LIVELY } else { QUIET };
        }
        self.settle(now);
        let peers = self.members.values().flat_map(Member::peers);
        self.next = peers
            .map(|(_, leg)| leg.peer.deadline())
            .chain(self.stage_due)
            .chain([self.pulse_due])
            .min();
    }

    /// When to wake it. May be early, never late.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.next, self.stage_due, Some(self.pulse_due)]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is to be done; drain until `None`.
    pub(crate) fn poll_output(&mut self) -> Option<RoomOutput> {
        self.outputs.pop_front()
    }

    /// Whether it has ended.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    fn touch(&mut self, peer: PeerKey) {
        if let Some(leg) = self.leg(peer)
            && !leg.is_touched
        {
            leg.is_touched = true;
            self.touched.push(peer);
        }
    }

    /// Lets every connection something happened on do what follows, until nothing follows.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some(key) = self.touched.pop() {
            if let Some(leg) = self.leg(key) {
                leg.is_touched = false;
                if leg.is_written {
                    leg.is_written = false;
                    leg.peer.handle_timeout(now);
                }
            }
            while let Some(leg) = self.leg(key) {
                match leg.peer.poll(now) {
                    Polled::Wait(at) => {
                        self.next = Some(self.next.map_or(at, |next| next.min(at)));
                        break;
                    }
                    Polled::Over => {
                        self.connection_over(key, now);
                        break;
                    }
                    Polled::Transmit(transmit) => self.outputs.push_back(RoomOutput::Transmit(transmit)),
                    Polled::Event(happened) => self.happened(key, happened, now),
                }
            }
        }
    }

    fn happened(&mut self, key: PeerKey, happened: Happened, now: Instant) {
        match happened {
            Happened::Packet(media, layer, packet) => self.packet(key.member, media, layer, &packet, now),
            Happened::Data(channel, bytes) => self.data(key.member, channel, &bytes, now),
            Happened::KeyFrameWanted(media) => self.key_frame_wanted(key.member, media, now),
            Happened::Connected => self.connected(key.member, now),
            Happened::Opened => {}
            Happened::Lost => {
                if let Some(leg) = self.leg(key) {
                    leg.silent_since.get_or_insert(now);
                }
            }
            Happened::Line(bits_per_second) => {
                if let Some(browser) = self.browser(key.member) {
                    browser.line = Some(bits_per_second);
                }
            }
            Happened::Health { down, up, round_trip } => {
                if let Some(member) = self.members.get_mut(&key.member) {
                    member.health.note(down, up, round_trip);
                }
            }
        }
    }

    fn leg(&mut self, peer: PeerKey) -> Option<&mut Leg> {
        self.browser(peer.member)?.leg(peer.is_subscriber)
    }

    fn browser(&mut self, member: MemberKey) -> Option<&mut member::Browser> {
        self.members.get_mut(&member)?.browser_mut()
    }

    fn fresh_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    fn tell(&mut self, kind: RoomEventKind) {
        self.outputs.push_back(RoomOutput::Event(RoomEvent {
            room: self.name.clone(),
            room_sid: self.info.sid.clone(),
            at: self.world.now(),
            kind,
        }));
    }

    /// Sends a response to a member; lost when their signalling is.
    fn respond(&mut self, member: MemberKey, message: Response) {
        let Some(session) = self.members.get(&member).and_then(Member::session) else {
            return;
        };
        self.outputs.push_back(RoomOutput::Signal(
            session,
            Box::new(wire::SignalResponse { message: Some(message) }),
        ));
    }

    fn respond_to_all(&mut self, message: &Response) {
        let members: Vec<MemberKey> = self.members.keys().copied().collect();
        for member in members {
            self.respond(member, message.clone());
        }
    }

    fn member_of(&self, identity: &str) -> Option<MemberKey> {
        self.members
            .iter()
            .find(|(_, member)| member.info.identity == identity)
            .map(|(key, _)| *key)
    }

    fn track_of(&self, sid: &str) -> Option<TrackKey> {
        self.tracks
            .values()
            .find(|track| track.info.sid == sid)
            .map(|track| track.key)
    }
}

/// An opaque name: prefix and twelve letters or digits.
fn fresh_id(world: &dyn World, prefix: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut bytes = [0_u8; 12];
    world.fill(&mut bytes);
    let letters = bytes
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()));
    let mut id = format!("{prefix}_");
    id.extend(letters.map(|letter| char::from(*letter)));
    id
}

fn unix_ms(at: time::OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

fn codecs() -> Vec<wire::Codec> {
    ["audio/opus", "audio/red", "video/vp8", "video/h264"]
        .map(|mime| wire::Codec {
            mime: mime.to_owned(),
            fmtp_line: String::new(),
        })
        .into()
}

/// What we call ourselves to clients. The protocol number is the newest whose rules are kept.
fn server_info() -> wire::ServerInfo {
    wire::ServerInfo {
        edition: wire::server_info::Edition::Standard as i32,
        version: "1.9.0".to_owned(),
        protocol: 16,
        node_id: "ND_strowger".to_owned(),
        ..wire::ServerInfo::default()
    }
}
