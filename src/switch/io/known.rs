//! What the SIP side asks about phones and providers, answered from memory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use strowger_model::{TenantId, TrunkId};
use strowger_sip::{DeviceAuth, Ha1, TrunkAuth};
use strowger_store::DirectorySnapshot;

/// The realm of a machine without tenants.
const DEFAULT_REALM: &str = "strowger";

#[derive(Debug, Default)]
pub(super) struct Known {
    /// Phones that may register and call, by user name, with their realm.
    devices: HashMap<String, (String, DeviceAuth)>,
    /// The realms of tenants, sorted.
    realms: Vec<String>,
    trunks: HashMap<TrunkId, TrunkAuth>,
}

impl Known {
    pub(super) fn of(snapshot: &DirectorySnapshot) -> Self {
        let active = snapshot.tenants.iter().filter(|tenant| tenant.active);
        let realm_of: HashMap<TenantId, String> = active.map(|tenant| (tenant.id, tenant.realm.clone())).collect();
        let mut realms: Vec<String> = realm_of.values().cloned().collect();
        realms.sort();
        let active_users: HashMap<_, bool> = snapshot.users.iter().map(|user| (user.id, user.active)).collect();
        let may_speak = |user| active_users.get(user).copied().unwrap_or(false);
        let devices = snapshot.devices.iter().filter_map(|known| {
            let device = &known.device;
            let realm = realm_of
                .get(&device.tenant)
                .filter(|_| device.active && may_speak(&device.user))?;
            let auth = DeviceAuth {
                device: device.id,
                tenant: device.tenant,
                user: Some(device.user),
                ha1: Ha1::new(known.ha1.as_str()),
                algorithm: device.algorithm,
            };
            Some((device.username.clone(), (realm.clone(), auth)))
        });
        let trunks = snapshot.trunks.iter().filter_map(|known| {
            let auth = TrunkAuth {
                username: known.trunk.username.clone()?,
                password: known.password.clone()?,
            };
            Some((known.trunk.id, auth))
        });
        Self {
            devices: devices.collect(),
            realms,
            trunks: trunks.collect(),
        }
    }

    pub(super) fn device(&self, username: &str, realm: &str) -> Option<DeviceAuth> {
        let (theirs, auth) = self.devices.get(username)?;
        (theirs == realm).then(|| auth.clone())
    }

    /// A known user name has its tenant's realm. An unknown one gets the realm of the host it names, or
    /// one that looks no different: always the same for the same name.
    pub(super) fn realm_of(&self, request_host: &str, from_host: &str, username: &str) -> String {
        if let Some((realm, _)) = self.devices.get(username) {
            return realm.clone();
        }
        let named = |host: &&String| host.eq_ignore_ascii_case(request_host) || host.eq_ignore_ascii_case(from_host);
        if let Some(realm) = self.realms.iter().find(named) {
            return realm.clone();
        }
        let mut hasher = DefaultHasher::new();
        username.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % (self.realms.len().max(1) as u64)).unwrap_or(0);
        self.realms
            .get(place)
            .cloned()
            .unwrap_or_else(|| DEFAULT_REALM.to_owned())
    }

    pub(super) fn trunk_auth(&self, trunk: TrunkId) -> Option<TrunkAuth> {
        self.trunks.get(&trunk).cloned()
    }
}
