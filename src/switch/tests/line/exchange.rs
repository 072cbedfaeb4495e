//! A switch over a real store in a temporary folder.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_media::{MediaConfig, MediaHandle};
use strowger_model::capture::Frame;
use strowger_model::record::{Call, CallEvent};
use strowger_model::trunk::{DigestAlgorithm, NumberTarget, Transport, TrunkKind};
use strowger_model::{CallId, Role, TenantId, TrunkId, UserId, World};
use strowger_rooms::{Limits, RoomsConfig, RoomsHandle};
use strowger_sip::SipConfig;
use strowger_store::capture::CaptureReader;
use strowger_store::{Actor, NewDevice, NewNumber, NewTenant, NewTrunk, NewUser, Store, StoreConfig, SystemWorld};
use strowger_switch::io::{Outward, Parts, SwitchHandle, start};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const REALM: &str = "ours.example";

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) switch: SwitchHandle,
    pub(crate) shutdown: Shutdown,
    pub(crate) tenant: TenantId,
    pub(crate) sip: SocketAddr,
    folder: tempfile::TempDir,
}

pub(crate) fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn media() -> MediaConfig {
    MediaConfig {
        bind: any().ip(),
        ports: 0..=0,
        threads: 1,
        ..MediaConfig::default()
    }
}

async fn person(store: &Store, tenant: TenantId, name: &str, extension: &str) -> UserId {
    let scope = store.tenant(tenant);
    let new = NewUser {
        email: format!("{name}@example.org"),
        name: name.to_owned(),
        role: Role::User,
        extension: Some(extension.to_owned()),
        password_hash: None,
    };
    let user = scope.users().create(&Actor::system(), new).await.unwrap();
    let device = NewDevice {
        user: user.id,
        name: "desk".to_owned(),
        username: name.to_owned(),
        algorithm: DigestAlgorithm::Md5,
    };
    scope
        .devices()
        .create(&Actor::system(), device, PASSWORD)
        .await
        .unwrap();
    user.id
}

impl House {
    /// A tenant with Ada (100) and Bob (101), and numbers of every kind; a provider at `provider`.
    pub(crate) async fn open(provider: Option<SocketAddr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world: Arc<dyn World> = Arc::new(SystemWorld);
        let config = StoreConfig {
            url: format!("sqlite://{}/s.db", folder.path().display()),
            data_dir: folder.path().to_owned(),
            master_key: [9; 32],
        };
        let store = Store::open(&config, Arc::clone(&world)).await.unwrap();
        let new = NewTenant {
            name: "ours".to_owned(),
            realm: REALM.to_owned(),
        };
        let tenant = store.tenants().create(&Actor::system(), new).await.unwrap().id;
        person(&store, tenant, "ada", "100").await;
        let bob = person(&store, tenant, "bob", "101").await;
        let scope = store.tenant(tenant);
        let room = scope.rooms().create(&Actor::system(), "800").await.unwrap();
        let targets = [
            ("+4911", NumberTarget::User(bob)),
            ("+4912", NumberTarget::Voicemail(bob)),
            ("+4913", NumberTarget::Room(room.id)),
        ];
        for (number, target) in targets {
            let new = NewNumber {
                number: number.to_owned(),
                friendly_name: String::new(),
                target: Some(target),
                record: None,
            };
            scope.numbers().create(&Actor::system(), new).await.unwrap();
        }
        if let Some(provider) = provider {
            let new = NewTrunk {
                name: "provider".to_owned(),
                kind: TrunkKind::Address,
                host: provider.ip().to_string(),
                port: provider.port(),
                transport: Transport::Udp,
                addresses: vec![provider.to_string()],
                username: None,
                password: None,
                prefix: String::new(),
                max_calls: 10,
            };
            let _: TrunkId = scope.trunks().create(&Actor::system(), new).await.unwrap().id;
        }
        Self::with_switch(folder, store, tenant).await
    }

    /// Starts the switch over a store, as after a restart.
    pub(crate) async fn with_switch(folder: tempfile::TempDir, store: Store, tenant: TenantId) -> Self {
        let world: Arc<dyn World> = Arc::new(SystemWorld);
        let shutdown = Shutdown::new();
        let (media, media_events) = MediaHandle::start(media(), world.as_ref()).unwrap();
        let config = RoomsConfig {
            udp: any(),
            tcp: None,
            advertised: Vec::new(),
            turn: None,
            limits: Limits::default(),
        };
        let ending = shutdown.hard().clone();
        let rooms = RoomsHandle::start(config, Arc::clone(&world), shutdown.tasks(), ending)
            .await
            .unwrap();
        let parts = Parts {
            rooms: Some(rooms),
            voice_apps: Outward::anywhere(),
            store: store.clone(),
            world,
            sip: SipConfig {
                udp: vec![any()],
                ..SipConfig::default()
            },
            media,
            media_events,
            max_calls: 100,
            reserve_bytes: 0,
        };
        let switch = start(parts, &shutdown).await.unwrap();
        let sip = switch.sip_udp()[0];
        Self {
            store,
            switch,
            shutdown,
            tenant,
            sip,
            folder,
        }
    }

    /// Ends the switch and keeps what is at rest.
    pub(crate) async fn stop(self) -> (tempfile::TempDir, Store, TenantId) {
        self.shutdown.force();
        self.shutdown.tasks().close();
        self.shutdown.tasks().wait().await;
        (self.folder, self.store, self.tenant)
    }

    /// Looks until something is there.
    pub(crate) async fn until<T>(&self, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..1_500 {
            tick.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
        panic!("it did not happen in time");
    }

    /// The call once it is written as ended.
    pub(crate) async fn ended(&self, call: CallId) -> Call {
        let calls = self.store.tenant(self.tenant).calls();
        self.until(async || calls.get(call).await.unwrap().filter(|call| call.ended_at.is_some()))
            .await
    }

    /// All that happened in a call that is over.
    pub(crate) async fn events(&self, call: CallId) -> Vec<CallEvent> {
        self.ended(call).await;
        let calls = self.store.tenant(self.tenant).calls();
        // They are written after the row.
        self.until(async || {
            let events = calls.detail(call).await.unwrap().unwrap().events;
            Some(events).filter(|events| events.iter().any(|event| event.kind == "end"))
        })
        .await
    }

    /// The only call that runs.
    pub(crate) async fn live(&self) -> strowger_switch::live::LiveCall {
        self.until(async || self.switch.live_calls(Some(self.tenant)).pop())
            .await
    }

    /// Seconds of audio that each stream of a call's recordings holds.
    pub(crate) async fn recorded(&self, call: CallId) -> Vec<Vec<f64>> {
        let recordings = self.store.tenant(self.tenant).recordings().of_call(call).await.unwrap();
        let mut all = Vec::new();
        for recording in recordings {
            let reader = CaptureReader::open(&self.store, recording.capture.unwrap())
                .await
                .unwrap();
            let mut bytes = vec![0usize; 2];
            for chunk in reader.unwrap().flatten() {
                let is_sound = |frame: &Frame<'_>| frame.codec != strowger_model::capture::Codec::Mark;
                for frame in chunk.frames().filter(is_sound) {
                    let size = if frame.codec == strowger_model::capture::Codec::Linear8 {
                        2
                    } else {
                        1
                    };
                    bytes[usize::from(frame.stream)] += frame.payload.len() / size;
                }
            }
            all.push(bytes.into_iter().map(|samples| samples as f64 / 8_000.0).collect());
        }
        all
    }

    pub(crate) async fn close(self) {
        self.shutdown.force();
        self.shutdown.tasks().close();
        self.shutdown.tasks().wait().await;
    }
}
