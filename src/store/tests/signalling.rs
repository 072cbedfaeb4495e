use super::calls::{call, finished, recording};
use super::harness::{Bench, actor, on_each_engine};
use crate::{Scope, SignallingChunk};
use strowger_model::record::Call;
use strowger_model::retention::RetentionPolicy;
use strowger_model::settings::Settings;
use strowger_model::subject::Subject;
use strowger_model::{CallState, World as _, pcap};

const DAY: i64 = 24 * 3_600_000;

fn chunk(bench: &Bench, call: &Call, text: &str) -> SignallingChunk {
    let mut packets = Vec::new();
    let (from, to) = ("10.0.0.1:5060".parse().unwrap(), "10.0.0.2:5060".parse().unwrap());
    pcap::add_packet(&mut packets, bench.world.now(), from, to, text.as_bytes());
    let parties = format!("<sip:{}@x", call.from_number);
    SignallingChunk::pack(call.id, bench.world.now(), 1, parties, &packets).unwrap()
}

async fn recorded(bench: &Bench, scope: &Scope, from: &str) -> Call {
    let begun = call(bench, scope, from);
    let mut end = finished(bench, &begun, CallState::Completed);
    end.recordings.push(recording(bench));
    scope.calls().finish(&end).await.unwrap();
    begun
}

#[test]
fn stretches_follow_each_other_and_belong_to_one_tenant() {
    on_each_engine(|bench| async move {
        let (scope, other) = (bench.tenant("acme").await, bench.tenant("other").await);
        let begun = call(&bench, &scope, "+49170");
        let one = [chunk(&bench, &begun, "INVITE one")];
        assert_eq!(
            scope.signalling().keep(&one).await.unwrap(),
            [begun.id],
            "there is no such call yet"
        );
        scope.calls().begin(&begun, &[]).await.unwrap();
        assert_eq!(
            other.signalling().keep(&one).await.unwrap(),
            [begun.id],
            "it is nobody else's"
        );
        assert_eq!(scope.signalling().keep(&one).await.unwrap(), []);
        assert_eq!(
            scope
                .signalling()
                .keep(&[chunk(&bench, &begun, "BYE two")])
                .await
                .unwrap(),
            []
        );
        assert_eq!(scope.signalling().count(begun.id).await.unwrap(), 2);
        assert_eq!(other.signalling().count(begun.id).await.unwrap(), 0);
        assert_eq!(other.signalling().take_out(&actor(), begun.id).await.unwrap(), None);

        let file = scope.signalling().take_out(&actor(), begun.id).await.unwrap().unwrap();
        assert!(file.starts_with(&pcap::file_header()));
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.find("INVITE one").unwrap() < text.find("BYE two").unwrap());
        let audit = scope
            .audit()
            .list(&crate::AuditFilter::default(), &crate::Page::first(1))
            .await
            .unwrap();
        assert_eq!(
            (audit.items[0].action.as_str(), audit.items[0].target.as_str()),
            ("call.pcap", begun.id.to_string().as_str())
        );
    });
}

#[test]
fn signalling_goes_in_its_time_with_its_call_and_with_whom_it_names() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let policy = RetentionPolicy::of(&Settings::default());
        let (one, held, theirs) = (
            recorded(&bench, &scope, "+4912340001").await,
            recorded(&bench, &scope, "+4912340002").await,
            recorded(&bench, &scope, "+4912340003").await,
        );
        let chunks = [&one, &held, &theirs].map(|call| chunk(&bench, call, "INVITE"));
        assert_eq!(scope.signalling().keep(&chunks).await.unwrap(), []);
        // A stretch that does not name them is their call's all the same.
        let mut nameless = theirs.clone();
        nameless.from_number = "101".into();
        let nameless = [chunk(&bench, &nameless, "BYE")];
        assert_eq!(scope.signalling().keep(&nameless).await.unwrap(), []);
        let subject = Subject::read("+4912340003").unwrap();
        let archive = scope.subjects().export(&actor(), &subject, "who").await.unwrap();
        let archive = String::from_utf8_lossy(&archive.whole().await.unwrap()).into_owned();
        assert!(archive.contains(&format!("calls/{}.pcap", theirs.id)) && archive.contains("INVITE"));
        scope.subjects().erase(&actor(), &subject).await.unwrap();
        assert_eq!(scope.signalling().count(theirs.id).await.unwrap(), 0);
        let recordings = scope.calls().detail(held.id).await.unwrap().unwrap().recordings;
        scope.recordings().hold(&actor(), recordings[0].id).await.unwrap();

        let retention = scope.retention();
        bench.world.advance(7 * DAY - 1);
        assert_eq!(
            retention.dry_run(&policy, bench.world.now()).await.unwrap().signalling,
            0
        );
        bench.world.advance(1);
        let now = bench.world.now();
        assert_eq!(retention.dry_run(&policy, now).await.unwrap().signalling, 1);
        assert_eq!(retention.run_batch(&policy, now, 10).await.unwrap().signalling, 1);
        assert!(retention.run_batch(&policy, now, 10).await.unwrap().is_empty());
        assert_eq!(scope.signalling().count(one.id).await.unwrap(), 0);
        assert_eq!(scope.signalling().count(held.id).await.unwrap(), 1);

        scope.recordings().release(&actor(), recordings[0].id).await.unwrap();
        assert!(scope.calls().remove(&actor(), held.id).await.unwrap());
        assert_eq!(scope.signalling().count(held.id).await.unwrap(), 0);
    });
}
