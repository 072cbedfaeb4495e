//! The real sockets, on loopback.

use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_model::trunk::Transport;
use strowger_model::world::SeededWorld;
use strowger_sip::{Command, Directory, Invite, SipConfig, SipEvent, SipHandle, Target, TrunkAuth};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// Takes everybody for a trunk.
struct Open;

impl Directory for Open {
    fn device(&self, _: &str, _: &str) -> Option<strowger_sip::DeviceAuth> {
        None
    }

    fn realm_of(&self, _: &str, _: &str, _: &str) -> String {
        "realm".to_owned()
    }

    fn trunk_of(&self, _: SocketAddr) -> Option<strowger_model::TrunkId> {
        Some(crate::sim::trunk_id())
    }

    fn trunk_auth(&self, _: strowger_model::TrunkId) -> Option<TrunkAuth> {
        None
    }
}

async fn start(seed: u64, shutdown: &Shutdown) -> (SipHandle, mpsc::Receiver<SipEvent>) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = SipConfig {
        udp: vec![any],
        tcp: vec![any],
        ..SipConfig::default()
    };
    let world = Arc::new(SeededWorld::new(seed, 0));
    strowger_sip::io::start(config, Arc::new(Open), world, Vec::new(), shutdown)
        .await
        .unwrap()
}

async fn next(events: &mut mpsc::Receiver<SipEvent>) -> SipEvent {
    tokio::time::timeout(Duration::from_secs(10), events.recv())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_call_goes_over_udp_and_tcp_and_ends_with_the_process() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let shutdown = Shutdown::new();
        let (ours, mut our_events) = start(1, &shutdown).await;
        let (theirs, mut their_events) = start(2, &shutdown).await;
        let addr = if transport == Transport::Udp {
            theirs.udp_addrs()[0]
        } else {
            theirs.tcp_addrs()[0]
        };
        let dialog = ours.new_dialog();
        let invite = Invite {
            dialog,
            sip_call_id: format!("call-{dialog}"),
            target: Target::Address {
                addr,
                transport,
                user: "200".into(),
            },
            from_user: "100".into(),
            from_display: None,
            from_host: None,
            to_user: "200".into(),
            offer: Bytes::from_static(b"v=0 offer"),
            auth: None,
            headers: Vec::new(),
            patience: None,
        };
        ours.send(Command::Invite(Box::new(invite))).await.unwrap();
        let call = crate::sim::incoming(&next(&mut their_events).await).unwrap();
        assert_eq!((call.transport, &call.offer[..]), (transport, &b"v=0 offer"[..]));
        theirs
            .send(Command::Answer {
                dialog: call.dialog,
                body: Bytes::from_static(b"v=0 answer"),
            })
            .await
            .unwrap();
        assert!(matches!(next(&mut our_events).await, SipEvent::Answered { .. }));
        assert!(matches!(next(&mut their_events).await, SipEvent::Confirmed { .. }));
        shutdown.force();
        assert!(matches!(next(&mut our_events).await, SipEvent::Ended { .. }));
        shutdown.tasks().close();
        tokio::time::timeout(Duration::from_secs(10), shutdown.tasks().wait())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn one_who_never_reads_is_cut_off_and_nobody_else_waits() {
    let shutdown = Shutdown::new();
    let (sip, _events) = start(1, &shutdown).await;
    let mut slow = tokio::net::TcpStream::connect(sip.tcp_addrs()[0]).await.unwrap();
    let via = "Via: SIP/2.0/TCP v".to_owned() + &"v".repeat(3000) + ";branch=z9hG4bKz\r\n";
    let options = format!(
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKq\r\n{via}From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .repeat(100);
    let flood = async { while slow.write_all(options.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(30), flood)
        .await
        .expect("is cut off");
    let mut honest = tokio::net::TcpStream::connect(sip.tcp_addrs()[0]).await.unwrap();
    honest
        .write_all(&options.as_bytes()[..options.len() / 100])
        .await
        .unwrap();
    let mut answer = [0; 11];
    tokio::time::timeout(Duration::from_secs(5), honest.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"SIP/2.0 200");
    shutdown.force();
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let shutdown = Shutdown::new();
    let (sip, _events) = start(1, &shutdown).await;
    let config = SipConfig {
        udp: sip.udp_addrs().to_vec(),
        ..SipConfig::default()
    };
    let again = strowger_sip::io::start(
        config,
        Arc::new(Open),
        Arc::new(SeededWorld::new(1, 0)),
        Vec::new(),
        &shutdown,
    )
    .await;
    assert!(
        again
            .unwrap_err()
            .to_string()
            .starts_with("cannot listen for SIP on udp 127.0.0.1:")
    );
    shutdown.force();
}
