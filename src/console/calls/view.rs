//! The call page: what it shows.

use super::beside::{consent_section, job_section, looked_section, other_half};
use super::clock;
use super::matter::{self, About, Ends};
use super::verdict::{self, Verdict};
use crate::draw::ladder;
use crate::draw::lanes::{Lane, Step};
use crate::show::{
    Act, Body, Button, Cell, Choice, Clock, Column, Fact, Field, Form, Link, Row, Section, Shell, State, Table, words,
};
use askama::Template;
use askama_web::WebTemplate;
use strowger_model::CallState;
use strowger_model::captions;
use strowger_model::record::{AuditEntry, Call, CallEvent, Consent, JobRow, Leg, Recording};
use strowger_model::search::Question;
use strowger_model::speech::{self, Point, Segment, Sentiment};
use strowger_model::transcript::Transcript;
use time::OffsetDateTime;

/// Everything that is known of a call.
#[derive(Debug, Clone)]
pub struct Known {
    /// The call.
    pub call: Call,
    /// Its legs.
    pub legs: Vec<Leg>,
    /// What happened.
    pub events: Vec<CallEvent>,
    /// What the nodes of the flow that ran are called.
    pub labels: clock::Labels,
    /// Its recording.
    pub recording: Option<Recording>,
    /// What its parties were told and answered before they were recorded.
    pub consents: Vec<Consent>,
    /// Its transcript with segments.
    pub transcript: Option<Transcript>,
    /// Work done for it.
    pub jobs: Vec<JobRow>,
    /// Who looked.
    pub looked: Vec<AuditEntry>,
    /// Until when the recording is kept.
    pub kept_until: Option<OffsetDateTime>,
    /// Whether the reader may change and delete it.
    pub may_change: bool,
    /// How it ended up, once it is over.
    pub disposition: String,
    /// Whether a person said so.
    pub is_chosen: bool,
    /// The words for that.
    pub dispositions: Vec<String>,
    /// Whether the deletion is to be confirmed on this page.
    pub confirm: bool,
    /// What was looked for when this page was found.
    pub sought: Question,
    /// How many of its SIP messages are kept.
    pub signalling: i64,
    /// Where the player starts, milliseconds into the recording.
    pub start_ms: Option<i64>,
}

/// A line that points to its place in the audio.
#[derive(Debug, Clone)]
pub struct Pointer {
    /// The time as shown.
    pub at: String,
    /// Milliseconds into the recording.
    pub at_ms: i64,
    /// The transcript line it belongs to.
    pub anchor: String,
    /// The text.
    pub text: String,
    /// Who said it.
    pub speaker: String,
}

/// A word of a transcript.
#[derive(Debug, Clone)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Milliseconds into the recording.
    pub at_ms: i64,
    /// Whether the model was not sure.
    pub low: bool,
    /// How sure it was.
    pub sure: String,
    /// Whether it was looked for.
    pub sought: bool,
}

/// A line of a transcript.
#[derive(Debug, Clone)]
pub struct Say {
    /// Its fragment id.
    pub anchor: String,
    /// From when in the recording, milliseconds.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// The time as shown.
    pub at: String,
    /// Who.
    pub speaker: String,
    /// Whether one of us spoke.
    pub ours: bool,
    /// The words.
    pub words: Vec<Word>,
    /// The mood, when it is not even.
    pub mood: Option<State>,
}

/// A step with its length.
#[derive(Debug, Clone)]
pub struct StepLine {
    /// Where the call was.
    pub name: String,
    /// How long, and what happened.
    pub detail: String,
}

