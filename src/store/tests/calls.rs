use super::harness::{Bench, START_MS, actor, on_each_engine};
use crate::{
    Afterwards, CallFilter, Error, FinishedCall, NewRecording, NewVoicemail, Page, RecordingResult, Scope,
    TranscriptResult, VoicemailFilter,
};
use strowger_model::record::{Call, CallEvent, Leg};
use strowger_model::{
    CallId, CallState, CallType, CaptureId, Direction, HangupCause, LegId, RecordingId, VoicemailId, World as _,
};
use time::{Duration, OffsetDateTime};

pub(super) fn call(bench: &Bench, scope: &Scope, from: &str) -> Call {
    Call {
        id: CallId::generate(bench.world.as_ref()),
        tenant: scope.tenant(),
        user: None,
        direction: Direction::Inbound,
        call_type: CallType::CustomerInbound,
        state: CallState::Initiated,
        from_number: from.to_owned(),
        from_name: Some("Ada".to_owned()),
        to_number: "+4930123".to_owned(),
        started_at: bench.world.now(),
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        cause: None,
        flow_version: None,
        notes: String::new(),
        metadata: r#"{"order": [1, 2.50, null], "a": 1e3}"#.parse().unwrap(),
        transcribe: false,
        cost_micros: 0,
        currency: "EUR".to_owned(),
        tags: vec![],
    }
}

fn leg(bench: &Bench, call: &Call) -> Leg {
    Leg {
        id: LegId::generate(bench.world.as_ref()),
        call: call.id,
        side: "caller".into(),
        party: "Ada".into(),
        device: None,
        trunk: None,
        user: None,
        browser: false,
        sip_call_id: "x@y".into(),
        codec: None,
        started_at: call.started_at,
        answered_at: None,
        ended_at: None,
        cause: None,
        quality: None,
    }
}

pub(super) fn finished(bench: &Bench, begun: &Call, state: CallState) -> FinishedCall {
    let now = bench.world.now();
    let answered = state == CallState::Completed;
    FinishedCall {
        call: Call {
            state,
            answered_at: answered.then_some(begun.started_at),
            ended_at: Some(now),
            duration_ms: if answered { 5000 } else { 0 },
            cause: Some(HangupCause::Normal),
            ..begun.clone()
        },
        legs: vec![],
        recordings: vec![],
        voicemail: None,
    }
}

pub(super) fn recording(bench: &Bench) -> NewRecording {
    NewRecording {
        id: RecordingId::generate(bench.world.as_ref()),
        capture: CaptureId::generate(bench.world.as_ref()),
        name: "Call".into(),
        recorded_by: "settings".into(),
        problem: None,
        created_at: bench.world.now(),
    }
}

pub(super) async fn processed(scope: &Scope) -> RecordingResult {
    RecordingResult {
        format: "ogg/opus".into(),
        sample_rate_hz: 16_000,
        duration_ms: 5000,
        size_bytes: 3,
        sha256: "aa".into(),
        blob: scope.blobs().put(b"ogg").await.unwrap(),
        peaks: vec![vec![1, 2], vec![3]],
    }
}

#[test]
fn a_call_lives_from_begin_to_finish_and_replays_change_nothing() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = call(&bench, &scope, "+491701");
        let mut first = leg(&bench, &begun);
        for _ in 0..2 {
            scope.calls().begin(&begun, &[first.clone()]).await.unwrap();
        }
        let event = CallEvent {
            at: begun.started_at,
            kind: "invite".into(),
            leg: Some(first.id),
            detail: "from +491701".into(),
        };
        for _ in 0..2 {
            scope
                .calls()
                .events(begun.id, 0, std::slice::from_ref(&event))
                .await
                .unwrap();
        }
        let at = Some(bench.world.now());
        scope
            .calls()
            .progress(begun.id, CallState::Active, at, None)
            .await
            .unwrap();
        assert_eq!(bench.store.unfinished_calls().await.unwrap().len(), 1);
        bench.world.advance(5000);
        first.codec = Some("pcma".into());
        let mut end = finished(&bench, &begun, CallState::Completed);
        end.legs.push(first.clone());
        end.recordings.push(recording(&bench));
        for _ in 0..2 {
            scope.calls().finish(&end).await.unwrap();
        }
        let late = Some(bench.world.now());
        scope
            .calls()
            .progress(begun.id, CallState::Ringing, late, None)
            .await
            .unwrap();
        let detail = scope.calls().detail(begun.id).await.unwrap().unwrap();
        assert_eq!(detail.call, end.call);
        assert_eq!(detail.legs, [first]);
        assert_eq!(detail.events, [event]);
        assert_eq!(detail.recordings[0].state, "captured");
        assert!(bench.store.unfinished_calls().await.unwrap().is_empty());
        let all = crate::queue::JobFilter::default();
        let jobs = scope.jobs().list(&all, &Page::default()).await.unwrap();
        assert_eq!(jobs.items.len(), 1);
    });
}

