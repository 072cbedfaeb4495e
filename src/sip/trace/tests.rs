#![expect(clippy::disallowed_methods, reason = "virtual time starts at some instant")]

use super::*;

const PHONE: &str = "10.0.0.7:5062";
const OTHER: &str = "10.0.0.8:5062";

fn packet(remote: &str, is_sent: bool, bytes: &str) -> Packet {
    Packet {
        at: OffsetDateTime::UNIX_EPOCH,
        is_sent,
        local: "10.0.0.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        transport: Transport::Udp,
        bytes: Bytes::copy_from_slice(bytes.as_bytes()),
    }
}

fn message(start: &str, from: &str, to: &str, method: &str) -> String {
    format!("{start}\r\nFrom: <sip:a@b>;tag={from}\r\nTo: <sip:c@d>{to}\r\nCall-ID: one\r\nCSeq: 1 {method}\r\n\r\n")
}

fn all(tracer: &mut Tracer) -> Vec<(u64, String)> {
    tracer.settle();
    let text = |bytes: &Bytes| {
        String::from_utf8_lossy(bytes)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    std::iter::from_fn(|| tracer.poll())
        .map(|traced| (traced.dialog.0, text(&traced.packet.bytes)))
        .collect()
}

#[test]
fn a_dialog_placed_to_us_has_its_challenge_and_its_last_acknowledgement() {
    let (mut tracer, now) = (Tracer::new(true), Instant::now());
    tracer.came(packet(PHONE, false, &message("INVITE 1", "far", "", "INVITE")));
    tracer.sent(packet(
        PHONE,
        true,
        &message("SIP/2.0 401", "far", ";tag=stateless", "INVITE"),
    ));
    tracer.came(packet(PHONE, false, &message("ACK 1", "far", ";tag=stateless", "ACK")));
    // Somebody else who took the same names is no part of it.
    tracer.came(packet(OTHER, false, &message("INVITE other", "far", "", "INVITE")));
    assert_eq!(all(&mut tracer), []);

    tracer.came(packet(PHONE, false, &message("INVITE 2", "far", "", "INVITE")));
    tracer.begins(DialogKey(1), "one", "ours", Some(("far", PHONE.parse().unwrap())));
    tracer.sent(packet(PHONE, true, &message("SIP/2.0 100", "far", "", "INVITE")));
    tracer.ends(DialogKey(1), now);
    tracer.sent(packet(
        PHONE,
        true,
        &message("SIP/2.0 486", "far", ";tag=ours", "INVITE"),
    ));
    tracer.came(packet(PHONE, false, &message("ACK 2", "far", ";tag=ours", "ACK")));
    let told = [
        "INVITE 1",
        "SIP/2.0 401",
        "ACK 1",
        "INVITE 2",
        "SIP/2.0 100",
        "SIP/2.0 486",
        "ACK 2",
    ];
    assert_eq!(all(&mut tracer), told.map(|line| (1, line.to_owned())));

    tracer.ends(DialogKey(3), now + AFTERWARDS * 2);
    tracer.came(packet(PHONE, false, &message("ACK late", "far", ";tag=ours", "ACK")));
    assert_eq!(all(&mut tracer), []);
    assert!(tracer.names.is_empty() && tracer.by_tag.is_empty() && tracer.by_beginning.is_empty());
}

#[test]
fn a_dialog_of_ours_is_known_by_our_tag_on_either_side() {
    let mut tracer = Tracer::new(true);
    tracer.begins(DialogKey(2), "one", "ours", None);
    tracer.sent(packet(PHONE, true, &message("INVITE", "ours", "", "INVITE")));
    tracer.came(packet(
        PHONE,
        false,
        &message("SIP/2.0 200", "ours", ";tag=far", "INVITE"),
    ));
    tracer.came(packet(PHONE, false, &message("BYE", "far", ";tag=ours", "BYE")));
    tracer.came(packet(
        PHONE,
        false,
        &message("BYE astray", "far", ";tag=guessed", "BYE"),
    ));
    tracer.came(packet(PHONE, false, &message("REGISTER", "x", "", "REGISTER")));
    assert_eq!(
        all(&mut tracer),
        ["INVITE", "SIP/2.0 200", "BYE"].map(|line| (2, line.to_owned()))
    );
}

#[test]
fn what_belongs_to_nobody_is_bounded() {
    let mut tracer = Tracer::new(true);
    let long = "x".repeat(30_000);
    for n in 0..1_000 {
        let from = format!("far{n}");
        tracer.came(packet(
            PHONE,
            false,
            &(message("INVITE", &from, "", "INVITE") + if n % 2 == 0 { &long } else { "" }),
        ));
    }
    tracer.settle();
    assert!(tracer.waiting.len() <= MOST_WAITING && tracer.waiting_bytes <= MOST_WAITING_BYTES);
    let held: usize = tracer.waiting.iter().map(|(_, packet)| packet.bytes.len()).sum();
    assert_eq!(held, tracer.waiting_bytes);
    let mut off = Tracer::new(false);
    off.begins(DialogKey(1), "one", "ours", None);
    assert!(off.names.is_empty());
}
