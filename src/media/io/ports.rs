//! Pairs of UDP ports: RTP on an even one, RTCP on the next. The system's table of bound ports is
//! the only register, so a port is free again the moment its leg's sockets are closed.

use super::Error;
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};

/// Expedited forwarding (RFC 4594), for networks that look at it.
const TOS_VOICE: u32 = 0xB8;

/// How often a port chosen by the system is tried before giving up on its neighbour.
const SYSTEM_TRIES: usize = 64;

/// Where port pairs come from.
#[derive(Debug)]
pub(super) struct Ports {
    ip: IpAddr,
    first: u16,
    pairs: u32,
    last: u16,
    /// Goes round, so that a port rests as long as possible before its next call hears stray packets.
    cursor: AtomicU32,
}

impl Ports {
    /// `begin` says where in the range to begin. Somebody may still speak to the ports of a run before this one: two runs
    /// should not begin at the same place.
    pub(super) fn new(ip: IpAddr, range: RangeInclusive<u16>, begin: u32) -> Self {
        let first = *range.start();
        let even = first.saturating_add(first % 2);
        let pairs = (u32::from(*range.end()) + 1).saturating_sub(u32::from(even)) / 2;
        Self {
            ip,
            first: even,
            pairs,
            last: *range.end(),
            cursor: AtomicU32::new(begin % pairs.max(1)),
        }
    }

    /// Binds the next free pair.
    pub(super) fn pair(&self) -> Result<(UdpSocket, UdpSocket, SocketAddr), Error> {
        let tries = if self.first == 0 {
            SYSTEM_TRIES
        } else {
            self.pairs as usize
        };
        for _ in 0..tries {
            let wanted = if self.first == 0 {
                0
            } else {
                let step = self.cursor.fetch_add(1, Ordering::Relaxed) % self.pairs.max(1);
                u16::try_from(u32::from(self.first) + step * 2).unwrap_or(self.first)
            };
            match self.bind_pair(wanted) {
                Ok(pair) => return Ok(pair),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(Error::Bind { ip: self.ip, source }),
            }
        }
        Err(Error::NoPort {
            ip: self.ip,
            first: self.first,
            last: self.last,
        })
    }

    /// Binds this pair, if it is one of ours and free.
    pub(super) fn this_pair(&self, port: u16) -> Option<(UdpSocket, UdpSocket, SocketAddr)> {
        let is_ours = self.first == 0 || (self.first..self.last).contains(&port);
        if !is_ours || port == 0 || port % 2 == 1 {
            return None;
        }
        self.bind_pair(port).ok()
    }

    fn bind_pair(&self, wanted: u16) -> std::io::Result<(UdpSocket, UdpSocket, SocketAddr)> {
        let rtp = bind(SocketAddr::new(self.ip, wanted))?;
        let bound = rtp.local_addr()?;
        if bound.port() % 2 == 1 || bound.port() == u16::MAX {
            return Err(std::io::ErrorKind::AddrInUse.into());
        }
        let rtcp = bind(SocketAddr::new(self.ip, bound.port() + 1))?;
        Ok((rtp, rtcp, bound))
    }
}

fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv4() {
        // Only a wish: some containers refuse it and the audio flows all the same.
        let _ = socket.set_tos_v4(TOS_VOICE);
    }
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_pair_is_even_and_the_next_one() {
        let (rtp, rtcp, bound) = Ports::new(LOOPBACK, 0..=0, 0).pair().unwrap();
        assert_eq!(bound.port() % 2, 0);
        assert_eq!(rtp.local_addr().unwrap().port() + 1, rtcp.local_addr().unwrap().port());
    }

    #[test]
    fn an_empty_range_is_refused_and_a_closed_pair_is_free_again() {
        let (rtp, rtcp, bound) = Ports::new(LOOPBACK, 0..=0, 0).pair().unwrap();
        let only = Ports::new(LOOPBACK, bound.port()..=bound.port() + 1, 7);
        assert!(matches!(only.pair(), Err(Error::NoPort { .. })));
        drop((rtp, rtcp));
        assert_eq!(only.pair().unwrap().2, bound);
    }

    #[test]
    fn a_pair_of_before_is_had_again_where_it_is_free_and_of_the_range() {
        let (rtp, rtcp, bound) = Ports::new(LOOPBACK, 0..=0, 0).pair().unwrap();
        let only = Ports::new(LOOPBACK, bound.port()..=bound.port() + 1, 0);
        assert!(only.this_pair(bound.port()).is_none(), "it is taken");
        drop((rtp, rtcp));
        assert_eq!(only.this_pair(bound.port()).unwrap().2, bound);
        assert!(only.this_pair(bound.port() + 1).is_none(), "an odd one");
        assert!(only.this_pair(bound.port() + 2).is_none(), "not of the range");
        assert!(only.this_pair(0).is_none());
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error_of_its_own() {
        let foreign = Ports::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 0..=0, 0);
        assert!(matches!(foreign.pair(), Err(Error::Bind { .. })));
    }
}
