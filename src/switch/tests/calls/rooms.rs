//! Callers and rooms: PINs, rules, keys, being shown out, being called in, being transferred.

use crate::bench::{Bench, FLOW_NUMBER, Far, ROOM_NUMBER, number};
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_media::Direction as Way;
use strowger_model::dispatch::{DispatchRoom, DispatchRule};
use strowger_model::trunk::NumberTarget;
use strowger_model::{CallId, HangupCause};
use strowger_sip::{Command, DialogKey, SipEvent};
use strowger_switch::call::MediaOrder;
use strowger_switch::entrance::{Guest, IntoRoom, Refusal, RoomOrder, RoomSaid, WayIn};
use strowger_switch::exchange::Input;
use strowger_switch::live::PlaceCall;

const CONFERENCE: &str = "+4940800";

fn all_quiet(bench: &mut Bench) {
    bench.last_words();
    assert_eq!(bench.exchange.count(), 0);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
    assert_eq!(bench.begun.len(), bench.finished.len());
    assert!(bench.exchange.poll_timeout().is_none());
}

fn guests(bench: &Bench) -> Vec<(CallId, Guest)> {
    let joined = bench.to_rooms.iter().filter_map(|(call, order)| match order {
        RoomOrder::Join(guest) => Some((*call, guest.as_ref().clone())),
        _ => None,
    });
    joined.collect()
}

/// What the room was told of its phone's call, in order.
fn statuses(bench: &Bench) -> Vec<String> {
    let told = bench.to_rooms.iter().filter_map(|(_, order)| match order {
        RoomOrder::Attributes(pairs) => pairs.get("sip.callStatus").cloned(),
        _ => None,
    });
    told.collect()
}

fn leaves(bench: &Bench) -> usize {
    let left = bench
        .to_rooms
        .iter()
        .filter(|(_, order)| matches!(order, RoomOrder::Leave(_)));
    left.count()
}

fn says(bench: &mut Bench, call: CallId, said: RoomSaid) {
    bench.tell(Input::Room(call, said));
}

fn joined() -> RoomSaid {
    RoomSaid::Joined { sid: "PA_1".to_owned() }
}

fn types(bench: &mut Bench, keys: &str) {
    let leg = bench.open_media()[0];
    for key in keys.chars() {
        bench.presses(leg, key);
    }
}

fn is_ended(bench: &Bench, dialog: DialogKey) -> bool {
    bench
        .commands
        .iter()
        .any(|command| matches!(command, Command::Bye { dialog: of, .. } if *of == dialog))
}

/// A bench with a number that asks for a PIN, and the PIN 4711 for the room 800.
fn with_pins() -> Bench {
    let mut bench = Bench::new();
    let (world, tenant) = (bench.world.clone(), bench.house.tenant);
    bench.change(|parts| {
        parts
            .numbers
            .push(number(&world, tenant, CONFERENCE, NumberTarget::Conference));
        parts.room_pins = vec![(parts.rooms[0].id, "4711".to_owned())];
    });
    bench
}

fn rule(bench: &Bench, pin: Option<&str>) -> DispatchRule {
    DispatchRule {
        id: "SDR_1".to_owned(),
        tenant: bench.house.tenant,
        name: "support".to_owned(),
        trunks: vec![bench.house.provider_in],
        numbers: Vec::new(),
        callers: Vec::new(),
        room: DispatchRoom::Individual {
            prefix: "call".to_owned(),
            random: true,
        },
        pin: pin.map(str::to_owned),
        hide_number: true,
        metadata: "from outside".to_owned(),
        attributes: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
    }
}

fn into_room(bench: &Bench, to: &str) -> (PlaceCall, IntoRoom) {
    let order = PlaceCall {
        tenant: bench.house.tenant,
        user: None,
        from: None,
        to: to.to_owned(),
        record: None,
        transcribe: false,
        ring_timeout: None,
        metadata: strowger_model::Metadata::default(),
        flow: None,
    };
    let into = IntoRoom {
        way: WayIn {
            identity: Some("guest".to_owned()),
            ..WayIn::to("weekly")
        },
        trunk: None,
        digits: "12".to_owned(),
        max_duration: Some(Duration::from_secs(60)),
    };
    (order, into)
}

