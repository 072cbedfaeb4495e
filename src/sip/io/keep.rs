//! The file of dialogs that stand: one slot each, written over in place and wiped when its dialog ends, so that it never
//! holds more than what goes on and costs one write a change. It is not brought to the disk by force: it is there for
//! a daemon that was killed, not for a machine that lost its power.

use crate::event::DialogKey;
use crate::standing::Standing;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use tokio::sync::mpsc;
use tracing::warn;

/// Changes on their way to the file. Those it has no room for wait until it has, the newest of each dialog alone.
const CHANGES: usize = 8_192;

/// Dialogs of which a change may wait so, with a disk that stalls for minutes. Of one more nothing is changed: should the
/// daemon be killed just then, its far side is told of an end it knows of, or not told of one.
const LATE: usize = 65_536;

/// What a dialog may take. One with more, of a long route or with many proxies, is kept without its memo, or not at all.
const SLOT: usize = 4_096;

/// How a slot is written, in the highest byte of its length: a checksum follows, then the text.
const FORM: u32 = 1;
/// The form before there were checksums: the text follows at once.
const FORMER: u32 = 0;
/// Bytes of SHA-256 that tell a whole slot.
const CHECK: usize = 8;
/// Bytes before the text.
const HEAD: usize = 4 + CHECK;

type Change = (DialogKey, Option<Box<Standing>>);

/// The way in.
pub(super) struct Keeper {
    queue: mpsc::Sender<Change>,
    late: HashMap<DialogKey, Option<Box<Standing>>>,
}

impl Keeper {
    /// Opens the file and empties it. What a daemon before this one left in it comes back.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Standing>)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let left = read(&std::fs::read(path)?);
        file.set_len(0)?;
        let (queue, receiver) = mpsc::channel(CHANGES);
        let slots = Slots::new(file);
        std::thread::Builder::new()
            .name("dialogs".to_owned())
            .spawn(move || slots.run(receiver))?;
        let late = HashMap::new();
        Ok((Self { queue, late }, left))
    }

    /// Keeps a dialog in place of what was kept of it, or forgets it. Never waits.
    pub(super) fn keep(&mut self, dialog: DialogKey, standing: Option<Box<Standing>>) {
        // In order: a change must not overtake an older one of its dialog.
        let late = if self.late.is_empty() {
            self.queue
                .try_send((dialog, standing))
                .err()
                .map(|full| full.into_inner())
        } else {
            Some((dialog, standing))
        };
        let Some((dialog, standing)) = late else { return };
        if self.late.len() < LATE || self.late.contains_key(&dialog) {
            self.late.insert(dialog, standing);
        } else {
            metrics::counter!("strowger_dialogs_not_kept_total").increment(1);
        }
    }

    /// Hands over what there was no room for.
    pub(super) fn catch_up(&mut self) {
        while let Some(dialog) = self.late.keys().next().copied() {
            let Ok(permit) = self.queue.try_reserve() else { return };
            if let Some(standing) = self.late.remove(&dialog) {
                permit.send((dialog, standing));
            }
        }
    }
}

/// Every whole slot. One that was cut or changed, or is of a later release, is passed over.
fn read(bytes: &[u8]) -> Vec<Standing> {
    bytes.chunks(SLOT).filter_map(read_one).collect()
}

fn read_one(slot: &[u8]) -> Option<Standing> {
    let (head, rest) = slot.split_first_chunk::<4>()?;
    let head = u32::from_le_bytes(*head);
    let (form, length) = (head >> 24, usize::try_from(head & 0x00ff_ffff).ok()?);
    if length == 0 {
        return None;
    }
    match form {
        FORM => {
            let (check, rest) = rest.split_first_chunk::<CHECK>()?;
            let text = rest.get(..length)?;
            (checksum(text) == *check).then(|| serde_json::from_slice(text).ok())?
        }
        // Nothing tells whether it is whole: good enough to end a dialog, not to take it up.
        FORMER => {
            let former: Standing = serde_json::from_slice(rest.get(..length)?).ok()?;
            Some(Standing { memo: None, ..former })
        }
        _ => None,
    }
}

