//! What a call was about: the lists that its sentences tell, and the things that were named again and again.

use super::cues;
use super::sentences::Sentence;
use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;
use strowger_model::speech::Topic;
use strowger_model::topics::TopicLists;

/// The most lists named of a call.
const MOST_LISTED: usize = 6;
/// The most things named beside them.
const MOST_SAID: usize = 4;
/// What is named once is no topic.
const FEWEST_TIMES: usize = 2;
/// The most words of a thing.
const MOST_WORDS: usize = 3;
/// Of a very long call only so many things compete.
const MOST_THINGS: usize = 2000;

/// What follows one of these is a thing.
const LEADS: &str = "a an the my your our his her their its this that these those another new of for about with any no some \
     each every second first";

/// No part of a thing's name: grammar, manners, time, and the verbs of telephone talk.
const NO_NAMES: &str = "i you he she it we they me him us them who which what when where why how is are was were be been being \
     am has have had do does did done will would shall should can could may might must not and or but if then \
     than so as at by from in into on onto to up down out off over under again once here there all both few \
     more most other own same too very just still yet also only now yes no okay ok please thank thanks sorry \
     hello goodbye bye well right fine good great perfect sure really today tomorrow yesterday morning \
     afternoon evening night week weeks month months year years day days hour hours minute minutes moment \
     time times monday tuesday wednesday thursday friday saturday sunday came come comes go goes went get got \
     give gave take takes took say says said tell told see saw know knew want wants need needs like make made \
     put send sent call calls ask let help thing things lot bit way one two three four five six seven eight \
     nine ten because about after before since until while with without of for a an the my your our his her \
     their its this that these those another any some each every first second broke stopped stop works work \
     costs cost left runs run begins begin last next back name number i'm i'll it's that's don't didn't can't \
     we're you're there's anything something nothing somebody nobody everything else whole much many long \
     little";

static LEADING: LazyLock<HashSet<&str>> = LazyLock::new(|| LEADS.split_whitespace().collect());
static GRAMMAR: LazyLock<HashSet<&str>> = LazyLock::new(|| NO_NAMES.split_whitespace().collect());

/// What a call was about: listed topics first, then things that were named more than once.
pub(super) fn topics(sentences: &[Sentence], lists: &TopicLists) -> Vec<Topic> {
    let mut topics = listed(sentences, lists);
    topics.extend(said(sentences, lists));
    topics
}

fn listed(sentences: &[Sentence], lists: &TopicLists) -> Vec<Topic> {
    let mut topics: Vec<Topic> = Vec::new();
    for list in lists.lists() {
        let mut telling = sentences.iter().filter(|sentence| list.is_in(&sentence.plain));
        let Some(first) = telling.next() else { continue };
        topics.push(topic(&list.name, true, 1 + telling.count(), first));
    }
    topics.sort_by_key(|topic| (std::cmp::Reverse(topic.times), topic.at_ms));
    topics.truncate(MOST_LISTED);
    topics
}

fn topic(name: &str, listed: bool, times: usize, first: &Sentence) -> Topic {
    Topic {
        name: name.to_owned(),
        listed,
        times: i64::try_from(times).unwrap_or(i64::MAX),
        text: first.text.clone(),
        speaker: first.speaker.clone(),
        at_ms: first.at_ms,
        provider: super::PROVIDER.to_owned(),
    }
}

