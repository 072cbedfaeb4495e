//! Everything the switch knows without asking: tenants, people, phones, trunks, numbers, rooms, flows
//! and their audio, frozen at one version. A change makes a new one; running calls keep theirs.

use crate::policy::Policy;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use strowger_ivr::{Flow, Sound};
use strowger_model::dispatch::{self, Asking, Dispatch, DispatchRule};
use strowger_model::record::{Device, Number, Room, Tenant, Trunk, User};
use strowger_model::settings::{Layer, Settings};
use strowger_model::{DeviceId, FlowId, FlowVersionId, RoomId, TenantId, TrunkId, UserId};

/// 16-bit linear mono at 8 kHz, shared by all calls that play it.
pub type Samples = Arc<[i16]>;

/// A flow that calls may take.
#[derive(Debug, Clone)]
pub struct Published {
    /// The flow.
    pub flow: FlowId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The version calls take.
    pub version: FlowVersionId,
    /// The graph.
    pub graph: Arc<Flow>,
}

/// What a directory is made from.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Parts {
    pub version: i64,
    pub tenants: Vec<Tenant>,
    pub users: Vec<User>,
    pub devices: Vec<Device>,
    pub trunks: Vec<Trunk>,
    pub numbers: Vec<Number>,
    pub rooms: Vec<Room>,
    /// What callers type for a room.
    pub room_pins: Vec<(RoomId, String)>,
    pub rules: Vec<DispatchRule>,
    pub flows: Vec<Published>,
    pub platform_settings: Layer,
    pub tenant_settings: HashMap<TenantId, Layer>,
    pub user_settings: HashMap<UserId, Layer>,
    pub audio: Audio,
}

/// The sounds of all tenants, ready to play.
#[derive(Debug, Clone, Default)]
pub struct Audio {
    /// Uploaded prompts by their name and by their id.
    pub prompts: HashMap<(TenantId, String), Samples>,
    /// Spoken texts by [`strowger_ivr::say::key`].
    pub speech: HashMap<(TenantId, String), Samples>,
    /// What a caller of a mailbox hears before the beep.
    pub greetings: HashMap<UserId, Samples>,
}

/// A person with their phones and what counts for them.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their row.
    pub user: User,
    /// Their active phones.
    pub devices: Vec<DeviceId>,
    /// What the settings say for them.
    pub policy: Arc<Policy>,
}

#[derive(Debug, Default)]
struct Tenancy {
    policy: Arc<Policy>,
    active: bool,
    extensions: HashMap<String, UserId>,
    rooms: HashMap<String, RoomId>,
    room_pins: HashMap<String, RoomId>,
    rules: Vec<DispatchRule>,
    trunks: Vec<TrunkId>,
    people: Vec<UserId>,
}

/// The directory at one version.
#[derive(Debug, Default)]
pub struct Directory {
    version: i64,
    tenants: HashMap<TenantId, Tenancy>,
    people: HashMap<UserId, Person>,
    devices: HashMap<DeviceId, Device>,
    usernames: HashMap<String, DeviceId>,
    trunks: HashMap<TrunkId, Trunk>,
    numbers: HashMap<String, Number>,
    rooms: HashMap<RoomId, Room>,
    flows: HashMap<FlowId, Published>,
    audio: Audio,
}

/// Numbers are looked up without their international prefix.
fn bare(number: &str) -> &str {
    number
        .strip_prefix('+')
        .or_else(|| number.strip_prefix("00"))
        .unwrap_or(number)
}

