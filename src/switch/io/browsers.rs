//! Browsers' audio and pages: one small task a side of a call lets its leg into the room where its browser
//! is, and says when the browser is gone. A call never waits for a room.

use crate::browser::{Browsers, Output, Owner, Refused, TabId, Ticket, Word};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use strowger_media::{AudioPort, MediaHandle};
use strowger_model::{TenantId, UserId};
use strowger_rooms::protocol::DisconnectReason;
use strowger_rooms::{Grants, JoinPhone, PhoneEvent, PhoneSession, RoomName, RoomsHandle};
use strowger_sip::DialogKey;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

/// Words for one page that wait. A page that does not read is closed; it comes back and is told everything.
const WORDS: usize = 64;

/// What all sides' rooms said and nobody has taken yet. When it is full a side's task waits.
pub(super) const HEARD: usize = 256;

/// How long a browser may take to come into its room.
const PATIENCE: Duration = Duration::from_secs(40);

/// The phone pages that are open, as anybody may look at them.
#[derive(Debug, Default)]
pub(super) struct Pages {
    open: Mutex<HashMap<TabId, Owner>>,
    last: AtomicU64,
}

impl Pages {
    fn open(&self) -> MutexGuard<'_, HashMap<TabId, Owner>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_id(&self) -> TabId {
        TabId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn has(&self, user: UserId) -> bool {
        self.open().values().any(|owner| owner.user == user)
    }

    /// How many pages each user of a tenant has open.
    pub(super) fn of(&self, tenant: TenantId) -> HashMap<UserId, usize> {
        let mut counted = HashMap::new();
        for owner in self.open().values().filter(|owner| owner.tenant == tenant) {
            *counted.entry(owner.user).or_default() += 1;
        }
        counted
    }
}

/// What a side's room said.
#[derive(Debug)]
pub(super) enum Heard {
    /// The browser left, or never came.
    Deserted(DialogKey),
    /// It pressed keys, as stock clients do.
    Digits(DialogKey, String),
}

/// The browsers with what their outputs are performed with.
pub(super) struct Desk {
    pub(super) browsers: Browsers,
    pages: std::sync::Arc<Pages>,
    words: HashMap<TabId, mpsc::Sender<Word>>,
    rooms: Option<RoomsHandle>,
    media: MediaHandle,
    heard: mpsc::Sender<Heard>,
    tasks: TaskTracker,
    /// Ends a side's task.
    running: HashMap<DialogKey, CancellationToken>,
}

impl Desk {
    pub(super) fn new(
        browsers: Browsers,
        pages: std::sync::Arc<Pages>,
        rooms: Option<RoomsHandle>,
        media: MediaHandle,
        heard: mpsc::Sender<Heard>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            browsers,
            pages,
            words: HashMap::new(),
            rooms,
            media,
            heard,
            tasks,
            running: HashMap::new(),
        }
    }

    /// Whether browsers can be heard at all.
    pub(super) const fn has_rooms(&self) -> bool {
        self.rooms.is_some()
    }

    /// Opens a page's channel.
    pub(super) fn open(&mut self, owner: Owner) -> Result<(TabId, mpsc::Receiver<Word>), Refused> {
        if !self.has_rooms() {
            return Err(Refused::NoRooms);
        }
        let tab = self.pages.next_id();
        let (sender, words) = mpsc::channel(WORDS);
        self.words.insert(tab, sender);
        if let Err(refused) = self.browsers.open(tab, owner) {
            self.words.remove(&tab);
            return Err(refused);
        }
        self.pages.open().insert(tab, owner);
        Ok((tab, words))
    }

    /// A page's channel is gone.
    pub(super) fn close(&mut self, tab: TabId) {
        self.words.remove(&tab);
        self.pages.open().remove(&tab);
        self.browsers.close(tab);
    }

    /// Does what does not concern calls; what is to be said to a call comes back.
    pub(super) fn perform(&mut self, output: Output) -> Option<(DialogKey, crate::call::Said)> {
        match output {
            Output::Say(key, said) => return Some((key, said)),
            Output::Tell(tab, word) => {
                let told = self.words.get(&tab).map(|words| words.try_send(word));
                if told.is_some_and(|told| told.is_err()) {
                    debug!("a phone page does not read; its channel is closed");
                    self.close(tab);
                }
            }
            Output::Open {
                key,
                ticket,
                media,
                name,
            } => self.let_in(key, &ticket, media, name),
            Output::Shut { key, ticket } => self.shut(key, &ticket),
        }
        None
    }

    fn let_in(&mut self, key: DialogKey, ticket: &Ticket, media: strowger_media::MediaLegId, name: String) {
        let Some(rooms) = self.rooms.clone() else { return };
        let (ours, theirs) = AudioPort::pair();
        self.media.face(media, ours);
        let over = CancellationToken::new();
        self.running.insert(key, over.clone());
        let side = Side {
            key,
            room: ticket.room(),
            rooms,
            heard: self.heard.clone(),
        };
        self.tasks.spawn(side.run(name, theirs, over));
    }

    fn shut(&mut self, key: DialogKey, ticket: &Ticket) {
        if let Some(over) = self.running.remove(&key) {
            return over.cancel();
        }
        // Nobody was heard in it yet; its browser may wait there all the same.
        let (Some(rooms), room) = (self.rooms.clone(), ticket.room()) else {
            return;
        };
        self.tasks.spawn(async move {
            // One that was not made needs no end.
            let _ = rooms.delete(&room).await;
        });
    }
}

