//! Sounds from blobs: 16-bit little-endian linear samples, 8 kHz mono. Read when the directory is
//! read, never by a call; a sound that has not changed is not read again.

use crate::directory::{Audio, Samples};
use std::collections::HashMap;
use strowger_model::TenantId;
use strowger_store::{DirectorySnapshot, Store};
use tracing::warn;

/// The sounds that are loaded, by their blob.
pub(super) type Loaded = HashMap<(TenantId, String), Samples>;

/// Loads every sound of a snapshot, taking over from `before` what is there already.
pub(super) async fn load(store: &Store, snapshot: &DirectorySnapshot, before: &Loaded) -> (Audio, Loaded) {
    let mut loaded = Loaded::new();
    let mut audio = Audio::default();
    for prompt in &snapshot.prompts {
        if let Some(samples) = sound(store, prompt.tenant, &prompt.blob, before, &mut loaded).await {
            let by_id = (prompt.tenant, prompt.prompt.to_string());
            audio.prompts.insert(by_id, samples.clone());
            audio.prompts.insert((prompt.tenant, prompt.name.clone()), samples);
        }
    }
    for speech in &snapshot.speech {
        if let Some(samples) = sound(store, speech.tenant, &speech.blob, before, &mut loaded).await {
            audio.speech.insert((speech.tenant, speech.key.clone()), samples);
        }
    }
    for mailbox in &snapshot.mailboxes {
        if let Some(samples) = sound(store, mailbox.tenant, &mailbox.blob, before, &mut loaded).await {
            audio.greetings.insert(mailbox.user, samples);
        }
    }
    (audio, loaded)
}

async fn sound(store: &Store, tenant: TenantId, blob: &str, before: &Loaded, loaded: &mut Loaded) -> Option<Samples> {
    let key = (tenant, blob.to_owned());
    if let Some(samples) = before.get(&key).or_else(|| loaded.get(&key)).cloned() {
        loaded.insert(key, samples.clone());
        return Some(samples);
    }
    match store.tenant(tenant).blobs().get(blob).await {
        Ok(bytes) => {
            let pairs = bytes.chunks_exact(2);
            let samples: Samples = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            loaded.insert(key, samples.clone());
            Some(samples)
        }
        Err(problem) => {
            warn!(%tenant, blob, problem = &problem as &dyn std::error::Error, "a sound cannot be read; a beep stands in");
            None
        }
    }
}
