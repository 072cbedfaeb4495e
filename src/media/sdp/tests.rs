//! Bodies as phones and trunks write them, and properties of the exchange.

use super::*;
use proptest::prelude::*;

const OURS: &str = "192.0.2.10:20000";

fn session() -> Session {
    Session::new(OURS.parse().unwrap(), 1 << 20)
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap()
}

fn lines(body: &[u8], kind: &str) -> Vec<String> {
    text(body)
        .lines()
        .filter(|line| line.starts_with(kind))
        .map(str::to_owned)
        .collect()
}

fn version(body: &[u8]) -> u64 {
    lines(body, "o=")[0].split(' ').nth(2).unwrap().parse().unwrap()
}

/// An ordinary phone's offer with a changeable media part.
fn offer(connection: &str, media: &str) -> String {
    format!("v=0\r\no=phone 1 1 IN IP4 198.51.100.7\r\ns=call\r\nc=IN IP4 {connection}\r\nt=0 0\r\n{media}")
}

const AUDIO: &str = "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n";

fn answered(body: &str) -> (String, Negotiated) {
    let (answer, negotiated) = session().answer(body.as_bytes(), Preference::TheirOrder).unwrap();
    (text(&answer).to_owned(), negotiated)
}

#[test]
fn an_ordinary_offer_is_answered_in_its_order() {
    let (answer, negotiated) = answered(&offer("198.51.100.7", AUDIO));
    assert_eq!(
        negotiated,
        Negotiated {
            remote: "198.51.100.7:4000".parse().unwrap(),
            remote_rtcp: "198.51.100.7:4001".parse().unwrap(),
            codec: Codec::Pcma,
            payload_type: 8,
            dtmf_payload_type: Some(101),
            dtmf_receive_type: Some(101),
            dtmf_clock_khz: 8,
            opus: None,
            ptime_ms: 20,
            direction: Direction::BOTH,
        }
    );
    assert_eq!(
        answer,
        "v=0\r\no=- 262144 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn a_preferred_codec_wins_where_it_is_offered() {
    let body = offer("198.51.100.7", AUDIO);
    let chosen = |preference| session().answer(body.as_bytes(), preference).unwrap().1.codec;
    assert_eq!(chosen(Preference::Codec(Codec::Pcmu)), Codec::Pcmu);
    assert_eq!(chosen(Preference::TheirOrder), Codec::Pcma);
    let only = offer("198.51.100.7", "m=audio 4000 RTP/AVP 8\r\n");
    let (_, negotiated) = session()
        .answer(only.as_bytes(), Preference::Codec(Codec::Pcmu))
        .unwrap();
    assert_eq!((negotiated.codec, negotiated.dtmf_payload_type), (Codec::Pcma, None));
}

#[test]
fn other_streams_are_refused_in_their_place() {
    let media = format!(
        "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{AUDIO}m=audio 6000 RTP/SAVP 0\r\nm=image 7000 udptl t38\r\n"
    );
    let (answer, negotiated) = answered(&offer("198.51.100.7", &media));
    assert_eq!(negotiated.remote.port(), 4_000);
    assert_eq!(
        lines(answer.as_bytes(), "m="),
        [
            "m=video 0 RTP/AVP 96",
            "m=audio 20000 RTP/AVP 8 101",
            "m=audio 0 RTP/SAVP 0",
            "m=image 0 udptl t38"
        ]
    );
}

#[test]
fn nothing_we_speak_is_an_error() {
    for (media, error) in [
        (
            "m=audio 4000 RTP/AVP 18 96\r\na=rtpmap:96 opus/48000/2\r\n",
            Error::NoUsableAudio,
        ),
        ("m=audio 4000 RTP/SAVP 0\r\n", Error::NoUsableAudio),
        ("m=audio 0 RTP/AVP 0\r\n", Error::NoUsableAudio),
        (
            "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n",
            Error::NoUsableAudio,
        ),
        ("m=video 4000 RTP/AVP 31\r\n", Error::NoUsableAudio),
        ("", Error::Unreadable),
        ("m=audio\r\n", Error::Unreadable),
    ] {
        let body = offer("198.51.100.7", media);
        assert_eq!(
            session().answer(body.as_bytes(), Preference::TheirOrder),
            Err(error),
            "{media}"
        );
    }
    let named = offer("phone.example", AUDIO);
    assert_eq!(
        session().answer(named.as_bytes(), Preference::TheirOrder),
        Err(Error::UnknownAddress)
    );
}

#[test]
fn hold_in_every_dialect() {
    for (connection, attribute, direction, answer) in [
        ("198.51.100.7", "a=sendonly", Direction::RECV, "a=recvonly"),
        ("198.51.100.7", "a=inactive", Direction::NONE, "a=inactive"),
        ("198.51.100.7", "a=recvonly", Direction::SEND, "a=sendonly"),
        ("198.51.100.7", "a=sendrecv", Direction::BOTH, "a=sendrecv"),
        ("0.0.0.0", "a=sendrecv", Direction::RECV, "a=recvonly"),
        ("0.0.0.0", "a=inactive", Direction::NONE, "a=inactive"),
        ("0.0.0.0", "", Direction::RECV, "a=recvonly"),
    ] {
        let body = offer(connection, &format!("{AUDIO}{attribute}\r\n"));
        let (text, negotiated) = answered(&body);
        assert_eq!(negotiated.direction, direction, "{connection} {attribute}");
        assert!(text.contains(answer), "{connection} {attribute}: {text}");
        assert!(!text.contains("0.0.0.0"), "our address is always told");
    }
    let session_level = offer("198.51.100.7", AUDIO).replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    assert_eq!(answered(&session_level).1.direction, Direction::RECV);
}

#[test]
fn port_zero_on_a_running_stream_is_hold() {
    let mut session = session();
    let running = offer("198.51.100.7", AUDIO);
    session.answer(running.as_bytes(), Preference::TheirOrder).unwrap();
    let held = offer("198.51.100.7", "m=audio 0 RTP/AVP 99\r\n");
    let (answer, negotiated) = session.answer(held.as_bytes(), Preference::TheirOrder).unwrap();
    assert_eq!((negotiated.direction, negotiated.codec), (Direction::NONE, Codec::Pcma));
    assert!(lines(&answer, "m=")[0].starts_with("m=audio 0 "));
    let (answer, negotiated) = session.answer(running.as_bytes(), Preference::TheirOrder).unwrap();
    assert_eq!(negotiated.direction, Direction::BOTH);
    assert!(lines(&answer, "m=")[0].starts_with("m=audio 20000 "));
}

#[test]
fn the_version_grows_with_a_change_and_only_then() {
    let mut session = session();
    let body = offer("198.51.100.7", AUDIO);
    let mut answer = |body: &str| session.answer(body.as_bytes(), Preference::TheirOrder).unwrap().0;
    let first = answer(&body);
    assert_eq!(answer(&body), first);
    let held = answer(&format!("{body}a=sendonly\r\n"));
    assert_eq!((version(&first), version(&held)), (1, 2));
    assert_eq!(version(&answer(&body)), 3);
    assert_eq!(session.body().map(|body| version(&body)), Some(3));
}

#[test]
fn our_hold_and_resume_keep_address_types_and_codec() {
    let mut session = session();
    let first = session.offer(Codec::Pcmu);
    assert_eq!(lines(&first, "m="), ["m=audio 20000 RTP/AVP 0 8 101"]);
    let answer = offer(
        "198.51.100.7",
        "m=audio 4000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\n",
    );
    let negotiated = session.accept_answer(answer.as_bytes()).unwrap();
    assert_eq!(negotiated.codec, Codec::Pcma);
    assert_eq!(
        (negotiated.dtmf_payload_type, negotiated.dtmf_receive_type),
        (Some(97), Some(101))
    );
    session.want(Direction::SEND);
    let hold = session.offer(Codec::Pcma);
    assert_eq!(lines(&hold, "m="), ["m=audio 20000 RTP/AVP 8 0 101"]);
    assert!(text(&hold).contains("a=sendonly") && text(&hold).contains("c=IN IP4 192.0.2.10"));
    let answer = format!("{answer}a=recvonly\r\n");
    assert_eq!(
        session.accept_answer(answer.as_bytes()).unwrap().direction,
        Direction::SEND
    );
    session.want(Direction::BOTH);
    let resume = session.offer(Codec::Pcma);
    assert!(text(&resume).contains("a=sendrecv"));
    assert_eq!(
        session
            .accept_answer(answer.replace("a=recvonly", "").as_bytes())
            .unwrap()
            .direction,
        Direction::BOTH
    );
}

#[test]
fn a_refused_or_unasked_answer_changes_nothing() {
    let mut session = session();
    let refused = offer("198.51.100.7", "m=audio 0 RTP/AVP 0\r\n");
    assert_eq!(session.accept_answer(refused.as_bytes()), Err(Error::NothingOffered));
    session.offer(Codec::Pcmu);
    assert_eq!(session.accept_answer(refused.as_bytes()), Err(Error::NoUsableAudio));
    assert_eq!(session.agreed(), None);
}

#[test]
fn a_later_offer_of_ours_repeats_their_streams_and_types() {
    let mut session = session();
    let media = "m=video 5000 RTP/AVP 96\r\nm=audio 4000 RTP/AVPF 96 111\r\na=rtpmap:96 PCMA/8000\r\na=rtpmap:111 telephone-event/8000\r\n";
    session
        .answer(offer("198.51.100.7", media).as_bytes(), Preference::TheirOrder)
        .unwrap();
    let ours = session.offer(Codec::Pcma);
    assert_eq!(
        lines(&ours, "m="),
        ["m=video 0 RTP/AVP 96", "m=audio 20000 RTP/AVPF 96 0 111"]
    );
    assert!(text(&ours).contains("a=rtpmap:96 PCMA/8000"));
}

#[test]
fn sloppy_bodies_are_understood() {
    let (_, negotiated) =
        answered("m=AUDIO 4000/2 rtp/avp 0 101\nc=IN IP4 198.51.100.7/127\na=RTPMAP: 101 Telephone-Event/8000\n");
    assert_eq!(
        (negotiated.remote.port(), negotiated.dtmf_payload_type),
        (4_000, Some(101))
    );
    let (_, negotiated) = answered(&offer(
        "198.51.100.7",
        "m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/48000\r\na=maxptime:10\r\n",
    ));
    assert_eq!((negotiated.dtmf_payload_type, negotiated.ptime_ms), (None, 10));
    let (_, negotiated) = answered(&offer(
        "198.51.100.7",
        "m=audio 4000 RTP/AVP 0\r\na=rtcp:53020 IN IP4 203.0.113.9\r\n",
    ));
    assert_eq!(negotiated.remote_rtcp, "203.0.113.9:53020".parse().unwrap());
}

#[test]
fn the_other_family_is_spoken_as_well() {
    let mut ours = Session::new("[2001:db8::1]:20000".parse().unwrap(), 8);
    let body = "v=0\r\nc=IN IP6 2001:db8::7\r\nm=audio 4000 RTP/AVP 0\r\n";
    let (answer, negotiated) = ours.answer(body.as_bytes(), Preference::TheirOrder).unwrap();
    assert_eq!(negotiated.remote, "[2001:db8::7]:4000".parse().unwrap());
    assert!(text(&answer).contains("c=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn a_session_survives_being_written_down() {
    let mut session = session();
    session
        .answer(offer("198.51.100.7", AUDIO).as_bytes(), Preference::TheirOrder)
        .unwrap();
    let written = serde_json::to_string(&session).unwrap();
    let mut read: Session = serde_json::from_str(&written).unwrap();
    assert_eq!(read, session);
    assert_eq!(read.offer(Codec::Pcma), session.offer(Codec::Pcma));
}

fn direction() -> impl Strategy<Value = Direction> {
    (any::<bool>(), any::<bool>()).prop_map(|(send, recv)| Direction { send, recv })
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![Just(Codec::Pcmu), Just(Codec::Pcma)]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes);
        let _ = session().answer(&bytes, Preference::TheirOrder);
    }

    #[test]
    fn mangled_bodies_never_panic_and_answers_can_be_read(
        cuts in proptest::collection::vec((0_usize..400, any::<u8>()), 0..8), end in 0_usize..400
    ) {
        let mut body = offer("198.51.100.7", AUDIO).into_bytes();
        for (at, byte) in cuts {
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
        }
        body.truncate(end.max(80));
        let mut session = session();
        if let Ok((answer, _)) = session.answer(&body, Preference::TheirOrder) {
            prop_assert_eq!(parse(&answer).unwrap().media.len(), parse(&body).unwrap().media.len());
        }
        session.offer(Codec::Pcmu);
        let _ = session.accept_answer(&body);
    }

    #[test]
    fn both_sides_agree(
        wanted_a in direction(), wanted_b in direction(), first in codec(), preferred in codec(), rounds in 1_usize..4
    ) {
        let (addr_a, addr_b) = ("192.0.2.1:4000".parse().unwrap(), "[2001:db8::2]:5000".parse().unwrap());
        let (mut a, mut b) = (Session::new(addr_a, 77), Session::new(addr_b, 99));
        a.want(wanted_a);
        b.want(wanted_b);
        for _ in 0..rounds {
            let offer = a.offer(first);
            let (answer, theirs) = b.answer(&offer, Preference::Codec(preferred)).unwrap();
            let ours = a.accept_answer(&answer).unwrap();
            prop_assert_eq!(ours.remote, addr_b);
            prop_assert_eq!(theirs.remote, addr_a);
            prop_assert_eq!(ours.codec, theirs.codec);
            prop_assert_eq!(ours.payload_type, theirs.payload_type);
            prop_assert_eq!(ours.dtmf_payload_type, theirs.dtmf_receive_type);
            prop_assert_eq!(ours.direction, theirs.direction.mirrored());
            prop_assert_eq!(ours.direction, wanted_a.limited_by(wanted_b.mirrored()));
            std::mem::swap(&mut a, &mut b);
            let back = a.offer(ours.codec);
            let (answer, theirs) = b.answer(&back, Preference::TheirOrder).unwrap();
            let again = a.accept_answer(&answer).unwrap();
            prop_assert_eq!(again.codec, ours.codec);
            prop_assert_eq!(again.direction, theirs.direction.mirrored());
            std::mem::swap(&mut a, &mut b);
        }
    }
}

/// A side that speaks everything.
fn versatile() -> Session {
    session().speaking(&Codec::ALL)
}

#[test]
fn every_codec_is_offered_with_its_clock_and_its_keys() {
    let offer = versatile().offer(Codec::Opus);
    let offer = text(&offer);
    assert!(offer.contains("m=audio 20000 RTP/AVP 111 9 8 0 101 110\r\n"), "{offer}");
    for line in [
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n",
        "a=rtpmap:9 G722/8000\r\n",
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
        "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n",
    ] {
        assert!(offer.contains(line), "{line} in {offer}");
    }
    let narrow = session().speaking(&[Codec::G722, Codec::Pcmu]).offer(Codec::Pcmu);
    let narrow = text(&narrow);
    assert!(
        narrow.contains("RTP/AVP 0 9 101\r\n") && !narrow.contains("48000"),
        "{narrow}"
    );
}

#[test]
fn offers_are_answered_in_the_codec_and_the_numbers_they_came_with() {
    let media = "m=audio 4000 RTP/AVP 96 9 0 97 98\r\na=rtpmap:96 OPUS/48000/2\r\n\
                 a=fmtp:96 maxaveragebitrate=24000; useinbandfec=1\r\na=rtpmap:97 telephone-event/8000\r\n\
                 a=rtpmap:98 telephone-event/48000\r\n";
    for (preference, codec, number, event, khz) in [
        (Preference::TheirOrder, Codec::Opus, 96, 98, 48),
        (Preference::Codec(Codec::G722), Codec::G722, 9, 97, 8),
        // What is not offered is met by what comes nearest.
        (Preference::Codec(Codec::Pcma), Codec::Pcmu, 0, 97, 8),
    ] {
        let body = offer("198.51.100.7", media);
        let (answer, agreed) = versatile().answer(body.as_bytes(), preference).unwrap();
        assert_eq!((agreed.codec, agreed.payload_type), (codec, number));
        assert_eq!((agreed.dtmf_receive_type, agreed.dtmf_clock_khz), (Some(event), khz));
        assert!(
            text(&answer).contains(&format!("RTP/AVP {number} {event}\r\n")),
            "{answer:?}"
        );
        // Whatever we send, they may change to the Opus they have named.
        let terms = OpusTerms {
            wants_copies: true,
            most_bits: 24_000,
        };
        assert_eq!(agreed.opus, Some((96, terms)));
    }
}

#[test]
fn opus_beside_keys_on_the_usual_clock_is_understood() {
    let media = "m=audio 4000 RTP/AVP 107 101\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n";
    let body = offer("198.51.100.7", media);
    let (_, agreed) = versatile().answer(body.as_bytes(), Preference::TheirOrder).unwrap();
    assert_eq!(
        (agreed.codec, agreed.dtmf_payload_type, agreed.dtmf_clock_khz),
        (Codec::Opus, Some(101), 8)
    );
    let mut side = versatile();
    side.offer(Codec::Opus);
    let agreed = side.accept_answer(body.as_bytes()).unwrap();
    assert_eq!(
        (agreed.payload_type, agreed.dtmf_payload_type, agreed.dtmf_receive_type),
        (107, Some(101), Some(101))
    );
}

#[test]
fn a_codec_that_is_not_allowed_or_runs_on_another_clock_is_not_spoken() {
    for media in [
        "m=audio 4000 RTP/AVP 9\r\n",
        "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n",
    ] {
        let body = offer("198.51.100.7", media);
        assert_eq!(
            session().answer(body.as_bytes(), Preference::TheirOrder),
            Err(Error::NoUsableAudio)
        );
        assert!(versatile().answer(body.as_bytes(), Preference::TheirOrder).is_ok());
        assert_eq!(spoken(body.as_bytes()).len(), 1);
    }
    let odd = offer(
        "198.51.100.7",
        "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/16000/1\r\n",
    );
    assert!(versatile().answer(odd.as_bytes(), Preference::TheirOrder).is_err());
    assert!(spoken(odd.as_bytes()).is_empty());
}

#[test]
fn numbers_keep_their_meaning_in_later_offers() {
    // Their Opus is 101 and their keys are 111: the other way round than we would have it.
    let media = "m=audio 4000 RTP/AVP 101 111\r\na=rtpmap:101 opus/48000/2\r\na=rtpmap:111 telephone-event/48000\r\n";
    let body = offer("198.51.100.7", media);
    let mut side = versatile();
    side.answer(body.as_bytes(), Preference::TheirOrder).unwrap();
    let again = side.offer(Codec::Opus);
    let again = text(&again);
    assert!(again.contains("RTP/AVP 101 9 8 0 102 111\r\n"), "{again}");
    assert!(
        again.contains("a=rtpmap:101 opus/48000/2") && again.contains("a=rtpmap:111 telephone-event/48000"),
        "{again}"
    );
}

#[test]
fn a_session_of_before_offers_what_is_spoken_under_the_same_numbers_from_its_new_place() {
    let media = "m=video 5000 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 101 111\r\na=rtpmap:101 opus/48000/2\r\na=rtpmap:111 telephone-event/48000\r\n";
    let body = offer("198.51.100.7", media);
    let mut side = versatile();
    assert!(side.clone().offer_agreed().is_none(), "nothing was agreed");
    let (before, _) = side.answer(body.as_bytes(), Preference::TheirOrder).unwrap();
    let kept = serde_json::to_string(&side).unwrap();
    drop(side);
    let side: Session = serde_json::from_str(&kept).unwrap();
    let mut side = side.moved("192.0.2.11:21000".parse().unwrap());
    let again = side.offer_agreed().unwrap();
    assert!(version(&again) > version(&before) + 100, "{}", text(&again));
    assert_eq!(
        lines(&again, "o=")[0].split(' ').nth(1),
        lines(&before, "o=")[0].split(' ').nth(1)
    );
    assert_eq!(
        lines(&again, "m="),
        ["m=video 0 RTP/AVP 99", "m=audio 21000 RTP/AVP 101 111"]
    );
    assert_eq!(lines(&again, "c="), ["c=IN IP4 192.0.2.11"]);
    let answer = offer(
        "198.51.100.7",
        &media.replace("m=video 5000", "m=video 0").replace("4000", "4002"),
    );
    let agreed = side.accept_answer(answer.as_bytes()).unwrap();
    assert_eq!(
        (agreed.codec, agreed.payload_type, agreed.dtmf_receive_type),
        (Codec::Opus, 101, Some(111))
    );
    assert_eq!(agreed.remote, "198.51.100.7:4002".parse().unwrap());
}
