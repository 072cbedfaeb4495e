//! Rooms in virtual time, with the same WebRTC library as the clients.

use super::*;
use crate::Generation;
use crate::claims::Grants;
use crate::error::JoinRefused;
use crate::peer::testing::Client;
use prost::Message;
use strowger_model::TenantId;
use strowger_model::world::SeededWorld;
use wire::DisconnectReason as Reason;
use wire::data_packet::Value;
use wire::signal_request::Message as Request;

const OURS: &str = "192.0.2.100:7882";
const STEP: Duration = Duration::from_millis(5);

/// Somebody in the meeting.
struct Guest {
    client: Client,
    session: SessionKey,
    sid: String,
    peer: PeerKey,
    said: Vec<Response>,
    is_closed: bool,
    offers: u32,
}

struct Meeting {
    room: Room,
    guests: Vec<Guest>,
    events: Vec<RoomEventKind>,
    phones: Vec<PhoneEvent>,
    now: Instant,
}

fn grants(identity: &str) -> Grants {
    Grants {
        identity: identity.to_owned(),
        room_join: Some("standup".to_owned()),
        ..Grants::default()
    }
}

fn arrival(grants: Grants, request: wire::JoinRequest) -> Arrival {
    Arrival {
        grants,
        generation: Generation::One,
        request,
        resume: None,
    }
}

fn microphone(cid: &str) -> wire::AddTrackRequest {
    wire::AddTrackRequest {
        cid: cid.to_owned(),
        source: wire::TrackSource::Microphone as i32,
        ..Default::default()
    }
}

impl Meeting {
    fn new(options: RoomOptions) -> Self {
        let world: Arc<dyn World> = Arc::new(SeededWorld::new(7, 1_700_000_000_000));
        let now = Instant::now();
        let ground = Ground {
            limits: Limits::default(),
            local: vec![LocalAddress {
                door: Door::Udp,
                address: OURS.parse().unwrap(),
            }],
            identity: Identity::generate(),
            turn: None,
        };
        let name = RoomName::new(TenantId::generate(world.as_ref()), "standup");
        Self {
            room: Room::new(name, options, Arc::new(ground), world, now),
            guests: Vec::new(),
            events: Vec::new(),
            phones: Vec::new(),
            now,
        }
    }

    /// Somebody comes with a microphone and space to hear three others.
    fn join(&mut self, identity: &str) -> usize {
        self.join_with(grants(identity))
    }

    fn join_with(&mut self, grants: Grants) -> usize {
        let address = SocketAddr::from(([192, 0, 2, 1], 5000 + u16::try_from(self.guests.len()).unwrap()));
        let mut client = Client::new(address, self.now);
        let sdp = client.offer(Some("mic"), 3);
        let request = wire::JoinRequest {
            connection_settings: Some(wire::ConnectionSettings {
                auto_subscribe: true,
                ..Default::default()
            }),
            add_track_requests: vec![microphone("mic")],
            publisher_offer: Some(wire::SessionDescription {
                sdp,
                id: 1,
                ..Default::default()
            }),
            ..Default::default()
        };
        let joined = self.room.join(arrival(grants, request), self.now).unwrap();
        let member = self.room.sessions[&joined.session];
        self.guests.push(Guest {
            client,
            session: joined.session,
            sid: joined.sid,
            peer: PeerKey {
                member,
                is_subscriber: false,
            },
            said: Vec::new(),
            is_closed: false,
            offers: 1,
        });
        self.perform();
        self.guests.len() - 1
    }

