//! Talks that a restart cut: who is brought together again, who is told that it is over, and what is recorded of it.

use crate::bench::{BOB_NUMBER, Bench, FLOW_NUMBER, Far, MAIL_NUMBER, ROOM_NUMBER};
use std::time::Duration;
use strowger_ivr::Phrase;
use strowger_media::{Codec, Direction as Way, sdp};
use strowger_model::record::CallEvent;
use strowger_model::settings::{Entry, Lock};
use strowger_model::{CallState, HangupCause};
use strowger_sip::{Command, DialogKey, SipEvent};
use strowger_switch::call::MediaOrder;
use strowger_switch::live::{EventKind, Steer};

fn set(bench: &mut Bench, settings: &[(&str, &str)]) {
    let tenant = bench.house.tenant;
    bench.change(|parts| {
        for (name, value) in settings {
            let entry = Entry {
                value: Some((*value).to_owned()),
                lock: Lock::Unlocked,
            };
            parts.platform_settings.insert((*name).to_owned(), entry);
        }
        for phrase in [Phrase::Recorded, Phrase::MayRecord] {
            let samples = vec![1_000_i16; 8_000].into();
            parts.audio.speech.insert((tenant, phrase.say("en").key()), samples);
        }
    });
}

/// Somebody from outside talks with Bob.
fn talking(bench: &mut Bench) -> [DialogKey; 2] {
    let caller = bench.outsider_dials(BOB_NUMBER);
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(caller);
    bench.last_words();
    [caller, bob]
}

fn is_bridged(bench: &Bench) -> bool {
    bench.orders.iter().any(|order| matches!(order, MediaOrder::Bridge(..)))
}

/// What our answer to a caller was spoken in.
fn answered_with(bench: &Bench, of: DialogKey) -> Vec<Codec> {
    let mut commands = bench.commands.iter();
    let found = commands.find_map(|command| match command {
        Command::Answer { dialog, body } if *dialog == of => Some(sdp::spoken(body)),
        _ => None,
    });
    found.unwrap()
}

fn says_bye(bench: &Bench, of: DialogKey) -> bool {
    let mut commands = bench.commands.iter();
    commands.any(|command| matches!(command, Command::Bye { dialog, .. } if *dialog == of))
}

/// What the row of the call of before says came of it.
fn came_of_it(bench: &Bench) -> &str {
    let before = &bench.finished[0];
    assert_eq!(before.call.cause, Some(HangupCause::DaemonRestart));
    let event = before.events.iter().find(|event| event.kind == "restart");
    event.map_or("", |event| &event.detail)
}

fn is_empty(bench: &mut Bench) {
    bench.last_words();
    assert_eq!(bench.exchange.count(), 0);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
    assert!(bench.exchange.poll_timeout().is_none());
    assert!(bench.open_media().is_empty());
    assert!(bench.remembered.is_empty());
    assert!(bench.rows.is_empty(), "every call is written");
}

/// How many captures there were after this one was cut.
fn recorded_again(bench: &mut Bench, [caller, bob]: [DialogKey; 2]) -> usize {
    let before = bench.captures.len();
    bench.restart();
    bench.agrees(bob);
    bench.agrees(caller);
    assert!(is_bridged(bench));
    bench.captures.len() - before
}

