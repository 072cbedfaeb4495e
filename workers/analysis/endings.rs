//! The rules against made-up calls whose endings and topics somebody marked before the rules were tried.

use super::tests::call;
use super::{Matter, analyse};
use std::collections::BTreeSet;
use strowger_model::speech::{Analysis, Segment};
use strowger_model::topics::TopicLists;

struct Case {
    ending: &'static str,
    topics: BTreeSet<&'static str>,
    analysis: Analysis,
    turns: Vec<Segment>,
    /// The turn that tells.
    telling: Option<usize>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("fixtures/endings.txt");
    let mut cases: Vec<(&str, Vec<String>, Option<usize>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(head) = line.strip_prefix("= ") {
            cases.push((head, Vec::new(), None));
            continue;
        }
        let (_, turns, telling) = cases.last_mut().expect("a call begins with its head");
        let said = line.strip_prefix("> ").unwrap_or(line);
        if said.len() < line.len() {
            *telling = Some(turns.len());
        }
        let (speaker, words) = said.split_once(": ").expect("speaker and text");
        turns.push(format!("{}|{words}", u8::from(speaker == "agent")));
    }
    let analysed = |(head, turns, telling): (&'static str, Vec<String>, Option<usize>)| {
        let lines: Vec<&str> = turns.iter().map(String::as_str).collect();
        let (analysis, turns) = analyse(call(&lines), Matter::Call, &TopicLists::default());
        let (ending, topics) = head.split_once('|').expect("an ending and topics");
        let topics = topics.split(',').map(str::trim).filter(|name| !name.is_empty());
        Case {
            ending: ending.trim(),
            topics: topics.collect(),
            analysis,
            turns,
            telling,
        }
    };
    cases.into_iter().map(analysed).collect()
}

#[test]
fn endings_are_suggested_as_people_marked_them_with_the_sentence_that_tells() {
    let cases = cases();
    let (mut right, mut pointed, mut marked, mut wrong) = (0, 0, 0, Vec::new());
    for case in &cases {
        let told = case.analysis.outcome.as_ref();
        let ending = told.map_or("none", |told| told.ending.code());
        if ending == case.ending {
            right += 1;
        } else {
            wrong.push(format!(
                "{} for {}: {:?}",
                ending,
                case.ending,
                case.turns.last().map(|turn| &turn.text)
            ));
            continue;
        }
        if let (Some(told), Some(turn)) = (told, case.telling.and_then(|at| case.turns.get(at))) {
            marked += 1;
            pointed +=
                usize::from(turn.text.contains(&told.text) && (turn.start_ms..turn.end_ms).contains(&told.at_ms));
        }
    }
    println!(
        "{right} of {} endings, {pointed} of {marked} sentences; wrong {wrong:#?}",
        cases.len()
    );
    assert!(cases.len() >= 24 && right * 10 >= cases.len() * 9, "{wrong:#?}");
    assert!(pointed * 10 >= marked * 9, "{pointed} of {marked}");
}

#[test]
fn topics_are_heard_as_people_marked_them() {
    let (mut found, mut marked, mut heard, mut wrong) = (0, 0, 0, Vec::new());
    for case in &cases() {
        let listed = case.analysis.topics.iter().filter(|topic| topic.listed);
        let listed: BTreeSet<&str> = listed.map(|topic| topic.name.as_str()).collect();
        marked += case.topics.len();
        heard += listed.len();
        found += case.topics.intersection(&listed).count();
        if listed != case.topics {
            wrong.push(format!("{listed:?} for {:?}", case.topics));
        }
        for topic in &case.analysis.topics {
            assert!(
                case.turns.iter().any(|turn| turn.text.contains(&topic.text)),
                "{topic:?}"
            );
        }
    }
    println!("{found} of {marked} topics, {heard} heard; {wrong:#?}");
    assert!(
        found * 10 >= marked * 9 && found * 10 >= heard * 8,
        "{found} of {marked}, {heard}: {wrong:#?}"
    );
}
