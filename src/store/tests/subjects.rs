use super::calls::{call, finished, processed, recording};
use super::harness::{Bench, actor, on_each_engine};
use crate::{Afterwards, Error, NewNumber, NewVoicemail, Page, Scope, TranscriptResult, Verdict};
use std::path::Path;
use strowger_model::job::NoticeKind;
use strowger_model::record::{CallEvent, Consent, Leg};
use strowger_model::speech::Segment;
use strowger_model::subject::Subject;
use strowger_model::{CallId, CallState, ConsentOutcome, LegId, RecordingId, VoicemailId, World as _};

const NUMBER: &str = "+4912345678";

/// A call of somebody, with everything a call can have.
async fn lived(bench: &Bench, scope: &Scope, from: &str, said: &str) -> (CallId, RecordingId) {
    let begun = call(bench, scope, from);
    let leg = Leg {
        id: LegId::generate(bench.world.as_ref()),
        call: begun.id,
        side: "caller".into(),
        party: from.to_owned(),
        device: None,
        trunk: None,
        user: None,
        browser: false,
        sip_call_id: format!("{from}@trunk"),
        codec: None,
        started_at: begun.started_at,
        answered_at: None,
        ended_at: None,
        cause: None,
        quality: None,
    };
    let calls = scope.calls();
    calls.begin(&begun, std::slice::from_ref(&leg)).await.unwrap();
    let consent = Consent {
        at: bench.world.now(),
        leg: Some(leg.id),
        party: from.to_owned(),
        outcome: ConsentOutcome::Agreed,
        digit: Some('1'),
        text: "May we?".into(),
    };
    scope.consents().write(begun.id, 0, &[consent]).await.unwrap();
    let mut end = finished(bench, &begun, CallState::Completed);
    let new = recording(bench);
    let user = bench
        .user(scope, &format!("u{}", new.id.uuid().simple()), &new.id.to_string())
        .await;
    end.recordings.push(new.clone());
    end.voicemail = Some(NewVoicemail {
        id: VoicemailId::generate(bench.world.as_ref()),
        user: user.id,
        recording: new.id,
        duration_ms: 5,
    });
    calls.finish(&end).await.unwrap();
    let event = CallEvent {
        at: bench.world.now(),
        kind: "transfer".into(),
        leg: None,
        detail: format!("to {from}"),
    };
    calls.events(begun.id, 0, &[event]).await.unwrap();
    calls
        .update(&actor(), begun.id, Some(&format!("{from} rang again")), None)
        .await
        .unwrap();
    calls
        .set_tags(&actor(), begun.id, &[format!("lead {from}")])
        .await
        .unwrap();
    scope
        .notices()
        .write(Some(begun.id), NoticeKind::CallMissed, from)
        .await
        .unwrap();
    let result = processed(scope).await;
    scope
        .recordings()
        .ready(new.id, &result, Afterwards::Transcribe)
        .await
        .unwrap();
    let transcript = scope.transcripts().of_recording(new.id).await.unwrap().unwrap();
    let result = TranscriptResult {
        segments: vec![Segment {
            channel: 0,
            speaker: "Ada".into(),
            start_ms: 0,
            end_ms: 900,
            text: said.to_owned(),
            confidence: 0.9,
            sentiment: strowger_model::speech::Sentiment::Neutral,
            words: vec![],
        }],
        text: said.to_owned(),
        language: None,
        confidence: 0.9,
        provider: "local-whisper".into(),
        model: "tiny".into(),
        cpu_seconds: 0.1,
        cost_micros: 0,
        audio_ms: 900,
    };
    scope.transcripts().ready(transcript.id, &result).await.unwrap();
    (begun.id, new.id)
}