#[test]
fn a_missed_call_leaves_a_notice_and_another_tenant_sees_nothing() {
    on_each_engine(|bench| async move {
        let (ours, theirs) = (bench.tenant("ours").await, bench.tenant("theirs").await);
        let begun = call(&bench, &ours, "+491701");
        ours.calls().begin(&begun, &[]).await.unwrap();
        ours.calls()
            .finish(&finished(&bench, &begun, CallState::Missed))
            .await
            .unwrap();
        assert_eq!(ours.notices().list(&Page::default()).await.unwrap().items.len(), 1);
        assert!(theirs.calls().detail(begun.id).await.unwrap().is_none());
        assert!(!theirs.calls().remove(&actor(), begun.id).await.unwrap());
        assert!(
            !theirs
                .calls()
                .update(&actor(), begun.id, Some("x"), None)
                .await
                .unwrap()
        );
        theirs.calls().add_tag(&actor(), begun.id, "x").await.unwrap();
        assert!(ours.calls().get(begun.id).await.unwrap().unwrap().tags.is_empty());
        assert!(theirs.notices().list(&Page::default()).await.unwrap().items.is_empty());
    });
}

#[test]
fn the_log_filters_pages_and_counts() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        for n in 0..25 {
            let mut begun = call(&bench, &scope, if n % 5 == 0 { "+49170" } else { "+49180" });
            if n % 2 == 0 {
                begun.direction = Direction::Outbound;
            }
            if n == 3 {
                begun.tags = vec!["vip".into(), "angry".into()];
                begun.notes = "wants a 100% Refund".into();
            }
            let state = if n % 3 == 0 {
                CallState::Completed
            } else {
                CallState::Missed
            };
            scope.calls().begin(&begun, &[]).await.unwrap();
            scope.calls().finish(&finished(&bench, &begun, state)).await.unwrap();
            // Two calls a millisecond: the page key must tell them apart.
            bench.world.advance(n % 2);
        }
        let all = CallFilter::default();
        let mut seen = vec![];
        let mut page = Page::first(7);
        loop {
            let part = scope.calls().log(&all, &page).await.unwrap();
            seen.extend(part.items);
            match part.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen.len(), 25);
        assert!(seen.is_sorted_by(|a, b| (a.started_at, a.id) > (b.started_at, b.id)));
        let find = |filter: CallFilter| {
            let scope = scope.clone();
            async move { scope.calls().log(&filter, &Page::first(100)).await.unwrap().items }
        };
        let number = CallFilter {
            number: Some("0049 170".into()),
            ..all.clone()
        };
        assert_eq!(find(number).await.len(), 5);
        let both = CallFilter {
            direction: Some(Direction::Outbound),
            states: vec![CallState::Completed],
            ..all.clone()
        };
        assert_eq!(find(both).await.len(), 5);
        let tagged = find(CallFilter {
            tag: Some("vip".into()),
            ..all.clone()
        })
        .await;
        assert_eq!(tagged[0].tags, ["angry", "vip"]);
        for text in ["100% refund", "ANGRY", "49"] {
            assert!(
                !find(CallFilter {
                    search: Some(text.into()),
                    ..all.clone()
                })
                .await
                .is_empty(),
                "{text}"
            );
        }
        assert!(
            find(CallFilter {
                search: Some("100_".into()),
                ..all.clone()
            })
            .await
            .is_empty()
        );
        let start = OffsetDateTime::from_unix_timestamp_nanos(i128::from(START_MS) * 1_000_000).unwrap();
        let later = CallFilter {
            from: Some(start + Duration::milliseconds(6)),
            ..all.clone()
        };
        let before = CallFilter {
            until: Some(start + Duration::milliseconds(6)),
            ..all.clone()
        };
        assert_eq!(find(later).await.len() + find(before).await.len(), 25);
        let stats = scope.calls().stats(&all).await.unwrap();
        assert_eq!(
            (stats.total, stats.inbound, stats.outbound, stats.answered),
            (25, 12, 13, 9)
        );
        assert_eq!((stats.total_duration_ms, stats.average_duration_ms), (45_000, 5000));
        assert_eq!(scope.calls().count(&all).await.unwrap(), 25);
    });
}

