//! The list and the page of calls.

use super::clock::Labels;
use super::export;
use super::list::{self, Found, Listed};
use super::live;
use super::view::{self, Known};
use crate::desk::{Desk, Sent};
use crate::draw::{clipped, graph};
use crate::fault::{Fault, Page};
use crate::show::{Clock, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use strowger_model::captions::{self, Form};
use strowger_model::record::{Call, JobRow, Recording};
use strowger_model::retention::{Kind, RetentionPolicy};
use strowger_model::role::Permission;
use strowger_model::search::Question;
use strowger_model::topics::TopicLists;
use strowger_model::{CallId, CallState, CallType, Direction, FlowVersionId, disposition};
use strowger_store::{AuditFilter, CallBrief, CallFilter, Page as Keyset};
use time::{Duration, OffsetDateTime};

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/calls", get(index))
        .route("/t/{tenant}/calls/export.csv", get(export::csv))
        .route("/t/{tenant}/calls/views", post(save_view))
        .route("/t/{tenant}/calls/views/remove", post(remove_view))
        .route("/t/{tenant}/calls/{call}", get(show))
        .route("/t/{tenant}/calls/{call}/transcript/{form}", get(transcript_file))
        .route("/t/{tenant}/calls/{call}/pcap", get(pcap))
        .route("/t/{tenant}/calls/{call}/notes", post(note))
        .route("/t/{tenant}/calls/{call}/outcome", post(accept))
        .route("/t/{tenant}/calls/{call}/delete", post(delete))
        .route("/t/{tenant}/calls/{call}/transcribe", post(transcribe))
        .route("/t/{tenant}/live", get(live::board))
        .route("/t/{tenant}/live/events", get(live::events))
        .route("/t/{tenant}/live/place", post(super::place::place))
        .route("/t/{tenant}/live/{call}/hang-up", post(live::hang_up))
        .route("/t/{tenant}/live/{call}/record", post(live::record))
}

const FILTERS: [&str; 11] = [
    "q", "from", "to", "way", "type", "state", "end", "seems", "about", "user", "tag",
];

pub(super) fn filter_of(values: &Values, clock: &Clock) -> CallFilter {
    CallFilter {
        user: values.get("user").parse().ok(),
        number: None,
        direction: Direction::from_code(values.get("way")),
        call_type: CallType::from_code(values.get("type")),
        disposition: values.optional("end"),
        suggested: values.optional("seems"),
        topic: values.optional("about"),
        states: CallState::from_code(values.get("state")).into_iter().collect(),
        from: clock.parse_day(values.get("from")),
        until: clock.parse_day(values.get("to")).map(|day| day + Duration::days(1)),
        tag: values.optional("tag"),
        search: values.optional("q"),
    }
}

/// The filters as a query in a fixed order, so that a view is found again by its address.
fn query_of(values: &Values) -> String {
    let parts: Vec<String> = FILTERS
        .iter()
        .filter(|name| !values.get(name).is_empty())
        .map(|name| format!("{name}={}", crate::query::encoded(values.get(name))))
        .collect();
    parts.join("&")
}

fn listed(call: Call, brief: Option<CallBrief>) -> Listed {
    let brief = brief.unwrap_or_default();
    let answered = call.answered_at;
    let waited = answered
        .or(call.ended_at)
        .map(|until| super::clock::since(&call, until));
    let mut kept = Vec::new();
    if brief.recorded {
        kept.push("Rec");
    }
    if brief.transcribed {
        kept.push("transcript");
    }
    if brief.message {
        kept.push("message");
    }
    Listed {
        reached: brief.reached.unwrap_or_else(|| call.to_number.clone()),
        waited_ms: brief.answered_at.map(|at| super::clock::since(&call, at)).or(waited),
        trend: brief.trend,
        mos: brief.mos,
        kept,
        call,
    }
}

async fn index(desk: Desk) -> Page {
    let clock = desk.state.clock();
    let values = desk.query().clone();
    let mut filter = filter_of(&values, &clock);
    if let Some(own) = desk.sees_only() {
        filter.user = Some(own);
    }
    let page = Keyset {
        after: values.optional("after"),
        limit: 50,
    };
    let found = desk.scope.calls().log(&filter, &page).await?;
    let ids: Vec<CallId> = found.items.iter().map(|call| call.id).collect();
    let mut briefs = desk.scope.shown().briefs(&ids).await?;
    let users = if desk.sees_only().is_none() {
        let all = desk.scope.users().list(&Keyset::first(500)).await?;
        all.items
            .into_iter()
            .map(|user| (user.id.to_string(), user.name))
            .collect()
    } else {
        Vec::new()
    };
    let views = match desk.user() {
        Some(user) => desk.scope.views().of(user).await?,
        None => Vec::new(),
    };
    let topics = TopicLists::of(&desk.scope.settings().resolve().await?).names();
    let found = Found {
        topics,
        calls: found
            .items
            .into_iter()
            .map(|call| {
                let brief = briefs.remove(&call.id);
                listed(call, brief)
            })
            .collect(),
        next: found.next,
        query: query_of(&values),
        values,
        views: views.into_iter().map(|view| (view.id, view.name, view.query)).collect(),
        users,
    };
    Ok(list::page(&desk.shell(), &desk.base(), &found).into_response())
}