    fn perform(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                RoomOutput::Transmit(transmit) => {
                    let found = self
                        .guests
                        .iter_mut()
                        .find(|guest| guest.client.address == transmit.destination);
                    if let Some(guest) = found {
                        guest.client.receive(OURS.parse().unwrap(), &transmit.bytes, self.now);
                    }
                }
                RoomOutput::Signal(session, response) => {
                    let found = self.guests.iter_mut().find(|guest| guest.session == session);
                    let (Some(guest), Some(message)) = (found, response.message) else {
                        continue;
                    };
                    if let Response::Answer(answer) = &message {
                        guest.client.answered(&answer.sdp);
                    }
                    guest.said.push(message);
                }
                RoomOutput::Close(session) => {
                    if let Some(guest) = self.guests.iter_mut().find(|guest| guest.session == session) {
                        guest.is_closed = true;
                    }
                }
                RoomOutput::Event(event) => self.events.push(event.kind),
                RoomOutput::Phone(_, event) => self.phones.push(event),
                RoomOutput::Reachable(..)
                | RoomOutput::Unreachable(_)
                | RoomOutput::KeyFrameWanted(..)
                | RoomOutput::Answer(..) => {}
            }
        }
    }

    /// Lets time pass; `each` is called every 20 ms.
    fn run(&mut self, span: Duration, mut each: impl FnMut(&mut Self)) {
        let (end, mut tick) = (self.now + span, self.now);
        while self.now < end {
            self.now += STEP;
            if self.now >= tick {
                tick += STEP * 4;
                each(self);
            }
            for index in 0..self.guests.len() {
                let guest = &mut self.guests[index];
                let (peer, source) = (guest.peer, guest.client.address);
                for (destination, bytes) in guest.client.step(self.now) {
                    self.room
                        .receive(peer, Door::Udp, (source, destination), &bytes, self.now);
                }
                self.perform();
            }
            if self.room.poll_timeout().is_some_and(|due| due <= self.now) {
                self.room.handle_timeout(self.now);
            }
            self.perform();
            self.follow_requirements();
        }
    }

    /// Clients add sections when they are asked to.
    fn follow_requirements(&mut self) {
        for index in 0..self.guests.len() {
            let guest = &mut self.guests[index];
            let asked = guest
                .said
                .iter()
                .rposition(|said| matches!(said, Response::MediaSectionsRequirement(_)));
            let Some(asked) = asked else { continue };
            let Response::MediaSectionsRequirement(asked) = guest.said.remove(asked) else {
                continue;
            };
            guest.offers += 1;
            let sdp = guest
                .client
                .offer(None, usize::try_from(asked.num_audios.max(1)).unwrap());
            let offer = wire::SessionDescription {
                sdp,
                id: guest.offers,
                ..Default::default()
            };
            self.ask(index, Request::Offer(offer));
        }
    }

    fn ask(&mut self, guest: usize, request: Request) {
        let session = self.guests[guest].session;
        let request = wire::SignalRequest { message: Some(request) };
        self.room.signal(session, request, self.now);
        self.perform();
    }

    fn wait(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis), |_| {});
    }

    fn speak(&mut self, guest: usize, millis: u64, word: &'static [u8]) {
        self.run(Duration::from_millis(millis), |meeting| {
            let now = meeting.now;
            meeting.guests[guest].client.say(word, 20, now);
        });
    }

    fn heard(&self, guest: usize, word: &[u8]) -> usize {
        let heard = &self.guests[guest].client.heard;
        heard.iter().filter(|packet| packet.payload == word).count()
    }

    fn leaves(&self, guest: usize) -> Vec<Reason> {
        let said = self.guests[guest].said.iter();
        said.filter_map(|said| {
            if let Response::Leave(leave) = said {
                Some(leave.reason())
            } else {
                None
            }
        })
        .collect()
    }

    fn microphone_of(&self, guest: usize) -> String {
        let sid = &self.guests[guest].sid;
        let info = self
            .room
            .participants()
            .into_iter()
            .find(|info| info.sid == *sid)
            .unwrap();
        info.tracks[0].sid.clone()
    }
}

#[test]
fn what_one_says_every_other_hears_and_nobody_hears_oneself() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob, eve) = (meeting.join("ada"), meeting.join("bob"), meeting.join("eve"));
    meeting.wait(2_000);
    assert!(meeting.guests.iter().all(|guest| guest.client.is_connected));
    meeting.speak(ada, 1_000, b"hello");
    meeting.wait(100);
    for listener in [bob, eve] {
        assert!(
            meeting.heard(listener, b"hello") >= 48,
            "{}",
            meeting.heard(listener, b"hello")
        );
        let numbers: Vec<u64> = meeting.guests[listener]
            .client
            .heard
            .iter()
            .map(|one| one.sequence)
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    }
    assert_eq!(meeting.heard(ada, b"hello"), 0);
    let sids: Vec<_> = meeting.guests[ada]
        .said
        .iter()
        .filter(|said| matches!(said, Response::TrackSubscribed(_)))
        .collect();
    assert_eq!(sids.len(), 1);
}

