//! SIP over TLS on real sockets: calls, and the certificates that are refused.

use bytes::Bytes;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_host::tls::{Certificates, Clock, Origin};
use strowger_model::TrunkId;
use strowger_model::trunk::Transport;
use strowger_model::world::SeededWorld;
use strowger_sip::{
    Command, DeviceAuth, Directory, Invite, PingTrunk, RegisterTrunk, SipConfig, SipEvent, SipHandle, Target,
    TrunkAuth, TrunkState, TrunkTarget,
};
use time::OffsetDateTime;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

/// Generous: a loaded machine shakes hands slowly.
const DEADLINE: Duration = Duration::from_secs(60);
const NAME: &str = "pbx.example";

/// Takes everybody for a trunk and has a password for it.
struct Open;

impl Directory for Open {
    fn device(&self, _: &str, _: &str) -> Option<DeviceAuth> {
        None
    }

    fn realm_of(&self, _: &str, _: &str, _: &str) -> String {
        "realm".to_owned()
    }

    fn trunk_of(&self, _: SocketAddr) -> Option<TrunkId> {
        Some(crate::sim::trunk_id())
    }

    fn trunk_auth(&self, _: TrunkId) -> Option<TrunkAuth> {
        Some(TrunkAuth {
            username: "us".to_owned(),
            password: "secret".to_owned().into(),
        })
    }
}

struct Side {
    sip: SipHandle,
    events: mpsc::Receiver<SipEvent>,
    folder: tempfile::TempDir,
}

