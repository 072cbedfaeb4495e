//! Taking out of a transcript and its audio what must not be kept: card numbers, and what else the tenant
//! chose.
//!
//! Pure: turns with timed words in, the same turns with marks in their place and the stretches to silence
//! out. A number is looked for on each channel alone, across its turns, because the other side says "yes"
//! in between. [`spoken`] reads figures however they were said, [`cards`] and [`personal`] know what they
//! look for, [`sound`] does the same to samples. Start reading at [`turns`].

mod cards;
mod personal;
pub mod sound;
mod spoken;

use spoken::Said;
use std::collections::BTreeSet;
use strowger_model::settings::Settings;
use strowger_model::speech::{Segment, Word};

/// Before the first word of what is silenced, milliseconds: a word's start is less certain than its end.
const BEFORE_MS: i64 = 250;
/// After its last word.
const AFTER_MS: i64 = 350;
/// A figure takes at least so long to say, milliseconds …
const FIGURE_MS: i64 = 150;
/// … and at most so long, with the pause before it. Times by which figures were said faster are not believed: what was said
/// since the word before goes, as far as this allows.
const SLOW_FIGURE_MS: i64 = 1500;
/// Further on either side where the words' times are guessed from their turn's.
const GUESSED_MS: i64 = 1500;

/// What is taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Payment card numbers and the codes said after them.
    pub cards: bool,
    /// Bank account numbers (IBAN).
    pub ibans: bool,
    /// E-mail addresses.
    pub emails: bool,
    /// Telephone numbers.
    pub phones: bool,
}

impl Policy {
    /// What the settings ask for.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            cards: settings.switch("redact_cards"),
            ibans: settings.switch("redact_ibans"),
            emails: settings.switch("redact_emails"),
            phones: settings.switch("redact_phones"),
        }
    }
}

/// A stretch of one channel that is to be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The channel: 0 is the caller; of a meeting, the speaker's track.
    pub channel: u8,
    /// From when in the recording, milliseconds.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
}

/// Something found: the first and last of a channel's words, and what stands in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    first: usize,
    last: usize,
    mark: &'static str,
}

type Finder<'a> = &'a dyn Fn(&[Said]) -> Vec<Found>;

