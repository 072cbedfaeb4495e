//! What is asked of lines and of publishers: a subscriber's line is shared among its pictures, and a publisher
//! is told which layers nobody looks at.

use super::member::MemberKey;
use super::subscribe::State;
use super::{Response, Room};
use crate::forward::layers::{Demand, Layer, share};
use crate::protocol as wire;
use crate::stage::TrackKey;
use std::time::Instant;

/// What one sound costs with all that is around it, in bits a second.
const SOUND: u64 = 50_000;

/// Looks, five a second, after which a picture that does not fit is paused.
const PATIENCE: u8 = 10;

/// What a picture is taken to cost while nothing is measured.
const UNKNOWN: [u64; 3] = [150_000, 500_000, 2_000_000];

impl Room {
    /// Shares a subscriber's line among the pictures on it.
    pub(super) fn share_line(&mut self, key: MemberKey, now: Instant) {
        let Some(browser) = self.members.get(&key).and_then(|member| member.browser()) else {
            return;
        };
        let open = browser
            .subscriptions
            .iter()
            .filter(|(_, one)| matches!(one.state, State::Open(_)));
        let sounds = open.clone().filter(|(_, one)| !one.is_video).count() as u64;
        let mut tracks: Vec<TrackKey> = Vec::new();
        let mut demands: Vec<Demand> = Vec::new();
        for (key, subscription) in open.filter(|(_, one)| one.is_video && !one.wish.is_disabled) {
            let Some(track) = self.tracks.get(key) else { continue };
            if track.info.muted {
                continue;
            }
            let cost = |layer: Layer| match (track.layers.flows(layer, now), track.layers.cost(layer)) {
                (false, _) => 0,
                (true, 0) => UNKNOWN.get(usize::from(layer)).copied().unwrap_or(0),
                (true, measured) => measured,
            };
            let is_screen = track.info.source() == wire::TrackSource::ScreenShare;
            tracks.push(*key);
            demands.push(Demand {
                most: subscription.wish.most,
                costs: [cost(0), cost(1), cost(2)],
                priority: subscription.priority + u32::from(is_screen),
            });
        }
        let wanted: u64 = demands
            .iter()
            .map(|demand| demand.costs.iter().max().copied().unwrap_or(0))
            .sum();
        let line = browser.line.map(|line| line.saturating_sub(sounds * SOUND));
        let shares = line.map_or_else(
            || demands.iter().map(|demand| Some(demand.most)).collect(),
            |line| share(line, &demands),
        );
        let may_pause = browser.may_pause;
        let given: Vec<(TrackKey, Option<Layer>)> = tracks
            .into_iter()
            .zip(demands)
            .zip(shares)
            .map(|((track, demand), share)| {
                let flows = demand.costs.iter().any(|cost| *cost > 0);
                // What does not flow costs nothing, and what may not be paused gets the least there is.
                let share = share.or((!flows || !may_pause).then_some(0));
                (track, share)
            })
            .collect();
        self.grant(key, &given, wanted + sounds * SOUND);
    }

    fn grant(&mut self, key: MemberKey, given: &[(TrackKey, Option<Layer>)], wanted: u64) {
        let Some(browser) = self.browser(key) else { return };
        let mut changed = Vec::new();
        for (track, share) in given {
            let Some(subscription) = browser.subscriptions.get_mut(track) else {
                continue;
            };
            // A busy moment is no narrow line: the least there is goes on until it is sure.
            subscription.lacking = if share.is_none() {
                subscription.lacking.saturating_add(1)
            } else {
                0
            };
            let is_paused = subscription.lacking >= PATIENCE;
            subscription.share = if is_paused { None } else { share.or(Some(0)) };
            if is_paused {
                subscription.current = None;
            }
            if subscription.is_told_paused != is_paused {
                subscription.is_told_paused = is_paused;
                changed.push((*track, is_paused));
            }
        }
        if browser.wanted_line.abs_diff(wanted) > browser.wanted_line / 10 {
            browser.wanted_line = wanted;
            browser.down().peer.want_line(wanted.max(SOUND));
        }
        let stream_states: Vec<wire::StreamStateInfo> = changed
            .into_iter()
            .filter_map(|(track, is_paused)| {
                let track = self.tracks.get(&track)?;
                let state = if is_paused {
                    wire::StreamState::Paused
                } else {
                    wire::StreamState::Active
                };
                Some(wire::StreamStateInfo {
                    participant_sid: self.members.get(&track.owner)?.info.sid.clone(),
                    track_sid: track.info.sid.clone(),
                    state: state as i32,
                })
            })
            .collect();
        if !stream_states.is_empty() {
            self.respond(
                key,
                Response::StreamStateUpdate(wire::StreamStateUpdate { stream_states }),
            );
        }
    }

    /// Tells publishers which layers anybody looks at, where that changed. A layer nobody wants is not
    /// encoded; a better one is asked for at once.
    pub(super) fn tell_demand(&mut self, _now: Instant) {
        let pictures: Vec<TrackKey> = self
            .tracks
            .values()
            .filter(|track| track.is_video() && track.has_layers() && track.media.is_some())
            .map(|track| track.key)
            .collect();
        for key in pictures {
            let Some(track) = self.tracks.get(&key) else { continue };
            let wishes = track.listeners.iter().filter_map(|listener| {
                let browser = self.members.get(listener)?.browser()?;
                let subscription = browser.subscriptions.get(&key)?;
                (!subscription.wish.is_disabled).then_some(subscription.wish.most + 1)
            });
            // Recorders take the best. Before anybody came nothing is said; when all are gone the smallest stays,
            // ready for who comes back.
            let wanted = match wishes.max() {
                _ if self.is_tapped(&track.tag) => 3,
                Some(most) => most,
                None if track.has_told_publisher => 1,
                None => 3,
            };
            let owner = track.owner;
            let update = quality_update(track, wanted);
            let Some(browser) = self.browser(owner) else { continue };
            let told = browser.told_layers.insert(key, wanted);
            // Publishers begin with everything: as long as that is wanted nothing needs to be said.
            if told.unwrap_or(3) != wanted {
                self.respond(owner, Response::SubscribedQualityUpdate(update));
            }
        }
    }
}

fn quality_update(track: &super::track::Track, wanted: u8) -> wire::SubscribedQualityUpdate {
    use wire::VideoQuality;
    let qualities: Vec<wire::SubscribedQuality> = [VideoQuality::Low, VideoQuality::Medium, VideoQuality::High]
        .into_iter()
        .zip(0_u8..)
        .map(|(quality, layer)| wire::SubscribedQuality {
            quality: quality as i32,
            enabled: layer < wanted,
        })
        .collect();
    let codec = track.info.mime_type.trim_start_matches("video/").to_owned();
    #[expect(deprecated, reason = "older clients read the first list")]
    wire::SubscribedQualityUpdate {
        track_sid: track.info.sid.clone(),
        subscribed_qualities: qualities.clone(),
        subscribed_codecs: vec![wire::SubscribedCodec { codec, qualities }],
    }
}
