//! What the people of a tenant are told.

use super::harness::on_each_engine;
use crate::{Page, Scope};
use strowger_model::job::NoticeKind;

async fn told(scope: &Scope) -> Vec<String> {
    let notices = scope.notices().list(&Page::first(9)).await.unwrap().items;
    let mut said: Vec<String> = notices.into_iter().map(|notice| notice.detail).collect();
    // Those of one millisecond stand in any order.
    said.sort();
    said
}

#[test]
fn what_concerns_the_machine_is_told_to_every_tenant_once() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let kind = NoticeKind::CertificateEnds;
        assert_eq!(bench.store.tell_all(kind, "in three weeks").await.unwrap(), 2);
        assert_eq!(bench.store.tell_all(kind, "in three weeks").await.unwrap(), 0);
        let late = bench.tenant("late").await;
        assert_eq!(bench.store.tell_all(kind, "in three weeks").await.unwrap(), 1);
        assert_eq!(bench.store.tell_all(kind, "in a week").await.unwrap(), 3);
        for scope in [acme, zenith, late] {
            assert_eq!(told(&scope).await, ["in a week", "in three weeks"]);
        }
    });
}
