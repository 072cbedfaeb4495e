//! Uploaded audio → what is played.

use super::{Desk, Fault, spoken};
use strowger_model::{PromptId, TenantId};

pub(super) async fn run(desk: &Desk, tenant: TenantId, prompt: PromptId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let (Some(row), Some(audio)) = (scope.prompts().get(prompt).await?, scope.prompts().audio(prompt).await?) else {
        return Ok(());
    };
    let Some(source) = audio.source.filter(|_| row.state != "ready") else {
        return Ok(());
    };
    let file = scope.blobs().get(&source).await?;
    let playable = spoken::upload(file, row.source_name).await?;
    let blob = scope.blobs().put(&playable.bytes).await?;
    Ok(scope.prompts().ready(prompt, &blob, playable.duration_ms).await?)
}