/// The call page.
#[derive(Debug, Clone, Template, WebTemplate)]
#[template(path = "calls/call.html")]
pub struct CallPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The heading: who to whom.
    pub title: String,
    /// The list of calls.
    pub list: String,
    /// When it was.
    pub when: String,
    /// Buttons beside the heading.
    pub buttons: Vec<Button>,
    /// What became of it.
    pub verdict: Verdict,
    /// Its states.
    pub badges: Vec<State>,
    /// Its facts.
    pub facts: Vec<Fact>,
    /// The confirmation of a deletion.
    pub undo: Option<Section>,
    /// The summary.
    pub summary: String,
    /// Who made the summary.
    pub summary_by: String,
    /// What mattered.
    pub points: Vec<Pointer>,
    /// What is to be done.
    pub todo: Vec<Pointer>,
    /// What it was about.
    pub about: Vec<About>,
    /// How it seems to have ended.
    pub ends: Option<Ends>,
    /// The way it took.
    pub steps: Vec<StepLine>,
    /// The address of the audio, empty when there is none.
    pub audio: String,
    /// Why there is none.
    pub no_audio: String,
    /// The length of the clock in words.
    pub length: String,
    /// The length of the clock.
    pub total_ms: i64,
    /// Where the audio begins on the clock.
    pub offset_ms: i64,
    /// Where the player starts, milliseconds into the recording.
    pub start_ms: Option<i64>,
    /// The transcript as files: address and name.
    pub files: Vec<Link>,
    /// The lanes.
    pub lanes: Vec<Lane>,
    /// The lanes as a table.
    pub parts: Table,
    /// Who made the transcript and how sure it is.
    pub transcript_by: String,
    /// Why there is no transcript.
    pub no_transcript: (String, String),
    /// The button that asks for one.
    pub transcribe: Option<Act>,
    /// The transcript.
    pub says: Vec<Say>,
    /// How many words the model was not sure of, and how they are marked.
    pub unsure: String,
    /// The ladder.
    pub ladder: String,
    /// What the ladder is drawn from.
    pub ladder_note: String,
    /// The ladder as a table.
    pub messages: Table,
    /// The SIP messages as a file, where some are kept.
    pub pcap: Option<Link>,
    /// Work done for it.
    pub jobs: Section,
    /// Who looked.
    pub looked: Section,
    /// What its parties were told and answered before they were recorded.
    pub consents: Section,
    /// Notes and tags.
    pub notes: Section,
    /// Deletion.
    pub danger: Section,
}

fn anchor(at_ms: i64) -> String {
    format!("t{at_ms}")
}

fn say(segment: &Segment, question: &Question) -> Say {
    let sought = sought(segment, question);
    let words = segment.words.iter().enumerate().map(|(n, word)| Word {
        sought: sought.contains(&n),
        text: word.text.clone(),
        at_ms: word.start_ms,
        low: word.is_unsure(),
        sure: format!("{:.0} % sure", word.confidence * 100.0),
    });
    let mut words: Vec<Word> = words.collect();
    if words.is_empty() {
        words.push(Word {
            text: segment.text.clone(),
            at_ms: segment.start_ms,
            low: segment.confidence < speech::Word::UNSURE_BELOW,
            sure: String::new(),
            sought: !question.marks(&segment.text).is_empty(),
        });
    }
    Say {
        anchor: anchor(segment.start_ms),
        from_ms: segment.start_ms,
        to_ms: segment.end_ms,
        at: words::clock(segment.start_ms),
        speaker: segment.speaker.clone(),
        ours: segment.channel != 0,
        words,
        mood: (segment.sentiment != Sentiment::Neutral).then(|| words::mood(segment.sentiment)),
    }
}

/// Which words of a turn were looked for.
fn sought(segment: &Segment, question: &Question) -> Vec<usize> {
    if question.is_empty() {
        return Vec::new();
    }
    let mut text = String::new();
    let mut spans = Vec::with_capacity(segment.words.len());
    for word in &segment.words {
        let from = text.len();
        text.push_str(&word.text);
        spans.push(from..text.len());
        text.push(' ');
    }
    let marks = question.marks(&text);
    let meets = |span: &std::ops::Range<usize>| marks.iter().any(|mark| mark.start < span.end && mark.end > span.start);
    (0..)
        .zip(&spans)
        .filter(|(_, span)| meets(span))
        .map(|(n, _)| n)
        .collect()
}

