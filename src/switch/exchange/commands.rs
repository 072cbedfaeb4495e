//! What a call says to a far end, as an order to the SIP side.

use super::{Exchange, RETRY_AFTER_S};
use crate::call::{Invite, InviteTarget, Signal};
use crate::cause;
use std::net::SocketAddr;
use strowger_model::trunk::TrunkKind;
use strowger_sip::{Command, DialogKey, Target, TrunkTarget};

impl Exchange {
    pub(super) fn command(&self, dialog: DialogKey, signal: Signal) -> Option<Command> {
        Some(match signal {
            Signal::Invite(invite) => self.invite(dialog, *invite)?,
            Signal::Ring { status, body } => Command::Ring { dialog, status, body },
            Signal::Answer { body } => Command::Answer { dialog, body },
            Signal::Reject(why) => {
                let (status, reason) = cause::status(why);
                Command::Reject {
                    dialog,
                    status,
                    reason: reason.to_owned(),
                    retry_after_s: (status == 503).then_some(RETRY_AFTER_S),
                }
            }
            Signal::Cancel => Command::Cancel { dialog },
            Signal::Bye(why) => Command::Bye {
                dialog,
                reason: cause::reason(why),
            },
            Signal::AnswerReoffer { body } => Command::AnswerReoffer { dialog, body },
            Signal::Reoffer { body } => Command::Reoffer { dialog, body },
            Signal::Remember(memo) => Command::Remember { dialog, memo },
            Signal::RefuseReoffer(status) => Command::RefuseReoffer { dialog, status },
            Signal::Referred(status) => Command::Referred { dialog, status },
        })
    }

    fn invite(&self, dialog: DialogKey, invite: Invite) -> Option<Command> {
        let (target, auth, from_host) = match invite.target {
            // Told to browsers, not to phones.
            InviteTarget::Browser(_) => return None,
            InviteTarget::Phone(binding) => (Target::Binding(Box::new(binding)), None, None),
            InviteTarget::Trunk(id) => {
                let trunk = self.directory.trunk(id)?;
                let addr: SocketAddr = self.supply.trunk_address(id)?;
                let target = TrunkTarget {
                    trunk: id,
                    addr,
                    host: trunk.host.clone(),
                    port: trunk.port,
                    transport: trunk.transport,
                    user: invite.to_user.clone(),
                };
                // A provider that we register with knows us by its own domain.
                let from_host = (trunk.kind == TrunkKind::Registration).then(|| trunk.host.clone());
                (Target::Trunk(target), Some(id), from_host)
            }
        };
        Some(Command::Invite(Box::new(strowger_sip::Invite {
            dialog,
            sip_call_id: invite.sip_call_id,
            target,
            from_user: invite.from_user,
            from_display: invite.from_display,
            from_host,
            to_user: invite.to_user,
            offer: invite.offer,
            auth,
            headers: Vec::new(),
            patience: invite.patience,
        })))
    }
}
