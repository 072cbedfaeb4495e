//! Registrations at providers and whether they answer.

use crate::sim::{Known, Sim, node_address, trunk_id};
use bytes::Bytes;
use std::time::Duration;
use strowger_model::trunk::{DigestAlgorithm, Transport};
use strowger_sip::endpoint::Input;
use strowger_sip::{Command, DialogKey, Invite, PingTrunk, RegisterTrunk, SipEvent, Target, TrunkState, TrunkTarget};

fn provider(password: &str) -> Sim {
    let us = Known {
        password: password.to_owned(),
        ..Known::nobody()
    };
    Sim::new(1, vec![us, Known::nobody().device("100", DigestAlgorithm::Md5)])
}

fn register(sim: &mut Sim, seconds: u64) {
    let wanted = RegisterTrunk {
        trunk: trunk_id(),
        addr: node_address(1),
        host: "provider.example".to_owned(),
        port: 5060,
        transport: Transport::Udp,
        expires: Duration::from_secs(seconds),
    };
    sim.command(0, Command::RegisterTrunk(Box::new(wanted)));
}

fn state(event: &SipEvent) -> Option<TrunkState> {
    match event {
        SipEvent::TrunkState { state, .. } => Some(state.clone()),
        _ => None,
    }
}

fn registered(seconds: u64) -> TrunkState {
    TrunkState::Registered {
        expires: Duration::from_secs(seconds),
    }
}

#[test]
fn a_trunk_registers_refreshes_in_time_and_leaves() {
    let mut sim = provider("secret");
    register(&mut sim, 300);
    assert_eq!(sim.expect(0, state), registered(300));
    assert!((sim.now - sim.start) < Duration::from_secs(2));
    sim.run_for(Duration::from_secs(3000));
    assert!(
        !sim.nodes[1]
            .events
            .iter()
            .any(|event| matches!(event, SipEvent::Unbound { .. })),
        "never ran out"
    );
    let ids: std::collections::BTreeSet<_> = sim
        .sent
        .iter()
        .filter(|(node, text)| *node == 0 && text.starts_with("REGISTER"))
        .filter_map(|(_, text)| text.lines().find(|line| line.starts_with("Call-ID")))
        .collect();
    assert_eq!(ids.len(), 1, "one Call-ID for all");
    sim.command(0, Command::UnregisterTrunk { trunk: trunk_id() });
    sim.run_for(Duration::from_secs(2));
    assert_eq!(
        sim.nodes[0].events.iter().filter_map(state).next_back(),
        Some(TrunkState::Unregistered)
    );
    assert_eq!(sim.nodes[1].endpoint.held().bindings, 0);
    sim.settle();
}

#[test]
fn the_provider_decides_how_long() {
    let mut sim = provider("secret");
    register(&mut sim, 7200);
    assert_eq!(sim.expect(0, state), registered(3600));
}

#[test]
fn too_brief_is_asked_again_with_what_the_provider_wants() {
    let mut sim = provider("secret");
    register(&mut sim, 30);
    assert_eq!(sim.expect(0, state), registered(60));
    assert!((sim.now - sim.start) < Duration::from_secs(2));
    assert_eq!(sim.count_sent(1, "SIP/2.0 423"), 1);
}

#[test]
fn a_wrong_password_is_tried_once_and_told() {
    let mut sim = provider("wrong");
    register(&mut sim, 300);
    let refused = sim.expect(0, state);
    assert!(
        matches!(
            refused,
            TrunkState::Failed {
                status: 401,
                retry: None,
                ..
            }
        ),
        "{refused:?}"
    );
    sim.run_for(Duration::from_secs(3600));
    assert_eq!(sim.count_sent(0, "REGISTER"), 2);
}

