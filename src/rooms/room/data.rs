//! Data messages: stamped with who sent them, and handed to whom they are meant for.

use super::Room;
use super::member::{Body, Member, MemberKey};
use crate::event::RoomEventKind;
use crate::io::PhoneEvent;
use crate::peer::Channel;
use crate::protocol as wire;
use prost::Message;
use std::time::Instant;
use wire::data_packet::Value;

/// Identities one message may name.
const DESTINATIONS: usize = 1_000;

impl Room {
    /// A message came on a member's channel.
    pub(super) fn data(&mut self, sender: MemberKey, channel: Channel, bytes: &[u8], now: Instant) {
        if bytes.len() > self.ground.limits.data_bytes {
            return;
        }
        let Ok(mut packet) = wire::DataPacket::decode(bytes) else {
            return;
        };
        let Some(member) = self.members.get_mut(&sender) else {
            return;
        };
        // Answers to calls belong to having been called, not to sending.
        let is_answer = matches!(packet.value, Some(Value::RpcResponse(_) | Value::RpcAck(_)));
        if !member.grants.can_publish_data && !is_answer {
            return;
        }
        if channel == Channel::Reliable && packet.sequence > 0 {
            if packet.sequence <= member.last_reliable {
                // Sent again after a reconnect, and known already.
                return;
            }
            member.last_reliable = packet.sequence;
        }
        packet.participant_sid.clone_from(&member.info.sid);
        packet.participant_identity.clone_from(&member.info.identity);
        let mut meant: Vec<String> = std::mem::take(&mut packet.destination_identities);
        #[expect(deprecated, reason = "older clients read and write these fields")]
        if let Some(Value::User(user)) = &mut packet.value {
            user.participant_sid.clone_from(&member.info.sid);
            user.participant_identity.clone_from(&member.info.identity);
            meant.append(&mut user.destination_identities);
            user.destination_sids.clear();
        }
        meant.truncate(DESTINATIONS);
        if self.is_answer_to_server(&packet) {
            return;
        }
        if meant.is_empty() {
            self.note_data(sender, &packet);
        }
        self.deliver(Some(sender), channel, &packet, &meant, now);
    }

    /// Hands a message to those it is meant for; to all others when it names nobody.
    pub(super) fn deliver(
        &mut self,
        sender: Option<MemberKey>,
        channel: Channel,
        packet: &wire::DataPacket,
        meant: &[String],
        now: Instant,
    ) -> bool {
        let bytes = packet.encode_to_vec();
        let digits = match &packet.value {
            Some(Value::SipDtmf(key)) => Some(key.digit.clone()),
            Some(_) | None => None,
        };
        let receivers: Vec<MemberKey> = self
            .members
            .values()
            .filter(|member| Some(member.key) != sender)
            .filter(|member| meant.is_empty() || meant.contains(&member.info.identity))
            .map(|member| member.key)
            .collect();
        let mut has_arrived = false;
        for receiver in receivers {
            let Some(member) = self.members.get_mut(&receiver) else {
                continue;
            };
            let key = member.down_key();
            match &mut member.body {
                // What is said here is not for the room they are in.
                Body::Relayed => {}
                Body::Phone(_) => {
                    if let Some(digits) = digits.clone() {
                        self.outputs
                            .push_back(super::RoomOutput::Phone(receiver, PhoneEvent::Digits(digits)));
                    }
                }
                Body::Browser(browser) => {
                    let leg = browser.down();
                    has_arrived |= leg.peer.send(channel, &bytes);
                    leg.is_written = true;
                    self.touch(key);
                }
            }
        }
        let _ = now;
        has_arrived
    }

    /// What is said to everybody is told outside: chat as chat, the rest as data.
    fn note_data(&mut self, sender: MemberKey, packet: &wire::DataPacket) {
        let Some(member) = self.members.get_mut(&sender) else {
            return;
        };
        if let Some(chat) = member.writing.read(packet) {
            let Member { info, .. } = member;
            let event = RoomEventKind::Chat {
                identity: info.identity.clone(),
                name: info.name.clone(),
                id: chat.id,
                text: chat.text,
            };
            self.tell(event);
            return;
        }
        if let Some(Value::User(user)) = &packet.value {
            let event = RoomEventKind::Data {
                identity: packet.participant_identity.clone(),
                topic: user.topic.clone().unwrap_or_default(),
                bytes: user.payload.clone().into(),
            };
            self.tell(event);
        }
    }
}
