//! The session descriptions of browsers, in memory only: G.711 between a leg and its port, no keys, because
//! those come with the page's requests.

use bytes::Bytes;
use strowger_media::{Codec, sdp};

fn described(codecs: &[Codec], direction: &str) -> Bytes {
    let formats: String = codecs
        .iter()
        .map(|codec| format!(" {}", codec.payload_type()))
        .collect();
    Bytes::from(format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP{formats}\r\na={direction}\r\n"
    ))
}

/// What a browser offers when it calls.
pub(crate) fn offer() -> Bytes {
    described(&[Codec::Pcma, Codec::Pcmu], "sendrecv")
}

/// What a browser answers: the codec that was offered first, which spares the bridge a transcoding.
pub(super) fn answer(offer: &[u8]) -> Bytes {
    described(&[first(offer)], "sendrecv")
}

/// What a browser offers to hold the other side, or to go on.
pub(super) fn direction(held: bool) -> Bytes {
    let direction = if held { "sendonly" } else { "sendrecv" };
    described(&[Codec::Pcma, Codec::Pcmu], direction)
}

fn first(offer: &[u8]) -> Codec {
    let media = sdp::parse(offer).ok().map(|description| description.media);
    let formats = media.iter().flatten().find(|media| media.kind == "audio");
    let offered = formats.iter().flat_map(|media| &media.formats);
    let mut known = offered.filter_map(|format| {
        let codecs = [Codec::Pcmu, Codec::Pcma];
        codecs
            .into_iter()
            .find(|codec| codec.payload_type().to_string() == *format)
    });
    known.next().unwrap_or(Codec::Pcma)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use strowger_media::Direction;
    use strowger_media::sdp::{Preference, Session};

    fn session() -> Session {
        Session::new(SocketAddr::from(([127, 0, 0, 1], 4_000)), 7)
    }

    #[test]
    fn a_browser_answers_with_the_codec_that_stands_first_and_takes_no_key_events() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            let mut leg = session();
            let offer = leg.offer(codec);
            let agreed = leg.accept_answer(&answer(&offer)).unwrap();
            assert_eq!((agreed.codec, agreed.dtmf_payload_type), (codec, None));
        }
        assert_eq!(first(b"nonsense"), Codec::Pcma);
    }

    #[test]
    fn a_browser_holds_and_goes_on_like_a_phone() {
        let mut leg = session();
        let (_, agreed) = leg.answer(&offer(), Preference::TheirOrder).unwrap();
        assert_eq!(agreed.direction, Direction::BOTH);
        let (_, held) = leg.answer(&direction(true), Preference::TheirOrder).unwrap();
        assert!(held.direction.is_held());
        let (_, again) = leg.answer(&direction(false), Preference::TheirOrder).unwrap();
        assert_eq!(again.direction, Direction::BOTH);
    }
}
