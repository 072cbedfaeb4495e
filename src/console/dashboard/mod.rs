//! The first page: is it well, what must I do, who is on, why, what follows.

mod view;

pub use view::{Health, Needs, Today, TrunkLine, page};

use crate::desk::Desk;
use crate::fault::Page;
use crate::show::{Link, Note};
use crate::state::ConsoleState;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use strowger_model::job::NoticeKind;
use strowger_model::record::Notice;
use strowger_model::role::Permission;
use strowger_store::queue::JobFilter;
use strowger_store::{CallFilter, Page as Keyset};

/// For how long and how many notices of certificates are shown.
const TOLD: time::Duration = time::Duration::days(28);
const SHOWN: usize = 5;

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new().route("/t/{tenant}/", get(index))
}

async fn index(desk: Desk) -> Page {
    let may_operate = desk.can(Permission::ManageTenant) || desk.can(Permission::ReadAudit);
    let clock = desk.state.clock();
    let midnight = clock.midnight(0);
    let filter = CallFilter {
        user: desk.sees_only(),
        from: Some(midnight),
        ..CallFilter::default()
    };
    let stats = desk.scope.calls().stats(&filter).await?;
    let figures = desk.scope.shown().day(midnight, desk.sees_only()).await?;
    let waiting = desk.scope.shown().waiting().await?;
    let online = crate::people::bindings(&desk);
    let phones = desk.scope.devices().list(&Keyset::first(1000)).await?.items;
    let active = phones.iter().filter(|phone| phone.active).count();
    let messages = match desk.user() {
        Some(user) => desk.scope.voicemails().unread(user).await?,
        None => 0,
    };
    let trunks = if may_operate {
        crate::lines::lines(&desk).await?
    } else {
        Vec::new()
    };
    let jobs = if may_operate {
        desk.scope
            .jobs()
            .list(&JobFilter::default(), &Keyset::first(5))
            .await?
            .items
    } else {
        Vec::new()
    };
    let base = desk.base();
    let health = Health {
        most_today: 0,
        phones: (count(online.len()), count(active)),
        calls_today: (stats.total, stats.answered),
        mos_today: figures.mos,
        waiting: (
            waiting.queued,
            waiting.oldest.map_or(0, |at| {
                i64::try_from((clock.now - at).whole_milliseconds()).unwrap_or(0)
            }),
        ),
        dead: waiting.dead,
        messages,
        disk: if may_operate { desk.state.store().disk() } else { None },
        certificates: desk
            .state
            .config()
            .certificates
            .as_ref()
            .filter(|_| may_operate)
            .map(|look| look()),
        workers: waiting.workers,
    };
    let today = Today {
        notes: first_steps(&desk, phones.is_empty(), &base).await?,
        health,
        live: crate::calls::live_now(&desk),
        trunks: trunks
            .into_iter()
            .map(|(line, calls)| TrunkLine {
                name: line.trunk.name,
                href: format!("{base}/trunks/{}", line.trunk.id),
                state: line.state,
                calls: (count(calls), line.trunk.max_calls),
                host: line.trunk.host,
            })
            .collect(),
        told: if may_operate { told(&desk).await? } else { Vec::new() },
        jobs,
        hours: figures.hours,
        ends: desk.scope.calls().by_disposition(&filter).await?,
        may_operate,
    };
    Ok(view::page(&desk.shell(), &base, &today).into_response())
}

/// What was told of certificates while it may still matter.
async fn told(desk: &Desk) -> Page<Vec<Notice>> {
    let since = desk.state.now() - TOLD;
    let notices = desk.scope.notices().list(&Keyset::first(200)).await?.items;
    let of_certificates = |notice: &Notice| notice.kind == NoticeKind::CertificateEnds && notice.created_at > since;
    Ok(notices.into_iter().filter(of_certificates).take(SHOWN).collect())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What a new tenant lacks, one thing at a time.
async fn first_steps(desk: &Desk, no_phone: bool, base: &str) -> Page<Vec<Needs>> {
    if !desk.can(Permission::ManageTenant) {
        return Ok(Vec::new());
    }
    let note = |strong: &str, text: &str, path: &str, word: &str| {
        Needs(Note {
            shape: "on",
            strong: strong.to_owned(),
            text: text.to_owned(),
            link: Some(Link::new(format!("{base}{path}"), word)),
        })
    };
    if no_phone {
        return Ok(vec![note(
            "No phone yet.",
            "Add a user and a phone; it gets a user name and a password.",
            "/devices",
            "Add a phone",
        )]);
    }
    let numbers = desk.scope.numbers().list(&Keyset::first(1)).await?.items;
    if numbers.is_empty() {
        return Ok(vec![note(
            "No number yet.",
            "Phones reach each other. Add the number that outside callers dial.",
            "/numbers",
            "Add a number",
        )]);
    }
    Ok(Vec::new())
}
