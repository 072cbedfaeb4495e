//! One story a test.

use crate::bench::{BOB_NUMBER, BRIDGE_NUMBER, Bench, FLOW_NUMBER, FOREIGN_NUMBER, Far, MAIL_NUMBER, ROOM_NUMBER};
use std::time::Duration;
use strowger_media::Direction as Way;
use strowger_model::{CallState, HangupCause};
use strowger_sip::{Command, DialogKey, SipEvent};
use strowger_switch::call::MediaOrder;
use strowger_switch::live::{EventKind, PlaceCall, PlaceError, Steer};

fn rejected(bench: &Bench, of: DialogKey) -> Option<u16> {
    bench.commands.iter().find_map(|command| match command {
        Command::Reject { dialog, status, .. } if *dialog == of => Some(*status),
        _ => None,
    })
}

fn last(bench: &Bench) -> (CallState, HangupCause) {
    let call = &bench.finished.last().unwrap().call;
    (call.state, call.cause.unwrap())
}

fn all_quiet(bench: &mut Bench) {
    bench.last_words();
    assert_eq!(bench.exchange.count(), 0);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
    assert_eq!(bench.begun.len(), bench.finished.len());
    assert!(bench.captures.values().all(|open| !open));
    assert!(bench.exchange.poll_timeout().is_none());
}

#[test]
fn a_clock_that_is_set_changes_the_length_of_no_call() {
    for jump_ms in [3_600_000, -3_600_000] {
        let mut bench = Bench::new();
        let ada = bench.ada_dials("101");
        let ringing = bench.in_state(Far::Called);
        bench.answers(ringing[0]);
        bench.acknowledges(ada);
        bench.pass(Duration::from_secs(4));
        bench.world.set_clock(jump_ms);
        bench.pass(Duration::from_secs(6));
        bench.hangs_up(ringing[0]);
        assert_eq!(bench.finished[0].call.duration_ms, 10_000, "{jump_ms}");
        all_quiet(&mut bench);
    }
}

#[test]
fn one_phone_calls_another_and_both_are_captured() {
    let mut bench = Bench::new();
    let ada = bench.ada_dials("101");
    let ringing = bench.in_state(Far::Called);
    assert_eq!(ringing.len(), 2, "both phones of Bob ring");
    bench.rings(ringing[0]);
    assert!(
        bench
            .commands
            .iter()
            .any(|command| matches!(command, Command::Ring { status: 180, .. }))
    );
    bench.answers(ringing[1]);
    assert_eq!(bench.state(ada), Some(Far::Answered));
    assert_eq!(bench.state(ringing[0]), Some(Far::CalledOff));
    bench.acknowledges(ada);
    assert_eq!(bench.captures.len(), 1);
    bench.pass(Duration::from_secs(10));
    bench.hangs_up(ringing[1]);
    assert_eq!(last(&bench), (CallState::Completed, HangupCause::Normal));
    let finished = &bench.finished[0];
    assert_eq!(finished.call.duration_ms, 10_000);
    assert_eq!((finished.taken.len(), finished.legs.len()), (1, 3));
    assert_eq!(finished.legs[1].cause, Some(HangupCause::AnsweredElsewhere));
    assert!(
        finished
            .legs
            .iter()
            .all(|leg| leg.ended_at.is_some() && leg.quality.is_some())
    );
    let kinds: Vec<_> = bench.told.iter().map(|event| event.kind).collect();
    for kind in [
        EventKind::Started,
        EventKind::Ringing,
        EventKind::Accepted,
        EventKind::Ended,
    ] {
        assert_eq!(kinds.iter().filter(|seen| **seen == kind).count(), 1, "{kind:?}");
    }
    all_quiet(&mut bench);
}

