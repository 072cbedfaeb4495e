//! Offers and answers between the room and one browser, in both generations.

use super::member::{MemberKey, PeerKey};
use super::subscribe::{Rest, State};
use super::{Response, Room, RoomOutput};
use crate::Generation;
use crate::peer::{Add, Changes, End, MediaId, Offered};
use crate::protocol as wire;
use crate::signal::sdp::{self, Carries, Kind, Section};
use crate::stage::TrackKey;
use std::collections::HashMap;
use std::time::Instant;
use tracing::debug;
use wire::DisconnectReason as Reason;
use wire::leave_request::Action;

impl Room {
    /// The client describes what it publishes and, in the newer generation, where it receives.
    pub(super) fn offered(&mut self, key: MemberKey, offer: &wire::SessionDescription, now: Instant) {
        if offer.sdp.len() > self.ground.limits.sdp_bytes {
            self.come_in_anew(key);
            return;
        }
        let sections = sdp::sections(&offer.sdp);
        let Some(browser) = self.browser(key) else { return };
        let generation = browser.generation;
        let answer = match browser.publisher.peer.accept_offer(&offer.sdp) {
            Ok(answer) => answer,
            Err(fault) => {
                debug!(%fault, "an offer was refused");
                self.come_in_anew(key);
                return;
            }
        };
        (browser.has_offered, browser.has_asked) = (true, false);
        browser.publisher.is_written = true;
        let ufrag = browser.publisher.peer.ufrag();
        let peer = PeerKey {
            member: key,
            is_subscriber: false,
        };
        if ufrag != browser.publisher.ufrag {
            browser.publisher.ufrag.clone_from(&ufrag);
            self.outputs.push_back(RoomOutput::Reachable(ufrag, peer));
        }
        self.touch(peer);
        let bound = self.bind(key, &sections, now);
        if generation == Generation::One {
            self.take_sections(key, &sections);
        }
        let (sdp, names) = self.name_sections(key, &answer, &sections, generation);
        let mut mid_to_track_id = names;
        for (mid, track) in &bound {
            if let Some(track) = self.tracks.get(track) {
                mid_to_track_id.insert(mid.clone(), track.info.sid.clone());
            }
        }
        self.respond(
            key,
            Response::Answer(wire::SessionDescription {
                r#type: "answer".to_owned(),
                sdp,
                id: offer.id,
                mid_to_track_id,
            }),
        );
        self.after_offer(key, &bound, now);
    }

    /// Tells everybody of what the offer brought and what it took away.
    fn after_offer(&mut self, key: MemberKey, bound: &[(String, TrackKey)], now: Instant) {
        let news: Vec<TrackKey> = bound
            .iter()
            .map(|(_, track)| *track)
            .filter(|track| self.tracks.get(track).is_some_and(|track| !track.is_announced))
            .collect();
        for track in news {
            self.announce_track(track, now);
        }
        self.negotiate(key, now);
    }

    /// Sections in which the client can receive become slots; waiting subscriptions get them.
    fn take_sections(&mut self, key: MemberKey, sections: &[Section]) {
        let Some(browser) = self.browser(key) else { return };
        let receiving: Vec<(MediaId, bool)> = sections
            .iter()
            .filter(|section| section.flow.receives() && !section.flow.sends() && section.kind != Kind::Other)
            .map(|section| (MediaId::of(&section.mid), section.kind == Kind::Video))
            .collect();
        browser.keep_slots(&receiving);
        browser.fill_slots();
        // The answer to this very offer says that nothing comes in them.
        browser.note_told(Rest::Spent);
    }

