//! One side of the offer/answer exchange of RFC 3264, for the audio of one leg.

use super::description::Address;
use super::{Codec, Description, Direction, Error, Media, Negotiated, OpusTerms, parse};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// The payload types we offer telephone-event with until the far end has chosen others, and their clocks: RFC 4733
/// §2.1 wants the clock of the audio beside it.
const TELEPHONE_EVENTS: [Event; 2] = [Event { number: 101, khz: 8 }, Event { number: 110, khz: 48 }];

/// More descriptions than this were not sent since a session was last written down.
const UNSEEN: u64 = 1_000;

/// Which codec to choose when the far end leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Preference {
    /// The first of the far end's list that we speak.
    #[default]
    TheirOrder,
    /// This one where the far end speaks it, else the one nearest to it, else the first we speak: spares a bridge
    /// the transcoding.
    Codec(Codec),
}

/// One side's state: what it said last, what was agreed, and what it must repeat.
///
/// Serialisable, because taking a call over after a restart needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    local: SocketAddr,
    local_rtcp: u16,
    /// What we speak here, in the order of our offers.
    codecs: Vec<Codec>,
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

/// A payload type of telephone-event, and the ticks of its durations in a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    number: u8,
    khz: u8,
}

impl Session {
    /// A side that receives RTP at `local` and RTCP at the next port and speaks G.711, until more is allowed by
    /// [`Session::speaking`]. `session_id` goes into the `o=` line and should be unpredictable and below 2^62.
    #[must_use]
    pub fn new(local: SocketAddr, session_id: u64) -> Self {
        Self {
            local,
            local_rtcp: local.port().wrapping_add(1),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            session_id: session_id >> 2,
            version: 0,
            said: None,
            wanted: Direction::BOTH,
            agreed: None,
            lines: Vec::new(),
            awaiting_answer: false,
        }
    }

    /// The same side, speaking these codecs in this order.
    #[must_use]
    pub fn speaking(mut self, codecs: &[Codec]) -> Self {
        self.codecs = codecs.to_vec();
        self
    }

    /// Puts codecs in front of our offers, in this order, as far as they are spoken here: those of the side that
    /// this one is to talk with.
    pub fn prefer(&mut self, order: &[Codec]) {
        let place = |codec: &Codec| order.iter().position(|other| other == codec).unwrap_or(order.len());
        self.codecs.sort_by_key(place);
    }

