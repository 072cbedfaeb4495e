//! Browsers as devices: which phone pages are open, and which of them has which side of which call.
//!
//! To a call a browser is a leg like any other: it is invited, rings, answers, holds, presses keys and hangs
//! up, in the same words as a SIP phone ([`Said`]). Its signalling goes over the page's own channel and its
//! audio through a room that only it and the call know. [`Browsers`] stands between: what calls ask of
//! browsers goes in as [`Order`], what people do as [`Ask`]; what a call is told, what pages show and whose
//! audio is let in come out as [`Output`]. Pure: no page, no room and no clock is touched here.

mod speech;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use speech::offer;
pub use words::{Ask, Invited, Line, LineState, Order, Output, Owner, Refused, TabId, Ticket, Word};

use crate::call::Said;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use strowger_media::MediaLegId;
use strowger_model::{CallId, HangupCause, World};
use strowger_sip::DialogKey;
use time::OffsetDateTime;

/// Phone pages one user may have open at once; one more is refused.
const MOST_TABS: usize = 16;

/// Keys pressed with one request.
const MOST_DIGITS: usize = 32;

/// Every open phone page and every browser's side of a call.
pub struct Browsers {
    world: Arc<dyn World>,
    tabs: BTreeMap<TabId, Owner>,
    sides: BTreeMap<DialogKey, Side>,
    outputs: VecDeque<Output>,
}

/// A browser's side of a call.
#[derive(Debug)]
struct Side {
    owner: Owner,
    call: CallId,
    /// The page that placed or took it; none when a program did, or the page is closed by now.
    tab: Option<TabId>,
    stage: Stage,
    /// The room's secret, once somebody goes in.
    room: String,
    number: String,
    name: Option<String>,
    is_inside: bool,
    answered_at: Option<OffsetDateTime>,
}

#[derive(Debug)]
enum Stage {
    /// All pages of its owner ring.
    Rings { media: MediaLegId, offer: Bytes },
    /// It called somebody.
    Calls { state: LineState },
    /// Both sides hear each other.
    Up { held: bool },
}

