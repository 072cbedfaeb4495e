//! A phone or a provider: an endpoint of its own and somebody who decides.

use crate::chance::Chance;
use crate::house::{Account, REALM, ours};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_media::sdp::{Preference, Session};
use strowger_media::{Codec, Direction as Way};
use strowger_model::trunk::Transport;
use strowger_model::world::SeededWorld;
use strowger_model::{TrunkId, World};
use strowger_sip::endpoint::Input;
use strowger_sip::{Command, DialogKey, Endpoint, Invite, RegisterTrunk, SipConfig, SipEvent, Target};

/// Something a person does some time later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Register,
    Call { to: String, patience: Option<Duration> },
    Answer(DialogKey),
    Refuse(DialogKey, u16),
    GiveUp(DialogKey),
    HangUp(DialogKey),
    Hold(DialogKey, bool),
    Info(DialogKey),
}

pub(crate) struct Phone {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: SocketAddr,
    pub(crate) username: String,
    trunk: TrunkId,
    talks: BTreeMap<DialogKey, Talk>,
    next_dialog: u64,
    pub(crate) tally: Tally,
}

struct Talk {
    session: Session,
    offer: Bytes,
    answered: bool,
    cancelled: bool,
    calling: bool,
}

/// What a phone saw, for the verdict.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) placed: usize,
    pub(crate) was_answered: usize,
    pub(crate) was_refused: usize,
    pub(crate) took: usize,
}

impl Phone {
    pub(crate) fn new(username: &str, address: SocketAddr, world: &Arc<SeededWorld>, now: Instant) -> Self {
        let trunk = TrunkId::generate(world.as_ref());
        let username = username.to_owned();
        let account = Account {
            username: username.clone(),
            trunk,
        };
        let config = SipConfig {
            udp: vec![address],
            ..SipConfig::default()
        };
        let shared: Arc<dyn World> = world.clone();
        Self {
            endpoint: Endpoint::new(config, address.ip(), Arc::new(account), shared, now),
            address,
            username,
            trunk,
            talks: BTreeMap::new(),
            next_dialog: 2,
            tally: Tally::default(),
        }
    }

    /// How many conversations it believes to be in.
    pub(crate) fn talks(&self) -> usize {
        self.talks.len()
    }

    fn command(&mut self, command: Command, now: Instant) {
        self.endpoint.handle(Input::Command(command), now);
    }

    fn session(&self, dialog: DialogKey) -> Session {
        let port = 20_000 + (dialog.0 % 20_000) as u16 * 2;
        Session::new(SocketAddr::new(self.address.ip(), port), dialog.0)
    }

    /// Does something; what follows from it is added to `later`.
    pub(crate) fn act(&mut self, act: Act, chance: &mut Chance, now: Instant, later: &mut Vec<(Duration, Act)>) {
        match act {
            Act::Register => {
                let register = RegisterTrunk {
                    trunk: self.trunk,
                    addr: ours(),
                    host: REALM.to_owned(),
                    port: 5060,
                    transport: Transport::Udp,
                    expires: Duration::from_secs(3_600),
                };
                self.command(Command::RegisterTrunk(Box::new(register)), now);
            }
            Act::Call { to, patience } => self.call(&to, patience, chance, now, later),
            Act::Answer(dialog) => {
                let Some(talk) = self.talks.get_mut(&dialog).filter(|talk| !talk.answered) else {
                    return;
                };
                talk.answered = true;
                let offer = talk.offer.clone();
                let body = if offer.is_empty() {
                    talk.session.offer(Codec::Pcma)
                } else {
                    talk.session.answer(&offer, Preference::TheirOrder).unwrap().0
                };
                self.tally.took += 1;
                self.command(Command::Answer { dialog, body }, now);
            }
            Act::Refuse(dialog, status) => {
                if self.talks.get(&dialog).is_some_and(|talk| !talk.answered) {
                    let reason = String::new();
                    self.command(
                        Command::Reject {
                            dialog,
                            status,
                            reason,
                            retry_after_s: None,
                        },
                        now,
                    );
                }
            }
            Act::GiveUp(dialog) => {
                if let Some(talk) = self.talks.get_mut(&dialog).filter(|talk| !talk.answered) {
                    talk.cancelled = true;
                    self.command(Command::Cancel { dialog }, now);
                }
            }
            Act::HangUp(dialog) => {
                if self.talks.contains_key(&dialog) {
                    self.command(Command::Bye { dialog, reason: None }, now);
                }
            }
            Act::Hold(dialog, held) => {
                if let Some(talk) = self.talks.get_mut(&dialog).filter(|talk| talk.answered) {
                    talk.session.want(if held { Way::SEND } else { Way::BOTH });
                    let body = talk.session.offer(Codec::Pcma);
                    self.command(Command::Reoffer { dialog, body }, now);
                }
            }
            Act::Info(dialog) => {
                if self.talks.get(&dialog).is_some_and(|talk| talk.answered) {
                    let content_type = "application/dtmf-relay".to_owned();
                    let digit = b"1234"[(chance.next() % 4) as usize] as char;
                    let body = Bytes::from(format!("Signal={digit}\r\nDuration=160\r\n"));
                    self.command(
                        Command::Info {
                            dialog,
                            content_type,
                            body,
                        },
                        now,
                    );
                }
            }
        }
    }

