//! The list of calls as a file for spreadsheets, page by page as the database gives it.

use super::handlers::filter_of;
use crate::desk::Desk;
use crate::fault::Page;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use strowger_model::CallId;
use strowger_model::record::Call;
use strowger_store::{CallFilter, Ended, Page as Keyset, Scope};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const PAGE: i64 = 500;

const COLUMNS: [&str; 20] = [
    "id",
    "start",
    "answer",
    "end",
    "direction",
    "type",
    "state",
    "from",
    "from_name",
    "to",
    "duration_s",
    "cause",
    "disposition",
    "suggested_disposition",
    "topics",
    "cost",
    "currency",
    "tags",
    "notes",
    "metadata",
];

/// Answers with every call of the filter, newest first.
pub(super) async fn csv(desk: Desk) -> Page {
    let mut filter = filter_of(desk.query(), &desk.state.clock());
    if let Some(own) = desk.sees_only() {
        filter.user = Some(own);
    }
    desk.scope
        .audit()
        .write(&desk.actor(), "call.export", &desk.tenant.id.to_string(), "")
        .await?;
    let name = format!("calls-{}.csv", desk.state.now().date());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(rows(desk.scope, filter))).into_response())
}

/// What is still to be written.
enum Left {
    Head,
    From(Option<String>),
    Nothing,
}

type Part = (Result<Bytes, strowger_store::Error>, Left);

/// The file in parts of a page each: the reader's pace is the database's.
fn rows(scope: Scope, filter: CallFilter) -> impl stream::Stream<Item = Result<Bytes, strowger_store::Error>> {
    stream::unfold(Left::Head, move |left| {
        let (scope, filter) = (scope.clone(), filter.clone());
        async move {
            let part: Part = match left {
                Left::Nothing => return None,
                Left::Head => (Ok(line(COLUMNS.map(str::to_owned)).into()), Left::From(None)),
                Left::From(after) => {
                    let page = Keyset { after, limit: PAGE };
                    match scope.calls().log(&filter, &page).await {
                        Ok(found) => {
                            let ids: Vec<CallId> = found.items.iter().map(|call| call.id).collect();
                            let mut ended = match scope.calls().ended(&ids).await {
                                Ok(ended) => ended,
                                Err(problem) => return Some((Err(problem), Left::Nothing)),
                            };
                            let mut of = |call: &Call| ended.remove(&call.id).unwrap_or_default();
                            let text: String = found.items.iter().map(|call| line(cells(call, of(call)))).collect();
                            let left = found.next.map_or(Left::Nothing, |next| Left::From(Some(next)));
                            (Ok(text.into()), left)
                        }
                        // The reader sees a file that ends in the middle, not one that looks whole.
                        Err(problem) => (Err(problem), Left::Nothing),
                    }
                }
            };
            Some(part)
        }
    })
}

fn cells(call: &Call, ended: Ended) -> [String; 20] {
    let moment = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let maybe = |at: Option<OffsetDateTime>| at.map(moment).unwrap_or_default();
    [
        call.id.to_string(),
        moment(call.started_at),
        maybe(call.answered_at),
        maybe(call.ended_at),
        call.direction.code().to_owned(),
        call.call_type.code().to_owned(),
        call.state.code().to_owned(),
        call.from_number.clone(),
        call.from_name.clone().unwrap_or_default(),
        call.to_number.clone(),
        format!("{}.{:03}", call.duration_ms / 1000, call.duration_ms % 1000),
        call.cause.map(|cause| cause.code().to_owned()).unwrap_or_default(),
        ended.disposition,
        ended.suggested,
        ended.topics.join("; "),
        format!("{}.{:06}", call.cost_micros / 1_000_000, call.cost_micros % 1_000_000),
        call.currency.clone(),
        call.tags.join(" "),
        call.notes.clone(),
        call.metadata.text().to_owned(),
    ]
}

/// A line of RFC 4180.
fn line(cells: [String; 20]) -> String {
    let cells = cells.map(|cell| quoted(&harmless(cell)));
    format!("{}\r\n", cells.join(","))
}

/// Spreadsheets take a cell that begins like a formula for one, whoever wrote it: such a cell begins with
/// an apostrophe instead. A telephone number's plus stays.
fn harmless(cell: String) -> String {
    let is_number = cell
        .strip_prefix('+')
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_number {
        format!("'{cell}")
    } else {
        cell
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', ';', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_no_cell_breaks_its_line() {
        for (given, written) in [
            ("=HYPERLINK(\"http://evil\")", "\"'=HYPERLINK(\"\"http://evil\"\")\""),
            ("+4930123", "+4930123"),
            ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("a,b", "\"a,b\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("plain", "plain"),
        ] {
            assert_eq!(quoted(&harmless(given.to_owned())), written);
        }
    }
}