#[test]
fn two_who_talked_talk_again() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    let spoken = answered_with(&bench, caller);
    bench.pass(Duration::from_secs(60));
    bench.restart();
    for dialog in [caller, bob] {
        let offer = bench.reoffered(dialog).unwrap();
        assert_eq!(sdp::spoken(&offer).len(), 1, "what is spoken and nothing else");
    }
    assert_eq!(sdp::spoken(&bench.reoffered(caller).unwrap()), spoken[..1]);
    let told = bench.told.len();
    bench.agrees(caller);
    assert!(!is_bridged(&bench), "the other one has said nothing yet");
    assert_eq!(bench.told.len(), told, "nobody sees it yet");
    bench.agrees(bob);
    assert!(is_bridged(&bench));
    let (id, row) = bench.rows.first_key_value().unwrap();
    assert_eq!(came_of_it(&bench), format!("re-attached, goes on as call {id}"));
    assert_eq!(
        (row.state, &*row.from_number),
        (CallState::Active, &*bench.finished[0].call.from_number)
    );
    let kinds: Vec<EventKind> = bench.told[told..].iter().map(|event| event.kind).collect();
    assert_eq!(kinds[..2], [EventKind::Started, EventKind::Accepted]);
    bench.pass(Duration::from_secs(30));
    bench.hangs_up(caller);
    assert!(says_bye(&bench, bob));
    is_empty(&mut bench);
    let after = &bench.finished[1];
    assert_eq!(
        (after.call.state, after.call.duration_ms),
        (CallState::Completed, 30_000)
    );
    let first = format!("continues call {}", bench.finished[0].call.id);
    assert!(
        after
            .events
            .iter()
            .any(|event| event.kind == "re-attached" && event.detail == first)
    );
    let halves = [0, 1].map(|n| bench.finished[n].events.iter().find_map(CallEvent::other_half));
    let ids = [1, 0].map(|n| Some(bench.finished[n].call.id));
    assert_eq!(halves, ids, "each can be followed to the other");
}

#[test]
fn when_one_refuses_both_are_ended() {
    for status in [488, 606] {
        let mut bench = Bench::new();
        let [caller, bob] = talking(&mut bench);
        bench.restart();
        bench.agrees(bob);
        let dialog = caller;
        bench.sip(SipEvent::ReofferFailed { dialog, status });
        assert!(says_bye(&bench, caller) && says_bye(&bench, bob));
        assert!(!is_bridged(&bench));
        assert_eq!(came_of_it(&bench), format!("not re-attached: caller: {status}"));
        is_empty(&mut bench);
        assert_eq!(bench.finished.len(), 1);
    }
}

#[test]
fn when_one_says_nothing_both_are_ended_in_time() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.restart();
    bench.agrees(caller);
    bench.pass(Duration::from_millis(4_900));
    assert!(!says_bye(&bench, caller));
    bench.pass(Duration::from_millis(200));
    assert!(says_bye(&bench, caller) && says_bye(&bench, bob));
    assert_eq!(came_of_it(&bench), "not re-attached: callee: no answer");
    is_empty(&mut bench);
}

#[test]
fn a_phone_that_has_to_connect_again_has_five_seconds_more() {
    for comes_back in [true, false] {
        let mut bench = Bench::new();
        let [caller, bob] = talking(&mut bench);
        bench.absent.push(bob);
        bench.restart();
        bench.agrees(caller);
        bench.pass(Duration::from_millis(9_900));
        assert!(!says_bye(&bench, caller));
        if comes_back {
            bench.agrees(bob);
            assert!(is_bridged(&bench));
            bench.hangs_up(bob);
        } else {
            bench.pass(Duration::from_millis(200));
            assert_eq!(came_of_it(&bench), "not re-attached: callee: no answer");
        }
        assert!(says_bye(&bench, caller));
        is_empty(&mut bench);
    }
}

#[test]
fn who_hangs_up_meanwhile_ends_the_other() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.restart();
    bench.hangs_up(bob);
    assert!(says_bye(&bench, caller));
    assert_eq!(came_of_it(&bench), "not re-attached: callee: gone");
    is_empty(&mut bench);
}

#[test]
fn an_answer_that_cannot_be_used_ends_both() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.restart();
    let body = bytes::Bytes::from_static(b"v=0 nonsense");
    bench.sip(SipEvent::ReofferAnswered { dialog: bob, body });
    assert!(says_bye(&bench, caller) && says_bye(&bench, bob));
    is_empty(&mut bench);
}

#[test]
fn without_ports_both_are_ended() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.supply.most_open.store(1, std::sync::atomic::Ordering::Relaxed);
    bench.restart();
    assert!(says_bye(&bench, caller) && says_bye(&bench, bob));
    is_empty(&mut bench);
}

#[test]
fn a_dialog_whose_other_one_was_lost_is_ended() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.remembered.remove(&caller);
    bench.restart();
    assert_eq!((bench.state(caller), bench.state(bob)), (None, None));
    assert_eq!(bench.finished.len(), 1);
    is_empty(&mut bench);
}

