//! What the search shows.

use crate::query::encoded;
use crate::show::{Shell, words};
use askama::Template;
use askama_web::WebTemplate;
use strowger_model::record;
use strowger_model::search::Piece;
use strowger_store::{Answer, Hit, Where};

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The calls, newest first.
    pub hits: Vec<Hit>,
    /// The key of the next page.
    pub next: Option<String>,
    /// The key of this page.
    pub after: String,
    /// What was typed.
    pub asked: String,
    /// Where was looked.
    pub place: Option<Where>,
    /// Whether it was looked for what means the same.
    pub means: bool,
    /// Why it was not, though that was asked for.
    pub note: &'static str,
}

/// Nobody can tell what texts mean.
pub const NOBODY: &str = "These are the words: this tenant names no language service that tells what texts mean.";
/// Somebody could and did not.
pub const FAILED: &str =
    "These are the words: the language service that tells what texts mean did not answer. Try again in a minute.";

/// A place in a call.
#[derive(Debug, Clone)]
pub struct Line {
    /// The time as shown, empty for notes.
    pub at: String,
    /// The page of the call at that second.
    pub href: String,
    /// Who said it.
    pub who: String,
    /// Whether it is not from what was said.
    pub ours: bool,
    /// What stands there.
    pub pieces: Vec<Piece>,
    /// Where it stands.
    pub part: &'static str,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who to whom.
    pub title: String,
    /// When.
    pub when: String,
    /// Its page.
    pub href: String,
    /// Its places.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
}

/// The search page.
#[derive(Debug, Clone, Template, WebTemplate)]
#[template(path = "search/search.html")]
pub struct SearchPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The heading.
    pub title: String,
    /// The address of this page.
    pub here: String,
    /// What was typed.
    pub asked: String,
    /// Where one can look: code and name.
    pub places: Vec<(&'static str, &'static str)>,
    /// Where was looked.
    pub place: &'static str,
    /// Whether it is looked for what means the same.
    pub means: bool,
    /// Why it was looked for words instead.
    pub note: &'static str,
    /// In which order they stand.
    pub ordered: &'static str,
    /// The same words in the log of calls.
    pub calls: String,
    /// How many are shown.
    pub counted: String,
    /// The calls.
    pub hits: Vec<Call>,
    /// The first page, when this is not it.
    pub newest: String,
    /// The next page.
    pub older: String,
}

fn name(part: Where) -> &'static str {
    match part {
        Where::Said => "Transcript",
        Where::Summary => "Summary",
        Where::Notes => "Notes",
    }
}

fn line(answer: &Answer, page: &str) -> Line {
    let place = &answer.place;
    let at = place.at_ms.unwrap_or(0);
    Line {
        at: place.at_ms.map(words::clock).unwrap_or_default(),
        href: match place.line_ms {
            Some(line_ms) => format!("{page}&at={at}#t{line_ms}"),
            None => page.to_owned(),
        },
        who: place.speaker.clone(),
        ours: answer.part != Where::Said,
        pieces: place.pieces.clone(),
        part: name(answer.part),
    }
}

/// Who spoke to whom. Only what was brought from outside may have no number at all.
fn title(call: &record::Call) -> String {
    let from = call.from_name.as_deref().filter(|name| !name.is_empty());
    between(from.unwrap_or(&call.from_number), &call.to_number)
}

fn between(from: &str, to: &str) -> String {
    match (from, to) {
        ("", "") => "Imported recording".to_owned(),
        ("", to) => format!("Unknown to {to}"),
        (from, "") => format!("{from} to unknown"),
        (from, to) => format!("{from} to {to}"),
    }
}

/// Makes the page.
#[must_use]
pub fn page(shell: &Shell, base: &str, found: &Found) -> SearchPage {
    let asked = encoded(&found.asked);
    let place = found.place.map_or("", Where::code);
    let here = format!("{base}/search");
    let hits = found.hits.iter().map(|hit| {
        let href = format!("{base}/calls/{}?find={asked}", hit.call.id);
        Call {
            title: title(&hit.call),
            when: shell.clock.stamp(hit.call.started_at),
            lines: hit.places.iter().map(|answer| line(answer, &href)).collect(),
            more: hit.more,
            href,
        }
    });
    let by = if found.means { "&by=meaning" } else { "" };
    let mut places = vec![("", "Everywhere")];
    places.extend(Where::ALL.iter().map(|(code, part)| (*code, name(*part))));
    SearchPage {
        shell: shell.clone(),
        title: "Search".into(),
        asked: found.asked.clone(),
        places,
        place,
        means: found.means,
        note: found.note,
        ordered: if found.means && found.note.is_empty() {
            "Nearest first"
        } else {
            "Newest first"
        },
        calls: format!("{base}/calls?q={asked}"),
        counted: words::count(i64::try_from(found.hits.len()).unwrap_or(0), "call", "calls"),
        hits: hits.collect(),
        newest: if found.after.is_empty() {
            String::new()
        } else {
            format!("{here}?q={asked}&in={place}{by}")
        },
        older: found
            .next
            .as_ref()
            .map(|key| format!("{here}?q={asked}&in={place}{by}&after={key}"))
            .unwrap_or_default(),
        here,
    }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn whoever_has_no_number_has_a_name_to_click_on() {
        let said = [("", ""), ("", "200"), ("Ada", ""), ("Ada", "200")].map(|(from, to)| between(from, to));
        assert_eq!(
            said,
            ["Imported recording", "Unknown to 200", "Ada to unknown", "Ada to 200"]
        );
    }
}
