use super::calls::{call, finished};
use super::harness::{Bench, actor, on_each_engine};
use crate::uploads::{About, Appended, Begun, Upload, Wish};
use crate::{Page, Scope};
use strowger_model::job::JobState;
use strowger_model::record::Recording;
use strowger_model::settings::{Entry, Lock};
use strowger_model::{CallState, Direction, World as _};

fn about(bench: &Bench) -> About {
    About {
        name: "Old call".into(),
        from_number: "+4930111".into(),
        to_number: "+4930222".into(),
        direction: Direction::Outbound,
        started_at: bench.world.now() - time::Duration::days(3),
    }
}

async fn set(scope: &Scope, name: &str, value: &str) {
    let entry = Entry {
        value: Some(value.to_owned()),
        lock: Lock::Unlocked,
    };
    scope.settings().set(&actor(), name, &entry).await.unwrap();
}

async fn open(scope: &Scope, wish: Wish, length: u64) -> Upload {
    let begun = scope.uploads().begin(&actor(), wish, "old.wav", length).await.unwrap();
    let Begun::Open(upload) = begun else {
        panic!("{begun:?}")
    };
    upload
}

async fn recordings(scope: &Scope) -> Vec<Recording> {
    scope.recordings().list(&Page::default()).await.unwrap().items
}

#[test]
fn a_cut_upload_goes_on_where_it_stands_and_becomes_a_recording_once() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let uploads = scope.uploads();
        let file: Vec<u8> = (0..3000_u32).map(|n| (n % 251) as u8).collect();
        let upload = open(&scope, Wish::Import(about(&bench)), 3000).await;
        let kept = uploads.append(&actor(), upload.id, 0, &file[..1000]).await.unwrap();
        assert!(matches!(kept, Appended::Kept(ref now) if now.offset_bytes == 1000));

        // Sent again, sent too far on, or beyond the end: it says where it stands and keeps nothing.
        for (offset, piece) in [(0, &file[..1000]), (2000, &file[2000..]), (1000, &file[..2001])] {
            let said = uploads.append(&actor(), upload.id, offset, piece).await.unwrap();
            assert!(matches!(said, Appended::Misplaced(ref now) if now.offset_bytes == 1000));
        }
        assert!(recordings(&scope).await.is_empty());
        let other = bench.tenant("other").await;
        assert!(other.uploads().get(upload.id).await.unwrap().is_none());
        let foreign = other.uploads().append(&actor(), upload.id, 1000, b"x").await.unwrap();
        assert_eq!(foreign, Appended::Gone);

        let kept = uploads.append(&actor(), upload.id, 1000, &file[1000..]).await.unwrap();
        let Appended::Kept(whole) = kept else {
            panic!("{kept:?}")
        };
        assert_eq!(whole.state, "whole");
        let gone = uploads.append(&actor(), upload.id, 3000, b"x").await.unwrap();
        assert_eq!(gone, Appended::Gone);
        assert_eq!(uploads.whole(upload.id).await.unwrap().unwrap(), file);

        let made = recordings(&scope).await;
        assert_eq!(made.len(), 1);
        assert_eq!(
            (made[0].state.as_str(), made[0].recorded_by.as_str()),
            ("captured", "import")
        );
        assert_eq!(Some(made[0].id), whole.recording);
        let row = scope.calls().get(made[0].call).await.unwrap().unwrap();
        assert_eq!(
            (row.from_number.as_str(), row.direction),
            ("+4930111", Direction::Outbound)
        );
        assert_eq!(row.started_at, about(&bench).started_at);
        let jobs = scope
            .jobs()
            .list(&crate::queue::JobFilter::default(), &Page::default())
            .await
            .unwrap();
        assert_eq!(jobs.items.len(), 1);
        assert_eq!(
            (jobs.items[0].kind.as_str(), jobs.items[0].state),
            ("import_recording", JobState::Queued)
        );

        // The worker is done: the call has its length, and nothing of the upload is left.
        uploads.done(upload.id, 4_000).await.unwrap();
        let row = scope.calls().get(made[0].call).await.unwrap().unwrap();
        assert_eq!(row.duration_ms, 4_000);
        assert_eq!(row.ended_at, Some(row.started_at + time::Duration::seconds(4)));
        assert!(uploads.get(upload.id).await.unwrap().is_none());
        bench.world.advance(25 * 3_600_000);
        assert!(
            bench
                .store
                .keys_nothing_names(bench.world.now())
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn limits_hold_and_what_is_never_finished_goes() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let uploads = scope.uploads();
        set(&scope, "upload_limit_mb", "1").await;
        set(&scope, "upload_quota_mb", "1").await;
        let import = || Wish::Import(about(&bench));
        for length in [0, 1_000_001] {
            let said = uploads.begin(&actor(), import(), "", length).await.unwrap();
            assert_eq!(said, Begun::TooLarge(1_000_000));
        }
        let first = open(&scope, import(), 700_000).await;
        let said = uploads.begin(&actor(), import(), "", 300_001).await.unwrap();
        assert_eq!(said, Begun::Full(1_000_000));
        uploads.append(&actor(), first.id, 0, b"half").await.unwrap();
        assert!(uploads.remove(first.id).await.unwrap());
        let second = open(&scope, import(), 700_000).await;
        uploads.append(&actor(), second.id, 0, b"half").await.unwrap();
        assert_eq!(bench.store.sweep_uploads().await.unwrap(), 0);
        bench.world.advance(25 * 3_600_000);
        assert_eq!(bench.store.sweep_uploads().await.unwrap(), 1);
        assert!(
            bench
                .store
                .keys_nothing_names(bench.world.now())
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn a_client_adds_to_a_call_where_the_settings_allow_it_and_erasing_takes_the_upload_along() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = call(&bench, &scope, "+49170");
        scope
            .calls()
            .finish(&finished(&bench, &begun, CallState::Completed))
            .await
            .unwrap();
        let wish = || Wish::Client(begun.id);
        let said = scope.uploads().begin(&actor(), wish(), "", 4).await.unwrap();
        assert_eq!(said, Begun::Off);
        set(&scope, "client_recordings", "true").await;
        let stranger = Wish::Client(strowger_model::CallId::generate(bench.world.as_ref()));
        let said = scope.uploads().begin(&actor(), stranger, "", 4).await.unwrap();
        assert_eq!(said, Begun::NoCall);
        let upload = open(&scope, wish(), 4).await;
        scope.uploads().append(&actor(), upload.id, 0, b"webm").await.unwrap();
        let made = recordings(&scope).await;
        assert_eq!((made[0].call, made[0].recorded_by.as_str()), (begun.id, "client"));
        assert!(scope.recordings().erase(&actor(), made[0].id).await.unwrap());
        assert!(scope.uploads().get(upload.id).await.unwrap().is_none());
        assert!(
            bench
                .store
                .keys_nothing_names(bench.world.now() + time::Duration::days(1))
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(scope.calls().get(begun.id).await.unwrap().unwrap().duration_ms, 5000);
    });
}
