//! What the switchboard itself says → audio, in every language and every wording the tenant's settings name.

use super::{Desk, Fault, render_flow};
use std::collections::BTreeSet;
use strowger_ivr::{Disclosure, Phrase, Say};
use strowger_model::TenantId;
use strowger_model::settings::{Layer, Settings};

pub(super) async fn run(desk: &Desk, tenant: TenantId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let (own, people) = scope.settings().layers().await?;
    let platform = desk.store.platform_settings().layer().await?;
    let layers = std::iter::once(Layer::default()).chain(people);
    let mut texts = BTreeSet::new();
    for layer in layers {
        texts.extend(said(&Settings::resolve(platform.clone(), own.clone(), layer)));
    }
    for say in texts {
        render_flow::render(&scope, say).await?;
    }
    Ok(())
}

fn said(settings: &Settings) -> Vec<Say> {
    let language = settings.text("prompt_language");
    let phrases = Phrase::ALL.into_iter().map(|phrase| phrase.say(&language));
    let disclosure = Disclosure::of(settings).spoken().cloned();
    phrases.chain(disclosure).collect()
}
