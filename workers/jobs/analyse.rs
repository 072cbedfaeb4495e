//! Transcript → mood, summary, key points, action items, topics, how it ended, and what it means where somebody can tell.

use super::{Desk, Fault, apart, outside};
use crate::analysis::{self, Matter};
use crate::providers::chain::Wish;
use strowger_model::meaning::stretches;
use strowger_model::record::Recording;
use strowger_model::speech::Suggestion;
use strowger_model::topics::TopicLists;
use strowger_model::transcript::TranscriptSource;
use strowger_model::{RecordingId, TenantId, TranscriptId};
use strowger_store::Scope;

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
    let settings = scope.recordings().settings(row.recording).await?;
    let lists = TopicLists::of(&settings);
    let matter = match row.source {
        _ if is_meeting => Matter::Meeting,
        TranscriptSource::Voicemail(_) => Matter::Message,
        TranscriptSource::Call(_) | TranscriptSource::Recording(_) => Matter::Call,
    };
    let is_one_channel = row.segments.iter().all(|segment| segment.channel == 0);
    let (mut analysis, segments) = apart(move || Ok(analysis::analyse(row.segments, matter, &lists))).await?;
    let is_mixed = is_one_channel && is_import(&scope, row.recording).await?;
    let holds = |told: &Suggestion| analysis::may_tell(told, matter, row.language.as_deref(), is_mixed);
    analysis.outcome = analysis.outcome.filter(holds);
    // The rules' result stands where nobody else is asked, answers or is believed.
    outside::understand(desk, &scope, &settings, &segments, &mut analysis).await?;
    if matter == Matter::Meeting {
        analysis.outcome = None;
    }
    // Without vectors it is found by its words, and by its meaning once they are made after all.
    let parts = stretches(&segments, Some(&analysis));
    let meanings = outside::meanings(desk, &scope, &Wish::of(&settings), parts).await?;
    let meanings = meanings.as_ref().map(|(model, all)| (model.as_str(), all.as_slice()));
    Ok(transcripts
        .analysed_with(transcript, &analysis, &segments, meanings)
        .await?)
}

async fn is_import(scope: &Scope, recording: RecordingId) -> Result<bool, Fault> {
    let row = scope.recordings().get(recording).await?;
    Ok(row.is_some_and(|row| row.recorded_by == Recording::IMPORT))
}
