//! Browsers at the exchange: calls they place, calls they hand over, and what calls ask of them.

use super::{Exchange, Output};
use crate::browser;
use crate::call::{Arrival, Call, InviteTarget, Signal};
use crate::directory::Person;
use crate::route::Asker;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;
use strowger_model::{CallId, number};
use strowger_sip::DialogKey;

impl Exchange {
    /// A user calls somebody from a browser, which speaks under this dialog from here on.
    ///
    /// # Errors
    /// They may not, or we are at a limit. A number that leads nowhere is no error: the call is refused like
    /// a phone's, and its browser told.
    pub fn call_from_browser(
        &mut self,
        dialog: DialogKey,
        owner: browser::Owner,
        to: &str,
        now: Instant,
    ) -> Result<CallId, browser::Refused> {
        if self.draining {
            return Err(browser::Refused::ShuttingDown);
        }
        if self.calls.len() >= self.most_calls {
            metrics::counter!("strowger_calls_refused_total").increment(1);
            return Err(browser::Refused::Full);
        }
        let known = self.directory.person(owner.user);
        let of_tenant = known.filter(|person| person.user.tenant == Some(owner.tenant));
        let person = of_tenant.ok_or(browser::Refused::NoUser)?;
        if !person.policy.browser_calls {
            return Err(browser::Refused::SwitchedOff);
        }
        let (from_number, name) = (shown(person), person.user.name.clone());
        // Somebody who is called by id, name or address is written as what people call them by.
        let called = self.directory.person_of_id(owner.tenant, to).or_else(|| {
            let is_number = to.chars().any(|letter| letter.is_ascii_digit()) && !to.contains('@');
            let person = self.directory.find_person(owner.tenant, to);
            person.filter(|_| !is_number)
        });
        let (dialled, written) = match called {
            Some(person) => (person.user.id.to_string(), shown(person)),
            None => (to.to_owned(), number::normalise(to).unwrap_or_else(|| to.to_owned())),
        };
        let asker = Asker::Device { tenant: owner.tenant };
        let decision = self.decide(asker, &dialled, &from_number);
        if decision.foreign {
            let tenant = owner.tenant;
            self.outputs.push_back(Output::CrossedTenant { tenant, dialled });
        }
        let arrival = Arrival {
            dialog,
            sip_call_id: String::new(),
            from_number,
            from_name: Some(name.clone()),
            dialled: written,
            offer: browser::offer(),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            device: None,
            user: Some(owner.user),
            trunk: None,
            browser: true,
            party: name,
        };
        self.browsers.insert(dialog);
        let call = self.with_scene(now, |scene| Call::arrive(arrival, owner.tenant, decision, scene));
        Ok(self.enter(call, now))
    }

    /// The party of this dialog hands the one it talks with to somebody else; whether that could be done.
    pub fn hand_over(&mut self, call: CallId, dialog: DialogKey, to: &str, now: Instant) -> bool {
        let mut is_done = false;
        self.guarded(call, now, |call, scene| is_done = call.hand_over(dialog, to, scene));
        is_done
    }

    /// Whether a signal is for a browser; an invitation makes its dialog known as one.
    pub(super) fn is_browser(&mut self, dialog: DialogKey, signal: &Signal) -> bool {
        if let Signal::Invite(invite) = signal
            && matches!(invite.target, InviteTarget::Browser(_))
        {
            self.browsers.insert(dialog);
        }
        self.browsers.contains(&dialog)
    }
}

/// What people call somebody by.
fn shown(person: &Person) -> String {
    let extension = person.user.extension.clone();
    extension.unwrap_or_else(|| person.user.email.clone())
}

/// A signal as a browser is told of it.
pub(super) fn order(call: &Call, dialog: DialogKey, signal: Signal) -> Option<browser::Order> {
    let media = call.media_of(dialog);
    Some(match signal {
        Signal::Invite(invite) => {
            let InviteTarget::Browser(user) = invite.target else {
                return None;
            };
            browser::Order::Invite(Box::new(browser::Invited {
                owner: browser::Owner {
                    tenant: call.tenant(),
                    user,
                },
                call: call.id(),
                media: media?,
                from_number: invite.from_user,
                from_name: invite.from_display,
                offer: invite.offer,
            }))
        }
        Signal::Ring { .. } => browser::Order::Ring { media },
        Signal::Answer { .. } => browser::Order::Answer { media },
        Signal::Reject(cause) | Signal::Bye(cause) => browser::Order::Over { cause },
        Signal::Cancel => browser::Order::Over {
            cause: call.cause_of(dialog),
        },
        // What a browser offers is agreed to as it stands, and it hands over by an order, not by REFER.
        Signal::AnswerReoffer { .. }
        | Signal::Reoffer { .. }
        | Signal::Remember(_)
        | Signal::RefuseReoffer(_)
        | Signal::Referred(_) => return None,
    })
}