#[test]
fn a_call_held_for_twelve_minutes_goes_on_at_once_in_its_codec() {
    let mut bench = Bench::new();
    let ada = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(ada);
    bench.last_words();
    let agreed = |bench: &Bench| {
        let connected = bench.orders.iter().rev().find_map(|order| match order {
            MediaOrder::Connect(_, agreed) => Some((agreed.codec, agreed.payload_type)),
            _ => None,
        });
        connected.unwrap()
    };
    let before = agreed(&bench);
    for round in 1..=2 {
        bench.orders.clear();
        bench.wants(ada, Way::SEND);
        let plays = |bench: &Bench| {
            let music = |order: &&MediaOrder| matches!(order, MediaOrder::Play { repeat: true, .. });
            bench.orders.iter().filter(music).count()
        };
        assert_eq!(plays(&bench), 1, "Bob hears music");
        bench.pass(Duration::from_secs(12 * 60));
        assert_eq!((bench.state(ada), bench.state(bob)), (Some(Far::Up), Some(Far::Up)));
        bench.orders.clear();
        let (began, now) = (bench.now, bench.commands.len());
        bench.wants(ada, Way::BOTH);
        // In no time at all: the music stops, the hold ends, the answer goes out.
        assert_eq!(bench.now, began);
        assert!(bench.orders.iter().any(|order| matches!(order, MediaOrder::Stop(_))));
        assert!(
            bench
                .orders
                .iter()
                .any(|order| matches!(order, MediaOrder::Hold(_, false)))
        );
        assert!(matches!(bench.commands[now..], [Command::AnswerReoffer { .. }]));
        assert_eq!(agreed(&bench), before, "round {round}");
    }
    bench.hangs_up(bob);
    assert_eq!(last(&bench), (CallState::Completed, HangupCause::Normal));
    all_quiet(&mut bench);
}

#[test]
fn opening_hours_without_a_zone_are_those_of_the_tenant() {
    use strowger_model::settings::{Entry, Layer, Lock};
    // The bench's clock stands at 22:13 UTC on a Tuesday; in Tokyo it is a quarter past seven in the morning.
    let definition = serde_json::json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "hours", "type": "hours", "data": {"hours": {"daily": "07:00-08:00"}}},
            {"id": "open", "type": "dial", "data": {"number": "101"}},
            {"id": "closed", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "hours"},
            {"id": "2", "source": "hours", "target": "open", "label": "open"},
            {"id": "3", "source": "hours", "target": "closed", "label": "closed"},
            {"id": "4", "source": "open", "target": "closed", "label": "no-answer"}
        ]
    });
    let (graph, _) = strowger_ivr::Flow::parse(&definition);
    let graph = std::sync::Arc::new(graph.unwrap());
    for (zone, rings) in [("", false), ("Asia/Tokyo", true)] {
        let mut bench = Bench::new();
        bench.change(|parts| {
            parts.flows[0].graph = graph.clone();
            let value = Some(zone.to_owned());
            let entry = Entry {
                value,
                lock: Lock::Unlocked,
            };
            parts.platform_settings = Layer::from([("time_zone".to_owned(), entry)]);
        });
        bench.outsider_dials(FLOW_NUMBER);
        assert_eq!(!bench.in_state(Far::Called).is_empty(), rings, "{zone}");
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let mut bench = Bench::new();
    bench.ada_dials("101");
    let ringing = bench.in_state(Far::Called);
    bench.answers(ringing[0]);
    assert_eq!(bench.state(ringing[1]), Some(Far::CalledOff));
    bench.answers(ringing[1]);
    assert_eq!(bench.state(ringing[1]), Some(Far::Ending));
    bench.hangs_up(ringing[0]);
    all_quiet(&mut bench);
}

#[test]
fn a_caller_who_gives_up_cancels_everybody() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(BOB_NUMBER);
    let ringing = bench.in_state(Far::Called);
    bench.rings(ringing[0]);
    bench.gives_up(caller);
    assert_eq!(last(&bench), (CallState::Cancelled, HangupCause::Cancelled));
    assert_eq!(bench.in_state(Far::CalledOff), ringing);
    all_quiet(&mut bench);
}

#[test]
fn nobody_answers_in_time_and_the_mailbox_takes_a_message() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(BOB_NUMBER);
    bench.pass(Duration::from_secs(61));
    assert_eq!(bench.in_state(Far::CalledOff).len(), 2);
    bench.acknowledges(caller);
    bench.plays_end();
    assert_eq!(bench.captures.len(), 1);
    bench.pass(Duration::from_millis(4_200));
    bench.hangs_up(caller);
    let finished = &bench.finished[0];
    let message = finished.message.as_ref().unwrap();
    assert_eq!(message.duration_ms, 4_200);
    assert_eq!(message.user, bench.house.bob);
    assert_eq!(finished.taken[0].recorded_by, "voicemail");
    assert_eq!(finished.taken[0].recording, message.recording);
    all_quiet(&mut bench);
}

