//! A client's side by hand, in virtual time.

use super::*;
use crate::turn::credentials::{Credential, LIFE};
use crate::turn::policy::{MediaAddress, Network};
use crate::turn::testing::{self, channel_data, code, id, indication, request, udp};
use crate::turn::wire::{self, IntegrityKey};
use strowger_model::world::SeededWorld;
use stun_types::attribute::{Nonce, Realm, XorMappedAddress};
use stun_types::message::{BINDING, Message, Method};
use stun_types::prelude::{AttributeWrite, MessageWrite};
use turn_types::AddressFamily;
use turn_types::attribute::{
    ChannelNumber, Data, DontFragment, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress,
    XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};

const WALL: u64 = 1_700_000_000;
const ROOMS: &str = "127.0.0.1:7882";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct Scene {
    server: TurnServer,
    world: SeededWorld,
    secret: Secret,
    now: Instant,
    sockets: u16,
    refuse_sockets: bool,
}

struct Guest {
    at: Client,
    credential: Credential,
    key: IntegrityKey,
    nonce: String,
}

impl Scene {
    fn new(limits: Limits) -> Self {
        let world = SeededWorld::new(7, i64::try_from(WALL).unwrap() * 1000);
        let secret = Secret::from_text("secret");
        let config = ServerConfig {
            realm: "strowger".into(),
            secret: secret.clone(),
            policy: PeerPolicy {
                media: vec![MediaAddress::plain(address(ROOMS))],
                ..PeerPolicy::default()
            },
            limits,
            families: (true, false),
        };
        let now = Instant::now();
        Self {
            server: TurnServer::new(config, &world, now),
            world,
            secret,
            now,
            sockets: 40_000,
            refuse_sockets: false,
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((next, _)) = self.server.poll_timeout().filter(|(next, _)| *next <= end) {
            self.server.handle_timeout(next);
        }
        self.now = end;
    }

    /// Performs what the machine wants of sockets and returns the rest.
    fn outputs(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        while let Some(output) = self.server.poll_output() {
            if let Output::OpenRelay { relay, .. } = output {
                self.sockets += 1;
                let relayed = SocketAddr::new(address(ROOMS).ip(), self.sockets);
                let opened = (!self.refuse_sockets).then_some(relayed);
                self.server.handle(Input::Relay(relay, opened), self.now);
            } else {
                out.push(output);
            }
        }
        out
    }

    fn send(&mut self, client: Client, bytes: Vec<u8>) -> Vec<Output> {
        self.server.handle(Input::FromClient(client, bytes.into()), self.now);
        self.outputs()
    }

    /// Sends a request and returns its answer.
    fn ask(&mut self, client: Client, bytes: Vec<u8>) -> Vec<u8> {
        let outputs = self.send(client, bytes);
        let [Output::ToClient(to, answer)] = &outputs[..] else {
            panic!("one answer, not {outputs:?}");
        };
        assert_eq!(*to, client);
        answer.to_vec()
    }

    /// Somebody with a credential, who has asked for the nonce.
    fn guest(&mut self, port: u16, member: &str) -> Guest {
        self.guest_at(Path::Udp(0), port, member)
    }

    fn guest_at(&mut self, path: Path, port: u16, member: &str) -> Guest {
        let unix_s = self.server.unix_s(self.now);
        let credential = self.secret.issue(member, unix_s);
        let at = Client {
            path,
            address: SocketAddr::new(address("192.0.2.1:1").ip(), port),
        };
        let answer = self.ask(at, request(ALLOCATE, 1, &[&udp()]).finish());
        let challenge = Message::from_bytes(&answer).unwrap();
        assert_eq!(code(&answer), 401);
        assert_eq!(challenge.attribute::<Realm>().unwrap().realm(), "strowger");
        Guest {
            at,
            key: wire::key(&credential.username, "strowger", &credential.password),
            nonce: challenge.attribute::<Nonce>().unwrap().nonce().to_owned(),
            credential,
        }
    }

    fn allocate(&mut self, guest: &Guest) -> Vec<u8> {
        self.ask(guest.at, guest.signed(ALLOCATE, 2, &[&udp()]))
    }

    fn allocated(&mut self, port: u16, member: &str) -> Guest {
        let guest = self.guest(port, member);
        assert_eq!(code(&self.allocate(&guest)), 0);
        guest
    }

    fn permit(&mut self, guest: &Guest, peer: &str) -> u16 {
        let peer = XorPeerAddress::new(address(peer), id(3));
        code(&self.ask(guest.at, guest.signed(CREATE_PERMISSION, 3, &[&peer])))
    }

    fn channel(&mut self, guest: &Guest, number: u16, peer: &str) -> u16 {
        let (number, peer) = (ChannelNumber::new(number), XorPeerAddress::new(address(peer), id(4)));
        code(&self.ask(guest.at, guest.signed(CHANNEL_BIND, 4, &[&number, &peer])))
    }

    fn refresh(&mut self, guest: &Guest, seconds: u32) -> u16 {
        code(&self.ask(guest.at, guest.signed(REFRESH, 5, &[&Lifetime::new(seconds)])))
    }

    fn relays(&self) -> usize {
        self.server.figures().relays
    }
}

impl Guest {
    fn signed(&self, method: Method, n: u128, with: &[&dyn AttributeWrite]) -> Vec<u8> {
        self.signed_as(&self.credential.username, &self.key, method, n, with)
    }

