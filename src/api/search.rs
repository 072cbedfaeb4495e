//! `/api/search`: words in what was said, understood and noted.

use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::state::ApiState;
use crate::wire::{Cursor, items, page, stamp};
use axum::Json;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strowger_model::UserId;
use strowger_model::role::Permission;
use strowger_model::search::Question;
use strowger_store::{Answer, ByMeaning, Hit, Narrowed, Where};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(search))
}

/// How long a worker may take to have a question understood that was not put before.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is looked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Words, of which all must occur; words of three letters and more may go on. `"A phrase"` is meant as
    /// written. Case and accents do not matter.
    #[serde(default)]
    q: String,
    /// `transcript`, `summary` or `notes`; all of them when absent.
    #[serde(rename = "in")]
    #[param(rename = "in")]
    place: Option<String>,
    /// `true` looks for what means the same instead of for words: the nearest calls, on one page. Where the tenant
    /// names no language service for that, or it does not answer, it is looked for words, and `note` says so.
    #[serde(default)]
    semantic: bool,
    /// Calls of this user.
    user_id: Option<Uuid>,
    /// Calls to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundJson {
    /// The calls: with words the newest first, by meaning the nearest first.
    items: Vec<HitJson>,
    /// Asks for the next page; `null` on the last.
    next_cursor: Option<String>,
    /// How it was looked: `words` or `meaning`.
    mode: &'static str,
    /// Why it was looked for words though meaning was asked for.
    note: Option<String>,
}

/// A call that answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HitJson {
    /// The call.
    call_id: Uuid,
    /// When it began.
    start_time: String,
    /// Who called.
    from_number: String,
    /// Their name, if known.
    from_name: Option<String>,
    /// What was dialled.
    to_number: String,
    /// Where it answers, at most four places.
    places: Vec<PlaceJson>,
    /// How many more places there are.
    more: usize,
    /// By meaning: how near it is, 1 means the same.
    nearness: Option<f32>,
}

/// A place that answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlaceJson {
    /// `transcript`, `summary` or `notes`.
    part: &'static str,
    /// The transcript, for what was said or understood.
    transcript_id: Option<Uuid>,
    /// Its recording.
    recording_id: Option<Uuid>,
    /// Where its audio is.
    audio_url: Option<String>,
    /// Who said it.
    speaker: String,
    /// Where the word begins, milliseconds from the start of the audio.
    at_ms: Option<i64>,
    /// What stands there.
    text: String,
    /// The same in pieces: those that were looked for are marked.
    pieces: Vec<PieceJson>,
}

/// A piece of a text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PieceJson {
    /// The text.
    text: String,
    /// Whether it was looked for.
    found: bool,
}

impl From<Answer> for PlaceJson {
    fn from(answer: Answer) -> Self {
        let place = answer.place;
        Self {
            part: answer.part.code(),
            transcript_id: answer.transcript.map(|id| id.uuid()),
            recording_id: answer.recording.map(|id| id.uuid()),
            audio_url: answer.recording.map(|id| format!("/api/recordings/{id}/audio")),
            speaker: place.speaker,
            at_ms: place.at_ms,
            text: place.pieces.iter().map(|piece| piece.text.as_str()).collect(),
            pieces: place
                .pieces
                .into_iter()
                .map(|piece| PieceJson {
                    text: piece.text,
                    found: piece.found,
                })
                .collect(),
        }
    }
}

impl From<Hit> for HitJson {
    fn from(hit: Hit) -> Self {
        Self {
            call_id: hit.call.id.uuid(),
            start_time: stamp(hit.call.started_at),
            from_number: hit.call.from_number,
            from_name: hit.call.from_name,
            to_number: hit.call.to_number,
            places: hit.places.into_iter().map(PlaceJson::from).collect(),
            more: hit.more,
            nearness: None,
        }
    }
}

/// Looks for words in transcripts, summaries and notes: the calls that hold them, newest first, each with
/// the second at which they were said. With `semantic` for what means the same.
#[utoipa::path(
    get, path = "/api/search", tag = "transcription", params(SearchQuery),
    responses((status = 200, description = "The calls that answer", body = FoundJson), Refusals)
)]
pub(crate) async fn search(caller: Caller, Asked(query): Asked<SearchQuery>) -> Result<Json<FoundJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let question = Question::read(&query.q);
    if question.is_empty() {
        return Err(Problem::field("q", "write a word to look for"));
    }
    let to = match query.place.as_deref() {
        None | Some("") => None,
        Some(word) => {
            let place = Where::from_code(word);
            Some(place.ok_or_else(|| Problem::field("in", "one of `transcript`, `summary` and `notes`"))?)
        }
    };
    let narrowed = Narrowed {
        to,
        user: query.user_id.map(UserId::from_uuid),
    };
    let mut note = None;
    if query.semantic {
        let limit = usize::try_from(items(query.limit.or(Some(20)))?).unwrap_or(20);
        match scope.meanings().search(&query.q, narrowed, limit, PATIENCE).await? {
            ByMeaning::Found(hits) => {
                let items = hits.into_iter().map(|(hit, nearness)| HitJson {
                    nearness: Some(nearness),
                    ..HitJson::from(hit)
                });
                return Ok(Json(FoundJson {
                    items: items.collect(),
                    next_cursor: None,
                    mode: "meaning",
                    note: None,
                }));
            }
            ByMeaning::Nobody => note = Some("no language service tells meanings here (ai_embedding_order)".to_owned()),
            ByMeaning::Failed(problem) => note = Some(format!("the language service did not answer: {problem}")),
        }
    }
    let found = scope
        .documents()
        .find(&question, narrowed, &page(query.cursor, query.limit, Cursor::Whole)?)
        .await?;
    Ok(Json(FoundJson {
        items: found.items.into_iter().map(HitJson::from).collect(),
        next_cursor: found.next,
        mode: "words",
        note,
    }))
}
