use super::harness::{Bench, actor, on_each_engine};
use crate::queue::JobFilter;
use crate::{Afterwards, FinishedCall, MinutesFilter, NewRecording, Page, RecordingResult, Scope, TrackResult};
use strowger_model::minutes::{ChatLine, Egress, Member, Minutes};
use strowger_model::{CallId, CallState, CallType, CaptureId, HangupCause, LegId, RecordingId, World as _};

fn meeting(bench: &Bench, scope: &Scope, room: &str) -> Minutes {
    let call = CallId::generate(bench.world.as_ref());
    Minutes {
        call,
        tenant: scope.tenant(),
        sid: format!("RM_{call}"),
        room: room.to_owned(),
        title: String::new(),
        host: None,
        peak: 0,
        started_at: bench.world.now(),
        ended_at: None,
    }
}

fn member(bench: &Bench, meeting: &Minutes, identity: &str) -> Member {
    Member {
        id: LegId::generate(bench.world.as_ref()),
        call: meeting.call,
        sid: format!("PA_{identity}"),
        identity: identity.to_owned(),
        name: identity.to_uppercase(),
        kind: "standard".to_owned(),
        role: "participant".to_owned(),
        joined_at: bench.world.now(),
        left_at: None,
        reason: None,
        is_muted: false,
        has_video: false,
        is_sharing: false,
    }
}

fn line(bench: &Bench, id: &str, text: &str) -> ChatLine {
    ChatLine {
        id: id.to_owned(),
        identity: "ada".to_owned(),
        name: "ADA".to_owned(),
        text: text.to_owned(),
        sent_at: bench.world.now(),
    }
}

fn recording(bench: &Bench) -> NewRecording {
    NewRecording {
        id: RecordingId::generate(bench.world.as_ref()),
        capture: CaptureId::generate(bench.world.as_ref()),
        name: "Meeting".to_owned(),
        recorded_by: "host".to_owned(),
        problem: None,
        created_at: bench.world.now(),
    }
}

async fn track(scope: &Scope, name: &str) -> TrackResult {
    TrackResult {
        identity: name.to_owned(),
        name: name.to_uppercase(),
        blob: scope.blobs().put(name.as_bytes()).await.unwrap(),
        duration_ms: 1000,
        size_bytes: 3,
        sha256: "bb".to_owned(),
        peaks: vec![1, 2, 3],
    }
}

async fn whole(scope: &Scope) -> RecordingResult {
    RecordingResult {
        format: "ogg/opus".to_owned(),
        sample_rate_hz: 16_000,
        duration_ms: 1000,
        size_bytes: 3,
        sha256: "aa".to_owned(),
        blob: scope.blobs().put(b"mix").await.unwrap(),
        peaks: vec![vec![1]],
    }
}

#[test]
fn a_meeting_is_written_from_begin_to_end_and_replays_change_nothing() {
    on_each_engine(|bench| async move {
        let (ours, theirs) = (bench.tenant("ours").await, bench.tenant("theirs").await);
        let mut begun = meeting(&bench, &ours, "standup");
        let mut ada = member(&bench, &begun, "ada");
        bench.world.advance(1);
        let bob = member(&bench, &begun, "bob");
        for _ in 0..2 {
            ours.minutes().begin(&begun).await.unwrap();
            ours.minutes().member(&ada).await.unwrap();
            ours.minutes().member(&bob).await.unwrap();
            ours.minutes()
                .wrote(begun.call, &line(&bench, "1", "50% done"))
                .await
                .unwrap();
        }
        (begun.host, begun.peak) = (Some("ADA".to_owned()), 2);
        ours.minutes().progress(&begun).await.unwrap();
        bench.world.advance(7000);
        ada.left_at = Some(bench.world.now());
        ada.reason = Some("client_initiated".to_owned());
        ada.has_video = true;
        ours.minutes().member(&ada).await.unwrap();
        bench.world.advance(1000);
        let end = bench.world.now();
        for _ in 0..2 {
            ours.minutes().finish(begun.call, end).await.unwrap();
            bench.world.advance(1000);
        }
        let detail = ours.minutes().detail(begun.call).await.unwrap().unwrap();
        assert_eq!(detail.meeting.ended_at, Some(end));
        assert_eq!((detail.meeting.peak, detail.meeting.host.as_deref()), (2, Some("ADA")));
        assert_eq!(detail.members[0], ada);
        assert_eq!(detail.members[1].left_at, Some(end));
        assert_eq!(detail.members[1].reason.as_deref(), Some("room_ended"));
        assert_eq!(detail.chat.len(), 1);
        let call = ours.calls().get(begun.call).await.unwrap().unwrap();
        assert_eq!((call.call_type, call.state), (CallType::Meeting, CallState::Completed));
        assert_eq!(call.duration_ms, 8001);
        assert!(theirs.minutes().detail(begun.call).await.unwrap().is_none());
        assert!(
            theirs
                .minutes()
                .list(&MinutesFilter::default(), &Page::default())
                .await
                .unwrap()
                .items
                .is_empty()
        );
    });
}