    fn signed_as(
        &self,
        username: &str,
        key: &IntegrityKey,
        method: Method,
        n: u128,
        with: &[&dyn AttributeWrite],
    ) -> Vec<u8> {
        testing::signed(username, key, &self.nonce, (method, n), with)
    }
}

#[test]
fn binding_tells_a_client_its_address() {
    let mut scene = Scene::new(Limits::default());
    let client = Client {
        path: Path::Udp(0),
        address: address("198.51.100.7:4242"),
    };
    let answer = scene.ask(client, request(BINDING, 1, &[]).finish());
    let answer = Message::from_bytes(&answer).unwrap();
    let mapped = answer.attribute::<XorMappedAddress>().unwrap();
    assert_eq!(mapped.addr(id(1)), client.address);
}

#[test]
fn a_relay_is_opened_used_both_ways_and_closed() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.guest(1000, "PA_a");
    let answer = scene.allocate(&guest);
    let answer = Message::from_bytes(&answer).unwrap();
    let relayed = answer.attribute::<XorRelayedAddress>().unwrap().addr(id(2));
    assert_eq!(relayed, address("127.0.0.1:40001"));
    assert!(answer.validate_integrity_with_key(&guest.key).is_ok());
    let relay = RelayId(1);

    // Without a permission nothing passes, either way.
    assert!(scene.send(guest.at, indication(ROOMS, b"no")).is_empty());
    scene.server.handle(
        Input::FromPeer(relay, address(ROOMS), Bytes::from_static(b"no")),
        scene.now,
    );
    assert!(scene.outputs().is_empty());

    assert_eq!(scene.permit(&guest, ROOMS), 0);
    let sent = scene.send(guest.at, indication(ROOMS, b"hello"));
    assert_eq!(
        sent,
        [Output::ToPeer(relay, address(ROOMS), Bytes::from_static(b"hello"))]
    );
    scene.server.handle(
        Input::FromPeer(relay, address(ROOMS), Bytes::from_static(b"back")),
        scene.now,
    );
    let Some(Output::ToClient(_, data)) = scene.outputs().pop() else {
        panic!("a Data indication");
    };
    let data = Message::from_bytes(&data).unwrap();
    assert_eq!(data.attribute::<Data>().unwrap().data(), b"back");

    assert_eq!(scene.channel(&guest, 0x4000, ROOMS), 0);
    let sent = scene.send(guest.at, channel_data(0x4000, b"short"));
    assert_eq!(
        sent,
        [Output::ToPeer(relay, address(ROOMS), Bytes::from_static(b"short"))]
    );
    scene.server.handle(
        Input::FromPeer(relay, address(ROOMS), Bytes::from_static(b"way")),
        scene.now,
    );
    let expected = Output::ToClient(guest.at, channel_data(0x4000, b"way").into());
    assert_eq!(scene.outputs(), [expected], "a datagram is not padded");

    let answered = scene.send(guest.at, guest.signed(REFRESH, 6, &[&Lifetime::new(0)]));
    assert!(answered.contains(&Output::CloseRelay(relay)));
    assert_eq!(scene.relays(), 0);
    assert_eq!(scene.refresh(&guest, 0), 0, "ending what has ended is no fault");
    assert_eq!(scene.refresh(&guest, 600), 437);
    let figures = scene.server.figures();
    assert_eq!(
        (figures.packets, figures.bytes_to_peers, figures.bytes_to_clients),
        (4, 10, 7)
    );
}

