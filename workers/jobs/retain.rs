//! What is past its time goes, a few things at a time.

use super::{Desk, Fault};
use std::sync::PoisonError;
use strowger_model::TenantId;
use strowger_store::queue::Context;
use strowger_store::{Error, RetentionReport};
use time::OffsetDateTime;
use tracing::{info, warn};

/// Removed before somebody else gets the database again.
const BATCH: i64 = 50;

/// A clock that was set forward while this ran is not believed at once.
fn believed(desk: &Desk) -> OffsetDateTime {
    let shown = desk.world.now();
    let mut clock = desk.clock.lock().unwrap_or_else(PoisonError::into_inner);
    let believed = clock.look(shown, desk.world.passed());
    if believed < shown {
        warn!(
            seconds = (shown - believed).whole_seconds(),
            "the clock was set forward; retention goes by the time before until the clock has stood by it for a day"
        );
    }
    believed
}

pub(super) async fn run(desk: &Desk, tenant: TenantId, context: &Context) -> Result<(), Fault> {
    let retention = desk.store.tenant(tenant).retention();
    let policy = retention.policy().await?;
    let now = believed(desk);
    let mut total = RetentionReport::default();
    loop {
        if context.cancelled.is_cancelled() {
            return Err(Fault::again("the worker was told to end"));
        }
        let report = retention.run_batch(&policy, now, BATCH).await?;
        if report.is_empty() {
            break;
        }
        total = total.plus(report);
    }
    let databases = desk.store.remove_put_aside().await?;
    let swept = desk.store.sweep_blobs().await?;
    if !total.is_empty() || swept > 0 || databases > 0 {
        desk.store.renew_copy().await?;
        info!(
            recordings = total.recordings,
            voicemails = total.voicemails,
            calls = total.calls,
            signalling = total.signalling,
            proofs = total.proofs,
            size_bytes = total.bytes,
            swept,
            databases,
            "retention done"
        );
    }
    match desk.store.sweep_bucket(tenant).await {
        Ok(0) => {}
        Ok(swept) => info!(swept, "objects of the bucket that belong to nothing are removed"),
        // What is here is done whatever a bucket that is away says; it is swept by tomorrow's run.
        Err(problem @ Error::Bucket { .. }) => warn!(
            problem = &problem as &dyn std::error::Error,
            "the bucket was not swept; the next run does it"
        ),
        Err(problem) => return Err(problem.into()),
    }
    Ok(())
}
