//! Forwarding a participant: one task takes what the tap of one room hears and gives it to another room.

use super::RoomsHandle;
use crate::RoomName;
use crate::error::RoomError;
use crate::event::{RoomEvent, RoomEventKind};
use crate::forward::Packet;
use crate::room::MemberKey;
use crate::tap::{Tap, TapFilter, TapId, TrackTag};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{broadcast, mpsc};
use tracing::{debug, info};

/// What waits to be relayed: two seconds of one picture. More packets are lost, as on any network.
const ITEMS: usize = 1_024;

/// Of these, what is kept free for what must not be lost: that tracks come, go and are muted.
const SPARE: usize = 64;

/// Wishes for key frames that wait. More say nothing new.
const WISHES: usize = 16;

enum Item {
    /// A track, and whether it may not be recorded.
    Opened(String, bool),
    Packet(String, Box<Packet>),
    Muted(String, bool),
    Closed(String),
}

/// The end of a relay in the room it comes from.
struct Source {
    items: mpsc::Sender<Item>,
}

impl Tap for Source {
    fn opened(&mut self, track: &Arc<TrackTag>, _now: Instant) {
        let _ = self
            .items
            .try_send(Item::Opened(track.track_sid.clone(), track.is_withheld));
    }

    fn packet(&mut self, track: &Arc<TrackTag>, packet: &Packet, _now: Instant) {
        if self.items.capacity() > SPARE {
            let _ = self
                .items
                .try_send(Item::Packet(track.track_sid.clone(), Box::new(packet.clone())));
        }
    }

    fn muted(&mut self, track: &Arc<TrackTag>, muted: bool, _now: Instant) {
        let _ = self.items.try_send(Item::Muted(track.track_sid.clone(), muted));
    }

    fn closed(&mut self, track: &Arc<TrackTag>, _now: Instant) {
        let _ = self.items.try_send(Item::Closed(track.track_sid.clone()));
    }

    fn keeps(&self) -> bool {
        false
    }

    fn is_done(&self) -> bool {
        self.items.is_closed()
    }
}

impl RoomsHandle {
    /// Lets a participant be seen and heard in another room of the same tenant as well, which must run, until
    /// they leave their own.
    ///
    /// # Errors
    /// No such room or participant; somebody of that identity is there already.
    pub async fn forward_participant(
        &self,
        room: &RoomName,
        identity: &str,
        destination: &str,
    ) -> Result<(), RoomError> {
        let there = RoomName::new(room.tenant, destination);
        let who = self.participant(room, identity).await?;
        let sid = who.sid.clone();
        let events = self.events();
        let (wishes, wanted) = mpsc::channel(WISHES);
        let member = self
            .with(&there, move |keeper, now| {
                let member = keeper.room.join_relayed(&who, now)?;
                keeper.relays.insert(member, wishes);
                Ok::<_, RoomError>(member)
            })
            .await??;
        let (items, heard) = mpsc::channel(ITEMS);
        let filter = TapFilter::Participant(identity.to_owned());
        let relay = Relay {
            rooms: self.clone(),
            here: room.clone(),
            there,
            identity: identity.to_owned(),
            sid,
            member,
        };
        match self.tap(room, filter, Box::new(Source { items })).await {
            Ok(tap) => {
                info!(tenant = %room.tenant, participant = %relay.sid, "a participant is forwarded to another room");
                self.shared.tasks.spawn(relay.run(tap, heard, wanted, events));
                Ok(())
            }
            Err(gone) => {
                relay.leave().await;
                Err(gone)
            }
        }
    }
}

struct Relay {
    rooms: RoomsHandle,
    here: RoomName,
    there: RoomName,
    identity: String,
    /// Their sid where they are.
    sid: String,
    /// What they are where they are forwarded to.
    member: MemberKey,
}

