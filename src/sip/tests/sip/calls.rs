//! Calls between two endpoints.

use crate::sim::{Sim, answered, ended, failed, incoming, node_address, reoffer_answered, reoffered};
use bytes::Bytes;
use std::time::Duration;
use strowger_sip::{Command, DialogKey, EndReason, SipEvent};

fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn a_call_is_placed_answered_and_ended_and_leaves_nothing() {
    let mut sim = Sim::pair(1);
    let (ours, theirs) = sim.call(2);
    sim.command(
        0,
        Command::Bye {
            dialog: ours,
            reason: Some("Q.850;cause=16".to_owned()),
        },
    );
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Local);
    assert!(
        sim.sent
            .iter()
            .any(|(_, text)| text.starts_with("BYE") && text.contains("\r\nReason: Q.850;cause=16\r\n"))
    );
    sim.settle();
}

/// Keys by INFO, one every 80 ms as a phone sends presses and pauses of 40 ms; `loss` datagrams in a thousand are lost.
fn ten_thousand_keys(loss: u64) {
    const ALL: &[u8; 16] = b"0123456789*#ABCD";
    let mut sim = Sim::pair(22);
    let (ours, theirs) = sim.call(2);
    sim.loss = loss;
    let keys: Vec<char> = (0..10_000_usize)
        .map(|n| char::from(ALL[(n * n + n / 7) % 16]))
        .collect();
    let heard = |sim: &Sim| -> Vec<char> {
        let told = sim.nodes[1].events.iter().filter_map(|event| match event {
            SipEvent::Info { dialog, body, .. } if *dialog == theirs => std::str::from_utf8(body).ok()?.chars().nth(7),
            _ => None,
        });
        told.collect()
    };
    for (n, key) in keys.iter().enumerate() {
        let body = Bytes::from(format!("Signal={key}\r\nDuration=40\r\n"));
        let content_type = "application/dtmf-relay".to_owned();
        sim.command(
            0,
            Command::Info {
                dialog: ours,
                content_type,
                body,
            },
        );
        sim.run_for(Duration::from_millis(80));
        // Nobody types ten thousand keys without a pause; what was lost catches up in it.
        if n % 20 == 19 {
            sim.run_for(Duration::from_secs(5));
        }
    }
    sim.run_for(Duration::from_secs(40));
    assert!(heard(&sim) == keys, "{} of {}", heard(&sim).len(), keys.len());
}

#[test]
fn ten_thousand_keys_by_info_arrive_once_and_in_order() {
    ten_thousand_keys(0);
}

#[test]
fn ten_thousand_keys_by_info_survive_the_loss_of_one_packet_in_twenty() {
    ten_thousand_keys(50);
}

#[test]
fn a_provider_may_not_hand_a_call_over() {
    let mut sim = Sim::pair(1);
    let (ours, _) = sim.call(2);
    let own = sim
        .sent
        .iter()
        .rev()
        .find(|(node, text)| *node == 0 && text.starts_with("ACK"))
        .unwrap();
    let refer = own
        .1
        .replace("ACK ", "REFER ")
        .replace(" ACK\r\n", " REFER\r\n")
        .replace("CSeq: 1", "CSeq: 2");
    let refer = refer
        .replace("z9hG4bK", "z9hG4bKr")
        .replace("Max-Forwards", "Refer-To: <sip:+490900@h>\r\nMax-Forwards");
    let (source, local) = (node_address(0), node_address(1));
    let bytes = Bytes::from(refer);
    sim.input(1, strowger_sip::endpoint::Input::Datagram { source, local, bytes });
    let answer = &sim.sent.iter().rev().find(|(node, _)| *node == 1).unwrap().1;
    assert!(answer.starts_with("SIP/2.0 403"), "{answer}");
    sim.bye(0, ours);
    sim.settle();
}

