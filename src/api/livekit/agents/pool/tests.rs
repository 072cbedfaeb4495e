//! Workers that come, are asked, answer or not, and go.

use super::*;
use strowger_model::world::SeededWorld;

fn pool() -> (Pool, RoomName, Instant) {
    let room = RoomName::new(TenantId::generate(&SeededWorld::new(1, 0)), "standup");
    (Pool::new("t".into()), room, Instant::now())
}

fn worker(name: &str) -> wire::RegisterWorkerRequest {
    wire::RegisterWorkerRequest {
        agent_name: name.into(),
        ..wire::RegisterWorkerRequest::default()
    }
}

fn drain(pool: &mut Pool) -> Vec<Output> {
    std::iter::from_fn(|| pool.poll_output()).collect()
}

/// The worker that is asked, and about which job.
fn asked(pool: &mut Pool) -> Option<(WorkerKey, String)> {
    drain(pool).into_iter().find_map(|output| match output {
        Output::Send(key, message) => match *message {
            ToWorker::Availability(request) => Some((key, request.job.unwrap().id)),
            ToWorker::Register(_)
            | ToWorker::Assignment(_)
            | ToWorker::Termination(_)
            | ToWorker::Pong(_)
            | ToWorker::GoAway(_) => None,
        },
        Output::Assign { .. } | Output::News { .. } => None,
    })
}

fn takes(pool: &mut Pool, key: WorkerKey, job: &str, now: Instant) {
    let yes = wire::AvailabilityResponse {
        job_id: job.into(),
        available: true,
        ..wire::AvailabilityResponse::default()
    };
    pool.said(key, FromWorker::Availability(yes), now);
}

fn failed(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| {
        matches!(output, Output::News { job, .. } if job.state.as_ref().unwrap().status == i32::from(JobStatus::JsFailed))
    })
}

#[test]
fn an_agent_without_a_name_comes_to_every_room_of_its_tenant_and_no_other() {
    let (mut pool, room, now) = pool();
    let other = TenantId::generate(&SeededWorld::new(9, 9));
    assert!(pool.register(1, other, worker(""), now));
    pool.room_started(&room, wire::Room::default(), now);
    assert_eq!(asked(&mut pool), None);
    pool.room_finished(&room);
    assert!(pool.register(2, room.tenant, worker(""), now));
    pool.room_started(&room, wire::Room::default(), now);
    assert_eq!(asked(&mut pool).unwrap().0, 2);
}

#[test]
fn a_job_goes_to_another_worker_when_the_first_dies_and_is_given_up_when_there_is_none() {
    let (mut pool, room, now) = pool();
    pool.register(1, room.tenant, worker("echo"), now);
    pool.register(2, room.tenant, worker("echo"), now);
    let echo = wire::RoomAgentDispatch {
        agent_name: "echo".into(),
        ..wire::RoomAgentDispatch::default()
    };
    pool.wish(room.clone(), vec![echo]);
    pool.room_started(&room, wire::Room::default(), now);
    let (first, job) = asked(&mut pool).unwrap();
    takes(&mut pool, first, &job, now);
    assert!(
        drain(&mut pool)
            .iter()
            .any(|output| matches!(output, Output::Assign { .. }))
    );
    pool.gone(first, now);
    let (second, same) = asked(&mut pool).unwrap();
    assert!(second != first && same == job);
    takes(&mut pool, second, &job, now);
    drain(&mut pool);
    pool.gone(second, now);
    assert!(!failed(&drain(&mut pool)), "a worker may come back");
    pool.handle_timeout(pool.poll_timeout().unwrap());
    assert!(failed(&drain(&mut pool)));
}

#[test]
fn who_does_not_answer_or_says_no_is_not_waited_for() {
    let (mut pool, room, now) = pool();
    pool.register(1, room.tenant, worker("echo"), now);
    pool.register(2, room.tenant, worker("echo"), now);
    pool.room_started(&room, wire::Room::default(), now);
    let echo = wire::RoomAgentDispatch {
        agent_name: "echo".into(),
        ..wire::RoomAgentDispatch::default()
    };
    let dispatch = pool.dispatch(&room, echo, now);
    let (first, job) = asked(&mut pool).unwrap();
    pool.handle_timeout(now + THINKS);
    let (second, _) = asked(&mut pool).unwrap();
    assert_ne!(first, second);
    takes(&mut pool, first, &job, now);
    assert!(drain(&mut pool).is_empty(), "too late");
    takes(&mut pool, second, &job, now);
    assert_eq!(
        pool.dispatches_of(&room, &dispatch.id)[0]
            .state
            .as_ref()
            .unwrap()
            .jobs
            .len(),
        1
    );
    drain(&mut pool);
    assert!(pool.call_off(&room, &dispatch.id).is_some());
    assert!(
        matches!(&drain(&mut pool)[..], [Output::Send(key, message)] if *key == second && matches!(**message, ToWorker::Termination(_)))
    );
}