#[test]
fn a_message_goes_from_capture_to_transcript_and_is_told_once() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let user = bench.user(&scope, "bob", "101").await;
        let begun = call(&bench, &scope, "+491701");
        scope.calls().begin(&begun, &[]).await.unwrap();
        let mut end = finished(&bench, &begun, CallState::Completed);
        let audio = recording(&bench);
        end.voicemail = Some(NewVoicemail {
            id: VoicemailId::generate(bench.world.as_ref()),
            user: user.id,
            recording: audio.id,
            duration_ms: 0,
        });
        end.recordings.push(audio.clone());
        scope.calls().finish(&end).await.unwrap();
        assert_eq!(
            scope.recordings().afterwards(audio.id).await.unwrap(),
            Afterwards::Transcribe
        );
        let result = processed(&scope).await;
        assert!(
            scope
                .recordings()
                .ready(audio.id, &result, Afterwards::Transcribe)
                .await
                .unwrap()
        );
        assert!(
            !scope
                .recordings()
                .ready(audio.id, &result, Afterwards::Transcribe)
                .await
                .unwrap()
        );
        let transcript = scope.transcripts().of_recording(audio.id).await.unwrap().unwrap();
        assert_eq!(
            (transcript.source.code(), transcript.state.as_str()),
            ("voicemail", "queued")
        );
        let again = scope.transcripts().request(&actor(), audio.id).await.unwrap();
        assert_eq!(again, Some(transcript.id));
        let text = TranscriptResult {
            text: "Please call back about the Invoice".into(),
            language: Some("en".into()),
            confidence: 0.9,
            provider: "local-whisper".into(),
            model: "tiny".into(),
            cpu_seconds: 1.5,
            cost_micros: 0,
            audio_ms: 5000,
            segments: vec![],
        };
        scope.transcripts().ready(transcript.id, &text).await.unwrap();
        scope.transcripts().ready(transcript.id, &text).await.unwrap();
        let search = crate::TranscriptFilter {
            search: Some("invoice".into()),
            ..Default::default()
        };
        assert_eq!(
            scope
                .transcripts()
                .list(&search, &Page::default())
                .await
                .unwrap()
                .items
                .len(),
            1
        );
        let kinds: Vec<String> = scope
            .jobs()
            .list(&crate::queue::JobFilter::default(), &Page::default())
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|job| job.kind)
            .collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "analyse").count(), 1);
        assert_eq!(kinds.iter().filter(|kind| *kind == "transcribe").count(), 1);
        let messages = scope.voicemails();
        let all = VoicemailFilter::default();
        let found = messages.list(&all, &Page::default()).await.unwrap().items;
        assert_eq!((found.len(), found[0].duration_ms), (1, 5000));
        assert_eq!(messages.unread(user.id).await.unwrap(), 1);
        assert!(messages.mark_read(&actor(), found[0].id).await.unwrap());
        assert!(messages.remove(&actor(), found[0].id).await.unwrap());
        assert!(messages.list(&all, &Page::default()).await.unwrap().items.is_empty());
        assert!(messages.restore(&actor(), found[0].id).await.unwrap());
        let read = VoicemailFilter {
            is_read: Some(true),
            ..Default::default()
        };
        assert_eq!(messages.list(&read, &Page::default()).await.unwrap().items.len(), 1);
    });
}