#[test]
fn what_the_caller_said_reaches_the_callee() {
    let mut sim = Sim::pair(1);
    sim.place(2, "v=0");
    let call = sim.expect(1, incoming);
    assert_eq!(
        (
            call.request_user.as_str(),
            call.from_user.as_str(),
            call.to_user.as_str()
        ),
        ("200", "100", "200")
    );
    assert_eq!(
        (call.from_display.as_deref(), call.source),
        (Some("Al \"B\""), node_address(0))
    );
    assert_eq!(&call.offer[..], b"v=0");
}

#[test]
fn calls_survive_a_wire_that_loses_and_reorders() {
    for seed in 0..60 {
        let mut sim = Sim::pair(seed);
        (sim.loss, sim.delay_ms) = (200, 900);
        let ours = sim.place(2, "v=0 offer");
        let theirs = sim.rings();
        sim.run_for(Duration::from_secs(1));
        sim.command(
            1,
            Command::Answer {
                dialog: theirs,
                body: body("v=0 answer"),
            },
        );
        sim.expect(0, answered(ours));
        sim.expect(1, |event| matches!(event, SipEvent::Confirmed { .. }).then_some(()));
        sim.bye(1, theirs);
        // Eleven repeats of a BYE may all be lost once in a very long while; the dialog ends then too.
        sim.settle();
        for (node, dialog) in [(0, ours), (1, theirs)] {
            assert!(sim.last_events(node, dialog).len() <= 1, "seed {seed} node {node}");
        }
        assert_eq!(sim.last_events(1, theirs).len(), 1, "seed {seed}");
    }
}

#[test]
fn a_caller_gives_up_while_it_rings() {
    let mut sim = Sim::pair(3);
    let (ours, _) = sim.ringing(2);
    sim.command(0, Command::Cancel { dialog: ours });
    sim.expect(1, |event| matches!(event, SipEvent::Cancelled { .. }).then_some(()));
    assert_eq!(sim.expect(0, failed(ours)), 487);
    sim.settle();
}

#[test]
fn a_cancel_before_any_answer_waits_for_one() {
    let mut sim = Sim::pair(3);
    let ours = sim.place(2, "v=0");
    sim.command(0, Command::Cancel { dialog: ours });
    assert_eq!(sim.count_sent(0, "CANCEL"), 0);
    assert_eq!(sim.expect(0, failed(ours)), 487);
    assert_eq!(sim.count_sent(0, "CANCEL"), 1);
    sim.settle();
}

#[test]
fn an_answer_that_crosses_a_cancel_is_acknowledged_and_ended() {
    let mut sim = Sim::pair(4);
    let ours = sim.place(2, "v=0");
    let theirs = sim.expect(1, incoming).dialog;
    sim.run_for(Duration::from_millis(100));
    sim.command(
        1,
        Command::Answer {
            dialog: theirs,
            body: body("v=0"),
        },
    );
    sim.command(0, Command::Cancel { dialog: ours });
    assert_eq!(sim.expect(0, failed(ours)), 487);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
    assert!(sim.count_sent(0, "ACK") >= 1 && sim.count_sent(0, "BYE") >= 1);
    sim.settle();
    assert_eq!(sim.last_events(0, ours).len(), 1);
}

#[test]
fn a_lost_ack_is_sent_again_with_every_answer() {
    let mut sim = Sim::pair(5);
    let mut lost = 0;
    sim.cut = Some(Box::new(move |_, text| {
        lost += u32::from(text.starts_with("ACK"));
        text.starts_with("ACK") && lost < 4
    }));
    sim.call(2);
    assert!(sim.count_sent(0, "ACK") >= 4);
    assert!(sim.count_sent(1, "SIP/2.0 200") >= 4);
}

#[test]
fn an_answer_that_is_never_acknowledged_ends_the_call() {
    let mut sim = Sim::pair(6);
    sim.cut = Some(Box::new(|_, text| text.starts_with("ACK")));
    sim.place(2, "v=0");
    let theirs = sim.expect(1, incoming).dialog;
    sim.command(
        1,
        Command::Answer {
            dialog: theirs,
            body: body("v=0"),
        },
    );
    let began = sim.now;
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::NoAck);
    assert_eq!((sim.now - began).as_secs(), 32);
    sim.settle();
}

