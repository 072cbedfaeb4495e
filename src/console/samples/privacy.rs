//! What is known of people, and what an auditor asks.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::show::{Problems, Values};
use time::Duration;

pub(super) fn samples() -> Vec<Sample> {
    let shell = shell();
    let sought = crate::govern::privacy_view::Sought {
        written: "+49 170 5550123".into(),
        findings: strowger_store::Findings {
            calls: 3,
            recordings: 2,
            messages: 1,
            rows: [("calls".to_owned(), 3), ("transcripts".to_owned(), 1)].into(),
            settings: [("numbers".to_owned(), 1)].into(),
            held: vec![],
            running: 0,
        },
    };
    let erasure = strowger_store::Erasure {
        id: "KMdXbFgaHTeRLQcPZWVYhN".into(),
        at: NOW - Duration::days(3),
        actor: "ines@harbour.example".into(),
        before: sought.findings.clone(),
        after: strowger_store::Findings::default(),
        damaged_until: None,
    };
    let consents = [(
        strowger_model::CallId::generate(&world()),
        super::call::known().consents.remove(0),
    )];
    vec![
        sample(
            "privacy",
            &crate::govern::privacy_view::page(
                &shell,
                BASE,
                Some(&sought),
                (&[erasure], &consents),
                (&Values::default(), &Problems::default()),
            ),
        ),
        sample(
            "compliance",
            &crate::govern::compliance::page(
                &shell,
                &strowger_model::compliance::report(
                    &strowger_model::settings::Settings::default(),
                    &strowger_model::compliance::Facts::default(),
                ),
            ),
        ),
    ]
}
