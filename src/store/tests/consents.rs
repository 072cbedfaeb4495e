use super::calls::{call, finished};
use super::harness::{actor, on_each_engine};
use crate::{AuditFilter, Page, Verdict};
use strowger_model::record::Consent;
use strowger_model::{CallState, ConsentOutcome, World as _};

#[test]
fn consents_outlive_their_call_and_are_written_once() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = call(&bench, &scope, "+49170");
        scope.calls().begin(&begun, &[]).await.unwrap();
        let consent = |outcome, digit| Consent {
            at: bench.world.now(),
            leg: None,
            party: "+49170".to_owned(),
            outcome,
            digit,
            text: "May we?".to_owned(),
        };
        let said = [
            consent(ConsentOutcome::Agreed, Some('1')),
            consent(ConsentOutcome::Announced, None),
        ];
        for _ in 0..2 {
            scope.consents().write(begun.id, 0, &said).await.unwrap();
        }
        let more = [consent(ConsentOutcome::Unanswered, None)];
        scope.consents().write(begun.id, 2, &more).await.unwrap();
        let end = finished(&bench, &begun, CallState::Completed);
        scope.calls().finish(&end).await.unwrap();
        let detail = scope.calls().detail(begun.id).await.unwrap().unwrap();
        assert_eq!(detail.consents.len(), 3);
        assert_eq!(detail.consents[..2], said);
        scope.calls().remove(&actor(), begun.id).await.unwrap();
        assert_eq!(scope.consents().of_call(begun.id).await.unwrap().len(), 3);

        let other = bench.tenant("other").await;
        assert!(other.consents().of_call(begun.id).await.unwrap().is_empty());
        let mut page = Page { after: None, limit: 2 };
        let first = scope.consents().list(Some("+49170"), &page).await.unwrap();
        assert_eq!(first.items.len(), 2);
        page.after = first.next;
        let rest = scope.consents().list(Some("+49170"), &page).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (1, None));
        assert!(scope.consents().list(Some("+1"), &page).await.unwrap().items.is_empty());

        let filter = AuditFilter {
            action: Some("recording.consent".to_owned()),
            ..AuditFilter::default()
        };
        let lines = scope.audit().list(&filter, &Page::first(9)).await.unwrap().items;
        assert_eq!(lines.len(), 3);
        assert!(
            lines[2].detail.starts_with("agreed with key 1 at 2025-"),
            "{}",
            lines[2].detail
        );
        assert!(!lines.iter().any(|line| line.detail.contains("+49170")));
        assert!(matches!(scope.audit().verify().await.unwrap(), Verdict::Whole { .. }));
    });
}
