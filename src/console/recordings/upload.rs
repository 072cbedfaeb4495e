//! A recording from elsewhere: taken in, sealed, and left to a worker.

use super::drawn;
use crate::desk::{Desk, SentFile};
use crate::fault::Page;
use crate::show::{Problems, Values};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strowger_model::Direction;
use strowger_model::role::Permission;
use strowger_store::uploads::{About, Appended, Begun, Wish};

/// What is sealed at a time.
const PIECE_BYTES: usize = 1024 * 1024;

async fn refused(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let page = drawn(desk, values, problems).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

fn about(desk: &Desk, values: &Values, file_name: &str, problems: &mut Problems) -> About {
    for field in ["name", "from", "to"] {
        if values.get(field).chars().count() > 200 {
            problems.add(field, "At most 200 characters.");
        }
    }
    let now = desk.state.now();
    let typed = values.get("started_at");
    let began = desk.shell().clock.parse_minute(typed);
    if !typed.is_empty() && began.is_none() {
        problems.add("started_at", "This is no time.");
    } else if began.is_some_and(|began| began > now) {
        problems.add("started_at", "This lies in the future.");
    }
    let name = values.optional("name").unwrap_or_else(|| file_name.to_owned());
    About {
        name,
        from_number: values.get("from").to_owned(),
        to_number: values.get("to").to_owned(),
        direction: Direction::from_code(values.get("direction")).unwrap_or(Direction::Inbound),
        started_at: began.unwrap_or(now),
    }
}

pub(super) async fn import(sent: SentFile) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    let mut problems = Problems::default();
    let Some(file) = sent.file else {
        problems.add("file", "Choose an audio file.");
        return refused(&desk, &sent.values, &problems).await;
    };
    let about = about(&desk, &sent.values, &file.name, &mut problems);
    if !problems.is_empty() {
        return refused(&desk, &sent.values, &problems).await;
    }
    let (actor, uploads) = (desk.actor(), desk.scope.uploads());
    let length = file.bytes.len() as u64;
    let begun = uploads.begin(&actor, Wish::Import(about), &file.name, length).await?;
    let mut upload = match begun {
        Begun::Open(upload) => upload,
        Begun::TooLarge(most) => {
            let problem = format!("The settings take files from 1 to {most} bytes.");
            return refused(&desk, &sent.values, &Problems::one("file", problem)).await;
        }
        Begun::Full(_) | Begun::Off | Begun::NoCall => {
            let problem = "Other uploads take all the room there is. Try again when they are recordings.";
            return refused(&desk, &sent.values, &Problems::one("file", problem)).await;
        }
    };
    for piece in file.bytes.chunks(PIECE_BYTES) {
        upload = match uploads.append(&actor, upload.id, upload.offset_bytes, piece).await? {
            Appended::Kept(now) => now,
            Appended::Misplaced(_) | Appended::Gone => {
                let problem = "The upload was given up meanwhile. Send it again.";
                return refused(&desk, &sent.values, &Problems::one("file", problem)).await;
            }
        };
    }
    let place = upload.recording.map_or_else(
        || "/recordings".to_owned(),
        |recording| format!("/recordings/{recording}"),
    );
    Ok(desk.back(&place, "asked"))
}
