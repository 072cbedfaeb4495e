//! Where people and numbers stand in the database: every column of text that belongs to a tenant. A test compares
//! the list with the schema.

use super::Subject;
use crate::meanings::{FORGET, UNMARK};
use crate::sql::{Row, Tx, args};
use crate::{Result, Scope};
use serde_json::Value;

/// What happens to words in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are taken out.
    Erased,
    /// The row goes: what it holds is its key.
    Dropped,
    /// They stay and are reported: somebody set them up, and calls go by them.
    Reported,
}

/// A table with what is looked through.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) table: &'static str,
    /// Its key beside the tenant.
    pub(super) keys: &'static [&'static str],
    /// Columns of plain text.
    pub(super) texts: &'static [&'static str],
    /// Columns of JSON: their strings, and their numbers where they are no figures of ours.
    pub(super) values: &'static [&'static str],
    pub(super) fate: Fate,
}

const fn erased(
    table: &'static str,
    keys: &'static [&'static str],
    texts: &'static [&'static str],
    values: &'static [&'static str],
) -> Place {
    let fate = Fate::Erased;
    Place {
        table,
        keys,
        texts,
        values,
        fate,
    }
}

const fn dropped(table: &'static str, keys: &'static [&'static str], texts: &'static [&'static str]) -> Place {
    Place {
        fate: Fate::Dropped,
        ..erased(table, keys, texts, &[])
    }
}

const fn reported(
    table: &'static str,
    keys: &'static [&'static str],
    texts: &'static [&'static str],
    values: &'static [&'static str],
) -> Place {
    Place {
        fate: Fate::Reported,
        ..erased(table, keys, texts, values)
    }
}

const ID: &[&str] = &["id"];

/// All places. The search's own texts are made anew from these.
pub(super) const PLACES: &[Place] = &[
    erased(
        "calls",
        ID,
        &["from_number", "from_name", "to_number", "notes"],
        &["metadata"],
    ),
    erased("legs", ID, &["party", "sip_call_id"], &[]),
    erased("call_events", &["call_id", "position"], &["detail"], &[]),
    dropped("call_tags", &["call_id", "tag"], &["tag"]),
    dropped("call_topics", &["call_id", "topic"], &["topic"]),
    dropped("call_signalling", &["call_id", "position"], &["parties"]),
    erased("consents", &["call_id", "position"], &["party", "text"], &[]),
    erased("recordings", ID, &["name", "description", "problem"], &[]),
    erased(
        "recording_tracks",
        &["recording_id", "position"],
        &["identity", "name"],
        &[],
    ),
    erased("uploads", ID, &["file_name"], &["about"]),
    erased("voicemails", ID, &["from_number", "to_number"], &[]),
    erased("transcripts", ID, &["text", "problem"], &["segments", "analysis"]),
    erased("notices", ID, &["detail"], &[]),
    erased("meetings", &["call_id"], &["room", "title", "host"], &[]),
    erased("meeting_members", ID, &["identity", "name"], &[]),
    erased(
        "meeting_messages",
        &["call_id", "id"],
        &["identity", "name", "text"],
        &[],
    ),
    erased("egresses", ID, &[], &["request"]),
    erased("webhook_posts", &["webhook_id", "number"], &["problem"], &["body"]),
    erased("room_webhooks", ID, &["problem"], &[]),
    dropped("search_questions", ID, &["text", "problem"]),
    dropped("saved_views", ID, &["name", "query"]),
    dropped("room_invitations", &["room_id", "email"], &["email", "name"]),
    erased("guest_links", ID, &["label"], &[]),
    erased("jobs", ID, &["problem"], &[]),
    erased("provider_days", &["provider", "task", "day"], &["last_problem"], &[]),
    reported("users", ID, &["email", "name", "extension"], &[]),
    reported("devices", ID, &["name", "username"], &[]),
    reported("bindings", &["device_id", "contact"], &["contact"], &[]),
    reported("numbers", ID, &["number", "friendly_name"], &[]),
    reported("trunks", ID, &["name", "host", "username", "prefix"], &[]),
    reported("prompts", ID, &["name", "source_name", "problem"], &[]),
    reported("greetings", ID, &["name", "text", "problem"], &[]),
    reported("speech", &["key"], &["key"], &[]),
    reported("flows", ID, &["name", "description"], &["draft"]),
    reported("flow_versions", ID, &["published_by", "problem"], &["definition"]),
    reported("rooms", ID, &["name", "title", "description", "created_by"], &[]),
    reported("settings", &["tier", "owner", "name"], &["name", "value"], &[]),
    reported("tokens", ID, &["name"], &[]),
    reported("room_keys", ID, &["name"], &[]),
    reported("sip_trunks", ID, &[], &["definition"]),
    reported("dispatch_rules", ID, &[], &["rule", "definition"]),
];