#[test]
fn the_history_is_found_by_room_person_and_words() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        for (room, who, text) in [("standup", "ada", "ship 50% now"), ("retro", "bob", "went well")] {
            let begun = meeting(&bench, &scope, room);
            scope.minutes().begin(&begun).await.unwrap();
            scope.minutes().member(&member(&bench, &begun, who)).await.unwrap();
            scope
                .minutes()
                .wrote(begun.call, &line(&bench, "x", text))
                .await
                .unwrap();
            bench.world.advance(10);
        }
        let found = |filter: MinutesFilter| {
            let scope = scope.clone();
            async move {
                let page = scope.minutes().list(&filter, &Page::default()).await.unwrap();
                page.items.into_iter().map(|found| found.room).collect::<Vec<_>>()
            }
        };
        assert_eq!(found(MinutesFilter::default()).await, ["retro", "standup"]);
        let by = |room: Option<&str>, identity: Option<&str>, search: Option<&str>| MinutesFilter {
            room: room.map(str::to_owned),
            identity: identity.map(str::to_owned),
            search: search.map(str::to_owned),
            ..MinutesFilter::default()
        };
        assert_eq!(found(by(Some("retro"), None, None)).await, ["retro"]);
        assert_eq!(found(by(None, Some("ada"), None)).await, ["standup"]);
        assert_eq!(found(by(None, None, Some("50%"))).await, ["standup"]);
        assert_eq!(found(by(None, None, Some("BOB"))).await, ["retro"]);
        assert!(found(by(None, None, Some("5%0"))).await.is_empty());
        let late = MinutesFilter {
            from: Some(bench.world.now()),
            ..MinutesFilter::default()
        };
        assert!(found(late).await.is_empty());
    });
}

#[test]
fn a_recording_stands_before_its_sound_and_is_worked_on_once() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = meeting(&bench, &scope, "standup");
        let new = recording(&bench);
        scope.minutes().begin(&begun).await.unwrap();
        scope.minutes().recording_begins(begun.call, &new).await.unwrap();
        let row = scope.recordings().get(new.id).await.unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.capture), ("recording", Some(new.capture)));
        // What a crash left is asked for by the same function as a call's.
        scope.calls().add_recording(begun.call, &new).await.unwrap();
        for _ in 0..2 {
            scope.minutes().recording_ends(new.id).await.unwrap();
        }
        let jobs = scope
            .jobs()
            .list(&JobFilter::default(), &Page::default())
            .await
            .unwrap();
        assert_eq!(jobs.items.len(), 1);
        assert_eq!(
            scope.recordings().afterwards(new.id).await.unwrap(),
            Afterwards::Transcribe
        );
        let tracks = [track(&scope, "ada").await, track(&scope, "bob").await];
        let made = whole(&scope).await;
        assert!(
            scope
                .recordings()
                .ready_with_tracks(new.id, &made, &tracks, Afterwards::Nothing)
                .await
                .unwrap()
        );
        let kept = scope.minutes().tracks(new.id).await.unwrap();
        assert_eq!(
            kept.iter().map(|track| track.name.as_str()).collect::<Vec<_>>(),
            ["ADA", "BOB"]
        );
        bench.world.advance(2 * 24 * 3_600_000);
        bench.store.sweep_blobs().await.unwrap();
        assert_eq!(scope.blobs().get(&kept[1].blob).await.unwrap(), b"bob");
        scope.recordings().erase(&actor(), new.id).await.unwrap();
        for blob in [&kept[0].blob, &kept[1].blob, &made.blob] {
            assert!(scope.blobs().get(blob).await.is_err());
        }
        assert!(scope.minutes().tracks(new.id).await.unwrap().is_empty());
    });
}

