//! Phones: made with a user name and a password that is shown once.

use super::view::{self, Credentials, Phone};
use crate::desk::{Desk, Sent, sees_tenant};
use crate::fault::{Fault, Page};
use axum::extract::Path;
use axum::response::IntoResponse;
use std::collections::HashMap;
use strowger_access::device_password;
use strowger_model::record::{Binding, Device};
use strowger_model::role::Permission;
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::{DeviceId, UserId};
use strowger_store::{DeviceChange, NewDevice, Page as Keyset};

/// Where the tenant's phones can be reached: what the switch knows.
pub(crate) fn bindings(desk: &Desk) -> HashMap<DeviceId, Vec<Binding>> {
    let mut out: HashMap<DeviceId, Vec<Binding>> = HashMap::new();
    for place in desk.state.exchange().devices_online(desk.tenant.id) {
        out.entry(place.device).or_default().push(Binding {
            device: place.device,
            tenant: desk.tenant.id,
            contact: String::new(),
            source: place.source,
            transport: place.transport,
            sip_call_id: String::new(),
            cseq: 0,
            instance: None,
            user_agent: place.user_agent,
            expires_at: place.expires_at,
        });
    }
    out
}

async fn names(desk: &Desk) -> Page<Vec<(UserId, String)>> {
    let users = desk.scope.users().list(&Keyset::first(1000)).await?;
    Ok(users.items.into_iter().map(|user| (user.id, user.name)).collect())
}

/// The phones of the tenant or of one user.
pub(super) async fn phones_of(desk: &Desk, user: Option<UserId>) -> Page<Vec<Phone>> {
    let devices = match user {
        Some(user) => desk.scope.devices().of_user(user).await?,
        None => desk.scope.devices().list(&Keyset::first(1000)).await?.items,
    };
    let names: HashMap<UserId, String> = names(desk).await?.into_iter().collect();
    let mut online = bindings(desk);
    let phone = |device: Device| Phone {
        owner: names.get(&device.user).cloned().unwrap_or_default(),
        bindings: online.remove(&device.id).unwrap_or_default(),
        device,
    };
    Ok(devices.into_iter().map(phone).collect())
}

async fn list(desk: &Desk, made: Option<&Credentials>) -> Page {
    let phones = phones_of(desk, None).await?;
    let users = if desk.can(Permission::ManageTenant) {
        names(desk)
            .await?
            .into_iter()
            .map(|(id, name)| (id.to_string(), name))
            .collect()
    } else {
        Vec::new()
    };
    Ok(view::phones(&desk.shell(), &desk.base(), &phones, &users, made).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    list(&desk, None).await
}

/// A SIP user name: the person's name in plain letters and four that make it unique.
fn username(desk: &Desk, name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let stem = if plain.is_empty() {
        "phone".to_owned()
    } else {
        plain.to_ascii_lowercase()
    };
    let tail: String = device_password(desk.state.config().world.as_ref())
        .chars()
        .take(6)
        .collect();
    format!("{stem}-{tail}")
}

fn credentials(desk: &Desk, device: &Device, password: String) -> Credentials {
    Credentials {
        username: device.username.clone(),
        password,
        realm: desk.tenant.realm.clone(),
        server: desk.state.config().sip_server.clone(),
    }
}

/// Makes a phone and the password that is told once.
pub(crate) async fn make(
    desk: &Desk,
    user: UserId,
    owner: &str,
    name: &str,
    algorithm: DigestAlgorithm,
) -> Page<(Device, Credentials)> {
    let password = device_password(desk.state.config().world.as_ref());
    let new = NewDevice {
        user,
        name: name.to_owned(),
        username: username(desk, owner),
        algorithm,
    };
    let device = desk.scope.devices().create(&desk.actor(), new, &password).await?;
    desk.state.exchange().reload();
    let told = credentials(desk, &device, password);
    Ok((device, told))
}

pub(super) async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let user: UserId = values.get("user").parse().map_err(|_| Fault::NotFound)?;
    let owner = desk.scope.users().get(user).await?.ok_or(Fault::NotFound)?;
    let name = values.optional("name").unwrap_or_else(|| "Phone".to_owned());
    let algorithm = DigestAlgorithm::from_code(values.get("algorithm")).unwrap_or(DigestAlgorithm::Md5);
    let first = owner.name.split(' ').next().unwrap_or_default().to_owned();
    // The page with the password answers the form itself: a redirect would have to carry it.
    let (_, told) = make(&desk, user, &first, &name, algorithm).await?;
    list(&desk, Some(&told)).await
}

async fn found(desk: &Desk, device: DeviceId) -> Page<Phone> {
    let device = desk.scope.devices().get(device).await?.ok_or(Fault::NotFound)?;
    let owner = desk.scope.users().get(device.user).await?;
    Ok(Phone {
        owner: owner.map(|user| user.name).unwrap_or_default(),
        bindings: bindings(desk).remove(&device.id).unwrap_or_default(),
        device,
    })
}

pub(super) async fn show(Path((_, device)): Path<(String, DeviceId)>, desk: Desk) -> Page {
    desk.may(Permission::ManageTenant)?;
    let phone = found(&desk, device).await?;
    Ok(view::phone(&desk.shell(), &desk.base(), &phone, &desk.tenant.realm, None).into_response())
}

pub(super) async fn update(Path((_, device)): Path<(String, DeviceId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let present = found(&desk, device).await?.device;
    let change = DeviceChange {
        name: values.optional("name").unwrap_or(present.name),
        active: values.ticked("active"),
    };
    desk.scope.devices().update(&desk.actor(), device, &change).await?;
    desk.state.exchange().reload();
    Ok(desk.back(&format!("/devices/{device}"), "saved"))
}

pub(super) async fn renew(Path((_, device)): Path<(String, DeviceId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    let phone = found(&desk, device).await?;
    let password = device_password(desk.state.config().world.as_ref());
    desk.scope
        .devices()
        .set_password(&desk.actor(), device, &password)
        .await?;
    desk.state.exchange().reload();
    let told = credentials(&desk, &phone.device, password);
    Ok(view::phone(&desk.shell(), &desk.base(), &phone, &desk.tenant.realm, Some(&told)).into_response())
}

pub(super) async fn remove(Path((_, device)): Path<(String, DeviceId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.devices().remove(&desk.actor(), device).await? {
        return Err(Fault::NotFound);
    }
    desk.state.exchange().reload();
    Ok(desk.back("/devices", "removed"))
}
