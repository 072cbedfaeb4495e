//! The fixed texts of a published flow → audio; then the next call takes the version.

use super::{Desk, Fault, spoken};
use crate::prompts::Voice;
use strowger_ivr::Flow;
use strowger_ivr::say::Say;
use strowger_model::{FlowVersionId, TenantId};
use strowger_store::Scope;

pub(super) async fn run(desk: &Desk, tenant: TenantId, version: FlowVersionId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let Some(row) = scope.flows().version(version).await? else {
        return Ok(());
    };
    if row.state == "ready" {
        return Ok(());
    }
    let (Some(flow), _) = Flow::parse(&row.definition) else {
        return Err(Fault::never(anyhow::anyhow!("the published flow cannot be read")));
    };
    for say in flow.texts() {
        render(&scope, say).await?;
    }
    Ok(scope.flows().version_ready(version).await?)
}

/// Speaks one text unless it was spoken before, for whichever flow.
pub(super) async fn render(scope: &Scope, say: Say) -> Result<(), Fault> {
    let key = say.key();
    if scope.speech().get(&key).await?.is_some() {
        return Ok(());
    }
    let voice = Voice {
        name: say.voice,
        language: say.language,
    };
    let playable = spoken::text(say.text, voice).await?;
    let blob = scope.blobs().put(&playable.bytes).await?;
    let used = scope.speech().put(&key, &blob).await?;
    if used != blob {
        // Another worker was faster.
        scope.blobs().erase(&blob).await?;
    }
    Ok(())
}
