//! What members hear and are told of each other.

use super::*;

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
    let mut told = meeting.guests[bob].said.iter().filter_map(|said| {
        if let Response::ConnectionQuality(update) = said {
            update.updates.iter().find(|one| one.participant_sid == sid)
        } else {
            None
        }
    });
    assert_eq!(told.next_back().unwrap().quality(), wire::ConnectionQuality::Lost);
    assert_eq!(meeting.room.participants().len(), 2);
}
