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

#[test]
fn proofs_go_when_their_time_is_up_and_nothing_they_prove_is_left() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let consent = Consent {
            at: bench.world.now(),
            leg: None,
            party: "+49170".to_owned(),
            outcome: ConsentOutcome::Agreed,
            digit: Some('1'),
            text: "May we?".to_owned(),
        };
        let mut calls = Vec::new();
        for has_recording in [true, false] {
            let begun = call(&bench, &scope, "+49170");
            let mut end = finished(&bench, &begun, CallState::Completed);
            if has_recording {
                end.recordings.push(super::calls::recording(&bench));
            }
            scope.calls().finish(&end).await.unwrap();
            scope
                .consents()
                .write(begun.id, 0, std::slice::from_ref(&consent))
                .await
                .unwrap();
            calls.push(begun.id);
        }
        let policy = scope.retention().policy().await.unwrap();
        assert_eq!((policy.consent_days, policy.erasure_days), (3650, 3650));
        let short = strowger_model::retention::RetentionPolicy {
            call_days: 36_500,
            recording_days: 36_500,
            voicemail_days: 36_500,
            consent_days: 30,
            erasure_days: 30,
            signalling_days: 7,
        };
        let after = |days| bench.world.now() + time::Duration::days(days);
        let retention = scope.retention();
        assert!(retention.run_batch(&short, after(29), 9).await.unwrap().is_empty());
        assert_eq!(retention.dry_run(&short, after(30)).await.unwrap().proofs, 1);
        assert_eq!(retention.run_batch(&short, after(30), 9).await.unwrap().proofs, 1);
        let consents = scope.consents();
        let left = |call| consents.of_call(call);
        assert_eq!(left(calls[0]).await.unwrap().len(), 1, "its recording is still there");
        assert!(left(calls[1]).await.unwrap().is_empty());
    });
}