impl Relay {
    async fn run(
        self,
        tap: TapId,
        mut heard: mpsc::Receiver<Item>,
        mut wanted: mpsc::Receiver<String>,
        mut events: broadcast::Receiver<RoomEvent>,
    ) {
        loop {
            // Every branch only takes a value out of a queue: none is lost half-way.
            let goes_on = tokio::select! {
                item = heard.recv() => match item {
                    Some(item) => self.pass(item).await,
                    None => Ok(false),
                },
                Some(track) = wanted.recv() => self.ask(track).await,
                event = events.recv() => match event {
                    Ok(event) => Ok(!self.is_end(&event)),
                    // What was missed may have been the end.
                    Err(broadcast::error::RecvError::Lagged(_)) => self.is_here().await,
                    Err(broadcast::error::RecvError::Closed) => Ok(false),
                },
            };
            if !goes_on.unwrap_or(false) {
                break;
            }
        }
        self.rooms.untap(&self.here, tap).await;
        self.leave().await;
    }

    fn is_end(&self, event: &RoomEvent) -> bool {
        match &event.kind {
            RoomEventKind::Left { participant, .. } => event.room == self.here && participant.sid == self.sid,
            RoomEventKind::Finished(_) => event.room == self.here || event.room == self.there,
            RoomEventKind::Started(_)
            | RoomEventKind::Joined(_)
            | RoomEventKind::TrackPublished { .. }
            | RoomEventKind::TrackUnpublished { .. }
            | RoomEventKind::TrackMuted { .. }
            | RoomEventKind::ParticipantChanged(_)
            | RoomEventKind::RoomChanged(_)
            | RoomEventKind::Chat { .. }
            | RoomEventKind::Data { .. }
            | RoomEventKind::Knocked { .. }
            | RoomEventKind::Speakers(_) => false,
        }
    }

    async fn is_here(&self) -> Result<bool, RoomError> {
        let who = self.rooms.participant(&self.here, &self.identity).await?;
        Ok(who.sid == self.sid)
    }

    /// Gives the other room what was heard. Whether to go on.
    async fn pass(&self, item: Item) -> Result<bool, RoomError> {
        let member = self.member;
        match item {
            Item::Opened(track, is_withheld) => {
                let who = self.rooms.participant(&self.here, &self.identity).await?;
                // One that ended meanwhile is closed by the next item.
                let Some(info) = who.tracks.into_iter().find(|info| info.sid == track) else {
                    return Ok(true);
                };
                let published =
                    move |keeper: &mut super::Keeper, now| keeper.room.relay_track(member, &info, is_withheld, now);
                self.rooms.with(&self.there, published).await??;
                self.ask(track).await
            }
            Item::Packet(track, packet) => {
                let carry =
                    move |keeper: &mut super::Keeper, now| keeper.room.relay_packet(member, &track, &packet, now);
                self.rooms.with(&self.there, carry).await
            }
            Item::Muted(track, muted) => {
                let mute = move |keeper: &mut super::Keeper, now| keeper.room.relay_muted(member, &track, muted, now);
                self.rooms.with(&self.there, mute).await?;
                Ok(true)
            }
            Item::Closed(track) => {
                let close = move |keeper: &mut super::Keeper, now| keeper.room.relay_closed(member, &track, now);
                self.rooms.with(&self.there, close).await?;
                Ok(true)
            }
        }
    }

    async fn ask(&self, track: String) -> Result<bool, RoomError> {
        let ask = move |keeper: &mut super::Keeper, now| keeper.room.want_key_frame(&track, now);
        self.rooms.with(&self.here, ask).await?;
        Ok(true)
    }

    async fn leave(&self) {
        let member = self.member;
        let leave = move |keeper: &mut super::Keeper, now| {
            keeper.relays.remove(&member);
            keeper.room.leave_relayed(member, now);
        };
        if self.rooms.with(&self.there, leave).await.is_err() {
            debug!("a forwarded participant's room is over");
        }
    }
}
