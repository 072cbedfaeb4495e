//! Meetings of browsers and phones: their keys, read and checked.

use super::read::Reader;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Meetings of browsers and phones.
#[derive(Debug, Clone)]
pub struct Rooms {
    /// Whether there are any.
    pub enabled: bool,
    /// Where media arrives: one UDP port for everybody.
    pub udp: SocketAddr,
    /// Where media arrives from networks that let no UDP through; `None`: nowhere.
    pub tcp: Option<SocketAddr>,
    /// The addresses browsers are told; empty: this machine's own.
    pub advertised: Vec<IpAddr>,
    /// Rooms at once.
    pub max_rooms: usize,
    /// Participants of one room when it was not told otherwise.
    pub max_participants: usize,
    /// How long a participant stays whose connection was cut.
    pub resume: Duration,
    /// Whether webhooks may reach private networks and this machine.
    pub webhooks_anywhere: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Rooms {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let udp = listener(reader, "rooms.udp");
    Rooms {
        enabled: reader.switch("rooms.enabled"),
        udp: udp.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 7882))),
        tcp: listener(reader, "rooms.tcp"),
        advertised: reader.addresses("rooms.advertised"),
        max_rooms: whole(reader.number("rooms.max_rooms", 1, 1_000_000)),
        max_participants: whole(reader.number("rooms.max_participants", 1, 10_000)),
        resume: Duration::from_secs(reader.number("rooms.resume_s", 1, 600)),
        webhooks_anywhere: reader.switch("rooms.webhooks_anywhere"),
    }
}

fn listener(reader: &mut Reader<'_>, path: &str) -> Option<SocketAddr> {
    let text = reader.text(path);
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse().ok();
    if parsed.is_none() {
        reader.fault(
            path,
            format!("`{text}` is no address with a port, such as \"0.0.0.0:7882\""),
        );
    }
    parsed
}
