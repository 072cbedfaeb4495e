//! The meeting page.

use super::trouble::{TROUBLES, Trouble};
use crate::show::Clock;
use askama::Template;
use askama_web::WebTemplate;
use strowger_model::meeting::Meeting;

/// The page: a door with a mirror, and the room behind it.
#[derive(Debug, Clone, Template, WebTemplate)]
#[template(path = "meet/stage.html")]
pub struct Stage {
    /// What the meeting is called.
    pub heading: String,
    /// What it is about.
    pub about: String,
    /// When it is, if it is scheduled.
    pub when: String,
    /// Where the page's requests go: `/meet/ID` or `/join/SECRET`.
    pub at: String,
    /// The CSRF token; empty for guests.
    pub csrf: String,
    /// Where to go afterwards; empty for guests.
    pub home: String,
    /// Whether the visitor has no account.
    pub guest: bool,
    /// Whether guests wait to be let in.
    pub waits: bool,
    /// The visitor's name; guests write theirs.
    pub name: String,
    /// What to know before joining.
    pub note: String,
    /// What can go wrong.
    pub troubles: &'static [Trouble],
}

impl Stage {
    /// The page of a meeting for somebody of the tenant.
    #[must_use]
    pub fn member(meeting: &Meeting, clock: &Clock, name: &str, csrf: &str, home: &str) -> Self {
        let mut stage = Self::of(meeting, clock);
        stage.at = format!("/meet/{}", meeting.id());
        name.clone_into(&mut stage.name);
        csrf.clone_into(&mut stage.csrf);
        home.clone_into(&mut stage.home);
        stage
    }

    /// The page of a meeting for somebody with a link.
    #[must_use]
    pub fn guest(meeting: &Meeting, clock: &Clock, secret: &str) -> Self {
        let mut stage = Self::of(meeting, clock);
        stage.at = format!("/join/{secret}");
        stage.guest = true;
        stage
    }

    fn of(meeting: &Meeting, clock: &Clock) -> Self {
        let when = meeting.schedule.as_ref().map(|schedule| {
            let clock = Clock::new(clock.now, &schedule.zone);
            format!(
                "{} to {}, {}",
                clock.stamp(schedule.starts_at),
                clock.stamp(schedule.ends_at),
                clock.zone()
            )
        });
        let recorded = meeting.recording == strowger_model::meeting::RecordingPolicy::Always;
        Self {
            heading: meeting.heading().to_owned(),
            about: meeting.description.clone(),
            when: when.unwrap_or_default(),
            at: String::new(),
            csrf: String::new(),
            home: String::new(),
            guest: false,
            waits: meeting.waiting_room,
            name: String::new(),
            note: if recorded {
                "This meeting is recorded from its first word.".to_owned()
            } else {
                String::new()
            },
            troubles: TROUBLES,
        }
    }
}