    /// Writes into our description which track each section carries.
    fn name_sections(
        &self,
        key: MemberKey,
        sdp: &str,
        sections: &[Section],
        generation: Generation,
    ) -> (String, HashMap<String, String>) {
        let Some(browser) = self.members.get(&key).and_then(|member| member.browser()) else {
            return (sdp.to_owned(), HashMap::new());
        };
        let mut carried: HashMap<String, (String, String)> = HashMap::new();
        for slot in &browser.slots {
            if let Some((mut stream, track)) = slot.track.and_then(|track| self.names_of(track)) {
                if generation == Generation::Two && slot.is_second_hand {
                    // Browsers keep the first track's id for the section; older clients then look here.
                    stream.truncate(stream.find('|').map_or(stream.len(), |bar| bar + 1));
                    stream.push_str(&track);
                }
                carried.insert(slot.media.to_string(), (stream, track));
            }
        }
        let receives = |mid: &str| {
            let section = sections.iter().find(|section| section.mid == mid);
            section.is_some_and(|section| section.flow.receives() && section.kind != Kind::Other)
        };
        let slots = &browser.slots;
        let is_empty = |mid: &str| {
            let slot = slots.iter().find(|slot| slot.media == MediaId::of(mid));
            slot.is_some_and(|slot| slot.track.is_none())
        };
        let named = sdp::rewrite(sdp, |mid| match carried.get(mid) {
            Some((stream, track)) => Carries::Track { stream, track },
            None if generation == Generation::One && receives(mid) => Carries::Nothing,
            None if is_empty(mid) => Carries::Nothing,
            None => Carries::AsIs,
        });
        let ids = carried.into_iter().map(|(mid, (_, track))| (mid, track)).collect();
        (named, ids)
    }

    /// The names of stream and track under which a track reaches its subscribers.
    fn names_of(&self, track: TrackKey) -> Option<(String, String)> {
        let track = self.tracks.get(&track)?;
        let owner = self.members.get(&track.owner)?;
        let stream = format!("{}|{}", owner.info.sid, track.info.stream);
        Some((stream, track.info.sid.clone()))
    }

    /// Brings what is subscribed and what is negotiated together: asks for sections, or offers them.
    pub(super) fn negotiate(&mut self, key: MemberKey, now: Instant) {
        let Some(browser) = self.browser(key) else { return };
        match browser.generation {
            Generation::One => self.ask_for_sections(key),
            Generation::Two => self.offer(key, false, now),
        }
    }

    fn ask_for_sections(&mut self, key: MemberKey) {
        let Some(browser) = self.browser(key) else { return };
        if !browser.has_offered || browser.has_asked {
            return;
        }
        let waiting = |is_video: bool| {
            let subscriptions = browser.subscriptions.values();
            subscriptions
                .filter(|one| one.is_video == is_video && one.state == State::Waiting)
                .count()
        };
        let free = |is_video: bool| {
            let slots = browser.slots.iter();
            slots.filter(|slot| slot.is_video == is_video && slot.is_free()).count()
        };
        let (sounds, pictures) = (waiting(false), waiting(true));
        if sounds + pictures == 0 && !browser.slots.iter().any(|slot| slot.rest == Rest::Spent) {
            return;
        }
        // Where free sections are enough the request is for none, and still makes the client offer.
        let missing = |wanted: usize, free: usize| u32::try_from(wanted.saturating_sub(free)).unwrap_or(0);
        let requirement = wire::MediaSectionsRequirement {
            num_audios: missing(sounds, free(false)),
            num_videos: missing(pictures, free(true)),
        };
        browser.has_asked = true;
        self.respond(key, Response::MediaSectionsRequirement(requirement));
    }