#[test]
fn a_message_ends_with_the_hash_key_or_when_it_is_too_long() {
    for by_key in [true, false] {
        let mut bench = Bench::new();
        let caller = bench.outsider_dials(MAIL_NUMBER);
        bench.acknowledges(caller);
        bench.plays_end();
        if by_key {
            bench.pass(Duration::from_secs(2));
            let leg = bench.open_media()[0];
            bench.presses(leg, '#');
        } else {
            bench.pass(Duration::from_secs(181));
        }
        assert_eq!(bench.state(caller), Some(Far::Ending));
        let message = bench.finished[0].message.as_ref().unwrap();
        assert_eq!(message.duration_ms, if by_key { 2_000 } else { 180_000 });
        all_quiet(&mut bench);
    }
}

#[test]
fn an_unreachable_callee_without_a_mailbox_is_a_missed_call() {
    let mut bench = Bench::new();
    for phone in bench.house.bob_phones {
        bench.supply.unbind(phone);
    }
    let no = strowger_model::settings::Entry {
        value: Some("false".to_owned()),
        lock: strowger_model::settings::Lock::Unlocked,
    };
    bench.change(|parts| {
        parts.platform_settings.insert("enable_voicemail".to_owned(), no);
    });
    let caller = bench.outsider_dials(BOB_NUMBER);
    assert_eq!(rejected(&bench, caller), Some(480));
    assert_eq!(last(&bench), (CallState::Missed, HangupCause::Unreachable));
    all_quiet(&mut bench);
}

#[test]
fn a_longest_call_ends_with_bye_on_both_sides() {
    let mut bench = Bench::new();
    let ada = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(ada);
    bench.pass(Duration::from_millis(3_599_900));
    assert_eq!(bench.finished.len(), 0);
    bench.pass(Duration::from_millis(200));
    assert_eq!(last(&bench), (CallState::Completed, HangupCause::MaxDuration));
    assert_eq!(bench.state(ada), Some(Far::Ending));
    assert_eq!(bench.state(bob), Some(Far::Ending));
    all_quiet(&mut bench);
}

#[test]
fn a_flow_leads_to_the_next_phone_when_the_first_is_busy() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let leg = bench.open_media()[0];
    bench.presses(leg, '1');
    let bobs = bench.in_state(Far::Called);
    assert_eq!(bobs.len(), 2);
    bench.fails(bobs[0], 486);
    bench.fails(bobs[1], 486);
    let ada = bench.in_state(Far::Called);
    assert_eq!(ada.len(), 1, "the next in turn rings");
    bench.rings(ada[0]);
    assert!(
        bench
            .orders
            .iter()
            .any(|order| matches!(order, MediaOrder::Play { repeat: true, .. })),
        "ringback"
    );
    bench.answers(ada[0]);
    assert!(bench.orders.iter().any(|order| matches!(order, MediaOrder::Bridge(..))));
    assert_eq!(bench.captures.len(), 1, "one capture from the answer on");
    bench.hangs_up(ada[0]);
    bench.last_words();
    bench.hangs_up(caller);
    all_quiet(&mut bench);
}

#[test]
fn a_flow_takes_a_message_when_nobody_answers() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let leg = bench.open_media()[0];
    bench.presses(leg, '1');
    bench.pass(Duration::from_secs(21));
    bench.plays_end();
    bench.pass(Duration::from_secs(3));
    bench.hangs_up(caller);
    let finished = &bench.finished[0];
    assert!(finished.message.is_some());
    assert_eq!(finished.taken.len(), 2, "the flow's part and the message");
    all_quiet(&mut bench);
}

