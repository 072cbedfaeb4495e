//! Real sockets on the loopback: what the machine's own tests cannot see.

use super::*;
use crate::turn::testing::{channel_data, code, id, indication, request, signed, udp};
use crate::turn::wire::{self, IntegrityKey};
use bytes::{Bytes, BytesMut};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use std::time::Duration;
use strowger_host::tls::{Clock, Origin};
use strowger_model::world::SeededWorld;
use stun_types::attribute::Nonce;
use stun_types::message::{BINDING, Message};
use stun_types::prelude::MessageWrite as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use turn_types::attribute::{ChannelNumber, XorPeerAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION};

const DEADLINE: Duration = Duration::from_secs(10);

fn loopback() -> Vec<SocketAddr> {
    vec!["127.0.0.1:0".parse().unwrap()]
}

struct Scene {
    handle: TurnHandle,
    rooms: UdpSocket,
    end: CancellationToken,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Scene {
    async fn start(setup: TurnSetup) -> Self {
        let end = CancellationToken::new();
        let world = Arc::new(SeededWorld::new(5, 1_700_000_000_000));
        let handle = TurnHandle::start(setup, world, &TaskTracker::new(), end.clone())
            .await
            .unwrap();
        let rooms = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let media = MediaAddress::plain(rooms.local_addr().unwrap());
        handle.reach_rooms(vec![media]).await;
        Self { handle, rooms, end }
    }

    fn listener(&self, kind: &str) -> SocketAddr {
        self.handle.listeners().iter().find(|(own, _)| *own == kind).unwrap().1
    }

    fn credential(&self) -> (String, IntegrityKey) {
        let server = self.handle.ice_servers("PA_x").remove(0);
        let key = wire::key(&server.username, "strowger", &server.credential);
        (server.username, key)
    }

    /// Opens a relay over a stream, sends one datagram to the rooms and one back.
    async fn use_stream(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut client = Streaming {
            stream,
            arrived: BytesMut::new(),
        };
        let challenge = client.ask(request(ALLOCATE, 1, &[&udp()]).finish()).await;
        let nonce = nonce_of(&challenge);
        let (username, key) = self.credential();
        let answer = client
            .ask(signed(&username, &key, &nonce, (ALLOCATE, 2), &[&udp()]))
            .await;
        assert_eq!(code(&answer), 0);
        let peer = XorPeerAddress::new(self.rooms.local_addr().unwrap(), id(3));
        let bind: [&dyn stun_types::prelude::AttributeWrite; 2] = [&ChannelNumber::new(0x4000), &peer];
        let answer = client
            .ask(signed(&username, &key, &nonce, (CHANNEL_BIND, 3), &bind))
            .await;
        assert_eq!(code(&answer), 0);
        let mut padded = channel_data(0x4000, b"hello");
        padded.extend([0; 3]);
        client.stream.write_all(&padded).await.unwrap();
        client.stream.flush().await.unwrap();
        self.answer_hello().await;
        assert_eq!(client.frame().await, channel_data(0x4000, b"back"));
    }

    /// The rooms' side: takes "hello" and answers "back".
    async fn answer_hello(&self) {
        let mut room = [0; 64];
        let (length, relay) = tokio::time::timeout(DEADLINE, self.rooms.recv_from(&mut room))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&room[..length], b"hello");
        self.rooms.send_to(b"back", relay).await.unwrap();
    }
}

