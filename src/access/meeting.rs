//! What the product's own pages and paths write into a token to a room.

use crate::room_claims::{RoomClaims, VideoGrant};
use std::collections::BTreeMap;
use strowger_model::meeting::{RoomAct, RoomRole};

/// The claims of somebody who joins a meeting: `room` is its name within the tenant.
#[must_use]
pub fn member_claims(room: &str, identity: &str, name: &str, role: RoomRole) -> RoomClaims {
    let mut attributes = BTreeMap::new();
    // Others see it; the bearer cannot change it, since the token does not let them change attributes.
    attributes.insert("role".to_owned(), role.code().to_owned());
    RoomClaims {
        identity: identity.to_owned(),
        name: name.to_owned(),
        attributes,
        video: VideoGrant {
            room: room.to_owned(),
            room_join: true,
            room_admin: role.may(RoomAct::End),
            can_publish: Some(role.may(RoomAct::Publish)),
            can_subscribe: Some(true),
            can_publish_data: Some(role.may(RoomAct::Chat)),
            can_update_own_metadata: Some(false),
            ..VideoGrant::default()
        },
        role: role.code().to_owned(),
        ..RoomClaims::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hosts_token_steers_the_room_and_nobody_changes_their_own_role() {
        for role in RoomRole::ALL {
            let claims = member_claims("daily", "ada", "Ada", *role);
            assert_eq!(claims.video.room_admin, *role == RoomRole::Host, "{role}");
            assert_eq!(claims.video.can_update_own_metadata, Some(false));
            assert_eq!(claims.attributes["role"], role.code());
            assert_eq!(claims.role, role.code());
        }
    }
}