#[test]
fn the_held_party_hears_music_until_it_is_fetched_back() {
    let mut bench = Bench::new();
    let ada = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(ada);
    bench.orders.clear();
    bench.wants(bob, Way::SEND);
    assert!(
        bench
            .commands
            .iter()
            .any(|command| matches!(command, Command::AnswerReoffer { .. }))
    );
    assert!(
        bench
            .orders
            .iter()
            .any(|order| matches!(order, MediaOrder::Play { repeat: true, .. }))
    );
    assert!(bench.told.last().unwrap().call.legs.iter().any(|leg| leg.held));
    bench.orders.clear();
    bench.wants(bob, Way::BOTH);
    assert!(
        bench
            .orders
            .iter()
            .any(|order| matches!(order, MediaOrder::Hold(_, false)))
    );
    assert!(bench.orders.iter().any(|order| matches!(order, MediaOrder::Stop(_))));
    bench.hangs_up(ada);
    all_quiet(&mut bench);
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_owes_its_answer() {
    let mut bench = Bench::new();
    let origin = bench.ada();
    let ada = bench.call(origin, "101", false);
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(ada);
    let connected = bench
        .orders
        .iter()
        .filter(|order| matches!(order, MediaOrder::Connect(..)))
        .count();
    assert_eq!(connected, 2);
    bench.hangs_up(ada);
    let origin = bench.ada();
    let ada = bench.call(origin, "101", false);
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.far.get_mut(&ada).unwrap().0 = Far::Up;
    let body = bytes::Bytes::new();
    bench.sip(SipEvent::Confirmed { dialog: ada, body });
    assert_eq!(last(&bench).1, HangupCause::NoCodec);
    all_quiet(&mut bench);
}

#[test]
fn calls_go_out_through_the_provider_and_no_further_than_its_limit() {
    let mut bench = Bench::new();
    for n in 0..5 {
        let ada = bench.ada_dials("+1 555 555 0123");
        assert_eq!(rejected(&bench, ada), (n == 4).then_some(503), "{n}");
    }
    assert_eq!(bench.exchange.load_on(bench.house.provider_out), 4);
    for dialog in bench.in_state(Far::Called) {
        bench.fails(dialog, 603);
    }
    assert_eq!(bench.exchange.load_on(bench.house.provider_out), 0);
    all_quiet(&mut bench);
}

#[test]
fn a_number_forwards_to_another_provider_and_early_media_is_heard() {
    let mut bench = Bench::new();
    let caller = bench.outsider_dials(BRIDGE_NUMBER);
    let out = bench.in_state(Far::Called)[0];
    let body = bench.early_body(out);
    bench.sip(SipEvent::Progress {
        dialog: out,
        status: 183,
        body,
    });
    let early = bench
        .commands
        .iter()
        .any(|command| matches!(command, Command::Ring { status: 183, body, .. } if !body.is_empty()));
    assert!(early);
    bench.answers(out);
    bench.acknowledges(caller);
    bench.hangs_up(caller);
    assert_eq!(last(&bench), (CallState::Completed, HangupCause::Normal));
    all_quiet(&mut bench);
}

#[test]
fn what_belongs_to_another_tenant_is_not_found_and_noted() {
    let mut bench = Bench::new();
    for (n, dialled) in ["eve-desk", FOREIGN_NUMBER].into_iter().enumerate() {
        let ada = bench.ada_dials(dialled);
        assert_eq!(rejected(&bench, ada), Some(404), "{dialled}");
        assert_eq!(bench.crossed, n + 1);
    }
    let outside = bench.outsider_dials(FOREIGN_NUMBER);
    assert_eq!(rejected(&bench, outside), Some(404));
    assert!(bench.in_state(Far::Called).is_empty());
    all_quiet(&mut bench);
}

fn order(bench: &Bench, from: Option<&str>, to: &str) -> PlaceCall {
    PlaceCall {
        tenant: bench.house.tenant,
        user: None,
        from: from.map(str::to_owned),
        to: to.to_owned(),
        record: Some(true),
        transcribe: true,
        ring_timeout: Some(Duration::from_secs(3)),
        metadata: serde_json::json!({"order": 7}).into(),
        flow: None,
    }
}

#[test]
fn a_program_calls_somebody_and_brings_its_own_phone_in() {
    let mut bench = Bench::new();
    let wanted = order(&bench, Some("100"), "+15555550123");
    let call = bench.exchange.place(wanted, bench.now).unwrap();
    bench.perform_now();
    let outside = bench.in_state(Far::Called)[0];
    bench.rings(outside);
    bench.answers(outside);
    let ada = bench.in_state(Far::Called)[0];
    bench.answers(ada);
    assert!(bench.orders.iter().any(|order| matches!(order, MediaOrder::Bridge(..))));
    bench.pass(Duration::from_secs(5));
    bench.hangs_up(outside);
    let finished = &bench.finished[0];
    assert_eq!(finished.call.id, call);
    assert_eq!(finished.call.metadata, serde_json::json!({"order": 7}).into());
    assert_eq!(
        (finished.call.state, finished.call.duration_ms),
        (CallState::Completed, 5_000)
    );
    assert_eq!(finished.taken[0].recorded_by, "api");
    let sides: Vec<_> = finished.legs.iter().map(|leg| leg.side.as_str()).collect();
    assert_eq!(sides, ["callee", "caller"]);
    all_quiet(&mut bench);
}

#[test]
fn a_placed_call_that_nobody_answers_ends_at_its_own_timeout() {
    let mut bench = Bench::new();
    let wanted = order(&bench, None, "101");
    bench.exchange.place(wanted, bench.now).unwrap();
    bench.pass(Duration::from_millis(3_100));
    assert_eq!(last(&bench), (CallState::NoAnswer, HangupCause::NoAnswer));
    let foreign = order(&bench, Some("999"), "101");
    assert_eq!(bench.exchange.place(foreign, bench.now), Err(PlaceError::ForeignCaller));
    let nowhere = order(&bench, None, "not a number");
    assert_eq!(bench.exchange.place(nowhere, bench.now), Err(PlaceError::NoRoute));
    all_quiet(&mut bench);
}

#[test]
fn recording_is_paused_and_resumed_and_a_call_is_ended_outsider_dials() {
    let mut bench = Bench::new();
    let ada = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(ada);
    let call = *bench.begun.first().unwrap();
    let (tenant, now) = (bench.house.tenant, bench.now);
    assert!(!bench.exchange.steer(bench.house.other_tenant, call, Steer::HangUp, now));
    for steer in [
        Steer::PauseRecording,
        Steer::ResumeRecording,
        Steer::StopRecording,
        Steer::StartRecording,
    ] {
        assert!(bench.exchange.steer(tenant, call, steer, now));
    }
    assert!(bench.exchange.steer(tenant, call, Steer::HangUp, now));
    bench.perform_now();
    let pauses = bench
        .orders
        .iter()
        .filter(|order| matches!(order, MediaOrder::CapturePause(..)))
        .count();
    assert_eq!(pauses, 4);
    assert_eq!(bench.finished[0].taken.len(), 2);
    assert_eq!(last(&bench), (CallState::Completed, HangupCause::Administrative));
    all_quiet(&mut bench);
}

#[test]
fn at_the_limit_and_while_draining_calls_are_refused_with_503() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.outsider_dials(ROOM_NUMBER);
    }
    let one_more = bench.outsider_dials(ROOM_NUMBER);
    assert_eq!(rejected(&bench, one_more), Some(503));
    bench.tell(strowger_switch::exchange::Input::Shutdown);
    let late = bench.outsider_dials(ROOM_NUMBER);
    assert_eq!(rejected(&bench, late), Some(503));
    assert!(bench.exchange.is_over());
    all_quiet(&mut bench);
}

