//! Trunks: what calls come in and go out through.

use super::{change, kept, part, rules, stamp, written};
use crate::livekit::twirp::{Code, Context, TwirpError};
use strowger_model::record::SipTrunk;
use strowger_model::trunk::{Transport, TrunkKind};
use strowger_rooms::protocol as wire;
use strowger_store::{NewSipTrunk, NewTrunk};
use wire::update_sip_inbound_trunk_request::Action as InboundAction;
use wire::update_sip_outbound_trunk_request::Action as OutboundAction;
use zeroize::Zeroizing;

const INBOUND: &str = "inbound";
const OUTBOUND: &str = "outbound";

/// The most calls at once through a trunk that programs made.
const MOST_CALLS: i64 = 1000;

fn inbound_of(trunk: &SipTrunk) -> wire::SipInboundTrunkInfo {
    wire::SipInboundTrunkInfo {
        sip_trunk_id: trunk.id.clone(),
        created_at: stamp(trunk.created_at),
        updated_at: stamp(trunk.updated_at),
        ..written(&trunk.definition)
    }
}

fn outbound_of(trunk: &SipTrunk) -> wire::SipOutboundTrunkInfo {
    wire::SipOutboundTrunkInfo {
        sip_trunk_id: trunk.id.clone(),
        created_at: stamp(trunk.created_at),
        updated_at: stamp(trunk.updated_at),
        ..written(&trunk.definition)
    }
}

/// A trunk of ours bears the name programs gave and the id, so that two of one name can stand side by side.
fn named(name: &str, id: &str) -> String {
    let name = if name.is_empty() { "LiveKit" } else { name };
    format!("{name} ({id})")
}

fn inbound_plan(id: &str, info: &wire::SipInboundTrunkInfo) -> Result<NewSipTrunk, TwirpError> {
    if !info.auth_username.is_empty() || !info.auth_password.is_empty() {
        return Err(TwirpError::unimplemented(
            "calls from a trunk are known by their address: name allowed_addresses, or make a device for one that signs in",
        ));
    }
    if info.numbers.is_empty() && info.allowed_addresses.is_empty() {
        return Err(TwirpError::invalid(
            "for security, one of the fields must be set: numbers, allowed_addresses",
        ));
    }
    let trunk = info.allowed_addresses.first().map(|first| NewTrunk {
        name: named(&info.name, id),
        kind: TrunkKind::Address,
        host: first.split('/').next().unwrap_or_default().to_owned(),
        port: 5060,
        transport: Transport::Udp,
        addresses: info.allowed_addresses.clone(),
        username: None,
        password: None,
        prefix: id.to_owned(),
        max_calls: MOST_CALLS,
    });
    Ok(NewSipTrunk {
        definition: kept(info)?,
        trunk,
    })
}

