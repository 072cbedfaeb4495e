//! How long reading a message takes, and whether ten million broken ones can make it panic.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement")]

use bytes::Bytes;
use std::hint::black_box;
use std::time::Instant;
use strowger_model::World;
use strowger_model::world::SeededWorld;
use strowger_sip::message::check::{self, Carrier};
use strowger_sip::message::{Name, NameAddr, Uri, parse, sdp_of};

const INVITE: &str = "INVITE sip:+15551230000@10.0.0.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1@192.0.2.10\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.10:5060;transport=udp>\r\nContent-Type: application/sdp\r\n\
    Content-Length: 44\r\n\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nt=0 0\r\n";

/// Reads a message and asks it everything; whether it is a good one.
fn read(bytes: &Bytes) -> bool {
    let Ok(mut message) = parse(bytes) else { return false };
    let is_good = check::request(&mut message, Carrier::Datagram).is_ok();
    black_box((
        message.via(),
        message.from(),
        message.to(),
        message.cseq(),
        sdp_of(&message),
    ));
    for item in message.items(Name::Contact) {
        black_box(NameAddr::parse(item).map(|contact| Uri::parse(contact.uri)));
    }
    is_good
}

fn mutated(world: &SeededWorld) -> Bytes {
    let mut bytes = INVITE.as_bytes().to_vec();
    let mut chance = [0u8; 24];
    world.fill(&mut chance);
    for piece in chance.chunks_exact(4) {
        let [low, high, what, byte] = *piece else { continue };
        let at = usize::from(u16::from_le_bytes([low, high])) % bytes.len().max(1);
        match what % 5 {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at.max(20)),
            2 => bytes.extend_from_within(at..),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
        }
    }
    bytes.into()
}

fn main() {
    let whole = Bytes::from_static(INVITE.as_bytes());
    let rounds = 200_000;
    let began = Instant::now();
    let good = (0..rounds).filter(|_| read(black_box(&whole))).count();
    println!(
        "{} bytes: {:?} a message ({good} good)",
        whole.len(),
        began.elapsed() / rounds
    );
    let world = SeededWorld::new(1, 0);
    let began = Instant::now();
    let good = (0..10_000_000).filter(|_| read(&mutated(&world))).count();
    println!(
        "ten million mutated messages: {good} good, no panic, {:?}",
        began.elapsed()
    );
}
