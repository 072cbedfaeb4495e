//! Writes the messages of calls down. Nothing waits for it: when it is late, messages are dropped and counted.

use crate::signalling::{Gathering, Owner, Ready, packed};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use strowger_host::Shutdown;
use strowger_model::TenantId;
use strowger_sip::DialogKey;
use strowger_sip::trace::Traced;
use strowger_store::{SignallingChunk, Store};
use tokio::sync::mpsc;
use tracing::warn;

/// What the exchange says of dialogs that is not heard yet. When it is full, the messages of one dialog are not kept.
const WORDS: usize = 4096;
/// How often is written.
const TICK: Duration = Duration::from_millis(500);
/// Stretches that wait for the database or for the row of their call; the oldest go for more.
const MOST_LATE: usize = 2_048;
/// How often one is tried.
const TRIES: u32 = 120;

/// What the exchange says of a dialog.
#[derive(Debug)]
pub(super) enum Word {
    /// Whose it is.
    Owned(DialogKey, Owner),
    /// That it is over.
    Over(DialogKey),
}

/// Gathers and writes until nobody shows messages any more; the sender tells whose dialogs are.
pub(super) fn start(store: &Store, traces: mpsc::Receiver<Traced>, shutdown: &Shutdown) -> mpsc::Sender<Word> {
    let (told, words) = mpsc::channel(WORDS);
    let (batches, ready) = mpsc::channel(1);
    shutdown.tasks().spawn(gather(words, traces, batches));
    shutdown.tasks().spawn(write(store.clone(), ready));
    told
}

async fn gather(
    mut words: mpsc::Receiver<Word>,
    mut traces: mpsc::Receiver<Traced>,
    batches: mpsc::Sender<Vec<Ready>>,
) {
    let mut gathering = Gathering::default();
    let mut ticks = tokio::time::interval(TICK);
    let (mut is_told, mut is_shown) = (true, true);
    while is_told || is_shown {
        // Every branch waits on a channel or a clock: dropping it loses nothing.
        tokio::select! {
            word = words.recv(), if is_told => match word {
                Some(Word::Owned(dialog, owner)) => dropped(gathering.owned(dialog, owner, Instant::now())),
                Some(Word::Over(dialog)) => gathering.over(dialog, Instant::now()),
                None => is_told = false,
            },
            traced = traces.recv(), if is_shown => match traced {
                Some(traced) => dropped(usize::from(!gathering.passed(traced, Instant::now()))),
                None => is_shown = false,
            },
            _ = ticks.tick() => {
                // While the last batch is being written more is gathered.
                if let Ok(permit) = batches.try_reserve() {
                    permit.send(gathering.ready(Instant::now(), false));
                }
            }
        }
    }
    // The writer has gone only when the daemon ends in disorder.
    let _ = batches.send(gathering.ready(Instant::now(), true)).await;
}

/// Counts messages that are not kept.
fn dropped(messages: usize) {
    if messages > 0 {
        let messages = u64::try_from(messages).unwrap_or(u64::MAX);
        metrics::counter!("strowger_signalling_dropped_total").increment(messages);
    }
}

fn messages(chunks: &[(TenantId, SignallingChunk, u32)]) -> usize {
    let messages = chunks
        .iter()
        .map(|(_, chunk, _)| usize::try_from(chunk.messages).unwrap_or_default());
    messages.sum()
}

async fn write(store: Store, mut batches: mpsc::Receiver<Vec<Ready>>) {
    let mut late: Vec<(TenantId, SignallingChunk, u32)> = Vec::new();
    while let Some(batch) = batches.recv().await {
        if batch.is_empty() && late.is_empty() {
            continue;
        }
        let pack = move || {
            let packed = batch
                .into_iter()
                .map(|ready| Some((ready.tenant, packed(&ready).ok()?, 0)));
            packed.flatten().collect::<Vec<_>>()
        };
        // Packing takes longer than other tasks should wait.
        let fresh = tokio::task::spawn_blocking(pack).await.unwrap_or_default();
        let mut by_tenant: HashMap<TenantId, Vec<(SignallingChunk, u32)>> = HashMap::new();
        for (tenant, chunk, tries) in late.drain(..).chain(fresh) {
            by_tenant.entry(tenant).or_default().push((chunk, tries));
        }
        for (tenant, chunks) in by_tenant {
            keep(&store, tenant, chunks, &mut late).await;
        }
        let too_many = late.len().saturating_sub(MOST_LATE);
        if too_many > 0 {
            warn!(
                chunks = too_many,
                "signalling of calls could not be written and is dropped"
            );
            dropped(messages(late.get(..too_many).unwrap_or_default()));
            late.drain(..too_many);
        }
    }
}

/// Writes a tenant's; what cannot be written yet goes to `late`.
async fn keep(
    store: &Store,
    tenant: TenantId,
    chunks: Vec<(SignallingChunk, u32)>,
    late: &mut Vec<(TenantId, SignallingChunk, u32)>,
) {
    let tries: HashMap<_, _> = chunks.iter().map(|(chunk, tries)| (chunk.call, *tries)).collect();
    let chunks: Vec<SignallingChunk> = chunks.into_iter().map(|(chunk, _)| chunk).collect();
    let again = match store.tenant(tenant).signalling().keep(&chunks).await {
        Ok(early) => chunks.into_iter().filter(|chunk| early.contains(&chunk.call)).collect(),
        Err(problem) => {
            let problem = &problem as &dyn std::error::Error;
            warn!(problem, "signalling of calls could not be written; it is tried again");
            chunks
        }
    };
    let again = again.into_iter().map(|chunk: SignallingChunk| {
        let tries = tries.get(&chunk.call).copied().unwrap_or_default() + 1;
        (tenant, chunk, tries)
    });
    let (again, given_up): (Vec<_>, Vec<_>) = again.partition(|(_, _, tries)| *tries < TRIES);
    dropped(messages(&given_up));
    late.extend(again);
}
