//! What happened, in the words of webhooks.

use strowger_rooms::protocol::{self as wire, DisconnectReason};
use strowger_rooms::{RoomEvent, RoomEventKind};

/// What a webhook is told; `None` for what only pages want to know.
pub(super) fn of(happened: &RoomEvent) -> Option<wire::WebhookEvent> {
    let room = || {
        Some(wire::Room {
            sid: happened.room_sid.clone(),
            name: happened.room.name.clone(),
            ..wire::Room::default()
        })
    };
    let base = |event: &str| wire::WebhookEvent {
        event: event.to_owned(),
        created_at: happened.at.unix_timestamp(),
        room: room(),
        ..wire::WebhookEvent::default()
    };
    let person = |event: &str, participant: &wire::ParticipantInfo| wire::WebhookEvent {
        participant: Some(participant.clone()),
        ..base(event)
    };
    let medium = |event: &str, participant: &wire::ParticipantInfo, track: &wire::TrackInfo| wire::WebhookEvent {
        track: Some(track.clone()),
        // Of the publisher only who they are, as the protocol has it.
        participant: Some(wire::ParticipantInfo {
            sid: participant.sid.clone(),
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            ..wire::ParticipantInfo::default()
        }),
        ..base(event)
    };
    let whole = |event: &str, room: &wire::Room| wire::WebhookEvent {
        room: Some(room.clone()),
        ..base(event)
    };
    Some(match &happened.kind {
        RoomEventKind::Started(room) => whole("room_started", room),
        RoomEventKind::Finished(room) => whole("room_finished", room),
        RoomEventKind::Joined(participant) => person("participant_joined", participant),
        RoomEventKind::Left {
            participant,
            reason,
            connected,
        } => {
            let lost = !connected || matches!(reason, DisconnectReason::JoinFailure);
            let event = if lost {
                "participant_connection_aborted"
            } else {
                "participant_left"
            };
            person(event, participant)
        }
        RoomEventKind::TrackPublished { participant, track } => medium("track_published", participant, track),
        RoomEventKind::TrackUnpublished { participant, track } => medium("track_unpublished", participant, track),
        RoomEventKind::TrackMuted { .. }
        | RoomEventKind::ParticipantChanged(_)
        | RoomEventKind::RoomChanged(_)
        | RoomEventKind::Chat { .. }
        | RoomEventKind::Data { .. }
        | RoomEventKind::Knocked { .. }
        | RoomEventKind::Speakers(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::TenantId;
    use strowger_model::world::SeededWorld;
    use strowger_rooms::RoomName;

    fn told(kind: RoomEventKind) -> Option<serde_json::Value> {
        let happened = RoomEvent {
            room: RoomName::new(TenantId::generate(&SeededWorld::new(1, 0)), "standup"),
            room_sid: "RM_1".into(),
            at: time::OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(7),
            kind,
        };
        of(&happened).map(|event| serde_json::to_value(event).unwrap())
    }

    #[test]
    fn who_comes_and_who_never_got_through_are_told_in_the_protocols_words() {
        let ada = Box::new(wire::ParticipantInfo {
            identity: "ada".into(),
            ..wire::ParticipantInfo::default()
        });
        let joined = told(RoomEventKind::Joined(ada.clone())).unwrap();
        assert_eq!(joined["event"], "participant_joined");
        assert_eq!(joined["participant"]["identity"], "ada");
        assert_eq!(joined["room"]["name"], "standup");
        assert_eq!(joined["createdAt"], "7");
        let left = |connected| RoomEventKind::Left {
            participant: ada.clone(),
            reason: DisconnectReason::ClientInitiated,
            connected,
        };
        assert_eq!(told(left(true)).unwrap()["event"], "participant_left");
        assert_eq!(told(left(false)).unwrap()["event"], "participant_connection_aborted");
        assert!(told(RoomEventKind::Speakers(Vec::new())).is_none());
    }
}
