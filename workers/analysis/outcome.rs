//! How a call seems to have ended: the sentence that tells best, by what people say when something is done, promised,
//! bought, refused or left open. Where nothing tells, nothing is suggested.

use super::sentences::Sentence;
use super::{Matter, actions, cues};
use strowger_model::speech::{Analysis, Ending, Suggestion};

/// A greeting that no person speaks.
const MACHINE: &[&str] = &[
    "leave a message",
    "leave your message",
    "leave me a message",
    "after the tone",
    "after the beep",
    "cannot take your call",
    "can't take your call",
    "not available to take your call",
    "you have reached the voicemail",
    "you've reached the voicemail",
    "the mailbox",
];

const WRONG_NUMBER: &[&str] = &[
    "wrong number",
    "nobody of that name",
    "no one of that name",
    "misdialled",
    "misdialed",
];

const BOUGHT: &[&str] = &[
    "i'll take it",
    "i will take it",
    "i'll take them",
    "i will take them",
    "i'll take two",
    "i take it",
    "we take it",
    "we'll take it",
    "we take two",
    "i would like to buy",
    "i'd like to buy",
    "i would like to order",
    "i'd like to order",
    "we would like to order",
    "sign me up",
    "your order is placed",
    "i have placed your order",
    "i've placed your order",
    "placed the order",
    "order is confirmed",
    "payment went through",
    "payment has gone through",
    "thank you for your order",
    "thank you for your purchase",
    "thanks for your order",
];

const CALLS_BACK: &[&str] = &[
    "i'll call you back",
    "i will call you back",
    "we'll call you back",
    "we will call you back",
    "will call you back",
    "call you back",
    "ring you back",
    "phone you back",
    "give you a call back",
    "i'll give you a call",
    "i will give you a call",
    "we will give you a call",
    "we'll give you a call",
    "get back to you",
    "gets back to you",
    "will call you",
    "will ring you",
    "will phone you",
];

/// The caller asks for it; it counts once nothing else was promised.
const ASKS_CALL_BACK: &[&str] = &[
    "call me back",
    "ring me back",
    "get back to me",
    "phone me back",
    "give me a call",
];

const APPOINTED: &[&str] = &[
    "you are booked",
    "you're booked",
    "i have booked you",
    "i've booked you",
    "booked you in",
    "appointment is booked",
    "appointment is confirmed",
    "your appointment is",
    "i put you down",
    "i'll put you down",
    "i will put you down",
    "see you on",
    "see you tomorrow",
    "see you then",
    "is reserved for you",
    "reservation is confirmed",
    "i'll be there",
    "i will be there",
    "suits me",
    "works for me",
];

const RESOLVED: &[&str] = &[
    "it works now",
    "it's working now",
    "it is working now",
    "that works now",
    "works again",
    "working again",
    "is fixed",
    "that's fixed",
    "it's fixed",
    "is solved",
    "that solved it",
    "that solves it",
    "that did it",
    "is sorted",
    "that's sorted",
    "all sorted",
    "that answers my question",
    "that's all i needed",
    "that is all i needed",
    "that's all i wanted to know",
    "that is all i wanted to know",
    "that was all i needed",
    "i can log in",
    "i'm in now",
    "has been refunded",
    "is corrected",
    "has been corrected",
    "is done",
    "it's done",
    "that's done",
    "problem is gone",
];

const COMPLAINS: &[&str] = &[
    "complain",
    "complaint",
    "unacceptable",
    "not acceptable",
    "unbearable",
    "ridiculous",
    "disgrace",
    "disgraceful",
    "outrageous",
    "speak to a manager",
    "speak to your manager",
    "speak to the manager",
    "speak to a supervisor",
    "really disappointing",
    "not good enough",
    "really frustrated",
    "very angry",
    "really angry",
];

const REFUSES: &[&str] = &[
    "not interested",
    "no interest",
    "don't need it",
    "do not need it",
    "don't want it",
    "take me off your list",
    "remove me from your list",
    "stop calling me",
    "don't call me again",
    "do not call me again",
    "already have a supplier",
    "we already have one",
];

