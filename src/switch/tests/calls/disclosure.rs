//! What stands before a recording: nothing is captured of who was not told, or did not agree.

use crate::bench::{BOB_NUMBER, Bench, FLOW_NUMBER, Far, ROOM_NUMBER};
use std::time::Duration;
use strowger_ivr::Phrase;
use strowger_model::settings::{Entry, Lock};
use strowger_model::{CallId, ConsentOutcome};
use strowger_sip::DialogKey;
use strowger_switch::call::MediaOrder;
use strowger_switch::entrance::{IntoRoom, RoomOrder, RoomSaid, WayIn};
use strowger_switch::exchange::Input;
use strowger_switch::live::{PlaceCall, Steer};

/// A bench whose platform has these switches on, and the audio of what is said.
fn bench(switches: &[&str]) -> Bench {
    let mut bench = Bench::new();
    let tenant = bench.house.tenant;
    bench.change(|parts| {
        for name in switches {
            let (name, value) = name.split_once('=').unwrap_or((name, "true"));
            let entry = Entry {
                value: Some(value.to_owned()),
                lock: Lock::Unlocked,
            };
            parts.platform_settings.insert(name.to_owned(), entry);
        }
        for phrase in [Phrase::Recorded, Phrase::MayRecord] {
            let samples = vec![1_000_i16; 8_000].into();
            parts.audio.speech.insert((tenant, phrase.say("en").key()), samples);
        }
    });
    bench
}

fn outcomes(bench: &Bench) -> Vec<(ConsentOutcome, Option<char>)> {
    bench.consents.iter().map(|one| (one.outcome, one.digit)).collect()
}

fn talking(bench: &mut Bench) -> (DialogKey, DialogKey) {
    let caller = bench.outsider_dials(BOB_NUMBER);
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(caller);
    (caller, bob)
}

/// A caller from outside in the room, and its call.
fn in_room(bench: &mut Bench) -> (DialogKey, CallId) {
    let caller = bench.outsider_dials(ROOM_NUMBER);
    bench.acknowledges(caller);
    let call = bench.to_rooms.iter().find_map(|(call, order)| match order {
        RoomOrder::Join(guest) => Some((*call, guest.is_recordable)),
        _ => None,
    });
    let (call, is_recordable) = call.unwrap();
    assert!(!is_recordable, "nobody was told yet");
    bench.tell(Input::Room(call, RoomSaid::Joined { sid: "PA_1".to_owned() }));
    (caller, call)
}

/// What the room was told of being recorded: `yes`, or why not.
fn recordable(bench: &Bench) -> Vec<String> {
    let told = bench.to_rooms.iter().filter_map(|(_, order)| match order {
        RoomOrder::Recordable => Some("yes".to_owned()),
        RoomOrder::Attributes(pairs) => pairs.get("strowger.unrecorded").cloned(),
        _ => None,
    });
    told.collect()
}

fn ends(bench: &mut Bench, caller: DialogKey) {
    bench.hangs_up(caller);
    bench.last_words();
    assert_eq!(bench.exchange.count(), 0);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
    assert!(bench.exchange.poll_timeout().is_none());
}

#[test]
fn both_parties_hear_the_announcement_before_the_first_sample() {
    let mut bench = bench(&["recording_announcement", "recording_beep"]);
    let (caller, _) = talking(&mut bench);
    assert!(bench.captures.is_empty(), "captured before it was said");
    let legs = bench.open_media();
    for leg in &legs {
        let plays = bench
            .orders
            .iter()
            .filter(|order| matches!(order, MediaOrder::Play { leg: of, .. } if of == leg));
        assert!(plays.count() >= 3, "announcement, beep and a pause");
    }
    bench.plays_end();
    assert_eq!(bench.captures.len(), 1);
    assert_eq!(outcomes(&bench), [(ConsentOutcome::Announced, None); 2]);
    assert_eq!(bench.consents[0].text, "This call is recorded.");
    bench.pass(Duration::from_secs(5));
    ends(&mut bench, caller);
    assert_eq!(bench.finished[0].taken.len(), 1);
}

#[test]
fn who_agrees_is_recorded_from_then_on() {
    let mut bench = bench(&["recording_consent"]);
    let (caller, _) = talking(&mut bench);
    // Bob's audio was opened first.
    let legs = bench.open_media();
    bench.presses(legs[0], '1');
    assert!(bench.captures.is_empty(), "our own person was not asked");
    bench.presses(legs[1], '1');
    assert_eq!(bench.captures.len(), 1);
    let expected = [(ConsentOutcome::Agreed, Some('1')), (ConsentOutcome::Announced, None)];
    assert_eq!(outcomes(&bench), expected);
    ends(&mut bench, caller);
}