#[test]
fn padding_of_a_publisher_goes_no_further_and_is_no_loss_to_who_listens() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    meeting.speak(ada, 200, b"one");
    // A browser that measures its line.
    meeting.speak(ada, 400, b"");
    meeting.speak(ada, 200, b"two");
    meeting.wait(100);
    let heard = &meeting.guests[bob].client.heard;
    assert!(meeting.heard(bob, b"one") >= 9 && meeting.heard(bob, b"two") >= 9);
    assert_eq!(meeting.heard(bob, b""), 0);
    let mut pairs = heard.windows(2);
    assert!(
        pairs.all(|pair| pair[1].sequence == pair[0].sequence + 1),
        "padding looks like loss: {heard:?}"
    );
}

#[test]
fn a_track_muted_by_the_server_is_not_forwarded_though_its_publisher_goes_on_sending() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let track = meeting.microphone_of(ada);
    let now = meeting.now;
    meeting.room.mute_track("ada", &track, true, now).unwrap();
    meeting.speak(ada, 500, b"secret");
    assert_eq!(meeting.heard(bob, b"secret"), 0);
    assert!(
        meeting.guests[ada]
            .said
            .iter()
            .any(|said| matches!(said, Response::Mute(mute) if mute.muted))
    );
    let now = meeting.now;
    meeting.room.mute_track("ada", &track, false, now).unwrap();
    meeting.speak(ada, 500, b"public");
    assert!(meeting.heard(bob, b"public") > 20);
    let numbers: Vec<u64> = meeting.guests[bob]
        .client
        .heard
        .iter()
        .map(|one| one.sequence)
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "silence looks like loss: {numbers:?}"
    );
}

fn user(text: &str, to: &[&str], sequence: u32) -> Vec<u8> {
    let packet = wire::DataPacket {
        destination_identities: to.iter().map(ToString::to_string).collect(),
        sequence,
        participant_identity: "somebody else".to_owned(),
        value: Some(Value::User(wire::UserPacket {
            payload: text.into(),
            ..Default::default()
        })),
        ..Default::default()
    };
    packet.encode_to_vec()
}

fn texts(guest: &Guest) -> Vec<(String, String)> {
    let packets = guest
        .client
        .data
        .iter()
        .map(|bytes| wire::DataPacket::decode(&bytes[..]).unwrap());
    packets
        .filter_map(|packet| match packet.value {
            Some(Value::User(user)) => Some((packet.participant_identity, String::from_utf8(user.payload).unwrap())),
            _ => None,
        })
        .collect()
}

#[test]
fn data_goes_to_whom_it_is_meant_for_under_its_senders_true_name_and_once() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob, eve) = (meeting.join("ada"), meeting.join("bob"), meeting.join("eve"));
    meeting.wait(2_000);
    for (label, bytes) in [
        ("_reliable", user("to all", &[], 1)),
        ("_reliable", user("to all", &[], 1)),
        ("_reliable", user("to bob", &["bob"], 2)),
        ("_lossy", user("lossy", &[], 0)),
    ] {
        assert!(meeting.guests[ada].client.send(label, &bytes));
    }
    meeting.wait(500);
    let said = |text: &str| ("ada".to_owned(), text.to_owned());
    let mut to_bob = texts(&meeting.guests[bob]);
    to_bob.sort();
    assert_eq!(to_bob, [said("lossy"), said("to all"), said("to bob")]);
    let mut to_eve = texts(&meeting.guests[eve]);
    to_eve.sort();
    assert_eq!(to_eve, [said("lossy"), said("to all")]);
    assert_eq!(texts(&meeting.guests[ada]), []);
}