#[test]
fn a_call_that_breaks_is_ended_and_takes_no_other_with_it() {
    let mut bench = Bench::new();
    let first = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    for origin_is_outside in [true, false] {
        bench.supply.breaks.store(true, std::sync::atomic::Ordering::Relaxed);
        let broken = if origin_is_outside {
            bench.outsider_dials(BOB_NUMBER)
        } else {
            bench.ada_dials("+15555550123")
        };
        assert_eq!(rejected(&bench, broken), Some(500));
        assert_eq!(last(&bench), (CallState::Failed, HangupCause::InternalError));
    }
    bench.answers(bob);
    bench.acknowledges(first);
    bench.hangs_up(first);
    assert_eq!(last(&bench), (CallState::Completed, HangupCause::Normal));
    all_quiet(&mut bench);
}

#[test]
fn an_extension_that_only_another_tenant_has_is_not_found_and_noted() {
    let mut bench = Bench::new();
    bench.change(|parts| {
        parts.trunks.clear();
        parts.users[2].extension = Some("777".to_owned());
    });
    let ada = bench.ada_dials("777");
    assert_eq!((rejected(&bench, ada), bench.crossed), (Some(404), 1));
    all_quiet(&mut bench);
}

#[test]
fn no_free_port_refuses_a_call_and_leaves_nothing() {
    let mut bench = Bench::new();
    bench.supply.most_open.store(0, std::sync::atomic::Ordering::Relaxed);
    let ada = bench.ada_dials("101");
    assert_eq!(bench.state(ada), Some(Far::Ending));
    all_quiet(&mut bench);
}
