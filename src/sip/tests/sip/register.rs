//! Devices that register and prove passwords.

use crate::sim::{Known, Sim, answered, incoming, node_address};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::DeviceId;
use strowger_model::trunk::DigestAlgorithm;
use strowger_sip::auth::answer::answer;
use strowger_sip::endpoint::Input;
use strowger_sip::message::{Message, Name, parse};
use strowger_sip::{Command, DialogKey, Origin, SipEvent, Target, TrunkAuth};

/// A phone that writes its own messages.
struct Phone {
    source: SocketAddr,
    number: u32,
    username: &'static str,
    password: &'static str,
    challenge: Option<String>,
    count: u32,
}

impl Phone {
    fn new(username: &'static str, password: &'static str) -> Self {
        let source = SocketAddr::from(([10, 0, 0, 99], 5062));
        Self {
            source,
            number: 0,
            username,
            password,
            challenge: None,
            count: 0,
        }
    }

    fn text(&mut self, method: &str, headers: &str, proof: Option<&str>) -> String {
        self.number += 1;
        let (number, user, port) = (self.number, self.username, self.source.port());
        let proof = proof
            .map(|proof| format!("Authorization: {proof}\r\n"))
            .unwrap_or_default();
        format!(
            "{method} sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.99:{port};branch=z9hG4bKp{number}{port};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@10.0.0.1>;tag=p\r\nTo: <sip:{user}@10.0.0.1>\r\nCall-ID: phone{port}\r\nCSeq: {number} {method}\r\n\
             {headers}{proof}Content-Length: 0\r\n\r\n"
        )
    }

    fn send(&self, sim: &mut Sim, text: &str) -> Message {
        let (source, local) = (self.source, node_address(0));
        let sent = sim.sent.len();
        sim.input(
            0,
            Input::Datagram {
                source,
                local,
                bytes: Bytes::copy_from_slice(text.as_bytes()),
            },
        );
        let (_, response) = sim.sent.get(sent).expect("an answer");
        parse(&Bytes::copy_from_slice(response.as_bytes())).unwrap()
    }

    /// Sends a request, and again with a password when it is challenged.
    fn ask(&mut self, sim: &mut Sim, method: &str, headers: &str) -> Message {
        let text = self.text(method, headers, None);
        let first = self.send(sim, &text);
        let Some(challenge) = first.value(Name::WwwAuthenticate).map(str::to_owned) else {
            return first;
        };
        self.challenge = Some(challenge);
        self.count = 0;
        self.prove(sim, method, headers)
    }

    fn prove(&mut self, sim: &mut Sim, method: &str, headers: &str) -> Message {
        self.count += 1;
        let auth = TrunkAuth {
            username: self.username.to_owned(),
            password: self.password.to_owned().into(),
        };
        let proof = answer(
            self.challenge.as_deref().unwrap(),
            &auth,
            method,
            "sip:10.0.0.1",
            "c0ffee",
        )
        .unwrap();
        let text = self.text(method, headers, Some(&proof));
        self.send(sim, &text)
    }
}

fn registrar(algorithm: DigestAlgorithm) -> (Sim, DeviceId) {
    let known = Known::nobody().device("100", algorithm);
    let device = known.devices[0].1.device;
    (Sim::new(1, vec![known]), device)
}

fn contacts(message: &Message) -> Vec<String> {
    message.items(Name::Contact).map(str::to_owned).collect()
}

fn is_unbound(event: &SipEvent) -> Option<()> {
    matches!(event, SipEvent::Unbound { .. }).then_some(())
}

#[test]
fn a_phone_registers_refreshes_and_leaves_with_either_algorithm() {
    for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha256] {
        let (mut sim, device) = registrar(algorithm);
        let mut phone = Phone::new("100", "secret");
        let contact = "Contact: <sip:100@192.168.1.5:5062;ob>;expires=120\r\n";
        let answer = phone.ask(&mut sim, "REGISTER", contact);
        assert_eq!(
            (answer.status(), contacts(&answer)),
            (Some(200), vec!["<sip:100@192.168.1.5:5062;ob>;expires=120".to_owned()])
        );
        let bound = sim.nodes[0].endpoint.bindings_of(device);
        assert_eq!(
            (bound[0].source.as_str(), bound[0].contact.as_str()),
            ("10.0.0.99:5062", "sip:100@192.168.1.5:5062;ob")
        );
        sim.run_for(Duration::from_secs(100));
        assert_eq!(phone.ask(&mut sim, "REGISTER", contact).status(), Some(200));
        sim.run_for(Duration::from_secs(100));
        assert_eq!(sim.nodes[0].endpoint.held().bindings, 1);
        assert_eq!(
            phone.ask(&mut sim, "REGISTER", "Contact: *\r\nExpires: 0\r\n").status(),
            Some(200)
        );
        sim.expect(0, is_unbound);
        assert!(sim.nodes[0].endpoint.bindings_of(device).is_empty());
        sim.settle();
    }
}