    /// The second connection: we offer, one offer at a time.
    fn offer(&mut self, key: MemberKey, restart: bool, now: Instant) {
        let Some(browser) = self.browser(key) else { return };
        let is_first = !browser.has_channels;
        let ended = browser.slots.iter().filter(|slot| slot.rest == Rest::Spent);
        let ended: Vec<MediaId> = ended.map(|slot| slot.media).collect();
        // The first offer is for the channels alone, as clients expect it.
        let (again, fresh) = if is_first {
            (Vec::new(), Vec::new())
        } else {
            browser.place_waiting()
        };
        let may_reuse = browser.may_reuse;
        let is_waiting_for_answer = browser
            .subscriber
            .as_ref()
            .is_none_or(|subscriber| subscriber.peer.has_offered());
        if is_waiting_for_answer {
            return;
        }
        let adding: Vec<(TrackKey, Add)> = fresh
            .into_iter()
            .filter_map(|track| {
                let (stream, name) = self.names_of(track)?;
                let is_video = self.tracks.get(&track)?.is_video();
                Some((
                    track,
                    Add {
                        is_video,
                        stream,
                        track: name,
                    },
                ))
            })
            .collect();
        let (tracks, add): (Vec<TrackKey>, Vec<Add>) = adding.into_iter().unzip();
        let changes = Changes {
            add,
            again: again.iter().map(|(_, media)| *media).collect(),
            end: if may_reuse { End::Rest(ended) } else { End::Stop(ended) },
            with_channels: is_first,
            restart: restart && !is_first,
        };
        let Some(browser) = self.browser(key) else { return };
        let Some(subscriber) = browser.subscriber.as_mut() else {
            return;
        };
        let Some(Offered { added, ufrag, sdp }) = subscriber.peer.offer(changes) else {
            return;
        };
        subscriber.is_written = true;
        browser.tell_ended();
        browser.offer_id += 1;
        let id = browser.offer_id;
        for (track, media) in tracks.into_iter().zip(added).chain(again) {
            browser.offer_slot(track, media);
        }
        let (sdp, mid_to_track_id) = self.name_sections(key, &sdp, &[], Generation::Two);
        let peer = PeerKey {
            member: key,
            is_subscriber: true,
        };
        if let Some(ufrag) = ufrag {
            self.outputs.push_back(RoomOutput::Reachable(ufrag, peer));
        }
        self.touch(peer);
        self.respond(
            key,
            Response::Offer(wire::SessionDescription {
                r#type: "offer".to_owned(),
                sdp,
                id,
                mid_to_track_id,
            }),
        );
        self.settle(now);
    }

    /// The client answers our offer.
    pub(super) fn answered(&mut self, key: MemberKey, answer: &wire::SessionDescription, now: Instant) {
        let limit = self.ground.limits.sdp_bytes;
        let Some(browser) = self.browser(key) else { return };
        let is_stale = answer.id != 0 && answer.id != browser.offer_id;
        let Some(subscriber) = browser.subscriber.as_mut() else {
            return;
        };
        if is_stale {
            debug!("an answer to an older offer");
            return;
        }
        if answer.sdp.len() > limit {
            self.come_in_anew(key);
            return;
        }
        if let Err(fault) = subscriber.peer.accept_answer(&answer.sdp) {
            debug!(%fault, "an answer was refused");
            self.come_in_anew(key);
            return;
        }
        subscriber.is_written = true;
        browser.has_channels = true;
        let opened = browser.open_offered();
        self.touch(PeerKey {
            member: key,
            is_subscriber: true,
        });
        for track in opened {
            self.subscription_opened(key, track, now);
        }
        self.negotiate(key, now);
    }

    /// After signalling came back: what was in flight is said again, and the second connection is to find its
    /// way anew, because the client may be on another network.
    pub(super) fn negotiate_again(&mut self, key: MemberKey, now: Instant) {
        let Some(browser) = self.browser(key) else { return };
        match browser.generation {
            Generation::One => self.ask_for_sections(key),
            Generation::Two => {
                browser.take_back_offer();
                self.offer(key, true, now);
            }
        }
    }

    /// What was said cannot be mended: the client is to join anew.
    pub(super) fn come_in_anew(&mut self, key: MemberKey) {
        if let Some(message) = crate::signal::leave(Reason::StateMismatch, Action::Reconnect).message {
            self.respond(key, message);
        }
    }
}
