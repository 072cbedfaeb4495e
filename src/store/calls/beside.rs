//! What lists show beside a call: its recording and its transcript, in one statement for a whole page.

use super::Calls;
use crate::Result;
use crate::sql::args;
use std::collections::HashMap;
use strowger_model::{CallId, RecordingId, TranscriptId};

/// The first recording of a call and its transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The recording.
    pub recording: RecordingId,
    /// Whether its audio can be played.
    pub is_ready: bool,
    /// Its transcript, asked for or ready.
    pub transcript: Option<TranscriptId>,
}

impl Calls {
    /// What stands beside these calls; calls without a recording are left out.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn beside(&self, calls: &[CallId]) -> Result<HashMap<CallId, Beside>> {
        if calls.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
        let statement = format!(
            "select r.call_id, r.id, r.state, t.id as transcript_id from recordings r \
             left join transcripts t on t.recording_id = r.id \
             where r.tenant_id = $1 and r.call_id in ({}) order by r.created_at desc, r.id desc",
            places.join(", ")
        );
        let mut values = args![self.scope.tenant()];
        values.extend(calls.iter().flat_map(|call| args![*call]));
        let mut found = HashMap::new();
        // The oldest comes last and stays.
        for row in self.scope.read().await?.all_of(statement, values).await? {
            let beside = Beside {
                recording: row.parse("id")?,
                is_ready: row.text("state")? == "ready",
                transcript: row.opt_parse("transcript_id")?,
            };
            found.insert(row.parse("call_id")?, beside);
        }
        Ok(found)
    }
}
