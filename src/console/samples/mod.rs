//! Pages with data as they are on a busy day: for snapshots and for looking at them.

pub(crate) mod call;
mod kept;
mod minutes;
mod people;
mod privacy;
mod providers;
mod rooms;

use crate::show::page::Group;
use crate::show::{Clock, Link, Shell};
use askama::Template;
use strowger_model::world::SeededWorld;
use time::OffsetDateTime;
use time::macros::datetime;

/// When the samples are.
pub const NOW: OffsetDateTime = datetime!(2026-11-21 14:32:07 UTC);
/// The tenant's address in the samples.
pub const BASE: &str = "/t/019aa6a4-0000-7000-8000-000000000001";

pub(crate) fn world() -> SeededWorld {
    SeededWorld::new(7, 1_795_271_527_000)
}

/// What surrounds the sample pages.
#[must_use]
pub fn shell() -> Shell {
    let clock = Clock::new(NOW, "Europe/London");
    Shell {
        menu: sample_menu(),
        home: format!("{BASE}/"),
        search: format!("{BASE}/calls"),
        place: "Harbour Dental Group".into(),
        version: "0.1.0".into(),
        person: "Ines Duarte".into(),
        csrf: "sample-token".into(),
        notice: String::new(),
        clock,
    }
}

fn sample_menu() -> Vec<Group> {
    let entry = |path: &str, name: &str, waiting| (Link::new(format!("{BASE}{path}"), name), path == "/calls", waiting);
    vec![
        Group {
            name: "Operate",
            open: true,
            entries: vec![
                entry("/", "Dashboard", 0),
                entry("/live", "Live calls", 7),
                entry("/calls", "Calls", 0),
                entry("/recordings", "Recordings", 0),
                entry("/voicemail", "Voicemail", 3),
            ],
        },
        Group {
            name: "People and lines",
            open: false,
            entries: vec![entry("/users", "Users", 0), entry("/devices", "Phones", 0)],
        },
    ]
}

/// A page by name.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its name: a file name and a path.
    pub name: &'static str,
    /// The page.
    pub html: String,
}

fn sample<T: Template>(name: &'static str, page: &T) -> Sample {
    Sample {
        name,
        html: page.render().unwrap_or_else(|error| format!("cannot render: {error}")),
    }
}

/// Every page.
#[must_use]
pub fn all() -> Vec<Sample> {
    let mut out = call::samples();
    out.extend(minutes::samples());
    out.extend(people::samples());
    out.extend(privacy::samples());
    out.extend(rooms::samples());
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_page_looks_as_it_was_left() {
        for sample in super::all() {
            insta::assert_snapshot!(sample.name, sample.html);
        }
    }

    #[test]
    fn every_page_has_labels_headings_and_scopes_and_nothing_inline() {
        for sample in super::all() {
            let html = &sample.html;
            assert_eq!(html.matches("<h1").count(), 1, "{}: one h1", sample.name);
            assert!(html.contains("<main id=\"main\""), "{}: a landmark", sample.name);
            for forbidden in [" style=\"", "<style", " onclick", "javascript:", "<th>"] {
                assert!(!html.contains(forbidden), "{}: {forbidden}", sample.name);
            }
            for script in html.split("<script").skip(1) {
                assert!(script.starts_with(" type=\"module\" src=\"/assets/"), "{}", sample.name);
            }
            let mut ids: Vec<&str> = html
                .split(" id=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect();
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(all, ids.len(), "{}: ids occur once", sample.name);
        }
    }
}