pub(super) fn pointers(points: &[Point], segments: &[Segment]) -> Vec<Pointer> {
    let line_of = |at_ms: i64| {
        let line = segments.iter().rev().find(|segment| segment.start_ms <= at_ms);
        line.map_or(at_ms, |segment| segment.start_ms)
    };
    points
        .iter()
        .map(|point| Pointer {
            at: words::clock(point.at_ms),
            at_ms: point.at_ms,
            anchor: anchor(line_of(point.at_ms)),
            text: point.text.clone(),
            speaker: point.speaker.clone(),
        })
        .collect()
}

fn facts(known: &Known, base: &str, clock: &Clock) -> Vec<Fact> {
    let Known { call, legs, .. } = known;
    let is_imported = verdict::is_imported(known.recording.as_ref());
    let numbers = [("From", &call.from_number), ("Dialled", &call.to_number)];
    // A caller here may withhold a number, which is a fact; of an import it was only not said.
    let told = numbers.iter().filter(|(_, number)| !is_imported || !number.is_empty());
    let mut facts: Vec<Fact> = told.map(|(name, number)| Fact::new(name, (*number).clone())).collect();
    if let Some(leg) = verdict::answered_by(legs) {
        let waited = leg.answered_at.map_or(0, |at| clock::since(call, at));
        facts.push(Fact::new("Answered by", leg.party.clone()));
        facts.push(Fact::new("Waited", words::span(waited)));
    }
    if call.answered_at.is_some() {
        facts.push(Fact::new("Lasted", words::span(call.duration_ms)));
    }
    if let Some(cause) = call.cause.filter(|_| !is_imported) {
        facts.push(Fact::new("Ended", words::cause(cause).trim_end_matches('.')));
    }
    let codecs: Vec<&str> = legs.iter().filter_map(|leg| leg.codec.as_deref()).collect();
    if let Some(mos) = verdict::worst_mos(legs) {
        facts.push(Fact::new("Audio", format!("MOS {mos:.1}, {}", codecs.join(" to "))));
    } else if !codecs.is_empty() {
        facts.push(Fact::new("Audio", codecs.join(" to ")));
    }
    if let Some(recording) = &known.recording {
        facts.push(Fact {
            name: "Recording".into(),
            value: format!(
                "{}, {}",
                words::span(recording.duration_ms),
                words::size(recording.size_bytes)
            ),
            href: format!("{base}/recordings/{}", recording.id),
        });
    }
    facts.extend(known.events.iter().filter_map(|event| other_half(event, base)));
    if let Some(until) = known.kept_until {
        facts.push(Fact::new("Kept until", clock.stamp(until)));
    }
    if call.cost_micros > 0 {
        let cents = call.cost_micros / 10_000;
        facts.push(Fact::new(
            "Cost",
            format!("{}.{:02} {}", cents / 100, cents % 100, call.currency),
        ));
    }
    if !call.tags.is_empty() {
        facts.push(Fact::new("Tags", call.tags.join(", ")));
    }
    facts
}

fn badges(known: &Known) -> Vec<State> {
    let mut badges = vec![words::call_state(known.call.state)];
    if let Some(analysis) = known.transcript.as_ref().and_then(Transcript::mood) {
        let way = words::mood_way(analysis.sentiment_trend);
        badges.push(match way {
            "↗ better" => State::ok("Mood better"),
            "↘ worse" => State::bad("Mood worse"),
            _ => State::idle("Mood even"),
        });
    }
    if let Some(mos) = verdict::worst_mos(&known.legs) {
        badges.push(match mos {
            m if m >= 4.0 => State::ok("Audio good"),
            m if m >= 3.6 => State::warn("Audio fair"),
            _ => State::bad("Audio poor"),
        });
    }
    if let Some(recording) = &known.recording {
        badges.push(match recording.state.as_str() {
            "ready" if recording.held => State::on("Legal hold"),
            "ready" => State::idle("No legal hold"),
            "captured" => State::on("Recording in the making"),
            "failed" => State::bad("Recording failed"),
            _ => State::idle("Recording erased"),
        });
    }
    badges
}

