//! The rules against thirty made-up calls: nothing invented, summaries short, what was promised found.

use super::sentences::split;
use super::tests::call;
use super::{Matter, analyse};
use std::collections::BTreeSet;
use strowger_model::speech::{Analysis, Segment};
use strowger_model::topics::TopicLists;

struct Case {
    name: &'static str,
    analysis: Analysis,
    turns: Vec<Segment>,
    /// The turns somebody marked as a promise or a request.
    marked: Vec<usize>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("fixtures/calls.txt");
    let mut cases: Vec<(&str, Vec<String>, Vec<usize>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= ") {
            cases.push((name, Vec::new(), Vec::new()));
            continue;
        }
        let (_, turns, marked) = cases.last_mut().expect("a call begins with its name");
        let said = line.strip_prefix("* ").unwrap_or(line);
        if said.len() < line.len() {
            marked.push(turns.len());
        }
        let (speaker, words) = said.split_once(": ").expect("speaker and text");
        turns.push(format!("{}|{words}", u8::from(speaker == "agent")));
    }
    let analysed = |(name, turns, marked): (&'static str, Vec<String>, Vec<usize>)| {
        let lines: Vec<&str> = turns.iter().map(String::as_str).collect();
        let (analysis, turns) = analyse(call(&lines), Matter::Call, &TopicLists::default());
        Case {
            name,
            analysis,
            turns,
            marked,
        }
    };
    cases.into_iter().map(analysed).collect()
}

/// Names, places, numbers: words with a capital within a sentence, and figures.
fn entities(text: &str) -> BTreeSet<String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let named = split(text).into_iter().flat_map(|sentence| {
        let words: Vec<String> = sentence.split_whitespace().map(bare).collect();
        let within = words.into_iter().enumerate().filter(|(at, word)| {
            let figure = word.chars().any(|c| c.is_ascii_digit());
            figure || (*at > 0 && word.chars().next().is_some_and(char::is_uppercase))
        });
        within.map(|(_, word)| word).collect::<Vec<_>>()
    });
    named.collect()
}

#[test]
fn thirty_summaries_are_short_and_name_nobody_who_was_not_named() {
    let cases = cases();
    assert_eq!(cases.len(), 30);
    let mut named = 0;
    for case in &cases {
        let said: BTreeSet<String> = case
            .turns
            .iter()
            .flat_map(|turn| turn.text.split_whitespace())
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
            .collect();
        let count = split(&case.analysis.summary).len();
        assert!((1..=3).contains(&count), "{}: {}", case.name, case.analysis.summary);
        for entity in entities(&case.analysis.summary) {
            assert!(
                said.contains(&entity),
                "{}: {entity} in {}",
                case.name,
                case.analysis.summary
            );
            named += 1;
        }
    }
    assert!(
        named >= 40,
        "only {named} names and figures: the summaries say too little"
    );
}

#[test]
fn what_was_promised_is_found_and_stands_at_its_second() {
    let (mut marked, mut found, mut listed, mut missed) = (0, 0, 0, Vec::new());
    for case in &cases() {
        listed += case.analysis.action_items.len();
        for turn in case.marked.iter().map(|at| &case.turns[*at]) {
            marked += 1;
            let item = case
                .analysis
                .action_items
                .iter()
                .find(|item| turn.text.contains(&item.text));
            match item {
                Some(item) => {
                    found += 1;
                    assert!(
                        (turn.start_ms..turn.end_ms).contains(&item.at_ms),
                        "{}: {}",
                        case.name,
                        item.text
                    );
                    assert_eq!(item.speaker, turn.speaker, "{}: {}", case.name, item.text);
                }
                None => missed.push(format!("{}: {}", case.name, turn.text)),
            }
        }
    }
    let (recall, precision) = (f64::from(found) / f64::from(marked), f64::from(found) / listed as f64);
    println!("recall {recall:.3} of {marked}, precision {precision:.3}; missed {missed:#?}");
    assert!(recall >= 0.8, "recall {recall:.2}: {missed:#?}");
    assert!(precision >= 0.8, "precision {precision:.2}");
}