async fn save_view(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let user = desk.user().ok_or(Fault::NotFound)?;
    let query = query_of(&crate::query::parsed(values.get("query")));
    let name: String = values.get("name").chars().take(40).collect();
    if !name.is_empty() && !query.is_empty() {
        desk.scope.views().save(user, &name, &query).await?;
    }
    Ok(desk.back(&format!("/calls?{query}"), "saved"))
}

async fn remove_view(sent: Sent) -> Page {
    let user = sent.desk.user().ok_or(Fault::NotFound)?;
    sent.desk.scope.views().remove(user, sent.values.get("id")).await?;
    Ok(sent.desk.back("/calls", "removed"))
}

/// The call, if this person may see it.
async fn visible(desk: &Desk, call: CallId) -> Page<Call> {
    let found = desk.scope.calls().get(call).await?.ok_or(Fault::NotFound)?;
    match desk.sees_only() {
        Some(own) if found.user != Some(own) => Err(Fault::NotFound),
        _ => Ok(found),
    }
}

async fn show(Path((_, call)): Path<(String, CallId)>, desk: Desk) -> Page {
    visible(&desk, call).await?;
    let detail = desk.scope.calls().detail(call).await?.ok_or(Fault::NotFound)?;
    let recording = best(detail.recordings);
    let transcript = detail.transcripts.into_iter().rev().find(|transcript| {
        recording
            .as_ref()
            .is_none_or(|recording| recording.id == transcript.recording)
    });
    let policy = RetentionPolicy::of(&desk.scope.settings().resolve().await?);
    let kept_until = recording
        .as_ref()
        .filter(|recording| !recording.held)
        .map(|recording| recording.created_at + Duration::days(policy.days(Kind::Recording)));
    let asked = transcript
        .as_ref()
        .map_or(detail.call.started_at, |transcript| transcript.created_at);
    let span = (
        detail.call.started_at,
        detail.call.ended_at.unwrap_or(asked).max(asked) + Duration::days(2),
    );
    let jobs = jobs_of(&desk, call, recording.as_ref(), span).await?;
    let looked = if desk.can(Permission::ReadAudit) {
        looked_at(&desk, call, recording.as_ref()).await?
    } else {
        Vec::new()
    };
    let labels = match detail.call.flow_version {
        Some(version) => labels_of(&desk, version).await?,
        None => Labels::new(),
    };
    let ended = desk
        .scope
        .calls()
        .ended(&[call])
        .await?
        .remove(&call)
        .unwrap_or_default();
    let signalling = if desk.can(Permission::ReadAllCalls) {
        desk.scope.signalling().count(call).await?
    } else {
        0
    };
    let known = Known {
        signalling,
        disposition: ended.disposition,
        is_chosen: ended.is_chosen,
        dispositions: disposition::choices(&desk.scope.settings().resolve().await?),
        call: detail.call,
        legs: detail.legs,
        events: detail.events,
        consents: detail.consents,
        labels,
        recording,
        transcript,
        jobs,
        looked,
        kept_until,
        may_change: desk.can(Permission::ManageCalls),
        confirm: desk.query().get("confirm") == "delete",
        sought: Question::read(desk.query().get("find")),
        start_ms: desk.query().get("at").parse().ok(),
    };
    Ok(view::page(&desk.shell(), &desk.base(), &known).into_response())
}

/// The call's SIP messages as a packet capture file.
async fn pcap(Path((_, call)): Path<(String, CallId)>, desk: Desk) -> Page {
    desk.may(Permission::ReadAllCalls)?;
    let file = desk.scope.signalling().take_out(&desk.actor(), call).await?;
    let file = file.ok_or(Fault::NotFound)?;
    let head = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"call-{call}.pcap\""),
        ),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((head, file).into_response())
}