#[test]
fn removing_the_call_of_a_meeting_leaves_nothing_of_it() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = meeting(&bench, &scope, "standup");
        let new = recording(&bench);
        scope.minutes().begin(&begun).await.unwrap();
        scope.minutes().member(&member(&bench, &begun, "ada")).await.unwrap();
        scope
            .minutes()
            .wrote(begun.call, &line(&bench, "1", "hello"))
            .await
            .unwrap();
        scope.minutes().recording_begins(begun.call, &new).await.unwrap();
        scope.minutes().recording_ends(new.id).await.unwrap();
        let tracks = [track(&scope, "ada").await];
        scope
            .recordings()
            .ready_with_tracks(new.id, &whole(&scope).await, &tracks, Afterwards::Nothing)
            .await
            .unwrap();
        scope.minutes().finish(begun.call, bench.world.now()).await.unwrap();
        assert!(scope.calls().remove(&actor(), begun.call).await.unwrap());
        assert!(scope.minutes().detail(begun.call).await.unwrap().is_none());
        assert!(scope.blobs().get(&tracks[0].blob).await.is_err());
    });
}

#[test]
fn a_crash_leaves_no_meeting_open() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = meeting(&bench, &scope, "standup");
        scope.minutes().begin(&begun).await.unwrap();
        scope.minutes().member(&member(&bench, &begun, "ada")).await.unwrap();
        bench.world.advance(5000);
        let (lost, kept) = (recording(&bench), recording(&bench));
        for new in [&lost, &kept] {
            scope.minutes().recording_begins(begun.call, new).await.unwrap();
        }
        bench.store.abandon_recordings(&[kept.id]).await.unwrap();
        let state = async |id| scope.recordings().get(id).await.unwrap().unwrap().state;
        assert_eq!(
            (state(lost.id).await, state(kept.id).await),
            ("failed".into(), "recording".into())
        );
        let mut left = bench.store.unfinished_calls().await.unwrap();
        assert_eq!(left.len(), 1);
        let call = strowger_model::record::Call {
            state: CallState::Failed,
            ended_at: Some(bench.world.now()),
            cause: Some(HangupCause::DaemonRestart),
            ..left.remove(0)
        };
        let finished = FinishedCall {
            call,
            legs: Vec::new(),
            recordings: Vec::new(),
            voicemail: None,
        };
        scope.calls().finish(&finished).await.unwrap();
        let detail = scope.minutes().detail(begun.call).await.unwrap().unwrap();
        assert_eq!(detail.meeting.ended_at, Some(bench.world.now()));
        assert_eq!(detail.members[0].reason.as_deref(), Some("daemon_restart"));
    });
}

#[test]
fn an_egress_is_told_once_when_its_recording_is_made() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = meeting(&bench, &scope, "standup");
        let new = recording(&bench);
        scope.minutes().begin(&begun).await.unwrap();
        scope.minutes().recording_begins(begun.call, &new).await.unwrap();
        let egress = Egress {
            id: "EG_1".to_owned(),
            call: begun.call,
            recording: new.id,
            request: serde_json::json!({"audio_only": true}),
            started_at: bench.world.now(),
            stopped_at: None,
            told_at: None,
        };
        scope.minutes().egress_begins(&egress).await.unwrap();
        assert_eq!(bench.store.untold_egresses().await.unwrap()[0].1.state, "recording");
        scope.minutes().recording_ends(new.id).await.unwrap();
        let made = whole(&scope).await;
        scope
            .recordings()
            .ready(new.id, &made, Afterwards::Nothing)
            .await
            .unwrap();
        let untold = bench.store.untold_egresses().await.unwrap();
        assert_eq!(untold[0].0.stopped_at, Some(bench.world.now()));
        assert_eq!(untold[0].1.state, "ready");
        assert!(scope.minutes().egress_told("EG_1").await.unwrap());
        assert!(!scope.minutes().egress_told("EG_1").await.unwrap());
        assert!(bench.store.untold_egresses().await.unwrap().is_empty());
        let found = scope.minutes().egresses(Some("EG_1"), None, 10).await.unwrap();
        assert_eq!(found.len(), 1);
    });
}
