//! Transcript → mood, summary, key points, action items.

use super::{Desk, Fault, apart};
use crate::analysis;
use strowger_model::{TenantId, TranscriptId};

pub(super) async fn run(desk: &Desk, tenant: TenantId, transcript: TranscriptId) -> Result<(), Fault> {
    let transcripts = desk.store.tenant(tenant).transcripts();
    let Some(row) = transcripts.get(transcript).await? else {
        return Ok(());
    };
    if row.analysis.is_some() || row.state != "ready" {
        return Ok(());
    }
    let (analysis, segments) = apart(move || Ok(analysis::analyse(row.segments))).await?;
    Ok(transcripts.analysed(transcript, &analysis, &segments).await?)
}