#[test]
fn over_a_stream_channel_data_is_padded_and_its_end_closes_the_relay() {
    let mut scene = Scene::new(Limits::default());
    let path = Path::Stream(3);
    let guest = scene.guest_at(path, 1000, "PA_a");
    scene.server.handle(Input::Connected(guest.at), scene.now);
    assert_eq!(code(&scene.allocate(&guest)), 0);
    assert_eq!(scene.channel(&guest, 0x4001, ROOMS), 0);
    scene.server.handle(
        Input::FromPeer(RelayId(1), address(ROOMS), Bytes::from_static(b"12345")),
        scene.now,
    );
    let mut padded = channel_data(0x4001, b"12345");
    padded.extend([0; 3]);
    assert_eq!(scene.outputs(), [Output::ToClient(guest.at, padded.into())]);
    scene.server.handle(Input::Gone(guest.at), scene.now);
    assert_eq!(scene.outputs(), [Output::CloseRelay(RelayId(1))]);
}

#[test]
fn a_credential_that_has_ended_opens_nothing_but_its_relay_lives_while_it_is_refreshed() {
    let mut scene = Scene::new(Limits::default());
    let early = scene.allocated(1000, "PA_a");
    let late = scene.guest(1001, "PA_a");
    for _ in 0..3 {
        scene.pass(LIFE / 2 + Duration::from_secs(1));
        assert_eq!(scene.refresh(&early, 600), 0);
    }
    assert_eq!(code(&scene.allocate(&late)), 401, "reuse after the end");
    assert_eq!(scene.permit(&early, ROOMS), 0);
    scene.pass(Duration::from_secs(601));
    assert_eq!(scene.outputs(), [Output::CloseRelay(RelayId(1))]);
    assert_eq!(
        code(&scene.allocate(&early)),
        401,
        "and the relay that ended cannot be had again"
    );
}

#[test]
fn a_relay_dies_of_age_however_often_it_is_refreshed() {
    let limits = Limits {
        longest_life: Duration::from_secs(1500),
        ..Limits::default()
    };
    let mut scene = Scene::new(limits);
    let guest = scene.allocated(1000, "PA_a");
    for _ in 0..2 {
        scene.pass(Duration::from_secs(599));
        assert_eq!(scene.refresh(&guest, 600), 0);
    }
    scene.pass(Duration::from_secs(303));
    assert_eq!(scene.relays(), 0);
}

#[test]
fn a_wrong_password_a_foreign_name_and_another_realm_are_refused() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.guest(1000, "PA_a");
    let username = &guest.credential.username;
    let wrong = wire::key(username, "strowger", "guessed");
    let asked = guest.signed_as(username, &wrong, ALLOCATE, 2, &[&udp()]);
    assert_eq!(code(&scene.ask(guest.at, asked)), 401);
    // Moving the end forward breaks the signature.
    let later = format!("{}:PA_a", WALL + 10_000);
    let asked = guest.signed_as(&later, &guest.key, ALLOCATE, 2, &[&udp()]);
    assert_eq!(code(&scene.ask(guest.at, asked)), 401);
    let asked = guest.signed_as("nobody", &guest.key, ALLOCATE, 2, &[&udp()]);
    assert_eq!(code(&scene.ask(guest.at, asked)), 401);
    assert_eq!(scene.relays(), 0);
}

#[test]
fn an_old_or_foreign_nonce_is_stale_and_a_new_one_comes_with_the_answer() {
    let mut scene = Scene::new(Limits::default());
    let mut guest = scene.guest(1000, "PA_a");
    let other = scene.guest(1001, "PA_b");
    guest.nonce.clone_from(&other.nonce);
    let answer = scene.allocate(&guest);
    assert_eq!(code(&answer), 438);
    let answer = Message::from_bytes(&answer).unwrap();
    answer
        .attribute::<Nonce>()
        .unwrap()
        .nonce()
        .clone_into(&mut guest.nonce);
    assert_eq!(code(&scene.allocate(&guest)), 0);
}

#[test]
fn another_user_cannot_take_a_relay_over() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.allocated(1000, "PA_a");
    let other = scene.secret.issue("PA_b", WALL);
    let key = wire::key(&other.username, "strowger", &other.password);
    let asked = guest.signed_as(&other.username, &key, REFRESH, 2, &[&Lifetime::new(0)]);
    assert_eq!(code(&scene.ask(guest.at, asked)), 441);
    assert_eq!(scene.relays(), 1);
}

