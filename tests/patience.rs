//! Waiting for something to become true, with a deadline.

use anyhow::{Result, anyhow};
use std::future::Future;
use std::time::Duration;

/// Runs `future` and fails when it takes longer than `limit`.
///
/// # Errors
/// The future's own, or that time ran out.
pub async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, future)
        .await
        .map_err(|_| anyhow!("{what}: not within {limit:?}"))?
}

/// Asks again and again until `probe` gives a value, and fails after `limit` with what it last said.
///
/// # Errors
/// Time ran out.
pub async fn eventually<T, F>(limit: Duration, what: &str, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if tokio::time::Instant::now() >= deadline => {
                return Err(error.context(format!("{what}: not within {limit:?}")));
            }
            Err(_) => {}
        }
    }
}