#[test]
fn who_refuses_or_says_nothing_goes_on_unrecorded_whatever_is_asked_for_later() {
    for key in [Some('2'), None] {
        let mut bench = bench(&["recording_consent", "recording_consent_seconds=8"]);
        let (caller, _) = talking(&mut bench);
        let legs = bench.open_media();
        bench.plays_end();
        match key {
            Some(key) => bench.presses(legs[1], key),
            None => bench.pass(Duration::from_secs(9)),
        }
        let call = *bench.begun.first().unwrap();
        let (tenant, now) = (bench.house.tenant, bench.now);
        assert!(bench.exchange.steer(tenant, call, Steer::StartRecording, now));
        bench.perform_now();
        bench.pass(Duration::from_secs(20));
        assert_eq!(bench.state(caller), Some(Far::Up), "the call goes on");
        ends(&mut bench, caller);
        let live = &bench.told.last().unwrap().call;
        assert!(live.unrecordable.is_some_and(|why| why.contains("did not agree")));
        assert!(bench.captures.is_empty() && bench.finished[0].taken.is_empty());
        let wanted = key.map_or(ConsentOutcome::Unanswered, |_| ConsentOutcome::Refused);
        assert_eq!(outcomes(&bench)[0], (wanted, key));
    }
}

#[test]
fn a_flow_waits_until_the_question_is_answered_and_keeps_its_keys() {
    for (key, captures) in [('1', 1), ('2', 0)] {
        let mut bench = bench(&["recording_consent"]);
        let caller = bench.outsider_dials(FLOW_NUMBER);
        bench.acknowledges(caller);
        let leg = bench.open_media()[0];
        let before = bench.orders.len();
        bench.plays_end();
        bench.presses(leg, '7');
        assert_eq!(bench.orders.len(), before, "the flow has said nothing yet");
        bench.presses(leg, key);
        assert_eq!(bench.captures.len(), captures);
        let plays = bench.orders[before..]
            .iter()
            .filter(|order| matches!(order, MediaOrder::Play { .. }));
        assert_eq!(plays.count(), 1, "now the menu speaks");
        bench.plays_end();
        bench.presses(leg, '1');
        assert!(!bench.in_state(Far::Called).is_empty(), "its own key rings Bob");
        ends(&mut bench, caller);
    }
}

#[test]
fn a_placed_call_is_announced_to_who_was_called() {
    let mut bench = bench(&["recording_announcement"]);
    let order = PlaceCall {
        tenant: bench.house.tenant,
        user: None,
        from: Some("100".to_owned()),
        to: "+15555550123".to_owned(),
        record: Some(true),
        transcribe: false,
        ring_timeout: None,
        metadata: strowger_model::Metadata::default(),
        flow: None,
    };
    bench.exchange.place(order, bench.now).unwrap();
    bench.perform_now();
    let outside = bench.in_state(Far::Called)[0];
    bench.answers(outside);
    assert!(bench.captures.is_empty() && bench.in_state(Far::Called).is_empty());
    bench.plays_end();
    assert_eq!(bench.captures.len(), 1);
    let ada = bench.in_state(Far::Called)[0];
    bench.answers(ada);
    assert_eq!(outcomes(&bench), [(ConsentOutcome::Announced, None)]);
    ends(&mut bench, outside);
}

#[test]
fn without_the_audio_of_the_announcement_nothing_is_recorded() {
    let mut bench = bench(&["recording_announcement"]);
    bench.change(|parts| parts.audio.speech.clear());
    let (caller, _) = talking(&mut bench);
    bench.plays_end();
    assert!(bench.captures.is_empty());
    assert_eq!(outcomes(&bench)[0], (ConsentOutcome::Unheard, None));
    ends(&mut bench, caller);
}

#[test]
fn a_party_that_hangs_up_while_it_is_asked_leaves_nothing_behind() {
    let mut bench = bench(&["recording_consent"]);
    let (caller, bob) = talking(&mut bench);
    bench.hangs_up(bob);
    bench.pass(Duration::from_secs(60));
    bench.last_words();
    assert_eq!(bench.state(caller), None);
    assert!(bench.captures.is_empty());
}

#[test]
fn a_recording_ends_at_its_longest_and_the_call_goes_on() {
    let mut bench = bench(&["max_recording_seconds=30"]);
    let (caller, _) = talking(&mut bench);
    assert!(bench.captures.values().all(|open| *open));
    bench.pass(Duration::from_secs(31));
    assert!(bench.captures.values().all(|open| !open));
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.state(caller), Some(Far::Up));
    ends(&mut bench, caller);
    assert_eq!(bench.finished[0].taken.len(), 1);
}