/// `host`, `host:port` or `[v6]:port`.
fn place(address: &str) -> Option<(String, Option<u16>)> {
    let address = address.trim();
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
        Some(_) | None => (address, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let plain = |character: char| character.is_ascii_alphanumeric() || ".-_:".contains(character);
    (!host.is_empty() && host.chars().all(plain)).then(|| (host.to_owned(), port))
}

fn outbound_plan(id: &str, info: &wire::SipOutboundTrunkInfo) -> Result<NewSipTrunk, TwirpError> {
    let (host, port) = place(&info.address)
        .ok_or_else(|| TwirpError::invalid("address must be a host name or IP, with a port if need be"))?;
    if info.numbers.is_empty() {
        return Err(TwirpError::invalid("no trunk numbers specified"));
    }
    let transport = match wire::SipTransport::try_from(info.transport).unwrap_or(wire::SipTransport::Auto) {
        wire::SipTransport::Auto | wire::SipTransport::Udp => Transport::Udp,
        wire::SipTransport::Tcp => Transport::Tcp,
        wire::SipTransport::Tls => Transport::Tls,
    };
    let port = port.unwrap_or(transport.usual_port());
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let trunk = NewTrunk {
        name: named(&info.name, id),
        kind: TrunkKind::Address,
        host,
        port,
        transport,
        addresses: Vec::new(),
        username: given(&info.auth_username),
        password: given(&info.auth_password).map(Zeroizing::new),
        // Nobody dials this: calls go out here only where the trunk is named.
        prefix: id.to_owned(),
        max_calls: MOST_CALLS,
    };
    let shown = wire::SipOutboundTrunkInfo {
        auth_password: String::new(),
        ..info.clone()
    };
    Ok(NewSipTrunk {
        definition: kept(&shown)?,
        trunk: Some(trunk),
    })
}

async fn create(on: &Context, id: &str, direction: &str, new: NewSipTrunk) -> Result<SipTrunk, TwirpError> {
    let trunk = on.scope().sip_trunks().create(&on.actor(), id, direction, new).await?;
    on.state().calls.reload();
    Ok(trunk)
}

pub(super) async fn create_inbound(
    on: Context,
    request: wire::CreateSipInboundTrunkRequest,
) -> Result<wire::SipInboundTrunkInfo, TwirpError> {
    on.sip_admin()?;
    let info = request.trunk.ok_or_else(|| TwirpError::invalid("missing trunk"))?;
    let id = on.new_id("ST");
    let plan = inbound_plan(&id, &info)?;
    Ok(inbound_of(&create(&on, &id, INBOUND, plan).await?))
}

pub(super) async fn create_outbound(
    on: Context,
    request: wire::CreateSipOutboundTrunkRequest,
) -> Result<wire::SipOutboundTrunkInfo, TwirpError> {
    on.sip_admin()?;
    let info = request.trunk.ok_or_else(|| TwirpError::invalid("missing trunk"))?;
    let id = on.new_id("ST");
    let plan = outbound_plan(&id, &info)?;
    Ok(outbound_of(&create(&on, &id, OUTBOUND, plan).await?))
}

/// A trunk of that direction, or the refusal that says there is none.
async fn found(on: &Context, id: &str, direction: &str) -> Result<SipTrunk, TwirpError> {
    let trunk = on.scope().sip_trunks().get(id).await?;
    trunk
        .filter(|trunk| trunk.direction == direction)
        .ok_or_else(|| TwirpError::not_found("requested sip trunk does not exist"))
}

async fn put(on: &Context, id: &str, plan: NewSipTrunk) -> Result<SipTrunk, TwirpError> {
    let changed = on.scope().sip_trunks().update(&on.actor(), id, plan).await?;
    let changed = changed.ok_or_else(|| TwirpError::not_found("requested sip trunk does not exist"))?;
    rules::fit_again(on, id).await?;
    on.state().calls.reload();
    Ok(changed)
}

pub(super) async fn update_inbound(
    on: Context,
    request: wire::UpdateSipInboundTrunkRequest,
) -> Result<wire::SipInboundTrunkInfo, TwirpError> {
    on.sip_admin()?;
    let present = found(&on, &request.sip_trunk_id, INBOUND).await?;
    let info = match request
        .action
        .ok_or_else(|| TwirpError::invalid("missing or unsupported action"))?
    {
        InboundAction::Replace(info) => info,
        InboundAction::Update(update) => {
            let mut info = inbound_of(&present);
            change(&mut info.numbers, update.numbers);
            change(&mut info.allowed_addresses, update.allowed_addresses);
            change(&mut info.allowed_numbers, update.allowed_numbers);
            info.auth_username = update.auth_username.unwrap_or(info.auth_username);
            info.auth_password = update.auth_password.unwrap_or(info.auth_password);
            info.name = update.name.unwrap_or(info.name);
            info.metadata = update.metadata.unwrap_or(info.metadata);
            info.media = update.media.or(info.media);
            info
        }
    };
    Ok(inbound_of(
        &put(&on, &present.id, inbound_plan(&present.id, &info)?).await?,
    ))
}

pub(super) async fn update_outbound(
    on: Context,
    request: wire::UpdateSipOutboundTrunkRequest,
) -> Result<wire::SipOutboundTrunkInfo, TwirpError> {
    on.sip_admin()?;
    let present = found(&on, &request.sip_trunk_id, OUTBOUND).await?;
    let info = match request
        .action
        .ok_or_else(|| TwirpError::invalid("missing or unsupported action"))?
    {
        OutboundAction::Replace(info) => info,
        OutboundAction::Update(update) => {
            let mut info = outbound_of(&present);
            change(&mut info.numbers, update.numbers);
            info.address = update.address.unwrap_or(info.address);
            info.transport = update.transport.unwrap_or(info.transport);
            info.destination_country = update.destination_country.unwrap_or(info.destination_country);
            info.auth_username = update.auth_username.unwrap_or(info.auth_username);
            info.auth_password = update.auth_password.unwrap_or(info.auth_password);
            info.name = update.name.unwrap_or(info.name);
            info.metadata = update.metadata.unwrap_or(info.metadata);
            info.from_host = update.from_host.unwrap_or(info.from_host);
            info.media = update.media.or(info.media);
            info
        }
    };
    Ok(outbound_of(
        &put(&on, &present.id, outbound_plan(&present.id, &info)?).await?,
    ))
}

pub(super) async fn get_inbound(
    on: Context,
    request: wire::GetSipInboundTrunkRequest,
) -> Result<wire::GetSipInboundTrunkResponse, TwirpError> {
    on.sip_admin()?;
    let trunk = found(&on, &request.sip_trunk_id, INBOUND).await?;
    let trunk = Some(inbound_of(&trunk));
    Ok(wire::GetSipInboundTrunkResponse { trunk })
}

pub(super) async fn get_outbound(
    on: Context,
    request: wire::GetSipOutboundTrunkRequest,
) -> Result<wire::GetSipOutboundTrunkResponse, TwirpError> {
    on.sip_admin()?;
    let trunk = found(&on, &request.sip_trunk_id, OUTBOUND).await?;
    let trunk = Some(outbound_of(&trunk));
    Ok(wire::GetSipOutboundTrunkResponse { trunk })
}

/// The trunks of a direction that were asked for: by id, or by a number of theirs.
async fn listed(on: &Context, direction: &str, ids: &[String]) -> Result<Vec<SipTrunk>, TwirpError> {
    let trunks = on.scope().sip_trunks().list().await?;
    let wanted = |trunk: &SipTrunk| trunk.direction == direction && (ids.is_empty() || ids.contains(&trunk.id));
    Ok(trunks.into_iter().filter(wanted).collect())
}

fn serves(numbers: &[String], wanted: &[String]) -> bool {
    wanted.is_empty() || numbers.is_empty() || wanted.iter().any(|number| numbers.contains(number))
}

pub(super) async fn list_inbound(
    on: Context,
    request: wire::ListSipInboundTrunkRequest,
) -> Result<wire::ListSipInboundTrunkResponse, TwirpError> {
    on.sip_admin()?;
    let trunks = listed(&on, INBOUND, &request.trunk_ids).await?;
    let items = trunks
        .iter()
        .map(inbound_of)
        .filter(|info| serves(&info.numbers, &request.numbers));
    let items = part(items.collect(), request.page.as_ref(), |info| &info.sip_trunk_id);
    Ok(wire::ListSipInboundTrunkResponse { items })
}

pub(super) async fn list_outbound(
    on: Context,
    request: wire::ListSipOutboundTrunkRequest,
) -> Result<wire::ListSipOutboundTrunkResponse, TwirpError> {
    on.sip_admin()?;
    let trunks = listed(&on, OUTBOUND, &request.trunk_ids).await?;
    let items = trunks
        .iter()
        .map(outbound_of)
        .filter(|info| serves(&info.numbers, &request.numbers));
    let items = part(items.collect(), request.page.as_ref(), |info| &info.sip_trunk_id);
    Ok(wire::ListSipOutboundTrunkResponse { items })
}

/// The list older SDKs ask for, both directions in one shape.
pub(super) async fn list_all(
    on: Context,
    request: wire::ListSipTrunkRequest,
) -> Result<wire::ListSipTrunkResponse, TwirpError> {
    on.sip_admin()?;
    let trunks = on.scope().sip_trunks().list().await?;
    let items = trunks.iter().map(either_of).collect();
    let items = part(items, request.page.as_ref(), |info: &wire::SipTrunkInfo| {
        &info.sip_trunk_id
    });
    Ok(wire::ListSipTrunkResponse { items })
}

fn either_of(trunk: &SipTrunk) -> wire::SipTrunkInfo {
    use wire::sip_trunk_info::TrunkKind as Kind;
    if trunk.direction == INBOUND {
        let info = inbound_of(trunk);
        return wire::SipTrunkInfo {
            sip_trunk_id: info.sip_trunk_id,
            kind: Kind::TrunkInbound.into(),
            inbound_addresses: info.allowed_addresses,
            inbound_numbers: info.allowed_numbers,
            outbound_number: info.numbers.into_iter().next().unwrap_or_default(),
            name: info.name,
            metadata: info.metadata,
            ..wire::SipTrunkInfo::default()
        };
    }
    let info = outbound_of(trunk);
    wire::SipTrunkInfo {
        sip_trunk_id: info.sip_trunk_id,
        kind: Kind::TrunkOutbound.into(),
        outbound_address: info.address,
        outbound_number: info.numbers.into_iter().next().unwrap_or_default(),
        outbound_username: info.auth_username,
        transport: info.transport,
        name: info.name,
        metadata: info.metadata,
        ..wire::SipTrunkInfo::default()
    }
}

pub(super) async fn delete(
    on: Context,
    request: wire::DeleteSipTrunkRequest,
) -> Result<wire::SipTrunkInfo, TwirpError> {
    on.sip_admin()?;
    let removed = on
        .scope()
        .sip_trunks()
        .remove(&on.actor(), &request.sip_trunk_id)
        .await?;
    let removed = removed.ok_or_else(|| TwirpError::not_found("requested sip trunk does not exist"))?;
    rules::fit_again(&on, &removed.id).await?;
    on.state().calls.reload();
    Ok(either_of(&removed))
}

/// The trunk of ours behind an outbound one, and the number its calls show.
pub(super) async fn behind(on: &Context, id: &str) -> Result<(strowger_model::TrunkId, Option<String>), TwirpError> {
    let trunk = found(on, id, OUTBOUND).await?;
    let ours = trunk.trunk.ok_or_else(|| {
        TwirpError::new(
            Code::FailedPrecondition,
            "the trunk behind this one was removed in the console",
        )
    })?;
    Ok((ours, outbound_of(&trunk).numbers.into_iter().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        assert_eq!(place("sip.example.org"), Some(("sip.example.org".into(), None)));
        assert_eq!(place("127.0.0.1:5070"), Some(("127.0.0.1".into(), Some(5070))));
        assert_eq!(place("[2001:db8::1]:5062"), Some(("2001:db8::1".into(), Some(5062))));
        for wrong in ["", "a b", "sip:host", "host:port", "host;transport=tcp"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_is_left_open_to_everybody() {
        let open = wire::SipInboundTrunkInfo::default();
        assert!(inbound_plan("ST_1", &open).is_err());
        let signed = wire::SipInboundTrunkInfo {
            numbers: vec!["+49".into()],
            auth_username: "u".into(),
            ..open
        };
        assert!(inbound_plan("ST_1", &signed).is_err());
    }

    #[test]
    fn a_password_is_not_kept_with_what_is_shown() {
        let info = wire::SipOutboundTrunkInfo {
            address: "sip.example.org".into(),
            numbers: vec!["+49".into()],
            auth_username: "me".into(),
            auth_password: "very secret".into(),
            ..wire::SipOutboundTrunkInfo::default()
        };
        let plan = outbound_plan("ST_1", &info).unwrap();
        assert!(!plan.definition.to_string().contains("very secret"));
        assert_eq!(plan.trunk.unwrap().password.unwrap().as_str(), "very secret");
    }
}
