//! What carries a leg's packets: a pair of UDP sockets, or an audio port.
//!
//! A leg at a port is a leg like any other: what its far end says becomes packets that it takes as if they
//! had come by RTP, and packets for the far end become frames.

use crate::leg::{Attached, PACKET_BYTES, Transmit};
use crate::rtp::{self, HEADER_BYTES, Header};
use crate::{AudioPort, Codec, FRAME_SAMPLES, g711};
use mio::net::UdpSocket;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Stands in descriptions for the far end of a port: an address to which nothing is ever sent.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

pub(super) enum Wire {
    /// RTP, and RTCP on the next port.
    Udp { rtp: UdpSocket, rtcp: UdpSocket },
    /// Frames of 20 ms.
    Port(Box<PortWire>),
}

/// A port and the numbers of the packets made of it.
#[derive(Debug, Default)]
pub(super) struct PortWire {
    port: Option<Attached>,
    sequence: u16,
    timestamp: u32,
}

impl PortWire {
    pub(super) fn face(&mut self, port: AudioPort) {
        self.port = Some(Attached::new(port));
    }

    /// Writes the next packet of the far end; its length. `None` when the far end has said nothing more.
    pub(super) fn hear(&mut self, codec: Codec, packet: &mut [u8; PACKET_BYTES]) -> Option<usize> {
        let law = codec.law()?;
        let frame = self.port.as_mut()?.say()?;
        let range = HEADER_BYTES..HEADER_BYTES + FRAME_SAMPLES;
        for (byte, sample) in packet.get_mut(range.clone())?.iter_mut().zip(&frame) {
            *byte = g711::encode(law, *sample);
        }
        let header = Header {
            marker: false,
            payload_type: codec.payload_type(),
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: 1,
            payload: range.clone(),
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        rtp::write(packet, &header)?;
        Some(range.end)
    }

    /// Says a packet to the far end, to which only G.711 was ever offered. Events are left out: no port was ever promised to take them.
    fn say(&mut self, packet: &[u8]) {
        let Some(header) = rtp::parse(packet) else { return };
        let law = Codec::of_static(header.payload_type).and_then(Codec::law);
        if let (Some(port), Some(law), Some(payload)) = (&mut self.port, law, packet.get(header.payload)) {
            port.hear(payload.iter().map(|byte| g711::decode(law, *byte)));
        }
    }
}

impl Wire {
    /// Sends a packet of ours. What cannot leave is lost, as on any network.
    pub(super) fn send(&mut self, buffer: &[u8], transmit: &Transmit) {
        let Some(packet) = buffer.get(transmit.bytes.clone()) else {
            return;
        };
        match self {
            Self::Udp { rtp, .. } => {
                let _ = rtp.send_to(packet, transmit.to);
            }
            Self::Port(port) => port.say(packet),
        }
    }

    /// Sends a report, where the far end takes any.
    pub(super) fn report(&self, packet: &[u8], to: SocketAddr) {
        if let Self::Udp { rtcp, .. } = self {
            let _ = rtcp.send_to(packet, to);
        }
    }
}