#[test]
fn a_memo_that_cannot_be_read_or_fits_no_other_ends_its_dialogs() {
    for change in ["call", "other", "is_near", "session"] {
        let mut bench = Bench::new();
        let [caller, bob] = talking(&mut bench);
        let memo = bench.remembered.get_mut(&bob).unwrap();
        memo[change] = match change {
            "is_near" => true.into(),
            "session" => 7.into(),
            _ => memo["leg"].clone(),
        };
        bench.restart();
        assert_eq!((bench.state(caller), bench.state(bob)), (None, None), "{change}");
        is_empty(&mut bench);
    }
}

#[test]
fn what_was_removed_locked_or_is_of_another_tenant_ends_the_call() {
    type Change = fn(&mut Bench);
    let changes: [Change; 5] = [
        |bench| bench.change(|parts| parts.trunks.clear()),
        |bench| bench.change(|parts| parts.devices.iter_mut().for_each(|device| device.active = false)),
        |bench| bench.change(|parts| parts.tenants.iter_mut().for_each(|tenant| tenant.active = false)),
        |bench| set(bench, &[("reattach_calls", "false")]),
        |bench| {
            let other = bench.house.other_tenant;
            bench.rows.values_mut().for_each(|row| row.tenant = other);
        },
    ];
    for change in changes {
        let mut bench = Bench::new();
        let [caller, bob] = talking(&mut bench);
        // As it stood when the process was killed.
        let kept = bench.remembered.clone();
        assert_eq!(kept.len(), 2);
        change(&mut bench);
        bench.remembered = kept;
        bench.restart();
        assert_eq!((bench.state(caller), bench.state(bob)), (None, None));
        is_empty(&mut bench);
    }
}

#[test]
fn nothing_is_kept_of_what_is_no_talk_or_where_the_setting_is_off() {
    let mut bench = Bench::new();
    set(&mut bench, &[("reattach_calls", "false")]);
    talking(&mut bench);
    assert!(bench.remembered.is_empty());
    for number in [FLOW_NUMBER, MAIL_NUMBER, ROOM_NUMBER] {
        let mut bench = Bench::new();
        let caller = bench.outsider_dials(number);
        bench.acknowledges(caller);
        assert!(bench.remembered.is_empty(), "{number}");
    }
    let mut bench = Bench::new();
    bench.outsider_dials(BOB_NUMBER);
    assert!(bench.remembered.is_empty(), "it rings");
}

#[test]
fn what_is_handed_over_is_not_kept_until_somebody_talks_again() {
    let mut bench = Bench::new();
    let [_, bob] = talking(&mut bench);
    assert_eq!(bench.remembered.len(), 2);
    let to = "100".to_owned();
    bench.sip(SipEvent::Refer { dialog: bob, to });
    assert!(bench.remembered.is_empty());
}

#[test]
fn a_talk_is_taken_up_three_times_and_no_more() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    for _ in 0..3 {
        assert_eq!(bench.remembered.len(), 2);
        bench.restart();
        bench.agrees(caller);
        bench.agrees(bob);
    }
    assert!(bench.remembered.is_empty(), "the fourth time it is ended");
    bench.restart();
    assert_eq!(bench.finished.len(), 4);
    is_empty(&mut bench);
}

#[test]
fn a_kill_while_it_is_taken_up_ends_it() {
    let mut bench = Bench::new();
    talking(&mut bench);
    bench.restart();
    assert!(bench.remembered.is_empty());
    bench.restart();
    assert_eq!(bench.finished.len(), 1);
    is_empty(&mut bench);
}

#[test]
fn who_was_held_hears_music_again() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.wants(bob, Way::SEND);
    bench.restart();
    bench.agrees(bob);
    bench.agrees(caller);
    let repeats = |order: &MediaOrder| matches!(order, MediaOrder::Play { repeat: true, .. });
    assert!(bench.orders.iter().any(repeats));
    assert_eq!(bench.told.last().unwrap().call.doing, "held");
    bench.wants(bob, Way::BOTH);
    assert_eq!(bench.told.last().unwrap().call.doing, "talking");
    bench.hangs_up(bob);
    is_empty(&mut bench);
}

