//! Phones as members: one Opus track each, made by the room's audio stage, and what is said to them.

use super::member::{Body, MemberKey, Phone};
use super::track::Track;
use super::{Room, RoomOutput, fresh_id};
use crate::claims::Grants;
use crate::error::{JoinRefused, RoomError};
use crate::forward::{Codec, Packet};
use crate::io::PhoneEvent;
use crate::protocol as wire;
use crate::stage::{PhoneKey, TrackKey};
use crate::tap::TrackTag;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_media::AudioPort;
use strowger_media::port::Popped;
use wire::DisconnectReason as Reason;
use wire::data_packet::Value;

/// The stage's pace.
const TICK: Duration = Duration::from_millis(20);

/// Ticks that may be made up for after a delay; older ones are left out.
const MAKE_UP: u32 = 5;

/// A phone that wants to come in.
#[derive(Debug)]
pub(crate) struct PhoneArrival {
    pub(crate) identity: String,
    pub(crate) name: String,
    pub(crate) metadata: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) grants: Grants,
    pub(crate) port: AudioPort,
    pub(crate) is_recordable: bool,
}

impl Room {
    /// Lets a phone in: its key, its sid and its track's.
    pub(crate) fn join_phone(
        &mut self,
        arrival: PhoneArrival,
        now: Instant,
    ) -> Result<(MemberKey, String, String), JoinRefused> {
        let grants = Grants {
            identity: arrival.identity,
            name: arrival.name,
            metadata: arrival.metadata,
            attributes: arrival.attributes,
            kind: wire::participant_info::Kind::Sip,
            ..arrival.grants
        };
        if grants.identity.is_empty() {
            return Err(JoinRefused::Invalid("the identity is empty"));
        }
        self.knock(&grants)?;
        if let Some(replaced) = self.member_of(&grants.identity) {
            self.remove(replaced, Reason::DuplicateIdentity, now);
        }
        let (key, phone, track) = (
            MemberKey(self.fresh_key()),
            PhoneKey(self.fresh_key()),
            TrackKey(self.fresh_key()),
        );
        let mut info = self.introduce(&grants);
        info.state = wire::participant_info::State::Active as i32;
        let sid = info.sid.clone();
        let body = Body::Phone(Phone {
            key: phone,
            track,
            port: arrival.port,
        });
        self.publish_phone(key, track, &info, !arrival.is_recordable);
        let track_sid = self
            .tracks
            .get(&track)
            .map(|track| track.info.sid.clone())
            .unwrap_or_default();
        self.admit_member(key, info, grants, body, now);
        if let Some(member) = self.members.get_mut(&key) {
            member.tracks.push(track);
            member.was_connected = true;
        }
        let mut start = [0_u8; 6];
        self.world.fill(&mut start);
        let [a, b, c, d, e, f] = start;
        // Below half of its range, so that the first packets cannot roll over.
        let sequence = u16::from_be_bytes([a & 0x7F, b]);
        self.stage.add_phone(phone, sequence, u32::from_be_bytes([c, d, e, f]));
        self.stage_due.get_or_insert(now + TICK);
        self.announce_track(track, now);
        self.outputs
            .push_back(RoomOutput::Phone(key, PhoneEvent::Agent(self.has_agent)));
        if self.is_recording {
            self.outputs
                .push_back(RoomOutput::Phone(key, PhoneEvent::Recorded(true)));
        }
        self.settle(now);
        Ok((key, sid, track_sid))
    }

