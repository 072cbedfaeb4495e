//! Coming, coming back, and going.

use super::admit::Verdict;
use super::member::{Body, Browser, Bucket, Leg, Member, MemberKey, PeerKey, SessionKey};
use super::{Response, Room, RoomOutput, codecs, fresh_id, server_info, unix_ms};
use crate::CALL_STATUS;
use crate::Generation;
use crate::claims::Grants;
use crate::error::JoinRefused;
use crate::event::RoomEventKind;
use crate::io::PhoneEvent;
use crate::peer::{Peer, Purpose};
use crate::protocol as wire;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;
use tracing::info;
use wire::DisconnectReason as Reason;
use wire::leave_request::Action;
use wire::participant_info::State;

/// The longest identity.
const IDENTITY_BYTES: usize = 256;

/// A browser that wants to come in.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) grants: Grants,
    pub(crate) generation: Generation,
    pub(crate) request: wire::JoinRequest,
    pub(crate) resume: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) session: SessionKey,
    pub(crate) sid: String,
}

impl Room {
    /// Lets a browser in, or back in.
    pub(crate) fn join(&mut self, arrival: Arrival, now: Instant) -> Result<Joined, JoinRefused> {
        if let Some(sid) = &arrival.resume {
            return self.resume(sid.clone(), &arrival, now);
        }
        self.check(&arrival.grants, &arrival.request)?;
        let replaced = self.member_of(&arrival.grants.identity);
        self.check_space(replaced, &arrival.grants)?;
        if let Some(replaced) = replaced {
            self.remove(replaced, Reason::DuplicateIdentity, now);
        }
        let session = SessionKey(self.fresh_key());
        let member = self.enter(&arrival, session, now);
        let sid = self
            .members
            .get(&member)
            .map(|member| member.info.sid.clone())
            .unwrap_or_default();
        self.greet(member, &sid);
        self.open(member, arrival.request, now);
        self.settle(now);
        Ok(Joined { session, sid })
    }

    fn check(&mut self, grants: &Grants, request: &wire::JoinRequest) -> Result<(), JoinRefused> {
        if grants.room_join.as_deref() != Some(self.name.name.as_str()) {
            return Err(JoinRefused::NotAllowed);
        }
        if grants.identity.is_empty() || grants.identity.len() > IDENTITY_BYTES {
            return Err(JoinRefused::Invalid("the identity is empty or too long"));
        }
        let pairs = request.participant_attributes.iter();
        let bytes: usize = pairs.map(|(key, value)| key.len() + value.len()).sum();
        if bytes + request.metadata.len() > self.ground.limits.metadata_bytes {
            return Err(JoinRefused::Invalid("metadata and attributes are too large"));
        }
        match self
            .admitted
            .judge(grants, self.options.locked, self.options.waiting_room)
        {
            Verdict::Enter => Ok(()),
            Verdict::Locked => Err(JoinRefused::Locked),
            Verdict::Waits { is_new } => {
                if is_new {
                    self.tell(RoomEventKind::Knocked {
                        identity: grants.identity.clone(),
                        name: grants.name.clone(),
                    });
                }
                Err(JoinRefused::Waiting)
            }
        }
    }

    /// Whether there is space for one more; one who replaces another needs none.
    pub(super) fn check_space(&self, replaced: Option<MemberKey>, grants: &Grants) -> Result<(), JoinRefused> {
        let usual = u32::try_from(self.ground.limits.participants).unwrap_or(u32::MAX);
        let most = match self.info.max_participants {
            0 => usual,
            asked => asked.min(usual.max(asked)),
        };
        let counted = self.members.values().filter(|member| !member.grants.recorder).count();
        let is_full = counted >= usize::try_from(most).unwrap_or(usize::MAX);
        if is_full && replaced.is_none() && !grants.recorder {
            return Err(JoinRefused::Full);
        }
        Ok(())
    }

