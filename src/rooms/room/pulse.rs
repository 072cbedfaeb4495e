//! What happens as time goes by: who speaks, how good the lines are, who has been gone for too long, and when
//! a room has been empty for long enough.

use super::member::{Body, Leg, Member, MemberKey, PeerKey};
use super::{Response, Room};
use crate::event::RoomEventKind;
use crate::protocol as wire;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wire::ConnectionQuality as Quality;
use wire::DisconnectReason as Reason;
use wire::leave_request::Action;

/// How often clients are told how good the lines are.
pub(super) const QUALITY: Duration = Duration::from_secs(5);

/// A connection on which nothing was heard for so long is gone, though its signalling lives.
const SILENT: Duration = Duration::from_secs(30);

/// A line on which nothing was heard for so long is called lost. Clients check theirs every few seconds.
const UNHEARD: Duration = Duration::from_secs(6);

/// A member whose connection never stood after so long will not come.
const NEVER_CONNECTED: Duration = Duration::from_secs(60);

/// How good a member's line has been since the last report.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    down: f32,
    up: f32,
    round_trip: Duration,
}

impl Health {
    pub(super) fn note(&mut self, down: Option<f32>, up: Option<f32>, round_trip: Option<Duration>) {
        // The worst second weighs half: one bad second in five is heard.
        let worse = |known: f32, seen: Option<f32>| seen.map_or(known, |seen| known.max(seen));
        (self.down, self.up) = (worse(self.down, down), worse(self.up, up));
        self.round_trip = round_trip.unwrap_or(self.round_trip);
    }

    /// The verdict as clients know it, and a score from 0 to 5.
    pub(super) fn judge(self) -> (Quality, f32) {
        let loss = self.down.max(self.up).clamp(0.0, 1.0);
        let late = (self.round_trip.as_secs_f32() - 0.15).max(0.0);
        let score = (4.5 - loss * 20.0 - late * 4.0).clamp(1.0, 4.5);
        let quality = match score {
            score if score >= 3.8 => Quality::Excellent,
            score if score >= 2.8 => Quality::Good,
            _ => Quality::Poor,
        };
        (quality, score)
    }
}

impl Room {
    /// A moment has passed.
    pub(super) fn pulse(&mut self, now: Instant) {
        self.speakers(now);
        self.look_after_members(now);
        let browsers: Vec<MemberKey> = self
            .members
            .values()
            .filter(|member| {
                member
                    .browser()
                    .is_some_and(|browser| !browser.subscriptions.is_empty())
            })
            .map(|member| member.key)
            .collect();
        for browser in browsers {
            self.share_line(browser, now);
        }
        self.tell_demand(now);
        self.calls_time_out(now);
        self.drop_done_taps();
        if self.quality_due <= now {
            self.quality_due = now + QUALITY;
            self.tell_quality(now);
        }
        self.close_when_empty(now);
    }

    fn speakers(&mut self, now: Instant) {
        let mut loud: BTreeMap<MemberKey, f32> = BTreeMap::new();
        for track in self.tracks.values_mut().filter(|track| !track.is_video()) {
            if let Some(level) = track.loudness.step(now) {
                let entry = loud.entry(track.owner).or_insert(level);
                *entry = entry.max(level);
            }
        }
        let mut speaking: Vec<(String, f32)> = loud
            .into_iter()
            .filter_map(|(key, level)| Some((self.members.get(&key)?.info.sid.clone(), level)))
            .collect();
        speaking.sort_by(|one, other| other.1.total_cmp(&one.1));
        let names = |list: &[(String, f32)]| list.iter().map(|(sid, _)| sid.clone()).collect::<Vec<_>>();
        let (before, after) = (names(&self.speaking), names(&speaking));
        let moved = speaking.iter().any(|(sid, level)| {
            let known = self.speaking.iter().find(|(other, _)| other == sid);
            known.is_none_or(|(_, known)| (known - level).abs() > 0.05)
        });
        let has_changed = before.len() != after.len() || before.iter().any(|sid| !after.contains(sid));
        if !has_changed && !moved {
            return;
        }
        let silent = before.iter().filter(|sid| !after.contains(sid));
        let speakers: Vec<wire::SpeakerInfo> = speaking
            .iter()
            .map(|(sid, level)| wire::SpeakerInfo {
                sid: sid.clone(),
                level: *level,
                active: true,
            })
            .chain(silent.map(|sid| wire::SpeakerInfo {
                sid: sid.clone(),
                level: 0.0,
                active: false,
            }))
            .collect();
        self.speaking = speaking;
        self.respond_to_all(&Response::SpeakersChanged(wire::SpeakersChanged { speakers }));
        if has_changed {
            self.tell(RoomEventKind::Speakers(after));
        }
    }