#[test]
fn a_provider_that_does_not_answer_is_asked_less_and_less() {
    let mut sim = provider("secret");
    sim.cut = Some(Box::new(|_, _| true));
    register(&mut sim, 300);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        match sim.expect(0, state) {
            TrunkState::Failed {
                status: 408,
                retry: Some(retry),
                ..
            } => pauses.push(retry.as_secs()),
            other => panic!("{other:?}"),
        }
        sim.run_for(Duration::from_secs(200));
    }
    assert!(pauses[0] < 10 && pauses[7] >= 300 && pauses[7] <= 450, "{pauses:?}");
    sim.cut = None;
    sim.run_for(Duration::from_secs(600));
    assert!(
        sim.nodes[0]
            .events
            .iter()
            .filter_map(state)
            .any(|state| state == registered(300))
    );
}

#[test]
fn a_trunk_that_falls_silent_is_down_within_half_a_minute_and_comes_back() {
    let mut sim = provider("secret");
    let (trunk, addr, host) = (trunk_id(), node_address(1), "provider.example".to_owned());
    sim.command(
        0,
        Command::PingTrunk(Box::new(PingTrunk {
            trunk,
            addr,
            host,
            transport: Transport::Udp,
        })),
    );
    assert!(matches!(sim.expect(0, state), TrunkState::Up { latency } if latency > Duration::ZERO));
    sim.run_for(Duration::from_secs(35));
    sim.cut = Some(Box::new(|node, _| node == 1));
    let silent = sim.now;
    while !matches!(sim.expect(0, state), TrunkState::Unreachable { .. }) {}
    assert!(sim.now - silent <= Duration::from_secs(30));
    sim.cut = None;
    assert!(matches!(sim.expect(0, state), TrunkState::Up { .. }));
    sim.command(0, Command::StopPing { trunk });
    sim.settle();
}

#[test]
fn requests_within_a_call_follow_the_contact_and_the_route_a_carrier_gives() {
    // A carrier that signals from one address and wants to be spoken to at others.
    let mut sim = Sim::pair(2);
    let invite = |contact: &str, route: &str| {
        Bytes::from(format!(
            "INVITE sip:200@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{contact}\r\nFrom: <sip:1@x>;tag=1\r\n\
             To: <sip:200@x>\r\nCall-ID: {contact}\r\nCSeq: 1 INVITE\r\nContact: <{contact}>\r\n{route}Content-Length: 0\r\n\r\n"
        ))
    };
    let cases = [
        ("sip:1@10.0.0.7:5070", "", "10.0.0.7:5070", "sip:1@10.0.0.7:5070"),
        ("sip:1@carrier.example", "", "10.0.0.1:5060", "sip:1@carrier.example"),
        ("sip:1@198.51.100.1", "", "10.0.0.1:5060", "sip:1@198.51.100.1"),
        (
            "sip:1@10.0.0.8",
            "Record-Route: <sip:10.0.0.9;lr>, <sip:p2;lr>\r\n",
            "10.0.0.9:5060",
            "sip:1@10.0.0.8",
        ),
        (
            "sip:1@10.0.0.6",
            "Record-Route: <sip:10.0.0.9>\r\n",
            "10.0.0.9:5060",
            "sip:10.0.0.9",
        ),
    ];
    for (contact, route, towards, uri) in cases {
        let (source, local) = (node_address(0), node_address(1));
        sim.input(
            1,
            Input::Datagram {
                source,
                local,
                bytes: invite(contact, route),
            },
        );
        let dialog = sim.expect(1, crate::sim::incoming).dialog;
        sim.command(
            1,
            Command::Answer {
                dialog,
                body: Bytes::from_static(b"v=0"),
            },
        );
        let ok = sim.sent.last().unwrap().1.clone();
        let to = ok.lines().find(|line| line.starts_with("To:")).unwrap().to_owned();
        let ack = String::from_utf8(invite(contact, "").to_vec())
            .unwrap()
            .replace("INVITE", "ACK")
            .replace("To: <sip:200@x>", &to);
        sim.input(
            1,
            Input::Datagram {
                source,
                local,
                bytes: ack.replace("z9hG4bK", "z9hG4bKack").into(),
            },
        );
        sim.command(1, Command::Bye { dialog, reason: None });
        let (_, bye) = sim.sent.last().unwrap();
        assert!(bye.starts_with(&format!("BYE {uri} SIP/2.0\r\n")), "{contact}: {bye}");
        assert_eq!(sim.last_remote.unwrap().to_string(), towards, "{contact}");
    }
}