struct Side {
    key: DialogKey,
    room: RoomName,
    rooms: RoomsHandle,
    heard: mpsc::Sender<Heard>,
}

impl Side {
    async fn run(self, name: String, port: AudioPort, over: CancellationToken) {
        if self.stay(name, port, &over).await.is_none() {
            // The exchange ends after its sides.
            let _ = self.heard.send(Heard::Deserted(self.key)).await;
        }
        // Over by itself when the browser was told to leave it.
        let _ = self.rooms.delete(&self.room).await;
    }

    /// Until the call ends it; `None` when the browser is gone before.
    async fn stay(&self, name: String, port: AudioPort, over: &CancellationToken) -> Option<()> {
        if let Err(why) = self.rooms.open_line(&self.room).await {
            warn!(%why, "a browser's side of a call has no room");
            return None;
        }
        let join = JoinPhone {
            room: self.room.clone(),
            identity: "call".to_owned(),
            name,
            metadata: String::new(),
            attributes: std::collections::BTreeMap::new(),
            grants: Grants::default(),
            port,
            is_recordable: true,
        };
        let mut session = match self.rooms.join_phone(join).await {
            Ok(session) => session,
            Err(why) => {
                warn!(%why, "a call may not come into its browser's room");
                return None;
            }
        };
        let ended = self.watch(&mut session, over).await;
        let reason = DisconnectReason::ClientInitiated;
        self.rooms.leave_phone(&self.room, &session.sid, reason).await;
        ended
    }

    async fn watch(&self, session: &mut PhoneSession, over: &CancellationToken) -> Option<()> {
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        let mut is_waiting = true;
        loop {
            // Every branch waits on a token, a channel or the clock: dropping one loses nothing.
            tokio::select! {
                () = over.cancelled() => return Some(()),
                () = &mut patience, if is_waiting => {
                    is_waiting = false;
                    let inside = self.rooms.participants(&self.room).await.map_or(0, |inside| inside.len());
                    if inside < 2 {
                        info!("a browser did not come to its call");
                        return None;
                    }
                }
                event = session.events.recv() => match event {
                    Some(PhoneEvent::Alone | PhoneEvent::Removed { .. } | PhoneEvent::RoomEnded) | None => return None,
                    Some(PhoneEvent::Digits(digits)) => {
                        let _ = self.heard.send(Heard::Digits(self.key, digits)).await;
                    }
                    Some(PhoneEvent::Muted(_) | PhoneEvent::Agent(_) | PhoneEvent::Recorded(_)) => {}
                },
            }
        }
    }
}