    fn enter(&mut self, arrival: &Arrival, session: SessionKey, now: Instant) -> MemberKey {
        let key = MemberKey(self.fresh_key());
        let settings = arrival
            .request
            .connection_settings
            .unwrap_or_else(|| wire::ConnectionSettings {
                auto_subscribe: true,
                ..Default::default()
            });
        let (first, second) = match arrival.generation {
            Generation::One => (Purpose::Both, None),
            Generation::Two => (Purpose::Publish, Some(Purpose::Subscribe)),
        };
        let new_leg = |purpose| Leg::new(Peer::new(purpose, &self.ground.identity, &self.ground.local, now));
        let (publisher, subscriber) = (new_leg(first), second.map(new_leg));
        let limits = self.ground.limits;
        let browser = Browser {
            generation: arrival.generation,
            session: Some(session),
            lost_since: None,
            bucket: Bucket::new(limits.requests_burst, limits.requests_per_second, now),
            publisher,
            subscriber,
            slots: Vec::new(),
            subscriptions: BTreeMap::new(),
            is_auto: settings.auto_subscribe,
            may_pause: settings.subscriber_allow_pause.unwrap_or(true),
            has_offered: false,
            has_asked: false,
            has_channels: false,
            offer_id: 0,
            may_reuse: may_reuse(&arrival.request),
            line: None,
            wanted_line: 0,
            told_layers: HashMap::new(),
        };
        let mut info = self.introduce(&arrival.grants);
        let client = arrival.request.client_info.clone().unwrap_or_default();
        info.client_protocol = client.client_protocol;
        info.capabilities = client.capabilities;
        if !arrival.request.metadata.is_empty() {
            info.metadata.clone_from(&arrival.request.metadata);
        }
        info.attributes.extend(arrival.request.participant_attributes.clone());
        self.admit_member(key, info, arrival.grants.clone(), Body::Browser(Box::new(browser)), now);
        self.sessions.insert(session, key);
        for is_subscriber in [false, true] {
            let peer = PeerKey {
                member: key,
                is_subscriber,
            };
            if let Some(leg) = self.leg(peer) {
                let ufrag = leg.ufrag.clone();
                self.outputs.push_back(RoomOutput::Reachable(ufrag, peer));
            }
        }
        key
    }

    /// What others are told of somebody who comes.
    pub(super) fn introduce(&self, grants: &Grants) -> wire::ParticipantInfo {
        let joined = self.world.now();
        let kind = if grants.agent {
            wire::participant_info::Kind::Agent
        } else if grants.recorder {
            wire::participant_info::Kind::Egress
        } else {
            grants.kind
        };
        wire::ParticipantInfo {
            sid: fresh_id(self.world.as_ref(), "PA"),
            identity: grants.identity.clone(),
            name: grants.name.clone(),
            metadata: grants.metadata.clone(),
            attributes: grants.attributes.clone().into_iter().collect(),
            state: State::Joined as i32,
            joined_at: joined.unix_timestamp(),
            joined_at_ms: unix_ms(joined),
            version: 1,
            kind: kind as i32,
            permission: Some(super::permission::of(grants)),
            ..Default::default()
        }
    }

    /// Makes somebody a member and tells everybody.
    pub(super) fn admit_member(
        &mut self,
        key: MemberKey,
        info: wire::ParticipantInfo,
        grants: Grants,
        body: Body,
        now: Instant,
    ) {
        info!(room = %self.info.sid, participant = %info.sid, "a participant came in");
        let member = Member {
            key,
            info: info.clone(),
            grants,
            tracks: Vec::new(),
            body,
            health: super::pulse::Health::default(),
            since: now,
            was_connected: false,
            audience: None,
            last_reliable: 0,
            writing: super::chat::Writing::default(),
        };
        self.members.insert(key, member);
        (self.empty_since, self.ever_joined) = (None, true);
        self.pulse_due = self.pulse_due.min(now + super::LIVELY);
        self.tell(RoomEventKind::Joined(Box::new(info)));
        self.announce(key, false);
    }

    /// The first response: everything there is.
    fn greet(&mut self, key: MemberKey, sid: &str) {
        let Some(member) = self.members.get(&key) else { return };
        let is_second = member
            .browser()
            .is_some_and(|browser| browser.generation == Generation::Two);
        let others = self
            .members
            .values()
            .filter(|other| other.key != key && !other.is_hidden())
            .map(|other| self.info_of(other))
            .collect();
        let join = wire::JoinResponse {
            room: Some(self.describe()),
            participant: Some(self.info_of(member)),
            other_participants: others,
            server_version: server_info().version,
            server_info: Some(server_info()),
            ice_servers: self.relays(sid),
            subscriber_primary: is_second,
            ping_interval: 5,
            ping_timeout: 15,
            fast_publish: true,
            enabled_publish_codecs: codecs(),
            sif_trailer: self.info.sid.clone().into_bytes(),
            ..Default::default()
        };
        self.respond(key, Response::Join(join));
    }

    fn relays(&self, sid: &str) -> Vec<wire::IceServer> {
        let turn = self.ground.turn.as_ref();
        turn.map(|turn| turn.for_participant(sid)).unwrap_or_default()
    }

