//! `hours`: chooses by the time of day, the weekday and the holidays of a place.
//!
//! Parameters: `timezone` (an IANA name such as `Europe/Berlin`); `hours` (also `open`, `schedule`):
//! weekday (`mon`, `monday`, `mon-fri`, `weekdays`, `weekend`, `daily`) → times (`09:00-17:00`,
//! several by comma or as a list, also `["09:00", "17:00"]` or `{"from": …, "to": …}`; past midnight
//! as `22:00-02:00`; the whole day as `00:00-24:00`; `closed`); `holidays`: days (`2026-12-25`, every
//! year `12-25`, a stretch `2026-12-24..2026-12-31`), each as a text or `{"date": …, "name": …}`.
//!
//! Exits: `open`, `closed`, `holiday` (else `closed`). The unlabelled edge stands in for a missing one.

use super::{NEXT, Next, Site, Step, Waits, plain};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use crate::nearest::hint;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::Value;
use strowger_model::HangupCause;

const OPEN: &str = "open";
const CLOSED: &str = "closed";
const HOLIDAY: &str = "holiday";
/// Minutes of a day on the clock; days on which clocks change are longer or shorter but read the same.
const DAY: u32 = 24 * 60;
const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Chooses by the time of day.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hours {
    zone: Option<TimeZone>,
    zone_missing: bool,
    /// Monday first.
    open: [Vec<Span>; 7],
    holidays: Vec<Holiday>,
}

/// Minutes since midnight, from (included) to (excluded); `to` beyond a day reaches into the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u32,
    to: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holiday {
    Once { first: Date, last: Date },
    Yearly { month: i8, day: i8 },
}

impl Hours {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let written = fields.text(&["timezone", "timeZone", "time_zone", "tz"]);
        let zone = written.as_ref().and_then(|name| {
            let zone = zone_named(name);
            if zone.is_none() {
                let database = TimeZoneDatabase::bundled();
                let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
                let hint = hint(name, names.iter().map(String::as_str));
                fields.refuse(
                    Code::BadTimeZone,
                    format!("There is no time zone “{name}”. Write it like Europe/Berlin.{hint}"),
                );
            }
            zone
        });
        Self {
            zone,
            zone_missing: written.is_none(),
            open: read_week(fields),
            holidays: read_holidays(fields),
        }
    }

    fn exits_at(&self, local: DateTime) -> Vec<&'static str> {
        if self.is_holiday(local.date()) {
            return vec![HOLIDAY, CLOSED, NEXT];
        }
        let minute = u32::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        let today = self
            .on(local.date().weekday())
            .iter()
            .any(|span| (span.from..span.to).contains(&minute));
        let yesterday = local.date().yesterday().is_ok_and(|day| {
            // What began on a holiday did not begin.
            !self.is_holiday(day)
                && self
                    .on(day.weekday())
                    .iter()
                    .any(|span| (span.from..span.to).contains(&(minute + DAY)))
        });
        if today || yesterday {
            vec![OPEN, NEXT]
        } else {
            vec![CLOSED, NEXT]
        }
    }

    fn on(&self, day: Weekday) -> &[Span] {
        let at = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
        self.open.get(at).map_or(&[], Vec::as_slice)
    }

    fn is_holiday(&self, date: Date) -> bool {
        self.holidays.iter().any(|holiday| match holiday {
            Holiday::Once { first, last } => (*first..=*last).contains(&date),
            Holiday::Yearly { month, day } => date.month() == *month && date.day() == *day,
        })
    }
}

