//! Members of another room who are seen and heard here as well. They have no connection here: their packets come
//! from the room they are in, in one quality, and requests for key frames go back there.

use super::member::{Body, MemberKey};
use super::track::Track;
use super::{Room, fresh_id};
use crate::claims::Grants;
use crate::error::RoomError;
use crate::forward::Packet;
use crate::protocol as wire;
use crate::stage::TrackKey;
use crate::tap::TrackTag;
use std::time::Instant;

impl Room {
    /// Lets somebody of another room be seen here.
    pub(crate) fn join_relayed(&mut self, who: &wire::ParticipantInfo, now: Instant) -> Result<MemberKey, RoomError> {
        if self.member_of(&who.identity).is_some() {
            return Err(RoomError::Invalid(
                "somebody of that identity is in the destination room",
            ));
        }
        let grants = Grants {
            identity: who.identity.clone(),
            name: who.name.clone(),
            metadata: who.metadata.clone(),
            attributes: who.attributes.clone().into_iter().collect(),
            kind: who.kind(),
            ..Grants::default()
        };
        self.check_space(None, &grants).map_err(|_| RoomError::Full)?;
        let key = MemberKey(self.fresh_key());
        let mut info = self.introduce(&grants);
        info.state = wire::participant_info::State::Active as i32;
        self.admit_member(key, info, grants, Body::Relayed, now);
        if let Some(member) = self.members.get_mut(&key) {
            member.was_connected = true;
        }
        self.settle(now);
        Ok(key)
    }

    /// A track that is to be relayed, as it is described where it comes from. What may not be recorded there is
    /// recorded nowhere.
    pub(crate) fn relay_track(
        &mut self,
        owner: MemberKey,
        source: &wire::TrackInfo,
        is_withheld: bool,
        now: Instant,
    ) -> Result<(), RoomError> {
        let who = self.members.get(&owner).ok_or(RoomError::NoParticipant)?.info.clone();
        let is_audio = source.r#type() == wire::TrackType::Audio;
        #[expect(deprecated, reason = "older clients read the layers there")]
        let info = wire::TrackInfo {
            sid: fresh_id(self.world.as_ref(), if is_audio { "TR_A" } else { "TR_V" }),
            // Redundancy was taken off, and of several sizes one comes.
            mime_type: if is_audio {
                "audio/opus".to_owned()
            } else {
                source.mime_type.clone()
            },
            disable_red: true,
            simulcast: false,
            layers: Vec::new(),
            codecs: Vec::new(),
            ..source.clone()
        };
        let tag = TrackTag {
            track_sid: info.sid.clone(),
            participant_sid: who.sid,
            identity: who.identity,
            name: who.name,
            kind: info.r#type(),
            source: info.source(),
            mime: info.mime_type.clone(),
            is_encrypted: info.encryption() != wire::encryption::Type::None,
            is_withheld,
        };
        let key = TrackKey(self.fresh_key());
        self.tracks
            .insert(key, Track::new(key, owner, info, source.sid.clone(), tag));
        if let Some(member) = self.members.get_mut(&owner) {
            member.tracks.push(key);
        }
        self.announce_track(key, now);
        self.settle(now);
        Ok(())
    }

    fn relayed_track(&self, owner: MemberKey, source_sid: &str) -> Option<TrackKey> {
        let tracks = &self.members.get(&owner)?.tracks;
        let mut tracks = tracks.iter().filter_map(|key| self.tracks.get(key));
        tracks.find(|track| track.cid == source_sid).map(|track| track.key)
    }

    /// A packet of a relayed track. `false`: its member is no longer here.
    pub(crate) fn relay_packet(&mut self, owner: MemberKey, source_sid: &str, packet: &Packet, now: Instant) -> bool {
        if !self.members.contains_key(&owner) {
            return false;
        }
        let key = self.relayed_track(owner, source_sid);
        let Some(track) = key.and_then(|key| self.tracks.get_mut(&key)) else {
            return true;
        };
        let key = track.key;
        if packet.codec.is_video() != track.is_video() || track.info.muted {
            return true;
        }
        if !packet.codec.is_video() {
            track.loudness.heard(packet.level.unwrap_or(127));
            self.heard_at = Some(now);
            self.pulse_due = self.pulse_due.min(now + super::LIVELY);
        }
        self.forward(key, None, packet, now);
        self.settle(now);
        true
    }

    /// A relayed track was muted where it comes from, or speaks again.
    pub(crate) fn relay_muted(&mut self, owner: MemberKey, source_sid: &str, muted: bool, now: Instant) {
        if let Some(key) = self.relayed_track(owner, source_sid) {
            self.set_muted(key, muted, now);
            self.settle(now);
        }
    }

    /// A relayed track ended.
    pub(crate) fn relay_closed(&mut self, owner: MemberKey, source_sid: &str, now: Instant) {
        if let Some(key) = self.relayed_track(owner, source_sid) {
            self.unpublish(key, now);
            self.settle(now);
        }
    }

    /// Whoever was relayed is no longer to be seen here.
    pub(crate) fn leave_relayed(&mut self, key: MemberKey, now: Instant) {
        self.remove(key, wire::DisconnectReason::ClientInitiated, now);
        self.settle(now);
    }

    /// A room to which a track is relayed cannot go on without a key frame.
    pub(crate) fn want_key_frame(&mut self, sid: &str, now: Instant) {
        if let Some(key) = self.track_of(sid) {
            self.ask_key_frame(key, None, now);
            self.settle(now);
        }
    }
}
