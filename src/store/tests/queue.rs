use super::harness::{Bench, actor, on_each_engine};
use crate::queue::{Context, JobError, JobFilter, Runner, RunnerConfig};
use crate::{Page, Scope};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use strowger_model::TranscriptId;
use strowger_model::job::{Job, JobState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

fn analyse(bench: &Bench, scope: &Scope) -> Job {
    Job::Analyse {
        tenant: scope.tenant(),
        transcript: TranscriptId::generate(bench.world.as_ref()),
    }
}

fn runner(bench: &Bench, name: &str) -> Runner {
    Runner::new(
        bench.store.clone(),
        RunnerConfig {
            name: name.into(),
            hands: 2,
        },
    )
}

/// The states of the jobs a test asked for; the runner itself asks for retention.
async fn states(scope: &Scope) -> Vec<JobState> {
    let page = scope
        .jobs()
        .list(&JobFilter::default(), &Page::default())
        .await
        .unwrap();
    page.items
        .into_iter()
        .filter(|job| job.kind != "retain")
        .map(|job| job.state)
        .collect()
}

#[test]
fn urgent_jobs_go_first_and_a_tenant_cannot_starve_another() {
    on_each_engine(|bench| async move {
        let (ours, theirs) = (bench.tenant("ours").await, bench.tenant("theirs").await);
        for _ in 0..3 {
            ours.jobs().ask(&analyse(&bench, &ours)).await.unwrap();
        }
        theirs.jobs().ask(&analyse(&bench, &theirs)).await.unwrap();
        let urgent = Job::RenderGreeting {
            tenant: ours.tenant(),
            user: strowger_model::UserId::generate(bench.world.as_ref()),
        };
        ours.jobs().ask(&urgent).await.unwrap();
        let mut order = vec![];
        while let Some(claimed) = bench.store.claim_job("w").await.unwrap() {
            order.push((claimed.job.kind(), claimed.job.tenant() == ours.tenant()));
        }
        assert_eq!(
            order,
            [
                ("render_greeting", true),
                ("analyse", false),
                ("analyse", true),
                ("analyse", true),
                ("analyse", true)
            ]
        );
    });
}

#[test]
fn a_failing_job_backs_off_then_dies_with_its_reason_and_can_be_tried_by_hand() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let id = scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        for attempt in 1..=3 {
            let claimed = bench.store.claim_job("w").await.unwrap().unwrap();
            assert_eq!(claimed.attempt, attempt);
            let outcome = crate::queue::Outcome::Retry("no model".into());
            bench.store.end_job("w", &claimed, &outcome).await.unwrap();
            assert!(bench.store.claim_job("w").await.unwrap().is_none(), "it must wait");
            bench.world.advance(300_000);
        }
        assert!(bench.store.claim_job("w").await.unwrap().is_none());
        let row = scope.jobs().get(id).await.unwrap().unwrap();
        assert_eq!(
            (row.state, row.attempts, row.problem.as_deref()),
            (JobState::Dead, 3, Some("no model"))
        );
        assert!(scope.jobs().retry(&actor(), id).await.unwrap());
        assert!(bench.store.claim_job("w").await.unwrap().is_some());
    });
}

#[test]
fn a_dead_workers_job_is_taken_over_within_a_minute_and_its_late_answer_counts_nothing() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        let lost = bench.store.claim_job("dead").await.unwrap().unwrap();
        bench.world.advance(40_000);
        assert_eq!(bench.store.requeue_abandoned_jobs().await.unwrap(), 0);
        bench.world.advance(19_000);
        assert_eq!(bench.store.requeue_abandoned_jobs().await.unwrap(), 1);
        let taken = bench.store.claim_job("alive").await.unwrap().unwrap();
        assert_eq!((taken.id, taken.attempt), (lost.id, 2));
        bench
            .store
            .end_job("dead", &lost, &crate::queue::Outcome::Done)
            .await
            .unwrap();
        assert_eq!(states(&scope).await, [JobState::Running]);
        bench
            .store
            .end_job("alive", &taken, &crate::queue::Outcome::Done)
            .await
            .unwrap();
        assert_eq!(states(&scope).await, [JobState::Done]);
    });
}