impl Step for Hours {
    fn exit(&self, written: &str) -> Option<&'static str> {
        match plain(written).as_str() {
            "open" | "yes" | "true" | "opened" | "businesshours" => Some(OPEN),
            "closed" | "close" | "no" | "false" | "afterhours" => Some(CLOSED),
            "holiday" | "holidays" => Some(HOLIDAY),
            "next" | "default" | "else" | "otherwise" | "fallback" => Some(NEXT),
            _ => None,
        }
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![OPEN, CLOSED, HOLIDAY, NEXT]
    }

    fn waits(&self) -> Waits {
        Waits::Not
    }

    fn needs_answer(&self) -> bool {
        false
    }

    fn check(&self, site: &mut Site<'_>) {
        if self.zone_missing {
            let message = "No “timezone” is named; the tenant's is taken, or UTC. Better name it, like Europe/Berlin.";
            site.warn(Code::BadTimeZone, message);
        }
        if !site.exits.contains(NEXT) {
            site.must_leave(
                OPEN,
                "Callers within the hours go nowhere. Draw an edge labelled “open”.",
            );
            site.must_leave(
                CLOSED,
                "Callers outside the hours go nowhere. Draw an edge labelled “closed”.",
            );
        }
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        let own = self.zone.clone();
        let zone = own
            .or_else(|| zone_named(run.context().time_zone.as_deref()?))
            .unwrap_or(TimeZone::UTC);
        let seconds = run.wall().unix_timestamp();
        let exits = match jiff::Timestamp::from_second(seconds) {
            Ok(moment) => self.exits_at(zone.to_datetime(moment)),
            // Years jiff cannot hold.
            Err(_) => vec![CLOSED, NEXT],
        };
        Next::Leave(exits, HangupCause::FlowEnded)
    }
}

