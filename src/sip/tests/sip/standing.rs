//! What a killed process leaves standing, and how the next one ends it.

use crate::sim::{Sim, answered, ended, failed, incoming};
use bytes::Bytes;
use std::time::Duration;
use strowger_sip::standing::Stage;
use strowger_sip::{Command, DialogKey, EndReason, SipEvent};

/// A call that rings: its keys at node 0 and node 1.
fn ringing(sim: &mut Sim) -> (DialogKey, DialogKey) {
    let ours = sim.place(2, "v=0 offer");
    let theirs = sim.expect(1, incoming).dialog;
    sim.command(
        1,
        Command::Ring {
            dialog: theirs,
            status: 180,
            body: Bytes::new(),
        },
    );
    sim.expect(0, |event| matches!(event, SipEvent::Progress { .. }).then_some(()));
    (ours, theirs)
}

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
    let (_, theirs) = ringing(&mut sim);
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
    let (_, theirs) = ringing(&mut sim);
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
    let (ours, _) = ringing(&mut sim);
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
    sim.command(
        0,
        Command::Bye {
            dialog: ours,
            reason: None,
        },
    );
    sim.settle();
}
