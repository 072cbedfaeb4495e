//! Calls: their life while they run ([`life`]), the log ([`log`]) and its [`search`], one call's page and what people
//! change on it ([`page`]).

mod beside;
mod disposition;
mod life;
mod log;
pub(crate) mod page;
pub(crate) mod search;
mod topics;

pub use beside::Beside;
pub use disposition::Ended;
pub(crate) use life::put_call;
pub use life::{FinishedCall, NewRecording, NewVoicemail};
pub use log::{CallFilter, CallStats, Part};
pub use page::CallDetail;

use crate::Result;
use crate::scope::area;
use crate::sql::{Row, Tx, args};
use std::collections::HashMap;
use strowger_model::record::{Call, Leg};
use strowger_model::{CallState, CallType, Direction, HangupCause, TenantId};

area! {
    /// The calls of the tenant.
    Calls, calls
}

/// A call from its row, without its tags.
pub(crate) fn call_of(row: &Row) -> Result<Call> {
    Ok(Call {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        user: row.opt_parse("user_id")?,
        direction: row.code("direction", Direction::from_code)?,
        call_type: row.code("call_type", CallType::from_code)?,
        state: row.code("state", CallState::from_code)?,
        from_number: row.text("from_number")?,
        from_name: row.opt_text("from_name")?,
        to_number: row.text("to_number")?,
        started_at: row.time("started_at")?,
        answered_at: row.opt_time("answered_at")?,
        ended_at: row.opt_time("ended_at")?,
        duration_ms: row.int("duration_ms")?,
        cause: row.opt_code("cause", HangupCause::from_code)?,
        flow_version: row.opt_parse("flow_version")?,
        notes: row.text("notes")?,
        metadata: row.parse("metadata")?,
        transcribe: row.switch("transcribe")?,
        cost_micros: row.int("cost_micros")?,
        currency: row.text("currency")?,
        tags: Vec::new(),
    })
}

fn leg_of(row: &Row) -> Result<Leg> {
    Ok(Leg {
        id: row.parse("id")?,
        call: row.parse("call_id")?,
        side: row.text("side")?,
        party: row.text("party")?,
        device: row.opt_parse("device_id")?,
        trunk: row.opt_parse("trunk_id")?,
        user: row.opt_parse("user_id")?,
        browser: row.switch("browser")?,
        sip_call_id: row.text("sip_call_id")?,
        codec: row.opt_text("codec")?,
        started_at: row.time("started_at")?,
        answered_at: row.opt_time("answered_at")?,
        ended_at: row.opt_time("ended_at")?,
        cause: row.opt_code("cause", HangupCause::from_code)?,
        quality: row.opt_json("quality")?,
    })
}

/// Gives calls their tags: one statement for a whole page.
async fn with_tags(tx: &mut Tx, tenant: TenantId, mut calls: Vec<Call>) -> Result<Vec<Call>> {
    if calls.is_empty() {
        return Ok(calls);
    }
    let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
    let statement = format!(
        "select call_id, tag from call_tags where tenant_id = $1 and call_id in ({}) order by tag",
        places.join(", ")
    );
    let mut values = args![tenant];
    values.extend(calls.iter().flat_map(|call| args![call.id]));
    let mut tags: HashMap<String, Vec<String>> = HashMap::new();
    for row in tx.all_of(statement, values).await? {
        tags.entry(row.text("call_id")?).or_default().push(row.text("tag")?);
    }
    for call in &mut calls {
        call.tags = tags.remove(&call.id.to_string()).unwrap_or_default();
    }
    Ok(calls)
}
