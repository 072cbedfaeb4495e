//! A greeting of one's own, spoken or uploaded → audio.

use super::{Desk, Fault, spoken};
use crate::prompts::Voice;
use strowger_model::{GreetingId, TenantId};

pub(super) async fn run(desk: &Desk, tenant: TenantId, greeting: GreetingId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let Some(row) = scope.greetings().get(greeting).await? else {
        return Ok(());
    };
    if row.state == "ready" {
        return Ok(());
    }
    let audio = scope.greetings().audio(greeting).await?;
    let playable = match (row.text, audio.and_then(|audio| audio.source)) {
        (_, Some(source)) => spoken::upload(scope.blobs().get(&source).await?, row.name).await?,
        (Some(text), None) => {
            let settings = scope.settings().resolve_for(row.user).await?;
            let voice = Voice {
                name: String::new(),
                language: settings.text("prompt_language"),
            };
            spoken::text(text, voice).await?
        }
        (None, None) => {
            return Err(Fault::never(anyhow::anyhow!(
                "the greeting has neither a text nor a file"
            )));
        }
    };
    let blob = scope.blobs().put(&playable.bytes).await?;
    Ok(scope.greetings().ready(greeting, &blob).await?)
}
