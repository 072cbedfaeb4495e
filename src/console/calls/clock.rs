//! The call on one clock: events and legs become steps, segments become moods, legs become lines.

use crate::draw::ladder::Message;
use crate::draw::lanes::{self, Heard, Lane, Mood, Scale, Step, StepKind};
use crate::show::Clock;
use strowger_model::record::{Call, CallEvent, Leg, Recording};
use strowger_model::speech::{Segment, Sentiment};
use strowger_model::transcript::Transcript;
use time::OffsetDateTime;

/// What the nodes of the flow that ran are called, by id.
pub type Labels = std::collections::BTreeMap<String, String>;

/// Milliseconds from the start of the call.
#[must_use]
pub fn since(call: &Call, at: OffsetDateTime) -> i64 {
    i64::try_from((at - call.started_at).whole_milliseconds()).unwrap_or(0)
}

/// The length of the clock.
#[must_use]
pub fn scale(call: &Call, events: &[CallEvent], now: OffsetDateTime) -> Scale {
    let last = events.last().map(|event| event.at);
    let end = call.ended_at.or(last).unwrap_or(now);
    Scale {
        total_ms: since(call, end).max(1000),
    }
}

/// The way the call took. Nodes of a flow and the people who answered, each until the next.
#[must_use]
pub fn steps(call: &Call, legs: &[Leg], events: &[CallEvent], labels: &Labels, scale: Scale) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut push = |name: String, exit: &str, kind: StepKind, at: i64| {
        if let Some(open) = steps.last_mut() {
            if open.name == name {
                return;
            }
            open.to_ms = at.max(open.from_ms);
            open.detail = left_by(exit);
        }
        steps.push(Step {
            name,
            detail: String::new(),
            from_ms: at,
            to_ms: scale.total_ms,
            kind,
        });
    };
    for event in events {
        let at = since(call, event.at);
        let callee = event
            .leg
            .and_then(|leg| legs.iter().find(|row| row.id == leg && row.side == "callee"));
        match (event.kind.as_str(), callee) {
            ("node", _) => {
                let (exit, node) = event.detail.rsplit_once(" → ").unwrap_or(("", &event.detail));
                let label = labels.get(node).map_or(node, String::as_str);
                push(label.to_owned(), exit, StepKind::Machine, at);
            }
            ("ringing" | "invite", Some(leg)) => push(format!("Ringing {}", leg.party), "", StepKind::Waiting, at),
            ("answered" | "bridge", Some(leg)) => push(leg.party.clone(), "", StepKind::Talk, at),
            ("voicemail", _) => push(
                format!("Voicemail {}", event.detail).trim_end().to_owned(),
                "",
                StepKind::Machine,
                at,
            ),
            ("room", _) => push(
                format!("Room {}", event.detail).trim_end().to_owned(),
                "",
                StepKind::Talk,
                at,
            ),
            _ => {}
        }
    }
    if steps.is_empty() {
        steps = steps_of_legs(call, legs, scale);
    }
    steps.retain(|step| step.to_ms - step.from_ms >= 500);
    steps
}

/// How a node was left: by a key, or by an exit with a name.
fn left_by(exit: &str) -> String {
    let is_key = exit.len() == 1 && exit.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
    match exit {
        "" | "next" | "default" => String::new(),
        key if is_key => format!("pressed {key}"),
        other => other.replace(['_', '-'], " "),
    }
}

fn steps_of_legs(call: &Call, legs: &[Leg], scale: Scale) -> Vec<Step> {
    let mut steps = Vec::new();
    for leg in legs.iter().filter(|leg| leg.side == "callee") {
        let rang = since(call, leg.started_at);
        let end = leg.ended_at.map_or(scale.total_ms, |at| since(call, at));
        let answered = leg.answered_at.map(|at| since(call, at));
        let step = |name: String, kind, from_ms, to_ms| Step {
            name,
            detail: String::new(),
            from_ms,
            to_ms,
            kind,
        };
        steps.push(step(
            format!("Ringing {}", leg.party),
            StepKind::Waiting,
            rang,
            answered.unwrap_or(end),
        ));
        if let Some(at) = answered {
            steps.push(step(leg.party.clone(), StepKind::Talk, at, end));
        }
    }
    steps
}

/// Where a recording begins and ends on the clock.
#[must_use]
pub fn recorded(call: &Call, recording: &Recording) -> (i64, i64) {
    let from = since(call, recording.created_at).max(0);
    (from, from + recording.duration_ms)
}

