//! What tests of several tasks begin with.

use std::sync::Arc;
use strowger_model::{TenantId, World};
use strowger_store::{Actor, NewTenant, Store, StoreConfig};

/// A store in `folder` with one tenant, in a world that is the same in every run.
pub(super) async fn store(folder: &std::path::Path) -> (Store, TenantId, Arc<dyn World>) {
    let world: Arc<dyn World> = Arc::new(strowger_model::world::SeededWorld::new(3, 1_700_000_000_000));
    let config = StoreConfig {
        url: format!("sqlite://{}/s.db", folder.display()),
        data_dir: folder.to_owned(),
        master_key: [7; 32],
    };
    let store = Store::open(&config, Arc::clone(&world)).await.unwrap();
    let new = NewTenant {
        name: "ours".to_owned(),
        realm: "ours.example".to_owned(),
    };
    let tenant = store.tenants().create(&Actor::system(), new).await.unwrap();
    (store, tenant.id, world)
}
