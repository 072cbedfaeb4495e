//! From a token that was proved to what its bearer may do.

use serde_json::Value;
use strowger_access::{RoomClaims, RoomToken, VideoGrant};
use strowger_rooms::claims::{Grants, Role};
use strowger_rooms::protocol as wire;
use strowger_rooms::protocol::TrackSource;
use strowger_rooms::protocol::participant_info::Kind;

/// What a token lets its bearer do.
#[must_use]
pub(crate) fn of_token(token: &RoomToken) -> Grants {
    of_claims(token.claims())
}

/// What claims let their bearer do. A claim that cannot be read grants nothing.
#[must_use]
pub(crate) fn of_claims(claims: &RoomClaims) -> Grants {
    let video = &claims.video;
    let can_publish = video.can_publish.unwrap_or(true);
    Grants {
        identity: claims.identity.clone(),
        name: claims.name.clone(),
        metadata: claims.metadata.clone(),
        attributes: claims.attributes.clone(),
        kind: kind(&claims.kind, video.agent),
        room_join: (video.room_join && !video.room.is_empty()).then(|| video.room.clone()),
        room: video.room.clone(),
        room_create: video.room_create,
        room_list: video.room_list,
        room_admin: video.room_admin,
        room_record: video.room_record,
        can_publish,
        can_subscribe: video.can_subscribe.unwrap_or(true),
        can_publish_data: video.can_publish_data.unwrap_or(can_publish),
        can_publish_sources: video
            .can_publish_sources
            .iter()
            .filter_map(|name| source(name))
            .collect(),
        can_update_own_metadata: video.can_update_own_metadata.unwrap_or(false),
        hidden: video.hidden,
        recorder: video.recorder,
        agent: video.agent,
        destination_room: video.destination_room.clone(),
        sip_admin: claims.sip.admin,
        sip_call: claims.sip.call,
        room_config: claims.room_config.as_ref().and_then(room_config),
        room_preset: String::new(),
        role: Role::of(&claims.role).unwrap_or_default(),
        // Programs write no part into theirs.
        by_door: !claims.role.is_empty(),
    }
}

/// The claims of a token that lets the bearer of these grants into `room`.
#[must_use]
pub(crate) fn to_claims(grants: &Grants, room: &str) -> RoomClaims {
    RoomClaims {
        identity: grants.identity.clone(),
        name: grants.name.clone(),
        kind: if grants.kind == Kind::Agent {
            "agent"
        } else {
            "standard"
        }
        .to_owned(),
        metadata: grants.metadata.clone(),
        attributes: grants.attributes.clone(),
        video: VideoGrant {
            room: room.to_owned(),
            room_join: true,
            room_admin: grants.room_admin && grants.room == room,
            room_create: grants.room_create,
            room_list: grants.room_list,
            room_record: grants.room_record,
            can_publish: Some(grants.can_publish),
            can_subscribe: Some(grants.can_subscribe),
            can_publish_data: Some(grants.can_publish_data),
            can_publish_sources: grants
                .can_publish_sources
                .iter()
                .map(|source| word(*source).to_owned())
                .collect(),
            can_update_own_metadata: Some(grants.can_update_own_metadata),
            hidden: grants.hidden,
            recorder: grants.recorder,
            agent: grants.agent,
            ..VideoGrant::default()
        },
        role: if grants.by_door { grants.role.word() } else { "" }.to_owned(),
        ..RoomClaims::default()
    }
}

/// A source as tokens write it.
const fn word(source: TrackSource) -> &'static str {
    match source {
        TrackSource::Camera => "camera",
        TrackSource::Microphone => "microphone",
        TrackSource::ScreenShare => "screen_share",
        TrackSource::ScreenShareAudio => "screen_share_audio",
        TrackSource::Unknown => "unknown",
    }
}

fn room_config(value: &Value) -> Option<Box<wire::RoomConfiguration>> {
    serde_json::from_value(value.clone()).ok().map(Box::new)
}

fn kind(word: &str, agent: bool) -> Kind {
    match word {
        "ingress" => Kind::Ingress,
        "egress" => Kind::Egress,
        "sip" => Kind::Sip,
        "agent" => Kind::Agent,
        "connector" => Kind::Connector,
        "bridge" => Kind::Bridge,
        _ if agent => Kind::Agent,
        _ => Kind::Standard,
    }
}

/// A source as tokens write it. One that is unknown is passed over; a list of none but unknown ones would
/// then allow everything, so such a name stands for a source nobody publishes.
fn source(name: &str) -> Option<TrackSource> {
    Some(match name {
        "camera" => TrackSource::Camera,
        "microphone" => TrackSource::Microphone,
        "screen_share" => TrackSource::ScreenShare,
        "screen_share_audio" => TrackSource::ScreenShareAudio,
        _ => TrackSource::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn grants(claims: &Value) -> Grants {
        of_claims(&serde_json::from_value(claims.clone()).unwrap())
    }

    #[test]
    fn a_token_that_says_nothing_joins_nothing() {
        assert_eq!(grants(&json!({})), Grants::default());
        assert_eq!(grants(&json!({"video": {"roomJoin": true}})).room_join, None);
    }

    #[test]
    fn data_follows_publishing_unless_it_is_named() {
        let mute = grants(&json!({"video": {"canPublish": false}}));
        assert!(!mute.can_publish && !mute.can_publish_data && mute.can_subscribe);
        let data = grants(&json!({"video": {"canPublish": false, "canPublishData": true}}));
        assert!(!data.can_publish && data.can_publish_data);
    }

    #[test]
    fn unknown_sources_never_widen_what_is_allowed() {
        let sources = grants(&json!({"video": {"canPublishSources": ["microphone", "hologram"]}})).can_publish_sources;
        assert_eq!(sources, [TrackSource::Microphone, TrackSource::Unknown]);
        assert_eq!(
            grants(&json!({"video": {"canPublishSources": ["hologram"]}})).can_publish_sources,
            [TrackSource::Unknown]
        );
    }

    #[test]
    fn a_fresh_token_grants_what_the_bearer_may_do_by_now() {
        let mut before = grants(&json!({
            "sub": "ada", "strowgerRole": "host", "attributes": {"a": "b"},
            "video": {"room": "x", "roomJoin": true, "roomAdmin": true, "canPublishSources": ["microphone"]},
        }));
        before.can_publish_data = false;
        assert_eq!(of_claims(&to_claims(&before, "x")), before);
        assert!(!of_claims(&to_claims(&before, "y")).room_admin);
    }

    #[test]
    fn a_rooms_wishes_come_with_the_token() {
        let grants = grants(&json!({"roomConfig": {"name": "x", "agents": [{"agentName": "echo"}]}, "kind": "agent"}));
        assert_eq!(grants.room_config.unwrap().agents[0].agent_name, "echo");
        assert_eq!(grants.kind, Kind::Agent);
    }
}
