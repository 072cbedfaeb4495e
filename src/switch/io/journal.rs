//! The journal: what happened to calls on its way to the database, in order, without a call waiting.
//!
//! Entries wait in memory while the database is slow. Beyond [`MEMORY`] they go to a file beside it
//! ([`super::spill`]) until the database has taken everything; the file is read first after a restart.

use super::Error;
use super::spill::{Line, Spill};
use crate::journal::{Entry, Finished};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_model::TenantId;
use strowger_store::{FinishedCall, NewRecording, NewVoicemail, Store};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

/// Entries on their way to the journal's task, which takes them at once. When it is full, because the
/// spill file's disk is slow, entries wait with the one who writes them.
const CHANNEL: usize = 8_192;

/// Entries kept in memory while the database is silent; then they go to the spill file.
const MEMORY: usize = 20_000;

/// Entries kept in memory when the spill file cannot be written either; then the oldest are lost.
const MOST: usize = 200_000;

/// How long to wait after the database refused: this and twice as long each time, up to [`SLOWEST`].
const RETRY: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(5);

/// How often an entry that the database understands and refuses is tried.
const TRIES: u32 = 3;

/// How long the last entries may take at the end; what is left then goes to the spill file.
const LAST: Duration = Duration::from_secs(5);

/// The way in to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    lines: mpsc::Sender<Line>,
    /// What the channel had no room for.
    waiting: VecDeque<Line>,
}

impl Journal {
    /// Another way in to the same journal.
    pub(super) fn another(&self) -> Self {
        Self {
            lines: self.lines.clone(),
            waiting: VecDeque::new(),
        }
    }

    /// Writes an entry, sooner or later. Never waits.
    pub(super) fn write(&mut self, tenant: TenantId, entry: Entry) {
        self.waiting.push_back(Line { tenant, entry });
        self.push();
    }

    /// Hands over what waits as far as there is room. Whether all of it went.
    pub(super) fn push(&mut self) -> bool {
        while let Some(line) = self.waiting.pop_front() {
            match self.lines.try_send(line) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(line)) => {
                    self.waiting.push_front(line);
                    if self.waiting.len() > MOST {
                        self.waiting.pop_front();
                        error!("the journal is stuck; an entry is lost");
                    }
                    return false;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return true,
            }
        }
        true
    }

    /// Writes an entry, waiting for room.
    pub(super) async fn write_waiting(&self, tenant: TenantId, entry: Entry) {
        // The task ends only once every way in is gone.
        let _ = self.lines.send(Line { tenant, entry }).await;
    }
}

pub(super) async fn start(store: &Store, shutdown: &Shutdown) -> Result<Journal, Error> {
    let mut spill = Spill::new(store.data_dir());
    let old: VecDeque<Line> = spill.read().await.map_err(Error::Spill)?.into();
    if !old.is_empty() {
        info!(
            entries = old.len(),
            "the journal goes on with what waited for the database"
        );
    }
    let (lines, receiver) = mpsc::channel(CHANNEL);
    let keeper = Keeper {
        store: store.clone(),
        spill,
        replay: old,
        replayed: 0,
        memory: VecDeque::new(),
    };
    shutdown.tasks().spawn(keeper.run(receiver));
    Ok(Journal {
        lines,
        waiting: VecDeque::new(),
    })
}

/// One attempt at one entry, and the entry.
type Attempt = Pin<Box<dyn Future<Output = (Line, Result<(), strowger_store::Error>)> + Send>>;

struct Keeper {
    store: Store,
    spill: Spill,
    /// Lines of the spill file that are next; older than `memory`.
    replay: VecDeque<Line>,
    /// How many of the file's lines were written.
    replayed: usize,
    memory: VecDeque<Line>,
}

impl Keeper {
    async fn run(mut self, mut lines: mpsc::Receiver<Line>) {
        let mut attempt: Option<Attempt> = None;
        let (mut pause, mut tries) = (RETRY, 0);
        let mut open = true;
        let mut batch = Vec::new();
        while open || attempt.is_some() || !self.is_empty() {
            if attempt.is_none() {
                attempt = self
                    .next()
                    .await
                    .map(|line| write(self.store.clone(), line, Duration::ZERO));
            }
            if attempt.is_none() && !open {
                break;
            }
            if !open && tries > 0 && pause >= SLOWEST.min(LAST) {
                break;
            }
            // An attempt goes on between the turns of the loop; `recv_many` loses nothing when dropped.
            tokio::select! {
                count = lines.recv_many(&mut batch, 512), if open => {
                    open = count > 0;
                    self.take(&mut batch).await;
                }
                (line, outcome) = async { attempt.as_mut().unwrap_or(&mut never()).await }, if attempt.is_some() => {
                    attempt = None;
                    match outcome {
                        Ok(()) => {
                            (pause, tries) = (RETRY, 0);
                            self.written().await;
                        }
                        Err(problem) => {
                            tries += 1;
                            if is_final(&problem) && tries >= TRIES {
                                error!(problem = &problem as &dyn std::error::Error, "the database refuses an entry of the journal; it is lost");
                                (pause, tries) = (RETRY, 0);
                                self.written().await;
                            } else {
                                if tries == 1 {
                                    warn!(problem = &problem as &dyn std::error::Error, "the database does not take the journal; calls go on");
                                }
                                attempt = Some(write(self.store.clone(), line, pause));
                                pause = (pause * 2).min(SLOWEST);
                            }
                        }
                    }
                }
            }
        }
        self.put_away().await;
    }

