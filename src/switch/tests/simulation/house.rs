//! Who lives in the deployment: one tenant with many people, one phone or two each.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use strowger_ivr::Flow;
use strowger_media::{MediaLegId, OpenLeg};
use strowger_model::record::{Binding, Device, Number, Room, Tenant, Trunk, User};
use strowger_model::trunk::{DigestAlgorithm, NumberTarget, Transport, TrunkKind};
use strowger_model::world::SeededWorld;
use strowger_model::{
    CallId, DeviceId, FlowId, FlowVersionId, NumberId, Role, RoomId, TenantId, TrunkId, UserId, World,
};
use strowger_sip::{DeviceAuth, DialogKey, Directory as SipDirectory, Ha1, TrunkAuth};
use strowger_switch::directory::{Directory, Parts, Published};
use strowger_switch::scene::Supply;
use zeroize::Zeroizing;

pub(crate) const REALM: &str = "ours.example";
pub(crate) const PASSWORD: &str = "secret";
pub(crate) const PEOPLE: usize = 120;

pub(crate) fn ours() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5060))
}

pub(crate) fn provider(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 10 + n], 5060))
}

/// What is known on our side.
pub(crate) struct House {
    pub(crate) directory: Arc<Directory>,
    pub(crate) tenant: TenantId,
    /// User names of all phones.
    pub(crate) phones: Vec<String>,
    pub(crate) numbers: Vec<String>,
}

pub(crate) fn build(world: &SeededWorld) -> House {
    let tenant = Tenant {
        id: TenantId::generate(world),
        name: "ours".to_owned(),
        realm: REALM.to_owned(),
        active: true,
        created_at: world.now(),
    };
    let (mut users, mut devices) = (Vec::new(), Vec::new());
    for n in 0..PEOPLE {
        let user = User {
            id: UserId::generate(world),
            tenant: Some(tenant.id),
            email: format!("u{n}@example.org"),
            name: format!("Person {n}"),
            role: Role::User,
            extension: Some((100 + n).to_string()),
            active: true,
            created_at: world.now(),
        };
        for place in 0..=(n % 3 == 0) as usize {
            devices.push(Device {
                id: DeviceId::generate(world),
                tenant: tenant.id,
                user: user.id,
                name: String::new(),
                username: format!("p{n}-{place}"),
                algorithm: DigestAlgorithm::Md5,
                active: true,
                created_at: world.now(),
            });
        }
        users.push(user);
    }
    let trunk = |name: &str, address: SocketAddr, prefix: &str| Trunk {
        id: TrunkId::generate(world),
        tenant: tenant.id,
        name: name.to_owned(),
        kind: TrunkKind::Address,
        host: address.ip().to_string(),
        port: address.port(),
        transport: Transport::Udp,
        addresses: Vec::new(),
        username: None,
        prefix: prefix.to_owned(),
        max_calls: 60,
        active: true,
        created_at: world.now(),
    };
    let room = Room {
        id: RoomId::generate(world),
        tenant: tenant.id,
        name: "800".to_owned(),
        created_at: world.now(),
    };
    let flow = published(world, tenant.id);
    let targets = [
        NumberTarget::Flow(flow.flow),
        NumberTarget::Flow(flow.flow),
        NumberTarget::User(users[3].id),
        NumberTarget::User(users[4].id),
        NumberTarget::Voicemail(users[5].id),
        NumberTarget::Room(room.id),
        NumberTarget::Trunk,
    ];
    let numbers: Vec<Number> = targets
        .into_iter()
        .enumerate()
        .map(|(n, target)| Number {
            id: NumberId::generate(world),
            tenant: tenant.id,
            number: format!("+49421{n}"),
            friendly_name: String::new(),
            target: Some(target),
            record: None,
            active: true,
            created_at: world.now(),
        })
        .collect();
    House {
        tenant: tenant.id,
        phones: devices.iter().map(|device| device.username.clone()).collect(),
        numbers: numbers.iter().map(|number| number.number.clone()).collect(),
        directory: Arc::new(Directory::new(Parts {
            version: 1,
            tenants: vec![tenant.clone()],
            users,
            devices,
            trunks: vec![trunk("in", provider(0), "none"), trunk("out", provider(1), "")],
            numbers,
            rooms: vec![room],
            flows: vec![flow],
            ..Parts::default()
        })),
    }
}

