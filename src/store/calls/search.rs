//! The search of the log: one text a call, kept beside it, and an index of that text by its trigrams.

use super::log::Where;
use super::topics;
use crate::Result;
use crate::documents;
use crate::sql::{Engine, Row, ToArg as _, Tx, args, escape_like};
use strowger_model::speech::Analysis;
use strowger_model::{CallId, TenantId};

/// Calls of one millisecond that can be told apart.
const PLACES_A_MILLISECOND: i64 = 1 << 20;

/// Texts that are read one by one for something shorter than three letters, before the index is asked: what is
/// frequent is found among them, and what is rare the index finds fast.
const NEAR: u32 = 20_000;

/// Where rows come from and in which order they come without sorting.
pub(super) struct Source {
    pub(super) from: String,
    pub(super) order: &'static str,
    /// The clause that continues after the place of a call, given as `?`; empty where `from` says so itself.
    pub(super) after: &'static str,
}

/// How far a search looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// Everywhere.
    All,
    /// At the next [`NEAR`] texts after the call with this id, or at the newest.
    Near(Option<&'a str>),
}

/// Whether looking near first is worth while: SQLite's index knows nothing shorter than three letters, and
/// PostgreSQL plans by itself.
pub(super) fn is_short(engine: Engine, text: &str) -> bool {
    engine == Engine::Sqlite && text.chars().count() < 3
}

/// Looks for `text` as a part of the calls' texts: adds it to the clause and says where to read.
pub(super) fn look_for(engine: Engine, text: &str, reach: Reach<'_>, clause: &mut Where) -> Source {
    let text = text.to_lowercase();
    let like = format!("%{}%", escape_like(&text));
    if let Reach::Near(after) = reach {
        let after = after.map_or_else(String::new, |call| {
            let place = clause.place(call.arg());
            format!(" and place < (select place from call_texts where call_id = {place})")
        });
        clause.and("call_texts.text like ? escape '\\'", args![like]);
        return Source {
            from: format!(
                "(select place, call_id, text from call_texts where tenant_id = $1{after} order by place desc \
                 limit {NEAR}) as call_texts cross join calls on calls.id = call_texts.call_id"
            ),
            order: "call_texts.place desc",
            after: "",
        };
    }
    match engine {
        Engine::Sqlite => {
            if is_short(engine, &text) {
                // The last words are in no text: a search for nothing would be an error.
                clause.and(
                    "call_words match (select coalesce(group_concat('\"' || replace(term, '\"', '\"\"') || '\"', ' OR '), \
                     '\"' || char(1, 1, 1) || '\"') from call_terms where term >= ? and term < ?)",
                    args![text.clone(), after_all_that_begin_with(&text)],
                );
            } else {
                clause.and(
                    "call_words match ?",
                    args![format!("\"{}\"", text.replace('"', "\"\""))],
                );
            }
            Source {
                from: "call_words cross join call_texts on call_texts.place = call_words.rowid \
                       cross join calls on calls.id = call_texts.call_id"
                    .to_owned(),
                order: "call_words.rowid desc",
                after: "call_words.rowid < (select place from call_texts where call_id = ?)",
            }
        }
        Engine::Postgres => {
            clause.and("call_texts.tenant_id = $1", vec![]);
            clause.and("call_texts.text like ?", args![like]);
            Source {
                from: "call_texts join calls on calls.id = call_texts.call_id".to_owned(),
                order: "call_texts.place desc",
                after: "call_texts.place < (select place from call_texts where call_id = ?)",
            }
        }
    }
}

/// The first text that comes after all which begin with `text`, in the order of bytes.
fn after_all_that_begin_with(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    while let Some(last) = letters.pop() {
        // The code points of surrogates are no letters.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            letters.push(next);
            break;
        }
    }
    letters.into_iter().collect()
}

