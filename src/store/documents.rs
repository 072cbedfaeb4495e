//! Looking for words in what was said, understood and noted: one question over both engines.
//!
//! The index leads to calls, newest first; what is shown of a call and where a word was said comes from
//! its rows, read for the page alone.

use crate::Result;
use crate::calls::{call_of, search::Texts};
use crate::scope::area;
use crate::sql::{Engine, Page, Paged, ToArg, Tx, args, cut_by};
use crate::transcripts::transcript_of;
use strowger_model::record::Call;
use strowger_model::search::{Part, Place, Question, folded};
use strowger_model::transcript::Transcript;
use strowger_model::{CallId, TenantId, UserId};

/// PostgreSQL takes at most a megabyte of words for one document.
const MOST_BYTES: usize = 600_000;

/// Where is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// What was said.
    Said,
    /// What was understood: summaries, key points, action items.
    Summary,
    /// What people noted.
    Notes,
}

impl Where {
    /// All of them, with the word each is asked for by.
    pub const ALL: [(&'static str, Self); 3] = [
        ("transcript", Self::Said),
        ("summary", Self::Summary),
        ("notes", Self::Notes),
    ];

    /// The word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Said => "transcript",
            Self::Summary => "summary",
            Self::Notes => "notes",
        }
    }

    /// The place of that name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == code)
            .map(|(_, place)| *place)
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::Summary => "summary",
            Self::Notes => "notes",
        }
    }

    const fn weight(self) -> &'static str {
        match self {
            Self::Said => "A",
            Self::Summary => "B",
            Self::Notes => "C",
        }
    }
}

/// What narrows a search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Only there; everywhere when `None`.
    pub to: Option<Where>,
    /// Only calls of this person.
    pub user: Option<UserId>,
}

/// A call that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The call, without its tags.
    pub call: Call,
    /// Where it answers, the transcript's places with the transcript; at most [`Hit::MOST`].
    pub places: Vec<Answer>,
    /// How many places there are besides those.
    pub more: usize,
}

impl Hit {
    /// The most places of a call that are shown.
    pub const MOST: usize = 4;
}

/// A place that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Where it stands.
    pub part: Where,
    /// The transcript, for what was said or understood.
    pub transcript: Option<strowger_model::TranscriptId>,
    /// Its recording.
    pub recording: Option<strowger_model::RecordingId>,
    /// What stands there.
    pub place: Place,
}

pub(crate) const CALL_COLUMNS: &str = "c.id, c.tenant_id, c.user_id, c.direction, c.call_type, c.state, c.from_number, c.from_name, \
     c.to_number, c.started_at, c.answered_at, c.ended_at, c.duration_ms, c.cause, c.flow_version, c.notes, c.metadata, \
     c.transcribe, c.cost_micros, c.currency";

area! {
    /// The search over what was said, understood and noted in the tenant's calls.
    Documents, documents
}

impl Documents {
    /// The calls that answer a question, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn find(&self, question: &Question, narrowed: Narrowed, page: &Page) -> Result<Paged<Hit>> {
        if question.is_empty() {
            return Ok(Paged {
                items: Vec::new(),
                next: None,
            });
        }
        let tenant = self.scope.tenant();
        let engine = self.scope.store().db().engine();
        let before = page
            .after
            .as_deref()
            .and_then(|key| key.parse().ok())
            .unwrap_or(i64::MAX);
        let mut tx = self.scope.read().await?;
        let asked = asked(engine, question, narrowed.to);
        let values = || args![tenant, asked.as_str(), before, narrowed.user, page.fetch()];
        let rows = match engine {
            Engine::Sqlite => {
                let few = has_few(&mut tx, tenant, narrowed.user, OWN).await?;
                tx.all_of(in_sqlite(few), values()).await?
            }
            Engine::Postgres => {
                tx.run("set local plan_cache_mode = force_custom_plan", args![]).await?;
                let newest = tx.all_of(in_newest(), values()).await?;
                if newest.len() as i64 >= page.fetch() {
                    newest
                } else {
                    // Of a beginning PostgreSQL knows nothing and expects one text in two hundred. Where there are far
                    // fewer it would walk through all of them, newest first; an index has the few at once.
                    let few = few(&mut tx, tenant, question, narrowed).await?;
                    tx.all_of(in_all(few), values()).await?
                }
            }
        };
        let found = rows
            .iter()
            .map(|row| Ok((row.int("place")?, call_of(row)?)))
            .collect::<Result<Vec<_>>>()?;
        let found = cut_by(found, page, |(place, _)| place.to_string());
        let mut hits = Vec::with_capacity(found.items.len());
        let calls: Vec<Call> = found.items.into_iter().map(|(_, call)| call).collect();
        let transcripts = transcripts(&mut tx, tenant, &calls).await?;
        for call in calls {
            let own: Vec<&Transcript> = transcripts.iter().filter(|one| one.call == call.id).collect();
            hits.push(hit(call, &own, question, narrowed.to));
        }
        Ok(Paged {
            items: hits,
            next: found.next,
        })
    }
}

