//! The pool of numbers that tenants may claim, for platform administrators.

use super::view;
use crate::desk::{PlatformDesk, PlatformSent};
use crate::fault::{Fault, Page};
use crate::show::{Problems, Values};
use axum::response::{IntoResponse, Redirect};
use strowger_model::number::normalise;
use strowger_store::Page as Keyset;

/// Numbers a page shows.
const SHOWN: i64 = 100;
/// Numbers that are added at once.
const MOST: usize = 10_000;

async fn list(desk: &PlatformDesk, values: &Values, problems: &Problems) -> Page {
    let after = desk.query().get("after");
    let page = Keyset {
        after: (!after.is_empty()).then(|| after.to_owned()),
        limit: SHOWN,
    };
    let found = desk.state.store().number_pool().list(&page).await?;
    let page = view::pool(&desk.shell(), &found.items, (values, problems), found.next.as_deref());
    Ok((problems.status(), page).into_response())
}

pub(crate) async fn index(desk: PlatformDesk) -> Page {
    list(&desk, &Values::default(), &Problems::default()).await
}

pub(crate) async fn add(sent: PlatformSent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let numbers = match read(values.get("numbers")) {
        Ok(numbers) => numbers,
        Err(problem) => return list(&desk, &values, &Problems::one("numbers", problem)).await,
    };
    desk.state.store().number_pool().add(&desk.actor(), &numbers).await?;
    Ok(Redirect::to("/platform/numbers?done=added").into_response())
}

pub(crate) async fn remove(sent: PlatformSent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let pool = desk.state.store().number_pool();
    if !pool.remove(&desk.actor(), values.get("number")).await? {
        return Err(Fault::NotFound);
    }
    Ok(Redirect::to("/platform/numbers?done=removed").into_response())
}

/// The numbers of a text: a line has a number, a range `first..last`, or a row of a table whose first cell is one of
/// them. A first line without a digit is the table's head.
fn read(text: &str) -> Result<Vec<String>, String> {
    let mut numbers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let cell = line.split([',', ';', '\t']).next().unwrap_or_default();
        let cell = cell.trim().trim_matches('"').trim();
        if cell.is_empty() || (at == 0 && !cell.contains(|letter: char| letter.is_ascii_digit())) {
            continue;
        }
        let wrong = |why: &str| format!("Line {}: {why}", at + 1);
        let (first, last) = cell.split_once("..").unwrap_or((cell, cell));
        let (Some(first), Some(last)) = (normalise(first), normalise(last)) else {
            return Err(wrong(
                "this is no number. Write digits, with a leading + if it is a public one.",
            ));
        };
        numbers.extend(range(&first, &last, MOST - numbers.len()).map_err(wrong)?);
    }
    if numbers.is_empty() {
        return Err("Write at least one number.".to_owned());
    }
    Ok(numbers)
}

/// All numbers from one to another of the same length.
fn range(first: &str, last: &str, most: usize) -> Result<Vec<String>, &'static str> {
    const TOO_MANY: &str = "these are more than 10,000 numbers at once. Add them in parts.";
    if first == last {
        return (most > 0).then(|| vec![first.to_owned()]).ok_or(TOO_MANY);
    }
    let (sign, digits) = first.strip_prefix('+').map_or(("", first), |digits| ("+", digits));
    let end = last.strip_prefix('+').unwrap_or(last);
    let width = digits.len();
    let ends = digits.parse::<u64>().ok().zip(end.parse::<u64>().ok());
    let Some((from, to)) = ends.filter(|(from, to)| end.len() == width && last.starts_with(sign) && from <= to) else {
        return Err("a range goes from a number to a higher one of the same length, for example +4930100..+4930199.");
    };
    if to - from >= most as u64 {
        return Err(TOO_MANY);
    }
    Ok((from..=to).map(|number| format!("{sign}{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ranges_and_tables_are_read() {
        let text = "number,city\n+49 30 100-1,Berlin\n\n\"+4930200\";x\n+4940098..+4940101\n0099..0101\n";
        let numbers = [
            "+49301001",
            "+4930200",
            "+4940098",
            "+4940099",
            "+4940100",
            "+4940101",
            "0099",
            "0100",
            "0101",
        ];
        assert_eq!(read(text).unwrap(), numbers);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, says) in [
            ("", "at least one"),
            ("+4930\nBerlin", "Line 2"),
            ("+4930199..+4930100", "Line 1: a range goes"),
            ("+4930..4931", "Line 1: a range goes"),
            ("+49301..+493100", "Line 1: a range goes"),
            ("1..2..3", "Line 1: a range goes"),
            ("+4930\n+49300000..+49399999", "Line 2: these are more"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.starts_with(says) || problem.contains(says), "{text}: {problem}");
        }
        assert_eq!(read("10000..19999").unwrap().len(), MOST);
    }
}