/// Things that were named at least twice, the weightiest first: a name of several words says more than one.
fn said(sentences: &[Sentence], lists: &TopicLists) -> Vec<Topic> {
    let has_list = |thing: &str| lists.lists().iter().any(|list| list.name == thing);
    let mut things: BTreeMap<String, usize> = BTreeMap::new();
    for (at, sentence) in sentences.iter().enumerate() {
        if cues::count(&sentence.plain, cues::MANNERS) > 0 {
            continue;
        }
        for thing in named(&sentence.text) {
            if things.len() < MOST_THINGS && !has_list(&thing) {
                things.entry(thing).or_insert(at);
            }
        }
    }
    let plain: Vec<String> = sentences
        .iter()
        .map(|sentence| singular_words(&sentence.plain))
        .collect();
    let mut weighed: Vec<(String, usize, usize)> = Vec::new();
    for (thing, first) in things {
        let wanted = singular_words(&thing);
        let times = plain.iter().filter(|sentence| sentence.contains(&wanted)).count();
        if times >= FEWEST_TIMES {
            weighed.push((thing, first, times));
        }
    }
    let words = |thing: &str| thing.split(' ').count();
    weighed.sort_by_key(|(thing, first, times)| (std::cmp::Reverse(times * (1 + words(thing))), *first));
    let mut topics: Vec<(String, Topic)> = Vec::new();
    for (thing, first, times) in weighed {
        let spelled = singular_words(&thing);
        let is_part = topics
            .iter()
            .any(|(other, _)| other.contains(&spelled) || spelled.contains(other.as_str()));
        if let (false, Some(sentence)) = (is_part, sentences.get(first)) {
            topics.push((spelled, topic(&thing, false, times, sentence)));
        }
        if topics.len() == MOST_SAID {
            break;
        }
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}

/// The things of a sentence: up to three words after an article, a possessive or a preposition, without grammar between,
/// and the last of them by itself.
fn named(text: &str) -> Vec<String> {
    let mut things = Vec::new();
    let mut is_led = false;
    let mut run: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let plain = cues::plain(word).trim().to_owned();
        let is_name = plain.chars().count() >= 3
            && plain.chars().all(char::is_alphabetic)
            && !GRAMMAR.contains(plain.as_str())
            && !plain.ends_with("ed")
            && !plain.ends_with("ly");
        let goes_on = is_led && is_name && run.len() < MOST_WORDS;
        if goes_on {
            run.push(plain.clone());
        }
        if !goes_on || !word.ends_with(char::is_alphanumeric) {
            end(&mut run, &mut things);
            is_led = word.ends_with(char::is_alphanumeric) && LEADING.contains(plain.as_str());
        }
    }
    end(&mut run, &mut things);
    things
}

fn end(run: &mut Vec<String>, things: &mut Vec<String>) {
    if let Some(last) = run.last() {
        if run.len() > 1 {
            things.push(last.clone());
        }
        things.push(run.join(" "));
    }
    run.clear();
}

/// A plain text with every word in the singular, as far as an `s` tells, and a space at both ends.
fn singular_words(plain: &str) -> String {
    let mut text = String::from(" ");
    for word in plain.split_whitespace() {
        let stem = word
            .strip_suffix('s')
            .filter(|stem| stem.len() >= 3 && !stem.ends_with('s'));
        text.push_str(stem.unwrap_or(word));
        text.push(' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sentences::sentences;
    use super::super::tests::{call, complaint};
    use super::*;

    fn names(topics: &[Topic], listed: bool) -> Vec<&str> {
        let some = topics.iter().filter(|topic| topic.listed == listed);
        some.map(|topic| topic.name.as_str()).collect()
    }

    #[test]
    fn a_call_has_the_topics_its_sentences_tell_and_the_things_it_names() {
        let sentences = sentences(&complaint());
        let topics = topics(&sentences, &TopicLists::default());
        assert_eq!(
            names(&topics, true),
            ["complaint", "order", "technical_fault", "warranty"]
        );
        assert_eq!(names(&topics, false), ["boiler"]);
        let boiler = topics.last().unwrap();
        assert_eq!((boiler.times, boiler.speaker.as_str()), (3, "caller"));
        assert!(boiler.text.contains("broke down") && boiler.at_ms > 0, "{boiler:?}");
    }

    #[test]
    fn a_tenants_own_list_is_heard_and_things_keep_their_whole_name() {
        let call = call(&[
            "0|The swimming pool is cold, and the heat pump makes a noise.",
            "1|Which heat pump is it?",
            "0|The heat pump of the swimming pool.",
        ]);
        let topics = topics(&sentences(&call), &TopicLists::read("pool: swim*"));
        assert_eq!(names(&topics, true), ["pool"]);
        assert_eq!(names(&topics, false), ["heat pump", "swimming pool"]);
        assert_eq!(topics[0].times, 2);
    }

    #[test]
    fn manners_and_grammar_are_no_things() {
        let call = call(&[
            "1|Good morning, thank you for calling, how can I help you?",
            "0|Good morning. I will call again tomorrow. It is the same as the last time.",
            "1|Thank you for calling. The same to you. Have a nice day.",
        ]);
        assert_eq!(topics(&sentences(&call), &TopicLists::default()), []);
        assert_eq!(topics(&[], &TopicLists::default()), []);
    }
}