#[test]
fn busy_is_told_and_acknowledged() {
    let mut sim = Sim::pair(7);
    let ours = sim.place(2, "v=0");
    let theirs = sim.expect(1, incoming).dialog;
    sim.command(
        1,
        Command::Reject {
            dialog: theirs,
            status: 486,
            reason: String::new(),
            retry_after_s: Some(9),
        },
    );
    assert_eq!(sim.expect(0, failed(ours)), 486);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Local);
    assert!(
        sim.sent
            .iter()
            .any(|(_, text)| text.starts_with("SIP/2.0 486") && text.contains("Retry-After: 9"))
    );
    sim.settle();
    assert_eq!(sim.count_sent(0, "ACK"), 1);
}

#[test]
fn nobody_there_fails_after_half_a_minute() {
    let mut sim = Sim::pair(8);
    sim.cut = Some(Box::new(|_, _| true));
    let ours = sim.place(2, "v=0");
    assert_eq!(sim.expect(0, failed(ours)), 408);
    assert_eq!((sim.now - sim.start).as_secs(), 32);
    assert_eq!(sim.count_sent(0, "INVITE"), 7);
    sim.settle();
}

#[test]
fn hold_and_resume_are_offers_within_the_call() {
    let mut sim = Sim::pair(9);
    let (ours, theirs) = sim.call(2);
    for (offer, answer) in [("v=0 hold", "v=0 held"), ("v=0 resume", "v=0 resumed")] {
        sim.command(
            0,
            Command::Reoffer {
                dialog: ours,
                body: body(offer),
            },
        );
        assert_eq!(sim.expect(1, reoffered), offer);
        sim.command(
            1,
            Command::AnswerReoffer {
                dialog: theirs,
                body: body(answer),
            },
        );
        assert_eq!(sim.expect(0, reoffer_answered), answer);
    }
    sim.command(
        1,
        Command::Reoffer {
            dialog: theirs,
            body: body("v=0 other way"),
        },
    );
    assert_eq!(sim.expect(0, reoffered), "v=0 other way");
    sim.command(
        0,
        Command::RefuseReoffer {
            dialog: ours,
            status: 488,
        },
    );
    let refused = sim.expect(1, |event| match event {
        SipEvent::ReofferFailed { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(refused, 488);
    sim.bye(0, ours);
    sim.settle();
}

#[test]
fn glare_is_settled_and_both_offers_come_through() {
    let mut sim = Sim::pair(10);
    let (ours, theirs) = sim.call(2);
    sim.command(
        0,
        Command::Reoffer {
            dialog: ours,
            body: body("from 0"),
        },
    );
    sim.command(
        1,
        Command::Reoffer {
            dialog: theirs,
            body: body("from 1"),
        },
    );
    assert_eq!(sim.expect(0, reoffered), "from 1");
    assert!(sim.sent.iter().any(|(_, text)| text.starts_with("SIP/2.0 491")));
    sim.command(
        0,
        Command::AnswerReoffer {
            dialog: ours,
            body: body("to 1"),
        },
    );
    assert_eq!(sim.expect(1, reoffer_answered), "to 1");
    assert_eq!(sim.expect(1, reoffered), "from 0");
    sim.command(
        1,
        Command::AnswerReoffer {
            dialog: theirs,
            body: body("to 0"),
        },
    );
    assert_eq!(sim.expect(0, reoffer_answered), "to 0");
    sim.bye(0, ours);
    sim.settle();
}

#[test]
fn a_call_without_an_offer_gets_ours_and_answers_in_its_ack() {
    let mut sim = Sim::pair(11);
    let invite = "INVITE sip:200@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKlate\r\nMax-Forwards: 70\r\n\
                  From: <sip:100@10.0.0.1>;tag=late\r\nTo: <sip:200@10.0.0.2>\r\nCall-ID: late\r\nCSeq: 1 INVITE\r\n\
                  Contact: <sip:100@10.0.0.1>\r\nContent-Length: 0\r\n\r\n";
    let from_0 = |sim: &mut Sim, text: &str| {
        let (source, local) = (node_address(0), node_address(1));
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        sim.input(1, strowger_sip::endpoint::Input::Datagram { source, local, bytes });
    };
    from_0(&mut sim, invite);
    let call = sim.expect(1, incoming);
    assert!(call.offer.is_empty());
    sim.command(
        1,
        Command::Answer {
            dialog: call.dialog,
            body: body("our offer"),
        },
    );
    let (_, ok) = sim
        .sent
        .iter()
        .find(|(_, text)| text.starts_with("SIP/2.0 200"))
        .unwrap()
        .clone();
    assert!(ok.ends_with("\r\n\r\nour offer"));
    let to = ok.lines().find(|line| line.starts_with("To: ")).unwrap();
    let ack = invite
        .replace("INVITE", "ACK")
        .replace("z9hG4bKlate", "z9hG4bKack")
        .replace("To: <sip:200@10.0.0.2>", to)
        .replace(
            "Content-Length: 0\r\n\r\n",
            "Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0",
        );
    from_0(&mut sim, &ack);
    let answer = sim.expect(1, |event| match event {
        SipEvent::Confirmed { body, .. } => Some(body.clone()),
        _ => None,
    });
    assert_eq!(answer, "v=0");
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut sim = Sim::pair(12);
    let ours = sim.place(2, "v=0");
    let theirs = sim.expect(1, incoming).dialog;
    sim.command(
        1,
        Command::Answer {
            dialog: theirs,
            body: body("v=0"),
        },
    );
    sim.bye(1, theirs);
    assert_eq!(sim.count_sent(1, "BYE"), 0);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
    sim.settle();
    assert_eq!(sim.last_events(1, theirs).len(), 1);
}

#[test]
fn digits_by_info_are_passed_on() {
    let mut sim = Sim::pair(13);
    let (ours, _) = sim.call(2);
    sim.command(
        0,
        Command::Info {
            dialog: ours,
            content_type: "application/dtmf-relay".into(),
            body: body("Signal=5"),
        },
    );
    let (kind, text) = sim.expect(1, |event| match event {
        SipEvent::Info { content_type, body, .. } => Some((content_type.clone(), body.clone())),
        _ => None,
    });
    assert_eq!((kind.as_str(), &text[..]), ("application/dtmf-relay", &b"Signal=5"[..]));
}

#[test]
fn two_thousand_calls_leave_nothing_behind() {
    let mut sim = Sim::pair(14);
    for round in 0..100u64 {
        let mut calls = Vec::new();
        for index in 0..20 {
            calls.push(sim.call(2 + (round * 20 + index) * 2));
        }
        for (ours, _) in calls {
            sim.bye(0, ours);
        }
        sim.sent.clear();
    }
    sim.settle();
}

#[test]
fn a_draining_or_congested_side_refuses_new_calls_and_keeps_old_ones() {
    for input in [
        strowger_sip::endpoint::Input::Drain,
        strowger_sip::endpoint::Input::Congested(true),
    ] {
        let mut sim = Sim::pair(15);
        let (ours, theirs) = sim.call(2);
        sim.input(1, input);
        let second = sim.place(4, "v=0");
        assert_eq!(sim.expect(0, failed(second)), 503);
        assert!(
            sim.sent
                .iter()
                .any(|(_, text)| text.starts_with("SIP/2.0 503") && text.contains("Retry-After"))
        );
        sim.bye(0, ours);
        assert_eq!(sim.expect(1, ended(theirs)), EndReason::Bye);
        sim.settle();
    }
}

#[test]
fn everything_is_hung_up_at_the_end() {
    let mut sim = Sim::pair(16);
    let (ours, theirs) = sim.call(2);
    let ringing = sim.place(4, "v=0");
    let other = sim.expect(1, incoming).dialog;
    sim.input(1, strowger_sip::endpoint::Input::HangUpAll);
    assert_eq!(sim.expect(1, ended(theirs)), EndReason::Local);
    assert_eq!(sim.expect(1, ended(other)), EndReason::Local);
    assert_eq!(sim.expect(0, ended(ours)), EndReason::Bye);
    sim.settle();
    assert_eq!(sim.last_events(0, ringing).len(), 1);
}

#[test]
fn the_second_of_two_forks_that_answer_is_acknowledged_and_ended() {
    let mut sim = Sim::pair(17);
    let (_, _) = sim.call(2);
    let (_, ok) = sim
        .sent
        .iter()
        .find(|(node, text)| *node == 1 && text.starts_with("SIP/2.0 200"))
        .unwrap()
        .clone();
    let tag = ok
        .lines()
        .find(|line| line.starts_with("To:"))
        .and_then(|line| line.split("tag=").nth(1))
        .unwrap()
        .to_owned();
    let fork = Bytes::from(ok.replace(&tag, "otherfork"));
    let (source, local) = (node_address(1), node_address(0));
    sim.sent.clear();
    sim.input(
        0,
        strowger_sip::endpoint::Input::Datagram {
            source,
            local,
            bytes: fork.clone(),
        },
    );
    let sent_to_fork = |sim: &Sim, method: &str| {
        sim.sent
            .iter()
            .filter(|(_, text)| text.starts_with(method) && text.contains("tag=otherfork"))
            .count()
    };
    assert_eq!((sent_to_fork(&sim, "ACK"), sent_to_fork(&sim, "BYE")), (1, 1));
    sim.input(
        0,
        strowger_sip::endpoint::Input::Datagram {
            source,
            local,
            bytes: fork,
        },
    );
    assert_eq!(sent_to_fork(&sim, "ACK"), 2);
}

#[test]
fn one_call_at_a_time_has_one_dialog_key() {
    let mut sim = Sim::pair(18);
    let (_, first) = sim.call(2);
    let (_, second) = sim.call(4);
    assert_ne!(first, second);
    assert_eq!((first, second), (DialogKey(1), DialogKey(3)));
}

#[test]
fn an_update_with_an_offer_is_an_offer_and_one_without_is_a_refresh() {
    let mut sim = Sim::pair(19);
    let (_, theirs) = sim.call(2);
    let find = |sim: &Sim, node: usize, prefix: &str, header: &str| {
        let (_, text) = sim
            .sent
            .iter()
            .find(|(from, text)| *from == node && text.starts_with(prefix))
            .unwrap();
        text.lines().find(|line| line.starts_with(header)).unwrap().to_owned()
    };
    let (from, id) = (find(&sim, 0, "ACK", "From:"), find(&sim, 0, "ACK", "Call-ID:"));
    let to = find(&sim, 0, "ACK", "To:");
    let update = |number: u32, rest: &str| {
        format!(
            "UPDATE sip:10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKu{number}\r\n{from}\r\n{to}\r\n{id}\r\n\
             CSeq: {number} UPDATE\r\nContact: <sip:100@10.0.0.1>\r\n{rest}"
        )
    };
    let (source, local) = (node_address(0), node_address(1));
    let send = |sim: &mut Sim, text: String| {
        let bytes = Bytes::from(text);
        sim.input(1, strowger_sip::endpoint::Input::Datagram { source, local, bytes });
    };
    send(&mut sim, update(10, "Content-Length: 0\r\n\r\n"));
    assert!(sim.sent.last().unwrap().1.starts_with("SIP/2.0 200"));
    send(
        &mut sim,
        update(11, "Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0"),
    );
    assert_eq!(sim.expect(1, reoffered), "v=0");
    sim.command(
        1,
        Command::AnswerReoffer {
            dialog: theirs,
            body: body("v=0 updated"),
        },
    );
    assert!(sim.sent.last().unwrap().1.ends_with("v=0 updated"));
    send(&mut sim, update(9, "Content-Length: 0\r\n\r\n"));
    assert!(sim.sent.last().unwrap().1.starts_with("SIP/2.0 500"), "out of order");
    sim.bye(1, theirs);
    sim.settle();
}