    fn look_after_members(&mut self, now: Instant) {
        let limit = self.ground.limits.resume;
        let mut gone: Vec<(MemberKey, Reason)> = Vec::new();
        for member in self.members.values() {
            let Some(browser) = member.browser() else { continue };
            let since =
                |at: Option<Instant>, most: Duration| at.is_some_and(|at| now.saturating_duration_since(at) >= most);
            let is_silent = member.peers().any(|(_, leg)| since(leg.silent_since, SILENT));
            if since(browser.lost_since, limit) {
                gone.push((member.key, Reason::SignalClose));
            } else if is_silent || (!member.was_connected && since(Some(member.since), NEVER_CONNECTED)) {
                gone.push((member.key, Reason::ConnectionTimeout));
            }
        }
        for (key, reason) in gone {
            self.remove(key, reason, now);
        }
    }

    fn tell_quality(&mut self, now: Instant) {
        let mut updates: Vec<wire::ConnectionQualityInfo> = Vec::new();
        for member in self.members.values_mut() {
            let unheard = |leg: &Leg| {
                let heard = leg.heard_at.filter(|_| leg.peer.is_connected());
                heard.is_some_and(|heard| now.saturating_duration_since(heard) >= UNHEARD)
            };
            let has_no_signalling = member.browser().is_some_and(|browser| browser.lost_since.is_some());
            let is_lost = has_no_signalling || member.peers().any(|(_, leg)| unheard(leg));
            let (quality, score) = if is_lost {
                (Quality::Lost, 0.0)
            } else {
                member.health.judge()
            };
            member.health = Health::default();
            updates.push(wire::ConnectionQualityInfo {
                participant_sid: member.info.sid.clone(),
                quality: quality as i32,
                score,
            });
        }
        if !updates.is_empty() {
            self.respond_to_all(&Response::ConnectionQuality(wire::ConnectionQualityUpdate { updates }));
        }
    }

    fn close_when_empty(&mut self, now: Instant) {
        let Some(since) = self.empty_since else { return };
        let wait = if self.ever_joined {
            self.info.departure_timeout
        } else {
            self.info.empty_timeout
        };
        if now.saturating_duration_since(since) >= Duration::from_secs(u64::from(wait)) {
            self.end(Reason::RoomClosed, now);
        }
    }

    /// A member's connection stands: they take part.
    pub(super) fn connected(&mut self, key: MemberKey, now: Instant) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        let is_news = !member.was_connected;
        member.was_connected = true;
        member.info.state = wire::participant_info::State::Active as i32;
        if is_news {
            self.announce(key, true);
            self.look_for_agents();
        }
        let pictures: Vec<_> = self
            .browser(key)
            .map(|browser| {
                let pictures = browser.subscriptions.iter().filter(|(_, one)| one.is_video);
                pictures.map(|(track, _)| *track).collect()
            })
            .unwrap_or_default();
        for picture in pictures {
            self.ask_key_frame(picture, None, now);
        }
    }

    /// A connection ended though its member did not leave: the client is to come in anew.
    pub(super) fn connection_over(&mut self, peer: PeerKey, now: Instant) {
        let Some(member) = self.members.get(&peer.member) else {
            return;
        };
        if member.session().is_none() {
            self.remove(peer.member, Reason::ClientInitiated, now);
            return;
        }
        let leave = crate::signal::leave(Reason::MediaFailure, Action::Reconnect);
        if let Some(message) = leave.message {
            self.respond(peer.member, message);
        }
        if let Some(leg) = self.leg(peer) {
            leg.silent_since.get_or_insert(now);
        }
    }

    /// How many members are phones.
    pub(super) fn phones(&self) -> usize {
        let is_phone = |member: &&Member| matches!(member.body, Body::Phone(_));
        self.members.values().filter(is_phone).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_delay_make_a_line_worse() {
        let mut health = Health::default();
        assert_eq!(health.judge().0, Quality::Excellent);
        health.note(Some(0.05), None, Some(Duration::from_millis(20)));
        assert_eq!(health.judge().0, Quality::Good);
        health.note(Some(0.2), None, None);
        assert_eq!(health.judge().0, Quality::Poor);
    }
}
