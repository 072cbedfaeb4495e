//! The lines of a session description (RFC 4566), read tolerantly: unknown lines and attributes are
//! skipped, bare LF and missing `s=` or `t=` are taken, bytes that are no UTF-8 are replaced.

use super::{Direction, Error};
use std::net::IpAddr;

/// Bodies beyond this are not read.
const BODY_LIMIT: usize = 64 * 1024;
/// Media lines beyond this make a body unreadable.
const MEDIA_LIMIT: usize = 64;
/// Attributes beyond this are not kept, counted over the whole body.
const ATTRIBUTE_LIMIT: usize = 1024;

/// A body in parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// The session-level connection address, when it is an IP address.
    pub connection: Option<Address>,
    /// Session-level attributes.
    pub attributes: Vec<Attribute>,
    /// The streams in their order.
    pub media: Vec<Media>,
}

/// One `m=` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image` …
    pub kind: String,
    /// Where the peer receives; 0 refuses the stream.
    pub port: u16,
    /// `RTP/AVP` …
    pub protocol: String,
    /// Payload types, or whatever the protocol uses.
    pub formats: Vec<String>,
    /// The stream's own connection address.
    pub connection: Option<Address>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

/// A connection address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// A host name or an unknown family.
    Other,
}

/// `a=name` or `a=name:value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// In lower case.
    pub name: String,
    /// As written; empty for a flag.
    pub value: String,
}

impl Description {
    /// The address of a stream: its own, or the session's.
    #[must_use]
    pub fn address_of(&self, media: &Media) -> Option<Address> {
        media.connection.or(self.connection)
    }

    /// The direction of a stream as its writer sees it.
    #[must_use]
    pub fn direction_of(&self, media: &Media) -> Direction {
        direction(&media.attributes)
            .or_else(|| direction(&self.attributes))
            .unwrap_or(Direction::BOTH)
    }
}

impl Media {
    /// The value of the first attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// What the attribute of that name says of a payload type.
    #[must_use]
    pub fn about(&self, name: &str, payload_type: u8) -> Option<&str> {
        self.attributes
            .iter()
            .filter(|attribute| attribute.name == name)
            .find_map(|attribute| {
                let (number, rest) = attribute.value.trim().split_once(char::is_whitespace)?;
                (number.parse::<u8>().ok()? == payload_type).then_some(rest.trim())
            })
    }

    /// Encoding name and clock of a payload type, from `a=rtpmap` or the static table.
    #[must_use]
    pub fn encoding(&self, payload_type: u8) -> Option<(&str, u32)> {
        if let Some(mapped) = self.about("rtpmap", payload_type) {
            let mut parts = mapped.split('/');
            let name = parts.next()?.trim();
            let clock = parts.next().and_then(|clock| clock.trim().parse().ok())?;
            return Some((name, clock));
        }
        // RFC 3551 §6: static types need no map.
        match payload_type {
            0 => Some(("PCMU", 8_000)),
            8 => Some(("PCMA", 8_000)),
            9 => Some(("G722", 8_000)),
            _ => None,
        }
    }
}

/// Reads a body.
///
/// # Errors
/// [`Error::Unreadable`] when no media line can be found or the body is beyond every limit.
pub fn parse(body: &[u8]) -> Result<Description, Error> {
    if body.len() > BODY_LIMIT {
        return Err(Error::Unreadable);
    }
    let text = String::from_utf8_lossy(body);
    let mut description = Description::default();
    let mut attributes = 0;
    for line in text.split(['\n', '\r']) {
        let line = line.trim();
        let Some((kind, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match kind.trim() {
            "m" => {
                if description.media.len() == MEDIA_LIMIT {
                    return Err(Error::Unreadable);
                }
                description.media.push(media_line(value).ok_or(Error::Unreadable)?);
            }
            "c" => {
                let address = connection_line(value);
                match description.media.last_mut() {
                    Some(media) => media.connection = media.connection.or(Some(address)),
                    None => description.connection = Some(address),
                }
            }
            "a" if attributes < ATTRIBUTE_LIMIT => {
                attributes += 1;
                let attribute = attribute_line(value);
                match description.media.last_mut() {
                    Some(media) => media.attributes.push(attribute),
                    None => description.attributes.push(attribute),
                }
            }
            _ => {}
        }
    }
    if description.media.is_empty() {
        return Err(Error::Unreadable);
    }
    Ok(description)
}

fn media_line(value: &str) -> Option<Media> {
    let mut parts = value.split_whitespace();
    let kind = parts.next()?.to_ascii_lowercase();
    // "49170/2" asks for two port pairs; the first is enough.
    let port = parts.next()?.split('/').next()?.parse().ok()?;
    let protocol = parts.next()?.to_owned();
    Some(Media {
        kind,
        port,
        protocol,
        formats: parts.map(str::to_owned).collect(),
        connection: None,
        attributes: Vec::new(),
    })
}

fn connection_line(value: &str) -> Address {
    let host = value.split_whitespace().nth(2).unwrap_or_default();
    // A multicast address carries its time to live behind a slash.
    let host = host.split('/').next().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .map_or(Address::Other, Address::Ip)
}

fn attribute_line(value: &str) -> Attribute {
    let (name, value) = value.split_once(':').unwrap_or((value, ""));
    Attribute {
        name: name.trim().to_ascii_lowercase(),
        value: value.trim().to_owned(),
    }
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| match attribute.name.as_str() {
        "sendrecv" => Some(Direction::BOTH),
        "sendonly" => Some(Direction::SEND),
        "recvonly" => Some(Direction::RECV),
        "inactive" => Some(Direction::NONE),
        _ => None,
    })
}
