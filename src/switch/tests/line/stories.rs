//! One story a test.

use crate::exchange::House;
use crate::partner::Partner;
use std::time::Duration;
use strowger_model::{CallState, HangupCause};
use strowger_sip::{Command, SipEvent};
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
    let metadata = serde_json::json!({"ticket": 42, "tags": ["a", "b"]});
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
