use super::calls::{call, finished, processed, recording};
use super::harness::{actor, on_each_engine};
use crate::{Afterwards, NewRoomKey};
use strowger_model::CallState;
use time::Duration;

fn key() -> NewRoomKey {
    NewRoomKey {
        id: "APIx".into(),
        name: "Booking".into(),
        secret: "secret".to_owned().into(),
        own: false,
    }
}

#[test]
fn events_wait_in_their_order_are_tried_again_and_leave_a_trace() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        acme.room_keys().create(&actor(), key()).await.unwrap();
        let area = acme.room_webhooks();
        let webhook = area.create(&actor(), "https://a.example", "APIx").await.unwrap().id;
        for event in ["room_started", "room_finished"] {
            assert!(area.post(webhook, event, "{}").await.unwrap());
        }
        assert_eq!(bench.store.webhooks_with_posts().await.unwrap().len(), 1);
        let foreign = zenith.room_webhooks();
        assert!(foreign.next_post(webhook).await.unwrap().is_none());
        assert!(foreign.last_posts(10).await.unwrap().is_empty());

        let (first, body) = area.next_post(webhook).await.unwrap().unwrap();
        assert_eq!((first.event.as_str(), body.as_str()), ("room_started", "{}"));
        let again = acme.now() + Duration::seconds(1);
        area.post_failed(webhook, first.number, "answered 502", Some(again))
            .await
            .unwrap();
        let (same, _) = area.next_post(webhook).await.unwrap().unwrap();
        assert_eq!((same.number, same.tries, same.due_at), (first.number, 1, again));
        foreign.post_taken(webhook, first.number).await.unwrap();
        area.post_taken(webhook, first.number).await.unwrap();
        let (second, _) = area.next_post(webhook).await.unwrap().unwrap();
        area.post_failed(webhook, second.number, "answered 404", None)
            .await
            .unwrap();
        assert!(area.next_post(webhook).await.unwrap().is_none());
        assert!(bench.store.webhooks_with_posts().await.unwrap().is_empty());

        let last = area.last_posts(10).await.unwrap();
        let states: Vec<_> = last
            .iter()
            .map(|(_, post)| (post.event.as_str(), post.state.as_str()))
            .collect();
        assert_eq!(states, [("room_finished", "given_up"), ("room_started", "taken")]);
        assert_eq!(area.list().await.unwrap()[0].problem.as_deref(), Some("answered 404"));
        assert!(area.remove(&actor(), webhook).await.unwrap());
        assert!(area.last_posts(10).await.unwrap().is_empty());
    });
}

#[test]
fn an_address_keeps_a_bounded_trace_and_a_bounded_queue() {
    on_each_engine(|bench| async move {
        let acme = bench.tenant("acme").await;
        acme.room_keys().create(&actor(), key()).await.unwrap();
        let area = acme.room_webhooks();
        let webhook = area.create(&actor(), "https://a.example", "APIx").await.unwrap().id;
        for _ in 0..60 {
            area.post(webhook, "room_started", "{}").await.unwrap();
            let (post, _) = area.next_post(webhook).await.unwrap().unwrap();
            area.post_taken(webhook, post.number).await.unwrap();
        }
        let last = area.last_posts(100).await.unwrap();
        assert_eq!((last.len(), last[0].1.number), (50, 60));
    });
}

#[test]
fn programs_are_told_how_each_recording_came_out() {
    on_each_engine(|bench| async move {
        let acme = bench.tenant("acme").await;
        acme.room_keys().create(&actor(), key()).await.unwrap();
        let area = acme.room_webhooks();
        let webhook = area.create(&actor(), "https://a.example", "APIx").await.unwrap().id;
        let begun = call(&bench, &acme, "+49170");
        let mut end = finished(&bench, &begun, CallState::Completed);
        let (good, bad) = (recording(&bench), recording(&bench));
        let mut never = recording(&bench);
        never.problem = Some("nothing was recorded: the disk is full".to_owned());
        end.recordings = vec![good.clone(), bad.clone(), never.clone()];
        for _ in 0..2 {
            acme.calls().finish(&end).await.unwrap();
        }
        acme.recordings()
            .failed(bad.id, "the capture holds no audio")
            .await
            .unwrap();
        let result = processed(&acme).await;
        for _ in 0..2 {
            acme.recordings()
                .ready(good.id, &result, Afterwards::Nothing)
                .await
                .unwrap();
        }
        let mut told = Vec::new();
        while let Some((post, body)) = area.next_post(webhook).await.unwrap() {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["event"], post.event.as_str());
            told.push((post.event, body["recording"].clone()));
            area.post_taken(webhook, post.number).await.unwrap();
        }
        let events: Vec<&str> = told.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(events, ["recording_failed", "recording_failed", "recording_completed"]);
        assert_eq!(told[0].1["problem"], "nothing was recorded: the disk is full");
        assert_eq!(told[1].1["problem"], "the capture holds no audio");
        assert_eq!(
            (&told[2].1["status"], &told[2].1["sizeBytes"]),
            (&"ready".into(), &3.into())
        );
        assert_eq!(acme.recordings().get(never.id).await.unwrap().unwrap().state, "failed");
    });
}
