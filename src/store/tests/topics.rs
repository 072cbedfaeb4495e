//! What calls were about, how they seem to have ended, and who says so.

use super::documents::{said, turn};
use super::harness::{Bench, actor, on_each_engine};
use crate::{CallFilter, Ended, Page, Scope};
use strowger_model::speech::{Analysis, Ending, Sentiment, Suggestion, Topic, Usage};
use strowger_model::subject::Subject;
use strowger_model::{CallId, TranscriptId};

pub(super) fn understood(topics: &[(&str, bool)], ending: Option<Ending>) -> Analysis {
    let topic = |(name, listed): &(&str, bool)| Topic {
        name: (*name).to_owned(),
        listed: *listed,
        times: 2,
        text: "The boiler broke.".into(),
        speaker: "Ada".into(),
        at_ms: 500,
        provider: "local-rules".into(),
    };
    Analysis {
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_trend: [0.0, 0.0],
        summary: "The boiler broke.".into(),
        key_points: vec![],
        action_items: vec![],
        topics: topics.iter().map(topic).collect(),
        outcome: ending.map(|ending| Suggestion {
            ending,
            text: "I will call you back.".into(),
            speaker: "Ada".into(),
            at_ms: 700,
            provider: "local-rules".into(),
        }),
        provider: "local-rules".into(),
        usage: Usage::default(),
    }
}

async fn call(bench: &Bench, scope: &Scope, analysis: &Analysis) -> (CallId, TranscriptId) {
    let turns = [turn("Ada", 0, "The boiler broke.")];
    let (recording, transcript) = said(bench, scope, None, &turns).await;
    scope
        .transcripts()
        .analysed(transcript, analysis, &turns)
        .await
        .unwrap();
    let call = scope.recordings().get(recording).await.unwrap().unwrap().call;
    (call, transcript)
}

async fn found(scope: &Scope, filter: CallFilter) -> Vec<CallId> {
    let mut all = Vec::new();
    let mut page = Page::first(2);
    loop {
        let part = scope.calls().log(&filter, &page).await.unwrap();
        all.extend(part.items.iter().map(|call| call.id));
        if part.next.is_none() {
            assert_eq!(scope.calls().count(&filter).await.unwrap(), all.len() as i64);
            return all;
        }
        page.after = part.next;
    }
}

fn about(topic: &str) -> CallFilter {
    CallFilter {
        topic: Some(topic.to_owned()),
        ..CallFilter::default()
    }
}

async fn ended(scope: &Scope, call: CallId) -> Ended {
    scope.calls().ended(&[call]).await.unwrap().remove(&call).unwrap()
}

#[test]
fn calls_are_found_by_what_they_were_about_and_how_they_seem_to_have_ended() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let fault = understood(
            &[("technical_fault", true), ("heat pump", false)],
            Some(Ending::FollowUp),
        );
        let mut calls = Vec::new();
        for _ in 0..5 {
            calls.push(call(&bench, &acme, &fault).await.0);
        }
        let sale = understood(&[("order", true)], Some(Ending::Sale));
        let (sold, transcript) = call(&bench, &acme, &sale).await;
        let (theirs, _) = call(&bench, &zenith, &fault).await;

        calls.reverse();
        assert_eq!(found(&acme, about("technical_fault")).await, calls);
        assert_eq!(found(&acme, about("heat pump")).await, calls);
        assert_eq!(found(&zenith, about("heat pump")).await, [theirs]);
        let of_number = CallFilter {
            number: Some("+491701".into()),
            ..about("order")
        };
        assert_eq!(found(&acme, of_number).await, [sold]);
        let with_words = CallFilter {
            search: Some("boiler".into()),
            suggested: Some("sale".into()),
            ..about("order")
        };
        assert_eq!(found(&acme, with_words).await, [sold]);
        let seems = |word: &str| CallFilter {
            suggested: Some(word.to_owned()),
            ..CallFilter::default()
        };
        assert_eq!(found(&acme, seems("follow_up")).await, calls);
        assert_eq!(ended(&acme, sold).await.topics, ["order"]);
        assert!(zenith.calls().ended(&[sold]).await.unwrap().is_empty());

        // It goes with the transcript, and with the call.
        acme.transcripts().remove(&actor(), transcript).await.unwrap();
        assert_eq!(
            ended(&acme, sold).await,
            Ended {
                disposition: "answered".into(),
                ..Ended::default()
            }
        );
        assert!(found(&acme, about("order")).await.is_empty() && found(&acme, seems("sale")).await.is_empty());
        acme.calls().remove(&actor(), calls.remove(0)).await.unwrap();
        assert_eq!(found(&acme, about("heat pump")).await, calls);
    });
}

#[test]
fn a_suggestion_is_taken_with_one_word_and_never_over_a_persons() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let analysis = understood(&[], Some(Ending::CallbackPromised));
        let (one, _) = call(&bench, &acme, &analysis).await;
        let accept = async |scope: &Scope, call| scope.calls().accept_suggestion(&actor(), call).await.unwrap();
        assert_eq!(
            ended(&acme, one).await.disposition,
            "answered",
            "nothing is taken by itself"
        );
        assert_eq!(accept(&zenith, one).await, None);
        assert_eq!(accept(&acme, one).await.as_deref(), Some("callback_promised"));
        let now = ended(&acme, one).await;
        assert_eq!((now.disposition.as_str(), now.is_chosen), ("callback_promised", true));

        // A person's word stands, even one that calls get by themselves, and an analysis made anew leaves it.
        let (other, transcript) = call(&bench, &acme, &analysis).await;
        acme.calls().set_disposition(&actor(), other, "answered").await.unwrap();
        assert_eq!(accept(&acme, other).await, None);
        let turns = [turn("Ada", 0, "The boiler broke.")];
        let again = understood(&[], Some(Ending::Sale));
        acme.transcripts().analysed(transcript, &again, &turns).await.unwrap();
        let now = ended(&acme, other).await;
        assert_eq!((now.disposition.as_str(), now.suggested.as_str()), ("answered", "sale"));
        assert_eq!(accept(&acme, other).await, None);
        let (silent, _) = call(&bench, &acme, &understood(&[], None)).await;
        assert_eq!(accept(&acme, silent).await, None);
    });
}

#[test]
fn who_is_erased_is_no_topic_any_more() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let analysis = understood(&[("billing", true), ("doctor okonkwo", false)], Some(Ending::FollowUp));
        let (one, _) = call(&bench, &scope, &analysis).await;
        let subject = Subject::read("Okonkwo").unwrap();
        assert_eq!(found(&scope, about("doctor okonkwo")).await, [one]);
        scope.subjects().erase(&actor(), &subject).await.unwrap();
        assert!(found(&scope, about("doctor okonkwo")).await.is_empty());
        assert_eq!(ended(&scope, one).await.topics, ["billing"]);
    });
}