impl Side {
    /// A side whose certificate was made at `made_at`, and which believes the authorities in `ca_file` alone.
    async fn start(seed: u64, made_at: OffsetDateTime, ca_file: Option<PathBuf>, shutdown: &Shutdown) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::Own {
            folder: folder.path().to_owned(),
            names: vec![NAME.to_owned()],
        };
        let clock: Clock = Arc::new(move || made_at);
        let (tasks, end) = (shutdown.tasks(), shutdown.hard().clone());
        let certificates = Certificates::open(origin, clock, tasks, end).unwrap();
        let mut config = SipConfig {
            tls: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            certificates: Some(certificates),
            ca_file,
            ..SipConfig::default()
        };
        config.limits.handshake = Duration::from_secs(5);
        config.ping_interval = Duration::from_millis(50);
        let world = Arc::new(SeededWorld::new(seed, 0));
        let started = strowger_sip::io::start(config, Arc::new(Open), world, Vec::new(), shutdown);
        let (sip, events) = started.await.unwrap();
        Self { sip, events, folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    async fn next(&mut self) -> SipEvent {
        tokio::time::timeout(DEADLINE, self.events.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// Registers at a provider and says why that failed.
    async fn refusal(&mut self, addr: SocketAddr, host: &str) -> String {
        let register = RegisterTrunk {
            trunk: crate::sim::trunk_id(),
            addr,
            host: host.to_owned(),
            port: addr.port(),
            transport: Transport::Tls,
            expires: Duration::from_secs(600),
        };
        self.sip.send(Command::RegisterTrunk(Box::new(register))).await.unwrap();
        match self.next().await {
            SipEvent::TrunkState {
                state: TrunkState::Failed { reason, .. },
                ..
            } => reason,
            other => format!("no refusal but {other:?}"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are good by the wall clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn invite(ours: &SipHandle, addr: SocketAddr) -> Invite {
    let dialog = ours.new_dialog();
    Invite {
        dialog,
        sip_call_id: format!("call-{dialog}"),
        target: Target::Trunk(TrunkTarget {
            trunk: crate::sim::trunk_id(),
            addr,
            host: NAME.to_owned(),
            port: addr.port(),
            transport: Transport::Tls,
            user: "200".into(),
        }),
        from_user: "100".into(),
        from_display: None,
        from_host: None,
        to_user: "200".into(),
        offer: Bytes::from_static(b"v=0 offer"),
        auth: None,
        headers: Vec::new(),
        patience: None,
    }
}

#[tokio::test]
async fn a_call_goes_over_tls_to_whom_the_certificate_names() {
    let shutdown = Shutdown::new();
    let mut theirs = Side::start(2, now(), None, &shutdown).await;
    let mut ours = Side::start(1, now(), Some(theirs.certificate()), &shutdown).await;
    let invite = invite(&ours.sip, theirs.sip.tls_addrs()[0]);
    ours.sip.send(Command::Invite(Box::new(invite))).await.unwrap();
    let call = crate::sim::incoming(&theirs.next().await).unwrap();
    assert_eq!((call.transport, &call.offer[..]), (Transport::Tls, &b"v=0 offer"[..]));
    let (dialog, body) = (call.dialog, Bytes::from_static(b"v=0 answer"));
    theirs.sip.send(Command::Answer { dialog, body }).await.unwrap();
    assert!(matches!(ours.next().await, SipEvent::Answered { .. }));
    assert!(matches!(theirs.next().await, SipEvent::Confirmed { .. }));
    // Their BYE comes back over the connection that we made.
    theirs.sip.send(Command::Bye { dialog, reason: None }).await.unwrap();
    assert!(matches!(ours.next().await, SipEvent::Ended { .. }));
    shutdown.force();
}

#[tokio::test]
async fn a_provider_is_refused_whose_certificate_does_not_hold_and_it_is_said_why() {
    let shutdown = Shutdown::new();
    let theirs = Side::start(2, now(), None, &shutdown).await;
    let place = theirs.sip.tls_addrs()[0];
    let mut trusting = Side::start(1, now(), Some(theirs.certificate()), &shutdown).await;
    let said = trusting.refusal(place, "other.example").await;
    assert!(said.contains("another host name"), "{said}");
    let mut strange = Side::start(3, now(), None, &shutdown).await;
    let said = strange.refusal(place, NAME).await;
    assert!(said.contains("no authority that is trusted"), "{said}");
    let long_ago = now() - time::Duration::days(800);
    let ended = Side::start(4, long_ago, None, &shutdown).await;
    let mut trusting = Side::start(5, now(), Some(ended.certificate()), &shutdown).await;
    let said = trusting.refusal(ended.sip.tls_addrs()[0], NAME).await;
    assert!(said.contains("has expired"), "{said}");
    shutdown.force();
}

#[tokio::test]
async fn a_provider_that_is_only_pinged_says_why_too() {
    let shutdown = Shutdown::new();
    let theirs = Side::start(2, now(), None, &shutdown).await;
    let mut strange = Side::start(1, now(), None, &shutdown).await;
    let ping = PingTrunk {
        trunk: crate::sim::trunk_id(),
        addr: theirs.sip.tls_addrs()[0],
        host: NAME.to_owned(),
        transport: Transport::Tls,
    };
    strange.sip.send(Command::PingTrunk(Box::new(ping))).await.unwrap();
    match strange.next().await {
        SipEvent::TrunkState {
            state: TrunkState::Unreachable { reason },
            ..
        } => assert!(reason.contains("no authority that is trusted"), "{reason}"),
        other => panic!("{other:?}"),
    }
    shutdown.force();
}

#[tokio::test]
async fn who_shakes_no_hands_is_closed_and_nobody_waits_for_them() {
    let shutdown = Shutdown::new();
    let mut theirs = Side::start(2, now(), None, &shutdown).await;
    let mut silent = tokio::net::TcpStream::connect(theirs.sip.tls_addrs()[0]).await.unwrap();
    let ours = Side::start(1, now(), Some(theirs.certificate()), &shutdown).await;
    let invite = invite(&ours.sip, theirs.sip.tls_addrs()[0]);
    ours.sip.send(Command::Invite(Box::new(invite))).await.unwrap();
    assert!(crate::sim::incoming(&theirs.next().await).is_some());
    let mut heard = Vec::new();
    let read = tokio::time::timeout(DEADLINE, silent.read_to_end(&mut heard))
        .await
        .unwrap();
    assert!(read.is_err() || heard.is_empty());
    shutdown.force();
}

#[tokio::test]
async fn tls_without_a_certificate_is_said_at_start() {
    let config = SipConfig {
        tls: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        ..SipConfig::default()
    };
    let world = Arc::new(SeededWorld::new(1, 0));
    let started = strowger_sip::io::start(config, Arc::new(Open), world, Vec::new(), &Shutdown::new()).await;
    assert!(matches!(started, Err(strowger_sip::Error::NoCertificate)));
}
