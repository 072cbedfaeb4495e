//! One side of the offer/answer exchange of RFC 3264, for the audio of one leg.

use super::description::Address;
use super::{Codec, Description, Direction, Error, Media, Negotiated, parse};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// The payload type we offer telephone-event with until the far end has chosen another.
const TELEPHONE_EVENT: u8 = 101;

/// Which codec to choose when the far end leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Preference {
    /// The first of the far end's list that we speak.
    #[default]
    TheirOrder,
    /// This one where the far end speaks it, else the first we speak: spares a bridge the transcoding.
    Codec(Codec),
}

/// One side's state: what it said last, what was agreed, and what it must repeat.
///
/// Serialisable, because taking a call over after a restart needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    local: SocketAddr,
    local_rtcp: u16,
    session_id: u64,
    version: u64,
    /// What was sent last, without its `o=` line: the version grows only when this changes.
    said: Option<String>,
    wanted: Direction,
    agreed: Option<Negotiated>,
    /// The streams of the first exchange in their order; later offers repeat them.
    lines: Vec<Line>,
    awaiting_answer: bool,
}

/// One stream's place in the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Line {
    Audio {
        protocol: String,
    },
    Refused {
        kind: String,
        protocol: String,
        format: String,
    },
}

/// The codecs of a description's stream that we speak.
struct Choice {
    codec: Codec,
    payload_type: u8,
}

impl Session {
    /// A side that receives RTP at `local` and RTCP at the next port. `session_id` goes into the
    /// `o=` line and should be unpredictable and below 2^62.
    #[must_use]
    pub fn new(local: SocketAddr, session_id: u64) -> Self {
        Self {
            local,
            local_rtcp: local.port().wrapping_add(1),
            session_id: session_id >> 2,
            version: 0,
            said: None,
            wanted: Direction::BOTH,
            agreed: None,
            lines: Vec::new(),
            awaiting_answer: false,
        }
    }

    /// What was agreed last.
    #[must_use]
    pub fn agreed(&self) -> Option<Negotiated> {
        self.agreed
    }

    /// The body we sent last, for a refresh that changes nothing.
    #[must_use]
    pub fn body(&self) -> Option<Bytes> {
        self.said.as_ref().map(|said| self.complete(said))
    }

    /// Sets which way we want audio to flow from the next offer or answer on:
    /// [`Direction::SEND`] holds the far end with music, [`Direction::BOTH`] resumes.
    pub fn want(&mut self, direction: Direction) {
        self.wanted = direction;
    }

    /// Writes an offer with every codec of ours, `first` in front: for an outgoing call, for an
    /// answer to an INVITE without a body, and for a re-INVITE (hold, resume, refresh).
    pub fn offer(&mut self, first: Codec) -> Bytes {
        if self.lines.is_empty() {
            self.lines.push(Line::Audio {
                protocol: "RTP/AVP".to_owned(),
            });
        }
        self.awaiting_answer = true;
        let other = match first {
            Codec::Pcmu => Codec::Pcma,
            Codec::Pcma => Codec::Pcmu,
        };
        // RFC 3264 §8.3.2: a payload type keeps its meaning for the life of the session.
        let formats: Vec<(Codec, u8)> = [first, other]
            .into_iter()
            .map(|codec| (codec, self.payload_type_of(codec)))
            .collect();
        let event = self.offered_event();
        self.write(&formats, Some(event), self.local.port(), self.wanted)
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// The body is unreadable or holds no audio we can use: refuse with 488. The session is unchanged then.
    pub fn answer(&mut self, offer: &[u8], preference: Preference) -> Result<(Bytes, Negotiated), Error> {
        let description = parse(offer)?;
        let known = self.agreed.map(|agreed| agreed.codec);
        let (index, media, choice) = usable_audio(&description, preference, known)?;
        let disabled = media.port == 0;
        // Port 0 on a running stream is an old way to hold; the stream stays refused until re-offered.
        if disabled && self.agreed.is_none() {
            return Err(Error::NoUsableAudio);
        }
        let negotiated = self.negotiate(&description, media, &choice)?;
        self.lines = lines_of(&description, index);
        self.awaiting_answer = false;
        self.agreed = Some(negotiated);
        let port = if disabled { 0 } else { self.local.port() };
        let formats = [(choice.codec, choice.payload_type)];
        let body = self.write(&formats, negotiated.dtmf_receive_type, port, negotiated.direction);
        Ok((body, negotiated))
    }

    /// Takes the far end's answer to our offer. A second answer (another fork, an early one followed
    /// by the final) replaces the first.
    ///
    /// # Errors
    /// The body is unreadable, refuses our audio or chose nothing we offered; what was agreed before stands.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<Negotiated, Error> {
        if !self.awaiting_answer && self.agreed.is_none() {
            return Err(Error::NothingOffered);
        }
        let description = parse(answer)?;
        let index = self
            .lines
            .iter()
            .position(|line| matches!(line, Line::Audio { .. }))
            .ok_or(Error::NothingOffered)?;
        let media = description.media.get(index).ok_or(Error::NoUsableAudio)?;
        if media.kind != "audio" || (media.port == 0 && self.agreed.is_none()) {
            return Err(Error::NoUsableAudio);
        }
        let known = self.agreed.map(|agreed| agreed.codec);
        let choice = choose(media, Preference::TheirOrder, known).ok_or(Error::NoUsableAudio)?;
        let mut negotiated = self.negotiate(&description, media, &choice)?;
        negotiated.dtmf_receive_type = negotiated.dtmf_payload_type.map(|_| self.offered_event());
        self.awaiting_answer = false;
        self.agreed = Some(negotiated);
        Ok(negotiated)
    }

