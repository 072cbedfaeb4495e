//! Who keeps the minutes of meetings: from what happens in rooms it makes what is to be written.
//!
//! A value over all rooms. It is told events as they come ([`Clerk::heard`]); when some were missed it is
//! shown how the rooms stand ([`Clerk::agree`]) and writes what follows from that. Rows, tasks and the
//! recorder are in [`crate::io`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use strowger_model::minutes::{ChatLine, Member, Minutes};
use strowger_model::{CallId, LegId, TenantId, World};
use strowger_rooms::protocol::{self as wire, participant_info::Kind};
use strowger_rooms::{CALL_STATUS, Role, RoomEvent, RoomEventKind, RoomName};
use time::{Duration, OffsetDateTime};

/// Tracks that end so shortly before their member leaves end because of it.
const LEAVING: Duration = Duration::SECOND;

/// Something that is to be written. Writing it twice changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A meeting began.
    Began(RoomName, Minutes),
    /// Its host or its peak changed.
    Changed(Minutes),
    /// A member as they stand.
    Member(Member),
    /// Somebody wrote.
    Wrote(CallId, ChatLine),
    /// A meeting ended.
    Ended(CallId, OffsetDateTime),
}

/// How a running room stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its name.
    pub name: RoomName,
    /// This run of it.
    pub room: wire::Room,
    /// Who is there, and the part each plays.
    pub members: Vec<(wire::ParticipantInfo, Role)>,
}

/// Which presence a participant's sid stands for: the minutes and the recorder name the same ones.
#[derive(Debug, Clone, Default)]
pub struct Presences {
    known: Arc<Mutex<HashMap<String, LegId>>>,
}

impl Presences {
    /// The presence of a participant.
    #[must_use]
    pub fn of(&self, participant_sid: &str, world: &dyn World) -> LegId {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leg) = known.get(participant_sid) {
            return *leg;
        }
        let leg = LegId::generate(world);
        known.insert(participant_sid.to_owned(), leg);
        leg
    }

    fn forget(&self, participant_sid: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(participant_sid);
    }
}

#[derive(Debug)]
struct Running {
    name: RoomName,
    minutes: Minutes,
    present: BTreeMap<String, Member>,
    /// Members as they stood before their tracks began to end, and since when.
    before: BTreeMap<String, (Member, OffsetDateTime)>,
    /// Everybody who was there, by sid: forgotten with the meeting.
    seen: Vec<String>,
}

/// Keeps the minutes of every running meeting.
#[derive(Debug, Default)]
pub struct Clerk {
    presences: Presences,
    running: HashMap<String, Running>,
}

impl Clerk {
    /// Which presence a participant's sid stands for.
    #[must_use]
    pub const fn presences(&self) -> &Presences {
        &self.presences
    }

    /// The running meeting of a room.
    #[must_use]
    pub fn meeting(&self, room: &RoomName) -> Option<&Minutes> {
        let running = self.running.values().find(|running| running.name == *room)?;
        Some(&running.minutes)
    }

    /// The meetings that run.
    pub fn meetings(&self) -> impl Iterator<Item = &Minutes> {
        self.running.values().map(|running| &running.minutes)
    }

