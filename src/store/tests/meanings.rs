//! Search by meaning: whose, how near, and what is forgotten.

use super::documents::{said, turn};
use super::harness::{Bench, actor, on_each_engine};
use super::topics::understood;
use crate::meanings::{FORGET, MISSING, Question};
use crate::queue::JobFilter;
use crate::sql::args;
use crate::{ByMeaning, Narrowed, Page, Scope, StretchMeaning, Where};
use std::time::Duration;
use strowger_model::TranscriptId;
use strowger_model::meaning::Meaning;
use strowger_model::settings::{Entry, Lock};
use strowger_model::subject::Subject;

async fn one(bench: &Bench, scope: &Scope, text: &str) -> TranscriptId {
    said(bench, scope, None, &[turn("Ada", 0, text)]).await.1
}

const MODEL: &str = "house/e";

fn stretch(from_ms: Option<i64>, vector: [f32; 2]) -> StretchMeaning {
    StretchMeaning {
        from_ms,
        to_ms: from_ms.unwrap_or(0),
        meaning: Meaning::of(&vector).unwrap(),
    }
}

#[test]
fn the_nearest_call_comes_first_and_each_tenant_finds_its_own() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let (near, far) = (
            one(&bench, &acme, "I am furious.").await,
            one(&bench, &acme, "Dinner.").await,
        );
        let meanings = acme.meanings();
        meanings
            .put(near, MODEL, &[stretch(None, [1.0, 0.1]), stretch(Some(0), [1.0, 0.0])])
            .await
            .unwrap();
        meanings.put(far, MODEL, &[stretch(Some(0), [0.0, 1.0])]).await.unwrap();
        let asked = Meaning::of(&[0.9, 0.1]).unwrap();
        let found = meanings.near((MODEL, &asked), Narrowed::default(), 5).await.unwrap();
        let order: Vec<_> = found.iter().map(|(hit, _)| hit.places[0].transcript).collect();
        assert_eq!(order, [Some(near), Some(far)]);
        assert!(found[0].1 > 0.98 && found[1].1 < 0.2);
        let said = Narrowed {
            to: Some(Where::Said),
            user: None,
        };
        let found = meanings.near((MODEL, &asked), said, 1).await.unwrap();
        assert_eq!(found[0].0.places.len(), 1);
        assert_eq!(found[0].0.places[0].place.pieces[0].text, "I am furious.");
        assert!(
            meanings
                .near(("other/model", &asked), said, 5)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            zenith
                .meanings()
                .near((MODEL, &asked), said, 5)
                .await
                .unwrap()
                .is_empty()
        );
        // Written again it stands in place of what was there; erased it is gone with its transcript.
        meanings.put(far, MODEL, &[stretch(Some(0), [1.0, 0.0])]).await.unwrap();
        assert!(acme.transcripts().remove(&actor(), near).await.unwrap());
        let found = meanings.near((MODEL, &asked), Narrowed::default(), 5).await.unwrap();
        assert_eq!(found.len(), 1);
    });
}

#[test]
fn a_question_is_put_once_and_answered_for_all_who_ask_it() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let meanings = scope.meanings();
        let search = || meanings.search("  angry   people ", Narrowed::default(), 5, Duration::from_millis(1));
        assert_eq!(search().await.unwrap(), ByMeaning::Nobody);
        let order = Entry {
            value: Some("house".into()),
            lock: Lock::Unlocked,
        };
        scope
            .settings()
            .set(&actor(), "ai_embedding_order", &order)
            .await
            .unwrap();
        assert!(matches!(search().await.unwrap(), ByMeaning::Failed(_)));
        assert!(matches!(search().await.unwrap(), ByMeaning::Failed(_)));
        let filter = JobFilter {
            kind: Some("embed_question".into()),
            ..JobFilter::default()
        };
        assert_eq!(
            scope.jobs().list(&filter, &Page::first(5)).await.unwrap().items.len(),
            1
        );
        let Question { id, text, .. } = meanings.ask("angry people").await.unwrap();
        assert_eq!(text, "angry people");
        meanings
            .answer(id, Ok((MODEL, &Meaning::of(&[1.0, 0.0]).unwrap())))
            .await
            .unwrap();
        assert_eq!(search().await.unwrap(), ByMeaning::Found(vec![]));
        // One that failed may be put again after a minute; one that nobody put for a month is forgotten.
        meanings.answer(id, Err("answered 429")).await.unwrap();
        assert_eq!(search().await.unwrap(), ByMeaning::Failed("answered 429".into()));
        bench.world.advance(61_000);
        assert_ne!(meanings.ask("angry people").await.unwrap().id, id);
    });
}

