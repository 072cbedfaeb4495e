//! The file of dialogs that stand: one slot each, written over in place and wiped when its dialog ends, so that it never
//! holds more than what goes on and costs one write a change. It is not brought to the disk by force: it is there for
//! a daemon that was killed, not for a machine that lost its power.

use crate::event::DialogKey;
use crate::standing::Standing;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use tokio::sync::mpsc;
use tracing::warn;

/// Changes on their way to the file. When it is full a change is left out: should the daemon be killed just then, the
/// far side is told of an end it knows of, or not told of one.
const CHANGES: usize = 8_192;

/// What a dialog may take. One with more, of a long route or with many proxies, is not kept.
const SLOT: usize = 4_096;

type Change = (DialogKey, Option<Box<Standing>>);

/// The way in.
pub(super) struct Keeper(mpsc::Sender<Change>);

impl Keeper {
    /// Opens the file and empties it. What a daemon before this one left in it comes back.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Standing>)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let left = read(&std::fs::read(path)?);
        file.set_len(0)?;
        let (changes, receiver) = mpsc::channel(CHANGES);
        let slots = Slots::new(file);
        std::thread::Builder::new()
            .name("dialogs".to_owned())
            .spawn(move || slots.run(receiver))?;
        Ok((Self(changes), left))
    }

    /// Keeps a dialog in place of what was kept of it, or forgets it. Never waits.
    pub(super) fn keep(&self, dialog: DialogKey, standing: Option<Box<Standing>>) {
        if self.0.try_send((dialog, standing)).is_err() {
            metrics::counter!("strowger_dialogs_not_kept_total").increment(1);
        }
    }
}

/// Every whole slot. One that was cut, or is of another release, is passed over.
fn read(bytes: &[u8]) -> Vec<Standing> {
    let slots = bytes.chunks(SLOT);
    let standing = slots.filter_map(|slot| {
        let (length, rest) = slot.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length))
            .ok()
            .filter(|length| *length > 0)?;
        serde_json::from_slice(rest.get(..length)?).ok()
    });
    standing.collect()
}

struct Slots {
    file: File,
    /// The slot of each dialog, and how much of it is used.
    taken: HashMap<DialogKey, (u64, usize)>,
    free: Vec<u64>,
    /// Slots there are.
    count: u64,
    has_failed: bool,
}

impl Slots {
    fn new(file: File) -> Self {
        Self {
            file,
            taken: HashMap::new(),
            free: Vec::new(),
            count: 0,
            has_failed: false,
        }
    }

    fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        while let Some((dialog, standing)) = changes.blocking_recv() {
            let outcome = match standing {
                Some(standing) => self.put(dialog, &standing),
                None => self.wipe(dialog),
            };
            if let Err(problem) = outcome
                && !std::mem::replace(&mut self.has_failed, true)
            {
                warn!(%problem, "dialogs cannot be kept: were the daemon killed now, phones would not be told");
            }
        }
    }

    fn put(&mut self, dialog: DialogKey, standing: &Standing) -> io::Result<()> {
        let text = serde_json::to_vec(standing)?;
        let Some(length) = u32::try_from(text.len()).ok().filter(|_| text.len() + 4 <= SLOT) else {
            return self.wipe(dialog);
        };
        let before = self.taken.get(&dialog).copied();
        let (slot, used) = before.unwrap_or_else(|| (self.free.pop().unwrap_or(self.count), 0));
        self.count = self.count.max(slot + 1);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&text);
        let filled = bytes.len();
        // Nothing of what was there before is left behind it.
        bytes.resize(filled.max(used), 0);
        self.taken.insert(dialog, (slot, filled));
        self.file.write_all_at(&bytes, slot * SLOT as u64)
    }

    fn wipe(&mut self, dialog: DialogKey) -> io::Result<()> {
        let Some((slot, used)) = self.taken.remove(&dialog) else {
            return Ok(());
        };
        self.free.push(slot);
        self.file.write_all_at(&vec![0; used], slot * SLOT as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::Stage;
    use strowger_model::trunk::Transport;

    fn standing(target: &str) -> Box<Standing> {
        Box::new(Standing {
            stage: Stage::Up {
                sip_call_id: "a".to_owned(),
                local: "<sip:a@b>;tag=1".to_owned(),
                remote: "<sip:c@d>;tag=2".to_owned(),
                number: 3,
                target: target.to_owned(),
                route: vec!["<sip:proxy;lr>".to_owned()],
            },
            transport: Transport::Udp,
            far: "192.0.2.1:5060".parse().unwrap(),
            far_name: None,
            device: None,
            auth: None,
            local_tag: "1".to_owned(),
        })
    }

    #[test]
    fn what_stands_is_read_back_and_what_ended_is_wiped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dialogs");
        let file = File::create_new(&path).unwrap();
        let mut slots = Slots::new(file);
        for key in 0..3 {
            slots
                .put(DialogKey(key), &standing(&format!("sip:first{key}@x")))
                .unwrap();
        }
        slots.put(DialogKey(1), &standing("sip:b@x")).unwrap();
        slots.wipe(DialogKey(0)).unwrap();
        slots.put(DialogKey(4), &standing(&"long".repeat(2_000))).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let whole = String::from_utf8_lossy(&bytes);
        assert!(!whole.contains("first0") && !whole.contains("first1"), "{whole}");
        assert_eq!(read(&bytes), [*standing("sip:b@x"), *standing("sip:first2@x")]);
        assert_eq!(read(bytes.get(..SLOT + 50).unwrap()), []);
        // A slot that is free is taken again.
        slots.put(DialogKey(5), &standing("sip:c@x")).unwrap();
        assert_eq!(slots.count, 3);
        for key in 0..6 {
            slots.wipe(DialogKey(key)).unwrap();
        }
        assert!(std::fs::read(&path).unwrap().iter().all(|byte| *byte == 0));
    }
}