impl Directory {
    /// Puts the parts in order.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let mut made = Self {
            version: parts.version,
            audio: parts.audio,
            ..Self::default()
        };
        let layer_of = |tenant: TenantId| parts.tenant_settings.get(&tenant).cloned().unwrap_or_default();
        for tenant in parts.tenants {
            let settings = Settings::resolve(parts.platform_settings.clone(), layer_of(tenant.id), Layer::default());
            let tenancy = Tenancy {
                policy: Arc::new(Policy::of(&settings)),
                active: tenant.active,
                ..Tenancy::default()
            };
            made.tenants.insert(tenant.id, tenancy);
        }
        for user in parts.users {
            let Some(tenant) = user.tenant.filter(|_| user.active) else {
                continue;
            };
            let own = parts.user_settings.get(&user.id).cloned();
            let tenancy = made.tenants.entry(tenant).or_default();
            let policy = own.map_or_else(
                || Arc::clone(&tenancy.policy),
                |own| {
                    let settings = Settings::resolve(parts.platform_settings.clone(), layer_of(tenant), own);
                    Arc::new(Policy::of(&settings))
                },
            );
            if let Some(extension) = &user.extension {
                tenancy.extensions.insert(extension.clone(), user.id);
            }
            tenancy.people.push(user.id);
            let devices = Vec::new();
            made.people.insert(user.id, Person { user, devices, policy });
        }
        for device in parts.devices.into_iter().filter(|device| device.active) {
            if let Some(person) = made.people.get_mut(&device.user) {
                person.devices.push(device.id);
                made.usernames.insert(device.username.clone(), device.id);
                made.devices.insert(device.id, device);
            }
        }
        let (room_pins, rules) = (parts.room_pins, parts.rules);
        made.fill_places(parts.trunks, parts.numbers, parts.rooms, parts.flows);
        made.fill_doors(room_pins, rules);
        made
    }

    fn fill_places(&mut self, trunks: Vec<Trunk>, numbers: Vec<Number>, rooms: Vec<Room>, flows: Vec<Published>) {
        for trunk in trunks.into_iter().filter(|trunk| trunk.active) {
            self.tenants.entry(trunk.tenant).or_default().trunks.push(trunk.id);
            self.trunks.insert(trunk.id, trunk);
        }
        for number in numbers {
            self.numbers.insert(bare(&number.number).to_owned(), number);
        }
        for room in rooms {
            let tenancy = self.tenants.entry(room.tenant).or_default();
            tenancy.rooms.insert(room.name.clone(), room.id);
            self.rooms.insert(room.id, room);
        }
        self.flows = flows.into_iter().map(|flow| (flow.flow, flow)).collect();
    }

    fn fill_doors(&mut self, room_pins: Vec<(RoomId, String)>, rules: Vec<DispatchRule>) {
        for (room, pin) in room_pins {
            if let Some(room) = self.rooms.get(&room) {
                let tenancy = self.tenants.entry(room.tenant).or_default();
                tenancy.room_pins.insert(pin, room.id);
            }
        }
        for rule in rules {
            self.tenants.entry(rule.tenant).or_default().rules.push(rule);
        }
    }

    /// The version it was made from.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Whether a tenant may place and receive calls.
    #[must_use]
    pub fn is_active(&self, tenant: TenantId) -> bool {
        self.tenants.get(&tenant).is_some_and(|tenancy| tenancy.active)
    }

    /// What the settings say for a user, or for the tenant where no user is concerned.
    #[must_use]
    pub fn policy(&self, tenant: TenantId, user: Option<UserId>) -> Arc<Policy> {
        let own = user
            .and_then(|user| self.people.get(&user))
            .map(|person| &person.policy);
        own.or_else(|| self.tenants.get(&tenant).map(|tenancy| &tenancy.policy))
            .map_or_else(Arc::default, Arc::clone)
    }

    /// An active person.
    #[must_use]
    pub fn person(&self, user: UserId) -> Option<&Person> {
        self.people.get(&user)
    }

    /// Whether a user may place and take calls in a browser.
    #[must_use]
    pub fn may_browse(&self, user: UserId) -> bool {
        self.person(user).is_some_and(|person| person.policy.browser_calls)
    }

    /// The person of a tenant with that id, as written.
    #[must_use]
    pub fn person_of_id(&self, tenant: TenantId, written: &str) -> Option<&Person> {
        let person = self.people.get(&written.trim().parse::<UserId>().ok()?)?;
        (person.user.tenant == Some(tenant)).then_some(person)
    }

    /// The person of a tenant with that extension.
    #[must_use]
    pub fn extension(&self, tenant: TenantId, extension: &str) -> Option<&Person> {
        self.people.get(self.tenants.get(&tenant)?.extensions.get(extension)?)
    }

    /// The person of a tenant by id, e-mail address, extension, phone's user name, or name.
    #[must_use]
    pub fn find_person(&self, tenant: TenantId, written: &str) -> Option<&Person> {
        let written = written.trim();
        let by_id = || written.parse::<UserId>().ok().and_then(|user| self.people.get(&user));
        let by_words = || {
            let people = self
                .tenants
                .get(&tenant)?
                .people
                .iter()
                .filter_map(|user| self.people.get(user));
            people.into_iter().find(|person| {
                person.user.email.eq_ignore_ascii_case(written) || person.user.name.eq_ignore_ascii_case(written)
            })
        };
        by_id()
            .filter(|person| person.user.tenant == Some(tenant))
            .or_else(|| self.extension(tenant, written))
            .or_else(|| self.owner_of_username(tenant, written))
            .or_else(by_words)
    }

    /// The person of a tenant whose phone has that SIP user name.
    #[must_use]
    pub fn owner_of_username(&self, tenant: TenantId, username: &str) -> Option<&Person> {
        let device = self.devices.get(self.usernames.get(username)?)?;
        self.people.get(&device.user).filter(|_| device.tenant == tenant)
    }

    /// Whether somebody of another tenant than this one has that extension or SIP user name.
    #[must_use]
    pub fn is_foreign(&self, tenant: TenantId, dialled: &str) -> bool {
        let is_device = self.usernames.get(dialled).and_then(|device| self.devices.get(device));
        is_device.is_some_and(|device| device.tenant != tenant)
            || self.number(dialled).is_some_and(|number| number.tenant != tenant)
    }

    /// Whether somebody of another tenant has that extension.
    #[must_use]
    pub fn is_extension_elsewhere(&self, tenant: TenantId, dialled: &str) -> bool {
        let others = self.tenants.iter().filter(|(other, _)| **other != tenant);
        others
            .into_iter()
            .any(|(_, tenancy)| tenancy.extensions.contains_key(dialled))
    }

    /// An active phone.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> Option<&Device> {
        self.devices.get(&device)
    }

    /// An active phone by its SIP user name.
    #[must_use]
    pub fn device_of_username(&self, username: &str) -> Option<&Device> {
        self.devices.get(self.usernames.get(username)?)
    }

    /// An active trunk.
    #[must_use]
    pub fn trunk(&self, trunk: TrunkId) -> Option<&Trunk> {
        self.trunks.get(&trunk)
    }

    /// Every active trunk.
    pub fn trunks(&self) -> impl Iterator<Item = &Trunk> {
        self.trunks.values()
    }

    /// The active trunks of a tenant.
    pub fn trunks_of(&self, tenant: TenantId) -> impl Iterator<Item = &Trunk> {
        let ids = self.tenants.get(&tenant).map_or(&[][..], |tenancy| &tenancy.trunks);
        ids.iter().filter_map(|trunk| self.trunks.get(trunk))
    }

    /// The trunk whose calls come from that address: an exact port before any port, a host before a network.
    #[must_use]
    pub fn trunk_of(&self, source: SocketAddr) -> Option<TrunkId> {
        let ranked = self.trunks.values().filter_map(|trunk| {
            let rank = origin_rank(trunk, source)?;
            Some((rank, trunk.id))
        });
        ranked.max().map(|(_, trunk)| trunk)
    }

    /// A number by what was dialled, with or without its international prefix.
    #[must_use]
    pub fn number(&self, dialled: &str) -> Option<&Number> {
        self.numbers.get(bare(dialled))
    }

    /// The first active number of a tenant that is shown when nothing else is said: none unless it has exactly one.
    #[must_use]
    pub fn only_number(&self, tenant: TenantId) -> Option<&Number> {
        let mut own = self
            .numbers
            .values()
            .filter(|number| number.tenant == tenant && number.active);
        own.next().filter(|_| own.next().is_none())
    }

    /// A room.
    #[must_use]
    pub fn room(&self, room: RoomId) -> Option<&Room> {
        self.rooms.get(&room)
    }

    /// A room of a tenant by name or id.
    #[must_use]
    pub fn find_room(&self, tenant: TenantId, written: &str) -> Option<&Room> {
        let by_name = self.tenants.get(&tenant)?.rooms.get(written.trim()).copied();
        let id = by_name.or_else(|| written.trim().parse().ok())?;
        self.rooms.get(&id).filter(|room| room.tenant == tenant)
    }

    /// The room of a tenant whose PIN that is.
    #[must_use]
    pub fn room_of_pin(&self, tenant: TenantId, pin: &str) -> Option<&Room> {
        self.rooms.get(self.tenants.get(&tenant)?.room_pins.get(pin)?)
    }

    /// What a tenant's dispatch rules say about a call from outside; `pin` is what its caller typed.
    #[must_use]
    pub fn dispatch(&self, tenant: TenantId, asking: Asking<'_>, pin: Option<&str>) -> Dispatch<'_> {
        let rules = self.tenants.get(&tenant).map_or(&[][..], |tenancy| &tenancy.rules);
        dispatch::dispatch(rules, asking, pin)
    }

    /// The version of a flow that calls take.
    #[must_use]
    pub fn flow(&self, flow: FlowId) -> Option<&Published> {
        self.flows.get(&flow)
    }

    /// The audio of a sound; `None` when it was never made.
    #[must_use]
    pub fn sound(&self, tenant: TenantId, sound: &Sound) -> Option<Samples> {
        match sound {
            Sound::Say(say) => self.audio.speech.get(&(tenant, say.key())).cloned(),
            Sound::Prompt(name) => self.audio.prompts.get(&(tenant, name.clone())).cloned(),
            Sound::Beep => Some(strowger_media::tone::beep()),
        }
    }

    /// What callers of a mailbox hear before the beep.
    #[must_use]
    pub fn greeting(&self, user: UserId) -> Option<Samples> {
        self.audio.greetings.get(&user).cloned()
    }
}

