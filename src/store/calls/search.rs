//! The search of the log: one text a call, kept beside it, and an index of that text by its trigrams.

use super::log::Where;
use crate::Result;
use crate::documents;
use crate::sql::{Engine, Row, Tx, args, escape_like};
use strowger_model::speech::Analysis;
use strowger_model::{CallId, TenantId};

/// Calls of one millisecond that can be told apart.
const PLACES_A_MILLISECOND: i64 = 1 << 20;

/// Where rows come from and in which order they come without sorting.
pub(super) struct Source {
    pub(super) from: &'static str,
    pub(super) order: &'static str,
    /// The clause that continues after the place of a call, given as `?`.
    pub(super) after: &'static str,
}

/// Looks for `text` as a part of the calls' texts: adds it to the clause and says where to read.
pub(super) fn look_for(engine: Engine, text: &str, clause: &mut Where) -> Source {
    let text = text.to_lowercase();
    let like = format!("%{}%", escape_like(&text));
    match engine {
        // The full-text index knows nothing shorter than three letters.
        Engine::Sqlite if text.chars().count() >= 3 => {
            clause.and(
                "call_words match ?",
                args![format!("\"{}\"", text.replace('"', "\"\""))],
            );
            Source {
                from: "call_words cross join call_texts on call_texts.place = call_words.rowid \
                       cross join calls on calls.id = call_texts.call_id",
                order: "call_words.rowid desc",
                after: "call_words.rowid < (select place from call_texts where call_id = ?)",
            }
        }
        Engine::Sqlite => {
            clause.and("call_texts.tenant_id = $1", vec![]);
            clause.and("call_texts.text like ? escape '\\'", args![like]);
            Source {
                from: "call_texts cross join calls on calls.id = call_texts.call_id",
                order: "call_texts.place desc",
                after: "call_texts.place < (select place from call_texts where call_id = ?)",
            }
        }
        Engine::Postgres => {
            clause.and("call_texts.tenant_id = $1", vec![]);
            clause.and("call_texts.text like ?", args![like]);
            Source {
                from: "call_texts join calls on calls.id = call_texts.call_id",
                order: "call_texts.place desc",
                after: "call_texts.place < (select place from call_texts where call_id = ?)",
            }
        }
    }
}

/// Brings a call's text up to date with its row, its tags and its transcripts. Whoever changes one of
/// these calls it in the same transaction.
pub(crate) async fn refresh(tx: &mut Tx, tenant: TenantId, call: CallId) -> Result<()> {
    let key = || args![tenant, call];
    let Some(row) = tx
        .one(
            "select started_at, from_number, to_number, coalesce(from_name, '') as from_name, notes from calls \
             where tenant_id = $1 and id = $2",
            key(),
        )
        .await?
    else {
        return Ok(());
    };
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
    for row in &transcripts {
        texts.add(&row.text("text")?, row.opt_json("analysis")?);
    }
    parts.push(texts.said.clone());
    parts.retain(|part| !part.is_empty());
    let place = put(tx, tenant, call, &row, &parts.join("\n").to_lowercase()).await?;
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
    fn add(&mut self, said: &str, analysis: Option<Analysis>) {
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
