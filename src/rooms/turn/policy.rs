//! Where a relay may send: by default to the appliance's own rooms and nowhere else.
//!
//! A relay that sends anywhere is a door into the network it stands in. Loopback, private, link-local,
//! carrier-grade NAT, multicast and reserved ranges, and the appliance's own addresses, are refused unless an
//! administrator lists them; the rooms' media addresses are reached by address *and* port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A range of addresses, written `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The range that begins with the first `prefix` bits of an address. `None` for a prefix longer than the
    /// address, and for 0: "everything" would open the loopback by accident, public addresses have a switch.
    #[must_use]
    pub const fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let widest = if address.is_ipv4() { 32 } else { 128 };
        if prefix == 0 || prefix > widest {
            return None;
        }
        Some(Self { address, prefix })
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let width = u32::from(self.prefix);
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u32::from(own) ^ u32::from(other)).leading_zeros() >= width,
            (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own) ^ u128::from(other)).leading_zeros() >= width,
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// An address at which the rooms take media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaAddress {
    /// What browsers are told.
    pub advertised: SocketAddr,
    /// Where it is reached from this machine; differs behind a router that translates addresses.
    pub reached_at: SocketAddr,
}

impl MediaAddress {
    /// An address that is the same from everywhere.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self {
            advertised: address,
            reached_at: address,
        }
    }
}

/// Where a relay may send.
#[derive(Debug, Clone, Default)]
pub struct PeerPolicy {
    /// The rooms' own media addresses: always allowed, at their ports alone.
    pub media: Vec<MediaAddress>,
    /// Ranges an administrator listed: allowed whatever they are.
    pub allowed: Vec<Network>,
    /// Whether any public address may be reached.
    pub public: bool,
    /// The appliance's own addresses: refused even when public.
    pub own: Vec<IpAddr>,
}

impl PeerPolicy {
    /// Whether a permission for an address may be installed. Its ports are looked at by [`Self::permits`].
    #[must_use]
    pub fn permits_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.media.iter().any(|media| media.advertised.ip() == address) || self.opens(address)
    }

    /// Whether packets may go to and come from a peer.
    #[must_use]
    pub fn permits(&self, peer: SocketAddr) -> bool {
        let peer = canonical(peer);
        self.media.iter().any(|media| media.advertised == peer) || self.opens(peer.ip())
    }

    fn opens(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(address))
            || (self.public && is_public(address) && !self.own.contains(&address))
    }

    /// Where a packet for `peer` is sent.
    #[must_use]
    pub fn outward(&self, peer: SocketAddr) -> SocketAddr {
        self.media
            .iter()
            .find(|media| media.advertised == peer)
            .map_or(peer, |media| media.reached_at)
    }

    /// As whom a packet from `source` is shown to the client.
    #[must_use]
    pub fn inward(&self, source: SocketAddr) -> SocketAddr {
        let source = canonical(source);
        self.media
            .iter()
            .find(|media| media.reached_at == source)
            .map_or(source, |media| media.advertised)
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // IANA's registry of special-purpose addresses (RFC 6890), RFC 6598, multicast and what was never given out.
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Global unicast is 2000::/3; of it 2001::/23 (protocols, Teredo), documentation and 6to4, which smuggle
    // IPv4 addresses past this very check, are left out. Everything else (ULA, NAT64, mapped) is not public.
    let [a, b, ..] = address.segments();
    (0x2000..0x4000).contains(&a)
        && !matches!(
            (a, b),
            (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn network(address: &str, prefix: u8) -> Network {
        Network::new(address.parse().unwrap(), prefix).unwrap()
    }

    const INWARD: &[&str] = &[
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "240.0.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "192.88.99.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "2001::1",
        "2001:db8::1",
        "2001:10::1",
    ];

    #[test]
    fn by_default_only_the_rooms_are_reached_and_only_at_their_port() {
        let policy = PeerPolicy {
            media: vec![MediaAddress::plain(peer("127.0.0.1:7882"))],
            ..PeerPolicy::default()
        };
        assert!(policy.permits(peer("127.0.0.1:7882")));
        assert!(policy.permits_address(peer("127.0.0.1:1").ip()));
        assert!(!policy.permits(peer("127.0.0.1:5432")));
        assert!(!policy.permits(peer("8.8.8.8:53")) && !policy.permits_address(peer("8.8.8.8:53").ip()));
    }

    #[test]
    fn public_peers_open_no_inward_range_and_not_ourselves() {
        let policy = PeerPolicy {
            public: true,
            own: vec![peer("93.184.216.34:0").ip()],
            ..PeerPolicy::default()
        };
        for address in INWARD {
            assert!(!policy.permits_address(address.parse().unwrap()), "{address}");
            assert!(
                !policy.permits(SocketAddr::new(address.parse().unwrap(), 53)),
                "{address}"
            );
        }
        assert!(!policy.permits(peer("93.184.216.34:80")));
        for address in [
            "8.8.8.8:53",
            "1.1.1.1:9",
            "[2606:4700::1111]:5",
            "100.128.0.1:5",
            "172.32.0.1:5",
        ] {
            assert!(policy.permits(peer(address)), "{address}");
        }
    }

    #[test]
    fn a_listed_range_is_open_whatever_it_is() {
        let policy = PeerPolicy {
            allowed: vec![network("10.1.0.0", 16), network("fd00::", 8)],
            ..PeerPolicy::default()
        };
        assert!(policy.permits(peer("10.1.2.3:5")) && policy.permits(peer("[fd00::7]:5")));
        assert!(policy.permits(peer("[::ffff:10.1.2.3]:5")), "however it is written");
        assert!(!policy.permits(peer("10.2.0.1:5")) && !policy.permits(peer("[fe80::7]:5")));
    }

    #[test]
    fn everything_is_no_range() {
        for (address, prefix) in [("0.0.0.0", 0), ("::", 0), ("10.0.0.0", 33), ("::", 129)] {
            assert_eq!(
                Network::new(address.parse().unwrap(), prefix),
                None,
                "{address}/{prefix}"
            );
        }
        assert!(network("10.9.8.7", 32).contains("10.9.8.7".parse().unwrap()));
    }

    #[test]
    fn behind_a_router_the_rooms_are_reached_from_within_and_shown_as_advertised() {
        let policy = PeerPolicy {
            media: vec![MediaAddress {
                advertised: peer("93.184.216.34:7882"),
                reached_at: peer("10.0.0.5:7882"),
            }],
            ..PeerPolicy::default()
        };
        assert_eq!(policy.outward(peer("93.184.216.34:7882")), peer("10.0.0.5:7882"));
        assert_eq!(policy.inward(peer("10.0.0.5:7882")), peer("93.184.216.34:7882"));
        assert_eq!(policy.inward(peer("10.0.0.6:7882")), peer("10.0.0.6:7882"));
        assert!(
            !policy.permits(peer("10.0.0.5:7882")),
            "a client names the advertised address"
        );
    }
}
