//! What a member may do, in the words of the wire, and what follows when that changes.

use super::Room;
use super::member::MemberKey;
use crate::claims::Grants;
use crate::protocol as wire;
use std::time::Instant;

/// The permission that grants amount to.
pub(super) fn of(grants: &Grants) -> wire::ParticipantPermission {
    wire::ParticipantPermission {
        can_subscribe: grants.can_subscribe,
        can_publish: grants.can_publish,
        can_publish_data: grants.can_publish_data,
        can_publish_sources: grants.can_publish_sources.iter().map(|source| *source as i32).collect(),
        hidden: grants.hidden,
        can_update_metadata: grants.can_update_own_metadata,
        ..Default::default()
    }
}

/// Whether they may publish from that source.
pub(super) fn may_publish(grants: &Grants, source: wire::TrackSource) -> bool {
    grants.can_publish && (grants.can_publish_sources.is_empty() || grants.can_publish_sources.contains(&source))
}

impl Room {
    /// Gives a member another permission: what it no longer covers ends at once.
    pub(super) fn permit(&mut self, key: MemberKey, permission: &wire::ParticipantPermission, now: Instant) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        let could_subscribe = member.grants.can_subscribe;
        let grants = &mut member.grants;
        grants.can_subscribe = permission.can_subscribe;
        grants.can_publish = permission.can_publish;
        grants.can_publish_data = permission.can_publish_data;
        grants.can_update_own_metadata = permission.can_update_metadata;
        grants.hidden = permission.hidden;
        grants.can_publish_sources = permission
            .can_publish_sources
            .iter()
            .filter_map(|source| wire::TrackSource::try_from(*source).ok())
            .collect();
        member.info.permission = Some(of(grants));
        let grants = grants.clone();
        let is_auto = member.browser().is_some_and(|browser| browser.is_auto);
        let forbidden: Vec<_> = member
            .tracks
            .iter()
            .filter_map(|track| self.tracks.get(track))
            .filter(|track| !may_publish(&grants, track.info.source()))
            .map(|track| track.key)
            .collect();
        for track in forbidden {
            self.unpublish(track, now);
        }
        let others: Vec<_> = self
            .tracks
            .values()
            .filter(|track| track.owner != key && track.is_announced)
            .map(|track| track.key)
            .collect();
        for track in others {
            if !grants.can_subscribe {
                self.unsubscribe(key, track, now);
            } else if !could_subscribe && is_auto {
                self.subscribe(key, track);
            }
        }
        self.negotiate(key, now);
    }

    /// Whether a publisher lets a member have a track.
    pub(super) fn is_audience(&self, track: crate::stage::TrackKey, member: MemberKey) -> bool {
        let (Some(track), Some(member)) = (self.tracks.get(&track), self.members.get(&member)) else {
            return false;
        };
        let Some(audience) = self.members.get(&track.owner).and_then(|owner| owner.audience.as_ref()) else {
            return true;
        };
        audience.iter().any(|permission| {
            let is_meant = permission.participant_sid == member.info.sid
                || (!permission.participant_identity.is_empty()
                    && permission.participant_identity == member.info.identity);
            is_meant && (permission.all_tracks || permission.track_sids.contains(&track.info.sid))
        })
    }

    /// A publisher says who may subscribe.
    pub(super) fn set_audience(&mut self, key: MemberKey, permission: wire::SubscriptionPermission, now: Instant) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        member.audience = (!permission.all_participants).then_some(permission.track_permissions);
        let publisher_sid = member.info.sid.clone();
        let tracks = member.tracks.clone();
        let others: Vec<MemberKey> = self.members.keys().copied().filter(|other| *other != key).collect();
        for other in others {
            for track in &tracks {
                let allowed = self.is_audience(*track, other);
                let has = self
                    .browser(other)
                    .is_some_and(|browser| browser.subscriptions.contains_key(track));
                let is_auto = self.browser(other).is_some_and(|browser| browser.is_auto);
                let Some(track_sid) = self.tracks.get(track).map(|track| track.info.sid.clone()) else {
                    continue;
                };
                if has != allowed && (has || is_auto) {
                    let update = wire::SubscriptionPermissionUpdate {
                        participant_sid: publisher_sid.clone(),
                        track_sid,
                        allowed,
                    };
                    self.respond(other, super::Response::SubscriptionPermissionUpdate(update));
                }
                if has && !allowed {
                    self.unsubscribe(other, *track, now);
                } else if !has && allowed && is_auto {
                    self.subscribe(other, *track);
                }
            }
            self.negotiate(other, now);
        }
    }
}
