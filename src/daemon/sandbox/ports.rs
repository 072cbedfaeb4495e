//! Ports of one instance. They are chosen seconds before the daemon takes them, so they lie above those that the system
//! gives to outgoing connections (Linux: 32768 to 60999), and where each instance looks depends on its process id:
//! neither a connection nor an instance that starts at the same time is in the way.

use anyhow::{Result, bail};
use std::net::{SocketAddr, TcpListener, UdpSocket};

const FIRST: u16 = 61_000;
const BLOCKS: u16 = 512;
/// Ports an instance may need.
const BLOCK: u16 = 8;

/// What must be free at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// TCP.
    Tcp,
    /// UDP and TCP.
    Both,
}

/// Gives out ports.
#[derive(Debug)]
pub(super) struct Ports {
    next: u16,
}

impl Ports {
    /// The ports of the process with this id.
    pub(super) fn of(pid: u32) -> Self {
        let block = u16::try_from(pid % u32::from(BLOCKS)).unwrap_or(0);
        Self { next: block * BLOCK }
    }

    /// An address with a port of its own: a restart on the same configuration must find the same one.
    ///
    /// # Errors
    /// None is free.
    pub(super) fn fixed(&mut self, address: SocketAddr, kind: Kind) -> Result<SocketAddr> {
        if address.port() != 0 {
            return Ok(address);
        }
        for _ in 0..BLOCKS * BLOCK {
            let found = SocketAddr::new(address.ip(), FIRST + self.next);
            self.next = (self.next + 1) % (BLOCKS * BLOCK);
            if TcpListener::bind(found).is_ok() && (kind == Kind::Tcp || UdpSocket::bind(found).is_ok()) {
                return Ok(found);
            }
        }
        bail!("no port from {FIRST} on is free at {}", address.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_that_start_together_look_in_different_places_and_pass_over_what_is_taken() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (mut one, mut other) = (Ports::of(700), Ports::of(701));
        let taken = UdpSocket::bind(one.fixed(any, Kind::Both).unwrap()).unwrap();
        let next = Ports::of(700).fixed(any, Kind::Both).unwrap();
        assert_ne!(taken.local_addr().unwrap(), next);
        assert_ne!(other.fixed(any, Kind::Tcp).unwrap(), next);
        let asked = SocketAddr::from(([127, 0, 0, 1], 5060));
        assert_eq!(one.fixed(asked, Kind::Both).unwrap(), asked);
        assert!(Ports::of(u32::MAX).fixed(any, Kind::Tcp).unwrap().port() >= FIRST);
    }
}