#[test]
fn peers_that_may_not_be_reached_are_forbidden_by_permission_channel_and_port() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.allocated(1000, "PA_a");
    for peer in [
        "127.0.0.2:80",
        "10.0.0.1:80",
        "192.168.0.1:80",
        "169.254.169.254:80",
        "100.64.0.1:80",
        "8.8.8.8:53",
    ] {
        assert_eq!(scene.permit(&guest, peer), 403, "{peer}");
        assert_eq!(scene.channel(&guest, 0x4000, peer), 403, "{peer}");
    }
    // The address of the rooms is open, its other ports are not.
    assert_eq!(scene.permit(&guest, ROOMS), 0);
    assert_eq!(scene.channel(&guest, 0x4000, "127.0.0.1:5432"), 403);
    assert!(scene.send(guest.at, indication("127.0.0.1:5432", b"select")).is_empty());
    scene.server.handle(
        Input::FromPeer(RelayId(1), address("127.0.0.1:5432"), Bytes::from_static(b"x")),
        scene.now,
    );
    assert!(scene.outputs().is_empty());
    assert_eq!(scene.server.figures().refused(Refusal::Forbidden), 13);
}

#[test]
fn one_forbidden_peer_among_many_permits_none() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.allocated(1000, "PA_a");
    let (good, bad) = (
        XorPeerAddress::new(address(ROOMS), id(3)),
        XorPeerAddress::new(address("10.0.0.1:1"), id(3)),
    );
    let asked = guest.signed(CREATE_PERMISSION, 3, &[&good, &bad]);
    assert_eq!(code(&scene.ask(guest.at, asked)), 403);
    assert!(scene.send(guest.at, indication(ROOMS, b"x")).is_empty());
}

#[test]
fn a_policy_that_changes_counts_at_once() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.allocated(1000, "PA_a");
    assert_eq!(scene.permit(&guest, ROOMS), 0);
    scene.server.handle(Input::Policy(PeerPolicy::default()), scene.now);
    assert!(scene.send(guest.at, indication(ROOMS, b"x")).is_empty());
}

#[test]
fn members_and_the_machine_have_quotas() {
    let limits = Limits {
        relays: 3,
        relays_of_member: 2,
        ..Limits::default()
    };
    let mut scene = Scene::new(limits);
    scene.allocated(1000, "PA_a");
    scene.allocated(1001, "PA_a");
    let third = scene.guest(1002, "PA_a");
    assert_eq!(code(&scene.allocate(&third)), 486);
    scene.allocated(1003, "PA_b");
    let full = scene.guest(1004, "PA_c");
    assert_eq!(code(&scene.allocate(&full)), 508);
    assert_eq!(scene.relays(), 3);
    // A credential issued a second later is the same member's.
    scene.pass(Duration::from_secs(1));
    let again = scene.guest(1005, "PA_a");
    assert_eq!(code(&scene.allocate(&again)), 486);
}

#[test]
fn one_relay_has_few_peers_and_channels_and_a_rate() {
    let limits = Limits {
        peers: 2,
        bytes_per_second: 1000,
        ..Limits::default()
    };
    let mut scene = Scene::new(limits);
    let policy = PeerPolicy {
        allowed: vec![Network::new(address("10.0.0.0:0").ip(), 8).unwrap()],
        ..PeerPolicy::default()
    };
    scene.server.handle(Input::Policy(policy), scene.now);
    let guest = scene.allocated(1000, "PA_a");
    assert_eq!(scene.channel(&guest, 0x4000, "10.0.0.1:1"), 0);
    assert_eq!(scene.channel(&guest, 0x4001, "10.0.0.2:1"), 0);
    assert_eq!(scene.channel(&guest, 0x4002, "10.0.0.2:2"), 508);
    assert_eq!(scene.permit(&guest, "10.0.0.3:1"), 508);
    assert_eq!(scene.channel(&guest, 0x4000, "10.0.0.2:2"), 400);
    assert_eq!(scene.channel(&guest, 0x3fff, "10.0.0.2:2"), 400);
    let passed = (0..30)
        .filter(|_| !scene.send(guest.at, channel_data(0x4000, &[0; 100])).is_empty())
        .count();
    assert_eq!(passed, 10);
}

#[test]
fn what_is_not_offered_is_refused_by_name() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.guest(1000, "PA_a");
    let tcp = RequestedTransport::new(RequestedTransport::TCP);
    assert_eq!(code(&scene.ask(guest.at, guest.signed(ALLOCATE, 2, &[&tcp]))), 442);
    let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    assert_eq!(
        code(&scene.ask(guest.at, guest.signed(ALLOCATE, 2, &[&udp(), &v6]))),
        440
    );
    let pair = EvenPort::new(true);
    assert_eq!(
        code(&scene.ask(guest.at, guest.signed(ALLOCATE, 2, &[&udp(), &pair]))),
        508
    );
    let whole = DontFragment::new();
    assert_eq!(
        code(&scene.ask(guest.at, guest.signed(ALLOCATE, 2, &[&udp(), &whole]))),
        420
    );
    assert_eq!(code(&scene.ask(guest.at, guest.signed(ALLOCATE, 2, &[]))), 400);
    assert_eq!(scene.permit(&guest, ROOMS), 437);
    assert_eq!(scene.channel(&guest, 0x4000, ROOMS), 437);
    scene.refuse_sockets = true;
    assert_eq!(code(&scene.allocate(&guest)), 508, "no socket to be had");
    scene.refuse_sockets = false;
    assert_eq!(code(&scene.allocate(&guest)), 0);
    assert_eq!(scene.permit(&guest, "[::1]:80"), 443);
}

