//! Privacy: what is known of somebody, all of it as a file, erasing it, the proofs, and consents to recordings.

use super::privacy_view::{self as view, Sought};
use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::show::{Problems, Values};
use axum::body::Body;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use strowger_model::role::Permission;
use strowger_model::subject::Subject;
use strowger_store::Page as Keyset;

async fn drawn(desk: &Desk, sought: Option<&Sought>, values: &Values, problems: &Problems) -> Page {
    let erasures = desk.scope.subjects().erasures(&Keyset::first(20)).await?.items;
    let consents = desk.scope.consents().list(None, &Keyset::first(20)).await?.items;
    let page = view::page(
        &desk.shell(),
        &desk.base(),
        sought,
        (&erasures, &consents),
        (values, problems),
    );
    Ok((problems.status(), page).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    desk.may(Permission::ManageTenant)?;
    drawn(&desk, None, &Values::default(), &Problems::default()).await
}

fn subject_of(values: &Values) -> Result<Subject, Problems> {
    let read = Subject::read(values.get("subject"));
    read.map_err(|unfit| {
        Problems::one(
            "subject",
            format!("{}.", crate::people::form::sentence(&unfit.to_string())),
        )
    })
}

pub(super) async fn find(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let subject = match subject_of(&values) {
        Ok(subject) => subject,
        Err(problems) => return drawn(&desk, None, &values, &problems).await,
    };
    let sought = Sought {
        written: values.get("subject").to_owned(),
        findings: desk.scope.subjects().find(&subject).await?,
    };
    drawn(&desk, Some(&sought), &values, &Problems::default()).await
}

pub(super) async fn export(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let subject = subject_of(&values).map_err(|_| Fault::NotFound)?;
    let written = values.get("subject");
    let archive = desk.scope.subjects().export(&desk.actor(), &subject, written).await?;
    // One piece at a time: a slow reader holds one recording in memory.
    let pieces = stream::try_unfold(archive, |mut archive| async move {
        let piece = archive.next().await?;
        Ok::<_, strowger_store::Error>(piece.map(|piece| (piece, archive)))
    });
    let head = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"subject.zip\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((head, Body::from_stream(pieces)).into_response())
}

pub(super) async fn erase(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let subject = subject_of(&values).map_err(|_| Fault::NotFound)?;
    if !values.ticked("sure") {
        let sought = Sought {
            written: values.get("subject").to_owned(),
            findings: desk.scope.subjects().find(&subject).await?,
        };
        let problems = Problems::one("sure", "Tick this: nothing brings it back.");
        return drawn(&desk, Some(&sought), &values, &problems).await;
    }
    match desk.scope.subjects().erase(&desk.actor(), &subject).await {
        Ok(_) => Ok(desk.back("/privacy", "subject-erased")),
        Err(refused @ strowger_store::Error::State { .. }) => {
            let sought = Sought {
                written: values.get("subject").to_owned(),
                findings: desk.scope.subjects().find(&subject).await?,
            };
            let text = crate::people::form::sentence(&refused.to_string());
            drawn(
                &desk,
                Some(&sought),
                &values,
                &Problems::one("sure", format!("{text}.")),
            )
            .await
        }
        Err(problem) => Err(problem.into()),
    }
}
