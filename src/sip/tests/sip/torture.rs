//! The cases of RFC 4475, written anew from what its text asks for, and shapes that phones and carriers really send.

use crate::sim::{Known, Sim, node_address};
use bytes::Bytes;
use strowger_sip::endpoint::Input;
use strowger_sip::message::check::{self, Carrier};
use strowger_sip::message::{Message, parse};

pub(crate) const PLAIN: &str = "INVITE sip:+15551230000@10.0.0.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1@192.0.2.10\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.10:5060;transport=udp>\r\nContent-Type: application/sdp\r\n\
    Content-Length: 44\r\n\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nt=0 0\r\n";

fn checked(text: &[u8]) -> Result<Message, u16> {
    let mut message = parse(&Bytes::copy_from_slice(text)).map_err(|_| 0u16)?;
    check::request(&mut message, Carrier::Datagram).map_err(|refusal| refusal.status)?;
    Ok(message)
}

/// An OPTIONS with one thing changed: `from` is replaced by `to`.
fn options(from: &str, to: &str) -> Vec<u8> {
    let text = "OPTIONS sip:user@example.com SIP/2.0\r\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\r\n\
                Max-Forwards: 70\r\nFrom: <sip:caller@example.net>;tag=323\r\nTo: <sip:user@example.com>\r\nCall-ID: torture.1@x\r\n\
                CSeq: 60 OPTIONS\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n";
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn tortuous_but_good_messages_are_taken() {
    // 3.1.1.1: folds, blanks around everything, compact names, empty headers, escaped quotes.
    let folded = "INVITE sip:vivekg@chair.example.com;unknownparam SIP/2.0\r\nTO :\r\n sip:vivekg@chair.example.com ;   tag    = 1918n\r\n\
        from   : \"J Rosenberg \\\\\\\"\"       <sip:jd@example.com>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.1\r\n\
        Content-Length   : 3\r\ncseq: 0009\r\n  INVITE\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n\
        NewFangled:   new value\r\n continued\r\nOdd: ;;,,;;,;\r\nContent-Type: application/sdp\r\nRoute:\r\n <sip:s.example.com;lr;x=y;z>\r\n\
        v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n\
        z9hG4bK30239\r\nm:\"Quoted \\\"\\\"\" <sip:jd@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\nv=0";
    let folded = folded.replace("branch=\r\nz9", "branch=\r\n z9");
    let message = checked(folded.as_bytes()).unwrap();
    assert_eq!(message.items(strowger_sip::message::Name::Via).count(), 3);
    assert_eq!(message.to().unwrap().tag(), Some("1918n"));
    assert_eq!(
        message.from().unwrap().display_text().as_deref(),
        Some("J Rosenberg \\\"")
    );
    let good = [
        // 3.1.1.3: escapes in a user, a colon and an at sign among them.
        options("OPTIONS sip:user@", "OPTIONS sip:sips%3Auser%40example.com@"),
        options("<sip:caller@example.net>", "<sip:I%20have%20spaces@example.net>"),
        // 3.1.1.4: an escaped NUL.
        options("<sip:caller@example.net>", "sip:null-%00-null@example.com"),
        // 3.1.1.5: a percent sign that escapes nothing, in a token and a display name.
        options("<sip:caller@", "\"%Z%45\" <sip:caller@"),
        options("z9hG4bKkdjuw", "z9hG4bK209%fzsnel234"),
        // 3.1.1.6: no blank between a name and its address.
        options("From: <sip:", "From: caller<sip:"),
        // 3.1.1.7: long values.
        options(
            "sip:user@example.com>",
            &format!("sip:user@example.com>;x={}", "long".repeat(200)),
        ),
        // 3.1.1.8: more after the body's end.
        options("0\r\n\r\n", "0\r\n\r\nINVITE sip:joe@example.com SIP/2.0\r\n"),
        // 3.1.1.9: a semicolon in a user.
        options(
            "sip:user@example.com SIP",
            "sip:user;par=u%40example.net@example.com SIP",
        ),
        // 3.1.1.10: several transports, one nobody knows.
        options(
            "Max-Forwards",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKk\r\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKa\r\nMax-Forwards",
        ),
        // 3.3.1: RFC 2543 has no tag, no branch, no Max-Forwards.
        options(";tag=323", ""),
        options(";branch=z9hG4bKkdjuw", ""),
        options("Max-Forwards: 70\r\n", ""),
        // 3.2.1: a branch of nothing but the cookie.
        options("z9hG4bKkdjuw", "z9hG4bK"),
    ];
    for text in good {
        assert_eq!(checked(&text).err(), None, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn messages_that_must_be_refused_are_refused_as_they_must() {
    let refused = [
        // 3.1.2.1: separators where parameters should be.
        (options(";branch=z9hG4bKkdjuw", ";;,;,,"), 400),
        (
            options("Accept: application/sdp", "Contact: \"Joe\" <sip:joe@example.org>;;;;"),
            400,
        ),
        // 3.1.2.2 and 3.1.2.3: a length that is too long, a negative one.
        (options("Content-Length: 0", "Content-Length: 9999"), 400),
        (options("Content-Length: 0", "Content-Length: -999"), 400),
        // 3.1.2.4: numbers that do not fit.
        (options("CSeq: 60", "CSeq: 36893488147419103232"), 400),
        (options("Max-Forwards: 70", "Max-Forwards: 300"), 400),
        // 3.1.2.6: a quote that stays open.
        (options("To: <sip:user@", "To: \"Mr. J. User <sip:user@"), 400),
        // 3.1.2.7 to 3.1.2.10: brackets around, blanks in, blanks around, blanks after the Request-URI.
        (options("sip:user@example.com SIP", "<sip:user@example.com> SIP"), 400),
        (options("sip:user@example.com SIP", "sip:user@example.com; lr SIP"), 400),
        (
            options("OPTIONS sip:user@example.com SIP", "OPTIONS  sip:user@example.com  SIP"),
            400,
        ),
        (options("SIP/2.0\r\nVia", "SIP/2.0  \r\nVia"), 400),
        // 3.1.2.11: headers in the Request-URI.
        (
            options(
                "sip:user@example.com SIP",
                "sip:user@example.com?Route=%3Csip:example.com%3E SIP",
            ),
            400,
        ),
        // 3.1.2.12: a date that is not GMT.
        (
            options("Accept: application/sdp", "Date: Fri, 01 Jan 2010 16:00:00 EST"),
            400,
        ),
        // 3.1.2.13: a Contact with headers and no brackets.
        (
            options(
                "Accept: application/sdp",
                "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            ),
            400,
        ),
        // 3.1.2.14: blanks in brackets. 3.1.2.15: a comma in a name without quotes.
        (
            options("To: <sip:user@example.com>", "To: \"Watson\" < sip:user@example.com >"),
            400,
        ),
        (options("From: <sip:", "From: Bell, Alexander <sip:"), 400),
        // 3.1.2.16: another version. 3.1.2.17 and 3.1.2.18: methods that differ.
        (options("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505),
        (options("60 OPTIONS", "60 INVITE"), 400),
        (options("OPTIONS sip", "NEWMETHOD sip"), 400),
        // 3.3.2 to 3.3.4: schemes nobody knows.
        (
            options(
                "sip:user@example.com SIP",
                "nobodyKnowsThisScheme:totallyopaquecontent SIP",
            ),
            416,
        ),
        (
            options("sip:user@example.com SIP", "soap.beep://192.0.2.103:3002 SIP"),
            416,
        ),
        // 3.3.5, 3.3.6: extensions nobody knows.
        (
            options("Accept: application/sdp", "Require: nothingSupportsThis, norThis"),
            420,
        ),
        // 3.3.8, 3.3.9: headers twice.
        (options("CSeq: 60 OPTIONS", "CSeq: 60 OPTIONS\r\nCSeq: 61 OPTIONS"), 400),
        (
            options("Content-Length: 0", "Content-Length: 0\r\nContent-Length: 5"),
            400,
        ),
        // 3.3.12: no more hops.
        (options("Max-Forwards: 70", "Max-Forwards: 0"), 483),
        // Missing what every request has.
        (options("Call-ID: torture.1@x\r\n", ""), 400),
        (options("To: <sip:user@example.com>\r\n", ""), 400),
        (options("Accept", "Accept\r\nNo-Colon"), 400),
        // Not in the RFC: lengths that differ for two readers.
        (options("Content-Length: 0", "Content-Length: 0, 5"), 400),
        (options("Content-Length: 0", "Content-Length: +0"), 400),
    ];
    for (text, status) in refused {
        assert_eq!(checked(&text).err(), Some(status), "{}", String::from_utf8_lossy(&text));
    }
    // 3.3.14 and 3.3.15: bodies and answers we do not do.
    assert_eq!(
        checked(PLAIN.replace("application/sdp", "application/unknownformat").as_bytes()).err(),
        Some(415)
    );
    assert_eq!(
        checked(PLAIN.replace("CSeq", "Accept: text/nobodyKnowsThis\r\nCSeq").as_bytes()).err(),
        Some(406)
    );
    // 3.1.1.2 and 3.1.1.5: methods of odd tokens are none of ours.
    let odd = "!interesting-Method0123456789_*+`.%indeed'~";
    let text = String::from_utf8(options("60 OPTIONS", &format!("60 {odd}")))
        .unwrap()
        .replacen("OPTIONS", odd, 1);
    let text = text.replacen(
        "sip:user@",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@",
        1,
    );
    assert_eq!(checked(text.as_bytes()).err(), Some(501));
}

#[test]
fn responses_that_are_wrong_are_dropped() {
    let mut sim = Sim::new(1, vec![Known::nobody()]);
    let base = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\n\
                CSeq: 35 INVITE\r\nContent-Length: 0\r\n\r\n";
    for (from, to) in [
        ("200 OK", "4294967301 better not break the receiver"),
        ("200 OK", "100 "),
        ("200 OK", "200 = 2**3 * 5**2 но сто девяносто девять - простое"),
        ("CSeq: 35", "CSeq: 9292394834772304023312"),
        ("From:", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKsaber\r\nFrom:"),
    ] {
        let bytes = Bytes::from(base.replacen(from, to, 1));
        sim.input(
            0,
            Input::Datagram {
                source: node_address(3),
                local: node_address(0),
                bytes,
            },
        );
    }
    assert!(sim.sent.is_empty() && sim.nodes[0].events.is_empty());
}

#[test]
fn real_shapes_are_read() {
    let plain = |from: &str, to: &str| {
        assert!(PLAIN.contains(from), "{from}");
        PLAIN.replacen(from, to, 1).into_bytes()
    };
    let mut latin1 = plain("\"Alice\"", "\"Jos#\"");
    let at = latin1.iter().position(|byte| *byte == b'#').unwrap();
    latin1[at] = 0xe9;
    assert_eq!(
        checked(&latin1).unwrap().from().unwrap().display_text().as_deref(),
        Some("José")
    );

    let tel = checked(&plain(
        "sip:+15551230000@10.0.0.1:5060;user=phone",
        "tel:+15551230000;phone-context=x",
    ))
    .unwrap();
    assert_eq!(
        strowger_sip::message::Uri::parse(tel.request_uri().unwrap())
            .unwrap()
            .user_text(),
        "+15551230000"
    );

    let no_length = checked(&plain("Content-Length: 44\r\n", "")).unwrap();
    assert_eq!(no_length.body().len(), 44, "the rest of the datagram");
    let lf_only = checked(PLAIN.replace("\r\n", "\n").as_bytes()).unwrap();
    assert_eq!(lf_only.body().len(), 44, "the sender counted the CRs it left out");

    let shapes = [
        plain(
            "sip:+15551230000@10.0.0.1:5060;user=phone",
            "sip:bob@[2001:db8::1]:5060",
        ),
        plain(
            "UDP 192.0.2.10:5060;rport",
            "UDP [2001:db8::2]:5060;received=2001:db8::2",
        ),
        plain("\"Alice\" <sip:alice@example.com>", "sip:alice@example.com"),
        plain("\"Alice\"", "Łukasz Żółć"),
        plain("\"Alice\"", "\"A \\\"B\\\" <x>, C\""),
        plain("sip:+15551230000@10.0.0.1:5060;user=phone", "sip:*97%23@10.0.0.1"),
        plain("sip:+15551230000@10.0.0.1:5060;user=phone", "sip:#31#5551234@10.0.0.1"),
        plain(
            "Max-Forwards",
            "Record-Route: <sip:p1.example.com;lr>,<sip:p2.example.com;lr=on;ftag=1>\r\nMax-Forwards",
        ),
        plain("Max-Forwards", "Subject: a\r\n\tb\r\n c\r\nMax-Forwards"),
        plain("UDP 192.0.2.10:5060", "WSS df7jal23ls0d.invalid"),
        plain(
            "<sip:alice@192.0.2.10:5060;transport=udp>",
            "\"A\" <sip:a@192.0.2.1;gr=urn:uuid:f8>;+sip.instance=\"<urn:uuid:f8>\";reg-id=1;q=0.7",
        ),
        plain(
            "Max-Forwards",
            "P-Asserted-Identity: \"A\" <sip:+15551@carrier.net>, <tel:+15551>\r\nMax-Forwards",
        ),
    ];
    for text in shapes {
        assert_eq!(checked(&text).err(), None, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn every_request_that_is_refused_is_answered_and_scanners_are_not() {
    let mut sim = Sim::new(1, vec![Known::nobody()]);
    let mut ask = |text: Vec<u8>| {
        let before = sim.sent.len();
        sim.input(
            0,
            Input::Datagram {
                source: node_address(3),
                local: node_address(0),
                bytes: text.into(),
            },
        );
        sim.sent.get(before).map(|(_, text)| text.clone())
    };
    let unsupported = ask(options("Accept: application/sdp", "Require: foo")).unwrap();
    assert!(unsupported.contains("\r\nUnsupported: foo\r\n"));
    let via = "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw;received=10.0.0.4;rport=5060\r\n";
    assert!(ask(options("kdjuw", "kdjuw;rport")).unwrap().contains(via));
    for (method, status) in [
        ("SUBSCRIBE", "489"),
        ("PUBLISH", "489"),
        ("MESSAGE", "405"),
        ("REFER", "405"),
        ("BYE", "481"),
        ("INFO", "481"),
        ("FOO", "501"),
    ] {
        let text = String::from_utf8(options("CSeq", "CSeq"))
            .unwrap()
            .replace("OPTIONS", method);
        let answer = ask(text.into_bytes()).unwrap();
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{method}: {answer}");
    }
    assert_eq!(ask(options("Accept", "User-Agent: friendly-scanner\r\nAccept")), None);
    assert_eq!(ask(b"\r\n\r\n".to_vec()), None);
    assert_eq!(ask(b"GET / HTTP/1.1\r\n\r\n".to_vec()), None);
    let ack = String::from_utf8(options("Max-Forwards: 70", "Max-Forwards: 999"))
        .unwrap()
        .replace("OPTIONS", "ACK");
    assert_eq!(ask(ack.into_bytes()), None, "an ACK is never answered");
}
