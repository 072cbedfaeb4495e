//! Subscribing: who gets which track, and in which section of their connection.

use super::Room;
use super::member::{Browser, MemberKey};
use crate::Generation;
use crate::forward::layers::{Layer, Wish};
use crate::forward::thin::Thinner;
use crate::forward::{Rewriter, Vp8Run};
use crate::peer::{MediaId, Peer};
use crate::protocol as wire;
use crate::stage::TrackKey;
use std::time::Instant;

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has no section yet.
    Waiting,
    /// Its section is offered.
    Offered(MediaId),
    /// Its section is agreed on.
    Open(MediaId),
}

/// One member's subscription to one track.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) is_video: bool,
    pub(super) state: State,
    pub(super) wish: Wish,
    /// What the line has space for; `None`: nothing, the picture is paused.
    pub(super) share: Option<Layer>,
    /// The layer that is sent.
    pub(super) current: Option<Layer>,
    /// Leaves layers out that lie above it in the same stream.
    pub(super) thinner: Thinner,
    /// For how many looks the line had no space for it.
    pub(super) lacking: u8,
    pub(super) priority: u32,
    /// Whether the client knows that the picture is paused.
    pub(super) is_told_paused: bool,
    /// Whether anything was sent.
    pub(super) has_sent: bool,
}

/// One section in which a browser receives. When its track ended and the client knows, another moves in, as a stream of
/// its own: else the description would grow with everybody who ever came.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) media: MediaId,
    pub(super) is_video: bool,
    pub(super) track: Option<TrackKey>,
    pub(super) rest: Rest,
    /// Whether the client knows of the section.
    is_agreed: bool,
    /// Whether another track was in it before.
    pub(super) is_second_hand: bool,
    pub(super) numbers: Rewriter,
    pub(super) vp8: Vp8Run,
}

/// Whether another track may move into an empty section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It may.
    Ready,
    /// Its last track ended and the client was not told yet that nothing comes: clients take notice of a track
    /// where a silent section begins to carry one.
    Spent,
    /// An offer of ours tells so and waits for its answer.
    Telling,
    /// It carried a track and carries no other: this client cannot take a second one in.
    Retired,
}

impl Slot {
    /// The client was told that nothing comes in it. The next track comes under a source of its own: libwebrtc takes
    /// a second one in under the first one's and neither draws nor plays it.
    fn renew(&mut self, peer: &mut Peer) {
        peer.renew_source(self.media);
        (self.numbers, self.vp8) = (Rewriter::default(), Vp8Run::default());
        (self.rest, self.is_second_hand) = (Rest::Ready, true);
    }

    /// Whether a track may move in.
    pub(super) fn is_free(&self) -> bool {
        self.rest == Rest::Ready && self.track.is_none()
    }

    fn new(media: MediaId, is_video: bool) -> Self {
        Self {
            media,
            is_video,
            track: None,
            rest: Rest::Ready,
            is_agreed: false,
            is_second_hand: false,
            numbers: Rewriter::default(),
            vp8: Vp8Run::default(),
        }
    }
}

impl Browser {
    /// The sections in which the client can receive at the moment; those that went away lose their track.
    pub(super) fn keep_slots(&mut self, receiving: &[(MediaId, bool)]) {
        for (media, is_video) in receiving {
            if !self.slots.iter().any(|slot| slot.media == *media) {
                self.slots.push(Slot::new(*media, *is_video));
            }
        }
        let kept = |media: MediaId| receiving.iter().any(|(known, _)| *known == media);
        for subscription in self.subscriptions.values_mut() {
            if let State::Open(media) = subscription.state
                && !kept(media)
            {
                subscription.state = State::Waiting;
            }
        }
        self.slots.retain(|slot| kept(slot.media));
    }

    /// Gives free sections to subscriptions that wait.
    pub(super) fn fill_slots(&mut self) {
        for (track, subscription) in &mut self.subscriptions {
            if subscription.state != State::Waiting {
                continue;
            }
            let free = self
                .slots
                .iter_mut()
                .find(|slot| slot.is_free() && slot.is_video == subscription.is_video);
            if let Some(slot) = free {
                slot.track = Some(*track);
                slot.numbers.restart();
                subscription.state = State::Open(slot.media);
            }
        }
    }