#[test]
fn an_offer_of_theirs_meanwhile_is_answered() {
    let mut bench = Bench::new();
    let [caller, bob] = talking(&mut bench);
    bench.restart();
    bench.wants(bob, Way::BOTH);
    assert!(matches!(bench.commands.last(), Some(Command::AnswerReoffer { .. })));
    bench.agrees(bob);
    bench.agrees(caller);
    assert!(is_bridged(&bench));
    bench.hangs_up(bob);
    is_empty(&mut bench);
}

#[test]
fn a_recorded_talk_is_recorded_on() {
    for more in [
        &[][..],
        &[("recording_consent", "true")],
        &[("recording_announcement", "true")],
    ] {
        let mut bench = Bench::new();
        set(&mut bench, &[("auto_record_calls", "true")]);
        set(&mut bench, more);
        let talk = talking(&mut bench);
        if more == [("recording_consent", "true")] {
            let leg = bench.open_media()[1];
            bench.presses(leg, '1');
        }
        bench.plays_end();
        assert_eq!(bench.captures.len(), 1);
        let consents = bench.consents.len();
        assert_eq!(recorded_again(&mut bench, talk), 1, "{more:?}");
        assert_eq!(bench.consents.len(), consents, "nobody is told twice");
        bench.hangs_up(talk[0]);
        is_empty(&mut bench);
        assert_eq!(bench.finished[1].taken[0].recorded_by, "settings");
    }
}

#[test]
fn nothing_is_recorded_on_that_was_paused_stopped_or_refused_or_is_in_doubt() {
    type Change = fn(&mut Bench);
    let steer = |bench: &mut Bench, steer| {
        let call = *bench.rows.first_key_value().unwrap().0;
        let (tenant, now) = (bench.house.tenant, bench.now);
        assert!(bench.exchange.steer(tenant, call, steer, now));
        bench.perform_now();
    };
    let steered = [Steer::PauseRecording, Steer::StopRecording];
    for how in steered {
        let mut bench = Bench::new();
        set(&mut bench, &[("auto_record_calls", "true")]);
        let talk = talking(&mut bench);
        steer(&mut bench, how);
        assert_eq!(recorded_again(&mut bench, talk), 0, "{how:?}");
    }
    // Settings that came into force while nobody was there.
    let changes: [Change; 2] = [
        |bench| set(bench, &[("enable_call_recording", "false")]),
        |bench| set(bench, &[("recording_consent", "true")]),
    ];
    for change in changes {
        let mut bench = Bench::new();
        set(&mut bench, &[("auto_record_calls", "true")]);
        let talk = talking(&mut bench);
        assert_eq!(bench.captures.len(), 1);
        change(&mut bench);
        assert_eq!(recorded_again(&mut bench, talk), 0);
    }
    // A party that said no, and one that has said nothing yet.
    for key in [Some('2'), None] {
        let mut bench = Bench::new();
        set(
            &mut bench,
            &[("auto_record_calls", "true"), ("recording_consent", "true")],
        );
        let talk = talking(&mut bench);
        if let Some(key) = key {
            let leg = bench.open_media()[1];
            bench.presses(leg, key);
        }
        assert_eq!(recorded_again(&mut bench, talk), 0, "{key:?}");
        if key.is_some() {
            steer(&mut bench, Steer::StartRecording);
            assert!(bench.captures.is_empty(), "a no outlives a restart");
        }
    }
    // One leg says that it was paused, the other one was not written in time.
    let mut bench = Bench::new();
    set(&mut bench, &[("auto_record_calls", "true")]);
    let talk = talking(&mut bench);
    let late = bench.remembered[&talk[0]].clone();
    steer(&mut bench, Steer::PauseRecording);
    bench.remembered.insert(talk[0], late);
    assert_eq!(recorded_again(&mut bench, talk), 0);
}

#[test]
fn the_longest_call_is_counted_from_its_first_answer() {
    let mut bench = Bench::new();
    set(&mut bench, &[("max_call_duration_seconds", "100")]);
    let [caller, bob] = talking(&mut bench);
    for _ in 0..2 {
        bench.pass(Duration::from_secs(30));
        bench.restart();
        bench.agrees(caller);
        bench.agrees(bob);
    }
    bench.pass(Duration::from_secs(39));
    assert!(!says_bye(&bench, bob));
    bench.pass(Duration::from_secs(2));
    assert!(says_bye(&bench, bob));
    is_empty(&mut bench);
}
