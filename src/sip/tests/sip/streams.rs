//! Connections as inputs of the endpoint.

use crate::sim::{Known, Sim};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::trunk::Transport;
use strowger_model::world::SeededWorld;
use strowger_sip::endpoint::{Endpoint, Input, Output};
use strowger_sip::transaction::{FlowId, Path};
use strowger_sip::{Command, DialogKey, Invite, SipConfig, SipEvent, Target};

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], port))
}

fn endpoint(now: Instant) -> Endpoint {
    let config = SipConfig {
        tcp: vec![address(1, 5060)],
        ..SipConfig::default()
    };
    let known = Known {
        trunks: vec![(address(2, 40000), crate::sim::trunk_id())],
        ..Known::nobody()
    };
    Endpoint::new(
        config,
        address(1, 0).ip(),
        Arc::new(known),
        Arc::new(SeededWorld::new(1, 0)),
        now,
    )
}

fn opened(endpoint: &mut Endpoint, flow: u64, now: Instant) {
    let (remote, local) = (address(2, 40000), address(1, 5060));
    endpoint.handle(
        Input::FlowOpened {
            flow: FlowId(flow),
            remote,
            local,
            transport: Transport::Tcp,
        },
        now,
    );
}

fn outputs(endpoint: &mut Endpoint) -> Vec<Output> {
    std::iter::from_fn(|| endpoint.poll_output()).collect()
}