    fn publish_phone(&mut self, owner: MemberKey, key: TrackKey, who: &wire::ParticipantInfo, is_withheld: bool) {
        let info = wire::TrackInfo {
            sid: fresh_id(self.world.as_ref(), "TR_A"),
            r#type: wire::TrackType::Audio as i32,
            source: wire::TrackSource::Microphone as i32,
            name: "phone".to_owned(),
            mime_type: "audio/opus".to_owned(),
            stream: "camera".to_owned(),
            disable_red: true,
            ..Default::default()
        };
        let tag = TrackTag {
            track_sid: info.sid.clone(),
            participant_sid: who.sid.clone(),
            identity: who.identity.clone(),
            name: who.name.clone(),
            kind: wire::TrackType::Audio,
            source: wire::TrackSource::Microphone,
            mime: info.mime_type.clone(),
            is_encrypted: false,
            is_withheld,
        };
        let mut track = Track::new(key, owner, info, String::new(), tag);
        track.is_from_phone = true;
        self.tracks.insert(key, track);
    }

    /// 20 ms have passed: what phones say goes in, what they are to hear goes out, and what they said becomes
    /// packets of their tracks.
    pub(super) fn stage_tick(&mut self, now: Instant) {
        if self.phones() == 0 {
            self.stage_due = None;
            return;
        }
        let mut due = self.stage_due.unwrap_or(now);
        if now > due + TICK * MAKE_UP {
            due = now;
        }
        while due <= now {
            due += TICK;
            self.one_tick(now);
        }
        self.stage_due = Some(due);
    }

    fn one_tick(&mut self, now: Instant) {
        let mut gone = Vec::new();
        let mut ports: BTreeMap<PhoneKey, (&AudioPort, TrackKey)> = BTreeMap::new();
        for member in self.members.values() {
            let Body::Phone(phone) = &member.body else { continue };
            ports.insert(phone.key, (&phone.port, phone.track));
            loop {
                match phone.port.pop() {
                    Popped::Frame(frame) => self.stage.phone_said(phone.key, &frame),
                    Popped::Empty => break,
                    Popped::Gone => {
                        gone.push(member.key);
                        break;
                    }
                }
            }
        }
        let mut spoken: Vec<(TrackKey, Packet)> = Vec::new();
        let listens = !self.taps.is_empty() || self.members.len() > ports.len();
        self.stage.tick(
            listens,
            |phone, frame| {
                if let Some((port, _)) = ports.get(&phone) {
                    // A phone that does not take its audio misses it.
                    let _ = port.push(frame);
                }
            },
            |phone, said| {
                let Some((_, track)) = ports.get(&phone) else { return };
                let packet = Packet {
                    sequence: u64::from(said.sequence),
                    timestamp: said.timestamp,
                    marker: said.marker,
                    codec: Codec::Opus,
                    profile: 0,
                    rotation: None,
                    payload: said.payload.into(),
                    level: Some(said.level),
                    voice: Some(said.voice),
                    received: now,
                };
                spoken.push((*track, packet));
            },
        );
        for (key, mut packet) in spoken {
            if let Some(track) = self.tracks.get_mut(&key) {
                packet.sequence = track.count_on(packet.sequence);
                track.loudness.heard(packet.level.unwrap_or(127));
                self.heard_at = Some(now);
                self.forward(key, None, &packet, now);
            }
        }
        for member in gone {
            self.remove(member, Reason::ClientInitiated, now);
        }
    }

    fn phone_of(&self, sid: &str) -> Result<MemberKey, RoomError> {
        let phones = self
            .members
            .values()
            .filter(|member| matches!(member.body, Body::Phone(_)));
        let mut phones = phones.filter(|member| member.info.sid == sid);
        phones.next().map(|member| member.key).ok_or(RoomError::NoParticipant)
    }

    /// A phone pressed keys: everybody is told, key by key.
    pub(crate) fn phone_digits(&mut self, sid: &str, digits: &str, now: Instant) -> Result<(), RoomError> {
        let key = self.phone_of(sid)?;
        let Some(info) = self.members.get(&key).map(|member| member.info.clone()) else {
            return Err(RoomError::NoParticipant);
        };
        for digit in digits.chars().filter_map(|digit| Some((digit, code_of(digit)?))) {
            let packet = wire::DataPacket {
                participant_sid: info.sid.clone(),
                participant_identity: info.identity.clone(),
                value: Some(Value::SipDtmf(wire::SipDtmf {
                    code: digit.1,
                    digit: digit.0.to_string(),
                })),
                ..Default::default()
            };
            self.deliver(Some(key), crate::peer::Channel::Reliable, &packet, &[], now);
        }
        self.settle(now);
        Ok(())
    }

