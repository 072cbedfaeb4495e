//! Publishing: a track is named, bound to a section of the publisher's connection, told to all, and ended.

use super::member::MemberKey;
use super::permission::may_publish;
use super::track::Track;
use super::{Response, Room, fresh_id};
use crate::event::RoomEventKind;
use crate::peer::MediaId;
use crate::protocol as wire;
use crate::signal::sdp::{Kind, Section};
use crate::stage::TrackKey;
use crate::tap::TrackTag;
use std::time::Instant;
use wire::request_response::Reason;

/// The longest name of a track or stream.
const NAME_BYTES: usize = 256;

impl Room {
    /// A member names a track it is about to send.
    pub(super) fn add_track(&mut self, key: MemberKey, request: wire::AddTrackRequest, now: Instant) {
        let Some(member) = self.members.get(&key) else { return };
        let refused = if !may_publish(&member.grants, request.source()) {
            Some(Reason::NotAllowed)
        } else if member.tracks.len() >= self.ground.limits.tracks
            || request.layers.len() > 8
            || request.name.len() + request.stream.len() + request.cid.len() > NAME_BYTES
        {
            Some(Reason::LimitExceeded)
        } else {
            None
        };
        if let Some(reason) = refused {
            self.respond(
                key,
                Response::RequestResponse(wire::RequestResponse {
                    reason: reason as i32,
                    message: "the track may not be published".to_owned(),
                    request: Some(wire::request_response::Request::AddTrack(request)),
                    ..Default::default()
                }),
            );
            return;
        }
        let known = member
            .tracks
            .iter()
            .filter_map(|track| self.tracks.get(track))
            .find(|track| track.cid == request.cid && track.media.is_none());
        let info = match known {
            // Said twice, as after a reconnect in the middle of publishing.
            Some(track) => track.info.clone(),
            None => self.new_track(key, &request),
        };
        let published = wire::TrackPublishedResponse {
            cid: request.cid,
            track: Some(info),
        };
        self.respond(key, Response::TrackPublished(published));
        let _ = now;
    }

    fn new_track(&mut self, owner: MemberKey, request: &wire::AddTrackRequest) -> wire::TrackInfo {
        let info = describe(request, fresh_id(self.world.as_ref(), prefix(request)));
        let key = TrackKey(self.fresh_key());
        let who = self
            .members
            .get(&owner)
            .map(|member| member.info.clone())
            .unwrap_or_default();
        let tag = TrackTag {
            track_sid: info.sid.clone(),
            participant_sid: who.sid,
            identity: who.identity,
            name: who.name,
            kind: info.r#type(),
            source: info.source(),
            mime: info.mime_type.clone(),
            is_withheld: false,
            is_encrypted: info.encryption() != wire::encryption::Type::None,
        };
        let track = Track::new(key, owner, info.clone(), request.cid.clone(), tag);
        self.tracks.insert(key, track);
        if let Some(member) = self.members.get_mut(&owner) {
            member.tracks.push(key);
        }
        info
    }

    /// Binds sections that send to tracks that were named; ends tracks whose section no longer sends. What
    /// each sending section carries.
    pub(super) fn bind(&mut self, key: MemberKey, sections: &[Section], now: Instant) -> Vec<(String, TrackKey)> {
        let silent: Vec<TrackKey> = sections
            .iter()
            .filter(|section| !section.flow.sends())
            .filter_map(|section| self.incoming.get(&(key, MediaId::of(&section.mid))))
            .copied()
            .collect();
        for track in silent {
            self.unpublish(track, now);
        }
        let mut bound = Vec::new();
        for section in sections
            .iter()
            .filter(|section| section.flow.sends() && section.kind != Kind::Other)
        {
            let media = MediaId::of(&section.mid);
            let carried = match self.incoming.get(&(key, media)) {
                Some(track) => Some(*track),
                None => self.bind_one(key, section, media),
            };
            if let Some(track) = carried {
                bound.push((section.mid.clone(), track));
            }
        }
        bound
    }

    /// The client's name of the track stands in the section; where it does not, kind and order tell.
    fn bind_one(&mut self, key: MemberKey, section: &Section, media: MediaId) -> Option<TrackKey> {
        let is_video = section.kind == Kind::Video;
        let member = self.members.get(&key)?;
        let unbound = || {
            let tracks = member.tracks.iter().filter_map(|track| self.tracks.get(track));
            tracks.filter(|track| track.media.is_none())
        };
        let by_name = section.msid.as_ref().and_then(|(stream, name)| {
            unbound().find(|track| !track.cid.is_empty() && (track.cid == *name || track.cid == *stream))
        });
        let found = by_name
            .or_else(|| unbound().find(|track| track.is_video() == is_video))?
            .key;
        let track = self.tracks.get_mut(&found)?;
        track.media = Some(media);
        track.info.mid.clone_from(&section.mid);
        for codec in &mut track.info.codecs {
            codec.mid.clone_from(&section.mid);
        }
        self.incoming.insert((key, media), found);
        Some(found)
    }