/// So many of the newest texts are looked through before an index is asked: words that many texts have fill a page
/// from them, and an index would first put together all that have them.
const NEWEST: i64 = 150;
/// Fewer texts than this are sorted, more are met soon on the way from the newest.
const MANY: i64 = 2000;
/// SQLite's index is walked from the newest on. Calls of a person who has fewer than this may be met late or never, and
/// are known before.
const OWN: i64 = 10_000;
/// So many letters of a beginning are rarely those of hundreds of words, which an index reads slower than texts.
const LETTERS: usize = 4;

/// What of a question and what narrows it few texts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Few {
    /// The person whose calls are wanted.
    Person,
    /// Its words.
    Words,
    /// Notes at all, and it is looked for nothing else.
    Notes,
    /// Nothing.
    Nothing,
}

/// SQLite's index answers newest first and stops when the page is full. What it finds for others is passed over by
/// places alone: to read a row of `call_documents` is to read a transcript.
fn in_sqlite(few: bool) -> String {
    // The sign keeps the index from being asked for each of these places.
    let own = if few {
        "and +call_document_words.rowid in (select own.place from calls o \
         cross join call_documents own on own.call_id = o.id where o.tenant_id = $1 and o.user_id = $4)"
    } else {
        ""
    };
    format!(
        "select d.place, {CALL_COLUMNS} from call_document_words \
         cross join call_documents d indexed by call_documents_by_tenant on d.place = call_document_words.rowid \
         cross join calls c on c.id = d.call_id \
         where call_document_words match $2 and call_document_words.rowid < $3 and d.tenant_id = $1 {own} \
         and c.tenant_id = $1 and ($4 is null or c.user_id = $4) \
         order by call_document_words.rowid desc limit $5"
    )
}

/// What PostgreSQL finds among the [`NEWEST`].
fn in_newest() -> String {
    in_postgres(
        &format!(
            "with newest as materialized (select place, tenant_id, call_id, words from call_documents \
             where tenant_id = $1 and place < $3 order by place desc limit {NEWEST}) "
        ),
        "newest",
    )
}

/// What PostgreSQL finds among all.
fn in_all(few: Few) -> String {
    match few {
        Few::Person => in_postgres(
            "with own as materialized (select id from calls where tenant_id = $1 and user_id = $4), \
             few as materialized (select place, tenant_id, call_id, words from own \
             join call_documents on call_documents.call_id = own.id where place < $3) ",
            "few",
        ),
        // The sum keeps the index of places from being asked on later pages: reading the words of all texts before a place
        // is dear, and PostgreSQL does not know it.
        Few::Words => in_postgres(
            "with few as materialized (select place, tenant_id, call_id, words from call_documents \
             where tenant_id = $1 and words @@ to_tsquery('simple', $2) and place + 0 < $3) ",
            "few",
        ),
        Few::Notes => in_postgres(
            "with noted as materialized (select id from calls where tenant_id = $1 and notes <> ''), \
             few as materialized (select place, tenant_id, call_id, words from noted \
             join call_documents on call_documents.call_id = noted.id) ",
            "few",
        ),
        Few::Nothing => in_postgres("", "call_documents"),
    }
}

fn in_postgres(before: &str, source: &str) -> String {
    format!(
        "{before}select d.place, {CALL_COLUMNS} from {source} d join calls c on c.id = d.call_id \
         where d.words @@ to_tsquery('simple', $2) and d.place < $3 and d.tenant_id = $1 \
         and c.tenant_id = $1 and ($4 is null or c.user_id = $4) order by d.place desc limit $5"
    )
}

/// Whether it is about a person who has fewer calls than that.
async fn has_few(tx: &mut Tx, tenant: TenantId, user: Option<UserId>, than: i64) -> Result<bool> {
    let Some(user) = user else { return Ok(false) };
    let count = tx
        .count(
            "select count(*) as n from (select 1 from calls where tenant_id = $1 and user_id = $2 limit $3) as found",
            args![tenant, user, than],
        )
        .await?;
    Ok(count < than)
}

/// What few texts have; PostgreSQL's part of [`Documents::find`].
async fn few(tx: &mut Tx, tenant: TenantId, question: &Question, narrowed: Narrowed) -> Result<Few> {
    if has_few(tx, tenant, narrowed.user, MANY).await? {
        return Ok(Few::Person);
    }
    let is_long = |part: &Part| !part.open || part.words.last().is_some_and(|word| word.chars().count() >= LETTERS);
    let by_index = question.parts.iter().any(is_long);
    if by_index {
        // For this question and, where its words are few, for the one that follows.
        tx.run("set local enable_seqscan = off", args![]).await?;
        tx.run("set local enable_indexscan = off", args![]).await?;
    }
    // The index knows words and not where they stand.
    let row = tx
        .one(
            "select count(*) as n from (select 1 from call_documents where tenant_id = $1 \
             and words @@ to_tsquery('simple', $2) limit $3) as found",
            args![tenant, asked(Engine::Postgres, question, None), MANY],
        )
        .await?;
    if row.map_or(Ok(0), |row| row.int("n"))? < MANY {
        return Ok(Few::Words);
    }
    tx.run("set local enable_seqscan = on", args![]).await?;
    tx.run("set local enable_indexscan = on", args![]).await?;
    if narrowed.to != Some(Where::Notes) {
        return Ok(Few::Nothing);
    }
    let row = tx
        .one(
            "select count(*) as n from (select 1 from calls where tenant_id = $1 and notes <> '' limit $2) as found",
            args![tenant, MANY],
        )
        .await?;
    let are_few = row.map_or(Ok(0), |row| row.int("n"))? < MANY;
    Ok(if are_few { Few::Notes } else { Few::Nothing })
}