/// What turns a cue into its opposite.
const NOT: &[&str] = &[
    "not",
    "isn't",
    "doesn't",
    "don't",
    "didn't",
    "hasn't",
    "haven't",
    "wasn't",
    "won't",
    "cannot",
    "can't",
    "never",
    "no longer",
    "nothing",
    "if",
    "until",
    "unless",
    "when",
    "before",
    "should be",
    "nobody",
    "still",
];

/// Fewer words than this from each side are no talk.
const TALK: usize = 3;

/// Whether what the rules suggest may be said of a transcript in a language. Words they do not know tell them nothing, and
/// where both sides may speak in one channel (`is_mixed`) nobody can tell that one of them said nothing.
#[must_use]
pub fn may_tell(told: &Suggestion, matter: Matter, language: Option<&str>, is_mixed: bool) -> bool {
    let is_known = Analysis::rules_know(language) || matter == Matter::Message;
    is_known && !(is_mixed && told.ending == Ending::NoResult)
}

/// How a call between a caller and one of us seems to have ended.
pub(super) fn suggest(sentences: &[Sentence], is_message: bool) -> Option<Suggestion> {
    let found = if is_message {
        message(sentences)
    } else {
        talk(sentences)
    };
    let (ending, sentence) = found?;
    Some(Suggestion {
        ending,
        text: sentence.map(|one| one.text.clone()).unwrap_or_default(),
        speaker: sentence.map(|one| one.speaker.clone()).unwrap_or_default(),
        at_ms: sentence.map_or(0, |one| one.at_ms),
        provider: super::PROVIDER.to_owned(),
    })
}

type Told<'a> = Option<(Ending, Option<&'a Sentence>)>;

fn message(sentences: &[Sentence]) -> Told<'_> {
    let asks = |sentence: &&Sentence| cues::count(&sentence.plain, ASKS_CALL_BACK) > 0;
    let told = sentences.iter().find(asks).or_else(|| sentences.first());
    Some(told.map_or((Ending::NoResult, None), |one| (Ending::Voicemail, Some(one))))
}

fn talk(sentences: &[Sentence]) -> Told<'_> {
    let says = |cues: &'static [&'static str]| move |one: &Sentence| cues::count(&one.plain, cues) > 0;
    let plainly = |cues: &'static [&'static str]| {
        move |one: &Sentence| {
            cues::count(&one.plain, cues) > 0 && !one.text.ends_with('?') && cues::count(&one.plain, NOT) == 0
        }
    };
    if let Some(machine) = sentences.iter().find(|one| says(MACHINE)(one)) {
        return Some((Ending::Voicemail, Some(machine)));
    }
    if let Some(wrong) = sentences.iter().find(|one| says(WRONG_NUMBER)(one)) {
        return Some((Ending::WrongNumber, Some(wrong)));
    }
    let words_of = |callers: bool| -> usize {
        let some = sentences.iter().filter(|one| one.is_callers == callers);
        some.map(Sentence::word_count).sum()
    };
    if words_of(true) < TALK || words_of(false) < TALK {
        return Some((Ending::NoResult, sentences.last()));
    }
    // What was said last holds, and what was said after a complaint answers it.
    let last = |told: &dyn Fn(&Sentence) -> bool| sentences.iter().enumerate().rev().find(|(_, one)| told(one));
    let refused = last(&|one| says(REFUSES)(one) && !one.text.ends_with('?'));
    let bought = last(&plainly(BOUGHT));
    let resolved = last(&plainly(RESOLVED));
    let calls_back =
        last(&|one| says(CALLS_BACK)(one) && cues::count(&one.plain, &["could you", "can you", "don't", "not"]) == 0);
    let complains = last(&says(COMPLAINS));
    let appointed = last(&|one| plainly(APPOINTED)(one));
    let asks = last(&says(ASKS_CALL_BACK));
    let promised = last(&|one| !one.is_callers && actions::is_promise(one));
    let to_do = promised.or_else(|| last(&actions::is_action));
    let is_after = |one: Option<(usize, &Sentence)>, other: Option<(usize, &Sentence)>| {
        one.is_some_and(|(at, _)| other.is_none_or(|(before, _)| at > before))
    };
    let by_rank = [
        (Ending::Sale, bought.filter(|_| !is_after(refused, bought))),
        (Ending::NotInterested, refused),
        (
            Ending::Resolved,
            resolved.filter(|_| is_after(resolved, complains) && is_after(resolved, calls_back)),
        ),
        (Ending::CallbackPromised, calls_back),
        (
            Ending::ComplaintOpen,
            complains.filter(|_| !is_after(promised, complains)),
        ),
        (Ending::Appointment, appointed),
        (Ending::FollowUp, to_do.or(asks)),
    ];
    by_rank
        .into_iter()
        .find_map(|(ending, told)| Some((ending, Some(told?.1))))
}

