//! Looking for words in what was said, understood and noted.

use super::calls::{call, finished, processed, recording};
use super::harness::{Bench, actor, on_each_engine};
use crate::{Afterwards, Hit, Narrowed, Page, Scope, TranscriptResult, Where};
use strowger_model::search::Question;
use strowger_model::speech::{Analysis, Point, Segment, Sentiment, Word};
use strowger_model::{CallState, RecordingId, TranscriptId, UserId};

/// A turn, half a second a word.
pub(super) fn turn(speaker: &str, start_ms: i64, text: &str) -> Segment {
    let words = (0..).zip(text.split(' ')).map(|(n, word)| Word {
        text: word.to_owned(),
        start_ms: start_ms + n * 500,
        end_ms: start_ms + n * 500 + 400,
        confidence: 0.9,
    });
    Segment {
        channel: 0,
        speaker: speaker.to_owned(),
        start_ms,
        end_ms: start_ms + 5000,
        text: text.to_owned(),
        confidence: 0.9,
        sentiment: Sentiment::Neutral,
        words: words.collect(),
    }
}

/// A recorded call with what was said in it.
pub(super) async fn said(
    bench: &Bench,
    scope: &Scope,
    user: Option<UserId>,
    turns: &[Segment],
) -> (RecordingId, TranscriptId) {
    let mut begun = call(bench, scope, "+491701");
    begun.user = user;
    scope.calls().begin(&begun, &[]).await.unwrap();
    let mut end = finished(bench, &begun, CallState::Completed);
    let audio = recording(bench);
    end.recordings.push(audio.clone());
    scope.calls().finish(&end).await.unwrap();
    let result = processed(scope).await;
    scope
        .recordings()
        .ready(audio.id, &result, Afterwards::Transcribe)
        .await
        .unwrap();
    let transcript = scope.transcripts().of_recording(audio.id).await.unwrap().unwrap().id;
    let lines: Vec<&str> = turns.iter().map(|turn| turn.text.as_str()).collect();
    let result = TranscriptResult {
        text: lines.join("\n"),
        language: None,
        confidence: 0.9,
        provider: "local".to_owned(),
        model: "tiny".to_owned(),
        cpu_seconds: 0.1,
        cost_micros: 0,
        audio_ms: 1000,
        segments: turns.to_vec(),
    };
    scope.transcripts().ready(transcript, &result).await.unwrap();
    bench.world.advance(1000);
    (audio.id, transcript)
}

async fn find(scope: &Scope, question: &str, to: Option<Where>) -> Vec<Hit> {
    let narrowed = Narrowed { to, user: None };
    let found = scope
        .documents()
        .find(&Question::read(question), narrowed, &Page::first(10))
        .await;
    found.unwrap().items
}

#[test]
fn a_hit_leads_to_the_word_and_only_to_ones_own_tenant() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let turns = [
            turn("Ada", 1000, "The boiler broke again"),
            turn("Dana", 7000, "We sent the Ärztin a refund, really"),
        ];
        let (recording, transcript) = said(&bench, &acme, None, &turns).await;
        said(&bench, &zenith, None, &turns[..1]).await;

        let hits = find(&acme, "arzt", None).await;
        assert_eq!(hits.len(), 1);
        let answer = &hits[0].places[0];
        assert_eq!(
            (answer.recording, answer.transcript),
            (Some(recording), Some(transcript))
        );
        assert_eq!((answer.place.at_ms, answer.place.line_ms), (Some(8500), Some(7000)));
        assert_eq!(answer.place.speaker, "Dana");
        let found: Vec<&str> = answer
            .place
            .pieces
            .iter()
            .filter(|piece| piece.found)
            .map(|piece| piece.text.as_str())
            .collect();
        assert_eq!(found, ["Ärztin"]);

        // Every word must occur, somewhere in the call; a phrase as it stands.
        assert_eq!(find(&acme, "boiler refund", None).await[0].places.len(), 2);
        assert_eq!(find(&acme, "\"boiler broke\"", None).await.len(), 1);
        for nothing in [
            "\"broke boiler\"",
            "boiler zebra",
            "\"refun\"",
            "",
            "!",
            "it's ' or 1=1 --",
            "* AND NOT :",
        ] {
            assert!(find(&acme, nothing, None).await.is_empty(), "{nothing}");
        }
        let hit = find(&zenith, "boiler", None).await;
        assert_eq!((hit.len(), hit[0].call.tenant), (1, zenith.tenant()));
        assert!(find(&zenith, "refund", None).await.is_empty());
    });
}