    /// Where it receives RTP.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
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
        self.prefer(&[first]);
        self.offer_as_ordered()
    }

    /// Writes an offer with every codec of ours in our order.
    pub fn offer_as_ordered(&mut self) -> Bytes {
        if self.lines.is_empty() {
            self.lines.push(Line::Audio {
                protocol: "RTP/AVP".to_owned(),
            });
        }
        self.awaiting_answer = true;
        // RFC 3264 §8.3.2: a payload type keeps its meaning for the life of the session.
        let formats: Vec<(Codec, u8)> = self
            .codecs
            .iter()
            .map(|codec| (*codec, self.payload_type_of(*codec)))
            .collect();
        // Whoever takes Opus may know keys on the usual clock only, so that one is always offered. The other one is
        // where Opus is likely to be chosen: an INVITE must stay short (RFC 3261 §18.1.1).
        let likely = self.codecs.first().map_or(8, |codec| codec.clock_khz());
        let events = TELEPHONE_EVENTS.into_iter();
        let events = events.filter(|event| event.khz == 8 || event.khz == likely);
        let events: Vec<Event> = events.map(|event| self.offered_event(event)).collect();
        self.write(&formats, &events, self.local.port(), self.wanted)
    }

    /// The same side in another process, receiving at `local`. Its last descriptions may be unknown to us, so the version
    /// jumps past them (RFC 3264 §8: it must have grown).
    #[must_use]
    pub fn moved(mut self, local: SocketAddr) -> Self {
        self.local = local;
        self.local_rtcp = local.port().wrapping_add(1);
        self.version += UNSEEN;
        self.said = None;
        self.awaiting_answer = false;
        self
    }

    /// Writes an offer of what is spoken already and nothing else: the agreed codec and keys under the payload types
    /// they have (RFC 3264 §8.3.2). `None` before anything was agreed.
    pub fn offer_agreed(&mut self) -> Option<Bytes> {
        let agreed = self.agreed?;
        self.awaiting_answer = true;
        let khz = agreed.dtmf_clock_khz;
        let event = agreed.dtmf_receive_type.map(|number| Event { number, khz });
        let formats = [(agreed.codec, agreed.payload_type)];
        Some(self.write(&formats, event.as_slice(), self.local.port(), self.wanted))
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// The body is unreadable or holds no audio we can use: refuse with 488. The session is unchanged then.
    pub fn answer(&mut self, offer: &[u8], preference: Preference) -> Result<(Bytes, Negotiated), Error> {
        let description = parse(offer)?;
        let known = self.agreed.map(|agreed| agreed.codec);
        let (index, media, choice) = usable_audio(&description, preference, known, &self.codecs)?;
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
        let khz = negotiated.dtmf_clock_khz;
        let event = negotiated.dtmf_receive_type.map(|number| Event { number, khz });
        let body = self.write(&formats, event.as_slice(), port, negotiated.direction);
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
        let choice = choose(media, Preference::TheirOrder, known, &self.codecs).ok_or(Error::NoUsableAudio)?;
        let mut negotiated = self.negotiate(&description, media, &choice)?;
        let offered = TELEPHONE_EVENTS
            .into_iter()
            .find(|event| event.khz == negotiated.dtmf_clock_khz);
        let offered = offered.map(|event| self.offered_event(event).number);
        negotiated.dtmf_receive_type = negotiated.dtmf_payload_type.and(offered);
        self.awaiting_answer = false;
        self.agreed = Some(negotiated);
        Ok(negotiated)
    }

    /// A telephone-event of our offers: as it was agreed, or under a number that nothing else has.
    fn offered_event(&self, usual: Event) -> Event {
        let Some(agreed) = self.agreed else {
            return usual;
        };
        let same = agreed.dtmf_receive_type.filter(|_| agreed.dtmf_clock_khz == usual.khz);
        let number = same.unwrap_or_else(|| self.free(usual.number));
        Event { number, khz: usual.khz }
    }

    fn payload_type_of(&self, codec: Codec) -> u8 {
        let Some(agreed) = self.agreed else {
            return codec.payload_type();
        };
        match (codec, agreed.opus) {
            _ if agreed.codec == codec => agreed.payload_type,
            (Codec::Opus, Some((number, _))) => number,
            (Codec::Opus, None) => self.free(codec.payload_type()),
            (Codec::Pcmu | Codec::Pcma | Codec::G722, _) => codec.payload_type(),
        }
    }

    /// This number, or the next one that was not agreed to mean something.
    fn free(&self, number: u8) -> u8 {
        let known = |agreed: Negotiated| {
            let opus = agreed.opus.map(|(number, _)| number);
            let events = agreed.dtmf_receive_type.into_iter().chain(agreed.dtmf_payload_type);
            events.chain(opus).chain([agreed.payload_type])
        };
        let taken: Vec<u8> = self.agreed.into_iter().flat_map(known).collect();
        (number..128)
            .chain(96..number)
            .find(|number| !taken.contains(number))
            .unwrap_or(number)
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
        let event = telephone_event(media, choice.codec.clock_khz());
        Ok(Negotiated {
            remote,
            remote_rtcp: rtcp_address(media, remote),
            codec: choice.codec,
            payload_type: choice.payload_type,
            dtmf_payload_type: event.map(|event| event.number),
            dtmf_receive_type: event.map(|event| event.number),
            dtmf_clock_khz: event.map_or(8, |event| event.khz),
            opus: opus_of(media).filter(|_| self.codecs.contains(&Codec::Opus)),
            ptime_ms: ptime(media),
            direction: direction.limited_by(self.wanted),
        })
    }

    fn write(&mut self, formats: &[(Codec, u8)], events: &[Event], port: u16, direction: Direction) -> Bytes {
        let said = self.describe(formats, events, port, direction);
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
    fn describe(&self, formats: &[(Codec, u8)], events: &[Event], port: u16, direction: Direction) -> String {
        let ip = self.local.ip();
        let mut text = format!("s=-\r\nc=IN {} {ip}\r\nt=0 0\r\n", family(ip));
        for line in &self.lines {
            match line {
                Line::Refused { kind, protocol, format } => {
                    let _ = write!(text, "m={kind} 0 {protocol} {format}\r\n");
                }
                Line::Audio { protocol } => {
                    let _ = write!(text, "m=audio {port} {protocol}");
                    let numbers = formats.iter().map(|(_, number)| *number);
                    for number in numbers.chain(events.iter().map(|event| event.number)) {
                        let _ = write!(text, " {number}");
                    }
                    text.push_str("\r\n");
                    for (codec, number) in formats {
                        let _ = write!(text, "{}", mapped(*codec, *number));
                    }
                    for Event { number, khz } in events {
                        let _ = write!(
                            text,
                            "a=rtpmap:{number} telephone-event/{khz}000\r\na=fmtp:{number} 0-15\r\n"
                        );
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

/// What a payload type means. RFC 7587 §7 always writes two channels; that we send and would rather have one is what
/// holds where nothing is said, that we like a copy of what may be lost is not.
fn mapped(codec: Codec, number: u8) -> String {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => format!("a=rtpmap:{number} {}/8000\r\n", codec.encoding()),
        Codec::Opus => {
            format!("a=rtpmap:{number} opus/48000/2\r\na=fmtp:{number} useinbandfec=1\r\n")
        }
    }
}

fn family(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// The first audio stream in the clear with a codec of ours; a refused one (port 0) only when no other is there.
fn usable_audio<'a>(
    description: &'a Description,
    preference: Preference,
    known: Option<Codec>,
    ours: &[Codec],
) -> Result<(usize, &'a Media, Choice), Error> {
    let candidates = || {
        description
            .media
            .iter()
            .enumerate()
            .filter(|(_, media)| media.kind == "audio" && in_the_clear(&media.protocol))
            .filter_map(|(index, media)| Some((index, media, choose(media, preference, known, ours)?)))
    };
    candidates()
        .find(|(_, media, _)| media.port != 0)
        .or_else(|| candidates().next())
        .ok_or(Error::NoUsableAudio)
}

fn in_the_clear(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("RTP/AVP") || protocol.eq_ignore_ascii_case("RTP/AVPF")
}

/// The codecs that a description's audio names and that we know, in its order.
#[must_use]
pub fn spoken(body: &[u8]) -> Vec<Codec> {
    let Ok(description) = parse(body) else {
        return Vec::new();
    };
    let usable = usable_audio(&description, Preference::TheirOrder, None, &Codec::ALL);
    usable.map_or_else(
        |_| Vec::new(),
        |(_, media, _)| choices(media).map(|choice| choice.codec).collect(),
    )
}

/// The formats of a stream that mean something to us.
fn choices(media: &Media) -> impl Iterator<Item = Choice> {
    media.formats.iter().filter_map(|format| {
        let payload_type = format.parse::<u8>().ok().filter(|number| *number < 128)?;
        let (name, clock) = media.encoding(payload_type)?;
        let codec = Codec::named(name)?;
        (clock == u32::from(codec.clock_khz()) * 1_000).then_some(Choice { codec, payload_type })
    })
}

fn choose(media: &Media, preference: Preference, known: Option<Codec>, ours: &[Codec]) -> Option<Choice> {
    let spoken = || choices(media).filter(|choice| ours.contains(&choice.codec));
    let wanted = match preference {
        Preference::TheirOrder => None,
        Preference::Codec(codec) => [codec, codec.nearest()]
            .into_iter()
            .find_map(|codec| spoken().find(|choice| choice.codec == codec)),
    };
    // A stream refused with port 0 may name any format; the running codec stands then.
    wanted.or_else(|| spoken().next()).or_else(|| {
        let codec = known.filter(|_| media.port == 0)?;
        Some(Choice {
            codec,
            payload_type: codec.payload_type(),
        })
    })
}

/// Opus, where a stream names it, and what is asked of it (RFC 7587 §6.1).
fn opus_of(media: &Media) -> Option<(u8, OpusTerms)> {
    let number = choices(media).find(|choice| choice.codec == Codec::Opus)?.payload_type;
    let mut terms = OpusTerms::default();
    let parameters = media.about("fmtp", number).unwrap_or_default().split(';');
    for (name, value) in parameters.filter_map(|parameter| parameter.split_once('=')) {
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().parse::<i32>()) {
            ("useinbandfec", Ok(value)) => terms.wants_copies = value == 1,
            ("maxaveragebitrate", Ok(value)) => terms.most_bits = value.clamp(6_000, 510_000),
            _ => {}
        }
    }
    Some((number, terms))
}

/// The telephone-event of a stream whose clock is that of its audio, or else the usual one: many that speak Opus
/// count their keys as everybody else does.
fn telephone_event(media: &Media, khz: u8) -> Option<Event> {
    let numbers = media
        .formats
        .iter()
        .filter_map(|format| format.parse::<u8>().ok().filter(|number| *number < 128));
    let events = numbers.filter_map(|number| {
        let (name, clock) = media.encoding(number)?;
        let known = TELEPHONE_EVENTS
            .iter()
            .find(|event| clock == u32::from(event.khz) * 1_000);
        let khz = known.filter(|_| name.eq_ignore_ascii_case("telephone-event"))?.khz;
        Some(Event { number, khz })
    });
    let events: Vec<Event> = events.collect();
    let of = |khz: u8| events.iter().find(move |event| event.khz == khz).copied();
    of(khz).or(of(8))
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