#[test]
fn who_is_erased_is_found_by_meaning_no_more() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let about = "Mister Okonkwo is furious.";
        let (named, other) = (one(&bench, &acme, about).await, one(&bench, &acme, "Dinner.").await);
        let theirs = one(&bench, &zenith, about).await;
        for (scope, transcript) in [(&acme, named), (&acme, other), (&zenith, theirs)] {
            let vectors = [stretch(None, [1.0, 0.0]), stretch(Some(0), [1.0, 0.0])];
            scope.meanings().put(transcript, MODEL, &vectors).await.unwrap();
        }
        let asked = Meaning::of(&[1.0, 0.0]).unwrap();
        let found = async |scope: &Scope| {
            let hits = scope.meanings().near((MODEL, &asked), Narrowed::default(), 9).await;
            let hits = hits.unwrap().into_iter();
            hits.filter_map(|(hit, _)| hit.places[0].transcript).collect::<Vec<_>>()
        };
        assert_eq!(found(&acme).await.len(), 2);
        let subject = Subject::read("Okonkwo").unwrap();
        acme.subjects().erase(&actor(), &subject).await.unwrap();
        assert_eq!(found(&acme).await, [other]);
        assert_eq!(found(&zenith).await, [theirs]);
    });
}

#[test]
fn the_vectors_of_a_transcript_are_replaced_without_looking_at_others() {
    on_each_engine(|bench| async move {
        if !bench.config.url.starts_with("sqlite:") {
            return;
        }
        let scope = bench.tenant("acme").await;
        let mut tx = scope.read().await.unwrap();
        let statement = format!("explain query plan {FORGET}");
        let rows = tx
            .all_of(statement, args![scope.tenant(), "a transcript"])
            .await
            .unwrap();
        let plan = rows[0].text("detail").unwrap();
        assert!(plan.contains("(transcript_id=?"), "{plan}");
    });
}

#[test]
fn what_lacks_a_model_s_vectors_is_found_until_it_has_them_or_has_nothing_to_be_understood() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let about = "Mister Okonkwo is furious.";
        let made = async |scope: &Scope, text: &str| {
            let transcript = one(&bench, scope, text).await;
            let turns = [turn("Ada", 0, text)];
            let analysis = understood(&[], None);
            scope
                .transcripts()
                .analysed(transcript, &analysis, &turns)
                .await
                .unwrap();
            transcript
        };
        let (first, second) = (made(&acme, about).await, made(&acme, "Dinner.").await);
        let theirs = made(&zenith, about).await;
        // One that is not understood yet is none of them.
        one(&bench, &acme, "Hello.").await;
        let meanings = acme.meanings();
        let missing = async |model: &str| meanings.missing(model, 9).await.unwrap();
        assert_eq!(missing(MODEL).await, [second, first]);
        assert_eq!(meanings.missing(MODEL, 1).await.unwrap(), [second]);
        meanings
            .put(first, MODEL, &[stretch(Some(0), [1.0, 0.0])])
            .await
            .unwrap();
        assert_eq!(missing(MODEL).await, [second]);
        // Nothing in it can be understood: that is known from then on.
        meanings.put(second, MODEL, &[]).await.unwrap();
        assert!(missing(MODEL).await.is_empty());
        // Vectors of another model are none, whichever name comes first in the alphabet.
        for other in ["another/e", "zest/e"] {
            assert_eq!(missing(other).await, [second, first]);
        }
        // What is left of a text after an erasure is understood anew.
        let subject = Subject::read("Okonkwo").unwrap();
        acme.subjects().erase(&actor(), &subject).await.unwrap();
        assert_eq!(missing(MODEL).await, [first]);
        assert_eq!(zenith.meanings().missing(MODEL, 9).await.unwrap(), [theirs]);
    });
}

#[test]
fn what_has_its_vectors_is_not_walked_through_to_find_what_has_none() {
    on_each_engine(|bench| async move {
        if !bench.config.url.starts_with("sqlite:") {
            return;
        }
        let scope = bench.tenant("acme").await;
        let mut tx = scope.read().await.unwrap();
        let statement = format!("explain query plan {MISSING}");
        let rows = tx
            .all_of(statement, args![scope.tenant(), MODEL, 50_i64])
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
        for range in ["meant_by<?", "meant_by>?"] {
            let wanted = format!("USING INDEX transcripts_by_meaning (tenant_id=? AND {range})");
            assert!(
                plan.iter()
                    .any(|step| step.contains(&wanted.replace("INDEX", "COVERING INDEX")) || step.contains(&wanted)),
                "{range}: {plan:#?}"
            );
        }
        assert!(!plan.iter().any(|step| step.contains("SCAN transcripts")), "{plan:#?}");
    });
}