#[test]
fn a_phone_that_registered_from_where_a_trunk_stands_is_the_phone() {
    let mut known = Known::nobody().device("100", DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    known.trunks = vec![(phone.source, crate::sim::trunk_id())];
    let mut sim = Sim::new(1, vec![known]);
    let contact = "Contact: <sip:100@10.0.0.99:5062>\r\n";
    let origin = |sim: &mut Sim, phone: &mut Phone| {
        phone.ask(sim, "INVITE", contact);
        sim.expect(0, incoming).origin
    };
    assert!(
        matches!(origin(&mut sim, &mut phone), Origin::Trunk(_)),
        "nobody registered"
    );
    assert_eq!(phone.ask(&mut sim, "REGISTER", contact).status(), Some(200));
    assert!(matches!(origin(&mut sim, &mut phone), Origin::Device { .. }));
    phone.ask(&mut sim, "REGISTER", "Contact: *\r\nExpires: 0\r\n");
    assert!(matches!(origin(&mut sim, &mut phone), Origin::Trunk(_)), "it left");
}

#[test]
fn a_binding_that_is_not_refreshed_ends() {
    let (mut sim, device) = registrar(DigestAlgorithm::Md5);
    Phone::new("100", "secret").ask(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\nExpires: 60\r\n");
    sim.run_for(Duration::from_secs(59));
    assert_eq!(sim.nodes[0].endpoint.bindings_of(device).len(), 1);
    sim.run_for(Duration::from_secs(2));
    assert!(sim.nodes[0].endpoint.bindings_of(device).is_empty());
    sim.expect(0, is_unbound);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let look = |username, password| {
        let (mut sim, _) = registrar(DigestAlgorithm::Md5);
        let answer = Phone::new(username, password).ask(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\n");
        let challenge = answer.value(Name::WwwAuthenticate).unwrap().to_owned();
        (
            answer.status(),
            challenge.split("nonce=").next().map(str::to_owned),
            challenge.contains("stale"),
            sim.nodes[0].events.len(),
        )
    };
    assert_eq!(look("100", "wrong"), look("nobody", "secret"));
    assert_eq!(look("100", "wrong").0, Some(401));
}

#[test]
fn a_nonce_serves_once_unless_counted() {
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    assert_eq!(
        phone.ask(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\n").status(),
        Some(200)
    );
    // The same nonce with the same count again: right password, used up.
    let again = phone.prove(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\n");
    assert_eq!(again.status(), Some(401));
    assert!(again.value(Name::WwwAuthenticate).unwrap().contains("stale=true"));
}

#[test]
fn an_old_nonce_is_stale_and_no_failure() {
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    assert_eq!(phone.ask(&mut sim, "REGISTER", "").status(), Some(200));
    sim.run_for(Duration::from_secs(400));
    for _ in 0..30 {
        let answer = phone.prove(&mut sim, "REGISTER", "");
        assert!(answer.value(Name::WwwAuthenticate).unwrap().contains("stale=true"));
    }
    assert_eq!(phone.ask(&mut sim, "REGISTER", "").status(), Some(200));
}

#[test]
fn guessing_is_cut_off_but_not_for_the_phone_that_is_there() {
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    assert_eq!(
        phone.ask(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\n").status(),
        Some(200)
    );
    let mut thief = Phone::new("100", "guess");
    thief.source.set_port(6000);
    for _ in 0..20 {
        assert_eq!(thief.ask(&mut sim, "REGISTER", "").status(), Some(401));
    }
    thief.password = "secret";
    assert_eq!(
        thief.ask(&mut sim, "REGISTER", "").status(),
        Some(401),
        "not looked at any more"
    );
    assert_eq!(
        phone.ask(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\n").status(),
        Some(200)
    );
    sim.run_for(Duration::from_secs(60));
    assert_eq!(thief.ask(&mut sim, "REGISTER", "").status(), Some(200));
}

#[test]
fn too_short_is_423_and_changes_nothing() {
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let answer = Phone::new("100", "secret").ask(&mut sim, "REGISTER", "Contact: <sip:a@b>, <sip:c@d>;expires=5\r\n");
    assert_eq!(
        (answer.status(), answer.value(Name::MinExpires)),
        (Some(423), Some("60"))
    );
    assert_eq!(sim.nodes[0].endpoint.held().bindings, 0);
}

#[test]
fn a_star_with_anything_else_is_refused() {
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    for headers in [
        "Contact: *\r\n",
        "Contact: *\r\nExpires: 60\r\n",
        "Contact: *, <sip:a@b>\r\nExpires: 0\r\n",
    ] {
        assert_eq!(
            phone.ask(&mut sim, "REGISTER", headers).status(),
            Some(400),
            "{headers}"
        );
    }
}

#[test]
fn several_contacts_are_held_and_a_phone_that_moved_replaces_itself() {
    let (mut sim, device) = registrar(DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    let two = "Contact: <sip:a@b>;q=0.2, \"x,y\" <sip:c@d>;q=0.9\r\n";
    assert_eq!(contacts(&phone.ask(&mut sim, "REGISTER", two)).len(), 2);
    assert_eq!(sim.nodes[0].endpoint.bindings_of(device)[0].contact, "sip:c@d");
    let mut mobile = Phone::new("100", "secret");
    for (port, contact) in [(7001, "sip:m@1.1.1.1"), (7002, "sip:m@2.2.2.2")] {
        mobile.source.set_port(port);
        let header = format!("Contact: <{contact}>;+sip.instance=\"<urn:uuid:1>\"\r\n");
        assert_eq!(contacts(&mobile.ask(&mut sim, "REGISTER", &header)).len(), 3);
    }
    let mut many = Phone::new("100", "secret");
    for port in 8000..8030 {
        many.source.set_port(port);
        many.ask(&mut sim, "REGISTER", &format!("Contact: <sip:x@h{port}>\r\n"));
    }
    assert_eq!(sim.nodes[0].endpoint.bindings_of(device).len(), 10);
}

#[test]
fn a_repeated_register_gets_the_same_answer() {
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let mut phone = Phone::new("100", "secret");
    phone.ask(&mut sim, "REGISTER", "Contact: <sip:a@b>\r\n");
    let number = phone.number;
    let mut again = Phone {
        number: number - 1,
        ..Phone::new("100", "secret")
    };
    let text = again.text("REGISTER", "Contact: <sip:a@b>\r\n", None);
    assert_eq!(again.send(&mut sim, &text).status(), Some(200));
}

#[test]
fn bindings_are_restored_and_calls_reach_them() {
    let (mut sim, device) = registrar(DigestAlgorithm::Md5);
    Phone::new("100", "secret").ask(&mut sim, "REGISTER", "Contact: <sip:a@192.168.0.7;ob>\r\n");
    let bindings = sim.nodes[0].endpoint.bindings_of(device);
    let (mut sim, _) = registrar(DigestAlgorithm::Md5);
    let now = sim.now;
    sim.nodes[0].endpoint.restore(bindings.clone(), now);
    sim.invite(DialogKey(2), Target::Binding(Box::new(bindings[0].clone())), "v=0");
    let (_, invite) = sim.sent.iter().find(|(_, text)| text.starts_with("INVITE")).unwrap();
    assert!(invite.starts_with("INVITE sip:a@192.168.0.7;ob SIP/2.0\r\n"));
}

#[test]
fn a_phone_places_a_call_with_its_password_and_a_stranger_does_not() {
    let known = Known::nobody().device("100", DigestAlgorithm::Md5);
    let mut sim = Sim::new(3, vec![Known::nobody(), known]);
    let ours = sim.place(2, "v=0");
    let call = sim.expect(1, incoming);
    assert!(matches!(call.origin, strowger_sip::Origin::Device { username, .. } if username == "100"));
    sim.command(
        1,
        Command::Answer {
            dialog: call.dialog,
            body: Bytes::from_static(b"v=0"),
        },
    );
    sim.expect(0, answered(ours));
    sim.command(
        0,
        Command::Bye {
            dialog: ours,
            reason: None,
        },
    );
    sim.settle();

    let mut sim = Sim::new(
        3,
        vec![
            Known {
                password: "wrong".into(),
                ..Known::nobody()
            },
            Known::nobody(),
        ],
    );
    let ours = sim.place(2, "v=0");
    assert_eq!(sim.expect(0, crate::sim::failed(ours)), 401);
    assert!(sim.nodes[1].events.is_empty());
    sim.settle();
}