struct Streaming<S> {
    stream: S,
    arrived: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Streaming<S> {
    async fn ask(&mut self, bytes: Vec<u8>) -> Bytes {
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
        self.frame().await
    }

    async fn frame(&mut self) -> Bytes {
        loop {
            if let Some(frame) = crate::turn::framing::next_frame(&mut self.arrived).unwrap() {
                return frame;
            }
            let read = tokio::time::timeout(DEADLINE, self.stream.read_buf(&mut self.arrived));
            assert_ne!(read.await.unwrap().unwrap(), 0, "the connection was closed");
        }
    }
}

fn nonce_of(answer: &[u8]) -> String {
    let answer = Message::from_bytes(answer).unwrap();
    answer.attribute::<Nonce>().unwrap().nonce().to_owned()
}

async fn ask(socket: &UdpSocket, bytes: Vec<u8>) -> Vec<u8> {
    socket.send(&bytes).await.unwrap();
    let mut room = [0; 1500];
    let length = tokio::time::timeout(DEADLINE, socket.recv(&mut room))
        .await
        .unwrap()
        .unwrap();
    room[..length].to_vec()
}

#[tokio::test]
async fn over_udp_a_client_reaches_the_rooms_and_is_counted() {
    let scene = Scene::start(TurnSetup {
        udp: loopback(),
        ..TurnSetup::default()
    })
    .await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(scene.listener("udp")).await.unwrap();
    assert_eq!(code(&ask(&client, request(BINDING, 9, &[]).finish()).await), 0);
    let nonce = nonce_of(&ask(&client, request(ALLOCATE, 1, &[&udp()]).finish()).await);
    let (username, key) = scene.credential();
    let answer = ask(&client, signed(&username, &key, &nonce, (ALLOCATE, 2), &[&udp()])).await;
    assert_eq!(code(&answer), 0);
    let rooms = scene.rooms.local_addr().unwrap();
    for (n, peer, expected) in [(3, rooms, 0), (4, "10.0.0.1:1".parse().unwrap(), 403)] {
        let peer = XorPeerAddress::new(peer, id(n));
        let answer = ask(
            &client,
            signed(&username, &key, &nonce, (CREATE_PERMISSION, n), &[&peer]),
        )
        .await;
        assert_eq!(code(&answer), expected);
    }
    client.send(&indication(&rooms.to_string(), b"hello")).await.unwrap();
    scene.answer_hello().await;
    let mut room = [0; 1500];
    let length = tokio::time::timeout(DEADLINE, client.recv(&mut room))
        .await
        .unwrap()
        .unwrap();
    let data = Message::from_bytes(&room[..length]).unwrap();
    assert_eq!(wire::payload(&data), Some(&b"back"[..]));
    let mut figures = scene.handle.figures.clone();
    let counted = figures.wait_for(|figures| figures.bytes_to_clients == 4);
    let counted = tokio::time::timeout(DEADLINE, counted).await.unwrap().unwrap().clone();
    assert_eq!((counted.relays, counted.bytes_to_peers, counted.bindings), (1, 5, 1));
    assert_eq!(counted.refused(crate::turn::Refusal::Forbidden), 1);
}

#[tokio::test]
async fn over_tcp_a_client_reaches_the_rooms() {
    let scene = Scene::start(TurnSetup {
        tcp: loopback(),
        ..TurnSetup::default()
    })
    .await;
    scene
        .use_stream(TcpStream::connect(scene.listener("tcp")).await.unwrap())
        .await;
}

#[tokio::test]
async fn over_tls_a_client_that_knows_the_certificate_reaches_the_rooms() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::Own {
        folder: folder.path().to_owned(),
        names: vec!["turn.example".to_owned()],
    };
    // A certificate is good by the wall clock, which the far side of this test goes by.
    let clock: Clock = Arc::new(time::OffsetDateTime::now_utc);
    let certificates = Certificates::open(origin, clock, &TaskTracker::new(), CancellationToken::new()).unwrap();
    let scene = Scene::start(TurnSetup {
        tls: loopback(),
        certificates: Some(certificates),
        ..TurnSetup::default()
    })
    .await;
    let mut roots = rustls::RootCertStore::empty();
    let made = CertificateDer::from_pem_file(folder.path().join("certificate.pem")).unwrap();
    roots.add(made).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(scene.listener("tls")).await.unwrap();
    let name = ServerName::try_from("turn.example").unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    scene.use_stream(stream).await;
}

#[tokio::test]
async fn tls_without_a_certificate_is_said_at_start() {
    let setup = TurnSetup {
        tls: loopback(),
        ..TurnSetup::default()
    };
    let world = Arc::new(SeededWorld::new(5, 0));
    let started = TurnHandle::start(setup, world, &TaskTracker::new(), CancellationToken::new()).await;
    assert!(matches!(started.unwrap_err(), TurnError::NoCertificate));
}

#[tokio::test]
async fn a_connection_that_speaks_something_else_is_closed() {
    let scene = Scene::start(TurnSetup {
        tcp: loopback(),
        ..TurnSetup::default()
    })
    .await;
    let mut web = TcpStream::connect(scene.listener("tcp")).await.unwrap();
    web.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut room = Vec::new();
    let read = tokio::time::timeout(DEADLINE, web.read_to_end(&mut room))
        .await
        .unwrap();
    // With bytes of ours unread the kernel may reset instead of ending.
    assert!(read.is_err() || room.is_empty());
}

#[tokio::test]
async fn a_connection_too_many_from_one_address_is_closed() {
    let scene = Scene::start(TurnSetup {
        tcp: loopback(),
        connections: (10, 2),
        ..TurnSetup::default()
    })
    .await;
    let address = scene.listener("tcp");
    let mut room = Vec::new();
    let (_one, _two) = (
        TcpStream::connect(address).await.unwrap(),
        TcpStream::connect(address).await.unwrap(),
    );
    let mut third = TcpStream::connect(address).await.unwrap();
    let read = tokio::time::timeout(DEADLINE, third.read_to_end(&mut room))
        .await
        .unwrap();
    assert!(read.is_err() || room.is_empty());
}

#[test]
fn clients_are_told_the_name_or_the_address_they_can_reach() {
    let listeners = [
        ("udp", "0.0.0.0:3478".parse().unwrap()),
        ("tls", "[::1]:443".parse().unwrap()),
    ];
    let advertised = ["192.0.2.9".parse().unwrap()];
    assert_eq!(
        urls(&listeners, None, &advertised),
        ["turn:192.0.2.9:3478?transport=udp", "turns:[::1]:443?transport=tcp"]
    );
    assert_eq!(
        urls(&listeners[1..], Some("turn.example"), &advertised),
        ["turns:turn.example:443?transport=tcp"]
    );
}