    /// The payload type of telephone-event in our offers: what was agreed, or one no codec uses.
    fn offered_event(&self) -> u8 {
        let Some(agreed) = self.agreed else {
            return TELEPHONE_EVENT;
        };
        agreed
            .dtmf_receive_type
            .unwrap_or(if agreed.payload_type == TELEPHONE_EVENT {
                TELEPHONE_EVENT + 1
            } else {
                TELEPHONE_EVENT
            })
    }

    fn payload_type_of(&self, codec: Codec) -> u8 {
        self.agreed
            .filter(|agreed| agreed.codec == codec)
            .map_or(codec.static_payload_type(), |agreed| agreed.payload_type)
    }

    fn negotiate(&self, description: &Description, media: &Media, choice: &Choice) -> Result<Negotiated, Error> {
        let ip = match description.address_of(media) {
            Some(Address::Ip(ip)) => ip,
            Some(Address::Other) | None => return Err(Error::UnknownAddress),
        };
        let mut direction = description.direction_of(media).mirrored();
        // RFC 3264 §8.4: the unspecified address is the old way to say "do not send to me".
        if ip.is_unspecified() || media.port == 0 {
            direction.send = false;
        }
        if media.port == 0 {
            direction.recv = false;
        }
        let remote = SocketAddr::new(ip, media.port);
        let event = telephone_event(media);
        Ok(Negotiated {
            remote,
            remote_rtcp: rtcp_address(media, remote),
            codec: choice.codec,
            payload_type: choice.payload_type,
            dtmf_payload_type: event,
            dtmf_receive_type: event,
            ptime_ms: ptime(media),
            direction: direction.limited_by(self.wanted),
        })
    }

    fn write(&mut self, formats: &[(Codec, u8)], event: Option<u8>, port: u16, direction: Direction) -> Bytes {
        let said = self.describe(formats, event, port, direction);
        // RFC 3264 §8: the version grows by one with every change and only then.
        if self.said.as_ref() != Some(&said) {
            self.version += 1;
        }
        let body = self.complete(&said);
        self.said = Some(said);
        body
    }

    fn complete(&self, said: &str) -> Bytes {
        let ip = self.local.ip();
        let (family, id, version) = (family(ip), self.session_id, self.version);
        Bytes::from(format!("v=0\r\no=- {id} {version} IN {family} {ip}\r\n{said}"))
    }