#[test]
fn a_phone_in_a_room_hears_that_it_is_recorded_before_it_is() {
    let mut bench = bench(&["recording_announcement", "recording_beep"]);
    let (caller, call) = in_room(&mut bench);
    bench.plays_end();
    assert!(outcomes(&bench).is_empty(), "nothing is recorded yet");
    let before = bench.orders.len();
    bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
    let plays = bench.orders[before..]
        .iter()
        .filter(|order| matches!(order, MediaOrder::Play { .. }));
    assert_eq!(plays.count(), 3, "announcement, beep and a pause");
    assert!(recordable(&bench).is_empty(), "recorded before it was said");
    bench.plays_end();
    assert_eq!(recordable(&bench), ["yes"]);
    assert_eq!(outcomes(&bench), [(ConsentOutcome::Announced, None)]);
    // Once is enough, however often the room begins anew.
    let before = bench.orders.len();
    bench.tell(Input::Room(call, RoomSaid::Recorded(false)));
    bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
    assert_eq!(bench.orders.len(), before);
    ends(&mut bench, caller);
}

#[test]
fn a_phone_in_a_room_is_asked_and_its_answer_holds() {
    let answers = [
        (Some('1'), "yes", ConsentOutcome::Agreed),
        (Some('2'), "refused", ConsentOutcome::Refused),
        (None, "unanswered", ConsentOutcome::Unanswered),
    ];
    for (key, told, outcome) in answers {
        let mut bench = bench(&["recording_consent", "recording_consent_seconds=8"]);
        let (caller, call) = in_room(&mut bench);
        bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
        let leg = bench.open_media()[0];
        bench.plays_end();
        bench.presses(leg, '5');
        assert!(
            bench.to_rooms.contains(&(call, RoomOrder::Digit('5'))),
            "keys that answer nothing are for the room"
        );
        match key {
            Some(key) => bench.presses(leg, key),
            None => bench.pass(Duration::from_secs(9)),
        }
        assert_eq!(recordable(&bench), [told]);
        assert_eq!(outcomes(&bench), [(outcome, key)]);
        bench.tell(Input::Room(call, RoomSaid::Recorded(false)));
        bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
        assert_eq!(outcomes(&bench).len(), 1, "asked once");
        assert_eq!(bench.state(caller), Some(Far::Up), "it stays in the meeting");
        ends(&mut bench, caller);
    }
}

#[test]
fn a_phone_in_a_room_that_is_no_longer_recorded_hears_no_more_of_it() {
    let mut bench = bench(&["recording_announcement"]);
    let (caller, call) = in_room(&mut bench);
    bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
    bench.tell(Input::Room(call, RoomSaid::Recorded(false)));
    bench.plays_end();
    bench.pass(Duration::from_secs(10));
    assert!(outcomes(&bench).is_empty() && recordable(&bench).is_empty());
    bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
    bench.plays_end();
    assert_eq!(recordable(&bench), ["yes"]);
    ends(&mut bench, caller);
}

#[test]
fn who_is_called_into_a_recorded_room_is_told_once_they_answer() {
    for of_its_own in ["auto_record_calls=true", "auto_record_calls=false"] {
        is_called_into_a_recorded_room(bench(&["recording_announcement", of_its_own]));
    }
}

fn is_called_into_a_recorded_room(mut bench: Bench) {
    let order = PlaceCall {
        tenant: bench.house.tenant,
        user: None,
        from: None,
        to: "101".to_owned(),
        record: None,
        transcribe: false,
        ring_timeout: None,
        metadata: strowger_model::Metadata::default(),
        flow: None,
    };
    let into = IntoRoom {
        way: WayIn::to("weekly"),
        trunk: None,
        digits: String::new(),
        max_duration: None,
    };
    let call = bench.exchange.dial_into(order, into, bench.now).unwrap();
    bench.perform_now();
    let ringing = bench.in_state(Far::Called)[0];
    bench.tell(Input::Room(call, RoomSaid::Joined { sid: "PA_1".to_owned() }));
    bench.tell(Input::Room(call, RoomSaid::Recorded(true)));
    assert!(
        !bench
            .orders
            .iter()
            .any(|order| matches!(order, MediaOrder::Play { .. }))
    );
    bench.answers(ringing);
    assert!(recordable(&bench).is_empty());
    bench.plays_end();
    assert_eq!(recordable(&bench), ["yes"]);
    assert_eq!(outcomes(&bench), [(ConsentOutcome::Announced, None)]);
    bench.hangs_up(ringing);
    bench.last_words();
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
}