#[test]
fn tries_in_which_the_worker_ends_are_counted_apart_and_end_at_last() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let id = scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        let failed = crate::queue::Outcome::Retry("no model".into());
        for _ in 0..5 {
            let claimed = bench.store.claim_job("w").await.unwrap().unwrap();
            assert_eq!(claimed.spent(), None);
            bench.store.requeue_own_jobs("w").await.unwrap();
            bench.world.advance(60_000);
        }
        for is_last in [false, false, true] {
            let claimed = bench.store.claim_job("w").await.unwrap().unwrap();
            assert_eq!((claimed.crashes, claimed.is_last()), (5, is_last));
            bench.store.end_job("w", &claimed, &failed).await.unwrap();
            bench.world.advance(300_000);
        }
        assert_eq!(states(&scope).await, [JobState::Dead]);

        assert!(scope.jobs().retry(&actor(), id).await.unwrap());
        for _ in 0..8 {
            let claimed = bench.store.claim_job("w").await.unwrap().unwrap();
            assert_eq!(claimed.spent(), None);
            bench.store.requeue_own_jobs("w").await.unwrap();
            bench.world.advance(60_000);
        }
        let claimed = bench.store.claim_job("w").await.unwrap().unwrap();
        assert_eq!(
            claimed.spent().as_deref(),
            Some("the worker ended in the middle, 8 times")
        );
    });
}

#[test]
fn a_job_whose_worker_ended_runs_alone_so_that_no_other_shares_the_blame() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        for _ in 0..2 {
            scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        }
        for _ in 0..2 {
            bench.store.claim_job("w").await.unwrap().unwrap();
        }
        bench.store.requeue_own_jobs("w").await.unwrap();
        bench.world.advance(1000);
        scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        let question = Job::EmbedQuestion {
            tenant: scope.tenant(),
            question: strowger_model::QuestionId::generate(bench.world.as_ref()),
        };

        let first = bench.store.claim_job("w").await.unwrap().unwrap();
        assert_eq!(first.crashes, 1);
        assert_eq!(bench.store.claim_job("w").await.unwrap(), None, "another beside it");
        let elsewhere = bench.store.claim_job("v").await.unwrap().unwrap();
        assert_eq!(elsewhere.crashes, 1);
        scope.jobs().ask(&question).await.unwrap();
        let errand = bench.store.claim_up_to("w", Job::ERRAND).await.unwrap().unwrap();
        assert_eq!(errand.job, question);

        let done = crate::queue::Outcome::Done;
        bench.store.end_job("w", &first, &done).await.unwrap();
        let fresh = bench.store.claim_job("w").await.unwrap().unwrap();
        assert_eq!(fresh.crashes, 0);
        bench.store.requeue_own_jobs("v").await.unwrap();
        bench.world.advance(60_000);
        assert_eq!(
            bench.store.claim_job("w").await.unwrap(),
            None,
            "a suspect beside another"
        );
        bench.store.end_job("w", &fresh, &done).await.unwrap();
        let last = bench.store.claim_job("w").await.unwrap().unwrap();
        assert_eq!((last.id, last.crashes), (elsewhere.id, 2));
    });
}

#[test]
fn a_runner_does_every_job_once_and_survives_a_panic() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        for _ in 0..10 {
            scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        }
        let done = Arc::new(AtomicU32::new(0));
        let shutdown = CancellationToken::new();
        let (count, end, world) = (Arc::clone(&done), shutdown.clone(), Arc::clone(&bench.world));
        let fell = Arc::new(AtomicBool::new(false));
        let running = runner(&bench, "w").run(
            move |_, job, _| {
                let (count, end, world) = (Arc::clone(&count), end.clone(), Arc::clone(&world));
                let fell = Arc::clone(&fell);
                async move {
                    if job.kind() == "retain" {
                        return Ok(());
                    }
                    world.advance(500);
                    assert!(fell.swap(true, Ordering::SeqCst), "the first falls over");
                    if count.fetch_add(1, Ordering::SeqCst) == 9 {
                        end.cancel();
                    }
                    Ok::<(), JobError>(())
                }
            },
            shutdown,
        );
        // The one that fell over waits for its back-off, so the clock goes on when the others are done.
        let clock = Arc::clone(&bench.world);
        let ticking = async move {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
            loop {
                tick.tick().await;
                clock.advance(20);
            }
        };
        tokio::select! {
            ended = tokio::time::timeout(std::time::Duration::from_secs(60), running) => ended.unwrap().unwrap(),
            () = ticking => {}
        }
        assert_eq!(done.load(Ordering::SeqCst), 10);
        assert!(states(&scope).await.iter().all(|state| *state == JobState::Done));
    });
}