/// A row in which somebody stands.
#[derive(Debug)]
pub(super) struct Found {
    /// Its key, as text.
    pub(super) keys: Vec<String>,
    /// The columns in which they stand, as they are and as they would be without.
    pub(super) columns: Vec<(&'static str, String, String)>,
}

const KEY_NAMES: [&str; 3] = ["key0", "key1", "key2"];

impl Place {
    fn columns(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let texts = self.texts.iter().map(|name| (*name, false));
        texts.chain(self.values.iter().map(|name| (*name, true)))
    }

    /// The rows in which somebody stands.
    pub(super) async fn find(&self, tx: &mut Tx, scope: &Scope, subject: &Subject) -> Result<Vec<Found>> {
        let keys: Vec<String> = self
            .keys
            .iter()
            .zip(KEY_NAMES)
            .map(|(key, name)| format!("cast({key} as text) as {name}"))
            .collect();
        let columns: Vec<&str> = self.columns().map(|(name, _)| name).collect();
        let fits: Vec<String> = columns
            .iter()
            .map(|column| format!("lower({column}) like $2 escape '\\'"))
            .collect();
        let statement = format!(
            "select {}, {} from {} where tenant_id = $1 and ({})",
            keys.join(", "),
            columns.join(", "),
            self.table,
            fits.join(" or ")
        );
        let rows = tx.all_of(statement, args![scope.tenant(), subject.pattern()]).await?;
        let found = rows.iter().map(|row| self.found(row, subject));
        Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn found(&self, row: &Row, subject: &Subject) -> Result<Option<Found>> {
        let mut columns = Vec::new();
        for (name, is_json) in self.columns() {
            let Some(text) = row.opt_text(name)? else { continue };
            let left = if is_json {
                without(&text, subject, self.table != "transcripts")
            } else {
                subject.erased_from(&text)
            };
            columns.extend(left.map(|left| (name, text, left)));
        }
        if columns.is_empty() {
            return Ok(None);
        }
        let keys = self.keys.iter().zip(KEY_NAMES).map(|(_, name)| row.text(name));
        Ok(Some(Found {
            keys: keys.collect::<Result<_>>()?,
            columns,
        }))
    }

    fn is_this_row(&self, first: usize) -> String {
        let keys = self.keys.iter().zip(first..);
        let equal: Vec<String> = keys.map(|(key, at)| format!("cast({key} as text) = ${at}")).collect();
        format!("tenant_id = $1 and {}", equal.join(" and "))
    }

    /// Takes them out of a row, or the row away.
    pub(super) async fn erase(&self, tx: &mut Tx, scope: &Scope, found: &Found) -> Result<()> {
        let mut values = args![scope.tenant()];
        values.extend(found.keys.iter().flat_map(|key| args![key.clone()]));
        let first = 2 + self.keys.len();
        let statement = match self.fate {
            Fate::Reported => return Ok(()),
            Fate::Dropped => format!("delete from {} where {}", self.table, self.is_this_row(2)),
            Fate::Erased => {
                let sets: Vec<String> = found
                    .columns
                    .iter()
                    .zip(first..)
                    .map(|((name, ..), at)| format!("{name} = ${at}"))
                    .collect();
                values.extend(found.columns.iter().flat_map(|(_, _, left)| args![left.clone()]));
                let sets = sets.join(", ");
                format!("update {} set {sets} where {}", self.table, self.is_this_row(2))
            }
        };
        tx.all_of(statement, values).await?;
        if self.table == "transcripts" {
            // What it meant told of them too; it is understood anew from what is left.
            let mut key = args![scope.tenant()];
            key.extend(found.keys.iter().flat_map(|key| args![key.clone()]));
            tx.run(FORGET, key.clone()).await?;
            tx.run(UNMARK, key).await?;
        }
        Ok(())
    }
}

/// JSON without somebody: strings alone, or numbers too. Text that is no JSON is taken as it stands.
fn without(text: &str, subject: &Subject, and_numbers: bool) -> Option<String> {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return subject.erased_from(text);
    };
    strike(&mut value, subject, and_numbers).then(|| value.to_string())
}

fn strike(value: &mut Value, subject: &Subject, and_numbers: bool) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => {
            let is_theirs = and_numbers && subject.is_in(&number.to_string());
            if is_theirs {
                *value = Value::String(strowger_model::subject::ERASED.to_owned());
            }
            is_theirs
        }
        Value::String(text) => subject.erased_from(text).is_some_and(|left| {
            *text = left;
            true
        }),
        Value::Array(items) => {
            let mut changed = false;
            for item in items {
                changed |= strike(item, subject, and_numbers);
            }
            changed
        }
        Value::Object(pairs) => {
            let mut changed = false;
            for (key, mut item) in std::mem::take(pairs) {
                changed |= strike(&mut item, subject, and_numbers);
                let left = subject.erased_from(&key);
                changed |= left.is_some();
                pairs.insert(left.unwrap_or(key), item);
            }
            changed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Columns that hold no words of people: ids, codes, hashes, sealed secrets, audio.
    const WORDLESS: &[&str] = &[
        "id",
        "tenant_id",
        "call_id",
        "user_id",
        "recording_id",
        "transcript_id",
        "room_id",
        "webhook_id",
        "flow_id",
        "trunk_id",
        "key_id",
        "device_id",
        "leg_id",
        "job_id",
        "capture_id",
        "worker",
        "direction",
        "call_type",
        "state",
        "cause",
        "side",
        "codec",
        "quality",
        "kind",
        "role",
        "outcome",
        "digit",
        "format",
        "sha256",
        "blob",
        "source_blob",
        "audio_blob",
        "peaks",
        "recorded_by",
        "source",
        "source_id",
        "meant_by",
        "language",
        "provider",
        "model",
        "currency",
        "flow_version",
        "target",
        "reason",
        "sid",
        "algorithm",
        "ha1",
        "transport",
        "addresses",
        "secret",
        "secret_hash",
        "wrapped",
        "published",
        "event",
        "payload",
        "lock_kind",
        "tier",
        "owner",
        "day",
        "task",
        "zone",
        "pin",
        "recording",
        "url",
        "instance",
        "user_agent",
        "password_hash",
        "sip_call_id",
        "report",
        "actor",
        "upload_id",
    ];

    /// Tables that are made anew, follow by themselves, or are looked at in a way of their own.
    const OTHERWISE: &[&str] = &["audit", "tenant_keys", "object_keys"];

    #[test]
    fn every_column_of_words_is_a_place() {
        let schema: String = [
            "0001_schema",
            "0002_saved_views",
            "0010_room_keys",
            "0012_minutes",
            "0014_meetings",
        ]
        .into_iter()
        .chain([
            "0024_webhook_posts",
            "0026_trunk_health_and_number_pool",
            "0034_provider_days",
        ])
        .chain([
            "0036_consents",
            "0038_erasures",
            "0044_bucket_and_uploads",
            "0047_meanings",
            "0070_topics",
        ])
        .map(|name| {
            let path = format!("{}/../../migrations/{name}.sql", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        })
        .collect();
        let mut missing = BTreeSet::new();
        for table in schema.split("create table ").skip(1) {
            let (name, rest) = table.split_once(' ').unwrap();
            let columns = rest.split(");").next().unwrap();
            if !columns.contains("tenant_id text") || OTHERWISE.contains(&name) {
                continue;
            }
            for line in columns.lines().map(str::trim) {
                let mut words = line.split_whitespace();
                let (Some(column), Some(kind)) = (words.next(), words.next()) else {
                    continue;
                };
                let is_known = || {
                    let place = PLACES.iter().find(|place| place.table == name);
                    place.is_some_and(|place| place.columns().any(|(known, _)| known == column))
                };
                if kind.trim_end_matches(',') == "text" && !WORDLESS.contains(&column) && !is_known() {
                    missing.insert(format!("{name}.{column}"));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn json_loses_names_and_numbers_and_keeps_its_shape() {
        let subject = Subject::read("+4912345678").unwrap();
        let text = r#"{"to":"+4912345678","n":4912345678,"x":[1,"call 004912345678"],"004912345678":true}"#;
        let left = without(text, &subject, true).unwrap();
        let value: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(value["n"], "[erased]");
        assert!(!left.contains("12345678") && value["x"][0] == 1, "{left}");
        assert!(without(r#"{"start_ms":4912345678}"#, &subject, false).is_none());
    }
}
