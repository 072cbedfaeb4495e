//! The phrases that rules listen for, lower case, and how they are looked for.

/// Something will be done.
pub(super) const PROMISES: &[&str] = &[
    "i will",
    "i'll",
    "we will",
    "we'll",
    "i am going to",
    "i'm going to",
    "we are going to",
    "we're going to",
    "i shall",
    "let me send",
    "let me book",
    "get back to you",
    "call you back",
    "send you",
    "follow up with",
];

/// Somebody is asked to do something.
pub(super) const REQUESTS: &[&str] = &[
    "please",
    "could you",
    "can you",
    "would you",
    "will you",
    "you need to",
    "you have to",
    "you should",
    "make sure",
    "don't forget",
    "do not forget",
    "remember to",
    "i need you to",
    "i want you to",
    "call me back",
    "get back to me",
    "send me",
    "let me know",
];

/// Sounds like one of the above and is none: manners, waiting, menus.
pub(super) const NO_ACTION: &[&str] = &[
    "how can i help",
    "how may i help",
    "can i help",
    "can you hear me",
    "could you hear me",
    "can you give me",
    "could you give me",
    "can you tell me",
    "could you tell me",
    "could you repeat",
    "can you repeat",
    "please hold",
    "please wait",
    "one moment",
    "hold on",
    "please press",
    "press",
    "please dial",
    "if you would like",
    "leave a message",
    "leave your message",
    "after the tone",
    "i will be happy to help",
    "i'll be happy to help",
    "i will check",
    "i'll check",
    "i will have a look",
    "i'll have a look",
    "i'll be honest",
    "i will be honest",
    "i will wait",
    "i'll wait",
    "yes please",
    "no please",
];

/// Opens or closes a call and says nothing of its matter.
pub(super) const MANNERS: &[&str] = &[
    "hello",
    "hi there",
    "good morning",
    "good afternoon",
    "good evening",
    "thank you for calling",
    "thanks for calling",
    "thank you for your call",
    "welcome to",
    "my name is",
    "how can i help",
    "how may i help",
    "how are you",
    "is there anything else",
    "anything else i can",
    "have a nice",
    "have a good",
    "have a great",
    "you're welcome",
    "you are welcome",
    "goodbye",
    "good bye",
    "bye",
    "thank you very much",
    "thanks a lot",
    "talk to you soon",
    "one moment",
    "please hold",
    "hold on",
];

/// Tells of the matter itself.
pub(super) const MATTER: &[&str] = &[
    "problem",
    "issue",
    "because",
    "broken",
    "broke",
    "wrong",
    "error",
    "complaint",
    "refund",
    "order",
    "invoice",
    "payment",
    "price",
    "contract",
    "cancel",
    "delivery",
    "appointment",
    "deadline",
    "warranty",
    "account",
    "agreed",
    "decided",
    "need",
    "want",
    "would like to",
    "calling about",
    "calling because",
    "tomorrow",
    "today",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// A text as lower-case words between single spaces, with a space at both ends, so that a phrase can
/// be looked for as a whole.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::from(" ");
    for word in text.split_whitespace() {
        let word: String = word
            .chars()
            .map(|c| if c == '’' { '\'' } else { c })
            .filter(|c| c.is_alphanumeric() || *c == '\'')
            .flat_map(char::to_lowercase)
            .collect();
        if !word.is_empty() {
            plain.push_str(&word);
            plain.push(' ');
        }
    }
    plain
}

/// How many of `phrases` stand in a [`plain`] text as whole words.
pub(super) fn count(plain: &str, phrases: &[&str]) -> usize {
    phrases
        .iter()
        .filter(|phrase| plain.contains(&format!(" {phrase} ")))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_whole_words_only() {
        let text = plain("I’ll call you back, OK?");
        assert_eq!(text, " i'll call you back ok ");
        assert_eq!(count(&text, &["i'll", "call you back", "all you"]), 2);
    }
}
