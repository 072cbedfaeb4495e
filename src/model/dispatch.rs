//! Which room a call from outside goes to, by the tenant's dispatch rules. Pure: rules in, an answer out.

use crate::{TenantId, TrunkId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rule about calls that come in through trunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchRule {
    /// Its id (`SDR_…`).
    pub id: String,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// The trunks it is for; empty: all.
    pub trunks: Vec<TrunkId>,
    /// The called numbers it is for; empty: all.
    pub numbers: Vec<String>,
    /// The callers it is for; empty: all.
    pub callers: Vec<String>,
    /// Where its calls go.
    pub room: DispatchRoom,
    /// What callers type first.
    pub pin: Option<String>,
    /// Whether the caller's number stays hidden from members.
    pub hide_number: bool,
    /// Free text members see of its callers.
    pub metadata: String,
    /// Pairs members see of its callers.
    pub attributes: BTreeMap<String, String>,
}

/// Where a rule's calls go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DispatchRoom {
    /// All into one room.
    Direct {
        /// Its name.
        room: String,
    },
    /// Each into a room of its own.
    Individual {
        /// What the room's name begins with.
        prefix: String,
        /// Whether the name ends with something unpredictable.
        random: bool,
    },
    /// One room a called number.
    Callee {
        /// What the room's name begins with.
        prefix: String,
        /// Whether the name ends with something unpredictable.
        random: bool,
    },
}

/// A call that asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The trunk it came through.
    pub trunk: Option<TrunkId>,
    /// The caller's number.
    pub caller: &'a str,
    /// The called number.
    pub called: &'a str,
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch<'a> {
    /// No rule is for this call.
    Nowhere,
    /// This rule takes it.
    By(&'a DispatchRule),
    /// The caller has to type a PIN.
    AskPin,
}

/// Asks the rules. `pin` is what the caller typed: `None` before they were asked, empty when they
/// typed nothing. The rule that names most of trunk, called number and caller wins.
#[must_use]
pub fn dispatch<'a>(
    rules: impl IntoIterator<Item = &'a DispatchRule>,
    asking: Asking<'_>,
    pin: Option<&str>,
) -> Dispatch<'a> {
    let mut fitting: Vec<(u8, &DispatchRule)> = rules
        .into_iter()
        .filter_map(|rule| Some((rank(rule, asking)?, rule)))
        .collect();
    // Of two that fit alike the older one counts: ids grow.
    fitting.sort_by(|(rank, rule), (other_rank, other)| other_rank.cmp(rank).then_with(|| rule.id.cmp(&other.id)));
    if fitting.is_empty() {
        return Dispatch::Nowhere;
    }
    let needs_pin = fitting.iter().any(|(_, rule)| rule.pin.is_some());
    let typed = match pin {
        None if needs_pin => return Dispatch::AskPin,
        None => None,
        Some(typed) => Some(typed).filter(|typed| !typed.is_empty()),
    };
    let by_pin = fitting.into_iter().find(|(_, rule)| rule.pin.as_deref() == typed);
    by_pin.map_or(Dispatch::Nowhere, |(_, rule)| Dispatch::By(rule))
}

/// How closely a rule names a call; `None` when it is not for it.
fn rank(rule: &DispatchRule, asking: Asking<'_>) -> Option<u8> {
    let of_trunk = names(&rule.trunks, |trunk| Some(*trunk) == asking.trunk)?;
    let of_number = names(&rule.numbers, |number| bare(number) == bare(asking.called))?;
    let of_caller = names(&rule.callers, |number| bare(number) == bare(asking.caller))?;
    Some(of_trunk * 4 + of_number * 2 + of_caller)
}

/// 1 when the list names it, 0 when the list names nobody, `None` when it names others.
fn names<T>(list: &[T], is_it: impl FnMut(&T) -> bool) -> Option<u8> {
    if list.is_empty() {
        return Some(0);
    }
    list.iter().any(is_it).then_some(1)
}

fn bare(number: &str) -> &str {
    let number = number.trim();
    number
        .strip_prefix('+')
        .or_else(|| number.strip_prefix("00"))
        .unwrap_or(number)
}

impl DispatchRule {
    /// The name of the room a call goes to; `chance` ends names that must not be guessed.
    #[must_use]
    pub fn room_name(&self, asking: Asking<'_>, chance: &str) -> String {
        let named = |prefix: &str, number: &str, random: bool| {
            let parts = [prefix, number, if random { chance } else { "" }];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join("_")
        };
        match &self.room {
            DispatchRoom::Direct { room } => room.clone(),
            DispatchRoom::Individual { prefix, random } => named(prefix, asking.caller, *random),
            DispatchRoom::Callee { prefix, random } => named(prefix, asking.called, *random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SeededWorld;

    fn rule(id: &str, pin: Option<&str>) -> DispatchRule {
        DispatchRule {
            id: id.to_owned(),
            tenant: TenantId::generate(&SeededWorld::new(1, 0)),
            name: String::new(),
            trunks: Vec::new(),
            numbers: Vec::new(),
            callers: Vec::new(),
            room: DispatchRoom::Direct { room: id.to_owned() },
            pin: pin.map(str::to_owned),
            hide_number: false,
            metadata: String::new(),
            attributes: BTreeMap::new(),
        }
    }

    const CALL: Asking<'_> = Asking {
        trunk: None,
        caller: "+4930111",
        called: "0049891234",
    };

    #[test]
    fn the_closest_rule_wins() {
        let mut of_number = rule("number", None);
        of_number.numbers = vec!["+49891234".to_owned()];
        let mut of_others = rule("others", None);
        of_others.callers = vec!["+4930222".to_owned()];
        let rules = [rule("all", None), of_number.clone(), of_others.clone()];
        assert_eq!(dispatch(&rules, CALL, None), Dispatch::By(&of_number));
        assert_eq!(dispatch([&of_others], CALL, None), Dispatch::Nowhere);
    }

    #[test]
    fn a_pin_is_asked_for_and_chooses_the_room() {
        let rules = [rule("a", Some("11")), rule("b", Some("22")), rule("c", None)];
        assert_eq!(dispatch(&rules, CALL, None), Dispatch::AskPin);
        assert_eq!(dispatch(&rules, CALL, Some("22")), Dispatch::By(&rules[1]));
        assert_eq!(dispatch(&rules, CALL, Some("")), Dispatch::By(&rules[2]));
        assert_eq!(dispatch(&rules, CALL, Some("33")), Dispatch::Nowhere);
    }

    #[test]
    fn rooms_are_named_for_who_calls_or_who_is_called() {
        let mut one = rule("a", None);
        assert_eq!(one.room_name(CALL, "x7"), "a");
        one.room = DispatchRoom::Individual {
            prefix: "call".to_owned(),
            random: true,
        };
        assert_eq!(one.room_name(CALL, "x7"), "call_+4930111_x7");
        one.room = DispatchRoom::Callee {
            prefix: String::new(),
            random: false,
        };
        assert_eq!(one.room_name(CALL, "x7"), "0049891234");
    }
}