fn parts_table(known: &Known, steps: &[Step]) -> Table {
    let columns = vec![
        Column::name("Part"),
        Column::text("What"),
        Column::figure("Length", "Length"),
    ];
    let mut rows: Vec<Row> = steps
        .iter()
        .map(|step| {
            Row::of(vec![
                Cell::text(format!(
                    "{} to {}",
                    words::clock(step.from_ms),
                    words::clock(step.to_ms)
                )),
                Cell::Pair(step.name.clone(), step.detail.clone()),
                Cell::text(words::span(step.to_ms - step.from_ms)),
            ])
        })
        .collect();
    for leg in &known.legs {
        let Some(quality) = leg.quality else { continue };
        let score = quality
            .mos
            .map_or_else(|| "no score".to_owned(), |mos| format!("MOS {mos:.1}"));
        rows.push(Row::of(vec![
            Cell::text(format!("From {}", leg.party)),
            Cell::Pair(
                format!("{score}, {:.1} % lost", verdict::lost(leg) * 100.0),
                format!("jitter {:.0} ms", quality.jitter_ms),
            ),
            Cell::text(words::count(
                i64::try_from(quality.received).unwrap_or(i64::MAX),
                "packet",
                "packets",
            )),
        ]));
    }
    Table::new("Parts of the call and quality of its legs", columns, rows)
}

fn messages_table(parties: &[String], messages: &[ladder::Message]) -> Table {
    let columns = vec![
        Column::text("Time").class("w"),
        Column::text("From and to"),
        Column::name("What"),
    ];
    let rows = messages.iter().map(|message| {
        let party = message.party.and_then(|at| parties.get(at)).cloned();
        let way = match (party, message.from_them) {
            (None, _) => "Strowger".to_owned(),
            (Some(party), true) => format!("{party} to Strowger"),
            (Some(party), false) => format!("Strowger to {party}"),
        };
        Row::of(vec![
            Cell::text(message.at.clone()),
            Cell::text(way),
            Cell::text(message.text.clone()),
        ])
    });
    Table::new("What passed between the parties", columns, rows.collect())
}

fn notes_section(known: &Known, here: &str, csrf: &str) -> Section {
    let call = &known.call;
    if !known.may_change {
        let text = if call.notes.is_empty() {
            "No notes.".to_owned()
        } else {
            call.notes.clone()
        };
        return Section::new("no", "Notes", vec![Body::Text(text)]);
    }
    let mut notes = Field::area("notes", "Notes", 3);
    notes.value.clone_from(&call.notes);
    let mut tags = Field::line("tags", "Tags").hint("Separated by commas, for example: billing, call back.");
    tags.value = call.tags.join(", ");
    let mut fields = vec![notes, tags];
    if call.state.is_final() {
        fields.insert(0, disposition_field(known));
    }
    let form = Form::post(format!("{here}/notes"), "Notes and tags", csrf, fields, "Save").stacked();
    Section::new("no", "Notes", vec![Body::Form(form)])
}

/// How the call ended up: what it got by itself, or a word of the tenant's own.
fn disposition_field(known: &Known) -> Field {
    let mut all = known.dispositions.clone();
    if !all.contains(&known.disposition) {
        all.insert(0, known.disposition.clone());
    }
    let shown = |word: &String| Choice::new(word.clone(), words::spoken(word));
    let mut field = Field::select("disposition", "Ended up as", all.iter().map(shown).collect());
    field.value.clone_from(&known.disposition);
    field.hint("Set by itself when the call ended. Your own words are a setting.")
}

fn danger_section(known: &Known, here: &str) -> Section {
    if !known.may_change {
        return Section::plain(vec![]);
    }
    let held = known.recording.as_ref().is_some_and(|recording| recording.held);
    let body = if held {
        vec![Body::Text(
            "A legal hold keeps this call. Lift the hold on its recording first.".into(),
        )]
    } else {
        vec![
            Body::Text("Deletes the row, its legs, the recording, the transcript and the notes. The audit log keeps that it was there.".into()),
            Body::Buttons(vec![Button::Go(Link::new(format!("{here}?confirm=delete#del"), "Delete this call…"), false)]),
        ]
    };
    Section::new("de", "Delete", body)
}