    fn is_empty(&self) -> bool {
        self.replay.is_empty() && self.memory.is_empty() && self.spill.is_empty()
    }

    /// The next entry to be written. It stays where it is until it was.
    async fn next(&mut self) -> Option<Line> {
        if self.replay.is_empty() && !self.spill.is_empty() {
            match self.spill.read().await {
                Ok(all) => self.replay = all.into_iter().skip(self.replayed).collect(),
                Err(problem) => error!(%problem, "cannot read the journal's spill file"),
            }
            if self.replay.is_empty() {
                self.replayed = 0;
                if let Err(problem) = self.spill.clear().await {
                    error!(%problem, "cannot clear the journal's spill file");
                }
            }
        }
        self.replay.front().or_else(|| self.memory.front()).cloned()
    }

    /// The entry that was next is done.
    async fn written(&mut self) {
        if self.replay.pop_front().is_some() {
            self.replayed += 1;
        } else {
            self.memory.pop_front();
        }
    }

    /// Takes new entries: to memory, or behind what lies in the file.
    async fn take(&mut self, batch: &mut Vec<Line>) {
        let crowded = self.memory.len() + batch.len() > MEMORY;
        if self.spill.is_empty() && !crowded {
            for line in batch.drain(..) {
                self.memory.push_back(line);
                self.merge();
            }
            return;
        }
        // The first entry of memory may be in the database's hands; writing it twice changes nothing.
        let mut all: Vec<Line> = self.memory.drain(..).collect();
        all.append(batch);
        match self.spill.append(&all).await {
            Ok(()) => metrics::counter!("strowger_journal_spilled_total").increment(all.len() as u64),
            Err(problem) => {
                error!(%problem, "cannot write the journal's spill file");
                self.memory.extend(all);
                while self.memory.len() > MOST {
                    self.memory.pop_front();
                    error!("the journal is full; its oldest entry is lost");
                }
            }
        }
    }

    /// A call that ended makes its earlier progress needless, unless that is being written.
    fn merge(&mut self) {
        let Some(Line {
            entry: Entry::Finish(finished),
            ..
        }) = self.memory.back()
        else {
            return;
        };
        let ended = finished.call.id;
        let mut first = true;
        self.memory.retain(|line| {
            std::mem::take(&mut first) || !matches!(&line.entry, Entry::Progress { call, .. } if *call == ended)
        });
    }

    /// What the database did not take in time waits in the file for the next start.
    async fn put_away(&mut self) {
        let left: Vec<Line> = self.memory.drain(..).collect();
        if left.is_empty() {
            return;
        }
        warn!(
            entries = left.len(),
            "the database is silent; the journal goes on after the next start"
        );
        if let Err(problem) = self.spill.append(&left).await {
            error!(%problem, entries = left.len(), "the journal's last entries are lost");
        }
    }
}

fn never() -> Attempt {
    Box::pin(std::future::pending())
}

fn write(store: Store, line: Line, pause: Duration) -> Attempt {
    Box::pin(async move {
        if !pause.is_zero() {
            tokio::time::sleep_until(tokio::time::Instant::now() + pause).await;
        }
        let outcome = put(&store, &line).await;
        (line, outcome)
    })
}

async fn put(store: &Store, line: &Line) -> strowger_store::Result<()> {
    let calls = store.tenant(line.tenant).calls();
    match &line.entry {
        Entry::Begin { call, legs } => calls.begin(call, legs).await,
        Entry::Progress {
            call,
            state,
            answered_at,
            user,
        } => calls.progress(*call, *state, *answered_at, *user).await,
        Entry::Consents { call, from, consents } => {
            let area = store.tenant(line.tenant).consents();
            area.write(*call, *from, consents).await
        }
        Entry::Finish(finished) => {
            calls.finish(&finished_call(finished)).await?;
            if finished.events.is_empty() {
                return Ok(());
            }
            calls.events(finished.call.id, 0, &finished.events).await
        }
    }
}

pub(super) fn finished_call(finished: &Finished) -> FinishedCall {
    let parties = match finished.call.from_name.as_deref() {
        Some(name) => format!("{name} → {}", finished.call.to_number),
        None => format!("{} → {}", finished.call.from_number, finished.call.to_number),
    };
    let recordings = finished.taken.iter().map(|taken| NewRecording {
        id: taken.recording,
        capture: taken.capture,
        name: parties.clone(),
        recorded_by: taken.recorded_by.clone(),
        problem: taken.problem.clone(),
        created_at: taken.began_at,
    });
    FinishedCall {
        call: finished.call.clone(),
        legs: finished.legs.clone(),
        recordings: recordings.collect(),
        voicemail: finished.message.as_ref().map(|message| NewVoicemail {
            id: message.voicemail,
            user: message.user,
            recording: message.recording,
            duration_ms: message.duration_ms,
        }),
    }
}

/// Whether trying again will not help.
fn is_final(problem: &strowger_store::Error) -> bool {
    matches!(
        problem,
        strowger_store::Error::Dangling
            | strowger_store::Error::Taken { .. }
            | strowger_store::Error::Corrupt { .. }
            | strowger_store::Error::State { .. }
    )
}

#[cfg(test)]
mod tests;
