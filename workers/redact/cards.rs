//! Payment card numbers: a scheme's prefix, one of its lengths, and the check digit (ISO/IEC 7812, Luhn).

use super::Found;
use super::spoken::Said;
use strowger_model::card::is_card;
use strowger_model::speech::Segment;

/// What stands for a card's number.
const CARD: &str = "[card number]";
/// What stands for the figures said after it.
const CODE: &str = "[security code]";
/// A number goes on over this many words that are no figures …
const BETWEEN: usize = 2;
/// … and over this many that mean nothing …
const FILLED: usize = 6;
/// … and over pauses up to this, milliseconds.
const PAUSE_MS: i64 = 30_000;
/// Expiry and security code come within this, milliseconds …
const CODE_WITHIN_MS: i64 = 60_000;
/// … and there are at most so many of them.
const CODES: usize = 2;

/// What a card is called, by itself or in a longer word.
const NAMES: [&str; 10] = [
    "card", "visa", "amex", "maestro", "karte", "carte", "tarjeta", "carta", "kaart", "cartão",
];
/// So long after a card was spoken of its number may be said, milliseconds …
const NAMED_BEFORE_MS: i64 = 60_000;
/// … or before: "that was my card".
const NAMED_AFTER_MS: i64 = 5_000;
/// How many figures may have been heard of a card's number of 13 to 19, with one too many.
const HEARD: std::ops::RangeInclusive<usize> = 13..=20;

/// When somebody, on whatever channel, spoke of a card, milliseconds.
pub(super) fn named(segments: &[Segment]) -> Vec<i64> {
    let names = |text: &str| {
        let text = text.to_lowercase();
        NAMES.iter().any(|name| text.contains(name))
    };
    let of = |segment: &Segment| -> Vec<i64> {
        if segment.words.is_empty() {
            let both = [segment.start_ms, segment.end_ms];
            return both.into_iter().filter(|_| names(&segment.text)).collect();
        }
        let own = segment.words.iter().filter(|word| names(&word.text));
        own.map(|word| word.end_ms).collect()
    };
    segments.iter().flat_map(of).collect()
}

/// Digits of a run, each with the word it stands in.
pub(super) type Run = Vec<(u8, usize)>;

/// Whether a number begins where a written figure begins and ends where one ends. A long figure may go
/// on: the month is sometimes written to the end of the card.
fn is_apart(run: &Run, at: usize, length: usize) -> bool {
    const LONG: usize = 7;
    let word = |at: usize| run.get(at).map(|(_, word)| *word);
    let (first, last, after) = (word(at), word(at + length - 1), word(at + length));
    let begins = at == 0 || word(at - 1) != first;
    let is_long = || run.iter().filter(|(_, word)| Some(*word) == last).count() >= LONG;
    begins && (after != last || is_long())
}

/// The stretches of figures that can be one number, with at most `between` other words between two.
pub(super) fn runs(words: &[Said], between: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut others, mut fillers, mut until_ms) = (0, 0, i64::MIN);
    for (at, word) in words.iter().enumerate() {
        if word.digits.is_empty() {
            if word.gone {
                others = usize::MAX / 2;
            } else if word.is_filler() {
                fillers += 1;
            } else {
                others += 1;
            }
            continue;
        }
        let goes_on = others <= between && fillers <= FILLED && word.start_ms.saturating_sub(until_ms) <= PAUSE_MS;
        let digits = word.digits.bytes().map(|digit| (digit, at));
        match runs.last_mut().filter(|_| goes_on) {
            Some(run) => run.extend(digits),
            None => runs.push(digits.collect()),
        }
        (others, fillers, until_ms) = (0, 0, word.end_ms);
    }
    runs
}

/// The card numbers of a channel and the codes after them. One figure heard wrong and the check digit does not fit: where a
/// card was spoken of ([`named`]), so many figures are its number all the same.
pub(super) fn find(words: &[Said], named: &[i64]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for run in runs(words, BETWEEN) {
        if let Some(whole) = of_a_named_card(words, &run, named) {
            found.push(whole);
            continue;
        }
        let digits: Vec<u8> = run.iter().map(|(digit, _)| *digit).collect();
        let mut at = 0;
        while at < digits.len() {
            let card = |length: &usize| digits.get(at..at + length).is_some_and(is_card) && is_apart(&run, at, *length);
            let Some(length) = (12..=19).rev().find(card) else {
                at += 1;
                continue;
            };
            if let (Some((_, first)), Some((_, last))) = (run.get(at), run.get(at + length - 1)) {
                found.push(Found {
                    first: *first,
                    last: *last,
                    mark: CARD,
                });
            }
            at += length;
        }
    }
    let codes: Vec<Found> = found.iter().flat_map(|card| codes(words, *card)).collect();
    found.extend(codes);
    found
}

/// A run as long as a card's number, where one was spoken of: whatever was misheard of it.
fn of_a_named_card(words: &[Said], run: &Run, named: &[i64]) -> Option<Found> {
    let ((_, first), (_, last)) = (*run.first()?, *run.last()?);
    let (start_ms, end_ms) = (words.get(first)?.start_ms, words.get(last)?.end_ms);
    let is_near = |at_ms: &i64| (start_ms - NAMED_BEFORE_MS..=end_ms + NAMED_AFTER_MS).contains(at_ms);
    (HEARD.contains(&run.len()) && named.iter().any(is_near)).then_some(Found {
        first,
        last,
        mark: CARD,
    })
}

/// Three or four figures by themselves soon after a card: its code, or when it ends.
fn codes(words: &[Said], card: Found) -> Vec<Found> {
    let Some(end) = words.get(card.last) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut at = card.last + 1;
    while let Some(word) = words.get(at) {
        if word.start_ms - end.end_ms > CODE_WITHIN_MS || found.len() == CODES {
            break;
        }
        let rest = words.get(at..).unwrap_or_default();
        let count = rest.iter().take_while(|word| !word.digits.is_empty()).count();
        let figures: usize = rest.iter().take(count).map(|word| word.digits.len()).sum();
        if matches!(figures, 3 | 4) {
            found.push(Found {
                first: at,
                last: at + count - 1,
                mark: CODE,
            });
        }
        at += count.max(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_test_numbers_are_cards_and_their_neighbours_are_not() {
        for card in [
            "4111111111111111",
            "4012888888881881",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "6759649826438453",
            "6200000000000005",
        ] {
            assert!(is_card(card.as_bytes()), "{card}");
            let mut other = card.as_bytes().to_vec();
            if let Some(last) = other.last_mut() {
                *last = if *last == b'9' { b'0' } else { *last + 1 };
            }
            assert!(!is_card(&other), "{card} changed");
        }
        for other in ["1234567812345670", "79927398713", "0000000000000000", ""] {
            assert!(!is_card(other.as_bytes()), "{other}");
        }
    }
}
