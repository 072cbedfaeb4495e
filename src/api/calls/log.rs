//! The call log.

use super::one::with_beside;
use super::wire::CallJson;
use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::wire::{Cursor, Listing, page};
use axum::Json;
use serde::Deserialize;
use strowger_model::role::Permission;
use strowger_model::speech::Ending;
use strowger_model::{CallState, CallType, Direction, UserId};
use strowger_store::CallFilter;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::IntoParams;
use uuid::Uuid;

/// What of the log is wanted. Filters add up.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Calls from or to this number.
    number: Option<String>,
    /// `inbound`, `outbound` or `internal`.
    direction: Option<String>,
    /// `CUSTOMER_INBOUND`, `CUSTOMER_OUTBOUND`, `INTERNAL` or another of the types of calls.
    call_type: Option<String>,
    /// Calls that ended up so: `answered`, `missed`, `voicemail`, or a word of your own.
    disposition: Option<String>,
    /// Calls that seem to have ended so, by what was said: `resolved`, `follow_up`, `callback_promised`, `appointment`,
    /// `sale`, `complaint_open`, `not_interested`, `wrong_number`, `voicemail` or `no_result`.
    suggested_disposition: Option<String>,
    /// Calls about this: a name of a list, such as `billing`, or words that a call's `topics` hold.
    topic: Option<String>,
    /// A state, or several with commas between: `completed`, `missed`, `no_answer`, `busy`, `cancelled`, `failed`, `initiated`, `ringing`, `active`.
    status: Option<String>,
    /// Calls of this user.
    user_id: Option<Uuid>,
    /// Calls that began at this time or later: RFC 3339, or a date.
    from: Option<String>,
    /// Calls that began before this time: RFC 3339, or a date.
    to: Option<String>,
    /// Words of notes, names, numbers or transcripts.
    search: Option<String>,
    /// Calls with this tag.
    tag: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists calls, newest first.
#[utoipa::path(
    get, path = "/api/calls/log", tag = "calls", params(LogQuery),
    responses((status = 200, description = "A part of the log", body = Listing<CallJson>), Refusals)
)]
pub(crate) async fn log(caller: Caller, Asked(query): Asked<LogQuery>) -> Result<Json<Listing<CallJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let page = page(query.cursor.clone(), query.limit, Cursor::TimeAndId)?;
    let paged = scope.calls().log(&filter(query)?, &page).await?;
    let next_cursor = paged.next;
    let items = with_beside(&scope, paged.items).await?;
    Ok(Json(Listing { items, next_cursor }))
}

fn filter(query: LogQuery) -> Result<CallFilter, Problem> {
    let direction = coded("direction", query.direction.as_deref(), Direction::from_code)?;
    let mut states = Vec::new();
    for word in query.status.iter().flat_map(|words| words.split(',')) {
        states.extend(coded("status", Some(word), state_of)?);
    }
    Ok(CallFilter {
        call_type: coded("call_type", query.call_type.as_deref(), CallType::from_code)?,
        disposition: query.disposition,
        suggested: coded(
            "suggested_disposition",
            query.suggested_disposition.as_deref(),
            Ending::from_code,
        )?
        .map(|ending| ending.code().to_owned()),
        topic: query.topic,
        number: query.number,
        direction,
        states,
        user: query.user_id.map(UserId::from_uuid),
        from: moment("from", query.from.as_deref())?,
        until: moment("to", query.to.as_deref())?,
        search: query.search,
        tag: query.tag,
    })
}

/// Our codes, and the same with dashes or capitals as other systems write them.
fn state_of(code: &str) -> Option<CallState> {
    CallState::from_code(&code.to_ascii_lowercase().replace('-', "_"))
}

pub(super) fn coded<T>(
    field: &str,
    code: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(code) = code else { return Ok(None) };
    read(code)
        .map(Some)
        .ok_or_else(|| Problem::field(field, format!("`{code}` is none of the words it takes")))
}

/// Reads a time: RFC 3339, or a date, which means its midnight in UTC.
pub(super) fn moment(field: &str, text: Option<&str>) -> Result<Option<OffsetDateTime>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.replace(' ', "+")
    };
    OffsetDateTime::parse(&whole, &Rfc3339)
        .map(Some)
        .map_err(|_| Problem::field(field, "write a time such as 2026-11-21T08:30:00Z, or a date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_and_programs_write_them() {
        for good in [
            "2026-11-21",
            "2026-11-21T08:30:00Z",
            "2026-11-21T08:30:00 01:00",
            "2026-11-21T08:30:00.5+01:00",
        ] {
            assert!(moment("from", Some(good)).unwrap().is_some(), "{good}");
        }
        assert!(moment("from", Some("yesterday")).is_err());
        assert_eq!(state_of("NO-ANSWER"), Some(CallState::NoAnswer));
    }
}