    /// Takes an event; `role` is the part played by whom it is about, where that is known.
    pub fn heard(&mut self, event: &RoomEvent, role: Option<Role>, world: &dyn World) -> Vec<Note> {
        let mut notes = Vec::new();
        match &event.kind {
            RoomEventKind::Started(_) => self.begin(&event.room, &event.room_sid, event.at, world, &mut notes),
            RoomEventKind::Finished(_) => self.end(&event.room_sid, event.at, &mut notes),
            RoomEventKind::Joined(participant)
            | RoomEventKind::ParticipantChanged(participant)
            | RoomEventKind::TrackPublished { participant, .. }
            | RoomEventKind::TrackUnpublished { participant, .. }
            | RoomEventKind::TrackMuted { participant, .. } => {
                self.begin(&event.room, &event.room_sid, event.at, world, &mut notes);
                notes.extend(self.stands(&event.room_sid, participant, role, event.at, world));
            }
            RoomEventKind::Left {
                participant, reason, ..
            } => {
                self.left(
                    &event.room_sid,
                    &participant.sid,
                    &word(reason.as_str_name()),
                    event.at,
                    &mut notes,
                );
            }
            RoomEventKind::Chat {
                identity,
                name,
                id,
                text,
            } => {
                if let Some(running) = self.running.get(&event.room_sid) {
                    let line = ChatLine {
                        id: if id.is_empty() {
                            LegId::generate(world).to_string()
                        } else {
                            id.clone()
                        },
                        identity: identity.clone(),
                        name: name.clone(),
                        text: text.clone(),
                        sent_at: event.at,
                    };
                    notes.push(Note::Wrote(running.minutes.call, line));
                }
            }
            RoomEventKind::RoomChanged(_)
            | RoomEventKind::Data { .. }
            | RoomEventKind::Knocked { .. }
            | RoomEventKind::Speakers(_) => {}
        }
        notes
    }

    /// Sets right what missed events would have said: `standing` is every room of a tenant that runs.
    pub fn agree(
        &mut self,
        tenant: TenantId,
        standing: &[Standing],
        at: OffsetDateTime,
        world: &dyn World,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        let runs = |sid: &String| standing.iter().any(|room| room.room.sid == *sid);
        let own = self.running.iter().filter(|(_, running)| running.name.tenant == tenant);
        let over: Vec<String> = own.map(|(sid, _)| sid).filter(|sid| !runs(sid)).cloned().collect();
        for sid in over {
            self.end(&sid, at, &mut notes);
        }
        for room in standing {
            let sid = &room.room.sid;
            self.begin(&room.name, sid, at, world, &mut notes);
            let there = |known: &String| room.members.iter().any(|(member, _)| member.sid == *known);
            let present = self.running.get(sid).map(|running| &running.present);
            let gone: Vec<String> = present
                .into_iter()
                .flat_map(BTreeMap::keys)
                .filter(|known| !there(known))
                .cloned()
                .collect();
            for gone in gone {
                self.left(sid, &gone, "unknown_reason", at, &mut notes);
            }
            for (member, role) in &room.members {
                notes.extend(self.stands(sid, member, Some(*role), at, world));
            }
        }
        notes
    }

    /// Ends every meeting: the daemon ends.
    pub fn close(&mut self, at: OffsetDateTime) -> Vec<Note> {
        let mut notes = Vec::new();
        let all: Vec<String> = self.running.keys().cloned().collect();
        for sid in all {
            self.end(&sid, at, &mut notes);
        }
        notes
    }

    fn begin(&mut self, name: &RoomName, sid: &str, at: OffsetDateTime, world: &dyn World, notes: &mut Vec<Note>) {
        if self.running.contains_key(sid) {
            return;
        }
        let minutes = Minutes {
            call: CallId::generate(world),
            tenant: name.tenant,
            sid: sid.to_owned(),
            room: name.name.clone(),
            title: String::new(),
            host: None,
            peak: 0,
            started_at: at,
            ended_at: None,
        };
        notes.push(Note::Began(name.clone(), minutes.clone()));
        let running = Running {
            name: name.clone(),
            minutes,
            present: BTreeMap::new(),
            before: BTreeMap::new(),
            seen: Vec::new(),
        };
        self.running.insert(sid.to_owned(), running);
    }

