//! One story a test.

use crate::exchange::House;
use crate::partner::Partner;
use std::time::Duration;
use strowger_media::Direction as Way;
use strowger_model::capture::{self, CaptureMeta, Chunk, Frame, Purpose, Sink as _, StreamMeta};
use strowger_model::record::Call;
use strowger_model::{CallId, CallState, CallType, CaptureId, Direction, HangupCause, LegId, RecordingId, World as _};
use strowger_sip::{Command, SipEvent};
use strowger_store::SystemWorld;
use strowger_store::capture::{CaptureSpool, SpoolConfig};
use strowger_switch::live::PlaceCall;

/// Lets a conversation go on for a while: what passes is audio.
async fn talk_for(ms: u64) {
    let mut tick = tokio::time::interval(Duration::from_millis(ms));
    tick.tick().await;
    tick.tick().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_calls_another_and_each_channel_holds_its_speaker() {
    let house = House::open(None).await;
    let (mut ada, mut bob) = (Partner::new("ada").await, Partner::new("bob").await);
    bob.registers(house.sip).await;
    let mut adas = ada.invites(house.sip, "101").await;
    let (dialog, offer) = bob.is_called().await;
    let bobs = bob.answers(dialog, &offer).await;
    ada.is_answered(&mut adas).await;
    bob.hears().await;
    ada.hears().await;
    let live = house.live().await;
    assert_eq!(live.state, CallState::Active);
    assert!(live.recording);
    talk_for(1_500).await;
    bob.hangs_up(&bobs).await;
    ada.is_over().await;
    let call = house.ended(live.id).await;
    assert_eq!(
        (call.state, call.cause),
        (CallState::Completed, Some(HangupCause::Normal))
    );
    assert!((1_400..3_000).contains(&call.duration_ms), "{}", call.duration_ms);
    let detail = house
        .store
        .tenant(house.tenant)
        .calls()
        .detail(live.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(detail.legs.len(), 2);
    assert!(
        detail
            .legs
            .iter()
            .all(|leg| leg.quality.is_some_and(|quality| quality.received > 50))
    );
    let recorded = house.recorded(live.id).await;
    assert_eq!(recorded.len(), 1);
    assert!(
        recorded[0].iter().all(|seconds| (1.2..3.0).contains(seconds)),
        "{recorded:?}"
    );
    assert_eq!(house.switch.count(), 0);
    ada.close().await;
    bob.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_from_outside_reaches_the_mailbox_of_a_phone_that_is_off() {
    let mut provider = Partner::new("provider").await;
    let house = House::open(Some(provider.address())).await;
    let mut talk = provider.invites(house.sip, "+4911").await;
    provider.is_answered(&mut talk).await;
    let live = house.live().await;
    house
        .until(async || {
            house
                .switch
                .live_call(house.tenant, live.id)
                .filter(|call| call.recording)
        })
        .await;
    talk_for(1_500).await;
    provider.hangs_up(&talk).await;
    let call = house.ended(live.id).await;
    assert_eq!(call.state, CallState::Completed);
    let recorded = house.recorded(live.id).await;
    assert!((1.2..2.5).contains(&recorded[0][0]), "{recorded:?}");
    let messages = house.store.tenant(house.tenant).voicemails();
    let message = messages
        .list(&Default::default(), &Default::default())
        .await
        .unwrap()
        .items
        .pop()
        .unwrap();
    assert!((1_300..2_500).contains(&message.duration_ms), "{}", message.duration_ms);
    provider.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_phones_hear_each_other_in_a_room() {
    let mut provider = Partner::new("provider").await;
    let house = House::open(Some(provider.address())).await;
    let mut talks = Vec::new();
    for _ in 0..3 {
        let mut talk = provider.invites(house.sip, "+4913").await;
        provider.is_answered(&mut talk).await;
        talks.push(talk);
    }
    for _ in 0..3 {
        provider.hears().await;
    }
    assert_eq!(house.switch.count(), 3);
    for talk in &talks {
        provider.hangs_up(talk).await;
    }
    house.until(async || (house.switch.count() == 0).then_some(())).await;
    provider.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_calls_a_phone_and_the_call_is_completed_with_its_metadata() {
    let house = House::open(None).await;
    let mut bob = Partner::new("bob").await;
    bob.registers(house.sip).await;
    let metadata: strowger_model::Metadata = r#"{"ticket": 42,"tags":["a", "b"]}"#.parse().unwrap();
    let order = PlaceCall {
        tenant: house.tenant,
        user: None,
        from: None,
        to: "101".to_owned(),
        record: Some(true),
        transcribe: false,
        ring_timeout: None,
        metadata: metadata.clone(),
        flow: None,
    };
    let placed = house.switch.place_call(order).await.unwrap();
    let (dialog, offer) = bob.is_called().await;
    let talk = bob.answers(dialog, &offer).await;
    bob.hears().await;
    talk_for(1_100).await;
    bob.hangs_up(&talk).await;
    let call = house.ended(placed).await;
    assert_eq!((call.state, call.metadata), (CallState::Completed, metadata));
    assert!((1_000..2_500).contains(&call.duration_ms), "{}", call.duration_ms);
    bob.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_phone_hears_music_and_the_call_goes_on_afterwards() {
    let house = House::open(None).await;
    let (mut ada, mut bob) = (Partner::new("ada").await, Partner::new("bob").await);
    bob.registers(house.sip).await;
    let mut adas = ada.invites(house.sip, "101").await;
    let (dialog, offer) = bob.is_called().await;
    let mut bobs = bob.answers(dialog, &offer).await;
    ada.is_answered(&mut adas).await;
    bob.hears().await;
    ada.hears().await;
    for held in [true, false] {
        bob.reoffers(&mut bobs, if held { Way::SEND } else { Way::BOTH }).await;
        let is_as_wanted = async || {
            let live = house.switch.live_calls(Some(house.tenant)).pop()?;
            (live.legs.iter().any(|leg| leg.held) == held).then_some(())
        };
        house.until(is_as_wanted).await;
        talk_for(300).await;
    }
    let live = house.live().await;
    ada.hangs_up(&adas).await;
    bob.is_over().await;
    let call = house.ended(live.id).await;
    assert_eq!(call.state, CallState::Completed);
    let events = house.events(live.id).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert!(kinds.contains(&"hold") && kinds.contains(&"resume"), "{kinds:?}");
    ada.close().await;
    bob.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_gives_up_stops_the_ringing() {
    let house = House::open(None).await;
    let (mut ada, mut bob) = (Partner::new("ada").await, Partner::new("bob").await);
    bob.registers(house.sip).await;
    let talk = ada.invites(house.sip, "101").await;
    bob.is_called().await;
    ada.wait(|event| matches!(event, SipEvent::Progress { status: 180, .. }).then_some(()))
        .await;
    let live = house.live().await;
    ada.sip.send(Command::Cancel { dialog: talk.dialog }).await.unwrap();
    bob.wait(|event| matches!(event, SipEvent::Cancelled { .. }).then_some(()))
        .await;
    let call = house.ended(live.id).await;
    assert_eq!(
        (call.state, call.cause),
        (CallState::Cancelled, Some(HangupCause::Cancelled))
    );
    ada.close().await;
    bob.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_daemon_left_open_is_closed_and_its_audio_processed() {
    let (folder, store, tenant) = House::open(None).await.stop().await;
    let world = SystemWorld;
    let started_at = world.now() - Duration::from_secs(60);
    let call = Call {
        id: CallId::generate(&world),
        tenant,
        user: None,
        direction: Direction::Inbound,
        call_type: CallType::CustomerInbound,
        state: CallState::Active,
        from_number: "1".to_owned(),
        from_name: None,
        to_number: "2".to_owned(),
        started_at,
        answered_at: Some(started_at),
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
    };
    store.tenant(tenant).calls().begin(&call, &[]).await.unwrap();
    let meta = CaptureMeta {
        capture: CaptureId::generate(&world),
        recording: RecordingId::generate(&world),
        tenant,
        call: call.id,
        purpose: Purpose::Call,
        started_unix_ms: i64::try_from(started_at.unix_timestamp_nanos() / 1_000_000).unwrap(),
    };
    let stream = StreamMeta {
        stream: 0,
        leg: LegId::generate(&world),
        speaker: "caller".to_owned(),
    };
    let spool = CaptureSpool::start(&store, &SpoolConfig::default()).unwrap();
    let capture = spool.open(&meta, &[stream]).await.unwrap();
    let mut chunk = Chunk::with_capacity(10_000);
    for n in 0..50_u16 {
        chunk.push(&Frame {
            stream: 0,
            codec: capture::Codec::Pcma,
            arrival_us: u64::from(n) * 20_000,
            rtp_timestamp: u32::from(n) * 160,
            sequence: n,
            payload: &[0x55; 160],
        });
    }
    capture.sink(0).submit(chunk).unwrap();
    spool.close().await;
    std::mem::forget(capture);
    let house = House::with_switch(folder, store, tenant).await;
    let closed = house.ended(call.id).await;
    assert_eq!(
        (closed.state, closed.cause),
        (CallState::Failed, Some(HangupCause::DaemonRestart))
    );
    assert_eq!(closed.duration_ms, 980, "the last sound tells when it ended");
    let recorded = house.recorded(call.id).await;
    assert_eq!(recorded[0][0], 1.0);
    house.close().await;
}