    /// Everything but the first two lines.
    fn describe(&self, formats: &[(Codec, u8)], event: Option<u8>, port: u16, direction: Direction) -> String {
        let ip = self.local.ip();
        let mut text = format!("s=-\r\nc=IN {} {ip}\r\nt=0 0\r\n", family(ip));
        for line in &self.lines {
            match line {
                Line::Refused { kind, protocol, format } => {
                    let _ = write!(text, "m={kind} 0 {protocol} {format}\r\n");
                }
                Line::Audio { protocol } => {
                    let _ = write!(text, "m=audio {port} {protocol}");
                    for number in formats.iter().map(|(_, number)| *number).chain(event) {
                        let _ = write!(text, " {number}");
                    }
                    text.push_str("\r\n");
                    for (codec, number) in formats {
                        let _ = write!(text, "a=rtpmap:{number} {}/8000\r\n", codec.encoding());
                    }
                    if let Some(event) = event {
                        let _ = write!(text, "a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n");
                    }
                    let _ = write!(text, "a=ptime:20\r\na={}\r\n", direction.attribute());
                    if port != 0 && self.local_rtcp != port.wrapping_add(1) {
                        let _ = write!(text, "a=rtcp:{}\r\n", self.local_rtcp);
                    }
                }
            }
        }
        text
    }
}

fn family(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// The first audio stream in the clear with a codec of ours; a refused one (port 0) only when no other is there.
fn usable_audio(
    description: &Description,
    preference: Preference,
    known: Option<Codec>,
) -> Result<(usize, &Media, Choice), Error> {
    let candidates = || {
        description
            .media
            .iter()
            .enumerate()
            .filter(|(_, media)| media.kind == "audio" && in_the_clear(&media.protocol))
            .filter_map(|(index, media)| Some((index, media, choose(media, preference, known)?)))
    };
    candidates()
        .find(|(_, media, _)| media.port != 0)
        .or_else(|| candidates().next())
        .ok_or(Error::NoUsableAudio)
}

fn in_the_clear(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("RTP/AVP") || protocol.eq_ignore_ascii_case("RTP/AVPF")
}

fn choose(media: &Media, preference: Preference, known: Option<Codec>) -> Option<Choice> {
    let spoken = || {
        media.formats.iter().filter_map(|format| {
            let payload_type = format.parse::<u8>().ok().filter(|number| *number < 128)?;
            let (name, clock) = media.encoding(payload_type)?;
            let codec = [Codec::Pcmu, Codec::Pcma]
                .into_iter()
                .find(|codec| codec.encoding().eq_ignore_ascii_case(name))?;
            (clock == 8_000).then_some(Choice { codec, payload_type })
        })
    };
    let wanted = match preference {
        Preference::TheirOrder => None,
        Preference::Codec(codec) => spoken().find(|choice| choice.codec == codec),
    };
    // A stream refused with port 0 may name any format; the running codec stands then.
    wanted.or_else(|| spoken().next()).or_else(|| {
        let codec = known.filter(|_| media.port == 0)?;
        Some(Choice {
            codec,
            payload_type: codec.static_payload_type(),
        })
    })
}

fn telephone_event(media: &Media) -> Option<u8> {
    media
        .formats
        .iter()
        .filter_map(|format| format.parse::<u8>().ok().filter(|number| *number < 128))
        .find(|number| {
            media
                .encoding(*number)
                .is_some_and(|(name, clock)| name.eq_ignore_ascii_case("telephone-event") && clock == 8_000)
        })
}

fn ptime(media: &Media) -> u8 {
    let number = |name| {
        media
            .attribute(name)
            .and_then(|value| value.split('.').next()?.trim().parse::<u8>().ok())
            .filter(|ms| (10..=120).contains(ms))
    };
    let preferred = number("ptime").unwrap_or(20);
    number("maxptime").map_or(preferred, |most| preferred.min(most))
}

/// RFC 3605: `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4`; the next port without it.
fn rtcp_address(media: &Media, remote: SocketAddr) -> SocketAddr {
    let mut parts = media.attribute("rtcp").unwrap_or_default().split_whitespace();
    let port = parts.next().and_then(|port| port.parse::<u16>().ok());
    let ip = parts.nth(2).and_then(|host| host.parse::<IpAddr>().ok());
    SocketAddr::new(
        ip.unwrap_or_else(|| remote.ip()),
        port.unwrap_or_else(|| remote.port().saturating_add(1)),
    )
}

fn lines_of(description: &Description, audio: usize) -> Vec<Line> {
    description
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| {
            if index == audio {
                Line::Audio {
                    protocol: media.protocol.clone(),
                }
            } else {
                Line::Refused {
                    kind: media.kind.clone(),
                    protocol: media.protocol.clone(),
                    format: media.formats.first().cloned().unwrap_or_else(|| "0".to_owned()),
                }
            }
        })
        .collect()
}
