//! Relay sockets: which port, which address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use strowger_model::World;
use tokio::net::UdpSocket;

/// How many ports are tried. With half of the range taken this fails once in four billion times.
const TRIES: usize = 32;

/// Picks ports nobody can guess (RFC 8656 §7.2) and opens them.
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    told: Vec<IpAddr>,
    world: Arc<dyn World>,
}

impl Ports {
    pub(super) fn new(range: RangeInclusive<u16>, told: Vec<IpAddr>, world: Arc<dyn World>) -> Self {
        Self { range, told, world }
    }

    /// Opens a socket, at an even port when that is wanted; returns it with the address clients are told.
    pub(super) async fn open(&self, is_v6: bool, is_even: bool) -> Option<(UdpSocket, SocketAddr)> {
        let told = *self.told.iter().find(|address| address.is_ipv6() == is_v6)?;
        let any = if is_v6 {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        } else {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        };
        for _ in 0..TRIES {
            let port = self.pick();
            // An address of a translating router is none of this machine's, then any will do.
            let socket = match UdpSocket::bind((told, port)).await {
                Ok(socket) => Some(socket),
                Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
                    UdpSocket::bind((any, port)).await.ok()
                }
                Err(_) => None,
            };
            if let Some(socket) = socket {
                let port = socket.local_addr().ok()?.port();
                if !is_even || port % 2 == 0 {
                    return Some((socket, SocketAddr::new(told, port)));
                }
            }
        }
        None
    }

    fn pick(&self) -> u16 {
        let mut bytes = [0_u8; 4];
        self.world.fill(&mut bytes);
        let (first, last) = (*self.range.start(), *self.range.end());
        let width = u32::from(last.saturating_sub(first)) + 1;
        first + u16::try_from(u32::from_le_bytes(bytes) % width).unwrap_or(0)
    }
}
