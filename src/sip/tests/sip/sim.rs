//! Endpoints, the wire between them and the clock.

use crate::connections::{Connections, Parcel};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::record::Binding;
use strowger_model::trunk::{DigestAlgorithm, Transport};
use strowger_model::world::SeededWorld;
use strowger_model::{DeviceId, TenantId, TrunkId, World};
use strowger_sip::endpoint::{Input, Output};
use strowger_sip::standing::{Standing, TakenUp};
use strowger_sip::transaction::Path;
use strowger_sip::{
    Command, DeviceAuth, DialogKey, Directory, Endpoint, Ha1, Invite, SipConfig, SipEvent, Target, TrunkAuth,
};

/// Who a node knows: sources it takes for trunks, one device, one trunk password.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) trunks: Vec<(SocketAddr, TrunkId)>,
    pub(crate) devices: Vec<(String, DeviceAuth)>,
    pub(crate) password: String,
    /// Whether it takes connections at its address.
    pub(crate) listens: bool,
}

impl Known {
    pub(crate) fn nobody() -> Self {
        Self {
            trunks: Vec::new(),
            devices: Vec::new(),
            password: "secret".to_owned(),
            listens: false,
        }
    }

    pub(crate) fn device(mut self, username: &str, algorithm: DigestAlgorithm) -> Self {
        let world = SeededWorld::new(77 + self.devices.len() as u64 * 1000, 0);
        let auth = DeviceAuth {
            device: DeviceId::generate(&world),
            tenant: TenantId::generate(&world),
            user: None,
            ha1: Ha1::of(algorithm, username, "realm", "secret"),
            algorithm,
        };
        self.devices.push((username.to_owned(), auth));
        self
    }
}

impl Directory for Known {
    fn device(&self, username: &str, realm: &str) -> Option<DeviceAuth> {
        let found = self
            .devices
            .iter()
            .find(|(name, _)| name == username && realm == "realm");
        found.map(|(_, auth)| auth.clone())
    }

    fn realm_of(&self, _request_host: &str, _from_host: &str, _username: &str) -> String {
        "realm".to_owned()
    }

    fn trunk_of(&self, source: SocketAddr) -> Option<TrunkId> {
        self.trunks
            .iter()
            .find(|(address, _)| *address == source)
            .map(|(_, trunk)| *trunk)
    }

    fn trunk_auth(&self, _trunk: TrunkId) -> Option<TrunkAuth> {
        Some(TrunkAuth {
            username: "100".to_owned(),
            password: self.password.clone().into(),
        })
    }
}

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    pub(crate) events: Vec<SipEvent>,
    /// What is kept of its dialogs.
    pub(crate) kept: BTreeMap<DialogKey, Standing>,
    /// What it took up again when it was started again.
    pub(crate) taken: Vec<TakenUp>,
    known: Known,
    is_dead: bool,
    read: usize,
}

type Cut = Box<dyn FnMut(usize, &str) -> bool>;

/// What is under way: a datagram of a node, or something on a connection.
enum Carried {
    Datagram(usize, SocketAddr, Bytes),
    Parcel(Parcel),
}

pub(crate) struct Sim {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) world: Arc<SeededWorld>,
    /// Datagrams lost in a thousand.
    pub(crate) loss: u64,
    /// The longest delay.
    pub(crate) delay_ms: u64,
    /// Says which datagrams from a node are lost besides.
    pub(crate) cut: Option<Cut>,
    pub(crate) sent: Vec<(usize, String)>,
    /// Where the last datagram went.
    pub(crate) last_remote: Option<SocketAddr>,
    wire: BTreeMap<(Instant, u64), Carried>,
    connections: Connections,
    count: u64,
    chance: SeededWorld,
}

pub(crate) fn node_address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(index).unwrap() + 1], 5060))
}

pub(crate) fn trunk_id() -> TrunkId {
    TrunkId::generate(&SeededWorld::new(5, 0))
}

