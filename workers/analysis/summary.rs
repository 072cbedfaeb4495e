//! Which sentences matter: LexRank. A sentence counts when it resembles many others, and words that
//! every sentence has count little.

use super::cues;
use super::sentences::Sentence;
use std::collections::{BTreeMap, BTreeSet};
use strowger_model::speech::Point;

/// Shorter sentences answer, they do not tell.
const FEWEST_WORDS: usize = 5;
const MOST_POINTS: usize = 5;
/// Two sentences more alike than this say the same.
const SAME: f64 = 0.6;
/// The ranking is quadratic; of a very long call only so many sentences compete.
const MOST_SENTENCES: usize = 600;

/// The indices of sentences that can stand alone, best first.
pub(super) fn rank(sentences: &[Sentence]) -> Vec<usize> {
    let mut competing: Vec<usize> = (0..sentences.len()).collect();
    competing.retain(|n| {
        sentences
            .get(*n)
            .is_some_and(|one| one.word_count() >= FEWEST_WORDS && cues::count(&one.plain, cues::MANNERS) == 0)
    });
    if competing.len() > MOST_SENTENCES {
        let step = competing.len().div_ceil(MOST_SENTENCES);
        competing = competing.into_iter().step_by(step).collect();
    }
    let chosen: Vec<&Sentence> = competing.iter().filter_map(|n| sentences.get(*n)).collect();
    let vectors = vectors(&chosen);
    let likeness = likeness(&vectors);
    let central = central(&likeness);
    let mut scored: Vec<(usize, usize, f64)> = chosen
        .iter()
        .zip(&competing)
        .zip(&central)
        .enumerate()
        .map(|(own, ((sentence, index), central))| (own, *index, central * matter(sentence)))
        .collect();
    scored.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.1.cmp(&b.1)));
    // What says the same as something better goes.
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for (own, index, _) in scored {
        let alike = |other: &(usize, usize)| {
            likeness
                .get(own)
                .and_then(|row| row.get(other.0))
                .is_some_and(|v| *v > SAME)
        };
        if !kept.iter().any(alike) {
            kept.push((own, index));
        }
    }
    kept.into_iter().map(|(_, index)| index).collect()
}

/// One to three sentences in the order they were said.
pub(super) fn summary(sentences: &[Sentence], ranked: &[usize]) -> String {
    let wanted = match sentences.len() {
        0..=4 => 1,
        5..=9 => 2,
        _ => 3,
    };
    let texts = |chosen: Vec<usize>| -> String {
        let texts: Vec<&str> = chosen
            .iter()
            .filter_map(|n| sentences.get(*n).map(|sentence| sentence.text.as_str()))
            .collect();
        texts.join(" ")
    };
    let mut chosen: Vec<usize> = ranked.iter().copied().take(wanted).collect();
    chosen.sort_unstable();
    if chosen.is_empty() {
        // Only manners and short answers: the longest of them.
        let longest = (0..sentences.len()).max_by_key(|n| sentences.get(*n).map_or(0, Sentence::word_count));
        return longest.map_or_else(|| "Nobody spoke.".to_owned(), |n| texts(vec![n]));
    }
    texts(chosen)
}

/// Up to five sentences worth reading, in the order they were said.
pub(super) fn key_points(sentences: &[Sentence], ranked: &[usize]) -> Vec<Point> {
    let wanted = MOST_POINTS.min(ranked.len().div_ceil(2));
    let mut chosen: Vec<usize> = ranked.iter().copied().take(wanted).collect();
    chosen.sort_unstable();
    chosen
        .iter()
        .filter_map(|n| sentences.get(*n).map(Sentence::point))
        .collect()
}

/// Sentences about the matter and with figures in them weigh more.
fn matter(sentence: &Sentence) -> f64 {
    let cues = cues::count(&sentence.plain, cues::MATTER).min(3) as f64;
    let has_figure = sentence.plain.chars().any(|c| c.is_ascii_digit());
    let question = sentence.text.ends_with('?');
    (1.0 + 0.25 * cues + if has_figure { 0.25 } else { 0.0 }) * if question { 0.6 } else { 1.0 }
}

type Vector = BTreeMap<String, f64>;

fn vectors(sentences: &[&Sentence]) -> Vec<Vector> {
    let mut seen_in: BTreeMap<&str, usize> = BTreeMap::new();
    for sentence in sentences {
        for word in sentence.plain.split_whitespace().collect::<BTreeSet<_>>() {
            *seen_in.entry(word).or_default() += 1;
        }
    }
    let total = sentences.len() as f64;
    sentences
        .iter()
        .map(|sentence| {
            let mut vector = Vector::new();
            for word in sentence.plain.split_whitespace() {
                let rarity = (1.0 + total / seen_in.get(word).copied().unwrap_or(1) as f64).ln();
                *vector.entry(stem(word)).or_default() += rarity;
            }
            let length = vector.values().map(|value| value * value).sum::<f64>().sqrt();
            vector
                .values_mut()
                .for_each(|value| *value /= length.max(f64::MIN_POSITIVE));
            vector
        })
        .collect()
}

/// Plural and tense do not make another word.
fn stem(word: &str) -> String {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 4
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

fn likeness(vectors: &[Vector]) -> Vec<Vec<f64>> {
    let cosine = |a: &Vector, b: &Vector| a.iter().filter_map(|(word, value)| Some(value * b.get(word)?)).sum();
    vectors
        .iter()
        .map(|a| vectors.iter().map(|b| cosine(a, b)).collect())
        .collect()
}

/// The share of time a reader spends at each sentence who moves on to alike ones (power iteration,
/// damping 0.85).
fn central(likeness: &[Vec<f64>]) -> Vec<f64> {
    let count = likeness.len().max(1) as f64;
    let mut weights = vec![1.0 / count; likeness.len()];
    let sums: Vec<f64> = likeness.iter().map(|row| row.iter().sum::<f64>().max(1e-9)).collect();
    for _ in 0..40 {
        let mut next = vec![0.15 / count; likeness.len()];
        for ((row, sum), weight) in likeness.iter().zip(&sums).zip(&weights) {
            for (value, into) in row.iter().zip(&mut next) {
                *into += 0.85 * weight * value / sum;
            }
        }
        weights = next;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::super::sentences::sentences;
    use super::super::tests::call;
    use super::*;

    #[test]
    fn what_is_said_twice_in_other_words_is_kept_once() {
        let sentences = sentences(&call(&[
            "0|The delivery of my order is late by two weeks.",
            "0|The delivery of my order is late by two whole weeks.",
            "0|The weather was fine and we walked along the river.",
        ]));
        let ranked = rank(&sentences);
        assert_eq!(ranked.len(), 2);
    }

    #[test]
    fn a_call_of_manners_only_still_has_a_summary() {
        let sentences = sentences(&call(&["1|Good morning.", "0|Sorry, wrong number, goodbye."]));
        assert_eq!(summary(&sentences, &rank(&sentences)), "Sorry, wrong number, goodbye.");
        assert!(key_points(&sentences, &rank(&sentences)).is_empty());
    }

    #[test]
    fn an_hour_of_talk_is_ranked_soon() {
        let lines: Vec<String> = (0..3000)
            .map(|n| format!("0|Item number {n} costs {} euros today.", n * 7))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert!(!rank(&sentences(&call(&lines))).is_empty());
    }
}