/// A zone of the IANA database as shipped with the product.
fn zone_named(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

fn read_week(fields: &mut Fields<'_>) -> [Vec<Span>; 7] {
    let mut week: [Vec<Span>; 7] = Default::default();
    let table = match fields.value(&["hours", "open", "schedule", "openingHours", "opening_hours"]) {
        Some(Value::Object(table)) if !table.is_empty() => table,
        Some(Value::Object(_)) | None => {
            fields.refuse(
                Code::BadHours,
                "There are no opening hours. Write “hours”, like {\"mon-fri\": \"09:00-17:00\"}.",
            );
            return week;
        }
        Some(_) => {
            fields.refuse(Code::BadHours, "“hours” must be an object from weekday to times.");
            return week;
        }
    };
    for (days, times) in table {
        let Some(days_at) = read_days(days) else {
            let hint = hint(
                days,
                [
                    "monday",
                    "tuesday",
                    "wednesday",
                    "thursday",
                    "friday",
                    "saturday",
                    "sunday",
                    "weekdays",
                ],
            );
            fields.refuse(
                Code::BadHours,
                format!("“{days}” is no weekday. Write mon … sun, or a stretch like mon-fri.{hint}"),
            );
            continue;
        };
        let mut spans = Vec::new();
        if let Err(message) = read_times(times, &mut spans) {
            fields.refuse(Code::BadHours, format!("At “{days}”: {message}"));
        }
        for at in days_at {
            if let Some(day) = week.get_mut(at) {
                day.extend(&spans);
            }
        }
    }
    week
}

/// The places in the week (Monday is 0) a word names.
fn read_days(written: &str) -> Option<Vec<usize>> {
    let written = written.trim().to_lowercase();
    match written.as_str() {
        "weekdays" | "weekday" => return Some((0..5).collect()),
        "weekend" | "weekends" => return Some(vec![5, 6]),
        "daily" | "everyday" | "every day" | "all" => return Some((0..7).collect()),
        _ => {}
    }
    let Some((first, last)) = written.split_once(['-', '–']) else {
        return Some(vec![read_day(&written)?]);
    };
    let (first, last) = (read_day(first)?, read_day(last)?);
    // fri-mon goes over the end of the week.
    Some(
        (0..7)
            .map(|step| (first + step) % 7)
            .take((last + 7 - first) % 7 + 1)
            .collect(),
    )
}

fn read_day(written: &str) -> Option<usize> {
    let written = written.trim();
    const LONG: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let fits = |(short, long): (&str, &str)| written.starts_with(short) && long.starts_with(written);
    WEEK.into_iter().zip(LONG).position(fits)
}

/// Adds the spans of one day as written.
fn read_times(written: &Value, spans: &mut Vec<Span>) -> Result<(), String> {
    match written {
        Value::Null | Value::Bool(false) => Ok(()),
        Value::Bool(true) => {
            spans.push(Span { from: 0, to: DAY });
            Ok(())
        }
        Value::String(text) if ["", "closed"].contains(&text.trim()) => Ok(()),
        Value::String(text) => text.split(',').try_for_each(|span| {
            let (from, to) = span.split_once(['-', '–']).ok_or_else(|| unreadable(span))?;
            push_span(from, to, spans)
        }),
        Value::Array(pair) if matches!(pair.as_slice(), [Value::String(from), Value::String(to)] if is_time(from) && is_time(to)) => {
            push_pair(pair.first(), pair.get(1), written, spans)
        }
        Value::Array(list) => list.iter().try_for_each(|entry| read_times(entry, spans)),
        Value::Object(pair) => {
            let end = |names: [&str; 3]| names.into_iter().find_map(|name| pair.get(name));
            push_pair(
                end(["from", "open", "start"]),
                end(["to", "close", "end"]),
                written,
                spans,
            )
        }
        Value::Number(_) => Err(unreadable(&written.to_string())),
    }
}

fn push_pair(from: Option<&Value>, to: Option<&Value>, whole: &Value, spans: &mut Vec<Span>) -> Result<(), String> {
    match (from.and_then(Value::as_str), to.and_then(Value::as_str)) {
        (Some(from), Some(to)) => push_span(from, to, spans),
        (_, _) => Err(unreadable(&whole.to_string())),
    }
}

fn push_span(from: &str, to: &str, spans: &mut Vec<Span>) -> Result<(), String> {
    let whole = || unreadable(&format!("{}-{}", from.trim(), to.trim()));
    let (opens, closes) = (minutes(from).ok_or_else(whole)?, minutes(to).ok_or_else(whole)?);
    if opens == closes || opens == DAY {
        return Err(format!(
            "{}-{} is no time at all; the whole day is 00:00-24:00.",
            from.trim(),
            to.trim()
        ));
    }
    spans.push(Span {
        from: opens,
        to: if closes < opens { closes + DAY } else { closes },
    });
    Ok(())
}

fn unreadable(written: &str) -> String {
    format!(
        "“{}” cannot be read as times. Write them like 09:00-17:00.",
        written.trim()
    )
}

fn is_time(written: &str) -> bool {
    minutes(written).is_some()
}

/// `9`, `9:00` or `09:00` as minutes since midnight; `24:00` is the end of the day.
fn minutes(written: &str) -> Option<u32> {
    let written = written.trim();
    let (hours, minutes) = written.split_once(':').unwrap_or((written, "00"));
    let digits = |part: &str, most: u32| {
        let fits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|number| fits && *number <= most)
    };
    let total = digits(hours, 24)? * 60 + digits(minutes, 59)?;
    (total <= DAY && (minutes.len() == 2)).then_some(total)
}

fn read_holidays(fields: &mut Fields<'_>) -> Vec<Holiday> {
    let list = match fields.value(&["holidays"]) {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            fields.refuse(Code::BadHoliday, "“holidays” must be a list of days.");
            return Vec::new();
        }
    };
    let mut holidays = Vec::new();
    for entry in list {
        match read_holiday(entry) {
            Some(holiday) => holidays.push(holiday),
            None => {
                let message =
                    format!("The holiday {entry} cannot be read. Write it like 2026-12-25, or 12-25 for every year.");
                fields.refuse(Code::BadHoliday, message);
            }
        }
    }
    holidays
}