    /// Begins to negotiate, and subscribes to what is there.
    fn open(&mut self, key: MemberKey, request: wire::JoinRequest, now: Instant) {
        let is_auto = self.browser(key).is_some_and(|browser| browser.is_auto);
        if is_auto {
            let there: Vec<_> = self
                .tracks
                .values()
                .filter(|track| track.is_announced && track.owner != key)
                .map(|track| track.key)
                .collect();
            for track in there {
                self.subscribe(key, track);
            }
        }
        self.negotiate(key, now);
        for track in request.add_track_requests {
            self.add_track(key, track, now);
        }
        if let Some(offer) = request.publisher_offer.filter(|offer| !offer.sdp.is_empty()) {
            self.offered(key, &offer, now);
        }
    }

    fn resume(&mut self, sid: String, arrival: &Arrival, now: Instant) -> Result<Joined, JoinRefused> {
        let found = self
            .members
            .values()
            .find(|member| member.info.sid == sid && member.info.identity == arrival.grants.identity)
            .map(|member| member.key);
        let (Some(key), true) = (
            found,
            arrival.grants.room_join.as_deref() == Some(self.name.name.as_str()),
        ) else {
            return Err(JoinRefused::UnknownSession);
        };
        let session = SessionKey(self.fresh_key());
        let last_message_seq = self.members.get(&key).map_or(0, |member| member.last_reliable);
        let browser = self.browser(key).ok_or(JoinRefused::UnknownSession)?;
        if browser.generation != arrival.generation {
            return Err(JoinRefused::UnknownSession);
        }
        let old = browser.session.replace(session);
        (browser.lost_since, browser.has_asked) = (None, false);
        if let Some(old) = old {
            self.sessions.remove(&old);
            self.outputs.push_back(RoomOutput::Close(old));
        }
        self.sessions.insert(session, key);
        self.look_for_agents();
        let response = wire::ReconnectResponse {
            ice_servers: self.relays(&sid),
            server_info: Some(server_info()),
            last_message_seq,
            ..Default::default()
        };
        self.respond(key, Response::Reconnect(response));
        // They may have missed anything: say all of it again.
        let everybody = self
            .members
            .values()
            .filter(|other| other.key == key || !other.is_hidden())
            .map(|other| self.info_of(other))
            .collect();
        self.respond(
            key,
            Response::Update(wire::ParticipantUpdate {
                participants: everybody,
            }),
        );
        let room = self.describe();
        self.respond(key, Response::RoomUpdate(wire::RoomUpdate { room: Some(room) }));
        if let Some(state) = arrival.request.sync_state.clone() {
            self.synchronise(key, &state, now);
        }
        if let Some(offer) = arrival
            .request
            .publisher_offer
            .clone()
            .filter(|offer| !offer.sdp.is_empty())
        {
            self.offered(key, &offer, now);
        }
        self.negotiate_again(key, now);
        self.settle(now);
        Ok(Joined { session, sid })
    }

    /// The signalling of a session is gone. The member stays for a while.
    pub(crate) fn session_lost(&mut self, session: SessionKey, now: Instant) {
        let Some(key) = self.sessions.remove(&session) else {
            return;
        };
        if let Some(browser) = self.browser(key)
            && browser.session == Some(session)
        {
            (browser.session, browser.lost_since) = (None, Some(now));
        }
        self.look_for_agents();
    }

