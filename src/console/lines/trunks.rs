//! Trunks: the providers.

use super::form;
use super::view::{self, Line};
use crate::desk::{Desk, Sent, sees_tenant};
use crate::draw::pulse;
use crate::fault::{Fault, Page};
use crate::people::form::taken;
use crate::show::{Problems, State, Values};
use axum::extract::Path;
use axum::response::IntoResponse;
use std::collections::HashMap;
use strowger_model::TrunkId;
use strowger_model::job::NoticeKind;
use strowger_model::record::{Notice, Trunk};
use strowger_model::role::Permission;
use strowger_store::{Page as Keyset, TrunkChange};
use strowger_switch::live::{TrunkCondition, TrunkView};

/// Notices that are looked through for those of trunks, and how many of them are shown.
const RECENT: i64 = 200;
const SHOWN: usize = 10;
/// How much of a trunk's history is drawn.
const DAY: time::Duration = time::Duration::hours(24);

const TAKEN: [(&str, &str); 1] = [("name", "Another trunk has this name.")];

fn state(desk: &Desk, trunk: &Trunk, seen: Option<&TrunkView>) -> State {
    let clock = desk.state.clock();
    match seen.map(|view| (&view.condition, view.since)) {
        _ if !trunk.active => State::idle("Off"),
        None | Some((TrunkCondition::Unknown, _)) => State::idle("Not heard yet"),
        Some((TrunkCondition::Up, _)) => State::ok("Up"),
        Some((TrunkCondition::Registered { until }, _)) => {
            State::ok(format!("Registered until {}", clock.stamp(*until)))
        }
        Some((TrunkCondition::Down { reason }, since)) => State::bad(format!("{reason}, since {}", clock.stamp(since))),
    }
}

/// The trunks of the tenant with where they stand and how many calls go through.
pub(crate) async fn lines(desk: &Desk) -> Page<Vec<(Line, usize)>> {
    let views = desk.state.exchange().trunk_states(desk.tenant.id);
    let seen: HashMap<TrunkId, TrunkView> = views.into_iter().map(|view| (view.trunk, view)).collect();
    let trunks = desk.scope.trunks().list().await?;
    let line = |trunk: Trunk| {
        let view = seen.get(&trunk.id);
        let state = state(desk, &trunk, view);
        (Line { state, trunk }, view.map_or(0, |view| view.calls))
    };
    Ok(trunks.into_iter().map(line).collect())
}

async fn list(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let lines: Vec<Line> = lines(desk).await?.into_iter().map(|(line, _)| line).collect();
    let recent = desk
        .scope
        .notices()
        .list(&Keyset::first(RECENT))
        .await?
        .items
        .into_iter();
    let turns: Vec<Notice> = recent
        .filter(|notice| matches!(notice.kind, NoticeKind::TrunkDown | NoticeKind::TrunkUp))
        .take(SHOWN)
        .collect();
    let page = view::trunks(
        &desk.shell(),
        &desk.base(),
        (&lines, &turns),
        (values, problems),
        desk.can(Permission::ManageTenant),
    );
    Ok((problems.status(), page).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    list(&desk, &Values::default(), &Problems::default()).await
}

pub(super) async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let new = match form::trunk(&values) {
        Ok(new) => new,
        Err(problems) => return list(&desk, &values, &problems).await,
    };
    if let Err(error) = desk.scope.trunks().create(&desk.actor(), new).await {
        let problems = taken(error, &TAKEN)?;
        return list(&desk, &values, &problems).await;
    }
    desk.state.exchange().reload();
    Ok(desk.back("/trunks", "added"))
}

async fn found(desk: &Desk, trunk: TrunkId) -> Page<Line> {
    let all = lines(desk).await?;
    let line = all.into_iter().find(|(line, _)| line.trunk.id == trunk);
    line.map(|(line, _)| line).ok_or(Fault::NotFound)
}

async fn one(desk: &Desk, line: &Line, values: &Values, problems: &Problems) -> Page {
    let now = desk.state.now();
    let history = desk.scope.trunks().history(line.trunk.id, now - DAY).await?;
    let minutes: Vec<pulse::Minute> = history
        .iter()
        .map(|minute| pulse::Minute {
            ago: (now - minute.at).whole_minutes(),
            answered: minute.answered,
            missed: minute.missed,
            latency: minute.latency,
        })
        .collect();
    let page = view::trunk(&desk.shell(), &desk.base(), line, (values, problems), &minutes);
    Ok((problems.status(), page).into_response())
}

pub(super) async fn show(Path((_, trunk)): Path<(String, TrunkId)>, desk: Desk) -> Page {
    desk.may(Permission::ManageTenant)?;
    let line = found(&desk, trunk).await?;
    let trunk = &line.trunk;
    let values = Values::default()
        .with("name", trunk.name.clone())
        .with("kind", trunk.kind.code())
        .with("host", trunk.host.clone())
        .with("port", trunk.port.to_string())
        .with("transport", trunk.transport.code())
        .with("username", trunk.username.clone().unwrap_or_default())
        .with("addresses", trunk.addresses.join(", "))
        .with("prefix", trunk.prefix.clone())
        .with("max_calls", trunk.max_calls.to_string())
        .with("active", trunk.active.to_string());
    one(&desk, &line, &values, &Problems::default()).await
}

pub(super) async fn update(Path((_, trunk)): Path<(String, TrunkId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let line = found(&desk, trunk).await?;
    let change = match form::trunk(&values) {
        Ok(new) => TrunkChange {
            values: new,
            active: values.ticked("active"),
        },
        Err(problems) => return one(&desk, &line, &values, &problems).await,
    };
    if let Err(error) = desk.scope.trunks().update(&desk.actor(), trunk, &change).await {
        let problems = taken(error, &TAKEN)?;
        return one(&desk, &line, &values, &problems).await;
    }
    desk.state.exchange().reload();
    Ok(desk.back(&format!("/trunks/{trunk}"), "saved"))
}

pub(super) async fn remove(Path((_, trunk)): Path<(String, TrunkId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.trunks().remove(&desk.actor(), trunk).await? {
        return Err(Fault::NotFound);
    }
    desk.state.exchange().reload();
    Ok(desk.back("/trunks", "removed"))
}