fn texts(outputs: &[Output]) -> Vec<String> {
    let text = |output: &Output| match output {
        Output::Transmit {
            path: Path::Flow(_),
            bytes,
        } => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    outputs.iter().filter_map(text).collect()
}

fn request(method: &str, length: &str, body: &str) -> Bytes {
    Bytes::from(format!(
        "{method} sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK{}\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\nContact: <sip:a@10.0.0.2;transport=tcp>\r\n{length}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn a_request_hidden_in_a_body_is_not_seen() {
    let now = Sim::pair(1).now;
    let mut endpoint = endpoint(now);
    opened(&mut endpoint, 2, now);
    let inner = request("REGISTER", "Content-Length: 0", "");
    let inner = String::from_utf8_lossy(&inner);
    let bytes = request("OPTIONS", &format!("Content-Length : {}", inner.len()), &inner);
    endpoint.handle(Input::StreamBytes { flow: FlowId(2), bytes }, now);
    let sent = texts(&outputs(&mut endpoint));
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with("SIP/2.0 200") && sent[0].contains("CSeq: 1 OPTIONS"));
}

#[test]
fn a_doubtful_length_is_refused_and_the_connection_closed() {
    let now = Sim::pair(1).now;
    for length in ["X: y", "Content-Length: 3\r\nl: 0", "Content-Length: abc"] {
        let mut endpoint = endpoint(now);
        opened(&mut endpoint, 2, now);
        endpoint.handle(
            Input::StreamBytes {
                flow: FlowId(2),
                bytes: request("OPTIONS", length, "abc"),
            },
            now,
        );
        let done = outputs(&mut endpoint);
        assert!(texts(&done)[0].starts_with("SIP/2.0 400"), "{length}");
        assert_eq!(done.last(), Some(&Output::CloseFlow { flow: FlowId(2) }));
        assert_eq!(endpoint.held().flows, 0);
    }
}

#[test]
fn a_message_that_dawdles_ends_its_connection_and_a_ping_is_answered() {
    let now = Sim::pair(1).now;
    let mut endpoint = endpoint(now);
    opened(&mut endpoint, 2, now);
    endpoint.handle(
        Input::StreamBytes {
            flow: FlowId(2),
            bytes: Bytes::from_static(b"\r\n\r\n"),
        },
        now,
    );
    assert_eq!(texts(&outputs(&mut endpoint)), ["\r\n"]);
    endpoint.handle(
        Input::StreamBytes {
            flow: FlowId(2),
            bytes: Bytes::from_static(b"OPTIONS sip:x SIP/2.0\r\n"),
        },
        now,
    );
    for second in 1..=5 {
        endpoint.handle_timeout(now + Duration::from_secs(second));
        assert!(outputs(&mut endpoint).is_empty());
    }
    endpoint.handle_timeout(now + Duration::from_secs(7));
    assert_eq!(outputs(&mut endpoint), [Output::CloseFlow { flow: FlowId(2) }]);
}

#[test]
fn a_call_over_a_connection_that_dies_is_lost_when_it_is_ended() {
    let now = Sim::pair(1).now;
    let mut endpoint = endpoint(now);
    opened(&mut endpoint, 2, now);
    endpoint.handle(
        Input::StreamBytes {
            flow: FlowId(2),
            bytes: request("INVITE", "Content-Length: 0", ""),
        },
        now,
    );
    let dialog = outputs(&mut endpoint)
        .iter()
        .find_map(|output| match output {
            Output::Event(event) => crate::sim::incoming(event).map(|call| call.dialog),
            _ => None,
        })
        .unwrap();
    endpoint.handle(
        Input::FlowClosed {
            flow: FlowId(2),
            reason: String::new(),
        },
        now,
    );
    endpoint.handle(
        Input::Command(Command::Answer {
            dialog,
            body: Bytes::from_static(b"v=0"),
        }),
        now,
    );
    let mut told = 0;
    for second in 0..120 {
        endpoint.handle_timeout(now + Duration::from_secs(second));
        told += outputs(&mut endpoint)
            .iter()
            .filter(|output| matches!(output, Output::Event(SipEvent::Ended { .. })))
            .count();
    }
    assert_eq!(told, 1);
    assert_eq!(endpoint.held(), strowger_sip::endpoint::Held::default());
}

#[test]
fn a_connection_is_opened_for_a_call_and_its_failure_told() {
    let now = Sim::pair(1).now;
    let mut endpoint = endpoint(now);
    let target = Target::Address {
        addr: address(3, 5060),
        transport: Transport::Tcp,
        user: "x".into(),
    };
    let invite = Invite {
        dialog: DialogKey(2),
        sip_call_id: "call-2".into(),
        target,
        from_user: "a".into(),
        from_display: None,
        from_host: None,
        to_user: "x".into(),
        offer: Bytes::from_static(b"v=0"),
        auth: None,
        headers: vec![("X-A".into(), "b\r\nInjected: c".into())],
        patience: None,
    };
    endpoint.handle(Input::Command(Command::Invite(Box::new(invite.clone()))), now);
    let done = outputs(&mut endpoint);
    let [Output::OpenFlow { flow, .. }] = done[..] else {
        panic!("{done:?}")
    };
    let (remote, local) = (address(3, 5060), address(1, 50000));
    endpoint.handle(
        Input::FlowOpened {
            flow,
            remote,
            local,
            transport: Transport::Tcp,
        },
        now,
    );
    let sent = texts(&outputs(&mut endpoint));
    assert!(
        sent[0].starts_with("INVITE sip:x@10.0.0.3:5060;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1:5060;"),
        "{}",
        sent[0]
    );
    assert!(sent[0].contains("\r\nX-A: b  Injected: c\r\n"));
    endpoint.handle(
        Input::FlowClosed {
            flow,
            reason: String::new(),
        },
        now,
    );
    let done = outputs(&mut endpoint);
    assert!(
        matches!(&done[..], [Output::Event(SipEvent::Failed { status: 503, .. })]),
        "{done:?}"
    );
}

#[test]
fn a_binding_ends_with_its_connection_and_is_reached_through_it() {
    let now = Sim::pair(1).now;
    let config = SipConfig {
        tcp: vec![address(1, 5060)],
        ..SipConfig::default()
    };
    let known = Known::nobody().device("100", strowger_model::trunk::DigestAlgorithm::Md5);
    let device = known.devices[0].1.device;
    let mut endpoint = Endpoint::new(
        config,
        address(1, 0).ip(),
        Arc::new(known),
        Arc::new(SeededWorld::new(1, 0)),
        now,
    );
    opened(&mut endpoint, 2, now);
    let register = |number: u32, proof: &str| {
        Bytes::from(format!(
            "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK{number}\r\nFrom: <sip:100@x>;tag=1\r\nTo: <sip:100@x>\r\n\
             Call-ID: 1\r\nCSeq: {number} REGISTER\r\nContact: <sip:100@192.168.0.9:1234;transport=tcp>\r\n{proof}Content-Length: 0\r\n\r\n"
        ))
    };
    endpoint.handle(
        Input::StreamBytes {
            flow: FlowId(2),
            bytes: register(1, ""),
        },
        now,
    );
    let refused = texts(&outputs(&mut endpoint)).remove(0);
    let challenge = refused
        .lines()
        .find_map(|line| line.strip_prefix("WWW-Authenticate: "))
        .unwrap();
    let auth = strowger_sip::TrunkAuth {
        username: "100".into(),
        password: "secret".to_owned().into(),
    };
    let proof = strowger_sip::auth::answer::answer(challenge, &auth, "REGISTER", "sip:10.0.0.1", "c").unwrap();
    let proof = format!("Authorization: {proof}\r\n");
    endpoint.handle(
        Input::StreamBytes {
            flow: FlowId(2),
            bytes: register(2, &proof),
        },
        now,
    );
    assert!(texts(&outputs(&mut endpoint))[0].starts_with("SIP/2.0 200"));
    let binding = endpoint.bindings_of(device).remove(0);
    let invite = Invite {
        dialog: DialogKey(2),
        sip_call_id: "call-2".into(),
        target: Target::Binding(Box::new(binding)),
        from_user: "a".into(),
        from_display: None,
        from_host: None,
        to_user: "100".into(),
        offer: Bytes::from_static(b"v=0"),
        auth: None,
        headers: Vec::new(),
        patience: None,
    };
    endpoint.handle(Input::Command(Command::Invite(Box::new(invite.clone()))), now);
    assert!(texts(&outputs(&mut endpoint))[0].starts_with("INVITE sip:100@192.168.0.9:1234;transport=tcp SIP/2.0"));
    endpoint.handle(
        Input::FlowClosed {
            flow: FlowId(2),
            reason: String::new(),
        },
        now,
    );
    let done = outputs(&mut endpoint);
    assert!(
        done.iter()
            .any(|output| matches!(output, Output::Event(SipEvent::Unbound { .. }))),
        "{done:?}"
    );
    assert!(
        done.iter()
            .any(|output| matches!(output, Output::Event(SipEvent::Failed { status: 503, .. }))),
        "{done:?}"
    );
    let again = Invite {
        dialog: DialogKey(4),
        ..invite
    };
    endpoint.handle(Input::Command(Command::Invite(Box::new(again))), now);
    assert!(matches!(
        &outputs(&mut endpoint)[..],
        [Output::Event(SipEvent::Failed { status: 503, .. })]
    ));
}

/// A call by datagram whose INVITE is larger than 1,300 bytes, to a provider that takes connections or does not.
fn large(endpoint: &mut Endpoint, key: u64, now: Instant) -> Vec<Output> {
    large_within(endpoint, key, None, now)
}

fn large_within(endpoint: &mut Endpoint, key: u64, patience: Option<Duration>, now: Instant) -> Vec<Output> {
    let target = Target::Address {
        addr: address(2, 5060),
        transport: Transport::Udp,
        user: "200".to_owned(),
    };
    let invite = Invite {
        dialog: DialogKey(key),
        sip_call_id: format!("large-{key}"),
        target,
        from_user: "100".to_owned(),
        from_display: None,
        from_host: None,
        to_user: "200".to_owned(),
        offer: Bytes::from(format!("v=0\r\n{}", "a=x:0123456789abcdef\r\n".repeat(60))),
        auth: None,
        headers: Vec::new(),
        patience,
    };
    endpoint.handle(Input::Command(Command::Invite(Box::new(invite))), now);
    outputs(endpoint)
}

fn by_both(now: Instant) -> Endpoint {
    by_datagram_and(vec![address(1, 5060)], now)
}

/// Takes datagrams, and connections at `tcp` alone.
fn by_datagram_and(tcp: Vec<SocketAddr>, now: Instant) -> Endpoint {
    let config = SipConfig {
        udp: vec![address(1, 5060)],
        tcp,
        ..SipConfig::default()
    };
    let world = Arc::new(SeededWorld::new(1, 0));
    Endpoint::new(config, address(1, 0).ip(), Arc::new(Known::nobody()), world, now)
}

fn datagrams(outputs: &[Output]) -> Vec<String> {
    let text = |output: &Output| match output {
        Output::Transmit {
            path: Path::Udp { .. },
            bytes,
        } => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    outputs.iter().filter_map(text).collect()
}

#[test]
fn a_request_too_large_for_a_datagram_goes_over_a_connection() {
    let now = Sim::pair(1).now;
    let mut endpoint = by_both(now);
    let out = large(&mut endpoint, 2, now);
    assert!(datagrams(&out).is_empty());
    let Some(Output::OpenFlow {
        flow,
        remote,
        tls: None,
    }) = out.first()
    else {
        panic!("{out:?}")
    };
    assert_eq!(*remote, address(2, 5060));
    let (flow, remote, local) = (*flow, *remote, address(1, 50_000));
    endpoint.handle(
        Input::FlowOpened {
            flow,
            remote,
            local,
            transport: Transport::Tcp,
        },
        now,
    );
    let sent = texts(&outputs(&mut endpoint));
    assert!(
        sent[0].starts_with("INVITE") && sent[0].contains("Via: SIP/2.0/TCP"),
        "{}",
        sent[0]
    );
    assert!(
        sent[0].contains(";transport=tcp>"),
        "its Contact can be reached the same way"
    );
}

/// The connection an endpoint asks for stands: what it sends over it.
fn let_it_connect(endpoint: &mut Endpoint, asked: &[Output], now: Instant) -> (FlowId, Vec<String>) {
    let connection = |output: &Output| match output {
        Output::OpenFlow {
            flow,
            remote,
            tls: None,
        } => Some((*flow, *remote)),
        _ => None,
    };
    let (flow, remote) = asked.iter().find_map(connection).unwrap();
    let opened = Input::FlowOpened {
        flow,
        remote,
        local: address(1, 50_000),
        transport: Transport::Tcp,
    };
    endpoint.handle(opened, now);
    (flow, texts(&outputs(endpoint)))
}

#[test]
fn who_takes_no_connections_still_sends_large_requests_over_one() {
    let now = Sim::pair(1).now;
    let mut endpoint = by_datagram_and(Vec::new(), now);
    let out = large(&mut endpoint, 2, now);
    let (_, sent) = let_it_connect(&mut endpoint, &out, now);
    assert!(sent[0].starts_with("INVITE") && sent[0].contains("Via: SIP/2.0/TCP"));
    assert!(
        sent[0].contains("\r\nContact: <sip:10.0.0.1:5060>\r\n"),
        "what the provider begins comes by datagram: {}",
        sent[0]
    );
}

#[test]
fn a_call_to_a_provider_over_tcp_is_ended_by_its_datagram_where_nobody_listens() {
    let now = Sim::pair(1).now;
    let mut endpoint = by_datagram_and(Vec::new(), now);
    let target = Target::Address {
        addr: address(2, 5060),
        transport: Transport::Tcp,
        user: "200".to_owned(),
    };
    let invite = Invite {
        dialog: DialogKey(2),
        sip_call_id: "by-tcp".to_owned(),
        target,
        from_user: "100".to_owned(),
        from_display: None,
        from_host: None,
        to_user: "200".to_owned(),
        offer: Bytes::from_static(b"v=0"),
        auth: None,
        headers: Vec::new(),
        patience: None,
    };
    endpoint.handle(Input::Command(Command::Invite(Box::new(invite))), now);
    let out = outputs(&mut endpoint);
    let (flow, sent) = let_it_connect(&mut endpoint, &out, now);
    let header = |name: &str| sent[0].lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let (contact, from, to) = (header("Contact: "), header("From: "), header("To: "));
    assert_eq!(contact, "<sip:10.0.0.1:5060>");
    let (via, number) = (header("Via: "), header("CSeq: "));
    let answer = format!(
        "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to};tag=2\r\nCall-ID: by-tcp\r\nCSeq: {number}\r\n\
         Contact: <sip:200@10.0.0.2;transport=tcp>\r\nContent-Length: 0\r\n\r\n"
    );
    let bytes = Bytes::from(answer);
    endpoint.handle(Input::StreamBytes { flow, bytes }, now);
    assert!(texts(&outputs(&mut endpoint))[0].starts_with("ACK sip:200@10.0.0.2;transport=tcp"));
    // The provider goes by our Contact, as RFC 3261 §12.2.1.1 wants; the connection is gone by then.
    let reason = String::new();
    endpoint.handle(Input::FlowClosed { flow, reason }, now);
    let bye = format!(
        "BYE sip:10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKb\r\nMax-Forwards: 70\r\nFrom: {to};tag=2\r\n\
         To: {from}\r\nCall-ID: by-tcp\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    );
    endpoint.handle(
        Input::Datagram {
            source: address(2, 5060),
            local: address(1, 5060),
            bytes: Bytes::from(bye),
        },
        now,
    );
    let out = outputs(&mut endpoint);
    assert!(datagrams(&out)[0].starts_with("SIP/2.0 200"), "{out:?}");
    let ended = |output: &Output| matches!(output, Output::Event(SipEvent::Ended { .. }));
    assert!(out.iter().any(ended), "{out:?}");
}

#[test]
fn a_connection_that_nobody_answers_over_is_no_way_for_the_next_large_request() {
    let now = Sim::pair(1).now;
    let mut endpoint = by_both(now);
    let patience = Duration::from_secs(5);
    let out = large_within(&mut endpoint, 2, Some(patience), now);
    let_it_connect(&mut endpoint, &out, now);
    endpoint.handle_timeout(now + patience);
    let failed = |output: &Output| matches!(output, Output::Event(SipEvent::Failed { status: 408, .. }));
    assert!(outputs(&mut endpoint).iter().any(failed));
    let out = large(&mut endpoint, 4, now + patience);
    assert_eq!(datagrams(&out).len(), 1, "{out:?}");
}

#[test]
fn where_no_connection_can_be_had_it_goes_by_datagram_and_the_next_one_at_once() {
    let now = Sim::pair(1).now;
    let mut endpoint = by_both(now);
    let out = large(&mut endpoint, 2, now);
    let Some(Output::OpenFlow { flow, .. }) = out.first() else {
        panic!("{out:?}")
    };
    endpoint.handle(
        Input::FlowClosed {
            flow: *flow,
            reason: String::new(),
        },
        now,
    );
    let sent = datagrams(&outputs(&mut endpoint));
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].starts_with("INVITE") && sent[0].contains("Via: SIP/2.0/UDP"),
        "{}",
        sent[0]
    );
    let out = large(&mut endpoint, 4, now);
    assert_eq!(datagrams(&out).len(), 1, "{out:?}");
}

/// A command that calls a provider over TLS.
fn over_tls(host: &str, dialog: u64) -> Input {
    let target = strowger_sip::TrunkTarget {
        trunk: crate::sim::trunk_id(),
        addr: address(2, 5061),
        host: host.to_owned(),
        port: 5061,
        transport: Transport::Tls,
        user: "x".into(),
    };
    Input::Command(Command::Invite(Box::new(Invite {
        dialog: DialogKey(dialog),
        sip_call_id: format!("tls-{dialog}"),
        target: Target::Trunk(target),
        from_user: "a".into(),
        from_display: None,
        from_host: None,
        to_user: "x".into(),
        offer: Bytes::from_static(b"v=0"),
        auth: None,
        headers: Vec::new(),
        patience: None,
    })))
}

#[test]
fn over_tls_each_host_has_a_connection_of_its_own_and_requests_say_so() {
    let now = Sim::pair(1).now;
    let mut endpoint = endpoint(now);
    // A connection from the very address, by somebody who has proved nothing.
    let (remote, local) = (address(2, 5061), address(1, 5061));
    let accepted = Input::FlowOpened {
        flow: FlowId(2),
        remote,
        local,
        transport: Transport::Tls,
    };
    endpoint.handle(accepted, now);
    let mut flows = Vec::new();
    for (host, dialog) in [("one.example", 2), ("two.example", 4), ("one.example", 6)] {
        endpoint.handle(over_tls(host, dialog), now);
        for output in outputs(&mut endpoint) {
            if let Output::OpenFlow { flow, tls, .. } = output {
                flows.push((flow, tls.unwrap()));
            }
        }
    }
    let names: Vec<&str> = flows.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["one.example", "two.example"]);
    let (flow, local) = (flows[0].0, address(1, 50_000));
    let transport = Transport::Tls;
    let opened = Input::FlowOpened {
        flow,
        remote,
        local,
        transport,
    };
    endpoint.handle(opened, now);
    let sent = texts(&outputs(&mut endpoint));
    assert_eq!(sent.len(), 2, "both calls to that host: {sent:?}");
    assert!(
        sent[0].starts_with("INVITE sip:x@one.example;transport=tls SIP/2.0\r\nVia: SIP/2.0/TLS 10.0.0.1:5061;"),
        "{}",
        sent[0]
    );
    assert!(sent[0].contains(";transport=tls>"), "{}", sent[0]);
}