    /// Takes somebody out: tells them, tells the others, and ends what hung on them.
    pub(super) fn remove(&mut self, key: MemberKey, reason: Reason, now: Instant) {
        let by_themselves = matches!(reason, Reason::ClientInitiated);
        if !by_themselves {
            let leave = crate::signal::leave(reason, Action::Disconnect);
            if let Some(message) = leave.message {
                self.respond(key, message);
            }
        }
        // Whoever leaves stops publishing first, and that is when others see this.
        if let Some(member) = self
            .members
            .get_mut(&key)
            .filter(|member| matches!(member.body, Body::Phone(_)))
            && let Some(status) = member.info.attributes.get_mut(CALL_STATUS)
        {
            "hangup".clone_into(status);
        }
        let tracks = self
            .members
            .get(&key)
            .map(|member| member.tracks.clone())
            .unwrap_or_default();
        for track in tracks {
            self.unpublish(track, now);
        }
        let subscribed: Vec<_> = self
            .browser(key)
            .map(|browser| browser.subscriptions.keys().copied().collect())
            .unwrap_or_default();
        for track in subscribed {
            self.unsubscribe(key, track, now);
        }
        let Some(mut member) = self.members.remove(&key) else {
            return;
        };
        member.info.state = State::Disconnected as i32;
        member.info.disconnect_reason = reason as i32;
        member.info.version += 1;
        info!(room = %self.info.sid, participant = %member.info.sid, ?reason, "a participant left");
        if let Some(session) = member.session() {
            self.sessions.remove(&session);
            self.outputs.push_back(RoomOutput::Close(session));
        }
        match &mut member.body {
            // Who is told to leave hangs up on their own: media that ends before the word comes looks like a
            // fault to clients, and they come back.
            Body::Browser(browser) => self.hang_up(key, browser, by_themselves || browser.session.is_none(), now),
            Body::Relayed => {}
            Body::Phone(phone) => {
                self.stage.remove_phone(phone.key);
                let event = if matches!(reason, Reason::RoomDeleted | Reason::RoomClosed) {
                    PhoneEvent::RoomEnded
                } else {
                    PhoneEvent::Removed { reason }
                };
                self.outputs.push_back(RoomOutput::Phone(key, event));
            }
        }
        self.calls_end_with(&member.info.identity);
        let gone = wire::ParticipantUpdate {
            participants: vec![member.info.clone()],
        };
        if !member.is_hidden() {
            self.respond_to_all(&Response::Update(gone));
        }
        self.speaking.retain(|(sid, _)| *sid != member.info.sid);
        self.tell(RoomEventKind::Left {
            connected: member.was_connected,
            participant: Box::new(member.info),
            reason,
        });
        self.look_for_agents();
        if self.members.is_empty() {
            self.empty_since = Some(now);
        }
        self.tell_lonely_phone();
    }

    fn tell_lonely_phone(&mut self) {
        let mut members = self.members.values();
        if let (Some(last), None) = (members.next(), members.next())
            && matches!(last.body, Body::Phone(_))
        {
            let event = RoomOutput::Phone(last.key, PhoneEvent::Alone);
            self.outputs.push_back(event);
        }
    }

    /// Drops the connections; where wanted says goodbye on them and lets that leave before.
    fn hang_up(&mut self, key: MemberKey, browser: &mut Browser, with_goodbye: bool, now: Instant) {
        for is_subscriber in [false, true] {
            let Some(leg) = browser.leg(is_subscriber) else {
                continue;
            };
            if with_goodbye {
                leg.peer.close();
                leg.peer.handle_timeout(now);
                while let crate::peer::Polled::Transmit(transmit) = leg.peer.poll(now) {
                    self.outputs.push_back(RoomOutput::Transmit(transmit));
                }
            }
            self.outputs.push_back(RoomOutput::Unreachable(PeerKey {
                member: key,
                is_subscriber,
            }));
        }
    }

    /// Ends the room: everybody leaves.
    pub(crate) fn end(&mut self, reason: Reason, now: Instant) {
        let members: Vec<MemberKey> = self.members.keys().copied().collect();
        for member in members {
            self.remove(member, reason, now);
        }
        self.close_taps(now);
        if !self.is_over {
            self.is_over = true;
            let room = Box::new(self.describe());
            self.tell(RoomEventKind::Finished(room));
        }
    }

    /// What others are told of a member at the moment.
    pub(super) fn info_of(&self, member: &Member) -> wire::ParticipantInfo {
        let tracks: Vec<wire::TrackInfo> = member
            .tracks
            .iter()
            .filter_map(|key| self.tracks.get(key))
            .filter(|track| track.is_announced)
            .map(|track| track.info.clone())
            .collect();
        wire::ParticipantInfo {
            is_publisher: !tracks.is_empty(),
            tracks,
            ..member.info.clone()
        }
    }

    /// Tells everybody what a member is like; themselves only when asked.
    pub(super) fn announce(&mut self, key: MemberKey, with_self: bool) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        member.info.version += 1;
        let Some(member) = self.members.get(&key) else { return };
        let is_hidden = member.is_hidden();
        let update = Response::Update(wire::ParticipantUpdate {
            participants: vec![self.info_of(member)],
        });
        let others: Vec<MemberKey> = self.members.keys().copied().collect();
        for other in others {
            if (other == key && with_self) || (other != key && !is_hidden) {
                self.respond(other, update.clone());
            }
        }
    }
}

/// Whether a client takes another track in where its first ended. Safari loses tracks that way.
fn may_reuse(request: &wire::JoinRequest) -> bool {
    let client = request.client_info.as_ref();
    client.is_none_or(|client| !client.browser.eq_ignore_ascii_case("safari"))
}
