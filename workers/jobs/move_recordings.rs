//! Recordings whose time on the disk is over → the bucket.

use super::{Desk, Fault};
use strowger_model::TenantId;
use strowger_store::queue::Context;
use tracing::info;

pub(super) async fn run(desk: &Desk, tenant: TenantId, context: &Context) -> Result<(), Fault> {
    let recordings = desk.store.tenant(tenant).recordings();
    if recordings.bucket().await?.is_none() {
        return Err(Fault::again(
            "this worker's configuration names no bucket (storage.bucket)",
        ));
    }
    let moved = recordings.move_due(&|| context.cancelled.is_cancelled()).await?;
    if moved.blobs > 0 {
        info!(
            objects = moved.blobs,
            size_bytes = moved.bytes,
            "recordings moved to the bucket"
        );
    }
    if context.cancelled.is_cancelled() {
        return Err(Fault::again("the worker was told to end"));
    }
    Ok(())
}
