//! Retention: what a run would do, and the run.

use super::view::{self, Due, Going, LISTED};
use crate::desk::{Desk, Sent, sees_tenant};
use crate::fault::Page;
use axum::response::IntoResponse;
use strowger_model::job::Job;
use strowger_model::retention::Kind;
use strowger_model::role::Permission;
use strowger_store::queue::JobFilter;
use strowger_store::{PUT_ASIDE_DAYS, Page as Keyset};

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    let area = desk.scope.retention();
    let policy = area.policy().await?;
    let report = area.dry_run(&policy, desk.state.now()).await?;
    let line = |kind: &str, days, remove, held, setting| Due {
        kind: kind.to_owned(),
        days,
        remove,
        held,
        setting,
    };
    // Of the machine, not of this tenant: their rows are in it.
    let aside = desk.state.access().store().put_aside();
    let over = aside.iter().filter(|aside| aside.until <= desk.state.now()).count();
    let mut due = vec![
        line("Calls", policy.call_days, report.calls, 0, "call_retention_days"),
        line(
            "Recordings",
            policy.recording_days,
            report.recordings,
            report.held,
            "recording_retention_days",
        ),
        line(
            "Voicemail",
            policy.voicemail_days,
            report.voicemails,
            0,
            "voicemail_retention_days",
        ),
        line(
            "Signalling of calls",
            policy.signalling_days,
            report.signalling,
            0,
            "signalling_retention_days",
        ),
        line(
            "Proofs of consent and erasure",
            policy.consent_days,
            report.proofs,
            0,
            "consent_retention_days",
        ),
    ];
    if !aside.is_empty() {
        let over = i64::try_from(over).unwrap_or(i64::MAX);
        due.push(line("Damaged databases put aside", PUT_ASIDE_DAYS, over, 0, ""));
    }
    let listed = area.due(&policy, desk.state.now(), LISTED).await?;
    let going: Vec<Going> = listed
        .into_iter()
        .map(|thing| {
            let (kind, page) = match thing.kind {
                Kind::Call => ("Call", format!("/calls/{}", thing.id)),
                Kind::Recording => ("Recording", format!("/recordings/{}", thing.id)),
                Kind::Voicemail => ("Message", "/voicemail".to_owned()),
            };
            Going {
                kind,
                page,
                since: thing.since,
                bytes: thing.bytes,
            }
        })
        .collect();
    let filter = JobFilter {
        state: None,
        kind: Some("retain".to_owned()),
    };
    let runs = desk.scope.jobs().list(&filter, &Keyset::first(5)).await?.items;
    let may_change = desk.can(Permission::ManageTenant);
    Ok(view::retention(&desk.shell(), &desk.base(), (&due, &going), &runs, may_change).into_response())
}

pub(super) async fn run(sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    let job = Job::Retain { tenant: desk.tenant.id };
    desk.scope
        .audit()
        .write(&desk.actor(), "retention.ask", &desk.tenant.id.to_string(), "by hand")
        .await?;
    desk.scope.jobs().ask(&job).await?;
    Ok(desk.back("/retention", "running"))
}