#[test]
fn three_callers_meet_in_a_room() {
    let mut bench = Bench::new();
    let callers: Vec<_> = (0..3).map(|_| bench.outsider_dials(ROOM_NUMBER)).collect();
    for caller in &callers {
        bench.acknowledges(*caller);
    }
    let guests = guests(&bench);
    assert!(guests.len() == 3 && guests.iter().all(|(_, guest)| guest.room == "800"));
    for (call, _) in &guests {
        says(&mut bench, *call, joined());
    }
    let live = &bench.told.last().unwrap().call;
    assert_eq!(live.doing, "room");
    let place = live.room.clone().unwrap();
    assert_eq!(
        (place.name.as_str(), place.participant.as_deref()),
        ("800", Some("PA_1"))
    );
    for caller in callers {
        bench.hangs_up(caller);
    }
    assert_eq!(leaves(&bench), 3);
    let events = &bench.finished[0].events;
    assert!(events.iter().any(|event| event.kind == "room" && event.detail == "800"));
    all_quiet(&mut bench);
}

#[test]
fn a_room_is_told_who_calls_through_what() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(ROOM_NUMBER);
    bench.acknowledges(caller);
    let (call, guest) = guests(&bench).remove(0);
    assert!(guest.identity.starts_with("sip_+4915112345_"));
    let says = |key: &str| guest.attributes[key].as_str();
    assert_eq!(says("sip.callID"), call.to_string());
    assert_eq!(says("sip.trunkID"), bench.house.provider_in.to_string());
    assert_eq!(says("sip.phoneNumber"), "+4915112345");
    assert_eq!(says("sip.trunkPhoneNumber"), ROOM_NUMBER);
    assert_eq!(says("sip.callStatus"), "active");
    assert_eq!(says("sip.hostname"), "192.0.2.60");
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn the_right_pin_opens_the_room() {
    let mut bench = with_pins();
    let caller = bench.outsider_dials(CONFERENCE);
    bench.acknowledges(caller);
    assert!(guests(&bench).is_empty());
    types(&mut bench, "4711#");
    assert_eq!(guests(&bench)[0].1.room, "800");
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn keys_that_overtake_the_acknowledgement_count() {
    let mut bench = with_pins();
    let caller = bench.outsider_dials(CONFERENCE);
    // Audio takes another way than signalling.
    types(&mut bench, "47");
    assert!(guests(&bench).is_empty());
    bench.acknowledges(caller);
    types(&mut bench, "11#");
    assert_eq!(guests(&bench)[0].1.room, "800");
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn three_wrong_pins_end_the_call_with_a_word() {
    let mut bench = with_pins();
    let caller = bench.outsider_dials(CONFERENCE);
    bench.acknowledges(caller);
    // The sixteenth key ends a PIN by itself, and so does a caller who thinks too long.
    types(&mut bench, "1#2222222222222222");
    assert!(!is_ended(&bench, caller));
    bench.pass(Duration::from_secs(16));
    assert!(!is_ended(&bench, caller));
    bench.plays_end();
    assert!(is_ended(&bench, caller) && guests(&bench).is_empty());
    assert_eq!(bench.told.last().unwrap().cause, Some(HangupCause::Forbidden));
    all_quiet(&mut bench);
}

#[test]
fn a_rule_leads_callers_of_a_trunk_into_rooms_of_their_own() {
    let mut bench = Bench::new();
    let rule = rule(&bench, None);
    bench.change(|parts| parts.rules = vec![rule]);
    let caller = bench.outsider_dials("+4940999");
    bench.acknowledges(caller);
    let guest = guests(&bench).remove(0).1;
    assert!(guest.room.starts_with("call_+4915112345_") && guest.room.len() > 25);
    assert!(guest.identity.starts_with("sip_") && !guest.identity.contains("4915112345"));
    assert_eq!(
        (guest.name.as_str(), guest.metadata.as_str()),
        ("Phone", "from outside")
    );
    assert_eq!(guest.attributes["team"], "blue");
    assert_eq!(guest.attributes["sip.ruleID"], "SDR_1");
    assert!(!guest.attributes.contains_key("sip.phoneNumber"));
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn a_rule_with_a_pin_asks_for_it() {
    let mut bench = Bench::new();
    let rule = rule(&bench, Some("99"));
    bench.change(|parts| parts.rules = vec![rule]);
    let caller = bench.outsider_dials("+4940999");
    bench.acknowledges(caller);
    types(&mut bench, "98#");
    assert!(guests(&bench).is_empty());
    types(&mut bench, "99#");
    assert_eq!(guests(&bench).len(), 1);
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn keys_go_both_ways() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(ROOM_NUMBER);
    bench.acknowledges(caller);
    let (call, guest) = guests(&bench).remove(0);
    says(&mut bench, call, joined());
    types(&mut bench, "5");
    assert!(bench.to_rooms.contains(&(call, RoomOrder::Digit('5'))));
    says(&mut bench, call, RoomSaid::Digits("7#".to_owned()));
    for digit in ['7', '#'] {
        assert!(
            bench
                .orders
                .contains(&MediaOrder::SendDigit(guest.media.unwrap(), digit))
        );
    }
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn who_is_shown_out_is_hung_up_on() {
    for said in [RoomSaid::Removed, RoomSaid::Ended] {
        let mut bench = Bench::new();
        let caller = bench.outsider_dials(ROOM_NUMBER);
        bench.acknowledges(caller);
        let call = guests(&bench)[0].0;
        says(&mut bench, call, joined());
        says(&mut bench, call, said);
        assert!(is_ended(&bench, caller));
        all_quiet(&mut bench);
    }
}

#[test]
fn a_locked_room_turns_callers_away_with_a_word() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(ROOM_NUMBER);
    bench.acknowledges(caller);
    let call = guests(&bench)[0].0;
    says(&mut bench, call, RoomSaid::Refused(Refusal::Locked));
    assert!(!is_ended(&bench, caller));
    bench.plays_end();
    assert!(is_ended(&bench, caller));
    all_quiet(&mut bench);
}

#[test]
fn a_phone_that_holds_stays_in_its_room() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(ROOM_NUMBER);
    bench.acknowledges(caller);
    bench.wants(caller, Way::SEND);
    assert_eq!(leaves(&bench), 0);
    let told = bench.to_rooms.iter().rev().find_map(|(_, order)| match order {
        RoomOrder::Attributes(pairs) => pairs.get("sip.callStatus").cloned(),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("hold"));
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn somebody_is_called_into_a_room() {
    let mut bench = Bench::new();
    let (order, into) = into_room(&bench, "101");
    let now = bench.now;
    let call = bench.exchange.dial_into(order, into, now).unwrap();
    bench.perform_now();
    let ringing = bench.in_state(Far::Called);
    let (of, guest) = guests(&bench).remove(0);
    assert_eq!(
        (of, guest.room.as_str(), guest.identity.as_str()),
        (call, "weekly", "guest")
    );
    assert_eq!(guest.attributes["sip.phoneNumber"], "101");
    assert_eq!(
        (guest.attributes["sip.callStatus"].as_str(), guest.media),
        ("dialing", None)
    );
    says(&mut bench, call, joined());
    bench.rings(ringing[0]);
    bench.rings(ringing[0]);
    assert_eq!(statuses(&bench), ["ringing"]);
    bench.answers(ringing[0]);
    assert_eq!(statuses(&bench), ["ringing", "active"]);
    let speaks = bench.to_rooms.iter().find_map(|(_, order)| match order {
        RoomOrder::Speak(media) => Some(*media),
        _ => None,
    });
    let place = bench.told.last().unwrap().call.room.clone().unwrap();
    assert_eq!(place.participant.as_deref(), Some("PA_1"));
    assert!(bench.orders.contains(&MediaOrder::SendDigit(speaks.unwrap(), '2')));
    bench.pass(Duration::from_secs(61));
    assert_eq!(bench.told.last().unwrap().cause, Some(HangupCause::MaxDuration));
    assert_eq!(leaves(&bench), 1);
    all_quiet(&mut bench);
}

#[test]
fn who_does_not_answer_is_no_longer_seen_in_the_room_and_its_members_are_told_why() {
    for (status, why) in [
        (486, HangupCause::Busy),
        (603, HangupCause::Rejected),
        (480, HangupCause::Unreachable),
    ] {
        let mut bench = Bench::new();
        let (order, into) = into_room(&bench, "101");
        let now = bench.now;
        bench.exchange.dial_into(order, into, now).unwrap();
        bench.perform_now();
        for phone in bench.in_state(Far::Called) {
            bench.fails(phone, status);
        }
        let (_, last) = bench.to_rooms.last().unwrap();
        assert_eq!(*last, RoomOrder::Leave(Some(why)), "{status}");
        assert_eq!((leaves(&bench), statuses(&bench).len()), (1, 0));
        all_quiet(&mut bench);
    }
}

#[test]
fn who_lets_it_ring_is_said_not_to_have_answered() {
    let mut bench = Bench::new();
    let (mut order, into) = into_room(&bench, "101");
    order.ring_timeout = Some(Duration::from_secs(3));
    let now = bench.now;
    bench.exchange.dial_into(order, into, now).unwrap();
    bench.perform_now();
    for phone in bench.in_state(Far::Called) {
        bench.rings(phone);
    }
    bench.pass(Duration::from_secs(4));
    let left = bench
        .to_rooms
        .iter()
        .find(|(_, order)| matches!(order, RoomOrder::Leave(_)));
    assert_eq!(left.unwrap().1, RoomOrder::Leave(Some(HangupCause::NoAnswer)));
    all_quiet(&mut bench);
}

#[test]
fn who_is_shown_out_before_an_answer_is_rung_no_more() {
    for said in [RoomSaid::Removed, RoomSaid::Ended, RoomSaid::Refused(Refusal::Full)] {
        let mut bench = Bench::new();
        let (order, into) = into_room(&bench, "101");
        let now = bench.now;
        let call = bench.exchange.dial_into(order, into, now).unwrap();
        bench.perform_now();
        says(&mut bench, call, said);
        assert!(bench.in_state(Far::Called).is_empty());
        assert_eq!(leaves(&bench), 1);
        all_quiet(&mut bench);
    }
}

#[test]
fn a_phone_that_is_transferred_leaves_its_room_and_comes_back_when_nobody_answers() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(ROOM_NUMBER);
    bench.acknowledges(caller);
    let call = guests(&bench)[0].0;
    says(&mut bench, call, joined());
    let (tenant, now) = (bench.house.tenant, bench.now);
    assert!(!bench.exchange.transfer(tenant, call, "nobody", None, now));
    assert!(bench.exchange.transfer(tenant, call, "101", None, now));
    bench.perform_now();
    assert_eq!(leaves(&bench), 1);
    for phone in bench.in_state(Far::Called) {
        bench.fails(phone, 486);
    }
    assert_eq!(guests(&bench).len(), 2, "it is back");
    assert!(bench.exchange.transfer(tenant, call, "101", None, now));
    bench.perform_now();
    let ringing = bench.in_state(Far::Called);
    bench.answers(ringing[0]);
    assert_eq!(bench.told.last().unwrap().call.doing, "talking");
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

/// A bench whose flow hands callers to an agent, and the mailbox when there is none.
fn with_agent() -> Bench {
    let mut bench = Bench::new();
    let definition = serde_json::json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "clerk", "type": "agent", "data": {"agent": "clerk", "timeout": 8, "lostTimeout": 3}},
            {"id": "mail", "type": "voicemail", "data": {"mailbox": "101"}},
            {"id": "end", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "clerk"},
            {"id": "2", "source": "clerk", "target": "mail", "label": "fallback"},
            {"id": "3", "source": "clerk", "target": "end", "label": "next"}
        ]
    });
    let graph = strowger_ivr::Flow::parse(&definition).0.unwrap();
    bench.change(|parts| parts.flows[0].graph = std::sync::Arc::new(graph));
    bench
}