#[test]
fn who_may_not_send_data_is_not_heard() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let request = wire::UpdateParticipantRequest {
        identity: "ada".to_owned(),
        permission: Some(wire::ParticipantPermission {
            can_subscribe: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let now = meeting.now;
    meeting.room.update_participant(request, now).unwrap();
    meeting.guests[ada].client.send("_reliable", &user("no", &[], 1));
    meeting.speak(ada, 300, b"no");
    assert_eq!(texts(&meeting.guests[bob]), []);
    assert_eq!(meeting.heard(bob, b"no"), 0, "the track ended with the permission");
}

#[test]
fn the_same_identity_coming_again_replaces_the_first() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (first, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let second = meeting.join("ada");
    meeting.wait(1_500);
    assert_eq!(meeting.leaves(first), [Reason::DuplicateIdentity]);
    assert!(meeting.guests[first].is_closed);
    meeting.speak(second, 500, b"again");
    assert!(meeting.heard(bob, b"again") > 20, "{}", meeting.heard(bob, b"again"));
    assert_eq!(meeting.room.participants().len(), 2);
}

#[test]
fn who_is_shown_out_of_a_locked_room_does_not_come_back_by_themselves() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (_, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    meeting.room.set_lock(true);
    let now = meeting.now;
    meeting.room.expel("bob", now).unwrap();
    meeting.perform();
    assert_eq!(meeting.leaves(bob), [Reason::ParticipantRemoved]);
    let again = arrival(grants("bob"), wire::JoinRequest::default());
    assert_eq!(meeting.room.join(again, now), Err(JoinRefused::Locked));
    let again = arrival(grants("ada"), wire::JoinRequest::default());
    assert!(meeting.room.join(again, now).is_ok(), "who was in may come back");
}

#[test]
fn a_section_falls_silent_before_it_carries_another_track() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let sid = meeting.guests[ada].sid.clone();
    let carried = |meeting: &Meeting, sid: &str| -> Vec<bool> {
        let said = meeting.guests[bob].said.iter();
        said.filter_map(|said| {
            if let Response::Answer(answer) = said {
                Some(answer.sdp.contains(sid))
            } else {
                None
            }
        })
        .collect()
    };
    assert!(carried(&meeting, &sid).contains(&true));
    let now = meeting.now;
    meeting.room.expel("ada", now).unwrap();
    meeting.wait(500);
    assert_eq!(carried(&meeting, &sid).last(), Some(&false), "bob was not told");
    let eve = meeting.join("eve");
    meeting.wait(1_500);
    let sid = meeting.guests[eve].sid.clone();
    assert_eq!(carried(&meeting, &sid).last(), Some(&true));
    meeting.speak(eve, 500, b"again");
    assert!(meeting.heard(bob, b"again") > 20, "{}", meeting.heard(bob, b"again"));
}

#[test]
fn who_is_told_to_leave_hangs_up_on_their_own() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (_, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let (now, address) = (meeting.now, meeting.guests[bob].client.address);
    meeting.room.expel("bob", now).unwrap();
    let mut has_leave = false;
    while let Some(output) = meeting.room.poll_output() {
        if let RoomOutput::Signal(_, response) = &output {
            has_leave |= matches!(response.message, Some(Response::Leave(_)));
        } else if let RoomOutput::Transmit(transmit) = &output {
            assert_ne!(transmit.destination, address, "media ends before the word");
        }
    }
    assert!(has_leave);
}

#[test]
fn a_line_on_which_nothing_is_heard_is_called_lost_while_its_signalling_stands() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (bob, ada) = (meeting.join("bob"), meeting.join("ada"));
    meeting.wait(1_500);
    // The network takes everything she sends from now on.
    let sid = meeting.guests.remove(ada).sid;
    meeting.wait(12_000);
    let told = meeting.guests[bob].said.iter().filter_map(|said| {
        if let Response::ConnectionQuality(update) = said {
            update.updates.iter().find(|one| one.participant_sid == sid)
        } else {
            None
        }
    });
    assert_eq!(told.last().unwrap().quality(), wire::ConnectionQuality::Lost);
    assert_eq!(meeting.room.participants().len(), 2);
}

#[test]
fn a_cut_session_is_resumed_within_its_time_and_over_after_it() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let (session, sid) = (meeting.guests[ada].session, meeting.guests[ada].sid.clone());
    let now = meeting.now;
    meeting.room.session_lost(session, now);
    meeting.speak(ada, 2_000, b"still");
    assert!(
        meeting.heard(bob, b"still") > 90,
        "media goes on while signalling is away"
    );
    let resume = |identity: &str| Arrival {
        resume: Some(sid.clone()),
        ..arrival(grants(identity), wire::JoinRequest::default())
    };
    let now = meeting.now;
    assert_eq!(
        meeting.room.join(resume("eve"), now),
        Err(JoinRefused::UnknownSession),
        "a session belongs to its identity"
    );
    let joined = meeting.room.join(resume("ada"), now).unwrap();
    meeting.guests[ada].session = joined.session;
    meeting.perform();
    assert_eq!(joined.sid, sid);
    assert!(
        meeting.guests[ada]
            .said
            .iter()
            .any(|said| matches!(said, Response::Reconnect(_)))
    );
    let now = meeting.now;
    meeting.room.session_lost(joined.session, now);
    meeting.wait(22_000);
    assert_eq!(meeting.room.participants().len(), 1);
    let now = meeting.now;
    assert_eq!(meeting.room.join(resume("ada"), now), Err(JoinRefused::UnknownSession));
}

