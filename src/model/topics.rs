//! What calls are about: lists of words that tell a topic, those built in (English) and a tenant's own, in whatever
//! language its callers speak. Pure.

use crate::disposition::is_word;
use crate::settings::Settings;

/// The most lists of a tenant.
const MOST_LISTS: usize = 60;
/// The most words of a list.
const MOST_WORDS: usize = 100;

/// A topic with the words that tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicList {
    /// Its name: small letters, figures, dashes and underscores.
    pub name: String,
    /// Words and phrases in small letters; one that ends with `*` tells by its beginning.
    pub words: Vec<String>,
}

impl TopicList {
    /// Whether a text tells this topic: lower-case words between single spaces, with a space at both ends.
    #[must_use]
    pub fn is_in(&self, plain: &str) -> bool {
        self.words.iter().any(|word| match word.strip_suffix('*') {
            Some(beginning) => plain.contains(&format!(" {beginning}")),
            None => plain.contains(&format!(" {word} ")),
        })
    }
}

const BUILT_IN: &[(&str, &str)] = &[
    (
        "billing",
        "invoice*, bill, bills, billed, billing, payment*, direct debit, overcharged, charged, refund*, \
         paid twice, credit card, bank account, statement",
    ),
    (
        "price",
        "price*, quote, quotation, discount*, how much, what does it cost, what do they cost, what it costs, \
         expensive, cheaper, special offer, a new offer",
    ),
    (
        "order",
        "to order, an order, my order, our order, your order, the order, order number, ordered, orders",
    ),
    (
        "delivery",
        "deliver*, parcel*, package, packages, shipping, shipped, shipment*, courier*, tracking number, \
         driver left, not arrived, did not arrive, hasn't arrived, never arrived",
    ),
    (
        "returns",
        "return label, send it back, sent it back, returned it, exchange it, a replacement",
    ),
    (
        "cancellation",
        "cancel*, terminate, termination, unsubscribe, end my contract, end the contract, give notice",
    ),
    (
        "appointment",
        "appointment*, reschedule*, viewing, interview, booking, booked, reservation*, reserve, a table for, \
         is free at, make it to",
    ),
    (
        "technical_fault",
        "broken, broke, broke down, breakdown, stopped working, not working, doesn't work, does not work, \
         don't work, won't start, out of order, fault*, defect*, error message, error code, crash*, outage, \
         is down, was down, no signal, leak, leaking, dripping, stopped again",
    ),
    (
        "complaint",
        "complain*, unacceptable, not acceptable, unbearable, ridiculous, disappoint*, frustrat*, disgrace*, \
         terrible service, speak to a manager, speak to your manager, speak to a supervisor, the third time, \
         not good enough, outrageous",
    ),
    (
        "praise",
        "excellent service, great service, great job, well done, very helpful, so helpful, really helpful, \
         a wonderful, wonderful service, fantastic service, a fantastic, you have been great, very pleased, \
         very happy with, compliment*, highly recommend",
    ),
    (
        "contract",
        "contract*, subscription*, renewal*, renew, tariff*, policy number, terms and conditions",
    ),
    (
        "account_access",
        "password*, log in, login, locked out, sign in, user name, username, reset code, my account",
    ),
    (
        "opening_hours",
        "opening hours, open on, are you open, when do you open, when do you close, close at, open until, \
         close early",
    ),
    ("warranty", "warrant*, guarantee*"),
    (
        "insurance",
        "insurance, insured, claim number, insurance claim, police report",
    ),
];

/// The lists that calls of a tenant are looked through for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicLists(Vec<TopicList>);

impl Default for TopicLists {
    fn default() -> Self {
        Self::read("")
    }
}

impl TopicLists {
    /// What the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self::read(&settings.text("topic_lists"))
    }

    /// Reads `name: word, word; name: word`: a name that is built in takes its words' place, and one without words
    /// takes it away.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let built_in = BUILT_IN.iter().map(|(name, words)| TopicList {
            name: (*name).to_owned(),
            words: words.split(',').map(plain).collect(),
        });
        let mut lists: Vec<TopicList> = built_in.collect();
        for part in text.split([';', '\n']) {
            let (name, words) = part.split_once(':').unwrap_or((part, ""));
            let name = name.trim().to_lowercase().replace(' ', "_");
            if !is_word(&name) {
                continue;
            }
            lists.retain(|list| list.name != name);
            let words = words
                .split(',')
                .map(plain)
                .filter(|word| !word.is_empty() && word != "*");
            let words: Vec<String> = words.take(MOST_WORDS).collect();
            if !words.is_empty() && lists.len() < MOST_LISTS {
                lists.push(TopicList { name, words });
            }
        }
        Self(lists)
    }

    /// The lists.
    #[must_use]
    pub fn lists(&self) -> &[TopicList] {
        &self.0
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|list| list.name.clone()).collect()
    }
}

/// A word of a list as texts are compared with it.
fn plain(word: &str) -> String {
    let word = word.to_lowercase().replace('’', "'");
    let letters = word
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '\'' | ' ' | '*'));
    let letters: String = letters.collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_lists_stand_beside_the_built_in_ones_take_their_place_or_take_them_away() {
        let lists = TopicLists::read("Pool: Swim*, towel ; billing: Rechnung*; praise:; : x; bad name!: y");
        let words = |name: &str| {
            lists
                .lists()
                .iter()
                .find(|list| list.name == name)
                .map(|list| list.words.clone())
        };
        assert_eq!(words("pool"), Some(vec!["swim*".to_owned(), "towel".to_owned()]));
        assert_eq!(words("billing"), Some(vec!["rechnung*".to_owned()]));
        assert_eq!((words("praise"), words("bad_name!")), (None, None));
        assert!(lists.names().contains(&"delivery".to_owned()));
        let pool = lists.lists().iter().find(|list| list.name == "pool").unwrap();
        assert!(pool.is_in(" is the swimming pool open ") && pool.is_in(" a towel "));
        assert!(!pool.is_in(" towels ") && !pool.is_in(" "));
    }

    #[test]
    fn every_built_in_list_has_a_name_and_words_that_can_be_found() {
        for list in TopicLists::default().lists() {
            assert!(is_word(&list.name), "{}", list.name);
            for word in &list.words {
                assert_eq!(plain(word), *word);
                assert!(list.is_in(&format!(" {} ", word.trim_end_matches('*'))), "{word}");
            }
        }
    }

    #[test]
    fn no_setting_makes_more_lists_than_fit() {
        let text: String = (0..500).map(|n| format!("t{n}: word{n};")).collect();
        assert_eq!(TopicLists::read(&text).lists().len(), MOST_LISTS);
    }
}