/// What stands in the rows after such events.
fn bindings(events: &[SipEvent]) -> Vec<Binding> {
    let mut rows: Vec<Binding> = Vec::new();
    for event in events {
        match event {
            SipEvent::Bound { binding } => {
                rows.retain(|row| row.contact != binding.contact);
                rows.push((**binding).clone());
            }
            SipEvent::Unbound { contact, .. } => rows.retain(|row| row.contact != *contact),
            _ => {}
        }
    }
    rows
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts at some instant")]
fn some_instant() -> Instant {
    Instant::now()
}

fn endpoint(address: SocketAddr, known: &Known, world: &Arc<SeededWorld>, now: Instant) -> Endpoint {
    let config = SipConfig {
        udp: vec![address],
        tcp: known.listens.then_some(address).into_iter().collect(),
        kept_dialogs: Some("kept".into()),
        ..SipConfig::default()
    };
    let world: Arc<dyn World> = Arc::clone(world) as Arc<dyn World>;
    Endpoint::new(config, address.ip(), Arc::new(known.clone()), world, now)
}

impl Sim {
    pub(crate) fn new(seed: u64, known: Vec<Known>) -> Self {
        let world = Arc::new(SeededWorld::new(seed, 1_700_000_000_000));
        let start = some_instant();
        let nodes = known.into_iter().enumerate().map(|(index, known)| {
            let address = node_address(index);
            let endpoint = endpoint(address, &known, &world, start);
            Node {
                address,
                endpoint,
                events: Vec::new(),
                kept: BTreeMap::new(),
                taken: Vec::new(),
                known,
                is_dead: false,
                read: 0,
            }
        });
        Self {
            now: start,
            start,
            nodes: nodes.collect(),
            world: Arc::clone(&world),
            loss: 0,
            delay_ms: 20,
            cut: None,
            sent: Vec::new(),
            last_remote: None,
            wire: BTreeMap::new(),
            connections: Connections::default(),
            count: 0,
            chance: SeededWorld::new(seed ^ 0xabcd, 0),
        }
    }

    /// Two endpoints that take each other for trunks.
    pub(crate) fn pair(seed: u64) -> Self {
        let towards = |index| Known {
            trunks: vec![(node_address(index), trunk_id())],
            ..Known::nobody()
        };
        Self::new(seed, vec![towards(1), towards(0)])
    }

    fn random(&self, most: u64) -> u64 {
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        u64::from_le_bytes(bytes) % most.max(1)
    }

    /// A node's process is killed: nothing is left of it but what was kept.
    pub(crate) fn kill(&mut self, node: usize) {
        let (now, world) = (self.now, Arc::clone(&self.world));
        for parcel in self.connections.kill(node) {
            self.put_parcel(parcel);
        }
        let node = &mut self.nodes[node];
        node.endpoint = endpoint(node.address, &node.known, &world, now);
        node.is_dead = true;
    }

    /// It is started again.
    pub(crate) fn restart(&mut self, node: usize) {
        let now = self.now;
        let one = &mut self.nodes[node];
        one.is_dead = false;
        one.endpoint.restore(bindings(&one.events), now);
        let kept = std::mem::take(&mut one.kept);
        one.taken = one.endpoint.take_up(kept.into_values().collect(), now);
        self.drain(node);
    }

    pub(crate) fn command(&mut self, node: usize, command: Command) {
        self.input(node, Input::Command(command));
    }

    pub(crate) fn input(&mut self, node: usize, input: Input) {
        if self.nodes[node].is_dead {
            return;
        }
        self.nodes[node].endpoint.handle(input, self.now);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].endpoint.poll_output() {
            match output {
                Output::Transmit {
                    path: Path::Udp { remote, .. },
                    bytes,
                } => self.put(node, remote, bytes),
                Output::Event(event) => self.nodes[node].events.push(event),
                Output::Keep(dialog, standing) => {
                    let kept = &mut self.nodes[node].kept;
                    match standing {
                        Some(standing) => kept.insert(dialog, *standing),
                        None => kept.remove(&dialog),
                    };
                }
                Output::Transmit {
                    path: Path::Flow(flow),
                    bytes,
                } => {
                    self.sent.push((node, String::from_utf8_lossy(&bytes).into_owned()));
                    let parcel = self.connections.carry((node, flow), bytes);
                    parcel.into_iter().for_each(|parcel| self.put_parcel(parcel));
                }
                Output::OpenFlow { flow, remote, tls } => {
                    let listens = |other: &Node| other.address == remote && other.known.listens && !other.is_dead;
                    let places = [self.nodes[node].address, remote];
                    let parcels = match self.nodes.iter().position(listens) {
                        Some(other) => {
                            let opened = self
                                .connections
                                .open((node, flow), other, places, tls.is_some(), self.now);
                            opened.to_vec()
                        }
                        None => vec![self.connections.refused((node, flow))],
                    };
                    parcels.into_iter().for_each(|parcel| self.put_parcel(parcel));
                }
                Output::CloseFlow { flow } => {
                    let parcel = self.connections.close((node, flow));
                    parcel.into_iter().for_each(|parcel| self.put_parcel(parcel));
                }
            }
        }
    }

    fn put_parcel(&mut self, parcel: Parcel) {
        self.count += 1;
        let at = self.now + Duration::from_millis(1 + self.random(self.delay_ms));
        let at = self.connections.in_order(&parcel, at);
        self.wire.insert((at, self.count), Carried::Parcel(parcel));
    }

    fn put(&mut self, node: usize, remote: SocketAddr, bytes: Bytes) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let is_cut = self.cut.as_mut().is_some_and(|cut| cut(node, &text));
        self.sent.push((node, text));
        self.last_remote = Some(remote);
        if is_cut || self.random(1000) < self.loss {
            return;
        }
        self.count += 1;
        let at = self.now + Duration::from_millis(1 + self.random(self.delay_ms));
        self.wire
            .insert((at, self.count), Carried::Datagram(node, remote, bytes));
    }

    /// One step: the next datagram or the next deadline; false when there is neither before `until`.
    fn step(&mut self, until: Instant) -> bool {
        let datagram = self.wire.first_key_value().map(|(key, _)| key.0);
        let deadline = self
            .nodes
            .iter()
            .filter_map(|node| node.endpoint.poll_timeout())
            .map(|(at, _)| at)
            .min();
        let next = match (datagram, deadline) {
            (None, None) => None,
            (a, b) => [a, b].into_iter().flatten().min(),
        };
        let Some(next) = next.filter(|next| *next <= until) else {
            self.move_to(until);
            return false;
        };
        self.move_to(next);
        if datagram == Some(next) {
            match self.wire.pop_first().unwrap().1 {
                Carried::Datagram(from, to, bytes) => {
                    let (source, local) = (self.nodes[from].address, to);
                    if let Some(node) = self.nodes.iter().position(|node| node.address == to) {
                        self.input(node, Input::Datagram { source, local, bytes });
                    }
                }
                Carried::Parcel(parcel) => {
                    let node = parcel.to.0;
                    if let Some(input) = self.connections.arrived(parcel) {
                        self.input(node, input);
                    }
                }
            }
        } else {
            for node in 0..self.nodes.len() {
                self.nodes[node].endpoint.handle_timeout(self.now);
                self.drain(node);
            }
        }
        true
    }

    fn move_to(&mut self, at: Instant) {
        let at = at.max(self.now);
        self.world.advance(i64::try_from((at - self.now).as_millis()).unwrap());
        self.now = at;
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
    }

    /// Runs until a node tells an event that `wanted` takes.
    pub(crate) fn expect<T>(&mut self, node: usize, wanted: impl Fn(&SipEvent) -> Option<T>) -> T {
        let until = self.now + Duration::from_secs(120);
        loop {
            while let Some(event) = self.nodes[node].events.get(self.nodes[node].read) {
                let found = wanted(event);
                self.nodes[node].read += 1;
                if let Some(found) = found {
                    return found;
                }
            }
            assert!(
                self.step(until),
                "never came; node {node} told {:?}",
                self.nodes[node].events
            );
        }
    }

    /// Places a call from node 0 to node 1.
    pub(crate) fn place(&mut self, key: u64, offer: &str) -> DialogKey {
        let dialog = DialogKey(key);
        let target = Target::Address {
            addr: node_address(1),
            transport: Transport::Udp,
            user: "200".to_owned(),
        };
        self.invite(dialog, target, offer);
        dialog
    }

    pub(crate) fn invite(&mut self, dialog: DialogKey, target: Target, offer: &str) {
        let invite = Invite {
            dialog,
            sip_call_id: format!("call-{dialog}"),
            target,
            from_user: "100".to_owned(),
            from_display: Some("Al \"B\"".to_owned()),
            from_host: None,
            to_user: "200".to_owned(),
            offer: Bytes::copy_from_slice(offer.as_bytes()),
            auth: Some(trunk_id()),
            headers: Vec::new(),
            patience: None,
        };
        self.command(0, Command::Invite(Box::new(invite)));
    }

    /// Node 1 hears of a call and lets it ring: its key there.
    pub(crate) fn rings(&mut self) -> DialogKey {
        let dialog = self.expect(1, incoming).dialog;
        let (status, body) = (180, Bytes::new());
        self.command(1, Command::Ring { dialog, status, body });
        dialog
    }

    /// A call from node 0 of which both know that it rings: its keys at node 0 and node 1.
    pub(crate) fn ringing(&mut self, key: u64) -> (DialogKey, DialogKey) {
        let ours = self.place(key, "v=0 offer");
        let theirs = self.rings();
        self.expect(0, |event| {
            matches!(event, SipEvent::Progress { status: 180, .. }).then_some(())
        });
        (ours, theirs)
    }

    /// Hangs up.
    pub(crate) fn bye(&mut self, node: usize, dialog: DialogKey) {
        self.command(node, Command::Bye { dialog, reason: None });
    }

    /// Offers a changed session.
    pub(crate) fn reoffer(&mut self, node: usize, dialog: DialogKey, body: &'static str) {
        let body = Bytes::from_static(body.as_bytes());
        self.command(node, Command::Reoffer { dialog, body });
    }

    /// Answers a changed offer.
    pub(crate) fn agree(&mut self, node: usize, dialog: DialogKey, body: &'static str) {
        let body = Bytes::from_static(body.as_bytes());
        self.command(node, Command::AnswerReoffer { dialog, body });
    }

    /// A call that both sides hold for established: the keys of node 0 and node 1.
    pub(crate) fn call(&mut self, key: u64) -> (DialogKey, DialogKey) {
        let ours = self.place(key, "v=0 offer");
        let theirs = self.rings();
        self.answer(ours, theirs);
        (ours, theirs)
    }

    /// Node 1 answers a call, and both hold it for established.
    pub(crate) fn answer(&mut self, ours: DialogKey, theirs: DialogKey) {
        self.command(
            1,
            Command::Answer {
                dialog: theirs,
                body: Bytes::from_static(b"v=0 answer"),
            },
        );
        let answer = self.expect(0, answered(ours));
        assert_eq!(&answer[..], b"v=0 answer");
        self.expect(1, |event| {
            matches!(event, SipEvent::Confirmed { dialog, .. } if *dialog == theirs).then_some(())
        });
    }

    /// The last events of a dialog at a node.
    pub(crate) fn last_events(&self, node: usize, wanted: DialogKey) -> Vec<&SipEvent> {
        let is_last = |event: &&SipEvent| match event {
            SipEvent::Failed { dialog, .. } | SipEvent::Cancelled { dialog } | SipEvent::Ended { dialog, .. } => {
                *dialog == wanted
            }
            _ => false,
        };
        self.nodes[node].events.iter().filter(is_last).collect()
    }

    /// Lets every timer run out and holds both sides for empty.
    pub(crate) fn settle(&mut self) {
        self.run_for(Duration::from_secs(70));
        for node in &self.nodes {
            let held = node.endpoint.held();
            assert_eq!(
                (held.dialogs, held.transactions, held.timers),
                (0, 0, 0),
                "{} holds {held:?}",
                node.address
            );
            assert!(node.kept.is_empty(), "{} keeps {:?}", node.address, node.kept);
        }
    }

    /// How many datagrams of a node begin so.
    pub(crate) fn count_sent(&self, node: usize, prefix: &str) -> usize {
        self.sent
            .iter()
            .filter(|(from, text)| *from == node && text.starts_with(prefix))
            .count()
    }
}

