//! Bytes from the network never panic, whatever they are.

use crate::sim::{Known, Sim, node_address};
use bytes::Bytes;
use proptest::prelude::*;
use strowger_model::World;
use strowger_model::world::SeededWorld;
use strowger_sip::endpoint::Input;
use strowger_sip::message::check::{self, Carrier};
use strowger_sip::message::frame::Framer;
use strowger_sip::message::{Method, Name, parse};

/// Reads a message and asks it everything.
fn read(bytes: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(mut message) = parse(&bytes) else { return false };
    let _ = (
        message.via().map(|via| via.branch().is_some()),
        message.from().and_then(|from| from.display_text()),
    );
    let _ = (
        message.to().map(|to| to.params.is_good()),
        message.cseq(),
        message.contact(),
        message.content_type(),
    );
    let _ = strowger_sip::message::sdp_of(&message);
    for name in [Name::Contact, Name::Route, Name::Authorization] {
        for item in message.items(name) {
            let _ =
                strowger_sip::message::NameAddr::parse(item).map(|item| strowger_sip::message::Uri::parse(item.uri));
            let _ = strowger_sip::auth::challenge::Claim::parse(item);
        }
    }
    if message.method().is_some() {
        check::request(&mut message, Carrier::Datagram).is_ok()
    } else {
        check::response(&mut message, Carrier::Datagram)
    }
}

pub(crate) const INVITE: &str = "INVITE sip:+15551230000@10.0.0.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\n\
    From: \"Alice \\\"A\\\" Liddell\" <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>\r\n\
    Call-ID: c1@192.0.2.10\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.10:5060;transport=udp>\r\n\
    Route: <sip:p1.example.com;lr>, <sip:[2001:db8::1];lr>\r\n\
    Authorization: Digest username=\"alice\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"00\", qop=auth, nc=00000001, cnonce=\"c\"\r\n\
    Content-Type: multipart/mixed;boundary=\"b\"\r\nContent-Length: 78\r\n\r\n\
    --b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\nm=audio 1 RTP/AVP 0\r\n\r\n--b--\r\n";

fn mutate(seed: u64, text: &str) -> Vec<u8> {
    let world = SeededWorld::new(seed, 0);
    let random = |most: usize| {
        let mut bytes = [0; 8];
        world.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % (most.max(1) as u64)).unwrap()
    };
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random(6) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random(bytes.len());
        match random(7) {
            0 => bytes[at] = u8::try_from(random(256)).unwrap(),
            1 => bytes.insert(at, b"\r\n:;,<>\"\\@ %[]=\0\xe9"[random(17)]),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at.max(1)),
            4 => {
                let end = (at + random(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random(bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => {
                let end = (at + random(30)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => bytes[at] = b"\r\n:;,<>\"\\@ %[]=\0\xe9"[random(17)],
        }
    }
    bytes
}

#[test]
fn thirty_thousand_mutated_messages_are_read_or_refused() {
    let good = (0..30_000).filter(|seed| read(&mutate(*seed, INVITE))).count();
    assert!(good > 1_000, "{good} still good");
}

#[test]
fn the_whole_endpoint_takes_mutated_messages_of_every_method() {
    let mut sim = Sim::new(
        1,
        vec![Known {
            trunks: vec![(node_address(1), crate::sim::trunk_id())],
            ..Known::nobody()
        }],
    );
    let methods = [
        "INVITE",
        "BYE",
        "REGISTER",
        "CANCEL",
        "ACK",
        "OPTIONS",
        "UPDATE",
        "INFO",
        "SUBSCRIBE",
    ];
    for seed in 0..5_000u64 {
        let method = methods[usize::try_from(seed).unwrap() % methods.len()];
        let text = INVITE
            .replace("INVITE", method)
            .replace("776asdhds", &format!("x{}", seed / 9))
            .replace("c1@", &format!("c{}@", seed / 18));
        let (source, local) = (node_address(1 + usize::try_from(seed % 2).unwrap()), node_address(0));
        sim.input(
            0,
            Input::Datagram {
                source,
                local,
                bytes: mutate(seed, &text).into(),
            },
        );
        if seed % 100 == 0 {
            sim.input(0, Input::HangUpAll);
            sim.run_for(std::time::Duration::from_secs(1));
            sim.sent.clear();
        }
    }
    sim.input(0, Input::HangUpAll);
    sim.settle();
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read(&bytes);
        let mut framer = Framer::default();
        framer.push(&bytes);
        while let Ok(Some(_)) = framer.take() {}
    }

    #[test]
    fn arbitrary_header_values_never_panic(value in "\\PC{0,80}", name in "(Via|From|To|Contact|CSeq|Route|Content-Type|Authorization)") {
        let text = INVITE.replacen("Max-Forwards: 70", &format!("{name}: {value}"), 1);
        read(text.as_bytes());
    }

    #[test]
    fn pieces_of_a_stream_make_the_same_messages(cuts in proptest::collection::vec(1usize..200, 1..12)) {
        let stream = format!("{INVITE}\r\n\r\n{INVITE}");
        let mut framer = Framer::default();
        let (mut rest, mut found) = (stream.as_bytes(), 0);
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            framer.push(piece);
            while let Some(frame) = framer.take().unwrap() {
                found += usize::from(matches!(frame, strowger_sip::message::frame::Frame::Message(..)));
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, 2);
    }
}

/// rsip is the second opinion: where it reads a plain message, it reads the same.
#[test]
fn a_stock_parser_sees_what_we_see() {
    for seed in 0..4_000 {
        let bytes = mutate(seed, crate::torture::PLAIN);
        let Ok(theirs) = rsip::SipMessage::try_from(&bytes[..]) else {
            continue;
        };
        let Ok(mut ours) = parse(&Bytes::from(bytes.clone())) else {
            continue;
        };
        if ours.method().is_none() || check::request(&mut ours, Carrier::Datagram).is_err() {
            continue;
        }
        use rsip::prelude::{HeadersExt, UntypedHeader};
        // It takes bare line ends for part of a value.
        let is_plain = |id: &&rsip::headers::CallId| !id.value().contains(|c: char| c.is_control());
        if let (Some(id), Some(own)) = (theirs.call_id_header().ok().filter(is_plain), ours.sip_call_id()) {
            assert_eq!(id.value().trim(), own, "seed {seed}");
        }
        if let (rsip::SipMessage::Request(request), Some(own)) = (&theirs, ours.method()) {
            assert_eq!(request.method.to_string(), own.as_str(), "seed {seed}");
            assert_ne!(*own, Method::Other(String::new()));
        }
    }
}
