//! Who there is on the bench: two tenants with people, phones, providers, numbers, a room and a flow.

use std::sync::Arc;
use strowger_ivr::Flow;
use strowger_model::record::{Device, Number, Room, Tenant, Trunk, User};
use strowger_model::trunk::{DigestAlgorithm, NumberTarget, Transport, TrunkKind};
use strowger_model::world::SeededWorld;
use strowger_model::{DeviceId, FlowId, FlowVersionId, NumberId, Role, RoomId, TenantId, TrunkId, UserId, World};
use strowger_switch::directory::{Audio, Parts, Published};

/// Who there is.
pub(crate) struct House {
    pub tenant: TenantId,
    pub other_tenant: TenantId,
    pub ada: UserId,
    pub bob: UserId,
    pub ada_phone: DeviceId,
    pub bob_phones: [DeviceId; 2],
    pub provider_in: TrunkId,
    pub provider_out: TrunkId,
    pub parts: Parts,
}

pub(crate) const FLOW_NUMBER: &str = "+49421100";
pub(crate) const BOB_NUMBER: &str = "+49421101";
pub(crate) const MAIL_NUMBER: &str = "+49421102";
pub(crate) const ROOM_NUMBER: &str = "+49421103";
pub(crate) const BRIDGE_NUMBER: &str = "+49421104";
pub(crate) const FOREIGN_NUMBER: &str = "+49421200";

fn person(world: &SeededWorld, tenant: TenantId, name: &str, extension: &str) -> User {
    User {
        id: UserId::generate(world),
        tenant: Some(tenant),
        email: format!("{name}@example.org"),
        name: name.to_owned(),
        role: Role::User,
        extension: Some(extension.to_owned()),
        active: true,
        created_at: world.now(),
    }
}

fn phone(world: &SeededWorld, user: &User, username: &str) -> Device {
    Device {
        id: DeviceId::generate(world),
        tenant: user.tenant.unwrap(),
        user: user.id,
        name: username.to_owned(),
        username: username.to_owned(),
        algorithm: DigestAlgorithm::Md5,
        active: true,
        created_at: world.now(),
    }
}

fn trunk(world: &SeededWorld, tenant: TenantId, host: &str, prefix: &str) -> Trunk {
    Trunk {
        id: TrunkId::generate(world),
        tenant,
        name: host.to_owned(),
        kind: TrunkKind::Address,
        host: host.to_owned(),
        port: 5060,
        transport: Transport::Udp,
        addresses: Vec::new(),
        username: None,
        prefix: prefix.to_owned(),
        max_calls: 4,
        active: true,
        created_at: world.now(),
    }
}

pub(crate) fn number(world: &SeededWorld, tenant: TenantId, dialled: &str, target: NumberTarget) -> Number {
    Number {
        id: NumberId::generate(world),
        tenant,
        number: dialled.to_owned(),
        friendly_name: String::new(),
        target: Some(target),
        record: None,
        active: true,
        created_at: world.now(),
    }
}

impl House {
    pub(crate) fn build(world: &SeededWorld) -> Self {
        let tenant = |name: &str| Tenant {
            id: TenantId::generate(world),
            name: name.to_owned(),
            realm: format!("{name}.example"),
            active: true,
            created_at: world.now(),
        };
        let (ours, theirs) = (tenant("ours"), tenant("theirs"));
        let (ada, bob) = (
            person(world, ours.id, "Ada", "100"),
            person(world, ours.id, "Bob", "101"),
        );
        let eve = person(world, theirs.id, "Eve", "100");
        let ada_phone = phone(world, &ada, "ada-desk");
        let bob_phones = [phone(world, &bob, "bob-desk"), phone(world, &bob, "bob-mobile")];
        let eve_phone = phone(world, &eve, "eve-desk");
        let provider_in = trunk(world, ours.id, "192.0.2.1", "none");
        let provider_out = trunk(world, ours.id, "192.0.2.2", "");
        let room = Room {
            id: RoomId::generate(world),
            tenant: ours.id,
            name: "800".to_owned(),
            created_at: world.now(),
        };
        let definition = serde_json::json!({
            "nodes": [
                {"id": "start", "type": "start", "data": {}},
                {"id": "menu", "type": "menu", "data": {"message": "Press one.", "timeout": 5, "retries": 1, "options": {"1": "Bob", "2": "Mail", "3": "Outside"}}},
                {"id": "bob", "type": "dial", "data": {"targets": ["101", "100"], "strategy": "in-turn", "timeout": 10}},
                {"id": "outside", "type": "dial", "data": {"number": "+15555550123", "timeout": 10}},
                {"id": "mail", "type": "voicemail", "data": {"mailbox": "101"}},
                {"id": "bye", "type": "hangup", "data": {}}
            ],
            "edges": [
                {"id": "1", "source": "start", "target": "menu"},
                {"id": "2", "source": "menu", "target": "bob", "label": "1"},
                {"id": "3", "source": "menu", "target": "mail", "label": "2"},
                {"id": "6", "source": "menu", "target": "outside", "label": "3"},
                {"id": "4", "source": "menu", "target": "bye", "label": "timeout"},
                {"id": "7", "source": "menu", "target": "bye", "label": "invalid"},
                {"id": "5", "source": "bob", "target": "mail", "label": "no-answer"},
                {"id": "8", "source": "outside", "target": "menu", "label": "no-answer"},
                {"id": "9", "source": "mail", "target": "bye"}
            ]
        });
        let (flow, findings) = Flow::parse(&definition);
        let graph = Arc::new(flow.unwrap_or_else(|| panic!("{findings:?}")));
        let flow = FlowId::generate(world);
        let parts = Parts {
            version: 1,
            numbers: vec![
                number(world, ours.id, FLOW_NUMBER, NumberTarget::Flow(flow)),
                number(world, ours.id, BOB_NUMBER, NumberTarget::User(bob.id)),
                number(world, ours.id, MAIL_NUMBER, NumberTarget::Voicemail(bob.id)),
                number(world, ours.id, ROOM_NUMBER, NumberTarget::Room(room.id)),
                number(world, ours.id, BRIDGE_NUMBER, NumberTarget::Trunk),
                number(world, theirs.id, FOREIGN_NUMBER, NumberTarget::User(eve.id)),
            ],
            flows: vec![Published {
                flow,
                tenant: ours.id,
                version: FlowVersionId::generate(world),
                graph,
            }],
            rooms: vec![room],
            trunks: vec![provider_in.clone(), provider_out.clone()],
            devices: [&ada_phone, &bob_phones[0], &bob_phones[1], &eve_phone]
                .map(Device::clone)
                .to_vec(),
            users: vec![ada.clone(), bob.clone(), eve.clone()],
            tenants: vec![ours.clone(), theirs.clone()],
            audio: Audio::default(),
            ..Parts::default()
        };
        Self {
            tenant: ours.id,
            other_tenant: theirs.id,
            ada: ada.id,
            bob: bob.id,
            ada_phone: ada_phone.id,
            bob_phones: bob_phones.map(|phone| phone.id),
            provider_in: provider_in.id,
            provider_out: provider_out.id,
            parts,
        }
    }
}