    fn stands(
        &mut self,
        room: &str,
        participant: &wire::ParticipantInfo,
        role: Option<Role>,
        at: OffsetDateTime,
        world: &dyn World,
    ) -> Vec<Note> {
        let Some(running) = self.running.get_mut(room) else {
            return Vec::new();
        };
        let kind = Kind::try_from(participant.kind).unwrap_or_default();
        let known = running.present.get(&participant.sid);
        let is_phone = kind == Kind::Sip;
        if is_phone && known.is_none() && is_called(participant) {
            return Vec::new();
        }
        let member = Member {
            id: self.presences.of(&participant.sid, world),
            call: running.minutes.call,
            sid: participant.sid.clone(),
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            kind: word(kind.as_str_name()),
            role: role.map_or_else(
                || known.map_or(Role::Participant.word(), |known| &known.role).to_owned(),
                |role| role.word().to_owned(),
            ),
            joined_at: match known {
                Some(known) => known.joined_at,
                // A phone may have been seen before it answered.
                None if is_phone => at,
                None => came(participant, at),
            },
            left_at: None,
            reason: None,
            is_muted: !sounds(participant, wire::TrackSource::Microphone),
            has_video: sounds(participant, wire::TrackSource::Camera),
            is_sharing: sounds(participant, wire::TrackSource::ScreenShare),
        };
        if known == Some(&member) {
            return Vec::new();
        }
        let is_new = known.is_none();
        // Whoever leaves first stops publishing: that is not what was last known of them.
        if let Some(known) = known {
            let since = running.before.get(&member.sid).map(|(_, since)| *since);
            if since.is_none_or(|since| at - since > LEAVING) {
                running.before.insert(member.sid.clone(), (known.clone(), at));
            }
        }
        let mut notes = vec![Note::Member(member.clone())];
        let mut changed = false;
        if role == Some(Role::Host) && running.minutes.host.is_none() {
            running.minutes.host = Some(member.shown().to_owned());
            changed = true;
        }
        running.present.insert(participant.sid.clone(), member);
        if is_new {
            running.seen.push(participant.sid.clone());
        }
        let present = i64::try_from(running.present.len()).unwrap_or(i64::MAX);
        if present > running.minutes.peak {
            running.minutes.peak = present;
            changed = true;
        }
        if changed {
            notes.push(Note::Changed(running.minutes.clone()));
        }
        notes
    }

    fn left(&mut self, room: &str, participant: &str, reason: &str, at: OffsetDateTime, notes: &mut Vec<Note>) {
        let Some(running) = self.running.get_mut(room) else {
            return;
        };
        let before = running.before.remove(participant);
        if let Some(mut member) = running.present.remove(participant) {
            if let Some((before, _)) = before.filter(|(_, since)| at - *since <= LEAVING) {
                (member.is_muted, member.has_video, member.is_sharing) =
                    (before.is_muted, before.has_video, before.is_sharing);
            }
            member.left_at = Some(at);
            member.reason = Some(reason.to_owned());
            notes.push(Note::Member(member));
        }
    }

    fn end(&mut self, room: &str, at: OffsetDateTime, notes: &mut Vec<Note>) {
        if let Some(running) = self.running.remove(room) {
            for sid in &running.seen {
                self.presences.forget(sid);
            }
            notes.push(Note::Ended(running.minutes.call, at));
        }
    }
}

/// When somebody came, as the room has it.
fn came(participant: &wire::ParticipantInfo, at: OffsetDateTime) -> OffsetDateTime {
    let nanos = i128::from(participant.joined_at_ms) * 1_000_000;
    let known = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    known.filter(|_| participant.joined_at_ms > 0).unwrap_or(at)
}

/// Whether a phone is seen in the room that was called for it and has not answered, or never did.
fn is_called(participant: &wire::ParticipantInfo) -> bool {
    let status = participant.attributes.get(CALL_STATUS);
    matches!(status.map(String::as_str), Some("dialing" | "ringing" | "hangup"))
}

/// Whether somebody publishes from a source and has not muted it.
fn sounds(participant: &wire::ParticipantInfo, source: wire::TrackSource) -> bool {
    participant
        .tracks
        .iter()
        .any(|track| track.source() == source && !track.muted)
}