    /// The subscriptions that wait: those for which a section is free, with it, and those that need another one.
    pub(super) fn place_waiting(&self) -> (Vec<(TrackKey, MediaId)>, Vec<TrackKey>) {
        let mut free: Vec<&Slot> = self.slots.iter().filter(|slot| slot.is_free()).collect();
        let (mut placed, mut fresh) = (Vec::new(), Vec::new());
        let waiting = self.subscriptions.iter().filter(|(_, one)| one.state == State::Waiting);
        for (track, subscription) in waiting {
            match free.iter().position(|slot| slot.is_video == subscription.is_video) {
                Some(index) => placed.push((*track, free.swap_remove(index).media)),
                None => fresh.push(*track),
            }
        }
        (placed, fresh)
    }

    /// A section was offered for a track.
    pub(super) fn offer_slot(&mut self, track: TrackKey, media: MediaId) {
        let Some(subscription) = self.subscriptions.get_mut(&track) else {
            return;
        };
        subscription.state = State::Offered(media);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.media == media) {
            slot.track = Some(track);
            return;
        }
        let mut slot = Slot::new(media, subscription.is_video);
        slot.track = Some(track);
        self.slots.push(slot);
    }

    /// An offer of ours says that nothing comes in the sections whose track ended.
    pub(super) fn tell_ended(&mut self) {
        let ended = self.slots.iter_mut().filter(|slot| slot.rest == Rest::Spent);
        ended.for_each(|slot| slot.rest = Rest::Telling);
    }

    /// The client was told that nothing comes in the sections that rest like this: another track may move in.
    pub(super) fn note_told(&mut self, told: Rest) {
        let (may_again, generation) = (self.may_reuse, self.generation);
        let leg = self.subscriber.as_mut().unwrap_or(&mut self.publisher);
        let told = self.slots.iter_mut().filter(|slot| slot.rest == told);
        for slot in told {
            if may_again {
                slot.renew(&mut leg.peer);
            } else {
                slot.rest = Rest::Retired;
            }
        }
        if generation == Generation::Two {
            self.slots.retain(|slot| slot.rest != Rest::Retired);
        }
    }

    /// The offered sections are agreed on; whose they are.
    pub(super) fn open_offered(&mut self) -> Vec<TrackKey> {
        self.slots.iter_mut().for_each(|slot| slot.is_agreed = true);
        self.note_told(Rest::Telling);
        let mut opened = Vec::new();
        for (track, subscription) in &mut self.subscriptions {
            if let State::Offered(media) = subscription.state {
                subscription.state = State::Open(media);
                opened.push(*track);
            }
        }
        opened
    }

    /// The answer to what was offered will not come: offer it again.
    pub(super) fn take_back_offer(&mut self) {
        for subscription in self.subscriptions.values_mut() {
            if let State::Offered(media) = subscription.state {
                subscription.state = State::Waiting;
                let slot = self.slots.iter_mut().find(|slot| slot.media == media);
                if let Some(slot) = slot {
                    slot.track = None;
                }
            }
        }
        self.slots.retain(|slot| slot.is_agreed);
        let telling = self.slots.iter_mut().filter(|slot| slot.rest == Rest::Telling);
        telling.for_each(|slot| slot.rest = Rest::Spent);
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.peer.forget_offer();
        }
    }

    /// The next packet of a track begins a new run.
    pub(super) fn restart_slot(&mut self, track: TrackKey) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.track == Some(track)) {
            slot.numbers.restart();
        }
    }

    fn end_subscription(&mut self, track: TrackKey) {
        let Some(subscription) = self.subscriptions.remove(&track) else {
            return;
        };
        match subscription.state {
            State::Waiting => {}
            State::Open(media) | State::Offered(media) => {
                if let Some(slot) = self.slots.iter_mut().find(|slot| slot.media == media) {
                    (slot.track, slot.rest) = (None, Rest::Spent);
                }
            }
        }
    }
}