fn read_holiday(entry: &Value) -> Option<Holiday> {
    let text = match entry {
        Value::String(text) => text.as_str(),
        Value::Object(object) => match (object.get("from"), object.get("to")) {
            (Some(from), Some(to)) => return stretch(from.as_str()?, to.as_str()?),
            (_, _) => object.get("date")?.as_str()?,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
    };
    if let Some((first, last)) = text.split_once("..") {
        return stretch(first, last);
    }
    let text = text.trim().trim_start_matches("--");
    if text.len() == 5 {
        // A leap year, so that the 29th of February is a day.
        let date: Date = format!("2024-{text}").parse().ok()?;
        return Some(Holiday::Yearly {
            month: date.month(),
            day: date.day(),
        });
    }
    stretch(text, text)
}

fn stretch(first: &str, last: &str) -> Option<Holiday> {
    let (first, last): (Date, Date) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(Holiday::Once { first, last })
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, run_at};
    use crate::{Code, Severity};
    use serde_json::{Value, json};
    use time::OffsetDateTime;
    use time::macros::datetime;

    fn nodes(data: Value) -> Value {
        json!([
            ["start", "start", {}, "when"],
            ["when", "hours", data, {"open": "open", "closed": "closed", "holiday": "holiday"}],
            ["open", "hangup", {}, null], ["closed", "hangup", {}, null], ["holiday", "hangup", {}, null]
        ])
    }

    fn exit(data: &Value, now: OffsetDateTime) -> String {
        run_at(nodes(data.clone()), now).path().last().unwrap().clone()
    }

    #[test]
    fn the_minute_of_opening_is_open_and_the_minute_of_closing_is_closed() {
        let data = json!({"timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}});
        // Monday, 2 March 2026; Berlin is an hour ahead of UTC.
        for (now, end) in [
            (datetime!(2026-03-02 07:59:59 UTC), "closed"),
            (datetime!(2026-03-02 08:00:00 UTC), "open"),
            (datetime!(2026-03-02 15:59:59 UTC), "open"),
            (datetime!(2026-03-02 16:00:00 UTC), "closed"),
            (datetime!(2026-03-01 12:00:00 UTC), "closed"),
        ] {
            assert_eq!(exit(&data, now), end, "{now}");
        }
    }

    #[test]
    fn clocks_that_change_move_the_hours_with_them() {
        let data = json!({"timezone": "Europe/Berlin", "hours": {"daily": "09:00-17:00"}});
        // 28 March 2026 is winter time, 29 March summer time; 25 October is winter time again.
        for (now, end) in [
            (datetime!(2026-03-28 07:30:00 UTC), "closed"),
            (datetime!(2026-03-29 07:30:00 UTC), "open"),
            (datetime!(2026-10-24 07:30:00 UTC), "open"),
            (datetime!(2026-10-25 07:30:00 UTC), "closed"),
            (datetime!(2026-10-25 15:59:59 UTC), "open"),
        ] {
            assert_eq!(exit(&data, now), end, "{now}");
        }
    }

    #[test]
    fn hours_past_midnight_belong_to_the_day_they_began() {
        let data = json!({"timezone": "UTC", "hours": {"fri": "22:00-02:00"}, "holidays": ["2026-03-13"]});
        for (now, end) in [
            (datetime!(2026-03-06 22:00 UTC), "open"),
            (datetime!(2026-03-07 01:59 UTC), "open"),
            (datetime!(2026-03-07 02:00 UTC), "closed"),
            (datetime!(2026-03-06 01:00 UTC), "closed"),
            (datetime!(2026-03-13 23:00 UTC), "holiday"),
            (datetime!(2026-03-14 01:00 UTC), "closed"),
        ] {
            assert_eq!(exit(&data, now), end, "{now}");
        }
    }

    #[test]
    fn holidays_are_days_of_the_place_not_of_greenwich() {
        let data = json!({
            "timezone": "Pacific/Auckland",
            "hours": {"daily": "00:00-24:00"},
            "holidays": ["12-25", {"date": "2026-06-05", "name": "Matariki"}, "2026-01-01..2026-01-02"]
        });
        for (now, end) in [
            (datetime!(2026-12-24 10:59:59 UTC), "open"),
            (datetime!(2026-12-24 11:00:00 UTC), "holiday"),
            (datetime!(2027-12-25 10:00:00 UTC), "holiday"),
            (datetime!(2026-06-05 00:00:00 UTC), "holiday"),
            (datetime!(2027-06-05 00:00:00 UTC), "open"),
            (datetime!(2026-01-02 00:00:00 UTC), "holiday"),
            (datetime!(2026-01-02 11:00:00 UTC), "open"),
        ] {
            assert_eq!(exit(&data, now), end, "{now}");
        }
    }

    #[test]
    fn a_holiday_without_an_edge_is_a_closed_day() {
        let data = json!({"timezone": "UTC", "hours": {"daily": "00:00-24:00"}, "holidays": ["01-01"]});
        let nodes = json!([
            ["start", "start", {}, "when"],
            ["when", "hours", data, {"open": "open", "closed": "closed"}],
            ["open", "hangup", {}, null], ["closed", "hangup", {}, null]
        ]);
        assert_eq!(
            run_at(nodes, datetime!(2026-01-01 12:00 UTC)).path().last().unwrap(),
            "closed"
        );
    }

    #[test]
    fn a_table_may_be_written_in_many_ways() {
        for hours in [
            json!({"wed": "9-12, 13:00-17:00"}),
            json!({"Wednesday": ["09:00-12:00", "13:00-17:00"]}),
            json!({"weekdays": [["09:00", "12:00"], ["13:00", "17:00"]]}),
            json!({"tue-thu": [{"from": "09:00", "to": "12:00"}, {"open": "13:00", "close": "17:00"}]}),
        ] {
            let data = json!({"timezone": "UTC", "hours": hours});
            for (now, end) in [
                (datetime!(2026-03-04 11:59 UTC), "open"),
                (datetime!(2026-03-04 12:30 UTC), "closed"),
                (datetime!(2026-03-04 13:00 UTC), "open"),
            ] {
                assert_eq!(exit(&data, now), end, "{data} {now}");
            }
        }
        let pair = json!({"timezone": "UTC", "hours": {"wed": ["09:00", "17:00"], "sun": "closed"}});
        assert_eq!(exit(&pair, datetime!(2026-03-04 09:00 UTC)), "open");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let hours = json!({"mon": "09:00-17:00"});
        for (data, code) in [
            (json!({"timezone": "Europe/Berlim", "hours": hours}), Code::BadTimeZone),
            (json!({"timezone": "UTC"}), Code::BadHours),
            (
                json!({"timezone": "UTC", "hours": {"noday": "09:00-17:00"}}),
                Code::BadHours,
            ),
            (json!({"timezone": "UTC", "hours": {"mon": "9 to 5"}}), Code::BadHours),
            (
                json!({"timezone": "UTC", "hours": {"mon": "09:00-25:00"}}),
                Code::BadHours,
            ),
            (
                json!({"timezone": "UTC", "hours": {"mon": "09:00-09:00"}}),
                Code::BadHours,
            ),
            (
                json!({"timezone": "UTC", "hours": hours, "holidays": ["2026-02-30"]}),
                Code::BadHoliday,
            ),
            (
                json!({"timezone": "UTC", "hours": hours, "holidays": ["christmas"]}),
                Code::BadHoliday,
            ),
        ] {
            let (flow, findings) = flow(nodes(data.clone()));
            assert!(flow.is_none(), "{data}");
            assert_eq!(
                findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
                [code],
                "{data}"
            );
        }
    }

    #[test]
    fn a_missing_time_zone_is_worth_a_word_but_no_refusal() {
        let (flow, findings) = flow(nodes(json!({"hours": {"mon": "09:00-17:00"}})));
        assert!(flow.is_some());
        assert_eq!(findings[0].severity, Severity::Warning);
    }
}
