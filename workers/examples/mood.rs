//! How often the mood of a sentence is told as people tell it.
//!
//! `cargo run --release -p strowger-worker --example mood -- FILE [COUNT]`: lines of `name`, a people's mean rating from −4 to
//! 4, and the sentence, parted by tabs, as the ground truth of Hutto and Gilbert (ICWSM 2014) has them. `COUNT` lines, spread
//! over the file, are looked at; all without it. A rating between −0.5 and 0.5 counts as neutral.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement prints, and ends when it cannot go on"
)]

use strowger_model::speech::{Segment, Sentiment};
use strowger_model::topics::TopicLists;
use strowger_worker::analysis::{Matter, analyse};

/// From here on people call a sentence positive, and below its negative negative.
const CLEAR: f64 = 0.5;
const MOODS: [Sentiment; 3] = [Sentiment::Positive, Sentiment::Neutral, Sentiment::Negative];

fn by_people(rating: f64) -> Sentiment {
    if rating > CLEAR {
        Sentiment::Positive
    } else if rating < -CLEAR {
        Sentiment::Negative
    } else {
        Sentiment::Neutral
    }
}

fn by_us(text: &str) -> Sentiment {
    let turn = Segment {
        channel: 0,
        speaker: String::new(),
        start_ms: 0,
        end_ms: 1000,
        text: text.to_owned(),
        confidence: 1.0,
        sentiment: Sentiment::Neutral,
        words: Vec::new(),
    };
    let (_, turns) = analyse(vec![turn], Matter::Call, &TopicLists::default());
    turns.first().map_or(Sentiment::Neutral, |turn| turn.sentiment)
}

fn main() {
    let mut given = std::env::args().skip(1);
    let file = std::fs::read(given.next().expect("a file")).expect("the file");
    let file = String::from_utf8_lossy(&file);
    let lines: Vec<(f64, &str)> = file
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, '\t').skip(1);
            Some((parts.next()?.parse().ok()?, parts.next()?))
        })
        .collect();
    let count = given
        .next()
        .map_or(lines.len(), |count| count.parse().expect("a count"));
    let looked_at = lines.iter().step_by((lines.len() / count.max(1)).max(1)).take(count);
    let told: Vec<(Sentiment, Sentiment)> = looked_at
        .map(|(rating, text)| (by_people(*rating), by_us(text)))
        .collect();
    let right = told.iter().filter(|(people, us)| people == us).count();
    println!(
        "{} of {} as people tell it: {:.1} %",
        right,
        told.len(),
        share(right, told.len()) * 100.0
    );
    let mut mean = 0.0;
    for mood in MOODS {
        let both = told.iter().filter(|(people, us)| people == us && *us == mood).count();
        let people = told.iter().filter(|(people, _)| *people == mood).count();
        let us = told.iter().filter(|(_, us)| *us == mood).count();
        let (precision, recall) = (share(both, us), share(both, people));
        let balance = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
        mean += balance / MOODS.len() as f64;
        println!(
            "{mood:?}: {people} by people, {us} by us, precision {precision:.2}, recall {recall:.2}, F1 {balance:.2}"
        );
    }
    println!("mean F1 {mean:.2}");
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
