//! Dispatch rules: which room a call from outside goes to.

use super::{change, kept, part, stamp, written};
use crate::livekit::twirp::{Code, Context, TwirpError};
use strowger_model::dispatch::{DispatchRoom, DispatchRule};
use strowger_model::record::{SipDispatchRule, SipTrunk};
use strowger_rooms::protocol as wire;
use wire::sip_dispatch_rule::Rule;
use wire::update_sip_dispatch_rule_request::Action;

fn info_of(row: &SipDispatchRule) -> wire::SipDispatchRuleInfo {
    wire::SipDispatchRuleInfo {
        sip_dispatch_rule_id: row.rule.id.clone(),
        created_at: stamp(row.created_at),
        updated_at: stamp(row.updated_at),
        ..written(&row.definition)
    }
}

/// What calls obey, made from what programs wrote and the trunks it names. A trunk without one of ours behind
/// it stands for its numbers; a rule for such a trunk is for no other number.
fn fit(
    on: &Context,
    id: &str,
    info: &wire::SipDispatchRuleInfo,
    trunks: &[SipTrunk],
) -> Result<DispatchRule, TwirpError> {
    let rule = info.rule.as_ref().and_then(|rule| rule.rule.as_ref());
    let (room, pin) = match rule.ok_or_else(|| TwirpError::invalid("missing rule"))? {
        Rule::DispatchRuleDirect(direct) if direct.room_name.is_empty() => {
            return Err(TwirpError::invalid("missing room name"));
        }
        Rule::DispatchRuleDirect(direct) => (
            DispatchRoom::Direct {
                room: direct.room_name.clone(),
            },
            &direct.pin,
        ),
        Rule::DispatchRuleIndividual(each) => (
            DispatchRoom::Individual {
                prefix: each.room_prefix.clone(),
                random: !each.no_randomness,
            },
            &each.pin,
        ),
        Rule::DispatchRuleCallee(callee) => (
            DispatchRoom::Callee {
                prefix: callee.room_prefix.clone(),
                random: callee.randomize,
            },
            &callee.pin,
        ),
    };
    if !pin.chars().all(|digit| digit.is_ascii_digit()) || pin.len() > 16 {
        return Err(TwirpError::invalid("a pin is at most 16 digits"));
    }
    let named: Vec<&SipTrunk> = trunks
        .iter()
        .filter(|trunk| info.trunk_ids.contains(&trunk.id))
        .collect();
    let ours: Vec<_> = named.iter().filter_map(|trunk| trunk.trunk).collect();
    let definitions: Vec<wire::SipInboundTrunkInfo> = named.iter().map(|trunk| written(&trunk.definition)).collect();
    let mut numbers = info.numbers.clone();
    let mut callers = info.inbound_numbers.clone();
    if numbers.is_empty() {
        numbers = definitions.iter().flat_map(|trunk| trunk.numbers.clone()).collect();
    }
    if callers.is_empty() {
        callers = definitions
            .iter()
            .flat_map(|trunk| trunk.allowed_numbers.clone())
            .collect();
    }
    Ok(DispatchRule {
        id: id.to_owned(),
        tenant: on.tenant(),
        name: info.name.clone(),
        trunks: if ours.len() == named.len() { ours } else { Vec::new() },
        numbers,
        callers,
        room,
        pin: (!pin.is_empty()).then(|| pin.clone()),
        hide_number: info.hide_phone_number,
        metadata: info.metadata.clone(),
        attributes: info.attributes.clone().into_iter().collect(),
    })
}

/// Writes a rule once it fits the trunks and no other rule is for the same calls with the same PIN.
async fn put(
    on: &Context,
    id: &str,
    info: &wire::SipDispatchRuleInfo,
) -> Result<wire::SipDispatchRuleInfo, TwirpError> {
    let trunks = on.scope().sip_trunks().list().await?;
    if let Some(unknown) = info
        .trunk_ids
        .iter()
        .find(|id| !trunks.iter().any(|trunk| trunk.id == **id))
    {
        return Err(TwirpError::not_found(format!("there is no trunk {unknown}")));
    }
    let rule = fit(on, id, info, &trunks)?;
    let area = on.scope().dispatch_rules();
    for other in area
        .list()
        .await?
        .iter()
        .map(|row| &row.rule)
        .filter(|other| other.id != id)
    {
        let same = |left: &[String], right: &[String]| left == right;
        if other.trunks == rule.trunks
            && same(&other.numbers, &rule.numbers)
            && same(&other.callers, &rule.callers)
            && other.pin == rule.pin
        {
            let words = format!("dispatch rule {} is for the same calls with the same pin", other.id);
            return Err(TwirpError::new(Code::InvalidArgument, words));
        }
    }
    area.put(&on.actor(), rule, &kept(info)?).await?;
    on.state().calls.reload();
    let row = area.get(id).await?;
    let row = row.ok_or_else(|| TwirpError::new(Code::Aborted, "the rule was removed meanwhile"))?;
    Ok(info_of(&row))
}

