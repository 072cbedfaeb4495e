//! Orders of the server's interface.

use super::member::MemberKey;
use super::{Response, Room};
use crate::claims::{Grants, Role};
use crate::error::RoomError;
use crate::event::RoomEventKind;
use crate::io::PhoneEvent;
use crate::peer::Channel;
use crate::protocol as wire;
use std::time::Instant;
use wire::DisconnectReason as Reason;
use wire::data_packet::{Kind, Value};

impl Room {
    fn find(&self, identity: &str) -> Result<MemberKey, RoomError> {
        self.member_of(identity).ok_or(RoomError::NoParticipant)
    }

    /// Everybody who is to be seen.
    pub(crate) fn participants(&self) -> Vec<wire::ParticipantInfo> {
        self.members.values().map(|member| self.info_of(member)).collect()
    }

    /// One participant.
    pub(crate) fn participant(&self, identity: &str) -> Result<wire::ParticipantInfo, RoomError> {
        let key = self.find(identity)?;
        let member = self.members.get(&key).ok_or(RoomError::NoParticipant)?;
        Ok(self.info_of(member))
    }

    /// Removes a participant. Where others wait or the room is locked, so does who was removed.
    pub(crate) fn expel(&mut self, identity: &str, now: Instant) -> Result<(), RoomError> {
        let key = self.find(identity)?;
        self.no_longer_admit(identity);
        self.remove(key, Reason::ParticipantRemoved, now);
        self.settle(now);
        Ok(())
    }

    /// Mutes a track, or lets it be heard again; its publisher is told.
    pub(crate) fn mute_track(
        &mut self,
        identity: &str,
        sid: &str,
        muted: bool,
        now: Instant,
    ) -> Result<wire::TrackInfo, RoomError> {
        let key = self.find(identity)?;
        let track = self.track_of(sid).ok_or(RoomError::NoTrack)?;
        if self.tracks.get(&track).is_none_or(|track| track.owner != key) {
            return Err(RoomError::NoTrack);
        }
        let request = wire::MuteTrackRequest {
            sid: sid.to_owned(),
            muted,
        };
        self.respond(key, Response::Mute(request));
        self.set_muted(track, muted, now);
        self.settle(now);
        let track = self.tracks.get(&track).ok_or(RoomError::NoTrack)?;
        Ok(track.info.clone())
    }

    /// Mutes every microphone of those who do not steer the meeting; how many.
    pub(crate) fn mute_all(&mut self, except: &str, now: Instant) -> usize {
        let loud: Vec<(String, String)> = self
            .tracks
            .values()
            .filter(|track| track.info.source() == wire::TrackSource::Microphone && !track.info.muted)
            .filter_map(|track| {
                let owner = self.members.get(&track.owner)?;
                let is_spared = owner.grants.role.steers() || owner.info.identity == except;
                (!is_spared).then(|| (owner.info.identity.clone(), track.info.sid.clone()))
            })
            .collect();
        loud.iter()
            .filter(|(identity, sid)| self.mute_track(identity, sid, true, now).is_ok())
            .count()
    }

    /// Changes name, metadata, attributes or permission.
    pub(crate) fn update_participant(
        &mut self,
        request: wire::UpdateParticipantRequest,
        now: Instant,
    ) -> Result<wire::ParticipantInfo, RoomError> {
        let key = self.find(&request.identity)?;
        if let Some(permission) = &request.permission {
            self.permit(key, permission, now);
        }
        self.change_participant(key, request.name, request.metadata, request.attributes);
        self.settle(now);
        self.participant(&request.identity)
    }

    /// Subscribes a participant to tracks, or ends that.
    pub(crate) fn update_subscriptions(
        &mut self,
        request: wire::UpdateSubscriptionsRequest,
        now: Instant,
    ) -> Result<(), RoomError> {
        let key = self.find(&request.identity)?;
        let update = wire::UpdateSubscription {
            track_sids: request.track_sids,
            subscribe: request.subscribe,
            participant_tracks: request.participant_tracks,
        };
        self.update_subscription(key, &update, now);
        self.settle(now);
        Ok(())
    }

