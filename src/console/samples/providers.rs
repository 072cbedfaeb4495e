//! Language services as they are on a busy day.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::govern::provider_view;
use crate::show::{Problems, Values};
use strowger_model::TenantId;
use strowger_model::settings::{Entry, Layer, Lock, Settings};
use strowger_store::{KnownProvider, ProviderFigures, ProviderSpend};

fn azure() -> ProviderFigures {
    ProviderFigures {
        provider: "azure".into(),
        task: "understanding".into(),
        asked: 1204,
        failed: 3,
        tokens_asked: 1_830_000,
        tokens_answered: 201_000,
        cost_micros: 395_100,
        spent_ms: 1_600_000,
        last_answered_at: Some(NOW - time::Duration::minutes(20)),
        last_failed_at: Some(NOW - time::Duration::minutes(2)),
        last_problem: Some("answered 429".into()),
    }
}

/// What a tenant spent.
pub(super) fn spend() -> Vec<ProviderSpend> {
    vec![ProviderSpend {
        tenant: TenantId::generate(&world()),
        tenant_name: "Harbour Dental Group".into(),
        figures: azure(),
    }]
}

/// The pages.
pub(super) fn samples() -> Vec<Sample> {
    let known = |name: &str, kind: &str, host: &str, on_premises| KnownProvider {
        name: name.into(),
        kind: kind.into(),
        host: host.into(),
        on_premises,
        chats: true,
        hears: !on_premises,
        embeds: on_premises,
    };
    let said = |value: &str| Entry {
        value: Some(value.into()),
        lock: Lock::Unlocked,
    };
    let tenant = Layer::from([
        ("ai_may_leave_site".into(), said("true")),
        ("ai_understanding_order".into(), said("azure, house")),
        ("ai_embedding_order".into(), said("house")),
    ]);
    let known = provider_view::Known {
        providers: vec![
            known("azure", "azure", "acme.openai.azure.com", false),
            known("house", "openai", "10.0.0.7", true),
        ],
        figures: vec![azure()],
        settings: Settings::resolve(Layer::new(), tenant, Layer::new()),
        may_change: true,
    };
    let none = provider_view::Known {
        providers: vec![],
        figures: vec![],
        settings: Settings::default(),
        may_change: false,
    };
    let blank = (&Values::default(), &Problems::default());
    vec![
        sample("providers", &provider_view::page(&shell(), BASE, &known, blank)),
        sample("providers_none", &provider_view::page(&shell(), BASE, &none, blank)),
    ]
}