/// Fits the rules that name a trunk anew: the trunk changed or is gone.
pub(super) async fn fit_again(on: &Context, trunk: &str) -> Result<(), TwirpError> {
    let area = on.scope().dispatch_rules();
    let trunks = on.scope().sip_trunks().list().await?;
    for row in area.list().await? {
        let mut info = info_of(&row);
        if !info.trunk_ids.iter().any(|id| id == trunk) {
            continue;
        }
        let before = info.trunk_ids.len();
        info.trunk_ids.retain(|id| trunks.iter().any(|trunk| trunk.id == *id));
        // A rule for trunks that are all gone is for no call; without trunks it would be for every call.
        if info.trunk_ids.is_empty() && before > 0 {
            area.remove(&on.actor(), &row.rule.id).await?;
            continue;
        }
        let rule = fit(on, &row.rule.id, &info, &trunks)?;
        area.put(&on.actor(), rule, &kept(&info)?).await?;
    }
    Ok(())
}

/// Older SDKs write the fields beside each other.
#[expect(deprecated, reason = "older SDKs send these")]
fn asked(request: wire::CreateSipDispatchRuleRequest) -> wire::SipDispatchRuleInfo {
    request.dispatch_rule.unwrap_or(wire::SipDispatchRuleInfo {
        rule: request.rule,
        trunk_ids: request.trunk_ids,
        hide_phone_number: request.hide_phone_number,
        inbound_numbers: request.inbound_numbers,
        name: request.name,
        metadata: request.metadata,
        attributes: request.attributes,
        room_preset: request.room_preset,
        room_config: request.room_config,
        ..wire::SipDispatchRuleInfo::default()
    })
}

pub(super) async fn create(
    on: Context,
    request: wire::CreateSipDispatchRuleRequest,
) -> Result<wire::SipDispatchRuleInfo, TwirpError> {
    on.sip_admin()?;
    let id = on.new_id("SDR");
    put(&on, &id, &asked(request)).await
}

pub(super) async fn update(
    on: Context,
    request: wire::UpdateSipDispatchRuleRequest,
) -> Result<wire::SipDispatchRuleInfo, TwirpError> {
    on.sip_admin()?;
    let row = on.scope().dispatch_rules().get(&request.sip_dispatch_rule_id).await?;
    let row = row.ok_or_else(missing)?;
    let info = match request
        .action
        .ok_or_else(|| TwirpError::invalid("missing or unsupported action"))?
    {
        Action::Replace(info) => info,
        Action::Update(update) => {
            let mut info = info_of(&row);
            change(&mut info.trunk_ids, update.trunk_ids);
            info.rule = update.rule.or(info.rule);
            info.name = update.name.unwrap_or(info.name);
            info.metadata = update.metadata.unwrap_or(info.metadata);
            info.attributes.extend(update.attributes);
            info.media = update.media.or(info.media);
            info
        }
    };
    put(&on, &row.rule.id, &info).await
}

pub(super) async fn list(
    on: Context,
    request: wire::ListSipDispatchRuleRequest,
) -> Result<wire::ListSipDispatchRuleResponse, TwirpError> {
    on.sip_admin()?;
    let rows = on.scope().dispatch_rules().list().await?;
    let wanted = |info: &wire::SipDispatchRuleInfo| {
        let (ids, trunks) = (&request.dispatch_rule_ids, &request.trunk_ids);
        let named = ids.is_empty() || ids.contains(&info.sip_dispatch_rule_id);
        // A rule without trunks is for all of them.
        let serves =
            trunks.is_empty() || info.trunk_ids.is_empty() || trunks.iter().any(|id| info.trunk_ids.contains(id));
        named && serves
    };
    let items = rows.iter().map(info_of).filter(wanted).collect();
    let items = part(items, request.page.as_ref(), |info: &wire::SipDispatchRuleInfo| {
        &info.sip_dispatch_rule_id
    });
    Ok(wire::ListSipDispatchRuleResponse { items })
}

pub(super) async fn delete(
    on: Context,
    request: wire::DeleteSipDispatchRuleRequest,
) -> Result<wire::SipDispatchRuleInfo, TwirpError> {
    on.sip_admin()?;
    let area = on.scope().dispatch_rules();
    let row = area.get(&request.sip_dispatch_rule_id).await?.ok_or_else(missing)?;
    area.remove(&on.actor(), &row.rule.id).await?;
    on.state().calls.reload();
    Ok(info_of(&row))
}

fn missing() -> TwirpError {
    TwirpError::not_found("requested sip dispatch rule does not exist")
}