    /// Sends data in the server's name.
    pub(crate) fn send_data(&mut self, request: wire::SendDataRequest, now: Instant) {
        let channel = if request.kind == Kind::Lossy as i32 {
            Channel::Lossy
        } else {
            Channel::Reliable
        };
        #[expect(deprecated, reason = "older programs name receivers by sid")]
        let by_sid = self
            .members
            .values()
            .filter(|member| request.destination_sids.contains(&member.info.sid))
            .map(|member| member.info.identity.clone());
        #[expect(deprecated, reason = "older clients read the kind")]
        let packet = wire::DataPacket {
            kind: request.kind,
            value: Some(Value::User(wire::UserPacket {
                payload: request.data,
                topic: request.topic,
                nonce: request.nonce,
                ..Default::default()
            })),
            ..Default::default()
        };
        let meant: Vec<String> = request.destination_identities.iter().cloned().chain(by_sid).collect();
        self.deliver(None, channel, &packet, &meant, now);
        self.settle(now);
    }

    /// Changes what the room says of itself.
    pub(crate) fn update_metadata(&mut self, metadata: String) -> wire::Room {
        self.info.metadata = metadata;
        self.room_changed();
        self.describe()
    }

    /// Marks the room as being recorded.
    pub(crate) fn set_recording(&mut self, is_recording: bool) {
        if self.is_recording != is_recording {
            self.is_recording = is_recording;
            self.room_changed();
            self.tell_phones(&PhoneEvent::Recorded(is_recording));
        }
    }

    /// Tells everybody what the room is like.
    pub(super) fn room_changed(&mut self) {
        let room = self.describe();
        self.respond_to_all(&Response::RoomUpdate(wire::RoomUpdate {
            room: Some(room.clone()),
        }));
        self.tell(RoomEventKind::RoomChanged(Box::new(room)));
    }

    /// The part a participant plays.
    pub(crate) fn role(&self, identity: &str) -> Result<Role, RoomError> {
        let key = self.find(identity)?;
        let member = self.members.get(&key).ok_or(RoomError::NoParticipant)?;
        Ok(member.grants.role)
    }

    /// Gives a participant another part; others see it as the attribute `role`.
    pub(crate) fn set_role(&mut self, identity: &str, role: Role) -> Result<(), RoomError> {
        let key = self.find(identity)?;
        let member = self.members.get_mut(&key).ok_or(RoomError::NoParticipant)?;
        member.grants.role = role;
        let attributes = [("role".to_owned(), role.word().to_owned())].into();
        self.change_participant(key, String::new(), String::new(), attributes);
        Ok(())
    }

    /// What a participant may do and is called by now.
    pub(crate) fn grants_of(&self, identity: &str) -> Result<Grants, RoomError> {
        let key = self.find(identity)?;
        let member = self.members.get(&key).ok_or(RoomError::NoParticipant)?;
        Ok(Grants {
            name: member.info.name.clone(),
            metadata: member.info.metadata.clone(),
            attributes: member.info.attributes.clone().into_iter().collect(),
            ..member.grants.clone()
        })
    }

    /// Sends a participant to another room: they come in anew with that token.
    pub(crate) fn send_away(&mut self, identity: &str, token: String, now: Instant) -> Result<(), RoomError> {
        let key = self.find(identity)?;
        self.respond(key, Response::RefreshToken(token));
        let leave = crate::signal::leave(Reason::Migration, wire::leave_request::Action::Reconnect);
        if let Some(message) = leave.message {
            self.respond(key, message);
        }
        // Said above in a way that makes them come again.
        self.remove(key, Reason::ClientInitiated, now);
        self.settle(now);
        Ok(())
    }
}