#[test]
fn a_session_that_is_not_refreshed_is_ended_and_one_we_refresh_goes_on() {
    let mut sim = Sim::pair(3);
    let text = |refresher: &str| {
        format!(
            "INVITE sip:200@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{refresher}\r\nFrom: <sip:1@x>;tag=1\r\n\
             To: <sip:200@x>\r\nCall-ID: {refresher}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@10.0.0.1>\r\nAllow: UPDATE\r\nSupported: timer\r\n\
             Session-Expires: 90;refresher={refresher}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let (source, local) = (node_address(0), node_address(1));
    for refresher in ["uac", "uas"] {
        sim.sent.clear();
        sim.input(
            1,
            Input::Datagram {
                source,
                local,
                bytes: text(refresher).into(),
            },
        );
        let dialog = sim.expect(1, crate::sim::incoming).dialog;
        sim.command(
            1,
            Command::Answer {
                dialog,
                body: Bytes::from_static(b"v=0"),
            },
        );
        let ok = sim.sent.last().unwrap().1.clone();
        assert!(
            ok.contains(&format!("\r\nSession-Expires: 90;refresher={refresher}\r\n"))
                && ok.contains("\r\nRequire: timer\r\n")
        );
        let to = ok.lines().find(|line| line.starts_with("To:")).unwrap().to_owned();
        let ack = text(refresher)
            .replace("INVITE", "ACK")
            .replace("To: <sip:200@x>", &to)
            .replace("z9hG4bK", "z9hG4bKack");
        sim.input(
            1,
            Input::Datagram {
                source,
                local,
                bytes: ack.into(),
            },
        );
        let began = sim.now;
        if refresher == "uac" {
            assert_eq!(
                sim.expect(1, crate::sim::ended(dialog)),
                strowger_sip::EndReason::SessionExpired
            );
            assert_eq!((sim.now - began).as_secs(), 60);
        } else {
            sim.run_for(Duration::from_secs(46));
            assert_eq!(sim.count_sent(1, "UPDATE"), 1);
            // Nobody knows the dialog at the other end: 481 ends it.
            assert_eq!(sim.expect(1, crate::sim::ended(dialog)), strowger_sip::EndReason::Lost);
        }
    }
    let brief = text("brief").replace("Session-Expires: 90", "Session-Expires: 10");
    sim.input(
        1,
        Input::Datagram {
            source,
            local,
            bytes: brief.into(),
        },
    );
    assert!(sim.sent.last().unwrap().1.starts_with("SIP/2.0 422"));
}

fn call_with_patience(sim: &mut Sim) -> DialogKey {
    let dialog = DialogKey(2);
    let target = TrunkTarget {
        trunk: trunk_id(),
        addr: node_address(1),
        host: "provider.example".to_owned(),
        port: 5060,
        transport: Transport::Udp,
        user: "+15555550123".to_owned(),
    };
    let invite = Invite {
        dialog,
        sip_call_id: "a-call-with-patience".to_owned(),
        target: Target::Trunk(target),
        from_user: "100".to_owned(),
        from_display: None,
        from_host: None,
        to_user: "+15555550123".to_owned(),
        offer: Bytes::from_static(b"v=0"),
        auth: Some(trunk_id()),
        headers: Vec::new(),
        patience: Some(Duration::from_secs(5)),
    };
    sim.command(0, Command::Invite(Box::new(invite)));
    dialog
}

const fn failed(event: &SipEvent) -> Option<u16> {
    match event {
        SipEvent::Failed { status, .. } => Some(*status),
        _ => None,
    }
}

#[test]
fn a_provider_that_says_nothing_is_given_up_soon_and_called_off_should_it_answer_late() {
    let mut sim = Sim::pair(3);
    sim.cut = Some(Box::new(|node, _| node == 1));
    call_with_patience(&mut sim);
    assert_eq!(sim.expect(0, failed), 408);
    let waited = sim.now - sim.start;
    assert!(
        (Duration::from_secs(5)..Duration::from_millis(5_100)).contains(&waited),
        "{waited:?}"
    );
    sim.cut = None;
    let theirs = sim.expect(1, |event| crate::sim::incoming(event).map(|call| call.dialog));
    let body = Bytes::from_static(b"v=0");
    sim.command(1, Command::Answer { dialog: theirs, body });
    sim.run_for(Duration::from_secs(40));
    let ended = sim.nodes[1].events.iter().any(
        |event| matches!(event, SipEvent::Cancelled { dialog } | SipEvent::Ended { dialog, .. } if *dialog == theirs),
    );
    assert!(ended, "{:?}", sim.nodes[1].events);
    assert_eq!(sim.nodes[0].events.iter().filter_map(failed).count(), 1, "told once");
    sim.settle();
}

#[test]
fn a_provider_that_says_it_tries_may_take_its_time() {
    let mut sim = Sim::pair(4);
    call_with_patience(&mut sim);
    let theirs = sim.expect(1, |event| crate::sim::incoming(event).map(|call| call.dialog));
    sim.run_for(Duration::from_secs(20));
    assert!(sim.nodes[0].events.iter().filter_map(failed).next().is_none());
    let body = Bytes::from_static(b"v=0");
    sim.command(1, Command::Answer { dialog: theirs, body });
    sim.expect(0, |event| matches!(event, SipEvent::Answered { .. }).then_some(()));
    assert_eq!(sim.count_sent(0, "INVITE"), 1);
    assert!(
        sim.sent
            .iter()
            .any(|(_, text)| text.contains("\r\nCall-ID: a-call-with-patience\r\n"))
    );
}

fn ping(sim: &mut Sim) {
    let wanted = PingTrunk {
        trunk: trunk_id(),
        addr: node_address(1),
        host: "provider.example".to_owned(),
        transport: Transport::Udp,
    };
    sim.command(0, Command::PingTrunk(Box::new(wanted)));
}

#[test]
fn a_registered_trunk_that_falls_silent_is_down_within_half_a_minute_and_registers_as_soon_as_it_is_back() {
    let mut sim = provider("secret");
    register(&mut sim, 3600);
    ping(&mut sim);
    sim.run_for(Duration::from_secs(25));
    sim.cut = Some(Box::new(|node, _| node == 1));
    let fell = sim.now;
    let reason = String::new();
    let silent = TrunkState::Unreachable { reason };
    sim.expect(0, |event| (state(event)? == silent).then_some(()));
    assert!(sim.now - fell <= Duration::from_secs(30), "{:?}", sim.now - fell);
    let registers = sim.count_sent(0, "REGISTER");
    sim.cut = None;
    let back = sim.now;
    sim.expect(0, |event| matches!(state(event)?, TrunkState::Up { .. }).then_some(()));
    sim.expect(0, |event| {
        matches!(state(event)?, TrunkState::Registered { .. }).then_some(())
    });
    assert!(sim.now - back <= Duration::from_secs(25), "{:?}", sim.now - back);
    assert!(sim.count_sent(0, "REGISTER") > registers);
}

#[test]
fn a_provider_that_takes_registrations_and_never_answers_options_is_not_down() {
    let mut sim = provider("secret");
    sim.cut = Some(Box::new(|_, text| text.starts_with("OPTIONS")));
    register(&mut sim, 300);
    ping(&mut sim);
    sim.run_for(Duration::from_secs(600));
    let states: Vec<TrunkState> = sim.nodes[0].events.iter().filter_map(state).collect();
    assert!(states.iter().all(|state| *state == registered(300)), "{states:?}");
}
