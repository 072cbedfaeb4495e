use super::super::testing::store;
use super::*;
use strowger_model::record::Call;
use strowger_model::{CallId, CallType, Direction, HangupCause, World};

fn call(tenant: TenantId, world: &dyn World) -> Call {
    Call {
        id: CallId::generate(world),
        tenant,
        user: None,
        direction: Direction::Internal,
        call_type: CallType::Internal,
        state: strowger_model::CallState::Initiated,
        from_number: "100".to_owned(),
        from_name: None,
        to_number: "101".to_owned(),
        started_at: world.now(),
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        cause: None,
        flow_version: None,
        notes: String::new(),
        metadata: strowger_model::Metadata::default(),
        transcribe: false,
        cost_micros: 0,
        currency: String::new(),
        tags: Vec::new(),
    }
}

fn finish(call: &Call, world: &dyn World) -> Entry {
    let call = Call {
        state: strowger_model::CallState::Missed,
        ended_at: Some(world.now()),
        cause: Some(HangupCause::NoAnswer),
        ..call.clone()
    };
    Entry::Finish(Box::new(Finished {
        call,
        legs: Vec::new(),
        events: Vec::new(),
        taken: Vec::new(),
        message: None,
    }))
}

#[tokio::test]
async fn entries_reach_the_database_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tenant, world) = store(folder.path()).await;
    let shutdown = Shutdown::new();
    let mut journal = start(&store, &shutdown).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..40 {
        let call = call(tenant, world.as_ref());
        ids.push(call.id);
        let legs = Vec::new();
        let entry = finish(&call, world.as_ref());
        let call = Box::new(call);
        journal.write(tenant, Entry::Begin { call, legs });
        journal.write(tenant, entry);
    }
    drop(journal);
    shutdown.tasks().close();
    shutdown.tasks().wait().await;
    for id in ids {
        let found = store.tenant(tenant).calls().get(id).await.unwrap().unwrap();
        assert_eq!(found.cause, Some(HangupCause::NoAnswer));
    }
    assert!(!folder.path().join("journal.spill").exists());
}

#[tokio::test]
async fn what_was_spilled_is_written_first_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tenant, world) = store(folder.path()).await;
    let call = call(tenant, world.as_ref());
    let id = call.id;
    let mut spill = Spill::new(store.data_dir());
    let begin = Entry::Begin {
        call: Box::new(call.clone()),
        legs: Vec::new(),
    };
    spill.append(&[Line { tenant, entry: begin }]).await.unwrap();
    // The power went while the next line was written.
    let path = folder.path().join("journal.spill");
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"tenant\":\"cut");
    std::fs::write(&path, text).unwrap();
    let shutdown = Shutdown::new();
    let mut journal = start(&store, &shutdown).await.unwrap();
    journal.write(tenant, finish(&call, world.as_ref()));
    drop(journal);
    shutdown.tasks().close();
    shutdown.tasks().wait().await;
    let found = store.tenant(tenant).calls().get(id).await.unwrap().unwrap();
    assert!(found.ended_at.is_some());
    assert!(!path.exists());
}

#[tokio::test]
async fn an_entry_that_can_never_be_written_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tenant, world) = store(folder.path()).await;
    let shutdown = Shutdown::new();
    let mut journal = start(&store, &shutdown).await.unwrap();
    let stranger = TenantId::generate(world.as_ref());
    let (lost, kept) = (call(stranger, world.as_ref()), call(tenant, world.as_ref()));
    let id = kept.id;
    for (tenant, call) in [(stranger, lost), (tenant, kept)] {
        let legs = Vec::new();
        let call = Box::new(call);
        journal.write(tenant, Entry::Begin { call, legs });
    }
    drop(journal);
    shutdown.tasks().close();
    shutdown.tasks().wait().await;
    assert!(store.tenant(tenant).calls().get(id).await.unwrap().is_some());
}