impl Room {
    /// Subscribes a member to a track, if both may. What follows on the wire is negotiated by the caller.
    pub(super) fn subscribe(&mut self, key: MemberKey, track: TrackKey) {
        let may = self.members.get(&key).is_some_and(|member| member.grants.can_subscribe);
        let Some(found) = self.tracks.get(&track) else { return };
        let is_own = found.owner == key;
        let (is_video, is_announced) = (found.is_video(), found.is_announced);
        if !may || is_own || !is_announced || !self.is_audience(track, key) {
            return;
        }
        let Some(browser) = self.browser(key) else { return };
        browser.subscriptions.entry(track).or_insert(Subscription {
            is_video,
            state: State::Waiting,
            wish: Wish::default(),
            share: Some(2),
            current: None,
            thinner: Thinner::default(),
            lacking: 0,
            priority: 0,
            is_told_paused: false,
            has_sent: false,
        });
        if let Some(found) = self.tracks.get_mut(&track)
            && !found.listeners.contains(&key)
        {
            found.listeners.push(key);
        }
    }

    /// Ends a subscription.
    pub(super) fn unsubscribe(&mut self, key: MemberKey, track: TrackKey, now: Instant) {
        if let Some(found) = self.tracks.get_mut(&track) {
            found.listeners.retain(|listener| *listener != key);
        }
        if let Some(browser) = self.browser(key) {
            browser.end_subscription(track);
            self.negotiate(key, now);
        }
    }

    /// A subscription can flow: a picture needs a key frame to begin.
    pub(super) fn subscription_opened(&mut self, key: MemberKey, track: TrackKey, now: Instant) {
        let is_video = self.tracks.get(&track).is_some_and(super::track::Track::is_video);
        if is_video {
            self.ask_key_frame(track, None, now);
        }
        let _ = key;
    }

    /// A client says which tracks it wants or no longer wants.
    pub(super) fn update_subscription(&mut self, key: MemberKey, update: &wire::UpdateSubscription, now: Instant) {
        let grouped = update.participant_tracks.iter().flat_map(|one| &one.track_sids);
        let sids: Vec<&String> = update.track_sids.iter().chain(grouped).take(1_000).collect();
        for sid in sids {
            let Some(track) = self.track_of(sid) else {
                if update.subscribe {
                    let response = wire::SubscriptionResponse {
                        track_sid: sid.clone(),
                        err: wire::SubscriptionError::SeTrackNotfound as i32,
                    };
                    self.respond(key, super::Response::SubscriptionResponse(response));
                }
                continue;
            };
            if update.subscribe {
                self.subscribe(key, track);
            } else {
                self.unsubscribe(key, track, now);
            }
        }
        self.negotiate(key, now);
    }

    /// A client says how large a picture it needs, or that it needs none for now.
    pub(super) fn set_wish(&mut self, key: MemberKey, settings: &wire::UpdateTrackSettings, now: Instant) {
        for sid in settings.track_sids.iter().take(1_000) {
            let Some(track) = self.track_of(sid) else { continue };
            let sizes = self
                .tracks
                .get(&track)
                .map(super::track::Track::sizes)
                .unwrap_or_default();
            let most = if settings.width > 0 && !sizes.is_empty() {
                crate::forward::layers::for_size(settings.width, settings.height, &sizes)
            } else {
                Layer::try_from(settings.quality.clamp(0, 2)).unwrap_or(2)
            };
            let Some(browser) = self.browser(key) else { return };
            let Some(subscription) = browser.subscriptions.get_mut(&track) else {
                continue;
            };
            let was_disabled = subscription.wish.is_disabled;
            subscription.wish = Wish {
                is_disabled: settings.disabled,
                most,
            };
            subscription.priority = settings.priority;
            if was_disabled && !settings.disabled {
                subscription.current = None;
                browser.restart_slot(track);
                self.ask_key_frame(track, None, now);
            }
        }
        self.share_line(key, now);
        self.tell_demand(now);
    }
}