#[test]
fn who_speaks_is_known_within_400_ms() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(2_000);
    // The room is awake from the first packet on; a breath of quiet comes before the word.
    meeting.run(Duration::from_millis(1_500), |meeting| {
        let now = meeting.now;
        meeting.guests[ada].client.say(b"hush", 90, now);
    });
    meeting.guests[bob].said.clear();
    meeting.speak(ada, 400, b"word");
    let sid = &meeting.guests[ada].sid;
    let is_ada = |one: &wire::SpeakerInfo| one.active && one.sid == *sid;
    let active = meeting.guests[bob]
        .said
        .iter()
        .any(|said| matches!(said, Response::SpeakersChanged(changed) if changed.speakers.iter().any(is_ada)));
    assert!(active, "{:?}", meeting.guests[bob].said);
}

#[test]
fn an_oversized_description_is_refused_and_nobody_else_disturbed() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob, eve) = (meeting.join("ada"), meeting.join("bob"), meeting.join("eve"));
    meeting.wait(2_000);
    let offer = |sdp: String| {
        Request::Offer(wire::SessionDescription {
            sdp,
            ..Default::default()
        })
    };
    meeting.ask(eve, offer("m=audio 9 x 0\r\n".repeat(100_000)));
    meeting.ask(eve, offer("v=0\r\nnonsense".to_owned()));
    assert_eq!(meeting.leaves(eve), [Reason::StateMismatch, Reason::StateMismatch]);
    meeting.speak(ada, 500, b"fine");
    assert!(meeting.heard(bob, b"fine") > 20);
}

#[test]
fn a_flood_of_requests_reaches_nobody_beyond_what_a_session_may() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let track = meeting.microphone_of(ada);
    meeting.guests[bob].said.clear();
    for round in 0..5_000 {
        let mute = wire::MuteTrackRequest {
            sid: track.clone(),
            muted: round % 2 == 0,
        };
        meeting.ask(ada, Request::Mute(mute));
    }
    let limits = Limits::default();
    assert!(meeting.guests[bob].said.len() <= usize::try_from(limits.requests_burst).unwrap());
}

#[test]
fn a_member_mutes_only_its_own_tracks() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let track = meeting.microphone_of(ada);
    meeting.ask(
        bob,
        Request::Mute(wire::MuteTrackRequest {
            sid: track,
            muted: true,
        }),
    );
    meeting.speak(ada, 300, b"heard");
    assert!(meeting.heard(bob, b"heard") > 10);
}

#[test]
fn a_token_for_another_room_and_one_too_many_are_refused() {
    let mut meeting = Meeting::new(RoomOptions {
        max_participants: 1,
        ..RoomOptions::default()
    });
    let mut foreign = grants("eve");
    foreign.room_join = Some("elsewhere".to_owned());
    let now = meeting.now;
    let mut try_join = |grants| {
        meeting
            .room
            .join(arrival(grants, wire::JoinRequest::default()), now)
            .map(|_| ())
    };
    assert_eq!(try_join(foreign), Err(JoinRefused::NotAllowed));
    assert_eq!(
        try_join(grants("")),
        Err(JoinRefused::Invalid("the identity is empty or too long"))
    );
    assert_eq!(try_join(grants("ada")), Ok(()));
    assert_eq!(try_join(grants("bob")), Err(JoinRefused::Full));
    assert_eq!(try_join(grants("ada")), Ok(()), "coming again needs no second place");
}

