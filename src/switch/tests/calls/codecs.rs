//! Which codec is spoken on each side: the same one wherever both know one, and nobody is rung for a caller who knows
//! none.

use crate::bench::{Bench, Far};
use strowger_media::Codec::{self, G722, Opus, Pcma, Pcmu};
use strowger_media::sdp;
use strowger_model::settings::{Entry, Layer, Lock};
use strowger_model::{CallState, HangupCause};
use strowger_sip::{Command, DialogKey};
use strowger_switch::call::MediaOrder;

/// What the newest invited far end was offered.
fn offered(bench: &Bench, dialog: DialogKey) -> Vec<Codec> {
    let invite = bench.commands.iter().rev().find_map(|command| match command {
        Command::Invite(invite) if invite.dialog == dialog => Some(sdp::spoken(&invite.offer)),
        _ => None,
    });
    invite.unwrap()
}

/// The codecs of all legs, in the order they were agreed.
fn agreed(bench: &Bench) -> Vec<Codec> {
    let connected = bench.orders.iter().filter_map(|order| match order {
        MediaOrder::Connect(_, agreed) => Some(agreed.codec),
        _ => None,
    });
    connected.collect()
}

fn allow(bench: &mut Bench, codecs: &str) {
    let value = Some(codecs.to_owned());
    let lock = Lock::Unlocked;
    let layer = Layer::from([("audio_codecs".to_owned(), Entry { value, lock })]);
    bench.change(|parts| parts.platform_settings = layer);
}

#[test]
fn a_caller_who_speaks_nothing_we_speak_is_refused_before_anybody_rings() {
    for offer in [
        "v=0\r\no=- 1 1 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18 97\r\na=rtpmap:97 AMR/8000\r\n",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=video 4000 RTP/AVP 31\r\n",
        "no description at all",
    ] {
        for dialled in ["101", "800", crate::bench::FLOW_NUMBER] {
            let mut bench = Bench::new();
            let ada = bench.ada_offers(offer, dialled);
            let refused =
                |command: &Command| matches!(command, Command::Reject { dialog, status: 488, .. } if *dialog == ada);
            assert!(bench.commands.iter().any(refused), "{dialled}: {:?}", bench.commands);
            assert!(bench.in_state(Far::Called).is_empty(), "{dialled}");
            bench.last_words();
            let row = &bench.finished[0].call;
            assert_eq!((row.state, row.cause), (CallState::Failed, Some(HangupCause::NoCodec)));
        }
    }
}

#[test]
fn the_callee_is_offered_what_the_caller_speaks_in_front_and_the_rest_behind() {
    for (caller, in_front) in [
        (vec![Opus, Pcma], vec![Opus, Pcma, Pcmu, G722]),
        (vec![G722], vec![G722, Pcma, Pcmu, Opus]),
        (vec![Pcmu, G722, Pcma], vec![Pcmu, G722, Pcma, Opus]),
        (vec![Pcmu], vec![Pcmu, Pcma, G722, Opus]),
    ] {
        let mut bench = Bench::new();
        bench.ada_speaks(&caller, "101");
        let bob = bench.in_state(Far::Called)[0];
        assert_eq!(offered(&bench, bob), in_front, "{caller:?}");
    }
}

#[test]
fn both_sides_speak_one_codec_where_both_know_one() {
    for (caller, callee, expected) in [
        (vec![Opus, G722, Pcma], vec![Opus, Pcma], [Opus, Opus]),
        (vec![Opus, G722, Pcma], vec![G722], [G722, G722]),
        (vec![Opus, Pcmu], vec![Pcmu], [Pcmu, Pcmu]),
        // No law is shared, but crossing the laws costs less than anything else.
        (vec![Opus, Pcmu], vec![Pcma], [Pcma, Pcmu]),
        (vec![G722], vec![Pcma, Pcmu], [Pcma, G722]),
        (vec![Pcmu], vec![Opus], [Opus, Pcmu]),
        (vec![G722, Pcma], vec![Opus], [Opus, G722]),
    ] {
        let mut bench = Bench::new();
        let ada = bench.ada_speaks(&caller, "101");
        let bob = bench.in_state(Far::Called)[0];
        bench.speaks(bob, &callee);
        bench.answers(bob);
        bench.acknowledges(ada);
        assert_eq!(agreed(&bench), expected, "{caller:?} {callee:?}");
        bench.hangs_up(ada);
        bench.last_words();
        let legs = &bench.finished[0].legs;
        let named: Vec<_> = legs.iter().filter_map(|leg| leg.codec.as_deref()).collect();
        assert_eq!(named.len(), 2, "{legs:?}");
    }
}

#[test]
fn a_flow_speaks_the_callers_first_codec_and_whoever_it_dials_is_offered_that() {
    let mut bench = Bench::new();
    let ada = bench.ada_speaks(&[Opus, Pcma], crate::bench::FLOW_NUMBER);
    bench.acknowledges(ada);
    assert_eq!(agreed(&bench), [Opus]);
    let media = bench.orders.iter().find_map(|order| match order {
        MediaOrder::Connect(leg, _) => Some(*leg),
        _ => None,
    });
    bench.presses(media.unwrap(), '1');
    let bob = bench.in_state(Far::Called)[0];
    assert_eq!(offered(&bench, bob)[0], Opus);
}

#[test]
fn the_settings_say_what_may_be_spoken_and_in_which_order() {
    let mut bench = Bench::new();
    allow(&mut bench, "PCMU, opus, nonsense");
    bench.ada_speaks(&[G722, Opus, Pcma], "101");
    let bob = bench.in_state(Far::Called)[0];
    assert_eq!(offered(&bench, bob), [Opus, Pcmu]);
    // A caller who speaks only what is not allowed is refused.
    let carol = bench.ada_speaks(&[G722], "101");
    let refused =
        |command: &Command| matches!(command, Command::Reject { dialog, status: 488, .. } if *dialog == carol);
    assert!(bench.commands.iter().any(refused));
    // Whoever wants our offer gets all of it in our order.
    allow(&mut bench, "g722, pcma");
    let silent = bench.call(bench.ada(), crate::bench::FLOW_NUMBER, false);
    let said = bench.commands.iter().rev().find_map(|command| match command {
        Command::Answer { dialog, body } if *dialog == silent => Some(sdp::spoken(body)),
        _ => None,
    });
    assert_eq!(said.unwrap(), [G722, Pcma]);
}
