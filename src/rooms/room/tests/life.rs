//! Coming, going, coming back, and what a room puts up with.

use super::*;

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
        is_recordable: true,
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
fn the_last_that_is_seen_of_a_phone_is_that_it_hung_up() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let bob = meeting.join("bob");
    meeting.wait(1_000);
    let (port, far) = strowger_media::AudioPort::pair();
    let caller = PhoneArrival {
        identity: "desk".to_owned(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::from([(crate::CALL_STATUS.to_owned(), "dialing".to_owned())]),
        grants: Grants::default(),
        port,
        is_recordable: true,
    };
    meeting.room.join_phone(caller, meeting.now).unwrap();
    meeting.wait(1_000);
    drop(far);
    meeting.wait(1_000);
    let seen = |response: &Response| {
        let Response::Update(update) = response else {
            return None;
        };
        let desk = update.participants.iter().find(|one| one.identity == "desk")?;
        let is_gone = desk.state() == wire::participant_info::State::Disconnected;
        Some((desk.attributes[crate::CALL_STATUS].clone(), is_gone))
    };
    let mut seen: Vec<(String, bool)> = meeting.guests[bob].said.iter().filter_map(seen).collect();
    seen.dedup();
    let of = |status: &str, gone| (status.to_owned(), gone);
    assert_eq!(seen, [of("dialing", false), of("hangup", false), of("hangup", true)]);
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
    meeting.room.relay_track(far, &voice, false, meeting.now).unwrap();
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

#[test]
fn who_stays_while_others_come_and_go_keeps_few_sections_and_hears_the_last() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let bob = meeting.join("bob");
    meeting.wait(1_000);
    let sections = |meeting: &Meeting| {
        let said = meeting.guests[bob].said.iter().rev();
        let mut answers = said.filter_map(|said| {
            if let Response::Answer(answer) = said {
                Some(answer)
            } else {
                None
            }
        });
        answers.next().unwrap().sdp.matches("m=audio").count()
    };
    let before = sections(&meeting);
    let mut last = 0;
    for round in 0..40 {
        last = meeting.join(&format!("guest {round}"));
        meeting.wait(20);
        if round < 39 {
            let identity = format!("guest {round}");
            let now = meeting.now;
            meeting.room.expel(&identity, now).unwrap();
            meeting.wait(20);
            meeting.guests.truncate(last);
        }
    }
    meeting.wait(1_500);
    meeting.speak(last, 500, b"last");
    assert!(meeting.heard(bob, b"last") > 20, "{}", meeting.heard(bob, b"last"));
    assert!(
        sections(&meeting) <= before + 1,
        "{} after {before}",
        sections(&meeting)
    );
}

#[test]
fn of_a_phone_that_did_not_come_the_members_are_told_why() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let bob = meeting.join("bob");
    meeting.wait(1_000);
    let (port, _far) = strowger_media::AudioPort::pair();
    let called = PhoneArrival {
        identity: "desk".to_owned(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        grants: Grants::default(),
        port,
        is_recordable: true,
    };
    let (_, sid, _) = meeting.room.join_phone(called, meeting.now).unwrap();
    meeting.wait(100);
    meeting.room.leave_phone(&sid, Reason::UserRejected, meeting.now);
    meeting.perform();
    let gone = meeting.guests[bob].said.iter().find_map(|said| {
        let Response::Update(update) = said else { return None };
        let gone = |one: &&wire::ParticipantInfo| one.state() == wire::participant_info::State::Disconnected;
        update.participants.iter().find(gone)
    });
    assert_eq!(gone.unwrap().disconnect_reason(), Reason::UserRejected);
}