#[test]
fn an_empty_room_ends_by_itself_and_says_so() {
    let mut meeting = Meeting::new(RoomOptions {
        empty_timeout_s: 10,
        ..RoomOptions::default()
    });
    meeting.wait(9_000);
    assert!(!meeting.room.is_over());
    meeting.wait(2_500);
    assert!(meeting.room.is_over());
    assert!(matches!(meeting.events.last(), Some(RoomEventKind::Finished(_))));
}

#[test]
fn deleting_a_room_sends_everybody_away_with_the_reason() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let ada = meeting.join("ada");
    meeting.wait(1_000);
    let now = meeting.now;
    meeting.room.end(Reason::RoomDeleted, now);
    meeting.perform();
    assert_eq!(meeting.leaves(ada), [Reason::RoomDeleted]);
    assert!(meeting.guests[ada].is_closed && meeting.room.is_over());
}

#[test]
fn datagrams_of_strangers_and_nonsense_disturb_nobody() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (ada, bob) = (meeting.join("ada"), meeting.join("bob"));
    meeting.wait(1_500);
    let peer = meeting.guests[ada].peer;
    let (source, ours) = ("203.0.113.9:9".parse().unwrap(), OURS.parse().unwrap());
    for seed in 0..2_000_u32 {
        let mut bytes = seed.to_be_bytes().repeat(10);
        // Looks like RTP, RTCP, DTLS and STUN in turn.
        bytes[0] = [0x80, 0x81, 22, 0][usize::try_from(seed % 4).unwrap()];
        let from = if seed % 2 == 0 {
            source
        } else {
            meeting.guests[ada].client.address
        };
        let now = meeting.now;
        meeting.room.receive(peer, Door::Udp, (from, ours), &bytes, now);
    }
    meeting.perform();
    meeting.speak(ada, 500, b"fine");
    assert!(meeting.heard(bob, b"fine") > 20);
}

#[test]
fn a_phone_is_told_when_an_agent_is_in_touch_and_when_it_no_longer_is() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let (port, _far) = strowger_media::AudioPort::pair();
    let caller = PhoneArrival {
        identity: "caller".to_owned(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        grants: Grants::default(),
        port,
    };
    meeting.room.join_phone(caller, meeting.now).unwrap();
    meeting.join("ada");
    meeting.wait(1_000);
    assert_eq!(meeting.phones, [PhoneEvent::Agent(false)], "a person is no agent");
    let agent = Grants {
        agent: true,
        ..grants("clerk")
    };
    let clerk = meeting.join_with(agent);
    assert_eq!(meeting.phones.len(), 1, "it is not connected yet");
    meeting.wait(1_000);
    assert_eq!(meeting.phones[1..], [PhoneEvent::Agent(true)]);
    meeting.room.session_lost(meeting.guests[clerk].session, meeting.now);
    meeting.perform();
    assert_eq!(meeting.phones[2..], [PhoneEvent::Agent(false)]);
}

#[test]
fn somebody_who_is_in_another_room_is_heard_until_they_are_gone() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let bob = meeting.join("bob");
    meeting.wait(1_000);
    let who = wire::ParticipantInfo {
        identity: "far".to_owned(),
        ..Default::default()
    };
    let far = meeting.room.join_relayed(&who, meeting.now).unwrap();
    assert!(meeting.room.join_relayed(&who, meeting.now).is_err(), "one is enough");
    let voice = wire::TrackInfo {
        sid: "TR_there".to_owned(),
        ..Default::default()
    };
    meeting.room.relay_track(far, &voice, meeting.now).unwrap();
    meeting.wait(500);
    let mut sequence = 7;
    meeting.run(Duration::from_millis(400), |meeting| {
        sequence += 1;
        let packet = crate::forward::Packet {
            sequence,
            timestamp: u32::try_from(sequence).unwrap() * 960,
            marker: false,
            codec: crate::forward::Codec::Opus,
            profile: 0,
            rotation: None,
            payload: b"hello"[..].into(),
            level: Some(20),
            voice: Some(true),
            received: meeting.now,
        };
        let now = meeting.now;
        assert!(meeting.room.relay_packet(far, "TR_there", &packet, now));
    });
    assert!(meeting.heard(bob, b"hello") > 10);
    meeting.room.leave_relayed(far, meeting.now);
    meeting.perform();
    assert_eq!(meeting.room.participants().len(), 1);
    assert!(meeting.room.tracks.values().all(|track| track.cid != "TR_there"));
}
