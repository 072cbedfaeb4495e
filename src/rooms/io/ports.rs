//! The ports: one UDP socket for everybody, and the listener of ICE over TCP.

use super::Shared;
use crate::config::RoomsConfig;
use crate::peer::{Door, LocalAddress};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::{TcpListener, UdpSocket};
use tracing::{debug, warn};

/// Room in the kernel for bursts: a key frame of a screen goes to fifty people at once.
const BUFFER: usize = 4 << 20;

/// The open ports and what browsers are told of them.
pub(super) struct Ports {
    pub(super) udp: UdpSocket,
    pub(super) tcp: Option<TcpListener>,
    pub(super) local: Vec<LocalAddress>,
}

impl Ports {
    pub(super) async fn open(config: &RoomsConfig) -> std::io::Result<Self> {
        let udp = open_udp(config.udp)?;
        let tcp = match config.tcp {
            Some(address) => Some(TcpListener::bind(address).await?),
            None => None,
        };
        let mut local = Vec::new();
        let udp_address = udp.local_addr()?;
        for ip in told(config, udp_address.ip()) {
            local.push(LocalAddress {
                door: Door::Udp,
                address: SocketAddr::new(ip, udp_address.port()),
            });
        }
        if let Some(listener) = &tcp {
            let address = listener.local_addr()?;
            for ip in told(config, address.ip()) {
                local.push(LocalAddress {
                    door: Door::Tcp,
                    address: SocketAddr::new(ip, address.port()),
                });
            }
        }
        if local.is_empty() {
            warn!("no address of this machine can be told to browsers: set rooms.advertised");
        }
        Ok(Self { udp, tcp, local })
    }
}

fn open_udp(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel gives what it may; less is no fault.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// The addresses browsers are told.
fn told(config: &RoomsConfig, bound: IpAddr) -> Vec<IpAddr> {
    if !config.advertised.is_empty() {
        return config.advertised.clone();
    }
    if !bound.is_unspecified() {
        return vec![bound];
    }
    // Which address the machine would speak from; connecting a UDP socket sends nothing.
    let outward: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        ),
    ];
    let mut found: Vec<IpAddr> = outward
        .into_iter()
        .filter(|(any, _)| any.is_ipv4() || bound.is_ipv6())
        .filter_map(|(any, there)| {
            let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
            socket.connect((there, 9)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        })
        .collect();
    if found.is_empty() {
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found
}

/// Reads the socket until the end.
pub(super) async fn read(shared: Arc<Shared>) {
    let mut buffer = vec![0_u8; 2_048];
    loop {
        let received = tokio::select! {
            () = shared.end.cancelled() => return,
            received = shared.udp.recv_from(&mut buffer) => received,
        };
        match received {
            Ok((length, source)) => {
                if let Some(bytes) = buffer.get(..length) {
                    shared.roads.carry(Door::Udp, source, bytes, Instant::now());
                }
            }
            // An ICMP answer to something we sent to somebody who is gone.
            Err(error) => debug!("a datagram could not be read: {error}"),
        }
    }
}
