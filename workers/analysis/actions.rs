//! Who promised or asked what: sentences with a cue phrase, minus manners.

use super::cues;
use super::sentences::Sentence;
use strowger_model::speech::Point;

/// A list longer than this is no help.
const MOST: usize = 12;

/// The sentences that promise or ask something, in the order they were said.
pub(super) fn items(sentences: &[Sentence]) -> Vec<Point> {
    let mut items: Vec<Point> = Vec::new();
    for sentence in sentences.iter().filter(|sentence| is_action(sentence)) {
        if items.len() < MOST && items.iter().all(|item| item.text != sentence.text) {
            items.push(sentence.point());
        }
    }
    items
}

/// Whether somebody promises something in it.
pub(super) fn is_promise(sentence: &Sentence) -> bool {
    is_action(sentence) && cues::count(&sentence.plain, cues::PROMISES) > 0
}

/// Whether somebody promises or asks something in it.
pub(super) fn is_action(sentence: &Sentence) -> bool {
    if sentence.word_count() < 4 || cues::count(&sentence.plain, cues::NO_ACTION) > 0 {
        return false;
    }
    cues::count(&sentence.plain, cues::PROMISES) + cues::count(&sentence.plain, cues::REQUESTS) > 0
}

#[cfg(test)]
mod tests {
    use super::super::sentences::sentences;
    use super::super::tests::call;
    use super::*;

    #[test]
    fn marked_actions_are_found_and_manners_are_not() {
        let wanted = [
            "I'll call you back on Friday.",
            "Please send the contract to my office.",
            "Could you cancel the second order?",
            "We will refund the whole amount.",
            "Don't forget to bring your passport.",
        ];
        let manners = [
            "How can I help you today?",
            "Please hold the line for me.",
            "Can you hear me now?",
            "I will be happy to help you.",
            "Please leave your message after the tone.",
            "The invoice came on Monday morning.",
        ];
        let lines: Vec<String> = wanted.iter().chain(&manners).map(|line| format!("0|{line}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let found = items(&sentences(&call(&lines)));
        let texts: Vec<&str> = found.iter().map(|item| item.text.as_str()).collect();
        assert_eq!(texts, wanted);
    }
}
