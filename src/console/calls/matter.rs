//! What a call was about and how it seems to have ended, on its page.

use super::view::{Known, Pointer, pointers};
use crate::show::{Act, words};
use strowger_model::speech::{Point, Segment};

/// A topic on the page.
#[derive(Debug, Clone)]
pub struct About {
    /// The topic.
    pub name: String,
    /// Where calls about the same are.
    pub href: String,
    /// How often it was heard, where that was more than once.
    pub times: String,
    /// Where it was heard first.
    pub first: Pointer,
}

/// How the call seems to have ended.
#[derive(Debug, Clone)]
pub struct Ends {
    /// In a word.
    pub word: String,
    /// The sentence that tells, where there is one.
    pub told: Option<Pointer>,
    /// Who suggests it.
    pub by: String,
    /// The button that takes it, where no person said how the call ended up.
    pub accept: Option<Act>,
}

fn pointer(text: &str, speaker: &str, at_ms: i64, segments: &[Segment]) -> Option<Pointer> {
    let point = Point {
        text: text.to_owned(),
        speaker: speaker.to_owned(),
        at_ms,
    };
    pointers(&[point], segments).pop()
}

/// The topics of a call; `list` is where calls are listed.
pub(super) fn topics(known: &Known, list: &str) -> Vec<About> {
    let Some(transcript) = &known.transcript else {
        return vec![];
    };
    let topics = transcript.analysis.iter().flat_map(|analysis| &analysis.topics);
    topics
        .filter_map(|topic| {
            Some(About {
                name: words::spoken(&topic.name),
                href: format!("{list}?about={}", crate::query::encoded(&topic.name)),
                times: if topic.times > 1 {
                    format!("{} times", topic.times)
                } else {
                    String::new()
                },
                first: pointer(&topic.text, &topic.speaker, topic.at_ms, &transcript.segments)?,
            })
        })
        .collect()
}

/// How a call seems to have ended; `here` is its page.
pub(super) fn ends(known: &Known, here: &str, csrf: &str) -> Option<Ends> {
    let transcript = known.transcript.as_ref()?;
    let told = transcript.analysis.as_ref()?.outcome.as_ref()?;
    let word = words::spoken(told.ending.code());
    let open = known.may_change && known.call.state.is_final() && !known.is_chosen;
    let accept = (open && known.disposition != told.ending.code()).then(|| {
        let about = format!("as how the call ended up: {word}");
        Act::new(format!("{here}/outcome"), "Accept", &about, csrf)
    });
    Some(Ends {
        told: pointer(&told.text, &told.speaker, told.at_ms, &transcript.segments).filter(|told| !told.text.is_empty()),
        by: told.provider.clone(),
        accept,
        word,
    })
}