fn published(world: &SeededWorld, tenant: TenantId) -> Published {
    let definition = serde_json::json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "menu", "type": "menu", "data": {"message": "Press a key.", "timeout": 4, "retries": 1,
                "options": {"1": "Team", "2": "Mail", "3": "Outside", "4": "Room"}}},
            {"id": "team", "type": "dial", "data": {"targets": ["100", "101", "102"], "strategy": "in-turn", "timeout": 8}},
            {"id": "group", "type": "dial", "data": {"targets": ["103", "104", "105"], "timeout": 12}},
            {"id": "outside", "type": "dial", "data": {"number": "+15555550123", "timeout": 15}},
            {"id": "mail", "type": "voicemail", "data": {"mailbox": "106"}},
            {"id": "room", "type": "room", "data": {"room": "800"}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "menu"},
            {"id": "2", "source": "menu", "target": "team", "label": "1"},
            {"id": "3", "source": "menu", "target": "mail", "label": "2"},
            {"id": "4", "source": "menu", "target": "outside", "label": "3"},
            {"id": "5", "source": "menu", "target": "room", "label": "4"},
            {"id": "6", "source": "menu", "target": "group", "label": "timeout"},
            {"id": "7", "source": "menu", "target": "bye", "label": "invalid"},
            {"id": "8", "source": "team", "target": "group", "label": "no-answer"},
            {"id": "9", "source": "group", "target": "mail", "label": "no-answer"},
            {"id": "10", "source": "outside", "target": "menu", "label": "no-answer"},
            {"id": "11", "source": "mail", "target": "bye"},
            {"id": "12", "source": "room", "target": "bye"}
        ]
    });
    let (flow, findings) = Flow::parse(&definition);
    Published {
        flow: FlowId::generate(world),
        tenant,
        version: FlowVersionId::generate(world),
        graph: Arc::new(flow.unwrap_or_else(|| panic!("{findings:?}"))),
    }
}

impl SipDirectory for House {
    fn device(&self, username: &str, realm: &str) -> Option<DeviceAuth> {
        let device = self.directory.device_of_username(username).filter(|_| realm == REALM)?;
        Some(DeviceAuth {
            device: device.id,
            tenant: device.tenant,
            user: Some(device.user),
            ha1: Ha1::of(DigestAlgorithm::Md5, username, REALM, PASSWORD),
            algorithm: DigestAlgorithm::Md5,
        })
    }

    fn realm_of(&self, _: &str, _: &str, _: &str) -> String {
        REALM.to_owned()
    }

    fn trunk_of(&self, source: SocketAddr) -> Option<TrunkId> {
        self.directory.trunk_of(source)
    }

    fn trunk_auth(&self, _: TrunkId) -> Option<TrunkAuth> {
        None
    }
}

/// The account of one phone: it takes whoever calls it, and answers challenges.
pub(crate) struct Account {
    pub(crate) username: String,
    pub(crate) trunk: TrunkId,
}

impl SipDirectory for Account {
    fn device(&self, _: &str, _: &str) -> Option<DeviceAuth> {
        None
    }

    fn realm_of(&self, _: &str, _: &str, _: &str) -> String {
        String::new()
    }

    fn trunk_of(&self, _: SocketAddr) -> Option<TrunkId> {
        Some(self.trunk)
    }

    fn trunk_auth(&self, _: TrunkId) -> Option<TrunkAuth> {
        Some(TrunkAuth {
            username: self.username.clone(),
            password: Zeroizing::new(PASSWORD.to_owned()),
        })
    }
}

/// What calls draw from: names and ports from counters, bindings as the registrar told them.
#[derive(Default)]
pub(crate) struct Supplies {
    dialogs: AtomicU64,
    legs: AtomicU64,
    pub(crate) open: Mutex<BTreeMap<MediaLegId, CallId>>,
    pub(crate) bound: Mutex<HashMap<DeviceId, Vec<Binding>>>,
}

impl Supply for Supplies {
    fn dialog(&self) -> DialogKey {
        DialogKey(self.dialogs.fetch_add(2, Ordering::Relaxed) + 2)
    }

    fn open_leg(&self, call: CallId, _: Option<IpAddr>) -> Option<OpenLeg> {
        let n = self.legs.fetch_add(1, Ordering::Relaxed) + 1;
        let leg = MediaLegId(n);
        assert!(self.open.lock().unwrap().insert(leg, call).is_none());
        let port = 10_000 + (n % 20_000) as u16 * 2;
        Some(OpenLeg {
            leg,
            local: SocketAddr::new(ours().ip(), port),
        })
    }

    fn bindings(&self, device: DeviceId) -> Vec<Binding> {
        self.bound.lock().unwrap().get(&device).cloned().unwrap_or_default()
    }

    fn trunk_address(&self, trunk: TrunkId) -> Option<SocketAddr> {
        let _ = trunk;
        Some(provider(1))
    }
}