    /// A phone's attributes changed.
    pub(crate) fn phone_attributes(
        &mut self,
        sid: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), RoomError> {
        let key = self.phone_of(sid)?;
        self.change_participant(key, String::new(), String::new(), attributes.into_iter().collect());
        Ok(())
    }

    /// A phone muted itself, or speaks again.
    pub(crate) fn phone_mute(&mut self, sid: &str, muted: bool, now: Instant) -> Result<(), RoomError> {
        let key = self.phone_of(sid)?;
        let track = self.members.get(&key).and_then(|member| member.tracks.first().copied());
        self.set_muted(track.ok_or(RoomError::NoTrack)?, muted, now);
        self.settle(now);
        Ok(())
    }

    /// A phone may be recorded from now on: recorders that run hear of its track as of a new one.
    pub(crate) fn phone_recordable(&mut self, sid: &str, now: Instant) -> Result<(), RoomError> {
        let key = self.phone_of(sid)?;
        let track = self.members.get(&key).and_then(|member| member.tracks.first().copied());
        let track = track.and_then(|track| self.tracks.get_mut(&track));
        let track = track.ok_or(RoomError::NoTrack)?;
        if !track.tag.is_withheld {
            return Ok(());
        }
        let tag = Arc::new(TrackTag {
            is_withheld: false,
            ..track.tag.as_ref().clone()
        });
        let (known, is_muted) = (std::mem::replace(&mut track.tag, Arc::clone(&tag)), track.info.muted);
        self.open_taps_anew(&known, &tag, is_muted, now);
        Ok(())
    }

    /// A phone hung up.
    pub(crate) fn leave_phone(&mut self, sid: &str, reason: Reason, now: Instant) {
        if let Ok(key) = self.phone_of(sid) {
            self.remove(key, reason, now);
            self.settle(now);
        }
    }

    /// Tells phones when the first agent is in touch and when the last no longer is. One whose signalling is cut
    /// counts as gone until it is back: a program that was killed says nothing.
    pub(super) fn look_for_agents(&mut self) {
        let has_agent = self
            .members
            .values()
            .any(|member| member.is_agent() && member.was_connected && member.session().is_some());
        if has_agent == self.has_agent {
            return;
        }
        self.has_agent = has_agent;
        self.tell_phones(&PhoneEvent::Agent(has_agent));
    }

    /// Tells every phone.
    pub(super) fn tell_phones(&mut self, event: &PhoneEvent) {
        let phones = self
            .members
            .values()
            .filter(|member| matches!(member.body, Body::Phone(_)));
        self.outputs
            .extend(phones.map(|phone| RoomOutput::Phone(phone.key, event.clone())));
    }

    /// A phone's track was muted or opened: the stage and the phone must know.
    pub(super) fn mute_phone_of(&mut self, owner: MemberKey, track: TrackKey, muted: bool) {
        let Some(member) = self.members.get(&owner) else { return };
        if let Body::Phone(phone) = &member.body
            && phone.track == track
        {
            self.stage.mute_phone(phone.key, muted);
            self.outputs
                .push_back(RoomOutput::Phone(owner, PhoneEvent::Muted(muted)));
        }
    }
}

/// The code of a key (RFC 4733 §3.2).
fn code_of(digit: char) -> Option<u32> {
    match digit {
        '0'..='9' => digit.to_digit(10),
        '*' => Some(10),
        '#' => Some(11),
        'A'..='D' => digit.to_digit(16).map(|value| value + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_codes_of_the_standard() {
        let codes: Vec<Option<u32>> = "09*#ADx".chars().map(code_of).collect();
        assert_eq!(codes, [Some(0), Some(9), Some(10), Some(11), Some(12), Some(15), None]);
    }
}