/// How well an address fits a trunk: an exact address with port 3, a bare address 2, a network 1.
fn origin_rank(trunk: &Trunk, source: SocketAddr) -> Option<u8> {
    let host = std::iter::once((trunk.host.as_str(), Some(trunk.port)));
    let listed = trunk.addresses.iter().map(|written| (written.as_str(), None));
    host.chain(listed)
        .filter_map(|(written, port)| place_rank(written, port, source))
        .max()
}

fn place_rank(written: &str, port: Option<u16>, source: SocketAddr) -> Option<u8> {
    let written = written.trim();
    if let Ok(address) = written.parse::<SocketAddr>() {
        return (address == source).then_some(3);
    }
    if let Some((network, bits)) = written.split_once('/') {
        let (network, bits) = (network.parse().ok()?, bits.parse().ok()?);
        return is_within(source.ip(), network, bits).then_some(1);
    }
    let ip: IpAddr = written.parse().ok()?;
    if ip != source.ip() {
        return None;
    }
    // Providers send from other ports than they listen on, so the port of `host` only breaks a tie.
    Some(if port == Some(source.port()) { 3 } else { 2 })
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(ip) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(ip) & mask == u128::from(network) & mask
        }
        (IpAddr::V4(_) | IpAddr::V6(_), IpAddr::V4(_) | IpAddr::V6(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_port_beats_an_address_beats_a_network() {
        let source: SocketAddr = "10.1.2.3:7060".parse().unwrap();
        assert_eq!(place_rank("10.1.2.3:7060", None, source), Some(3));
        assert_eq!(place_rank("10.1.2.3", Some(7060), source), Some(3));
        assert_eq!(place_rank("10.1.2.3", Some(5060), source), Some(2));
        assert_eq!(place_rank("10.1.0.0/16", None, source), Some(1));
        assert_eq!(place_rank("0.0.0.0/0", None, source), Some(1));
        assert_eq!(place_rank("10.2.0.0/16", None, source), None);
        assert_eq!(place_rank("10.1.2.3:7061", None, source), None);
        assert_eq!(place_rank("sip.provider.example", Some(5060), source), None);
        assert_eq!(place_rank("10.0.0.0/99", None, source), None);
    }
}