    /// Tells everybody of a track and subscribes those who want everything.
    pub(super) fn announce_track(&mut self, key: TrackKey, now: Instant) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        track.is_announced = true;
        let (owner, info, tag) = (track.owner, track.info.clone(), std::sync::Arc::clone(&track.tag));
        self.announce(owner, true);
        if let Some(member) = self.members.get(&owner) {
            let participant = Box::new(self.info_of(member));
            self.tell(RoomEventKind::TrackPublished {
                participant,
                track: Box::new(info),
            });
        }
        self.open_taps(&tag, now);
        let others: Vec<MemberKey> = self
            .members
            .values()
            .filter(|member| member.key != owner && member.browser().is_some_and(|browser| browser.is_auto))
            .map(|member| member.key)
            .collect();
        for other in others {
            self.subscribe(other, key);
            self.negotiate(other, now);
        }
    }

    /// Ends a track: nobody gets it any more.
    pub(super) fn unpublish(&mut self, key: TrackKey, now: Instant) {
        let listeners = self
            .tracks
            .get(&key)
            .map(|track| track.listeners.clone())
            .unwrap_or_default();
        let subscribers: Vec<MemberKey> = self
            .members
            .values()
            .filter(|member| {
                member
                    .browser()
                    .is_some_and(|browser| browser.subscriptions.contains_key(&key))
            })
            .map(|member| member.key)
            .chain(listeners)
            .collect();
        for subscriber in subscribers {
            self.unsubscribe(subscriber, key, now);
        }
        let Some(track) = self.tracks.remove(&key) else { return };
        if let Some(media) = track.media {
            self.incoming.remove(&(track.owner, media));
        }
        self.stage.remove_track(key);
        if let Some(member) = self.members.get_mut(&track.owner) {
            member.tracks.retain(|known| *known != key);
        }
        self.respond(
            track.owner,
            Response::TrackUnpublished(wire::TrackUnpublishedResponse {
                track_sid: track.info.sid.clone(),
            }),
        );
        if !track.is_announced {
            return;
        }
        self.close_tapped(&track.tag, now);
        self.announce(track.owner, true);
        if let Some(member) = self.members.get(&track.owner) {
            let participant = Box::new(self.info_of(member));
            self.tell(RoomEventKind::TrackUnpublished {
                participant,
                track: Box::new(track.info),
            });
        }
    }

    /// Mutes a track or lets it be heard again. While muted none of its packets are forwarded.
    pub(super) fn set_muted(&mut self, key: TrackKey, muted: bool, now: Instant) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        if track.info.muted == muted {
            return;
        }
        track.info.muted = muted;
        track.loudness.hush();
        let (owner, info, tag) = (track.owner, track.info.clone(), std::sync::Arc::clone(&track.tag));
        let listeners = track.listeners.clone();
        if muted {
            self.stage.remove_track(key);
        }
        for listener in listeners {
            // The silence must not look like loss.
            if let Some(browser) = self.browser(listener) {
                browser.restart_slot(key);
            }
        }
        self.mute_tapped(&tag, muted, now);
        self.mute_phone_of(owner, key, muted);
        self.announce(owner, true);
        if let Some(member) = self.members.get(&owner) {
            let participant = Box::new(self.info_of(member));
            self.tell(RoomEventKind::TrackMuted {
                participant,
                track: Box::new(info),
            });
        }
    }
}

fn prefix(request: &wire::AddTrackRequest) -> &'static str {
    match (request.r#type(), request.source()) {
        (wire::TrackType::Audio, _) => "TR_A",
        (_, wire::TrackSource::ScreenShare) => "TR_S",
        (_, _) => "TR_V",
    }
}

fn describe(request: &wire::AddTrackRequest, sid: String) -> wire::TrackInfo {
    let is_audio = request.r#type() == wire::TrackType::Audio;
    let is_screen = matches!(
        request.source(),
        wire::TrackSource::ScreenShare | wire::TrackSource::ScreenShareAudio
    );
    let stream = match (request.stream.is_empty(), is_screen) {
        (false, _) => request.stream.clone(),
        (true, true) => "screen".to_owned(),
        (true, false) => "camera".to_owned(),
    };
    let chosen = request
        .simulcast_codecs
        .first()
        .map_or("", |codec| codec.codec.as_str());
    let mime_type = match (is_audio, chosen) {
        (true, _) if request.disable_red => "audio/opus".to_owned(),
        (true, _) => "audio/red".to_owned(),
        (false, "") => "video/vp8".to_owned(),
        (false, named) if named.contains('/') => named.to_owned(),
        (false, named) => format!("video/{named}"),
    };
    let named = request.simulcast_codecs.first();
    let layers = named
        .map(|codec| codec.layers.clone())
        .filter(|layers| !layers.is_empty())
        .unwrap_or_else(|| request.layers.clone());
    let codecs = if is_audio {
        Vec::new()
    } else {
        vec![wire::SimulcastCodecInfo {
            mime_type: mime_type.clone(),
            cid: request.cid.clone(),
            layers: layers.clone(),
            video_layer_mode: named.map_or(0, |codec| codec.video_layer_mode),
            ..Default::default()
        }]
    };
    #[expect(deprecated, reason = "older clients read these fields")]
    wire::TrackInfo {
        sid,
        r#type: request.r#type,
        name: request.name.clone(),
        muted: request.muted,
        width: request.width,
        height: request.height,
        simulcast: layers.len() > 1,
        disable_dtx: request.disable_dtx,
        source: request.source,
        layers,
        mime_type,
        codecs,
        stereo: request.stereo,
        disable_red: request.disable_red,
        encryption: request.encryption,
        stream,
        audio_features: request.audio_features.clone(),
        backup_codec_policy: request.backup_codec_policy,
        packet_trailer_features: request.packet_trailer_features.clone(),
        ..Default::default()
    }
}
