//! What a browser asks of the room, request by request.

use super::member::{MemberKey, SessionKey};
use super::{Response, Room, unix_ms};
use crate::protocol as wire;
use std::time::Instant;
use tracing::debug;
use wire::DisconnectReason as Reason;
use wire::leave_request::Action;
use wire::signal_request::Message as Request;

impl Room {
    /// A request of a session.
    pub(crate) fn signal(&mut self, session: SessionKey, request: wire::SignalRequest, now: Instant) {
        let (Some(key), Some(request)) = (self.sessions.get(&session).copied(), request.message) else {
            return;
        };
        let Some(browser) = self.browser(key) else { return };
        if !browser.bucket.take(now) {
            debug!("a session asks too much at once");
            return;
        }
        self.understand(key, request, now);
        self.settle(now);
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a wire vocabulary that grows; unknown requests are ignored, never a reason to close"
    )]
    fn understand(&mut self, key: MemberKey, request: Request, now: Instant) {
        match request {
            Request::Offer(offer) => self.offered(key, &offer, now),
            Request::Answer(answer) => self.answered(key, &answer, now),
            Request::AddTrack(track) => self.add_track(key, track, now),
            Request::Mute(mute) => self.mute_own(key, &mute, now),
            Request::Subscription(update) => self.update_subscription(key, &update, now),
            Request::TrackSetting(settings) => self.set_wish(key, &settings, now),
            Request::SubscriptionPermission(permission) => self.set_audience(key, permission, now),
            Request::UpdateMetadata(update) => self.update_own(key, update),
            Request::UpdateAudioTrack(update) => self.update_audio_track(key, &update),
            Request::UpdateVideoTrack(update) => self.update_video_track(key, &update),
            Request::SyncState(state) => self.synchronise(key, &state, now),
            Request::Leave(_) => self.remove(key, Reason::ClientInitiated, now),
            Request::Simulate(scenario) => self.simulate(key, &scenario, now),
            Request::Ping(_) => {
                let at = unix_ms(self.world.now());
                self.respond(key, Response::Pong(at));
            }
            Request::PingReq(ping) => {
                let pong = wire::Pong {
                    last_ping_timestamp: ping.timestamp,
                    timestamp: unix_ms(self.world.now()),
                };
                self.respond(key, Response::PongResp(pong));
            }
            // We are ICE-lite: the other side finds us, we never look for it.
            Request::Trickle(_) => {}
            _ => debug!("a request of a kind that is not served"),
        }
    }

    fn own_track(&self, key: MemberKey, sid: &str) -> Option<crate::stage::TrackKey> {
        let track = self.track_of(sid)?;
        (self.tracks.get(&track)?.owner == key).then_some(track)
    }

    fn mute_own(&mut self, key: MemberKey, mute: &wire::MuteTrackRequest, now: Instant) {
        if let Some(track) = self.own_track(key, &mute.sid) {
            self.set_muted(track, mute.muted, now);
        }
    }

    fn update_own(&mut self, key: MemberKey, update: wire::UpdateParticipantMetadata) {
        use wire::request_response::Reason;
        let Some(member) = self.members.get(&key) else { return };
        let bytes = update.metadata.len()
            + update.name.len()
            + update
                .attributes
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum::<usize>();
        let reason = if !member.grants.can_update_own_metadata {
            Reason::NotAllowed
        } else if bytes > self.ground.limits.metadata_bytes {
            Reason::LimitExceeded
        } else {
            Reason::Ok
        };
        self.respond(
            key,
            Response::RequestResponse(wire::RequestResponse {
                request_id: update.request_id,
                reason: reason as i32,
                request: Some(wire::request_response::Request::UpdateMetadata(update.clone())),
                ..Default::default()
            }),
        );
        if reason == Reason::Ok {
            self.change_participant(key, update.name, update.metadata, update.attributes);
        }
    }

    fn update_audio_track(&mut self, key: MemberKey, update: &wire::UpdateLocalAudioTrack) {
        let Some(track) = self.own_track(key, &update.track_sid) else {
            return;
        };
        if let Some(track) = self.tracks.get_mut(&track) {
            track.info.audio_features = update.features.iter().copied().take(16).collect();
            self.announce(key, true);
        }
    }

    fn update_video_track(&mut self, key: MemberKey, update: &wire::UpdateLocalVideoTrack) {
        let Some(track) = self.own_track(key, &update.track_sid) else {
            return;
        };
        if let Some(track) = self.tracks.get_mut(&track) {
            (track.info.width, track.info.height) = (update.width, update.height);
            self.announce(key, true);
        }
    }

    /// After a reconnect: what the client believes. Subscriptions it lacks or dropped meanwhile are mended.
    pub(super) fn synchronise(&mut self, key: MemberKey, state: &wire::SyncState, now: Instant) {
        if let Some(subscription) = &state.subscription {
            self.update_subscription(key, subscription, now);
        }
        let believed: Vec<String> = state
            .publish_tracks
            .iter()
            .filter_map(|one| one.track.as_ref())
            .map(|track| track.sid.clone())
            .collect();
        for sid in believed {
            if self.own_track(key, &sid).is_none() {
                let gone = wire::TrackUnpublishedResponse { track_sid: sid };
                self.respond(key, Response::TrackUnpublished(gone));
            }
        }
    }

    /// A client tests its own reconnecting.
    fn simulate(&mut self, key: MemberKey, scenario: &wire::SimulateScenario, now: Instant) {
        use wire::simulate_scenario::Scenario;
        let Some(scenario) = &scenario.scenario else { return };
        match scenario {
            Scenario::ServerLeave(_) => self.remove(key, Reason::ServerShutdown, now),
            Scenario::Migration(_) | Scenario::NodeFailure(_) | Scenario::LeaveRequestFullReconnect(_) => {
                if let Some(message) = crate::signal::leave(Reason::Migration, Action::Reconnect).message {
                    self.respond(key, message);
                }
            }
            Scenario::DisconnectSignalOnResume(_) | Scenario::DisconnectSignalOnResumeNoMessages(_) => {}
            Scenario::SpeakerUpdate(_) | Scenario::SwitchCandidateProtocol(_) | Scenario::SubscriberBandwidth(_) => {}
        }
    }

    /// Changes what a member is called and says of itself. Empty texts leave things as they are; an empty
    /// attribute removes it.
    pub(super) fn change_participant(
        &mut self,
        key: MemberKey,
        name: String,
        metadata: String,
        attributes: std::collections::HashMap<String, String>,
    ) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        if !name.is_empty() {
            member.info.name = name;
        }
        if !metadata.is_empty() {
            member.info.metadata = metadata;
        }
        for (name, value) in attributes {
            if value.is_empty() {
                member.info.attributes.remove(&name);
            } else {
                member.info.attributes.insert(name, value);
            }
        }
        self.announce(key, true);
        if let Some(member) = self.members.get(&key) {
            let info = Box::new(self.info_of(member));
            self.tell(crate::event::RoomEventKind::ParticipantChanged(info));
        }
    }
}
