//! What a killed process leaves standing, and how the next one takes it up again or ends it.

use crate::sim::{Sim, answered, ended, failed, incoming, reoffer_answered, reoffered};
use bytes::Bytes;
use std::time::Duration;
use strowger_sip::standing::{Refresh, Stage};
use strowger_sip::{Command, DialogKey, EndReason, SipEvent};

#[test]
fn who_placed_a_call_and_was_killed_hangs_up_after_its_restart() {
    let mut sim = Sim::pair(1);
    let (ours, theirs) = sim.call(2);
    // Requests of the first life count: the BYE's number has to be higher.
    for body in ["v=0 second", "v=0 third"] {
        let body = Bytes::from_static(body.as_bytes());
        sim.command(0, Command::Reoffer { dialog: ours, body });
        sim.expect(1, |event| matches!(event, SipEvent::Reoffer { .. }).then_some(()));
        let body = Bytes::from_static(b"v=0 answer");
        sim.command(1, Command::AnswerReoffer { dialog: theirs, body });
        sim.expect(0, |event| {
            matches!(event, SipEvent::ReofferAnswered { .. }).then_some(())
        });
        // Its ACK arrives.
        sim.run_for(Duration::from_secs(1));
    }
    sim.kill(0);
    sim.run_for(Duration::from_secs(3));
    sim.restart(0);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    sim.settle();
}

#[test]
fn who_was_called_and_was_killed_hangs_up_after_its_restart_through_loss() {
    for seed in 0..20 {
        let mut sim = Sim::pair(seed);
        let (ours, _) = sim.call(2);
        sim.kill(1);
        sim.run_for(Duration::from_secs(2));
        sim.loss = 300;
        sim.restart(1);
        assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
        sim.loss = 0;
        sim.settle();
    }
}

#[test]
fn a_second_kill_in_the_middle_of_the_farewell_changes_nothing() {
    let mut sim = Sim::pair(3);
    let (_, theirs) = sim.call(2);
    sim.kill(0);
    // Its BYE is lost, and it is killed again.
    sim.cut = Some(Box::new(|from, text| from == 0 && text.starts_with("BYE")));
    sim.restart(0);
    sim.run_for(Duration::from_secs(1));
    sim.kill(0);
    sim.cut = None;
    sim.restart(0);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    sim.settle();
}

#[test]
fn what_rang_for_a_killed_process_is_cancelled() {
    let mut sim = Sim::pair(4);
    let (_, theirs) = sim.ringing(2);
    sim.kill(0);
    sim.run_for(Duration::from_secs(2));
    sim.restart(0);
    sim.expect(1, |event| {
        matches!(event, SipEvent::Cancelled { dialog } if *dialog == theirs).then_some(())
    });
    sim.settle();
}

#[test]
fn who_answered_while_the_process_was_away_is_told_that_it_is_over() {
    let mut sim = Sim::pair(5);
    let (_, theirs) = sim.ringing(2);
    sim.kill(0);
    let body = Bytes::from_static(b"v=0 answer");
    sim.command(1, Command::Answer { dialog: theirs, body });
    sim.run_for(Duration::from_secs(2));
    sim.restart(0);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    sim.settle();
}

#[test]
fn a_caller_whose_call_rang_at_a_killed_process_is_refused() {
    let mut sim = Sim::pair(6);
    let (ours, _) = sim.ringing(2);
    sim.kill(1);
    sim.run_for(Duration::from_secs(2));
    sim.restart(1);
    assert_eq!(sim.expect(0, failed(ours)), 503);
    sim.settle();
}

#[test]
fn nothing_of_a_session_description_or_a_password_is_kept() {
    let mut sim = Sim::pair(7);
    let ours = sim.place(2, "v=0 offer of secrets");
    let theirs = sim.expect(1, incoming).dialog;
    let kept: Vec<Stage> = (0..2)
        .flat_map(|node| sim.nodes[node].kept.values())
        .map(|kept| kept.stage.clone())
        .collect();
    assert!(
        matches!(&kept[..], [Stage::Inviting { .. }, Stage::Offered { .. }]),
        "{kept:?}"
    );
    let text = format!("{kept:?}");
    assert!(!text.contains("secrets") && !text.contains("Authorization"), "{text}");
    let body = Bytes::from_static(b"v=0 answer");
    sim.command(1, Command::Answer { dialog: theirs, body });
    sim.expect(0, answered(ours));
    assert!(matches!(
        sim.nodes[1].kept.values().next().unwrap().stage,
        Stage::Up { .. }
    ));
    sim.bye(0, ours);
    sim.settle();
}

fn remember(sim: &mut Sim, node: usize, dialog: DialogKey) {
    let memo = Some(Box::new(serde_json::json!({ "talk": 7 })));
    sim.command(node, Command::Remember { dialog, memo });
}

/// A call between the nodes that node 0 remembers, with the process of node 0 killed and back: its name there, and at
/// node 1.
fn taken_up(sim: &mut Sim) -> (DialogKey, DialogKey) {
    let (ours, theirs) = sim.call(2);
    remember(sim, 0, ours);
    sim.kill(0);
    sim.run_for(Duration::from_secs(3));
    sim.restart(0);
    let taken = std::mem::take(&mut sim.nodes[0].taken);
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].memo, serde_json::json!({ "talk": 7 }));
    (taken[0].dialog, theirs)
}