#[cfg(test)]
mod tests {
    use super::super::sentences::sentences;
    use super::super::tests::{call, complaint};
    use super::*;

    fn ending(lines: &[&str]) -> Option<(Ending, String)> {
        let told = suggest(&sentences(&call(lines)), false)?;
        Some((told.ending, told.text))
    }

    #[test]
    fn a_promise_after_a_complaint_is_to_be_followed_up_and_points_to_its_second() {
        let call = complaint();
        let told = suggest(&sentences(&call), false).unwrap();
        assert_eq!((told.ending, told.speaker.as_str()), (Ending::FollowUp, "agent"));
        assert!(told.text.contains("send a technician"), "{told:?}");
        assert_eq!(told.at_ms, call[6].start_ms);
        assert_eq!(told.provider, super::super::PROVIDER);
    }

    #[test]
    fn a_cue_that_is_denied_asked_or_conditional_tells_nothing() {
        let one = "1|The line is slow, as you say.";
        for said in [
            "0|It still doesn't work again, not one bit.",
            "0|Is it fixed on your side now?",
            "0|Tell the others if it works again.",
        ] {
            assert_eq!(ending(&[one, said]), None, "{said}");
        }
        let told = ending(&[one, "0|Oh, it works again."]);
        assert_eq!(told, Some((Ending::Resolved, "Oh, it works again.".to_owned())));
    }

    #[test]
    fn nothing_is_told_by_words_of_another_language_or_of_a_side_that_has_no_channel_of_its_own() {
        let told = |ending| {
            let mut told = suggest(&sentences(&complaint()), false).unwrap();
            told.ending = ending;
            told
        };
        let (silence, sale) = (told(Ending::NoResult), told(Ending::Sale));
        assert!(may_tell(&sale, Matter::Call, Some("en"), true) && may_tell(&sale, Matter::Call, None, false));
        assert!(!may_tell(&sale, Matter::Call, Some("ru"), false));
        assert!(may_tell(&told(Ending::Voicemail), Matter::Message, Some("ru"), false));
        assert!(may_tell(&silence, Matter::Call, Some("en"), false));
        assert!(!may_tell(&silence, Matter::Call, Some("en"), true));
    }

    #[test]
    fn messages_machines_and_one_sided_talk_are_told_apart() {
        let greeting = "1|You have reached Northwind. Please leave a message after the tone.";
        assert_eq!(ending(&[greeting, "0|Hi, it's Ada."]).unwrap().0, Ending::Voicemail);
        assert_eq!(
            ending(&["0|Hello? Hello? Is anybody there?"]).unwrap().0,
            Ending::NoResult
        );
        assert_eq!(ending(&[]), Some((Ending::NoResult, String::new())));
        let left = sentences(&call(&["0|This is Ada from Elm Street. Please call me back."]));
        let told = suggest(&left, true).unwrap();
        assert_eq!(
            (told.ending, told.text.as_str()),
            (Ending::Voicemail, "Please call me back.")
        );
        assert_eq!(suggest(&[], true).unwrap().ending, Ending::NoResult);
    }
}
