//! Providers that we register with: another switch is the provider, one of its phones' accounts ours.

use crate::exchange::{House, PASSWORD};
use std::time::Duration;
use strowger_model::TrunkId;
use strowger_model::job::NoticeKind;
use strowger_model::trunk::{Transport, TrunkKind};
use strowger_store::{Actor, NewTrunk, Page, TrunkChange};
use strowger_switch::live::TrunkCondition;

fn account(provider: &House, password: &str) -> NewTrunk {
    NewTrunk {
        name: "provider".to_owned(),
        kind: TrunkKind::Registration,
        host: provider.sip.ip().to_string(),
        port: provider.sip.port(),
        transport: Transport::Udp,
        addresses: Vec::new(),
        username: Some("ada".to_owned()),
        password: Some(password.to_owned().into()),
        prefix: String::new(),
        max_calls: 10,
    }
}

async fn with_account(provider: &House, password: &str) -> (House, TrunkId) {
    let house = House::open(None).await;
    let trunks = house.store.tenant(house.tenant).trunks();
    let made = trunks
        .create(&Actor::system(), account(provider, password))
        .await
        .unwrap();
    house.switch.reload();
    (house, made.id)
}

impl House {
    async fn until_trunk(&self, wanted: impl Fn(&TrunkCondition) -> bool) -> TrunkCondition {
        self.until(async || {
            let states = self.switch.trunk_states(Some(self.tenant));
            states
                .into_iter()
                .map(|view| view.condition)
                .find(|found| wanted(found))
        })
        .await
    }
}

const fn is_registered(condition: &TrunkCondition) -> bool {
    matches!(condition, TrunkCondition::Registered { .. })
}

const fn is_down(condition: &TrunkCondition) -> bool {
    matches!(condition, TrunkCondition::Down { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_is_registered_within_two_seconds_and_both_sides_say_so() {
    let provider = House::open(None).await;
    let began = tokio::time::Instant::now();
    let (house, _) = with_account(&provider, PASSWORD).await;
    house.until_trunk(is_registered).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let there = provider.switch.devices_online(provider.tenant);
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].source, house.sip.to_string());
    house.close().await;
    provider.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_account_is_tried_again_once_its_password_is_changed() {
    let provider = House::open(None).await;
    let (house, trunk) = with_account(&provider, "a wrong one").await;
    let refused = house.until_trunk(is_down).await;
    let TrunkCondition::Down { reason } = refused else {
        unreachable!("it was just found to be down")
    };
    assert!(reason.starts_with("401"), "{reason}");
    let change = TrunkChange {
        values: account(&provider, PASSWORD),
        active: true,
    };
    let trunks = house.store.tenant(house.tenant).trunks();
    trunks.update(&Actor::system(), trunk, &change).await.unwrap().unwrap();
    house.switch.reload();
    house.until_trunk(is_registered).await;
    let notices = house.store.tenant(house.tenant).notices();
    house
        .until(async || {
            let told = notices.list(&Page::default()).await.unwrap().items;
            (told.last()?.kind == NoticeKind::TrunkDown && told.last()?.detail.contains("401")).then_some(())
        })
        .await;
    house.close().await;
    provider.close().await;
}
