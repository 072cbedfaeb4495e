//! `voicemail`: takes a message for a mailbox.
//!
//! Parameters: `mailbox` (also `user`, `userId`, `extension`): whose. Exit: `next`, taken when the
//! message is done and the caller is still there; without it the call ends.

use super::{NEXT, Next, Site, Step, Wait, Waits};
use crate::action::Event;
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use crate::nearest::hint;
use strowger_model::HangupCause;

/// Takes a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Voicemail {
    mailbox: Option<String>,
}

impl Voicemail {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            mailbox: fields.text(&["mailbox", "user", "userId", "user_id", "extension"]),
        }
    }
}

impl Step for Voicemail {
    fn exit(&self, _written: &str) -> Option<&'static str> {
        Some(NEXT)
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![NEXT]
    }

    fn waits(&self) -> Waits {
        Waits::ForOthers
    }

    fn needs_answer(&self) -> bool {
        true
    }

    fn check(&self, site: &mut Site<'_>) {
        let Some(mailbox) = &self.mailbox else {
            site.refuse(
                Code::MissingMailbox,
                "No mailbox is named. Say whose “mailbox” takes the message.",
            );
            return;
        };
        let catalogue = site.catalogue;
        if let (Some(users), Some(extensions)) = (&catalogue.users, &catalogue.extensions)
            && !users.contains(mailbox)
            && !extensions.contains(mailbox)
        {
            let hint = hint(mailbox, users.iter().chain(extensions).map(String::as_str));
            site.refuse(
                Code::UnknownMailbox,
                format!("There is no user or extension “{mailbox}” with a mailbox.{hint}"),
            );
        }
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        match &self.mailbox {
            Some(mailbox) => Next::Wait(Wait::Action(run.voicemail(mailbox.clone()))),
            None => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
        }
    }

    fn handle(&self, wait: &Wait, event: Event, _run: &mut Run<'_>) -> Next {
        match event {
            Event::VoicemailDone { id } if *wait == Wait::Action(id) => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
            Event::VoicemailDone { .. }
            | Event::Digit(_)
            | Event::PlayDone(_)
            | Event::Answered
            | Event::DialEnded { .. }
            | Event::RoomLeft { .. }
            | Event::Agent { .. }
            | Event::AppConnected { .. }
            | Event::AppEnded { .. }
            | Event::CallerGone => Next::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow_in, run};
    use crate::{Action, ActionId, Catalogue, Code, Event};
    use serde_json::{Value, json};
    use strowger_model::HangupCause;

    fn nodes() -> Value {
        json!([["start", "start", {}, "box"], ["box", "voicemail", {"mailbox": "ada"}, null]])
    }

    #[test]
    fn the_message_goes_to_the_mailbox_and_then_the_call_ends() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        let message = Action::Voicemail {
            id: ActionId(0),
            mailbox: "ada".into(),
        };
        assert_eq!(run.actions(), [Action::Answer, message]);
        run.tell(Event::VoicemailDone { id: ActionId(0) });
        assert_eq!(
            run.actions(),
            [Action::Hangup {
                cause: HangupCause::FlowEnded
            }]
        );
    }

    #[test]
    fn a_mailbox_may_be_a_user_or_an_extension_but_nothing_else() {
        let catalogue = |users: &[&str], extensions: &[&str]| Catalogue {
            users: Some(users.iter().map(ToString::to_string).collect()),
            extensions: Some(extensions.iter().map(ToString::to_string).collect()),
            ..Catalogue::unknown()
        };
        assert_eq!(flow_in(nodes(), &catalogue(&["ada"], &[])).1, []);
        assert_eq!(flow_in(nodes(), &catalogue(&[], &["ada"])).1, []);
        assert_eq!(
            flow_in(nodes(), &catalogue(&["bob"], &["101"])).1[0].code,
            Code::UnknownMailbox
        );
    }
}
