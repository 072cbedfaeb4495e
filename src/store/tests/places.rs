use super::harness::{actor, on_each_engine};
use crate::{NewFlow, NewGreeting, NewNumber, Page};
use strowger_model::trunk::NumberTarget;

fn flow(name: &str, text: &str) -> NewFlow {
    NewFlow {
        name: name.into(),
        description: String::new(),
        draft: serde_json::json!({"nodes": [text]}),
    }
}

#[test]
fn a_version_takes_calls_only_when_ready_and_the_newest_ready_wins() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let flows = scope.flows();
        let made = flows.create(&actor(), flow("Main", "one")).await.unwrap();
        let first = flows.publish(&actor(), made.id).await.unwrap().unwrap();
        assert!(bench.store.directory().snapshot().await.unwrap().flows.is_empty());
        flows
            .save_draft(&actor(), made.id, &flow("Main", "two"))
            .await
            .unwrap()
            .unwrap();
        let second = flows.publish(&actor(), made.id).await.unwrap().unwrap();
        assert_eq!((first.number, second.number), (1, 2));
        flows.version_ready(second.id).await.unwrap();
        flows.version_ready(first.id).await.unwrap();
        let now = flows.get(made.id).await.unwrap().unwrap();
        assert_eq!((now.published, now.published_number), (Some(second.id), Some(2)));
        assert!(flows.roll_back(&actor(), made.id, first.id).await.unwrap());
        let snapshot = bench.store.directory().snapshot().await.unwrap();
        assert_eq!(snapshot.flows[0].version, first.id);
        assert_eq!(snapshot.flows[0].definition, serde_json::json!({"nodes": ["one"]}));
        let third = flows.publish(&actor(), made.id).await.unwrap().unwrap();
        flows.version_failed(third.id, "no voice").await.unwrap();
        assert!(flows.roll_back(&actor(), made.id, third.id).await.is_err());
        assert_eq!(flows.history(made.id).await.unwrap().len(), 3);
    });
}

#[test]
fn a_removed_flow_leaves_no_number_pointing_to_it() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let made = scope.flows().create(&actor(), flow("Main", "one")).await.unwrap();
        let number = NewNumber {
            number: "+4930".into(),
            friendly_name: "Main".into(),
            target: Some(NumberTarget::Flow(made.id)),
            record: None,
        };
        let number = scope.numbers().create(&actor(), number).await.unwrap();
        assert_eq!(number.target, Some(NumberTarget::Flow(made.id)));
        assert!(scope.flows().remove(&actor(), made.id).await.unwrap());
        let number = scope.numbers().get(number.id).await.unwrap().unwrap();
        assert_eq!(number.target, None);
    });
}

#[test]
fn prompts_and_greetings_go_from_upload_to_directory() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let bob = bench.user(&scope, "bob", "101").await;
        let prompt = scope
            .prompts()
            .create(&actor(), "hello", "hello.mp3", b"mp3")
            .await
            .unwrap();
        let audio = scope.prompts().audio(prompt.id).await.unwrap().unwrap();
        assert_eq!(scope.blobs().get(&audio.source.unwrap()).await.unwrap(), b"mp3");
        let pcm = scope.blobs().put(b"pcm").await.unwrap();
        scope.prompts().ready(prompt.id, &pcm, 1200).await.unwrap();
        scope.greetings().put_standard(bob.id, "standard").await.unwrap();
        let snapshot = bench.store.directory().snapshot().await.unwrap();
        assert_eq!(snapshot.prompts[0].blob, pcm);
        assert_eq!(snapshot.mailboxes[0].blob, "standard");
        let new = NewGreeting {
            user: bob.id,
            name: "Holiday".into(),
            kind: "holiday".into(),
            text: Some("Away".into()),
            file: None,
        };
        let greeting = scope.greetings().create(&actor(), new).await.unwrap();
        scope.greetings().set_default(&actor(), greeting.id).await.unwrap();
        scope.greetings().ready(greeting.id, "own").await.unwrap();
        let snapshot = bench.store.directory().snapshot().await.unwrap();
        assert_eq!(
            (snapshot.mailboxes.len(), snapshot.mailboxes[0].blob.as_str()),
            (1, "own")
        );
        assert!(scope.prompts().remove(&actor(), prompt.id).await.unwrap());
        assert!(scope.blobs().get(&pcm).await.is_err());
        assert!(scope.prompts().list(&Page::default()).await.unwrap().items.is_empty());
    });
}

#[test]
fn blobs_without_a_row_are_swept_after_a_day() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let orphan = scope.blobs().put(b"orphan").await.unwrap();
        let used = scope.blobs().put(b"used").await.unwrap();
        scope.speech().put("key", &used).await.unwrap();
        assert_eq!(scope.speech().put("key", "later").await.unwrap(), used);
        assert_eq!(bench.store.sweep_blobs().await.unwrap(), 0);
        bench.world.advance(25 * 3_600_000);
        bench.store.upkeep().await.unwrap();
        assert_eq!(bench.store.sweep_blobs().await.unwrap(), 0);
        assert!(scope.blobs().get(&orphan).await.is_err());
        assert_eq!(scope.blobs().range(&used, 1, 100).await.unwrap(), b"sed");
    });
}
