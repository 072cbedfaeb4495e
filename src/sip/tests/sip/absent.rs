//! Dialogs over connections after a restart: whose phone connects again goes on, whose does not ends.

use crate::sim::{Known, Sim, ended, node_address, reoffer_answered, reoffered, trunk_id};
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::trunk::{DigestAlgorithm, Transport};
use strowger_sip::standing::{RETURN, TakenUp};
use strowger_sip::{Command, DialogKey, EndReason, RegisterTrunk, SipEvent, Target, TrunkState};

/// Node 0 takes connections and knows one device; the others are its phones, which take none unless `listens`.
fn with_phones(seed: u64, count: usize, listens: bool) -> Sim {
    let ours = Known {
        listens: true,
        ..Known::nobody().device("100", DigestAlgorithm::Md5)
    };
    // Node 0 may also connect to it.
    let connecting = SocketAddr::new(node_address(0).ip(), 40_001);
    let phone = Known {
        trunks: vec![(node_address(0), trunk_id()), (connecting, trunk_id())],
        listens,
        ..Known::nobody()
    };
    let phones = std::iter::repeat_n(phone, count);
    Sim::new(seed, std::iter::once(ours).chain(phones).collect())
}

/// A phone connects and registers.
fn registers(sim: &mut Sim, node: usize, transport: Transport) {
    let addr = node_address(0);
    let register = RegisterTrunk {
        trunk: trunk_id(),
        addr,
        host: addr.ip().to_string(),
        port: addr.port(),
        transport,
        expires: Duration::from_secs(600),
    };
    sim.command(node, Command::RegisterTrunk(Box::new(register)));
    sim.expect(node, |event| match event {
        SipEvent::TrunkState {
            state: TrunkState::Registered { .. },
            ..
        } => Some(()),
        _ => None,
    });
}

/// Node 0 calls where node 1 is, and remembers the dialog: the keys at both.
fn call(sim: &mut Sim, target: Target) -> (DialogKey, DialogKey) {
    let ours = DialogKey(2);
    sim.invite(ours, target, "v=0 offer");
    let theirs = sim.rings();
    sim.answer(ours, theirs);
    let memo = Some(Box::new(serde_json::json!({ "talk": 7 })));
    sim.command(0, Command::Remember { dialog: ours, memo });
    (ours, theirs)
}

/// A phone at node 1 that has registered over a transport is in a call when node 0 is killed and started again: what node
/// 0 took up, and the dialog at node 1.
fn cut(sim: &mut Sim, transport: Transport) -> (TakenUp, DialogKey) {
    registers(sim, 1, transport);
    let binding = sim.expect(0, |event| match event {
        SipEvent::Bound { binding } => Some(binding.clone()),
        _ => None,
    });
    assert_eq!(binding.transport, transport);
    let (_, theirs) = call(sim, Target::Binding(binding));
    sim.kill(0);
    sim.run_for(Duration::from_secs(1));
    sim.restart(0);
    let taken = std::mem::take(&mut sim.nodes[0].taken);
    let [taken] = taken.try_into().unwrap();
    (taken, theirs)
}

fn was_offered(sim: &Sim, node: usize) -> bool {
    sim.nodes[node].events.iter().any(|event| reoffered(event).is_some())
}

/// Both agree to the offer that waits, and one of them ends the call.
fn goes_on(sim: &mut Sim, ours: DialogKey, theirs: DialogKey) {
    assert_eq!(&sim.expect(1, reoffered)[..], b"v=0 again");
    sim.agree(1, theirs, "v=0 answer");
    assert_eq!(&sim.expect(0, reoffer_answered)[..], b"v=0 answer");
    // It is waited for no more.
    sim.run_for(2 * RETURN);
    assert_eq!(sim.count_sent(0, "BYE"), 0);
    sim.bye(1, theirs);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
    sim.settle();
}

#[test]
fn a_phone_that_registers_again_is_offered_its_session_anew() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut sim = with_phones(1, 1, false);
        let (taken, theirs) = cut(&mut sim, transport);
        assert!(taken.is_absent);
        sim.reoffer(0, taken.dialog, "v=0 again");
        sim.run_for(RETURN - Duration::from_secs(1));
        assert!(!was_offered(&sim, 1), "nobody is there");
        registers(&mut sim, 1, transport);
        goes_on(&mut sim, taken.dialog, theirs);
    }
}

#[test]
fn what_is_offered_after_a_phone_is_back_goes_at_once() {
    let mut sim = with_phones(2, 1, false);
    let (taken, theirs) = cut(&mut sim, Transport::Tcp);
    registers(&mut sim, 1, Transport::Tcp);
    sim.run_for(2 * RETURN);
    sim.reoffer(0, taken.dialog, "v=0 again");
    goes_on(&mut sim, taken.dialog, theirs);
}