/// Takes out what the policy asks for. `language` is the transcript's, ISO 639-1, when known.
#[must_use]
pub fn turns(segments: Vec<Segment>, policy: Policy, language: Option<&str>) -> (Vec<Segment>, Vec<Stretch>) {
    let mut segments = segments;
    let mut stretches = Vec::new();
    let named = cards::named(&segments);
    let channels: BTreeSet<u8> = segments.iter().map(|segment| segment.channel).collect();
    for channel in channels {
        let mut words = spoken::of_channel(&segments, channel, language);
        let mut found: Vec<Found> = Vec::new();
        let finders: [(bool, Finder<'_>); 4] = [
            (policy.cards, &|words| cards::find(words, &named)),
            (policy.ibans, &personal::ibans),
            (policy.emails, &personal::emails),
            (policy.phones, &personal::phones),
        ];
        for (_, find) in finders.iter().filter(|(asked, _)| *asked) {
            for new in find(&words) {
                let is_free = |old: &Found| new.last < old.first || new.first > old.last;
                if found.iter().all(is_free) {
                    found.push(new);
                    let taken = words.get_mut(new.first..=new.last).unwrap_or_default();
                    taken.iter_mut().for_each(Said::take);
                }
            }
        }
        found.sort_by_key(|one| one.first);
        stretches.extend(found.iter().filter_map(|one| stretch(channel, *one, &words)));
        for one in found.iter().rev() {
            replace(&mut segments, *one, &words);
        }
    }
    (segments, stretches)
}

fn stretch(channel: u8, found: Found, words: &[Said]) -> Option<Stretch> {
    let (first, last) = (words.get(found.first)?, words.get(found.last)?);
    let more = if first.guessed || last.guessed { GUESSED_MS } else { 0 };
    let figures = i64::try_from(first.text.bytes().filter(u8::is_ascii_digit).count()).unwrap_or(i64::MAX);
    let is_too_fast = first.end_ms - first.start_ms < figures.saturating_mul(FIGURE_MS);
    let start_ms = if figures > 1 && is_too_fast {
        let before = found.first.checked_sub(1).and_then(|at| words.get(at));
        let earliest_ms = first.end_ms.saturating_sub(figures.saturating_mul(SLOW_FIGURE_MS));
        first
            .start_ms
            .min(before.map_or(0, |word| word.end_ms).max(earliest_ms))
    } else {
        first.start_ms
    };
    Some(Stretch {
        channel,
        from_ms: (start_ms - BEFORE_MS - more).max(0),
        to_ms: last.end_ms.max(last.start_ms) + AFTER_MS + more,
    })
}

/// Puts the mark into every turn that has a part of what was found.
fn replace(segments: &mut [Segment], found: Found, words: &[Said]) {
    let taken = words.get(found.first..=found.last).unwrap_or_default();
    let turns: BTreeSet<usize> = taken.iter().map(|word| word.turn).collect();
    for turn in turns {
        let Some(segment) = segments.get_mut(turn) else {
            continue;
        };
        let own: Vec<&Said> = taken.iter().filter(|word| word.turn == turn).collect();
        let (Some(first), Some(last)) = (own.first(), own.last()) else {
            continue;
        };
        if segment.words.is_empty() {
            // A turn without words of its own: theirs are those of its text.
            let mut text: Vec<&str> = segment.text.split_whitespace().collect();
            let end = (last.at + 1).min(text.len());
            text.splice(first.at.min(end)..end, [found.mark]);
            segment.text = text.join(" ");
            continue;
        }
        let end = (last.at + 1).min(segment.words.len());
        let mark = Word {
            text: found.mark.to_owned(),
            start_ms: first.start_ms,
            end_ms: last.end_ms,
            confidence: 1.0,
        };
        segment.words.splice(first.at.min(end)..end, [mark]);
        let text: Vec<&str> = segment.words.iter().map(|word| word.text.as_str()).collect();
        segment.text = text.join(" ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strowger_model::speech::Sentiment;

    pub(super) fn turn(channel: u8, start_ms: i64, text: &str) -> Segment {
        let words = (0..).zip(text.split_whitespace()).map(|(n, word)| Word {
            text: word.to_owned(),
            start_ms: start_ms + n * 400,
            end_ms: start_ms + n * 400 + 350,
            confidence: 0.9,
        });
        let words: Vec<Word> = words.collect();
        Segment {
            channel,
            speaker: String::new(),
            start_ms,
            end_ms: words.last().map_or(start_ms, |word| word.end_ms),
            text: text.to_owned(),
            confidence: 0.9,
            sentiment: Sentiment::Neutral,
            words,
        }
    }

    pub(super) const ALL: Policy = Policy {
        cards: true,
        ibans: true,
        emails: true,
        phones: true,
    };

    fn texts(segments: &[Segment]) -> Vec<&str> {
        segments.iter().map(|segment| segment.text.as_str()).collect()
    }

    fn cards(lines: &[(u8, &str)], language: &str) -> (Vec<Segment>, Vec<Stretch>) {
        let turns: Vec<Segment> = (0..)
            .zip(lines)
            .map(|(n, (channel, text))| turn(*channel, n * 10_000, text))
            .collect();
        let policy = Policy {
            cards: true,
            ..Policy::default()
        };
        super::turns(turns, policy, Some(language))
    }

    #[test]
    fn a_card_number_goes_however_it_was_said() {
        for (said, language) in [
            ("It is 4111 1111 1111 1111 thanks", "en"),
            ("It is 4111-1111-1111-1111, thanks", "en"),
            ("It is 4111111111111111. thanks", "en"),
            (
                "It is four one one one, one one one one, one one one one, one one one one thanks",
                "en",
            ),
            (
                "It is four triple one then double one double one and 1111 uh one one one one thanks",
                "en",
            ),
            ("It is forty-one eleven eleven eleven 11 11 eleven eleven thanks", "en"),
            (
                "Das ist vier eins eins eins eins eins eins eins eins eins eins eins eins eins eins eins danke",
                "de",
            ),
            ("Das ist einundvierzig elf elf elf elf elf elf elf danke", "de"),
            ("C'est quatre un un un un un un un un un un un un un un un merci", "fr"),
            (
                "Es cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno gracias",
                "es",
            ),
            (
                "Sono quattro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno grazie",
                "it",
            ),
        ] {
            let (turns, stretches) = cards(&[(0, said)], language);
            let text = texts(&turns)[0];
            assert_eq!(stretches.len(), 1, "{said}: {text}");
            let last = said.split(' ').next_back().unwrap();
            assert!(text.ends_with(&format!("[card number] {last}")), "{said}: {text}");
            assert!(text.split(' ').count() <= 5, "{said}: {text}");
            assert!(!text.bytes().any(|byte| byte.is_ascii_digit()), "{text}");
            assert!(
                turns[0]
                    .words
                    .iter()
                    .all(|word| !word.text.bytes().any(|byte| byte.is_ascii_digit()))
            );
        }
    }

    #[test]
    fn a_number_said_in_parts_goes_from_every_turn_and_the_code_after_it() {
        let (turns, stretches) = cards(
            &[
                (0, "four one one one"),
                (1, "yes"),
                (0, "one one one one"),
                (1, "okay"),
                (0, "1111 and 1111"),
                (1, "and the security code?"),
                (0, "it is one two three"),
            ],
            "en",
        );
        assert_eq!(
            texts(&turns),
            [
                "[card number]",
                "yes",
                "[card number]",
                "okay",
                "[card number]",
                "and the security code?",
                "it is [security code]"
            ]
        );
        assert_eq!(stretches.len(), 2);
        assert_eq!((stretches[0].channel, stretches[0].from_ms), (0, 0));
        assert!(
            stretches[0].to_ms > 40_800 && stretches[0].to_ms < 42_000,
            "{stretches:?}"
        );
    }

    #[test]
    fn a_number_in_one_word_goes_from_where_it_may_have_begun() {
        let word = |text: &str, start_ms, end_ms| Word {
            text: text.to_owned(),
            start_ms,
            end_ms,
            confidence: 0.9,
        };
        let mut said = turn(0, 0, "it is 4929637580412366 thanks");
        said.words = vec![
            word("it", 900, 1300),
            word("is", 1370, 1860),
            word("4929637580412366", 6850, 7340),
            word("thanks", 8080, 8300),
        ];
        let cards = Policy {
            cards: true,
            ..Policy::default()
        };
        let (_, stretches) = super::turns(vec![said.clone()], cards, Some("en"));
        assert_eq!(
            (stretches[0].from_ms, stretches[0].to_ms),
            (1860 - BEFORE_MS, 7340 + AFTER_MS)
        );
        // Nobody takes half a minute for it: what was said long before stays.
        for one in &mut said.words[2..] {
            one.start_ms += 60_000;
            one.end_ms += 60_000;
        }
        let (_, stretches) = super::turns(vec![said], cards, Some("en"));
        assert_eq!(stretches[0].from_ms, 67_340 - 16 * SLOW_FIGURE_MS - BEFORE_MS);
    }

    #[test]
    fn a_number_of_which_a_figure_was_misheard_goes_where_a_card_was_spoken_of() {
        let heard = "It is 4, 7, 8, 4, 8, 5, 3, 1, 9, 4, 1, 3, 0, 0, 8, 3. Goodbye";
        for (asked, language) in [
            ("What is the long number on your card?", "en"),
            ("Is that a Mastercard?", "en"),
            ("Und die Kreditkartennummer?", "de"),
            ("Le numéro de votre carte ?", "fr"),
        ] {
            let (turns, stretches) = cards(&[(1, asked), (0, heard), (0, "The code is 1 2 3")], language);
            let expected = [asked, "It is [card number] Goodbye", "The code is [security code]"];
            assert_eq!((texts(&turns), stretches.len()), (expected.to_vec(), 2));
        }
        let long_ago: Vec<(u8, &str)> = std::iter::once((1, "Your card, please"))
            .chain(std::iter::repeat_n((1, "yes"), 9))
            .chain([(0, heard)])
            .collect();
        let of_a_phone = [(1, "What else? A card?"), (0, "Call me at 0 0 4 9 4 2 1 5 5 5 1 2")];
        for stays in [&[(1, "And the meter?"), (0, heard)][..], &long_ago, &of_a_phone] {
            assert!(cards(stays, "en").1.is_empty(), "{stays:?}");
        }
    }

    #[test]
    fn other_numbers_stay() {
        for said in [
            "My order is 4111 1111 1111 1112",
            "Call zero four two one five five five one two three four",
            "1234567890123456 is the meter",
            "At four one one we had one thousand",
        ] {
            let (turns, stretches) = cards(&[(0, said)], "en");
            assert_eq!((texts(&turns)[0], stretches.len()), (said, 0));
        }
    }

    #[test]
    fn turns_without_words_are_cleaned_and_silenced_with_a_margin() {
        let mut line = turn(0, 10_000, "it is 4111 1111 1111 1111");
        line.words.clear();
        line.end_ms = 20_000;
        let (turns, stretches) = super::turns(vec![line], ALL, None);
        assert_eq!(turns[0].text, "it is [card number]");
        assert!(
            stretches[0].from_ms <= 12_500 && stretches[0].to_ms >= 20_000,
            "{stretches:?}"
        );
    }

    #[test]
    fn what_a_tenant_chose_goes_and_nothing_else() {
        let said =
            "I am ada.byron@example.com or bob at example dot com, DE89 3704 0044 0532 0130 00, phone 0421 555 1234";
        let (turns, stretches) = super::turns(vec![turn(0, 0, said)], ALL, Some("en"));
        assert_eq!(
            turns[0].text,
            "I am [e-mail address] or [e-mail address] [IBAN] phone [phone number]"
        );
        assert_eq!(stretches.len(), 4);
        let none = super::turns(vec![turn(0, 0, said)], Policy::default(), Some("en"));
        assert_eq!((none.0[0].text.as_str(), none.1.len()), (said, 0));
    }

    proptest! {
        #[test]
        fn arbitrary_talk_never_panics(lines in proptest::collection::vec("[0-9a-zA-Z@.+ äß-]{0,60}", 0..6), with_words in any::<bool>()) {
            let turns = (0..).zip(&lines).map(|(n, line)| {
                let mut turn = turn((n % 2) as u8, n * 1000, line);
                if !with_words { turn.words.clear(); }
                turn
            });
            let (turns, stretches) = super::turns(turns.collect(), ALL, None);
            prop_assert_eq!(turns.len(), lines.len());
            prop_assert!(stretches.iter().all(|one| one.from_ms <= one.to_ms));
        }

        #[test]
        fn every_card_goes(prefix in prop_oneof![Just("4"), Just("51"), Just("55"), Just("6011"), Just("37")], rest in "[0-9]{18}", gaps in any::<u16>()) {
            let length = if prefix == "37" { 15 } else { 16 };
            let mut number: String = format!("{prefix}{rest}").chars().take(length - 1).collect();
            let check = (0..10).find(|digit| strowger_model::card::is_luhn(format!("{number}{digit}").as_bytes())).unwrap();
            number.push_str(&check.to_string());
            let mut said = String::from("card ");
            for (n, digit) in number.chars().enumerate() {
                said.push(digit);
                if gaps >> n & 1 == 1 { said.push(' '); }
            }
            let (turns, stretches) = super::turns(vec![turn(0, 0, &said)], Policy { cards: true, ..Policy::default() }, None);
            prop_assert!(!turns[0].text.bytes().any(|byte| byte.is_ascii_digit()), "{} → {}", said, turns[0].text);
            prop_assert_eq!(stretches.len(), 1);
        }
    }
}