#[test]
fn a_waiting_job_is_stopped_at_once_a_running_one_by_its_worker_and_either_can_be_tried_again() {
    on_each_engine(|bench| async move {
        let (scope, theirs) = (bench.tenant("acme").await, bench.tenant("theirs").await);
        let waiting = scope.jobs().ask(&analyse(&bench, &scope)).await.unwrap();
        assert!(!theirs.jobs().stop(&actor(), waiting).await.unwrap());
        assert!(scope.jobs().stop(&actor(), waiting).await.unwrap());
        let row = scope.jobs().get(waiting).await.unwrap().unwrap();
        assert_eq!(row.state, JobState::Dead);
        assert!(row.problem.unwrap().starts_with("stopped by "));
        assert!(!scope.jobs().stop(&actor(), waiting).await.unwrap(), "it is over");
        assert!(bench.store.claim_job("w").await.unwrap().is_none());
        assert!(scope.jobs().retry(&actor(), waiting).await.unwrap());

        // It says a third and goes on until it is told to end.
        let (began, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let shutdown = CancellationToken::new();
        let (begin, end) = (Arc::clone(&began), Arc::clone(&ended));
        let handler = move |_, job: Job, context: Context| {
            let (begin, end) = (Arc::clone(&begin), Arc::clone(&end));
            async move {
                if let Job::Analyse { .. } = job {
                    context.progress.set(33);
                    begin.notify_one();
                    context.cancelled.cancelled().await;
                    end.notify_one();
                }
                Err(JobError::Retry("cancelled".into()))
            }
        };
        let stopping = async {
            let soon = Duration::from_secs(60);
            tokio::time::timeout(soon, began.notified()).await.unwrap();
            assert!(scope.jobs().stop(&actor(), waiting).await.unwrap());
            tokio::time::timeout(soon, ended.notified()).await.unwrap();
            shutdown.cancel();
        };
        let running = runner(&bench, "one").run(handler, shutdown.clone());
        let (ran, ()) = tokio::join!(running, stopping);
        ran.unwrap();
        let row = scope.jobs().get(waiting).await.unwrap().unwrap();
        assert_eq!((row.state, row.percent, row.attempts), (JobState::Dead, 33, 1));
        assert!(row.problem.unwrap().starts_with("stopped by "));
        assert!(scope.jobs().retry(&actor(), waiting).await.unwrap());
        let row = scope.jobs().get(waiting).await.unwrap().unwrap();
        assert_eq!((row.percent, row.stopped_by), (0, None));
    });
}

#[test]
fn what_others_wait_for_cannot_be_stopped() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let job = Job::RenderGreeting {
            tenant: scope.tenant(),
            user: strowger_model::UserId::generate(bench.world.as_ref()),
        };
        let id = scope.jobs().ask(&job).await.unwrap();
        assert!(!scope.jobs().get(id).await.unwrap().unwrap().can_be_stopped());
        assert!(!scope.jobs().stop(&actor(), id).await.unwrap());
    });
}

#[test]
fn retention_is_asked_for_once_a_day() {
    on_each_engine(|bench| async move {
        bench.tenant("one").await;
        bench.tenant("two").await;
        assert_eq!(bench.store.queue().ask_retention().await.unwrap(), 2);
        assert_eq!(bench.store.queue().ask_retention().await.unwrap(), 0);
        bench.world.advance(24 * 3_600_000);
        assert_eq!(bench.store.queue().ask_retention().await.unwrap(), 2);
    });
}