#[test]
fn summaries_and_notes_are_found_and_what_goes_is_found_no_more() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let turns = [turn("Ada", 0, "Please call me back")];
        let (recording, transcript) = said(&bench, &scope, None, &turns).await;
        let call = scope.recordings().get(recording).await.unwrap().unwrap().call;
        let analysis = Analysis {
            sentiment: Sentiment::Neutral,
            sentiment_score: 0.0,
            sentiment_trend: [0.0, 0.0],
            summary: "A customer from Timbuktu wants a call.".into(),
            key_points: vec![],
            action_items: vec![Point {
                text: "Ring Zanzibar".into(),
                speaker: "Ada".into(),
                at_ms: 1500,
            }],
            topics: vec![],
            outcome: None,
            provider: "local-rules".into(),
            usage: strowger_model::speech::Usage::default(),
        };
        scope
            .transcripts()
            .analysed(transcript, &analysis, &turns)
            .await
            .unwrap();
        scope
            .calls()
            .update(&actor(), call, Some("asked for Xanadu"), None)
            .await
            .unwrap();

        assert_eq!(
            find(&scope, "timbuktu", Some(Where::Summary)).await[0].places[0].part,
            Where::Summary
        );
        assert_eq!(find(&scope, "zanzi", None).await[0].places[0].place.at_ms, Some(1500));
        assert_eq!(find(&scope, "xanadu", Some(Where::Notes)).await.len(), 1);
        assert!(find(&scope, "xanadu", Some(Where::Said)).await.is_empty());
        assert!(find(&scope, "timbuktu", Some(Where::Notes)).await.is_empty());
        assert_eq!(find(&scope, "back", Some(Where::Said)).await.len(), 1);

        scope.recordings().erase(&actor(), recording).await.unwrap();
        assert!(find(&scope, "timbuktu", None).await.is_empty() && find(&scope, "back", None).await.is_empty());
        assert_eq!(find(&scope, "xanadu", None).await.len(), 1);
        scope.calls().remove(&actor(), call).await.unwrap();
        assert!(find(&scope, "xanadu", None).await.is_empty());
        if bench.config.url.starts_with("sqlite:") {
            bench.store.close().await;
            let file = std::fs::read(bench.folder.path().join("strowger.db")).unwrap();
            for word in [&b"timbuktu"[..], b"xanadu", b"anadu"] {
                assert!(!file.windows(word.len()).any(|part| part == word));
            }
        }
    });
}

#[test]
fn pages_go_from_the_newest_call_to_the_oldest_and_a_person_finds_their_own() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let own = bench.user(&scope, "ada", "101").await.id;
        for n in 0..5 {
            let text = format!("number {n} common");
            said(&bench, &scope, (n == 3).then_some(own), &[turn("Ada", 0, &text)]).await;
        }
        let question = Question::read("common");
        let (mut seen, mut page) = (Vec::new(), Page::first(2));
        loop {
            let part = scope
                .documents()
                .find(&question, Narrowed::default(), &page)
                .await
                .unwrap();
            seen.extend(part.items.iter().map(|hit| hit.call.started_at));
            match part.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
        let narrowed = Narrowed {
            to: None,
            user: Some(own),
        };
        let mine = scope
            .documents()
            .find(&question, narrowed, &Page::first(10))
            .await
            .unwrap();
        assert_eq!(mine.items.len(), 1);
        assert_eq!(mine.items[0].call.user, Some(own));
    });
}

/// The numbers of the calls that answer, page by page, two at a time.
async fn pages(scope: &Scope, question: &str, narrowed: Narrowed) -> Vec<usize> {
    let question = Question::read(question);
    let (mut seen, mut page) = (Vec::new(), Page::first(2));
    loop {
        let part = scope.documents().find(&question, narrowed, &page).await.unwrap();
        for hit in &part.items {
            let text: String = hit.places[0].place.pieces.iter().map(|one| one.text.as_str()).collect();
            assert!(hit.places[0].place.pieces.iter().any(|one| one.found), "{text}");
            let number = text.split(' ').nth(1).unwrap().parse();
            seen.push(number.unwrap());
        }
        assert!(part.next.is_none() || part.items.len() == 2);
        match part.next {
            Some(next) => page.after = Some(next),
            None => return seen,
        }
    }
}

#[test]
fn words_that_all_say_lead_from_the_newest_on_to_ones_own_calls_only() {
    on_each_engine(|bench| async move {
        let (acme, zenith, empty) = (
            bench.tenant("acme").await,
            bench.tenant("zenith").await,
            bench.tenant("empty").await,
        );
        let ada = bench.user(&acme, "ada", "101").await.id;
        let bob = bench.user(&acme, "bob", "102").await.id;
        for n in 0..12 {
            let scope = if n % 3 == 2 { &zenith } else { &acme };
            let user = (n % 4 == 1 && n % 3 != 2).then_some(ada);
            let ending = if n % 2 == 0 { "delivery" } else { "deliveries" };
            let text = format!("number {n} common {ending}");
            said(&bench, scope, user, &[turn("Ada", 0, &text)]).await;
        }
        let of = |user| Narrowed { to: None, user };
        for question in ["common deliver", "common", "deliver", "\"common delivery\" number"] {
            let is_meant = |n: &usize| !question.contains("delivery") || n.is_multiple_of(2);
            let expected =
                |whose: fn(&usize) -> bool| -> Vec<usize> { (0..12).rev().filter(whose).filter(is_meant).collect() };
            assert_eq!(
                pages(&acme, question, of(None)).await,
                expected(|n| n % 3 != 2),
                "{question}"
            );
            assert_eq!(
                pages(&zenith, question, of(None)).await,
                expected(|n| n % 3 == 2),
                "{question}"
            );
            let hers = expected(|n| n % 4 == 1 && n % 3 != 2);
            assert_eq!(pages(&acme, question, of(Some(ada))).await, hers, "{question}");
            for (scope, user) in [(&acme, Some(bob)), (&zenith, Some(ada)), (&empty, None)] {
                assert!(pages(scope, question, of(user)).await.is_empty(), "{question}");
            }
        }
        let said = Narrowed {
            to: Some(Where::Said),
            user: Some(ada),
        };
        assert_eq!(pages(&acme, "common deliver", said).await, [9, 1]);
        let notes = Narrowed {
            to: Some(Where::Notes),
            ..said
        };
        assert!(pages(&acme, "common deliver", notes).await.is_empty());
    });
}