pub(crate) fn incoming(event: &SipEvent) -> Option<strowger_sip::Incoming> {
    match event {
        SipEvent::Incoming(incoming) => Some((**incoming).clone()),
        _ => None,
    }
}

/// The session that is offered anew.
pub(crate) fn reoffered(event: &SipEvent) -> Option<Bytes> {
    match event {
        SipEvent::Reoffer { body, .. } => Some(body.clone()),
        _ => None,
    }
}

/// What was answered to that.
pub(crate) fn reoffer_answered(event: &SipEvent) -> Option<Bytes> {
    match event {
        SipEvent::ReofferAnswered { body, .. } => Some(body.clone()),
        _ => None,
    }
}

pub(crate) fn answered(wanted: DialogKey) -> impl Fn(&SipEvent) -> Option<Bytes> {
    move |event| match event {
        SipEvent::Answered { dialog, body } if *dialog == wanted => Some(body.clone()),
        _ => None,
    }
}

pub(crate) fn failed(wanted: DialogKey) -> impl Fn(&SipEvent) -> Option<u16> {
    move |event| match event {
        SipEvent::Failed { dialog, status, .. } if *dialog == wanted => Some(*status),
        _ => None,
    }
}

pub(crate) fn ended(wanted: DialogKey) -> impl Fn(&SipEvent) -> Option<strowger_sip::EndReason> {
    move |event| match event {
        SipEvent::Ended { dialog, cause } if *dialog == wanted => Some(*cause),
        _ => None,
    }
}