fn doing(bench: &Bench) -> String {
    bench.told.last().unwrap().call.doing.to_string()
}

#[test]
fn a_caller_who_waits_for_an_agent_that_does_not_come_takes_the_fallback() {
    let mut bench = with_agent();
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let (call, guest) = guests(&bench).remove(0);
    assert!(
        guest.room.starts_with("clerk_") && guest.room.len() > 15,
        "a room of their own: {}",
        guest.room
    );
    assert_eq!(guest.attributes[strowger_rooms::WANTS_AGENT], "clerk");
    says(&mut bench, call, joined());
    says(&mut bench, call, RoomSaid::Agent(false));
    bench.pass(Duration::from_secs(7));
    assert_eq!((doing(&bench).as_str(), leaves(&bench)), ("room", 0));
    bench.pass(Duration::from_secs(2));
    assert_eq!((doing(&bench).as_str(), leaves(&bench)), ("voicemail", 1));
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn a_caller_whose_agent_is_lost_takes_the_fallback_unless_another_comes() {
    let mut bench = with_agent();
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let call = guests(&bench)[0].0;
    says(&mut bench, call, joined());
    for there in [false, true, false, true] {
        says(&mut bench, call, RoomSaid::Agent(there));
    }
    bench.pass(Duration::from_secs(100));
    assert_eq!(doing(&bench), "room");
    says(&mut bench, call, RoomSaid::Agent(false));
    bench.pass(Duration::from_secs(4));
    assert_eq!(doing(&bench), "voicemail");
    bench.hangs_up(caller);
    let ways = &bench.finished[0].events;
    assert!(
        ways.iter()
            .any(|event| event.kind == "node" && event.detail == "fallback → mail")
    );
    all_quiet(&mut bench);
}

#[test]
fn a_caller_who_waits_for_an_agent_is_not_turned_away_when_there_is_no_room() {
    let mut bench = with_agent();
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let call = guests(&bench)[0].0;
    says(&mut bench, call, RoomSaid::Refused(Refusal::Full));
    bench.pass(Duration::from_secs(9));
    assert_eq!(doing(&bench), "voicemail");
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn an_agent_that_shows_its_caller_out_lets_the_flow_go_on() {
    let mut bench = with_agent();
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let call = guests(&bench)[0].0;
    says(&mut bench, call, joined());
    says(&mut bench, call, RoomSaid::Agent(true));
    says(&mut bench, call, RoomSaid::Ended);
    assert!(is_ended(&bench, caller));
    all_quiet(&mut bench);
}

#[test]
fn a_caller_of_a_flow_goes_on_when_the_room_is_left() {
    let mut bench = Bench::new();
    let definition = serde_json::json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "meet", "type": "room", "data": {"room": "made up", "pin": "12"}},
            {"id": "mail", "type": "voicemail", "data": {"mailbox": "101"}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "meet"},
            {"id": "2", "source": "meet", "target": "mail"}
        ]
    });
    let graph = strowger_ivr::Flow::parse(&definition).0.unwrap();
    bench.change(|parts| parts.flows[0].graph = std::sync::Arc::new(graph));
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    types(&mut bench, "12#");
    let (call, guest) = guests(&bench).remove(0);
    assert_eq!(guest.room, "made up");
    says(&mut bench, call, RoomSaid::Removed);
    assert_eq!(bench.told.last().unwrap().call.doing, "voicemail");
    bench.sip(SipEvent::Info {
        dialog: caller,
        content_type: "text/plain".to_owned(),
        body: "x".into(),
    });
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}
