//! The sample flows shipped with the product, to begin from.

use serde_json::Value;

/// A flow to begin from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its short name, which is its file's.
    pub name: &'static str,
    /// Its JSON, with `name` and `description` beside `nodes` and `edges`.
    pub text: &'static str,
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Every template.
        pub const ALL: &[Template] =
            &[$(Template { name: $name, text: include_str!(concat!("../../flows/", $name, ".json")) }),*];
    };
}

templates![
    "auto-attendant",
    "business-hours",
    "ring-group",
    "simple-menu",
    "voicemail-only",
    "meeting-room",
    "two-languages",
    "follow-me",
    "information-line",
    "on-call-line",
    "receptionist",
    "voice-app",
];

impl Template {
    /// The template of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|template| template.name == name)
    }

    /// The flow's JSON.
    #[must_use]
    pub fn definition(&self) -> Value {
        // A test reads every file.
        serde_json::from_str(self.text).unwrap_or_default()
    }

    /// What people read: the flow's own name, or the file's.
    #[must_use]
    pub fn title(&self) -> String {
        self.word("name").unwrap_or_else(|| self.name.to_owned())
    }

    /// One sentence.
    #[must_use]
    pub fn description(&self) -> String {
        self.word("description").unwrap_or_default()
    }

    fn word(&self, field: &str) -> Option<String> {
        Some(self.definition().get(field)?.as_str()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, instant};
    use crate::{Catalogue, Flow, Trace, check, simulate};
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use time::OffsetDateTime;
    use time::macros::datetime;

    /// A Monday at noon in Europe.
    const WORKDAY: OffsetDateTime = datetime!(2026-03-02 11:00 UTC);
    const SUNDAY: OffsetDateTime = datetime!(2026-03-01 11:00 UTC);
    const CHRISTMAS: OffsetDateTime = datetime!(2026-12-25 11:00 UTC);

    fn flow(name: &str) -> Arc<Flow> {
        let (flow, findings) = check(&Template::named(name).unwrap().definition(), &Catalogue::unknown());
        assert_eq!(findings, [], "{name}");
        Arc::new(flow.unwrap())
    }

    fn call(name: &str, script: &str, now: OffsetDateTime) -> Trace {
        simulate(&flow(name), script.parse().unwrap(), context(now), instant())
    }

    #[test]
    fn every_file_is_listed_and_every_listed_file_passes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(name)
            .filter(|name| name.ends_with(".json"))
            .collect();
        assert_eq!(
            files,
            ALL.iter().map(|template| format!("{}.json", template.name)).collect()
        );
        for template in ALL {
            let flow = flow(template.name);
            assert_eq!(
                *flow.definition(),
                serde_json::from_str::<Value>(template.text).unwrap()
            );
        }
    }

    #[test]
    fn every_template_but_the_plain_one_says_what_it_is_for() {
        for template in ALL.iter().filter(|template| template.name != "simple-menu") {
            assert!(
                !template.description().is_empty() && template.title() != template.name,
                "{}",
                template.name
            );
        }
    }

    #[test]
    fn scripted_calls_take_the_way_they_should() {
        for (name, script, now, path) in [
            ("simple-menu", "1", WORKDAY, "start menu1 dial1"),
            ("simple-menu", "wait,wait,wait", WORKDAY, "start menu1"),
            ("auto-attendant", "1", WORKDAY, "start welcome menu sales"),
            (
                "auto-attendant",
                "2,no-answer",
                WORKDAY,
                "start welcome menu support message",
            ),
            ("auto-attendant", "0,busy", WORKDAY, "start welcome menu desk message"),
            ("auto-attendant", "999", WORKDAY, "start welcome menu goodbye end"),
            (
                "auto-attendant",
                "9,1,failed",
                WORKDAY,
                "start welcome menu sales message",
            ),
            ("auto-attendant", "", WORKDAY, "start welcome menu desk"),
            ("business-hours", "", WORKDAY, "start hours office"),
            (
                "business-hours",
                "no-answer",
                WORKDAY,
                "start hours office busy-notice message",
            ),
            ("business-hours", "", SUNDAY, "start hours closed message"),
            ("business-hours", "", CHRISTMAS, "start hours holiday message"),
            ("ring-group", "", WORKDAY, "start first"),
            (
                "ring-group",
                "busy,no-answer",
                WORKDAY,
                "start first please-wait everybody message",
            ),
            ("voicemail-only", "", WORKDAY, "start message thanks end"),
            ("meeting-room", "1", WORKDAY, "start ask room goodbye end"),
            ("meeting-room", "", WORKDAY, "start ask goodbye end"),
            (
                "two-languages",
                "2,no-answer",
                WORKDAY,
                "start choose german team-german message",
            ),
            ("two-languages", "1", WORKDAY, "start choose english team-english"),
            ("follow-me", "busy,answered", WORKDAY, "start desk mobile"),
            ("follow-me", "no-answer,failed", WORKDAY, "start desk mobile message"),
            (
                "information-line",
                "1,*,2",
                WORKDAY,
                "start topics address again topics opening again goodbye end",
            ),
            ("information-line", "0,busy", WORKDAY, "start topics person message"),
            ("on-call-line", "", WORKDAY, "start hours team"),
            (
                "on-call-line",
                "busy,no-answer",
                SUNDAY,
                "start hours on-call pager second message",
            ),
            ("receptionist", "", WORKDAY, "start receptionist goodbye end"),
            (
                "receptionist",
                "no-answer,busy",
                WORKDAY,
                "start receptionist desk message",
            ),
            ("voice-app", "", WORKDAY, "start app goodbye end"),
            ("voice-app", "failed,busy", WORKDAY, "start app desk message"),
        ] {
            let trace = call(name, script, now);
            assert_eq!(trace.path().join(" "), path, "{name} {script}\n{trace}");
            assert!(trace.cause.is_some(), "{name} {script}: the flow ends the call");
            assert_eq!(trace.unused, 0, "{name} {script}");
        }
    }

    #[test]
    fn the_templates_use_every_kind_of_node_but_uploaded_audio() {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for template in ALL {
            used.extend(flow(template.name).nodes().map(|(_, kind)| kind));
        }
        let kinds: BTreeSet<&str> = crate::nodes::kinds().filter(|kind| *kind != "play").collect();
        assert_eq!(used, kinds);
    }
}
