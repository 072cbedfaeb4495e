//! The verdict: what became of a call and how it sounded, in two sentences.

use crate::show::words;
use strowger_model::record::{Call, Leg, Recording};
use strowger_model::transcript::Transcript;
use strowger_model::{CallState, Direction, HangupCause};

/// The two sentences, each with a strong beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What became of it, in a word or two.
    pub outcome: String,
    /// How.
    pub story: String,
    /// How it sounded, if anybody talked.
    pub audio: String,
    /// What stood out about the sound.
    pub audio_story: String,
}

/// Who the caller is, for people.
#[must_use]
pub fn caller(call: &Call) -> String {
    call.from_name
        .clone()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| call.from_number.clone())
}

/// Who to whom, for people.
#[must_use]
pub fn title(call: &Call, legs: &[Leg], recording: Option<&Recording>) -> String {
    let reached = answered_by(legs).map_or(&call.to_number, |leg| &leg.party);
    let caller = caller(call);
    if is_imported(recording) && caller.is_empty() && reached.is_empty() {
        return "Imported recording".to_owned();
    }
    let named = |who: &str, otherwise: &str| if who.is_empty() { otherwise } else { who }.to_owned();
    format!("{} to {}", named(&caller, "Unknown"), named(reached, "unknown"))
}

/// Whether a call's recording was made elsewhere and the call itself did not pass here.
#[must_use]
pub fn is_imported(recording: Option<&Recording>) -> bool {
    recording.is_some_and(|recording| recording.recorded_by == Recording::IMPORT)
}

/// The leg that took the call: the callee's side, answered, last.
#[must_use]
pub fn answered_by(legs: &[Leg]) -> Option<&Leg> {
    legs.iter()
        .rev()
        .find(|leg| leg.side == "callee" && leg.answered_at.is_some())
}

/// The lowest score of a call's legs.
#[must_use]
pub fn worst_mos(legs: &[Leg]) -> Option<f64> {
    legs.iter()
        .filter_map(|leg| leg.quality.and_then(|quality| quality.mos))
        .min_by(f64::total_cmp)
}

/// The part of the packets of a leg that never came, 0 to 1.
#[must_use]
pub fn lost(leg: &Leg) -> f64 {
    leg.quality.map_or(0.0, |quality| {
        let due = quality.received + quality.lost;
        if due == 0 { 0.0 } else { share(quality.lost, due) }
    })
}

#[expect(clippy::cast_precision_loss, reason = "packets of a call fit into a double")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Makes the verdict.
#[must_use]
pub fn of(call: &Call, legs: &[Leg], (recording, transcript): (Option<&Recording>, Option<&Transcript>)) -> Verdict {
    let (outcome, mut story) = outcome(call, legs, recording);
    if let Some(analysis) = transcript.and_then(Transcript::mood) {
        let [first, last] = analysis.sentiment_trend;
        let word = |value: f64| match value {
            v if v > 0.2 => "pleased",
            v if v < -0.2 => "upset",
            _ => "calm",
        };
        let (began, left) = (word(first), word(last));
        story.push_str(&if began == left {
            format!(" The caller sounded {began} throughout.")
        } else {
            format!(" The caller began {began} and left {left}.")
        });
    }
    let (audio, audio_story) = sound(call, legs);
    Verdict {
        outcome,
        story,
        audio,
        audio_story,
    }
}

fn outcome(call: &Call, legs: &[Leg], recording: Option<&Recording>) -> (String, String) {
    let rang_ms =
        |until: time::OffsetDateTime| i64::try_from((until - call.started_at).whole_milliseconds()).unwrap_or(0);
    let who = answered_by(legs).map(|leg| (leg.party.clone(), leg.answered_at.unwrap_or(call.started_at)));
    let after = call.ended_at.map(|ended| words::span(rang_ms(ended)));
    let cause = call.cause.unwrap_or(HangupCause::Normal);
    match call.state {
        CallState::Initiated | CallState::Ringing => ("Ringing.".into(), "Nobody has answered yet.".into()),
        CallState::Active => (
            "Talking now.".into(),
            who.map_or_else(String::new, |(party, _)| format!("{party} has the call.")),
        ),
        CallState::Completed => match who {
            Some((party, at)) => (
                "Answered.".into(),
                format!(
                    "{party} answered after {} and the call lasted {}.",
                    words::span(rang_ms(at)),
                    words::span(call.duration_ms)
                ),
            ),
            None if is_imported(recording) => (
                "Brought from outside.".into(),
                format!(
                    "Its recording of {} was imported; the call itself did not pass here.",
                    words::span(call.duration_ms)
                ),
            ),
            None => (
                "Answered by the machine.".into(),
                format!(
                    "The caller heard it for {}; nobody was reached.",
                    words::span(call.duration_ms)
                ),
            ),
        },
        CallState::Cancelled => (
            "Gave up.".into(),
            format!(
                "The caller hung up after {} before anybody answered.",
                after.unwrap_or_default()
            ),
        ),
        CallState::Missed => (
            "Missed.".into(),
            format!("{} It rang for {}.", words::cause(cause), after.unwrap_or_default()),
        ),
        CallState::NoAnswer => (
            "No answer.".into(),
            format!("{} It rang for {}.", words::cause(cause), after.unwrap_or_default()),
        ),
        CallState::Busy => ("Busy.".into(), "The callee was in another call.".into()),
        CallState::Failed => ("Failed.".into(), words::cause(cause).to_owned()),
    }
}

fn sound(call: &Call, legs: &[Leg]) -> (String, String) {
    let Some(mos) = worst_mos(legs).filter(|_| call.answered_at.is_some()) else {
        return (String::new(), String::new());
    };
    let worst = legs.iter().max_by(|a, b| lost(a).total_cmp(&lost(b)));
    let loss = worst.map_or(0.0, lost);
    let from = worst.map_or_else(String::new, |leg| leg.party.clone());
    match (mos, loss) {
        (mos, loss) if mos >= 4.0 && loss < 0.005 => ("Audio was good".into(), "on both sides.".into()),
        (mos, _) if mos >= 3.6 => (
            "Audio was fair".into(),
            format!(": {:.1} % of the packets from {from} were lost.", loss * 100.0),
        ),
        _ => (
            "Audio was poor".into(),
            format!(
                ": score {mos:.1}, {:.1} % of the packets from {from} were lost.",
                loss * 100.0
            ),
        ),
    }
}

/// Who the call reached, for lists: the answering party, or what was dialled.
#[must_use]
pub fn other_party(call: &Call) -> (String, String) {
    match call.direction {
        Direction::Inbound | Direction::Internal => {
            let name = caller(call);
            let number = if name == call.from_number {
                String::new()
            } else {
                call.from_number.clone()
            };
            (name, number)
        }
        Direction::Outbound => (call.to_number.clone(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_said_nothing_has_no_mood() {
        let mut known = crate::samples::call::known();
        let story = |known: &crate::calls::view::Known| {
            let kept = (known.recording.as_ref(), known.transcript.as_ref());
            of(&known.call, &known.legs, kept).story
        };
        assert!(story(&known).contains(" The caller "));
        let transcript = known.transcript.as_mut().unwrap();
        transcript.segments.retain(|segment| segment.channel == 1);
        assert!(!story(&known).contains(" The caller began") && !story(&known).contains(" The caller sounded"));
    }
}