    fn call(
        &mut self,
        to: &str,
        patience: Option<Duration>,
        chance: &mut Chance,
        now: Instant,
        later: &mut Vec<(Duration, Act)>,
    ) {
        let dialog = DialogKey(self.next_dialog);
        self.next_dialog += 2;
        let mut session = self.session(dialog);
        let first = if chance.happens(0.5) { Codec::Pcma } else { Codec::Pcmu };
        let offer = session.offer(first);
        // Some devices leave the offer to us.
        let late = chance.happens(0.05);
        let talk = Talk {
            session,
            offer: Bytes::new(),
            answered: false,
            cancelled: false,
            calling: true,
        };
        self.talks.insert(dialog, talk);
        self.tally.placed += 1;
        let invite = Invite {
            dialog,
            sip_call_id: format!("{}-{dialog}", self.username),
            target: Target::Address {
                addr: ours(),
                transport: Transport::Udp,
                user: to.to_owned(),
            },
            from_user: self.username.clone(),
            from_display: None,
            from_host: None,
            to_user: to.to_owned(),
            offer: if late { Bytes::new() } else { offer },
            auth: Some(self.trunk),
            headers: Vec::new(),
            patience: None,
        };
        self.command(Command::Invite(Box::new(invite)), now);
        if let Some(patience) = patience {
            later.push((patience, Act::GiveUp(dialog)));
        }
    }

    /// Takes what the endpoint says; what the person does about it is added to `later`.
    pub(crate) fn hears(
        &mut self,
        event: SipEvent,
        chance: &mut Chance,
        now: Instant,
        later: &mut Vec<(Duration, Act)>,
    ) {
        match event {
            SipEvent::Incoming(incoming) => {
                let dialog = incoming.dialog;
                let talk = Talk {
                    session: self.session(dialog),
                    offer: incoming.offer,
                    answered: false,
                    cancelled: false,
                    calling: false,
                };
                self.talks.insert(dialog, talk);
                self.rung(dialog, chance, now, later);
            }
            SipEvent::Answered { dialog, body } => {
                let Some(talk) = self.talks.get_mut(&dialog) else {
                    return;
                };
                if talk.cancelled {
                    return self.command(Command::Bye { dialog, reason: None }, now);
                }
                talk.answered = true;
                self.tally.was_answered += 1;
                // A late offer is answered in the ACK, which our endpoint does not do from here: hang up.
                if talk.session.accept_answer(&body).is_err() {
                    return self.command(Command::Bye { dialog, reason: None }, now);
                }
                self.talks_on(dialog, 25_000, chance, later);
            }
            SipEvent::Confirmed { dialog, .. } => {
                let longest = if chance.happens(0.5) { 30_000 } else { 90_000 };
                self.talks_on(dialog, longest, chance, later);
            }
            SipEvent::Reoffer { dialog, body } => {
                let Some(talk) = self.talks.get_mut(&dialog) else {
                    return;
                };
                let body = talk.session.answer(&body, Preference::TheirOrder).unwrap().0;
                self.command(Command::AnswerReoffer { dialog, body }, now);
            }
            SipEvent::Failed { dialog, .. } => {
                let unanswered = self
                    .talks
                    .remove(&dialog)
                    .is_some_and(|talk| talk.calling && !talk.answered);
                self.tally.was_refused += usize::from(unanswered);
            }
            SipEvent::Cancelled { dialog } | SipEvent::Ended { dialog, .. } => {
                self.talks.remove(&dialog);
            }
            _ => {}
        }
    }

    /// It rings: somebody answers, refuses, or is not there.
    fn rung(&mut self, dialog: DialogKey, chance: &mut Chance, now: Instant, later: &mut Vec<(Duration, Act)>) {
        let ms = Duration::from_millis;
        let (rings, act) = match chance.next() % 20 {
            0..=10 => (true, Some((chance.between(100, 6_000), Act::Answer(dialog)))),
            11..=12 => (false, Some((0, Act::Answer(dialog)))),
            13..=14 => (false, Some((chance.between(0, 50), Act::Refuse(dialog, 486)))),
            15 => (true, Some((chance.between(500, 4_000), Act::Refuse(dialog, 603)))),
            16 => (
                false,
                Some((0, Act::Refuse(dialog, *chance.pick(&[404, 480, 500, 503])))),
            ),
            17 => (true, Some((chance.between(100, 2_000), Act::Refuse(dialog, 486)))),
            _ => (true, None),
        };
        if rings {
            let body = Bytes::new();
            self.command(
                Command::Ring {
                    dialog,
                    status: 180,
                    body,
                },
                now,
            );
        }
        if let Some((after, act)) = act {
            later.push((ms(after), act));
        }
    }

    /// A conversation goes on for a while, perhaps with a hold in between, and is hung up.
    fn talks_on(&self, dialog: DialogKey, longest: u64, chance: &mut Chance, later: &mut Vec<(Duration, Act)>) {
        let ms = Duration::from_millis;
        let length = chance.between(50, longest);
        if chance.happens(0.15) && length > 3_000 {
            later.push((ms(length / 3), Act::Hold(dialog, true)));
            later.push((ms(length / 2), Act::Hold(dialog, false)));
        }
        if chance.happens(0.2) {
            later.push((ms(length / 4), Act::Info(dialog)));
        }
        later.push((ms(length), Act::HangUp(dialog)));
    }
}