fn confirmation(known: &Known, here: &str, csrf: &str) -> Option<Section> {
    let shown = known.confirm && known.may_change;
    shown.then(|| {
        let form = Form::post(
            format!("{here}/delete"),
            "Delete this call",
            csrf,
            vec![],
            "Delete it for good",
        )
        .danger();
        let note = crate::show::Note {
            shape: "bad",
            strong: "This cannot be undone.".into(),
            text: "The audio’s key is destroyed, so no copy of it can be opened again.".into(),
            link: Some(Link::new(here, "Keep it")),
        };
        Section::new("del", "Delete this call?", vec![Body::Note(note), Body::Form(form)])
    })
}

fn without_transcript(known: &Known) -> (String, String) {
    let (head, text) = match (&known.recording, &known.transcript) {
        (_, Some(transcript)) if transcript.state == "failed" => (
            "The transcript could not be made.",
            transcript
                .problem
                .as_deref()
                .unwrap_or("The log of the worker has more."),
        ),
        (_, Some(transcript)) if transcript.state == "ready" => {
            ("Nothing was said.", "No speech was found in the recording.")
        }
        (_, Some(_)) => ("The transcript is being made.", "Reload this page in a moment."),
        (Some(_), None) => (
            "Not transcribed.",
            "Transcription is off for this call. You can ask for it.",
        ),
        (None, None) => ("Nothing to transcribe.", "This call was not recorded."),
    };
    (head.to_owned(), text.to_owned())
}

fn without_audio(known: &Known) -> String {
    match &known.recording {
        None => "This call was not recorded.".into(),
        Some(recording) if recording.state == "captured" => "The recording is being made; reload in a moment.".into(),
        Some(recording) if recording.state == "failed" => {
            let why = recording.problem.as_deref().unwrap_or("the worker’s log has more");
            format!("The recording could not be made: {why}.")
        }
        Some(_) => "The recording was erased.".into(),
    }
}

fn head_buttons(known: &Known, base: &str) -> Vec<Button> {
    let ready = known.recording.as_ref().filter(|recording| recording.state == "ready");
    let mut buttons = Vec::new();
    if let Some(recording) = ready {
        let href = format!("{base}/recordings/{}/audio?download=1", recording.id);
        buttons.push(Button::Go(Link::new(href, "Download"), false));
    }
    buttons
}