fn moods(segments: &[Segment], caller: bool, offset_ms: i64) -> Vec<Mood> {
    let mut level = 0.0;
    segments
        .iter()
        .filter(|segment| (segment.channel == 0) == caller)
        .map(|segment| {
            let heard = match segment.sentiment {
                Sentiment::Positive => 0.85,
                Sentiment::Neutral => 0.0,
                Sentiment::Negative => -0.85,
            };
            level += (heard - level) * 0.6;
            Mood {
                at_ms: offset_ms + i64::midpoint(segment.start_ms, segment.end_ms),
                value: level,
            }
        })
        .collect()
}

fn heard(call: &Call, legs: &[Leg], scale: Scale) -> Vec<Heard> {
    legs.iter()
        .filter_map(|leg| {
            let mos = leg.quality?.mos?;
            Some(Heard {
                caller: leg.side == "caller",
                from_ms: since(call, leg.answered_at.unwrap_or(leg.started_at)),
                to_ms: leg.ended_at.map_or(scale.total_ms, |at| since(call, at)),
                mos,
                lost: super::verdict::lost(leg),
            })
        })
        .collect()
}

/// All lanes that there is something to show for.
#[must_use]
pub fn lanes(
    call: &Call,
    legs: &[Leg],
    steps: &[Step],
    kept: (Option<&Recording>, Option<&Transcript>),
    scale: Scale,
) -> Vec<Lane> {
    let (recording, transcript) = kept;
    let mut out = vec![lanes::axis(scale)];
    if !steps.is_empty() {
        out.push(lanes::path(scale, steps));
    }
    let offset = recording.map_or(0, |recording| recorded(call, recording).0);
    if let Some(transcript) = transcript.filter(|transcript| !transcript.segments.is_empty()) {
        let caller = moods(&transcript.segments, true, offset);
        let callee = moods(&transcript.segments, false, offset);
        out.push(lanes::mood(scale, &caller, &callee));
    }
    if let Some(recording) = recording.filter(|recording| !recording.peaks.is_empty()) {
        let (from, to) = recorded(call, recording);
        out.push(lanes::sound(scale, &recording.peaks, from, to));
    }
    let lines = heard(call, legs, scale);
    if !lines.is_empty() {
        out.push(lanes::quality(scale, &lines));
    }
    out
}

/// The parties of the ladder, the caller first, and what passed.
#[must_use]
pub fn ladder(legs: &[Leg], events: &[CallEvent], clock: &Clock) -> (Vec<String>, Vec<Message>) {
    let mut rows: Vec<&Leg> = legs.iter().filter(|leg| leg.side == "caller").collect();
    rows.extend(legs.iter().filter(|leg| leg.side != "caller"));
    let parties = rows.iter().map(|leg| leg.party.clone()).collect();
    let mut minute = String::new();
    let messages = events
        .iter()
        .map(|event| {
            let party = event.leg.and_then(|leg| rows.iter().position(|row| row.id == leg));
            let caller = party.is_some_and(|at| rows.get(at).is_some_and(|row| row.side == "caller"));
            let full = clock.time_ms(event.at);
            let at = if full.starts_with(&minute) && !minute.is_empty() {
                full.get(8..).unwrap_or_default().to_owned()
            } else {
                full.clone()
            };
            full.get(..8).unwrap_or_default().clone_into(&mut minute);
            Message {
                at,
                party: party.filter(|_| crosses(&event.kind)),
                from_them: from_them(&event.kind, caller),
                text: text(event),
            }
        })
        .collect();
    (parties, messages)
}

/// Whether an event is something that passed on the wire, not a decision of ours.
fn crosses(kind: &str) -> bool {
    !matches!(
        kind,
        "node" | "bridge" | "recording" | "voicemail" | "room" | "agent" | "app" | "restart" | "re-attached"
    )
}

fn from_them(kind: &str, caller: bool) -> bool {
    match kind {
        "invite" | "cancel" => caller,
        // These are noted when the far end did them, whichever side it is.
        "bye" | "hold" | "resume" => true,
        _ => !caller,
    }
}

fn text(event: &CallEvent) -> String {
    let word = match event.kind.as_str() {
        "invite" => "INVITE",
        "ringing" => "Ringing",
        "answered" => "Answered",
        "bye" => "BYE",
        "cancel" => "CANCEL",
        "node" => "Flow:",
        "recording" => "Recording",
        "voicemail" => "Voicemail",
        "room" => "Room",
        "agent" => "Agent",
        "app" => "Voice app",
        "restart" => "Restart:",
        "re-attached" => "Re-attached after a restart:",
        "bridge" => "Joined",
        "hold" => "Hold",
        "resume" => "Resume",
        other => other,
    };
    format!("{word} {}", event.detail).trim().to_owned()
}
