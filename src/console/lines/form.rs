//! What is posted about numbers and trunks.

use crate::show::{Problems, Values};
use strowger_model::number::normalise;
use strowger_model::trunk::{NumberTarget, Transport, TrunkKind, is_network};
use strowger_store::{NewNumber, NewTrunk, NumberChange};
use zeroize::Zeroizing;

/// A target as a form sends it: `flow:ID`, or nothing.
fn target(values: &Values) -> Result<Option<NumberTarget>, Problems> {
    let wrong = || Problems::one("target", "Choose what callers reach.");
    let written = values.get("target");
    if written.is_empty() {
        return Ok(None);
    }
    let (kind, id) = written.split_once(':').ok_or_else(wrong)?;
    let found = match kind {
        "flow" => id.parse().ok().map(NumberTarget::Flow),
        "user" => id.parse().ok().map(NumberTarget::User),
        "room" => id.parse().ok().map(NumberTarget::Room),
        "voicemail" => id.parse().ok().map(NumberTarget::Voicemail),
        "conference" => Some(NumberTarget::Conference),
        "trunk" => Some(NumberTarget::Trunk),
        _ => None,
    };
    found.map(Some).ok_or_else(wrong)
}

fn record(values: &Values) -> Option<bool> {
    match values.get("record") {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A new number.
pub(super) fn number(values: &Values) -> Result<NewNumber, Problems> {
    let number = normalise(values.get("number"))
        .ok_or_else(|| Problems::one("number", "Write digits, with a leading + if it is a public number."))?;
    Ok(NewNumber {
        number,
        friendly_name: values.get("friendly_name").to_owned(),
        target: target(values)?,
        record: record(values),
    })
}

/// A changed number.
pub(super) fn change(values: &Values) -> Result<NumberChange, Problems> {
    Ok(NumberChange {
        friendly_name: values.get("friendly_name").to_owned(),
        target: target(values)?,
        record: record(values),
        active: values.ticked("active"),
    })
}

/// A trunk, new or changed.
pub(super) fn trunk(values: &Values) -> Result<NewTrunk, Problems> {
    let mut problems = Problems::default();
    problems.need(values, "name", "Give it a name.");
    problems.need(
        values,
        "host",
        "Write the provider’s host, for example sip.provider.example.",
    );
    let kind = TrunkKind::from_code(values.get("kind")).unwrap_or(TrunkKind::Address);
    if kind == TrunkKind::Registration {
        problems.need(
            values,
            "username",
            "Registration needs the user name the provider gave you.",
        );
    }
    let transport = Transport::from_code(values.get("transport")).unwrap_or(Transport::Udp);
    let port = match values.get("port") {
        "" => Some(transport.usual_port()),
        text => text.parse::<u16>().ok().filter(|port| *port > 0),
    };
    if port.is_none() {
        problems.add("port", "Write a number from 1 to 65535, or nothing for the usual one.");
    }
    let max_calls = match values.get("max_calls") {
        "" => Some(30),
        text => text.parse::<i64>().ok().filter(|most| (1..=100_000).contains(most)),
    };
    if max_calls.is_none() {
        problems.add("max_calls", "Write how many calls at once, 1 or more.");
    }
    let addresses: Vec<String> = values
        .get("addresses")
        .split([',', ' '])
        .map(str::trim)
        .filter(|address| !address.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(wrong) = addresses.iter().find(|address| !is_network(address)) {
        problems.add(
            "addresses",
            format!("{wrong} is no address. Write 192.0.2.10 or 192.0.2.0/24."),
        );
    }
    let prefix = values.get("prefix");
    if !prefix.is_empty() && normalise(prefix).is_none() && prefix != "+" {
        problems.add("prefix", "Write the digits that outbound numbers begin with.");
    }
    match (port, max_calls) {
        (Some(port), Some(max_calls)) if problems.is_empty() => Ok(NewTrunk {
            name: values.get("name").to_owned(),
            kind,
            host: values.get("host").to_owned(),
            port,
            transport,
            addresses,
            username: values.optional("username"),
            password: Some(values.raw("password").to_owned())
                .filter(|text| !text.is_empty())
                .map(Zeroizing::new),
            prefix: prefix.to_owned(),
            max_calls,
        }),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_says_everything_that_is_wrong_at_once() {
        let values = Values::default()
            .with("port", "70000")
            .with("addresses", "here")
            .with("kind", "registration");
        let problems = trunk(&values).err().unwrap();
        for field in ["name", "host", "username", "port", "addresses"] {
            assert!(problems.of(field).is_some(), "{field}");
        }
    }
}
