//! What else a tenant may have taken out: bank account numbers, e-mail addresses, telephone numbers.

use super::Found;
use super::cards::runs;
use super::spoken::Said;

/// The longest IBAN (ISO 13616).
const LONGEST_IBAN: usize = 34;
/// Lengths of the IBANs of the countries most often heard; others are taken at any length that checks.
const IBAN_LENGTHS: [(&str, usize); 20] = [
    ("DE", 22),
    ("AT", 20),
    ("CH", 21),
    ("LI", 21),
    ("FR", 27),
    ("ES", 24),
    ("IT", 27),
    ("PT", 25),
    ("NL", 18),
    ("BE", 16),
    ("LU", 20),
    ("GB", 22),
    ("IE", 22),
    ("PL", 28),
    ("CZ", 24),
    ("SE", 24),
    ("NO", 15),
    ("DK", 18),
    ("FI", 18),
    ("HU", 28),
];
/// Digits of a telephone number (E.164 allows 15).
const PHONE: std::ops::RangeInclusive<usize> = 7..=15;

/// A word as a part of a code: its digits, or its letters when it is spelled or written in capitals.
fn code(word: &Said) -> Option<String> {
    if word.gone {
        return None;
    }
    if !word.digits.is_empty() {
        return Some(word.digits.clone());
    }
    let text: String = word.text.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_spelled = text.len() <= 4 && text.chars().all(|letter| letter.is_ascii_uppercase());
    let is_code = !text.is_empty() && text.is_ascii() && (has_digit || is_spelled || text.len() == 1);
    is_code.then(|| text.to_uppercase())
}

/// ISO 13616: country, check digits, and the whole modulo 97 is 1.
fn is_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(country), Some(check)) = (text.get(..2), text.get(2..4)) else {
        return false;
    };
    let shaped =
        country.bytes().all(|byte| byte.is_ascii_uppercase()) && check.bytes().all(|byte| byte.is_ascii_digit());
    let known = IBAN_LENGTHS.iter().find(|(code, _)| *code == country);
    let fits = known.map_or((15..=LONGEST_IBAN).contains(&bytes.len()), |(_, length)| {
        *length == bytes.len()
    });
    if !shaped || !fits {
        return false;
    }
    let turned = bytes.iter().skip(4).chain(bytes.iter().take(4));
    let rest = turned.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        other => (rest * 100 + u32::from(other.wrapping_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

/// Bank account numbers.
pub(super) fn ibans(words: &[Said]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let mut text = String::new();
        let mut last = None;
        for (n, word) in words.iter().enumerate().skip(at) {
            match code(word) {
                Some(part) => {
                    text.push_str(&part);
                    if text.len() <= LONGEST_IBAN && is_iban(&text) {
                        last = Some(n);
                    }
                }
                None if word.is_filler() && n > at => {}
                None => break,
            }
            if text.len() > LONGEST_IBAN {
                break;
            }
        }
        if let Some(last) = last {
            found.push(Found {
                first: at,
                last,
                mark: "[IBAN]",
            });
        }
        at = last.unwrap_or(at) + 1;
    }
    found
}

const AT: [&str; 6] = ["at", "ät", "klammeraffe", "arobase", "arroba", "chiocciola"];
const DOT: [&str; 5] = ["dot", "punkt", "point", "punto", "ponto"];

/// E-mail addresses, written or said.
pub(super) fn emails(words: &[Said]) -> Vec<Found> {
    let is = |at: usize, any: &[&str]| words.get(at).is_some_and(|word| any.contains(&word.bare.as_str()));
    let mut found: Vec<Found> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let mark = "[e-mail address]";
        let written = word
            .bare
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        if written {
            found.push(Found {
                first: at,
                last: at,
                mark,
            });
            continue;
        }
        if at == 0 || !is(at, &AT) {
            continue;
        }
        // The host: a word, and one or more times a dot and a word; or one word with the dot in it.
        let host = words.get(at + 1);
        let mut last = at + 1;
        let mut dotted = host.is_some_and(|host| host.bare.contains('.'));
        while is(last + 1, &DOT) && words.get(last + 2).is_some() {
            last += 2;
            dotted = true;
        }
        if !dotted {
            continue;
        }
        // The name: a word, with dots and spelled letters before it.
        let mut first = at - 1;
        loop {
            let before = first.checked_sub(1);
            let Some(before) = before else { break };
            let one = words.get(before);
            let is_letter = one.is_some_and(|one| one.bare.chars().count() == 1 && one.bare != "i");
            if is(before, &DOT) && before > 0 {
                first = before - 1;
            } else if is_letter {
                first = before;
            } else {
                break;
            }
        }
        found.push(Found { first, last, mark });
    }
    found
}

/// Telephone numbers: a run of figures that is none other.
pub(super) fn phones(words: &[Said]) -> Vec<Found> {
    let runs = runs(words, 0);
    let whole = |run: &super::cards::Run| {
        let (first, last) = (run.first()?.1, run.last()?.1);
        PHONE.contains(&run.len()).then_some(Found {
            first,
            last,
            mark: "[phone number]",
        })
    };
    runs.iter().filter_map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::super::spoken::of_channel;
    use super::super::tests::turn;
    use super::*;

    fn taken(find: fn(&[Said]) -> Vec<Found>, text: &str) -> Vec<String> {
        let words = of_channel(&[turn(0, 0, text)], 0, Some("en"));
        let texts = |found: &Found| {
            let own = words[found.first..=found.last].iter().map(|word| word.text.as_str());
            own.collect::<Vec<_>>().join(" ")
        };
        find(&words).iter().map(texts).collect()
    }

    #[test]
    fn bank_accounts_are_found_written_and_spelled() {
        assert_eq!(
            taken(ibans, "to GB82 WEST 1234 5698 7654 32 please"),
            ["GB82 WEST 1234 5698 7654 32"]
        );
        assert_eq!(taken(ibans, "DE89370400440532013000"), ["DE89370400440532013000"]);
        let spelled = "D E eight nine three seven zero four zero zero four four zero five three two zero one three zero zero zero";
        assert_eq!(taken(ibans, &format!("it is {spelled} yes")), [spelled]);
        assert!(taken(ibans, "DE89370400440532013001 and I A 12").is_empty());
    }

    #[test]
    fn addresses_are_found_written_and_said() {
        assert_eq!(taken(emails, "write to ada@example.com."), ["ada@example.com."]);
        assert_eq!(
            taken(emails, "it is a dot b at mail dot example dot org thanks"),
            ["a dot b at mail dot example dot org"]
        );
        assert_eq!(taken(emails, "ada at example.com"), ["ada at example.com"]);
        assert!(taken(emails, "look at this and at that dot").is_empty());
    }

    #[test]
    fn telephone_numbers_are_runs_of_their_length() {
        assert_eq!(taken(phones, "call +49 421 555 1234 today"), ["+49 421 555 1234"]);
        assert!(taken(phones, "in 2026 there were 30 of 12").is_empty());
    }
}