#[test]
fn a_phone_that_speaks_in_the_dialog_is_back_and_heard_first() {
    let mut sim = with_phones(3, 1, false);
    let (taken, theirs) = cut(&mut sim, Transport::Tcp);
    sim.reoffer(0, taken.dialog, "v=0 again");
    sim.reoffer(1, theirs, "v=0 theirs");
    assert_eq!(&sim.expect(0, reoffered)[..], b"v=0 theirs");
    sim.agree(0, taken.dialog, "v=0 answer");
    sim.expect(1, reoffer_answered);
    goes_on(&mut sim, taken.dialog, theirs);
}

#[test]
fn a_phone_that_takes_connections_where_it_says_is_connected_to() {
    let mut sim = with_phones(4, 1, true);
    let (taken, theirs) = cut(&mut sim, Transport::Tcp);
    assert!(taken.is_absent);
    sim.reoffer(0, taken.dialog, "v=0 again");
    goes_on(&mut sim, taken.dialog, theirs);
}

#[test]
fn who_does_not_come_back_is_lost_after_five_seconds() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut sim = with_phones(5, 1, false);
        let (taken, theirs) = cut(&mut sim, transport);
        let began = sim.now;
        sim.reoffer(0, taken.dialog, "v=0 again");
        assert_eq!(sim.expect(0, ended(taken.dialog)), EndReason::Lost);
        assert_eq!(sim.now - began, RETURN);
        // Who comes later hears that there is no such dialog.
        sim.run_for(Duration::from_secs(1));
        registers(&mut sim, 1, transport);
        sim.reoffer(1, theirs, "v=0 late");
        assert_eq!(sim.expect(1, ended(theirs)), EndReason::Lost);
        sim.settle();
    }
}

#[test]
fn another_phone_of_the_device_is_not_taken_for_it() {
    let mut sim = with_phones(6, 2, false);
    let (taken, theirs) = cut(&mut sim, Transport::Tcp);
    sim.reoffer(0, taken.dialog, "v=0 again");
    registers(&mut sim, 2, Transport::Tcp);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.count_sent(0, "INVITE"), 1, "the first one alone");
    registers(&mut sim, 1, Transport::Tcp);
    goes_on(&mut sim, taken.dialog, theirs);
}

#[test]
fn what_was_encrypted_does_not_go_on_in_clear() {
    let mut sim = with_phones(7, 1, false);
    let (taken, theirs) = cut(&mut sim, Transport::Tls);
    sim.reoffer(0, taken.dialog, "v=0 again");
    registers(&mut sim, 1, Transport::Tcp);
    assert_eq!(sim.expect(0, ended(taken.dialog)), EndReason::Lost);
    sim.run_for(Duration::from_secs(1));
    assert_eq!((sim.count_sent(0, "INVITE"), sim.count_sent(0, "BYE")), (1, 0));
    sim.bye(1, theirs);
    sim.settle();
}

#[test]
fn who_is_hung_up_on_is_waited_for_no_more() {
    let mut sim = with_phones(8, 1, false);
    let (taken, theirs) = cut(&mut sim, Transport::Tcp);
    sim.reoffer(0, taken.dialog, "v=0 again");
    sim.run_for(Duration::from_secs(1));
    sim.bye(0, taken.dialog);
    assert_eq!(sim.expect(0, ended(taken.dialog)), EndReason::Local);
    sim.run_for(Duration::from_secs(1));
    registers(&mut sim, 1, Transport::Tcp);
    assert!(!was_offered(&sim, 1));
    sim.bye(1, theirs);
    sim.settle();
}

#[test]
fn a_phone_that_hangs_up_as_it_comes_back_is_heard() {
    let mut sim = with_phones(9, 1, false);
    let (taken, theirs) = cut(&mut sim, Transport::Tcp);
    sim.reoffer(0, taken.dialog, "v=0 again");
    sim.bye(1, theirs);
    assert_eq!(sim.expect(0, ended(taken.dialog)), EndReason::Bye);
    sim.settle();
    assert!(!was_offered(&sim, 1));
}

#[test]
fn a_second_kill_while_a_phone_is_waited_for_ends_its_dialog() {
    let mut sim = with_phones(10, 1, false);
    let (_, theirs) = cut(&mut sim, Transport::Tls);
    let kept: Vec<_> = sim.nodes[0].kept.values().cloned().collect();
    assert_eq!(
        (kept[0].transport, kept[0].far.ip()),
        (Transport::Tls, node_address(1).ip())
    );
    sim.kill(0);
    sim.restart(0);
    assert_eq!(sim.nodes[0].taken, []);
    registers(&mut sim, 1, Transport::Tls);
    sim.reoffer(1, theirs, "v=0 late");
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Lost);
    sim.settle();
}

#[test]
fn a_provider_is_connected_to_anew_and_not_waited_for() {
    let mut sim = with_phones(11, 1, true);
    let target = Target::Address {
        addr: node_address(1),
        transport: Transport::Tcp,
        user: "200".to_owned(),
    };
    let (_, theirs) = call(&mut sim, target);
    sim.kill(0);
    sim.restart(0);
    let [taken] = std::mem::take(&mut sim.nodes[0].taken).try_into().unwrap();
    assert!(!taken.is_absent);
    sim.reoffer(0, taken.dialog, "v=0 again");
    goes_on(&mut sim, taken.dialog, theirs);
}