/// Brings a call's text up to date with its row, its tags and its transcripts. Whoever changes one of
/// these calls it in the same transaction.
pub(crate) async fn refresh(tx: &mut Tx, tenant: TenantId, call: CallId) -> Result<()> {
    let key = || args![tenant, call];
    let statement = format!(
        "select started_at, from_number, to_number, coalesce(from_name, '') as from_name, notes, {} from calls \
         where tenant_id = $1 and id = $2",
        topics::Standing::COLUMNS
    );
    let rows = tx.all_of(statement, key()).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let mut parts = vec![
        row.text("from_number")?,
        row.text("to_number")?,
        row.text("from_name")?,
        row.text("notes")?,
    ];
    let tags = tx
        .all(
            "select tag from call_tags where tenant_id = $1 and call_id = $2 order by tag",
            key(),
        )
        .await?;
    parts.extend(tags.iter().map(|row| row.text("tag")).collect::<Result<Vec<_>>>()?);
    let transcripts = tx
        .all(
            "select text, analysis from transcripts where tenant_id = $1 and call_id = $2 order by id",
            key(),
        )
        .await?;
    let mut texts = Texts {
        notes: row.text("notes")?,
        ..Texts::default()
    };
    let mut understood = Vec::new();
    for row in &transcripts {
        let analysis: Option<Analysis> = row.opt_json("analysis")?;
        texts.add(&row.text("text")?, analysis.as_ref());
        understood.extend(analysis);
    }
    topics::refresh(tx, tenant, call, topics::Standing::of(row)?, &understood).await?;
    parts.push(texts.said.clone());
    parts.retain(|part| !part.is_empty());
    // Two line feeds at the end: each letter begins a trigram, as a search for one or two letters needs it.
    let text = format!("{}\n\n", parts.join("\n").to_lowercase());
    let place = put(tx, tenant, call, row, &text).await?;
    match place {
        Some(place) => documents::put(tx, tenant, call, place, &texts).await,
        None => Ok(()),
    }
}

/// What was said, understood and noted in a call.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) said: String,
    pub(crate) understood: String,
    pub(crate) notes: String,
}

impl Texts {
    fn add(&mut self, said: &str, analysis: Option<&Analysis>) {
        let line = |into: &mut String, text: &str| {
            if !into.is_empty() && !text.is_empty() {
                into.push('\n');
            }
            into.push_str(text);
        };
        line(&mut self.said, said);
        let Some(analysis) = analysis else { return };
        line(&mut self.understood, &analysis.summary);
        for point in analysis.key_points.iter().chain(&analysis.action_items) {
            line(&mut self.understood, &point.text);
        }
    }
}

/// Keeps the text and gives its place.
async fn put(tx: &mut Tx, tenant: TenantId, call: CallId, row: &Row, text: &str) -> Result<Option<i64>> {
    let standing = tx
        .one(
            "select place, text from call_texts where tenant_id = $1 and call_id = $2",
            args![tenant, call],
        )
        .await?;
    if let Some(standing) = standing {
        if standing.text("text")? != text {
            tx.run(
                "update call_texts set text = $3 where tenant_id = $1 and call_id = $2",
                args![tenant, call, text],
            )
            .await?;
        }
        return Ok(Some(standing.int("place")?));
    }
    // The id's last bits are random: two calls of one millisecond seldom want the same place.
    let [.., a, b, c] = call.uuid().into_bytes();
    let random = i64::from(u32::from_be_bytes([0, a, b, c])) % PLACES_A_MILLISECOND;
    let start = row.int("started_at")?.saturating_mul(PLACES_A_MILLISECOND);
    for step in 0..PLACES_A_MILLISECOND {
        let place = start.saturating_add((random + step) % PLACES_A_MILLISECOND);
        let put = tx
            .run(
                "insert into call_texts (place, tenant_id, call_id, text) values ($1, $2, $3, $4) \
                 on conflict (place) do nothing",
                args![place, tenant, call, text],
            )
            .await?;
        if put > 0 {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_range_of_beginnings_is_their_next_letter() {
        for (text, end) in [("zq", "zr"), ("a", "b"), ("\u{d7ff}", "\u{e000}"), ("a\u{10ffff}", "b")] {
            assert_eq!(after_all_that_begin_with(text), end);
        }
    }
}
