use super::calls::{call, finished, processed, recording};
use super::harness::{actor, on_each_engine};
use crate::{Afterwards, RetentionReport};
use strowger_model::World as _;
use strowger_model::retention::RetentionPolicy;

const DAY: i64 = 24 * 3_600_000;

#[test]
fn things_go_at_their_limit_holds_stay_and_the_dry_run_agrees() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let policy = RetentionPolicy {
            call_days: 90,
            recording_days: 30,
            voicemail_days: 30,
        };
        let mut audio = vec![];
        for _ in 0..3 {
            let begun = call(&bench, &scope, "+49170");
            let mut end = finished(&bench, &begun, strowger_model::CallState::Completed);
            let new = recording(&bench);
            end.recordings.push(new.clone());
            scope.calls().finish(&end).await.unwrap();
            let result = processed(&scope).await;
            scope
                .recordings()
                .ready(new.id, &result, Afterwards::Nothing)
                .await
                .unwrap();
            audio.push((new.id, result.blob));
        }
        scope.recordings().hold(&actor(), audio[0].0).await.unwrap();
        bench.world.advance(30 * DAY - 1);
        let now = bench.world.now();
        let retention = scope.retention();
        assert_eq!(
            retention.dry_run(&policy, now).await.unwrap(),
            RetentionReport::default()
        );
        bench.world.advance(1);
        let now = bench.world.now();
        let planned = retention.dry_run(&policy, now).await.unwrap();
        assert_eq!(
            (planned.recordings, planned.held, planned.bytes, planned.calls),
            (2, 1, 6, 0)
        );
        let mut done = RetentionReport::default();
        loop {
            let batch = retention.run_batch(&policy, now, 1).await.unwrap();
            done = done.plus(batch);
            if batch.is_empty() {
                break;
            }
        }
        assert_eq!((done.recordings, done.bytes), (2, 6));
        assert!(scope.blobs().get(&audio[0].1).await.is_ok());
        assert!(scope.blobs().get(&audio[1].1).await.is_err());
        bench.world.advance(60 * DAY);
        let now = bench.world.now();
        assert_eq!(retention.dry_run(&policy, now).await.unwrap().calls, 2);
        assert_eq!(retention.run_batch(&policy, now, 100).await.unwrap().calls, 2);
        scope.recordings().release(&actor(), audio[0].0).await.unwrap();
        let last = retention.run_batch(&policy, now, 100).await.unwrap();
        assert_eq!((last.recordings, last.calls), (1, 1));
        assert_eq!(
            retention.dry_run(&policy, now).await.unwrap(),
            RetentionReport::default()
        );
    });
}