/// The question as the engine's index takes it. Folded words hold letters and figures only.
fn asked(engine: Engine, question: &Question, narrowed: Option<Where>) -> String {
    let parts: Vec<String> = question
        .parts
        .iter()
        .map(|part| part_of(engine, part, narrowed))
        .collect();
    match (engine, narrowed) {
        (Engine::Sqlite, Some(place)) => format!("{{{}}} : ({})", place.column(), parts.join(" AND ")),
        (Engine::Sqlite, None) => parts.join(" AND "),
        (Engine::Postgres, _) => parts.join(" & "),
    }
}

fn part_of(engine: Engine, part: &Part, narrowed: Option<Where>) -> String {
    match engine {
        Engine::Sqlite => format!("\"{}\"{}", part.words.join(" "), if part.open { " *" } else { "" }),
        Engine::Postgres => {
            let weight = narrowed.map_or("", Where::weight);
            let last = part.words.len().saturating_sub(1);
            let word = |(n, word): (usize, &String)| {
                let open = if part.open && n == last { "*" } else { "" };
                let label = format!("{open}{weight}");
                let colon = if label.is_empty() { "" } else { ":" };
                format!("'{word}'{colon}{label}")
            };
            let words: Vec<String> = part.words.iter().enumerate().map(word).collect();
            format!("({})", words.join(" <-> "))
        }
    }
}

pub(crate) async fn transcripts(tx: &mut Tx, tenant: TenantId, calls: &[Call]) -> Result<Vec<Transcript>> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
    let statement = format!(
        "select id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, language, confidence, \
         provider, model, cpu_seconds, cost_micros, audio_ms, analysis, segments, created_at, finished_at from transcripts \
         where tenant_id = $1 and call_id in ({}) order by id",
        places.join(", ")
    );
    let mut values = args![tenant];
    values.extend(calls.iter().map(|call| call.id.arg()));
    tx.all_of(statement, values).await?.iter().map(transcript_of).collect()
}

fn hit(call: Call, transcripts: &[&Transcript], question: &Question, narrowed: Option<Where>) -> Hit {
    let wanted = |part| narrowed.is_none_or(|only| only == part);
    let mut places = Vec::new();
    for transcript in transcripts {
        let answer = |part, place| Answer {
            part,
            transcript: Some(transcript.id),
            recording: Some(transcript.recording),
            place,
        };
        if wanted(Where::Said) {
            let said = question.in_turns(&transcript.segments);
            places.extend(said.into_iter().map(|place| answer(Where::Said, place)));
        }
        if let Some(analysis) = transcript.analysis.as_ref().filter(|_| wanted(Where::Summary)) {
            let understood = question.in_analysis(analysis);
            places.extend(understood.into_iter().map(|place| answer(Where::Summary, place)));
        }
    }
    if wanted(Where::Notes) {
        places.extend(question.in_text(&call.notes).map(|place| Answer {
            part: Where::Notes,
            transcript: None,
            recording: None,
            place,
        }));
    }
    let more = places.len().saturating_sub(Hit::MOST);
    places.truncate(Hit::MOST);
    Hit { call, places, more }
}

/// Brings a call's document up to date, in the transaction of whatever changed.
pub(crate) async fn put(tx: &mut Tx, tenant: TenantId, call: CallId, place: i64, texts: &Texts) -> Result<()> {
    let fold = |text: &str| {
        let mut text = folded(text);
        let end = (0..=MOST_BYTES.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text
    };
    let (said, summary, notes) = (fold(&texts.said), fold(&texts.understood), fold(&texts.notes));
    if said.is_empty() && summary.is_empty() && notes.is_empty() {
        tx.run(
            "delete from call_documents where tenant_id = $1 and call_id = $2",
            args![tenant, call],
        )
        .await?;
        return Ok(());
    }
    let statement = match tx.engine() {
        Engine::Sqlite => {
            "insert into call_documents (place, tenant_id, call_id, said, summary, notes) \
             values ($1, $2, $3, $4, $5, $6) on conflict (place) do update \
             set said = excluded.said, summary = excluded.summary, notes = excluded.notes"
        }
        Engine::Postgres => {
            "insert into call_documents (place, tenant_id, call_id, words) values ($1, $2, $3, \
             setweight(to_tsvector('simple', $4), 'A') || setweight(to_tsvector('simple', $5), 'B') \
             || setweight(to_tsvector('simple', $6), 'C')) on conflict (place) do update set words = excluded.words"
        }
    };
    tx.run(statement, args![place, tenant, call, said, summary, notes])
        .await?;
    Ok(())
}