/// Every file below a folder that holds these bytes.
fn grep(folder: &Path, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(grep(&path, wanted));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_number_is_given_out_whole_and_erased_to_the_last_byte() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let subject = Subject::read("+49 1234 5678").unwrap();
        let (theirs, _) = lived(&bench, &scope, NUMBER, "My number is 0049 12345678, thank you").await;
        let (others, kept) = lived(&bench, &scope, "+4999999", "Please call 0049 1234 5678 back").await;
        let new = NewNumber {
            number: "+4930555000".to_owned(),
            friendly_name: format!("for {NUMBER}"),
            target: None,
            record: None,
        };
        scope.numbers().create(&actor(), new).await.unwrap();
        let found = scope.subjects().find(&subject).await.unwrap();
        assert_eq!((found.calls, found.recordings, found.messages), (1, 1, 1), "{found:?}");
        assert!(found.rows.len() >= 9, "nine tables at least: {found:?}");
        assert_eq!(found.settings.get("numbers"), Some(&1));

        let archive = scope.subjects().export(&actor(), &subject, NUMBER).await.unwrap();
        let bytes = archive.whole().await.unwrap();
        let has = |wanted: &str| bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes());
        for wanted in [
            "My number is 0049 12345678",
            "Please call 0049 1234 5678 back",
            "ogg",
            "rang again",
            &format!("calls/{theirs}.json"),
        ] {
            assert!(has(wanted), "{wanted}");
        }

        // Samples of values, by which the database chooses an index.
        bench.store.upkeep().await.unwrap();
        let filter = crate::CallFilter::default();
        let before = scope.calls().stats(&filter).await.unwrap();
        let proof = scope.subjects().erase(&actor(), &subject).await.unwrap();
        assert!(proof.after.is_empty(), "{proof:?}");
        assert_eq!(
            proof.after.settings.get("numbers"),
            Some(&1),
            "what calls go by is reported"
        );
        assert_eq!(scope.calls().stats(&filter).await.unwrap(), before, "figures count on");
        let detail = scope.calls().detail(theirs).await.unwrap().unwrap();
        assert_eq!(
            (detail.call.from_number.as_str(), detail.call.from_name),
            ("[erased]", None)
        );
        assert!(detail.transcripts.is_empty() && detail.voicemail.is_none());
        assert_eq!(detail.consents[0].party, "[erased]", "that somebody agreed stays");
        let detail = scope.calls().detail(others).await.unwrap().unwrap();
        assert_eq!(detail.transcripts[0].text, "Please call [erased] back");
        assert!(scope.recordings().get(kept).await.unwrap().unwrap().blob.is_some());
        assert!(matches!(scope.audit().verify().await.unwrap(), Verdict::Whole { .. }));
        let proofs = scope.subjects().erasures(&Page::first(9)).await.unwrap().items;
        assert_eq!(proofs, [proof]);

        let number = scope.numbers().list(&Page::first(9)).await.unwrap().items.remove(0);
        scope.numbers().remove(&actor(), number.id).await.unwrap();
        scope.subjects().erase(&actor(), &subject).await.unwrap();
        let hits: Vec<String> = ["12345678", "1234 5678"]
            .iter()
            .flat_map(|wanted| grep(bench.folder.path(), wanted))
            .collect();
        assert!(hits.is_empty(), "{hits:?}");
    });
}

#[test]
fn a_legal_hold_refuses_the_whole_of_it() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let subject = Subject::read(NUMBER).unwrap();
        let (theirs, recording) = lived(&bench, &scope, NUMBER, "hello").await;
        scope.recordings().hold(&actor(), recording).await.unwrap();
        let refused = scope.subjects().erase(&actor(), &subject).await.unwrap_err();
        let Error::State { state, .. } = &refused else {
            panic!("{refused:?}");
        };
        assert!(
            state.contains("legal hold") && state.contains(&theirs.to_string()),
            "{state}"
        );
        let detail = scope.calls().detail(theirs).await.unwrap().unwrap();
        assert_eq!(detail.call.from_number, NUMBER);
        assert_eq!(detail.transcripts[0].text, "hello");
        scope.recordings().release(&actor(), recording).await.unwrap();
        scope.subjects().erase(&actor(), &subject).await.unwrap();
    });
}

#[test]
fn words_that_somebody_else_takes_out_of_the_audit_log_are_seen() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        scope
            .audit()
            .write(&actor(), "call.tag", "x", &format!("lead {NUMBER}"))
            .await
            .unwrap();
        scope.audit().write(&actor(), "call.tag", "y", "other").await.unwrap();
        scope
            .subjects()
            .erase(&actor(), &Subject::read(NUMBER).unwrap())
            .await
            .unwrap();
        assert!(matches!(scope.audit().verify().await.unwrap(), Verdict::Whole { .. }));
        let mut tx = bench.store.write_all().await.unwrap();
        tx.run("update audit set redacted = 1, detail = '' where target = 'y'", vec![])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(scope.audit().verify().await.unwrap(), Verdict::BrokenAt(_)));
    });
}