/// Makes the page. `base` is the tenant's address (`/t/ID`).
#[must_use]
pub fn page(shell: &Shell, base: &str, known: &Known) -> CallPage {
    let (call, clock) = (&known.call, &shell.clock);
    let here = format!("{base}/calls/{}", call.id);
    let scale = clock::scale(call, &known.events, clock.now);
    let steps = clock::steps(call, &known.legs, &known.events, &known.labels, scale);
    let (parties, messages) = clock::ladder(&known.legs, &known.events, clock);
    let kept = (known.recording.as_ref(), known.transcript.as_ref());
    let segments: &[Segment] = known.transcript.as_ref().map_or(&[], |transcript| &transcript.segments);
    let analysis = known
        .transcript
        .as_ref()
        .and_then(|transcript| transcript.analysis.as_ref());
    let says: Vec<Say> = segments.iter().map(|segment| say(segment, &known.sought)).collect();
    let ready = known.recording.as_ref().filter(|recording| recording.state == "ready");
    let asked = known
        .transcript
        .as_ref()
        .is_some_and(|transcript| transcript.state != "failed");
    CallPage {
        title: verdict::title(call, &known.legs, kept.0),
        list: format!("{base}/calls"),
        when: format!("{}, {}", clock.day(call.started_at), clock.time(call.started_at)),
        buttons: head_buttons(known, base),
        verdict: verdict::of(call, &known.legs, kept),
        badges: badges(known),
        facts: facts(known, base, clock),
        undo: confirmation(known, &here, &shell.csrf),
        summary: analysis.map_or_else(
            || "There is no summary: it is made from the transcript.".into(),
            |found| found.summary.clone(),
        ),
        summary_by: analysis
            .map(|found| format!("by {}", found.provider))
            .unwrap_or_default(),
        points: analysis
            .map(|found| pointers(&found.key_points, segments))
            .unwrap_or_default(),
        todo: analysis
            .map(|found| pointers(&found.action_items, segments))
            .unwrap_or_default(),
        about: matter::topics(known, &format!("{base}/calls")),
        ends: matter::ends(known, &here, &shell.csrf),
        steps: steps
            .iter()
            .map(|step| StepLine {
                name: step.name.clone(),
                detail: if step.detail.is_empty() {
                    words::span(step.to_ms - step.from_ms)
                } else {
                    format!("{}, {}", words::span(step.to_ms - step.from_ms), step.detail)
                },
            })
            .collect(),
        audio: ready
            .map(|recording| format!("{base}/recordings/{}/audio", recording.id))
            .unwrap_or_default(),
        no_audio: without_audio(known),
        length: words::span(scale.total_ms),
        total_ms: scale.total_ms,
        offset_ms: known
            .recording
            .as_ref()
            .map_or(0, |recording| clock::recorded(call, recording).0),
        start_ms: known.start_ms,
        files: if says.is_empty() { vec![] } else { files(&here) },
        lanes: clock::lanes(call, &known.legs, &steps, kept, scale),
        parts: parts_table(known, &steps),
        transcript_by: known
            .transcript
            .as_ref()
            .filter(|_| !says.is_empty())
            .map(made_by)
            .unwrap_or_default(),
        no_transcript: without_transcript(known),
        transcribe: ready.filter(|_| known.may_change && !asked).map(|_| Act {
            path: format!("{here}/transcribe"),
            word: "Transcribe this call".into(),
            about: String::new(),
            fields: vec![],
            danger: false,
            csrf: shell.csrf.clone(),
        }),
        unsure: unsure_words(says.iter().flat_map(|say| &say.words).filter(|word| word.low).count()),
        says,
        ladder: if messages.is_empty() {
            String::new()
        } else {
            ladder::draw(&parties, &messages)
        },
        ladder_note: live_note(call.state),
        messages: messages_table(&parties, &messages),
        pcap: pcap_link(known, &here),
        jobs: job_section(&known.jobs, base, clock),
        looked: looked_section(&known.looked, clock),
        consents: consent_section(&known.consents, clock),
        notes: notes_section(known, &here, &shell.csrf),
        danger: danger_section(known, &here),
        shell: shell.clone(),
    }
}

/// The SIP messages as a file.
fn pcap_link(known: &Known, here: &str) -> Option<Link> {
    let text = match known.signalling {
        0 => return None,
        1 => "the SIP message".to_owned(),
        count => format!("the {count} SIP messages"),
    };
    Some(Link::new(format!("{here}/pcap"), text))
}

/// The transcript in each form there is.
fn files(here: &str) -> Vec<Link> {
    let forms = captions::Form::ALL.iter();
    forms
        .map(|form| Link::new(format!("{here}/transcript/{}", form.code()), form.code().to_uppercase()))
        .collect()
}

/// What the marks in a transcript mean.
fn unsure_words(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "One word is underlined with dots and read as “unsure”: the model was less than half sure of it.".into(),
        count => format!(
            "{count} words are underlined with dots and read as “unsure”: the model was less than half sure of them."
        ),
    }
}

fn live_note(state: CallState) -> String {
    if state.is_final() {
        "Signalling, keys and decisions".into()
    } else {
        "The call goes on; reload for more".into()
    }
}

fn made_by(transcript: &Transcript) -> String {
    let language = transcript
        .language
        .as_deref()
        .map_or("Language unknown", words::language);
    let pace = transcript.real_time_factor();
    let pace = pace.map_or_else(String::new, |pace| format!(", {pace:.2} s of work a second"));
    format!(
        "{language}, {:.0} % sure, {} {}{pace}",
        transcript.confidence * 100.0,
        transcript.provider,
        transcript.model
    )
}