fn checksum(text: &[u8]) -> [u8; CHECK] {
    let digest = digest(&SHA256, text);
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// A slot's bytes, where they fit.
fn written(standing: &Standing) -> io::Result<Option<Vec<u8>>> {
    let text = serde_json::to_vec(standing)?;
    let Some(length) = u32::try_from(text.len()).ok().filter(|_| text.len() + HEAD <= SLOT) else {
        return Ok(None);
    };
    let mut bytes = (FORM << 24 | length).to_le_bytes().to_vec();
    bytes.extend_from_slice(&checksum(&text));
    bytes.extend_from_slice(&text);
    Ok(Some(bytes))
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
            if outcome.is_err() {
                self.spoil(dialog);
            }
            if let Err(problem) = outcome
                && !std::mem::replace(&mut self.has_failed, true)
            {
                warn!(%problem, "dialogs cannot be kept: were the daemon killed now, phones would not be told");
            }
        }
    }

    /// What could not be written over may be out of date: the checksum of the slot is made not to fit, if that much can
    /// be written.
    fn spoil(&self, dialog: DialogKey) {
        if let Some((slot, _)) = self.taken.get(&dialog) {
            let _ = self.file.write_all_at(&[0; HEAD], slot * SLOT as u64);
        }
    }

    fn put(&mut self, dialog: DialogKey, standing: &Standing) -> io::Result<()> {
        let mut whole = written(standing)?;
        if whole.is_none() && standing.memo.is_some() {
            let bare = Standing {
                memo: None,
                ..standing.clone()
            };
            whole = written(&bare)?;
        }
        let Some(mut bytes) = whole else {
            return self.wipe(dialog);
        };
        let before = self.taken.get(&dialog).copied();
        let (slot, used) = before.unwrap_or_else(|| (self.free.pop().unwrap_or(self.count), 0));
        self.count = self.count.max(slot + 1);
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
            is_ours: true,
            refresh: None,
            memo: None,
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

    #[test]
    fn a_damaged_slot_costs_itself_alone_and_one_of_the_former_release_its_memo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dialogs");
        let mut slots = Slots::new(File::create_new(&path).unwrap());
        for key in 0..3 {
            let mut one = standing(&format!("sip:{key}@x"));
            one.memo = Some(serde_json::json!({ "of": key }));
            slots.put(DialogKey(key), &one).unwrap();
        }
        let mut bytes = std::fs::read(&path).unwrap();
        // A letter of a text becomes another one: still JSON, no longer what was written.
        let place = bytes.windows(7).position(|part| part == b"sip:1@x").unwrap();
        bytes[place] ^= 2;
        let targets = |bytes: &[u8]| -> Vec<_> { read(bytes).into_iter().map(|one| (one.stage, one.memo)).collect() };
        let left = targets(&bytes);
        assert_eq!(left.len(), 2);
        assert!(left.iter().all(|(_, memo)| memo.is_some()));
        let mut former = standing("sip:old@x");
        former.memo = Some(serde_json::json!({ "of": 9 }));
        let text = serde_json::to_vec(&former).unwrap();
        let mut slot = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
        slot.extend_from_slice(&text);
        assert_eq!(targets(&slot), [(former.stage.clone(), None)]);
        // A form that nobody knows yet.
        slot[3] = 9;
        assert_eq!(targets(&slot), []);
    }

    #[test]
    fn a_memo_that_does_not_fit_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dialogs");
        let mut slots = Slots::new(File::create_new(&path).unwrap());
        let mut one = standing("sip:a@x");
        one.memo = Some(serde_json::json!("long".repeat(2_000)));
        slots.put(DialogKey(1), &one).unwrap();
        assert_eq!(read(&std::fs::read(&path).unwrap()), [*standing("sip:a@x")]);
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..9_000))| {
            let _ = read(&bytes);
        });
    }

    #[test]
    fn what_there_is_no_room_for_is_kept_late_the_newest_alone() {
        let (queue, mut queued) = mpsc::channel(1);
        let mut keeper = Keeper {
            queue,
            late: HashMap::new(),
        };
        keeper.keep(DialogKey(1), None);
        keeper.keep(DialogKey(2), Some(standing("sip:old@x")));
        keeper.keep(DialogKey(2), Some(standing("sip:new@x")));
        assert_eq!(queued.try_recv().unwrap().0, DialogKey(1));
        keeper.catch_up();
        assert_eq!(queued.try_recv().unwrap(), (DialogKey(2), Some(standing("sip:new@x"))));
        keeper.catch_up();
        assert!(queued.try_recv().is_err());
    }
}