impl Browsers {
    /// No page is open.
    #[must_use]
    pub fn new(world: Arc<dyn World>) -> Self {
        Self {
            world,
            tabs: BTreeMap::new(),
            sides: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How much is remembered: pages, sides of calls. Both zero when nobody is there.
    #[must_use]
    pub fn leftovers(&self) -> [usize; 2] {
        [self.tabs.len(), self.sides.len()]
    }

    /// A phone page was opened. It is told how things stand, and rings from here on.
    ///
    /// # Errors
    /// Too many are open.
    pub fn open(&mut self, tab: TabId, owner: Owner) -> Result<(), Refused> {
        if self.tabs_of(owner).count() >= MOST_TABS {
            return Err(Refused::TooManyPages);
        }
        self.tabs.insert(tab, owner);
        let lines = self.lines(owner, Some(tab));
        self.outputs.push_back(Output::Tell(tab, Word::Lines(lines)));
        Ok(())
    }

    /// A phone page was closed, or its channel broke. What it was calling is given up; a conversation goes on
    /// until its audio says that nobody is there.
    pub fn close(&mut self, tab: TabId) {
        let Some(owner) = self.tabs.remove(&tab) else {
            return;
        };
        let is_last = self.tabs_of(owner).next().is_none();
        let theirs: Vec<DialogKey> = self.keys_of(owner);
        for key in theirs {
            let Some(side) = self.sides.get_mut(&key) else { continue };
            let was_here = side.tab == Some(tab);
            if was_here {
                side.tab = None;
            }
            match side.stage {
                Stage::Rings { .. } if is_last => self.drop_side(key, Said::Failed { status: 480 }),
                Stage::Calls { .. } if was_here => self.drop_side(key, Said::Cancelled),
                Stage::Rings { .. } | Stage::Calls { .. } | Stage::Up { .. } => {}
            }
        }
        self.announce(owner);
    }

    /// A user calls somebody; the exchange has taken the call in under this dialog.
    pub fn placed(&mut self, key: DialogKey, owner: Owner, tab: Option<TabId>, call: CallId, to: &str) -> Ticket {
        let tab = tab.filter(|tab| self.tabs.get(tab) == Some(&owner));
        let side = Side {
            owner,
            call,
            tab,
            stage: Stage::Calls {
                state: LineState::Calling,
            },
            room: self.secret(),
            number: to.to_owned(),
            name: None,
            is_inside: false,
            answered_at: None,
        };
        let ticket = ticket(&side);
        self.sides.insert(key, side);
        self.announce(owner);
        ticket
    }

    /// Whether a user has a conversation in a browser, or calls somebody from one.
    #[must_use]
    pub fn is_busy(&self, owner: Owner) -> bool {
        let mut sides = self.sides.values().filter(|side| side.owner == owner);
        sides.any(|side| !matches!(side.stage, Stage::Rings { .. }))
    }

    /// The dialog of a user's side of a call.
    #[must_use]
    pub fn dialog(&self, owner: Owner, call: CallId) -> Option<DialogKey> {
        let mut sides = self.sides.iter();
        let found = sides.find(|(_, side)| side.owner == owner && side.call == call);
        found.map(|(key, _)| *key)
    }

    /// Whether a user talks with somebody in that call.
    #[must_use]
    pub fn is_up(&self, key: DialogKey) -> bool {
        let side = self.sides.get(&key);
        side.is_some_and(|side| matches!(side.stage, Stage::Up { .. }))
    }

    /// Does what a user asks for. Accepting gives the ticket into the call's room, claiming gives it again.
    ///
    /// # Errors
    /// There is no such call, or it is not at the point where that can be done.
    pub fn ask(
        &mut self,
        owner: Owner,
        tab: Option<TabId>,
        call: CallId,
        ask: &Ask,
    ) -> Result<Option<Ticket>, Refused> {
        let key = self.dialog(owner, call).ok_or(Refused::NoCall)?;
        let side = self.sides.get_mut(&key).ok_or(Refused::NoCall)?;
        match (ask, &mut side.stage) {
            (Ask::Accept, Stage::Rings { .. }) => return self.accept(key, owner, tab).map(Some),
            (Ask::Reject | Ask::HangUp, Stage::Rings { .. }) => self.drop_side(key, Said::Failed { status: 603 }),
            (Ask::Reject | Ask::HangUp, Stage::Calls { .. }) => self.drop_side(key, Said::Cancelled),
            (Ask::HangUp, Stage::Up { .. }) => self.drop_side(key, Said::Ended(HangupCause::Normal)),
            (Ask::Hold(on), Stage::Up { held }) => {
                if std::mem::replace(held, *on) != *on {
                    let body = speech::direction(*on);
                    self.outputs.push_back(Output::Say(key, Said::Reoffer { body }));
                }
            }
            (Ask::Claim, Stage::Up { .. }) => {
                if side.tab.is_some() && side.tab != tab {
                    return Err(Refused::NotNow);
                }
                side.tab = tab;
                let ticket = ticket(side);
                self.announce(owner);
                return Ok(Some(ticket));
            }
            (Ask::Digits(digits), Stage::Up { .. } | Stage::Calls { .. }) => self.press(key, digits)?,
            (Ask::Accept | Ask::Reject | Ask::Claim | Ask::Hold(_) | Ask::Digits(_), _) => return Err(Refused::NotNow),
        }
        self.announce(owner);
        Ok(None)
    }

    fn accept(&mut self, key: DialogKey, owner: Owner, tab: Option<TabId>) -> Result<Ticket, Refused> {
        if self.is_busy(owner) {
            return Err(Refused::Busy);
        }
        let tab = tab.filter(|tab| self.tabs.get(tab) == Some(&owner));
        let room = self.secret();
        let now = self.world.now();
        let side = self.sides.get_mut(&key).ok_or(Refused::NoCall)?;
        let was = std::mem::replace(&mut side.stage, Stage::Up { held: false });
        let Stage::Rings { media, offer } = was else {
            side.stage = was;
            return Err(Refused::NotNow);
        };
        (side.tab, side.room, side.answered_at) = (tab, room, Some(now));
        let ticket = ticket(side);
        let body = speech::answer(&offer);
        self.outputs.push_back(Output::Say(key, Said::Answered { body }));
        self.let_in(key, media);
        self.announce(owner);
        Ok(ticket)
    }

    /// Takes what a call asks of a browser.
    pub fn handle(&mut self, key: DialogKey, order: Order) {
        match order {
            Order::Invite(invited) => self.invited(key, *invited),
            Order::Ring { media } => {
                if let Some(media) = media {
                    self.let_in(key, media);
                }
                let Some(side) = self.sides.get_mut(&key) else { return };
                if let Stage::Calls { state } = &mut side.stage {
                    *state = if side.is_inside {
                        LineState::Early
                    } else {
                        LineState::Ringing
                    };
                    let owner = side.owner;
                    self.announce(owner);
                }
            }
            Order::Answer { media } => {
                let now = self.world.now();
                let Some(side) = self.sides.get_mut(&key) else { return };
                side.stage = Stage::Up { held: false };
                side.answered_at = Some(now);
                let owner = side.owner;
                if let Some(media) = media {
                    self.let_in(key, media);
                }
                // A phone acknowledges an answer; so does a browser.
                let body = Bytes::new();
                self.outputs.push_back(Output::Say(key, Said::Confirmed { body }));
                self.announce(owner);
            }
            Order::Over { cause } => {
                self.outputs.push_back(Output::Say(key, Said::Ended(cause)));
                let Some(side) = self.sides.remove(&key) else { return };
                self.leave(key, &side);
                self.tell_ended(&side, cause);
                self.announce(side.owner);
            }
        }
    }

    fn invited(&mut self, key: DialogKey, invited: Invited) {
        let owner = invited.owner;
        let status = if self.tabs_of(owner).next().is_none() {
            480
        } else if self.is_busy(owner) {
            486
        } else {
            180
        };
        if status != 180 {
            self.outputs.push_back(Output::Say(key, Said::Failed { status }));
            return;
        }
        let side = Side {
            owner,
            call: invited.call,
            tab: None,
            stage: Stage::Rings {
                media: invited.media,
                offer: invited.offer,
            },
            room: String::new(),
            number: invited.from_number,
            name: invited.from_name,
            is_inside: false,
            answered_at: None,
        };
        self.sides.insert(key, side);
        let body = Bytes::new();
        self.outputs
            .push_back(Output::Say(key, Said::Progress { status, body }));
        self.announce(owner);
    }

    /// The audio of a side is gone: its browser left or never came.
    pub fn deserted(&mut self, key: DialogKey) {
        if let Some(side) = self.sides.get(&key) {
            let owner = side.owner;
            let call = side.call;
            self.drop_side(key, Said::Ended(HangupCause::MediaTimeout));
            self.tell_all(owner, &Word::Ended(call, HangupCause::MediaTimeout));
            self.announce(owner);
        }
    }

    /// Keys that came along with the audio, as stock clients send them.
    pub fn pressed(&mut self, key: DialogKey, digits: &str) {
        // What is no key is nobody's mistake but the client's.
        let _ = self.press(key, digits);
    }

    fn press(&mut self, key: DialogKey, digits: &str) -> Result<(), Refused> {
        let is_key = |digit: char| digit.is_ascii_digit() || matches!(digit, '*' | '#' | 'A'..='D');
        let fits = (1..=MOST_DIGITS).contains(&digits.len()) && digits.chars().all(is_key);
        if !fits || !self.sides.contains_key(&key) {
            return Err(Refused::NoKeys);
        }
        for digit in digits.chars() {
            let said = Said::Info {
                content_type: "application/dtmf".to_owned(),
                body: Bytes::from(digit.to_string()),
            };
            self.outputs.push_back(Output::Say(key, said));
        }
        Ok(())
    }

    /// Ends a side by what its browser says.
    fn drop_side(&mut self, key: DialogKey, said: Said) {
        if let Some(side) = self.sides.remove(&key) {
            self.outputs.push_back(Output::Say(key, said));
            self.leave(key, &side);
        }
    }

    fn let_in(&mut self, key: DialogKey, media: MediaLegId) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        if std::mem::replace(&mut side.is_inside, true) {
            return;
        }
        self.outputs.push_back(Output::Open {
            key,
            ticket: ticket(side),
            media,
            name: side.name.clone().unwrap_or_else(|| side.number.clone()),
        });
    }

    fn leave(&mut self, key: DialogKey, side: &Side) {
        if !side.room.is_empty() {
            let ticket = ticket(side);
            self.outputs.push_back(Output::Shut { key, ticket });
        }
    }

    fn tell_ended(&mut self, side: &Side, cause: HangupCause) {
        self.tell_all(side.owner, &Word::Ended(side.call, cause));
    }

    fn tell_all(&mut self, owner: Owner, word: &Word) {
        let tabs: Vec<TabId> = self.tabs_of(owner).collect();
        for tab in tabs {
            self.outputs.push_back(Output::Tell(tab, word.clone()));
        }
    }

    /// Shows every page of a user how things stand.
    fn announce(&mut self, owner: Owner) {
        let tabs: Vec<TabId> = self.tabs_of(owner).collect();
        for tab in tabs {
            let lines = self.lines(owner, Some(tab));
            self.outputs.push_back(Output::Tell(tab, Word::Lines(lines)));
        }
    }

    /// A user's sides of calls as one of their pages shows them.
    #[must_use]
    pub fn lines(&self, owner: Owner, tab: Option<TabId>) -> Vec<Line> {
        let sides = self.sides.values().filter(|side| side.owner == owner);
        sides
            .map(|side| Line {
                call: side.call,
                number: side.number.clone(),
                name: side.name.clone(),
                state: match side.stage {
                    Stage::Rings { .. } => LineState::Incoming,
                    Stage::Calls { state } => state,
                    Stage::Up { held: true } => LineState::Held,
                    Stage::Up { held: false } => LineState::Active,
                },
                is_here: side.tab.is_some() && side.tab == tab,
                answered_at: side.answered_at,
            })
            .collect()
    }

    fn tabs_of(&self, owner: Owner) -> impl Iterator<Item = TabId> {
        let tabs = self.tabs.iter().filter(move |(_, theirs)| **theirs == owner);
        tabs.map(|(tab, _)| *tab)
    }

    fn keys_of(&self, owner: Owner) -> Vec<DialogKey> {
        let sides = self.sides.iter().filter(|(_, side)| side.owner == owner);
        sides.map(|(key, _)| *key).collect()
    }

    /// 128 bits that nobody can guess.
    fn secret(&self) -> String {
        let mut bytes = [0; 16];
        self.world.fill(&mut bytes);
        format!("{:032x}", u128::from_be_bytes(bytes))
    }
}

impl std::fmt::Debug for Browsers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Browsers")
            .field("tabs", &self.tabs)
            .field("sides", &self.sides.len())
            .finish_non_exhaustive()
    }
}

fn ticket(side: &Side) -> Ticket {
    Ticket {
        call: side.call,
        owner: side.owner,
        room: side.room.clone(),
    }
}