/// The transcript that the page shows, as a file.
async fn transcript_file(Path((_, call, form)): Path<(String, CallId, String)>, desk: Desk) -> Page {
    visible(&desk, call).await?;
    let form = Form::from_code(&form).ok_or(Fault::NotFound)?;
    let detail = desk.scope.calls().detail(call).await?.ok_or(Fault::NotFound)?;
    let recording = best(detail.recordings).ok_or(Fault::NotFound)?;
    let mut transcripts = detail.transcripts.into_iter().rev();
    let transcript = transcripts.find(|transcript| transcript.recording == recording.id);
    let transcript = transcript.ok_or(Fault::NotFound)?;
    let (id, actor) = (transcript.id.to_string(), desk.actor());
    desk.scope
        .audit()
        .write(&actor, "transcript.export", &id, form.code())
        .await?;
    let name = format!("attachment; filename=\"call-{call}.{}\"", form.code());
    let head = [
        (header::CONTENT_TYPE, form.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((
        head,
        captions::write(&transcript.segments, transcript.language.as_deref(), form),
    )
        .into_response())
}

/// What the nodes of a flow version are called.
async fn labels_of(desk: &Desk, version: FlowVersionId) -> Page<Labels> {
    let version = desk.scope.flows().version(version).await?;
    let nodes = version
        .map(|version| graph::nodes(&version.definition))
        .unwrap_or_default();
    let name = |node: graph::Node| (node.id, clipped(&node.label, 28));
    Ok(nodes.into_iter().map(name).collect())
}

/// The recording the page plays: a ready one before others, the longest of them.
fn best(recordings: Vec<Recording>) -> Option<Recording> {
    recordings
        .into_iter()
        .max_by_key(|recording| (recording.state == "ready", recording.duration_ms))
}

/// The jobs of a call: those whose payload names it or its recording.
async fn jobs_of(
    desk: &Desk,
    call: CallId,
    recording: Option<&Recording>,
    (from, until): (OffsetDateTime, OffsetDateTime),
) -> Page<Vec<JobRow>> {
    let call = call.to_string();
    let recording = recording.map_or_else(|| call.clone(), |recording| recording.id.to_string());
    Ok(desk.scope.shown().jobs_about([&call, &recording], from, until).await?)
}

async fn looked_at(
    desk: &Desk,
    call: CallId,
    recording: Option<&Recording>,
) -> Page<Vec<strowger_model::record::AuditEntry>> {
    let mut entries = Vec::new();
    let targets = [
        Some(call.to_string()),
        recording.map(|recording| recording.id.to_string()),
    ];
    for target in targets.into_iter().flatten() {
        let filter = AuditFilter {
            target: Some(target),
            ..AuditFilter::default()
        };
        entries.extend(desk.scope.audit().list(&filter, &Keyset::first(20)).await?.items);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    Ok(entries)
}

async fn note(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageCalls)?;
    let found = visible(&desk, call).await?;
    let notes = values.get("notes").replace("\r\n", "\n");
    if notes != found.notes {
        desk.scope
            .calls()
            .update(&desk.actor(), call, Some(&notes), None)
            .await?;
    }
    let word = values.get("disposition");
    let has = desk.scope.calls().ended(&[call]).await?;
    if disposition::is_word(word) && has.get(&call).is_none_or(|has| has.disposition != word) {
        desk.scope.calls().set_disposition(&desk.actor(), call, word).await?;
    }
    let mut tags: Vec<String> = values
        .get("tags")
        .split(',')
        .map(|tag| tag.trim().chars().take(40).collect::<String>())
        .filter(|tag| !tag.is_empty())
        .collect();
    tags.sort();
    tags.dedup();
    if tags != found.tags {
        desk.scope.calls().set_tags(&desk.actor(), call, &tags).await?;
    }
    Ok(desk.back(&format!("/calls/{call}#no"), "saved"))
}

/// Takes the suggested word as the call's own.
async fn accept(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    visible(&desk, call).await?;
    let taken = desk.scope.calls().accept_suggestion(&desk.actor(), call).await?;
    if taken.is_none() {
        let text = "Somebody said how this call ended up, or nothing is suggested any more.";
        return Err(Fault::Conflict(text.into()));
    }
    Ok(desk.back(&format!("/calls/{call}#su"), "saved"))
}

async fn delete(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    let found = visible(&desk, call).await?;
    if !found.state.is_final() {
        return Err(Fault::Conflict("The call is not over. Hang up first.".into()));
    }
    desk.scope.calls().remove(&desk.actor(), call).await?;
    Ok(desk.back("/calls", "removed"))
}

async fn transcribe(Path((_, call)): Path<(String, CallId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    visible(&desk, call).await?;
    let recordings = desk.scope.recordings().of_call(call).await?;
    let recording = best(recordings).ok_or_else(|| Fault::Conflict("This call was not recorded.".into()))?;
    desk.scope.transcripts().request(&desk.actor(), recording.id).await?;
    Ok(desk.back(&format!("/calls/{call}#tr"), "asked"))
}