#[test]
fn removing_a_call_destroys_its_audio_unless_held() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = call(&bench, &scope, "+491701");
        let mut end = finished(&bench, &begun, CallState::Completed);
        let audio = recording(&bench);
        end.recordings.push(audio.clone());
        scope.calls().finish(&end).await.unwrap();
        let result = processed(&scope).await;
        scope
            .recordings()
            .ready(audio.id, &result, Afterwards::Nothing)
            .await
            .unwrap();
        assert!(scope.recordings().hold(&actor(), audio.id).await.unwrap());
        let kept = scope.calls().remove(&actor(), begun.id).await;
        assert!(matches!(kept, Err(Error::State { .. })));
        assert_eq!(scope.blobs().get(&result.blob).await.unwrap(), b"ogg");
        scope.recordings().release(&actor(), audio.id).await.unwrap();
        assert!(scope.calls().remove(&actor(), begun.id).await.unwrap());
        assert!(scope.blobs().get(&result.blob).await.is_err());
        assert!(scope.recordings().get(audio.id).await.unwrap().is_none());
        assert!(scope.calls().detail(begun.id).await.unwrap().is_none());
    });
}

/// What the cascade says, in three lines: a hard lock, then the nearest tier that says anything.
fn cascade(platform: bool, is_locked: bool, tenant: Option<bool>, user: Option<bool>) -> bool {
    if is_locked {
        platform
    } else {
        user.or(tenant).unwrap_or(platform)
    }
}

#[test]
fn transcripts_are_made_as_the_cascade_and_the_call_say() {
    use strowger_model::settings::{Entry, Lock};
    let says = |value: bool, lock| Entry {
        value: Some(value.to_string()),
        lock,
    };
    on_each_engine(|bench| async move {
        let mut case = 0;
        for (platform, is_locked) in [(false, false), (true, false), (false, true), (true, true)] {
            for tenant in [None, Some(false), Some(true)] {
                for user in [None, Some(false), Some(true)] {
                    for (kind, wish) in [("calls", false), ("calls", true), ("voicemails", false)] {
                        case += 1;
                        let name = format!("auto_transcribe_{kind}");
                        let settings = bench.store.platform_settings();
                        settings
                            .set(&actor(), &name, &says(platform, Lock::Unlocked))
                            .await
                            .unwrap();
                        let scope = bench.tenant(&format!("t{case}")).await;
                        let person = bench.user(&scope, &format!("bob{case}"), "101").await;
                        if let Some(value) = tenant {
                            let entry = says(value, Lock::Unlocked);
                            scope.settings().set(&actor(), &name, &entry).await.unwrap();
                        }
                        let own = user.map(|value| value.to_string());
                        scope.settings().set_for(&actor(), person.id, &name, own).await.unwrap();
                        let lock = if is_locked { Lock::Hard } else { Lock::Unlocked };
                        settings.set(&actor(), &name, &says(platform, lock)).await.unwrap();

                        let mut begun = call(&bench, &scope, "+491701");
                        begun.user = Some(person.id);
                        begun.transcribe = wish;
                        let mut end = finished(&bench, &begun, CallState::Completed);
                        let audio = recording(&bench);
                        end.voicemail = (kind == "voicemails").then(|| NewVoicemail {
                            id: VoicemailId::generate(bench.world.as_ref()),
                            user: person.id,
                            recording: audio.id,
                            duration_ms: 0,
                        });
                        end.recordings.push(audio.clone());
                        scope.calls().finish(&end).await.unwrap();
                        let then = scope.recordings().afterwards(audio.id).await.unwrap();
                        let is_wanted = wish || cascade(platform, is_locked, tenant, user);
                        let what = format!("{kind} {platform} {is_locked} {tenant:?} {user:?} {wish}");
                        assert_eq!(then == Afterwards::Transcribe, is_wanted, "{what}");
                        let off = says(false, Lock::Unlocked);
                        scope
                            .settings()
                            .set(&actor(), "enable_ai_transcription", &off)
                            .await
                            .unwrap();
                        let then = scope.recordings().afterwards(audio.id).await.unwrap();
                        assert_eq!(then, Afterwards::Nothing, "{what}, switched off");
                        settings
                            .set(&actor(), &name, &says(platform, Lock::Unlocked))
                            .await
                            .unwrap();
                    }
                }
            }
        }
        assert_eq!(case, 108);
    });
}
