//! Tokens to rooms: whose they are, what ends them, and that no tenant's reach another's.

use crate::{Access, AccessConfig, RoomClaims, RoomTokenRefusal, VideoGrant};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_model::TenantId;
use strowger_model::settings::{Entry, Lock};
use strowger_model::world::SeededWorld;
use strowger_store::{Actor, NewTenant, Store, StoreConfig};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

struct Bench {
    access: Access,
    world: Arc<SeededWorld>,
    _folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        url: format!("sqlite://{}/strowger.db", folder.path().display()),
        data_dir: folder.path().to_owned(),
        master_key: [7; 32],
    };
    let world = Arc::new(SeededWorld::new(1, 1_760_000_000_000));
    let store = Store::open(&config, world.clone()).await.unwrap();
    Bench {
        access: Access::new(store, world.clone(), AccessConfig::default()),
        world,
        _folder: folder,
    }
}

impl Bench {
    async fn tenant(&self, name: &str) -> TenantId {
        let new = NewTenant {
            name: name.to_owned(),
            realm: format!("{name}.example"),
        };
        self.access.store().tenants().create(&actor(), new).await.unwrap().id
    }
}

fn actor() -> Actor {
    Actor::named("tester")
}

fn claims() -> RoomClaims {
    RoomClaims {
        identity: "ada".into(),
        video: VideoGrant {
            room: "standup".into(),
            room_join: true,
            ..VideoGrant::default()
        },
        ..RoomClaims::default()
    }
}

#[tokio::test]
async fn a_token_reaches_the_tenant_whose_key_signed_it_and_no_other() {
    let bench = bench().await;
    let (ours, theirs) = (bench.tenant("ours").await, bench.tenant("theirs").await);
    let (key, secret) = bench.access.create_room_key(&actor(), ours, "web").await.unwrap();
    let (other, _) = bench.access.create_room_key(&actor(), theirs, "web").await.unwrap();
    let signed = |id: &str| {
        let now = bench.access.world().now();
        crate::room_claims::sign(id, &secret, &claims(), (now, now + Duration::from_secs(60))).unwrap()
    };
    let token = bench.access.room_token(&signed(&key.id), HERE).await.unwrap();
    assert_eq!((token.tenant(), token.claims()), (ours, &claims()));
    // Naming the other tenant's key does not help whoever lacks its secret.
    let foreign = bench.access.room_token(&signed(&other.id), HERE).await;
    assert_eq!(foreign, Err(RoomTokenRefusal::Wrong));
}

#[tokio::test]
async fn a_token_ends_with_its_time_its_key_and_its_tenant() {
    let bench = bench().await;
    let tenant = bench.tenant("ours").await;
    let (key, _) = bench.access.create_room_key(&actor(), tenant, "web").await.unwrap();
    let minute = Duration::from_secs(60);
    let token = bench
        .access
        .sign_with_room_key(tenant, &key.id, &claims(), minute)
        .await;
    let token = token.unwrap().unwrap();
    assert!(bench.access.room_token(&token, HERE).await.is_ok());
    let keys = bench.access.store().tenant(tenant).room_keys();
    assert!(keys.list().await.unwrap()[0].last_used_at.is_some());
    bench.world.advance(70_000);
    assert_eq!(
        bench.access.room_token(&token, HERE).await,
        Err(RoomTokenRefusal::Expired)
    );

    let token = bench
        .access
        .sign_with_room_key(tenant, &key.id, &claims(), minute)
        .await;
    let token = token.unwrap().unwrap();
    assert!(keys.remove(&actor(), &key.id).await.unwrap());
    assert_eq!(
        bench.access.room_token(&token, HERE).await,
        Err(RoomTokenRefusal::Wrong)
    );

    let (token, _) = bench.access.sign_room_token(tenant, &claims(), None).await.unwrap();
    assert!(bench.access.room_token(&token, HERE).await.is_ok());
    assert!(bench.access.store().tenants().remove(&actor(), tenant).await.unwrap());
    assert_eq!(
        bench.access.room_token(&token, HERE).await,
        Err(RoomTokenRefusal::Wrong)
    );
}

#[tokio::test]
async fn our_own_tokens_last_as_long_as_the_setting_says() {
    let bench = bench().await;
    let tenant = bench.tenant("ours").await;
    let now = bench.access.world().now();
    let (_, until) = bench.access.sign_room_token(tenant, &claims(), None).await.unwrap();
    assert_eq!(until - now, time::Duration::hours(24));
    let entry = Entry {
        value: Some("1".into()),
        lock: Lock::Unlocked,
    };
    let scope = bench.access.store().tenant(tenant);
    scope
        .settings()
        .set(&actor(), "room_token_hours", &entry)
        .await
        .unwrap();
    let (_, until) = bench.access.sign_room_token(tenant, &claims(), None).await.unwrap();
    assert_eq!(until - now, time::Duration::hours(1));
    let own: Vec<bool> = scope
        .room_keys()
        .list()
        .await
        .unwrap()
        .iter()
        .map(|key| key.own)
        .collect();
    assert_eq!(own, [true], "one key of our own serves every token");
}

#[tokio::test]
async fn guessing_costs_the_source() {
    let bench = bench().await;
    let mut last = Ok(());
    for _ in 0..40 {
        last = bench.access.room_token("a.b.c", HERE).await.map(|_| ());
    }
    assert!(matches!(last, Err(RoomTokenRefusal::TooMany { .. })), "{last:?}");
}