#[test]
fn a_remembered_dialog_goes_on_after_a_restart_through_loss() {
    for seed in 0..20 {
        let mut sim = Sim::pair(seed);
        let (ours, theirs) = taken_up(&mut sim);
        sim.loss = 200;
        sim.reoffer(0, ours, "v=0 again");
        assert_eq!(&sim.expect(1, reoffered)[..], b"v=0 again");
        sim.agree(1, theirs, "v=0 answer");
        assert_eq!(&sim.expect(0, reoffer_answered)[..], b"v=0 answer");
        sim.loss = 0;
        sim.run_for(Duration::from_secs(40));
        assert_eq!(sim.count_sent(0, "BYE"), 0);
        let bye = Command::Bye {
            dialog: theirs,
            reason: None,
        };
        sim.command(1, bye);
        assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
        sim.settle();
    }
}

#[test]
fn who_was_called_takes_its_dialog_up_as_well() {
    let mut sim = Sim::pair(11);
    let (ours, theirs) = sim.call(2);
    remember(&mut sim, 1, theirs);
    sim.kill(1);
    sim.restart(1);
    let again = sim.nodes[1].taken[0].dialog;
    sim.reoffer(1, again, "v=0 again");
    sim.expect(0, reoffered);
    sim.agree(0, ours, "v=0 answer");
    sim.expect(1, reoffer_answered);
    sim.bye(1, again);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
    sim.settle();
}

#[test]
fn a_refused_offer_leaves_a_dialog_that_can_be_ended() {
    let mut sim = Sim::pair(12);
    let (ours, theirs) = taken_up(&mut sim);
    sim.reoffer(0, ours, "v=0 again");
    sim.expect(1, reoffered);
    sim.command(
        1,
        Command::RefuseReoffer {
            dialog: theirs,
            status: 488,
        },
    );
    let status = sim.expect(0, |event| match event {
        SipEvent::ReofferFailed { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(status, 488);
    sim.bye(0, ours);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    sim.settle();
}

#[test]
fn a_far_side_that_knows_the_dialog_no_more_ends_it() {
    let mut sim = Sim::pair(13);
    let (ours, _) = taken_up(&mut sim);
    sim.kill(1);
    sim.nodes[1].kept.clear();
    sim.restart(1);
    sim.reoffer(0, ours, "v=0 again");
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Lost);
    sim.settle();
}

#[test]
fn a_silent_far_side_is_given_up_by_bye() {
    let mut sim = Sim::pair(14);
    let (ours, _) = taken_up(&mut sim);
    sim.kill(1);
    sim.nodes[1].kept.clear();
    sim.reoffer(0, ours, "v=0 again");
    sim.run_for(Duration::from_secs(5));
    sim.bye(0, ours);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Local);
    sim.settle();
}

#[test]
fn a_bye_that_meets_the_offer_ends_both_sides() {
    let mut sim = Sim::pair(15);
    let (ours, theirs) = taken_up(&mut sim);
    sim.reoffer(0, ours, "v=0 again");
    sim.bye(1, theirs);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
    sim.settle();
}

#[test]
fn offers_that_meet_are_both_made_again_within_the_time_there_is() {
    for seed in 20..40 {
        let mut sim = Sim::pair(seed);
        let (ours, theirs) = taken_up(&mut sim);
        let began = sim.now;
        // Each is under way when the other one comes.
        sim.delay_ms = 1;
        sim.reoffer(0, ours, "v=0 again");
        sim.reoffer(1, theirs, "v=0 again");
        // Whoever made the Call-ID waits longer (RFC 3261 §14.1): theirs comes first.
        sim.expect(0, reoffered);
        sim.agree(0, ours, "v=0 answer");
        sim.expect(1, reoffered);
        sim.agree(1, theirs, "v=0 answer");
        sim.expect(0, reoffer_answered);
        assert!(sim.now - began < Duration::from_secs(5), "{:?}", sim.now - began);
        sim.bye(0, ours);
        sim.settle();
    }
}

#[test]
fn a_second_kill_before_it_is_remembered_anew_ends_a_dialog() {
    let mut sim = Sim::pair(16);
    let (_, theirs) = taken_up(&mut sim);
    sim.kill(0);
    sim.restart(0);
    assert_eq!(sim.nodes[0].taken, []);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    sim.settle();
}

#[test]
fn what_is_being_ended_or_was_forgotten_is_not_taken_up() {
    for is_ending in [true, false] {
        let mut sim = Sim::pair(17);
        let (ours, theirs) = sim.call(2);
        remember(&mut sim, 0, ours);
        sim.cut = Some(Box::new(|_, text| text.starts_with("BYE")));
        let forget = Command::Remember {
            dialog: ours,
            memo: None,
        };
        let bye = Command::Bye {
            dialog: ours,
            reason: None,
        };
        sim.command(0, if is_ending { bye } else { forget });
        // Too late to be of use.
        if is_ending {
            remember(&mut sim, 0, ours);
        }
        sim.kill(0);
        sim.cut = None;
        sim.restart(0);
        assert_eq!(sim.nodes[0].taken, []);
        assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
        sim.settle();
    }
}

#[test]
fn a_session_timer_runs_on_after_a_restart() {
    let mut sim = Sim::pair(18);
    let (ours, theirs) = taken_up(&mut sim);
    let mut kept = sim.nodes[0].kept.values().next().unwrap().clone();
    kept.refresh = Some(Refresh {
        interval_s: 90,
        we_refresh: false,
    });
    kept.memo = Some(serde_json::json!(1));
    sim.kill(0);
    sim.nodes[0].kept.insert(ours, kept);
    sim.restart(0);
    let again = sim.nodes[0].taken[0].dialog;
    assert_eq!(sim.expect(0, ended(again)), EndReason::SessionExpired);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    sim.settle();
}