/// The protocol's name of a value as a word of rows.
fn word(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    struct Bench {
        clerk: Clerk,
        world: SeededWorld,
        room: RoomName,
    }

    impl Bench {
        fn new() -> Self {
            let world = SeededWorld::new(1, 1_760_000_000_000);
            Self {
                clerk: Clerk::default(),
                room: RoomName::new(TenantId::generate(&world), "standup"),
                world,
            }
        }

        fn says(&mut self, kind: RoomEventKind) -> Vec<Note> {
            self.says_as(kind, Role::Participant)
        }

        fn says_as(&mut self, kind: RoomEventKind, role: Role) -> Vec<Note> {
            self.world.advance(1000);
            let event = RoomEvent {
                room: self.room.clone(),
                room_sid: "RM_1".to_owned(),
                at: self.world.now(),
                kind,
            };
            self.clerk.heard(&event, Some(role), &self.world)
        }
    }

    fn participant(who: &str, sources: &[wire::TrackSource]) -> Box<wire::ParticipantInfo> {
        let tracks = sources.iter().map(|source| wire::TrackInfo {
            source: (*source).into(),
            ..wire::TrackInfo::default()
        });
        Box::new(wire::ParticipantInfo {
            sid: format!("PA_{who}"),
            identity: who.to_owned(),
            name: who.to_uppercase(),
            tracks: tracks.collect(),
            ..wire::ParticipantInfo::default()
        })
    }

    fn members(notes: &[Note]) -> Vec<&Member> {
        notes
            .iter()
            .filter_map(|note| match note {
                Note::Member(member) => Some(member),
                Note::Began(..) | Note::Changed(_) | Note::Wrote(..) | Note::Ended(..) => None,
            })
            .collect()
    }

    #[test]
    fn a_meeting_is_written_from_its_first_member_to_its_end() {
        let mut bench = Bench::new();
        let began = bench.says(RoomEventKind::Started(Box::default()));
        assert!(matches!(&began[..], [Note::Began(_, minutes)] if minutes.room == "standup"));
        let joined = bench.says_as(RoomEventKind::Joined(participant("ada", &[])), Role::Host);
        let [Note::Member(ada), Note::Changed(minutes)] = &joined[..] else {
            panic!("{joined:?}")
        };
        assert!(ada.is_muted && !ada.has_video);
        assert_eq!((minutes.host.as_deref(), minutes.peak), (Some("ADA"), 1));
        let speaking = participant("ada", &[wire::TrackSource::Microphone, wire::TrackSource::Camera]);
        let shown = bench.says(RoomEventKind::ParticipantChanged(speaking.clone()));
        assert!(members(&shown).iter().all(|ada| !ada.is_muted && ada.has_video));
        assert!(
            bench
                .says(RoomEventKind::ParticipantChanged(speaking.clone()))
                .is_empty()
        );
        let left = bench.says(RoomEventKind::Left {
            participant: participant("ada", &[]),
            reason: wire::DisconnectReason::ClientInitiated,
            connected: true,
        });
        let [gone] = members(&left)[..] else { panic!("{left:?}") };
        assert_eq!((gone.id, gone.reason.as_deref()), (ada.id, Some("client_initiated")));
        assert_eq!(gone.left_at, Some(bench.world.now()));
        assert!(gone.has_video, "what was last known stays");
        let ended = bench.says(RoomEventKind::Finished(Box::default()));
        assert!(matches!(&ended[..], [Note::Ended(call, _)] if *call == ada.call));
    }

    #[test]
    fn a_phone_that_is_called_comes_when_it_answers_or_never_came() {
        let phone = |who: &str, status: &str| {
            let mut phone = participant(who, &[wire::TrackSource::Microphone]);
            phone.kind = Kind::Sip.into();
            phone.attributes.insert(CALL_STATUS.to_owned(), status.to_owned());
            phone.joined_at_ms = 1_760_000_000_000;
            phone
        };
        let mut bench = Bench::new();
        bench.says(RoomEventKind::Joined(participant("ada", &[])));
        for who in ["desk", "nobody"] {
            assert!(bench.says(RoomEventKind::Joined(phone(who, "dialing"))).is_empty());
            assert!(
                bench
                    .says(RoomEventKind::ParticipantChanged(phone(who, "ringing")))
                    .is_empty()
            );
        }
        let answered = bench.says(RoomEventKind::ParticipantChanged(phone("desk", "active")));
        assert_eq!(members(&answered)[0].joined_at, bench.world.now());
        let gone = |who: &str| RoomEventKind::Left {
            participant: phone(who, "hangup"),
            reason: wire::DisconnectReason::ClientInitiated,
            connected: true,
        };
        assert!(
            bench
                .says(RoomEventKind::ParticipantChanged(phone("nobody", "hangup")))
                .is_empty()
        );
        assert!(members(&bench.says(gone("nobody"))).is_empty());
        assert_eq!(members(&bench.says(gone("desk"))).len(), 1);
    }

    #[test]
    fn tracks_that_end_because_their_member_leaves_do_not_change_what_was_last_known() {
        let mut bench = Bench::new();
        bench.says(RoomEventKind::Joined(participant("ada", &[])));
        let speaking = participant("ada", &[wire::TrackSource::Microphone]);
        bench.says(RoomEventKind::ParticipantChanged(speaking));
        bench.world.advance(60_000);
        bench.says(RoomEventKind::ParticipantChanged(participant("ada", &[])));
        let left = bench.says(RoomEventKind::Left {
            participant: participant("ada", &[]),
            reason: wire::DisconnectReason::SignalClose,
            connected: true,
        });
        assert!(!members(&left)[0].is_muted);
    }

    #[test]
    fn what_was_missed_is_set_right_and_saying_it_again_says_nothing() {
        let mut bench = Bench::new();
        bench.says(RoomEventKind::Joined(participant("ada", &[])));
        bench.says(RoomEventKind::Joined(participant("bob", &[])));
        let standing = |sid: &str, who: &str| Standing {
            name: bench.room.clone(),
            room: wire::Room {
                sid: sid.to_owned(),
                ..wire::Room::default()
            },
            members: vec![(*participant(who, &[]), Role::Participant)],
        };
        let (same, other) = (standing("RM_1", "cyd"), standing("RM_2", "dan"));
        let (tenant, at) = (bench.room.tenant, bench.world.now());
        let notes = bench
            .clerk
            .agree(tenant, &[same.clone(), other.clone()], at, &bench.world);
        let left: Vec<&str> = members(&notes)
            .iter()
            .filter(|member| member.left_at.is_some())
            .map(|member| member.identity.as_str())
            .collect();
        assert_eq!(left, ["ada", "bob"]);
        assert!(members(&notes).iter().any(|member| member.identity == "cyd"));
        assert!(
            notes
                .iter()
                .any(|note| matches!(note, Note::Began(_, minutes) if minutes.sid == "RM_2"))
        );
        assert!(bench.clerk.agree(tenant, &[same, other], at, &bench.world).is_empty());
        let ended = bench.clerk.agree(tenant, &[], at, &bench.world);
        assert_eq!(ended.len(), 2);
        assert!(bench.clerk.meeting(&bench.room).is_none());
    }

    #[test]
    fn what_is_written_is_kept_under_the_senders_id_or_one_of_our_own() {
        let mut bench = Bench::new();
        bench.says(RoomEventKind::Started(Box::default()));
        let mut chat = |id: &str| {
            let notes = bench.says(RoomEventKind::Chat {
                identity: "ada".to_owned(),
                name: "ADA".to_owned(),
                id: id.to_owned(),
                text: "hello".to_owned(),
            });
            match &notes[..] {
                [Note::Wrote(_, line)] => line.id.clone(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(chat("m1"), "m1");
        assert!(!chat("").is_empty());
    }
}
