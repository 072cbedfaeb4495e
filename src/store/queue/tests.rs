use super::transport::Transport;
use crate::sql::args;
use crate::tests::harness::on_each_engine;
use std::sync::Arc;
use std::time::Duration;
use strowger_model::TranscriptId;
use strowger_model::job::Job;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[test]
fn a_ticket_goes_through_the_queue_once_however_often_it_is_handed_over() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let job = Job::Analyse {
            tenant: scope.tenant(),
            transcript: TranscriptId::generate(bench.world.as_ref()),
        };
        scope.jobs().ask(&job).await.unwrap();
        let tickets = bench.store.read_all().await.unwrap();
        let rows = { tickets }
            .all("select id, job_id, priority, run_at from outbox", args![])
            .await
            .unwrap();
        let mut transport = Transport::open(&bench.store).await.unwrap();
        assert_eq!(transport.relay(&bench.store).await.unwrap(), 1);
        assert_eq!(transport.relay(&bench.store).await.unwrap(), 0);
        // The relay died after handing over and before it forgot: it hands over again.
        let mut tx = bench.store.write_all().await.unwrap();
        tx.run(
            "insert into outbox (id, job_id, priority, run_at) values ($1, $2, 3, $3)",
            args![
                rows[0].text("id").unwrap(),
                rows[0].text("job_id").unwrap(),
                rows[0].int("run_at").unwrap()
            ],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(transport.relay(&bench.store).await.unwrap(), 1);
        assert_eq!(transport.waiting().await.unwrap(), 1);
        let (bell, end) = (Arc::new(Notify::new()), CancellationToken::new());
        let ringing = tokio::task::JoinSet::from_iter([transport.ring(
            "w".into(),
            [Arc::clone(&bell), Arc::default()],
            end.clone(),
        )]);
        tokio::time::timeout(Duration::from_secs(30), bell.notified())
            .await
            .unwrap();
        end.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(30), ringing.join_all());
        assert!(ended.await.unwrap().iter().all(Result::is_ok));
    });
}
