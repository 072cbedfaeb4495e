//! Transcript → mood, summary, key points, action items.

use super::{Desk, Fault, apart, outside};
use crate::analysis;
use strowger_model::{TenantId, TranscriptId};

pub(super) async fn run(desk: &Desk, tenant: TenantId, transcript: TranscriptId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let transcripts = scope.transcripts();
    let Some(row) = transcripts.get(transcript).await? else {
        return Ok(());
    };
    if row.analysis.is_some() || row.state != "ready" {
        return Ok(());
    }
    let is_meeting = scope.minutes().get(row.call).await?.is_some();
    let (mut analysis, segments) = apart(move || {
        Ok(if is_meeting {
            analysis::analyse_meeting(row.segments)
        } else {
            analysis::analyse(row.segments)
        })
    })
    .await?;
    // The rules' result stands where nobody else is asked, answers or is believed.
    let settings = scope.recordings().settings(row.recording).await?;
    outside::understand(desk, &scope, &settings, &segments, &mut analysis).await?;
    Ok(transcripts.analysed(transcript, &analysis, &segments).await?)
}