#[test]
fn a_request_that_comes_twice_is_answered_twice_and_done_once() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.allocated(1000, "PA_a");
    let again = scene.allocate(&guest);
    let again = Message::from_bytes(&again).unwrap();
    let relayed = again.attribute::<XorRelayedAddress>().unwrap().addr(id(2));
    assert_eq!(relayed, address("127.0.0.1:40001"));
    assert_eq!(scene.relays(), 1);
    let other = guest.signed(ALLOCATE, 99, &[&udp()]);
    assert_eq!(code(&scene.ask(guest.at, other)), 437);
}

#[test]
fn a_client_that_leaves_while_its_socket_is_opened_leaves_nothing_behind() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.guest_at(Path::Stream(1), 1000, "PA_a");
    let asked = guest.signed(ALLOCATE, 2, &[&udp()]);
    scene
        .server
        .handle(Input::FromClient(guest.at, asked.into()), scene.now);
    let relay = RelayId(1);
    assert_eq!(
        scene.server.poll_output(),
        Some(Output::OpenRelay {
            relay,
            is_v6: false,
            is_even: false
        })
    );
    scene.server.handle(Input::Gone(guest.at), scene.now);
    scene
        .server
        .handle(Input::Relay(relay, Some(address("127.0.0.1:40001"))), scene.now);
    assert_eq!(scene.outputs(), [Output::CloseRelay(relay)]);
    assert_eq!(scene.relays(), 0);
}

#[test]
fn a_stream_without_a_relay_is_closed_and_one_with_a_relay_is_kept() {
    let mut scene = Scene::new(Limits::default());
    let idle = Client {
        path: Path::Stream(1),
        address: address("192.0.2.1:1"),
    };
    let busy = scene.guest_at(Path::Stream(2), 2, "PA_a");
    scene.server.handle(Input::Connected(idle), scene.now);
    scene.server.handle(Input::Connected(busy.at), scene.now);
    assert_eq!(code(&scene.allocate(&busy)), 0);
    scene.pass(Duration::from_secs(32));
    assert_eq!(scene.outputs(), [Output::Close(idle)]);
}

#[test]
fn strangers_get_a_hundred_answers_a_second_and_cost_no_memory() {
    let mut scene = Scene::new(Limits::default());
    let answered: usize = (0..5000_u16)
        .map(|port| {
            let client = Client {
                path: Path::Udp(0),
                address: SocketAddr::new(address("203.0.113.5:0").ip(), port),
            };
            scene.send(client, request(BINDING, 1, &[]).finish()).len()
        })
        .sum();
    assert_eq!(answered, 100);
    assert_eq!(scene.server.figures().unanswered, 4900);
    // A member behind the same address goes on: what is proved is not counted.
    scene.pass(Duration::from_secs(1));
    let guest = scene.allocated(1000, "PA_a");
    for _ in 0..500 {
        assert_eq!(scene.permit(&guest, ROOMS), 0);
    }
}

#[test]
fn a_clock_that_was_set_ends_credentials_by_the_new_time() {
    let mut scene = Scene::new(Limits::default());
    let guest = scene.guest(1000, "PA_a");
    scene.world.advance(601_000);
    scene.server.set_clock(&scene.world, scene.now);
    assert_eq!(code(&scene.allocate(&guest)), 401);
}

proptest::proptest! {
    /// Any frames from any clients: no panic, no relay without a proved name, no packet to a peer.
    #[test]
    fn frames_of_strangers_open_nothing(frames in proptest::collection::vec(
        (0_u16..4, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)), 0..40)) {
        let mut scene = Scene::new(Limits::default());
        for (port, mut frame) in frames {
            if let Some(head) = frame.get_mut(..8) {
                head[0] &= 0x43;
                head[4..].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            let client = Client { path: Path::Udp(0), address: SocketAddr::new(address(ROOMS).ip(), port) };
            for output in scene.send(client, frame) {
                proptest::prop_assert!(matches!(output, Output::ToClient(..)));
            }
        }
        proptest::prop_assert_eq!(scene.relays(), 0);
    }
}
