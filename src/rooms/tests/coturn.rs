//! The relay against coturn's own client: over UDP, TCP and TLS, and with what must be refused.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]
#![expect(clippy::disallowed_methods, reason = "a test with real sockets")]

use std::net::SocketAddr;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::tls::{Certificates, Origin};
use strowger_model::world::SeededWorld;
use strowger_rooms::io::turn::{TurnHandle, TurnSetup};
use strowger_rooms::turn::{Limits, MediaAddress, Refusal};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const DEADLINE: Duration = Duration::from_secs(60);
const NOW_MS: i64 = 1_700_000_000_000;

struct Scene {
    relay: TurnHandle,
    world: Arc<SeededWorld>,
    peer: SocketAddr,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl Scene {
    /// A relay, and a peer that sends back what it gets and may be reached.
    async fn start(limits: Limits) -> Self {
        let any: Vec<SocketAddr> = vec!["127.0.0.1:0".parse().unwrap()];
        let (end, tasks) = (CancellationToken::new(), TaskTracker::new());
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::Own {
            folder: folder.path().to_owned(),
            names: vec!["localhost".to_owned()],
        };
        let clock = Arc::new(time::OffsetDateTime::now_utc);
        let setup = TurnSetup {
            udp: any.clone(),
            tcp: any.clone(),
            tls: any,
            limits,
            certificates: Some(Certificates::open(origin, clock, &tasks, end.clone()).unwrap()),
            ..TurnSetup::default()
        };
        let world = Arc::new(SeededWorld::new(3, NOW_MS));
        let relay = TurnHandle::start(setup, world.clone(), &tasks, end.clone())
            .await
            .unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = socket.local_addr().unwrap();
        let over = end.clone();
        tasks.spawn(async move {
            let mut room = [0; 2048];
            while let Some(Ok((length, from))) = over.run_until_cancelled(socket.recv_from(&mut room)).await {
                let _ = socket.send_to(&room[..length], from).await;
            }
        });
        // Coturn's client binds a channel to the port of RTCP too, even when it is told to use none.
        let rtcp = SocketAddr::new(peer.ip(), peer.port().wrapping_add(1));
        relay
            .reach_rooms(vec![MediaAddress::plain(peer), MediaAddress::plain(rtcp)])
            .await;
        Self {
            relay,
            world,
            peer,
            end,
            tasks,
        }
    }

    fn port(&self, kind: &str) -> String {
        let mut listeners = self.relay.listeners().iter();
        listeners.find(|(own, _)| *own == kind).unwrap().1.port().to_string()
    }

    /// Lets coturn's client send twenty messages to a peer and wait for them to come back.
    async fn client(&self, kind: &str, peer: SocketAddr, arguments: &[&str]) -> Output {
        let server = self.relay.ice_servers("PA_coturn").remove(0);
        let mut command = Command::new("turnutils_uclient");
        command
            .args(["-u", &server.username, "-w", &server.credential, "-p", &self.port(kind)])
            .args(["-e", &peer.ip().to_string(), "-r", &peer.port().to_string()])
            // No pair of ports for RTCP, twenty messages.
            .args(["-c", "-n", "20"])
            .args(arguments)
            .arg("127.0.0.1")
            .kill_on_drop(true);
        tokio::time::timeout(DEADLINE, command.output()).await.unwrap().unwrap()
    }

    async fn end(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Messages sent and messages that came back, as the client says at its end.
fn sent_and_back(output: &Output) -> (u32, u32) {
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |name: &str| -> Option<u32> {
        let (_, after) = text.rsplit_once(name)?;
        after
            .split([',', ' ', '\n'])
            .find(|word| !word.is_empty())?
            .parse()
            .ok()
    };
    (
        number("tot_send_msgs=").unwrap_or(0),
        number("tot_recv_msgs=").unwrap_or(0),
    )
}

#[tokio::test]
async fn coturns_client_is_relayed_over_udp_tcp_and_tls_by_channel_and_by_indication() {
    let scene = Scene::start(Limits::default()).await;
    for (kind, arguments) in [
        ("udp", &[][..]),
        ("udp", &["-s"]),
        ("tcp", &["-t"]),
        ("tcp", &["-t", "-s"]),
        ("tls", &["-t", "-S"]),
    ] {
        let output = scene.client(kind, scene.peer, arguments).await;
        assert_eq!(sent_and_back(&output), (20, 20), "{kind} {arguments:?}: {output:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn coturns_client_cannot_reach_another_port_or_a_private_address() {
    let scene = Scene::start(Limits::default()).await;
    for peer in [
        "127.0.0.1:9",
        "10.0.0.1:9",
        "192.168.1.1:9",
        "169.254.169.254:80",
        "100.64.0.1:9",
        "8.8.8.8:53",
    ] {
        let output = scene.client("udp", peer.parse().unwrap(), &[]).await;
        assert_eq!(sent_and_back(&output).1, 0, "{peer}");
    }
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let counted = async {
        while scene.relay.figures().refused(Refusal::Forbidden) < 3 {
            look.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, counted).await.unwrap();
    let figures = scene.relay.figures();
    assert_eq!(figures.bytes_to_peers, 0);
    scene.end().await;
}

#[tokio::test]
async fn coturns_client_is_refused_once_its_credential_has_ended() {
    let scene = Scene::start(Limits::default()).await;
    let server = scene.relay.ice_servers("PA_coturn").remove(0);
    scene.world.advance(601_000);
    // The relay looks at the wall clock once a second; the first try may come before.
    let mut refused = false;
    for _ in 0..5 {
        let arguments = ["-u", &server.username, "-w", &server.credential];
        let output = scene.client("udp", scene.peer, &arguments).await;
        refused = sent_and_back(&output).1 == 0;
        if refused {
            break;
        }
    }
    assert!(refused);
    scene.end().await;
}
