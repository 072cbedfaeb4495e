//! A far side that hands its call over (RFC 3515): taken or refused at once, and told how it came out.
//!
//! The request is answered 202 and followed by a NOTIFY that says 100; what became of it follows when the switch says
//! so, and with that the subscription and, once the far side has heard it, our side of the call end.

use super::{Endpoint, Owner};
use crate::event::{DialogKey, SipEvent};
use crate::message::write::reason_of;
use crate::message::{Message, Method, Name, NameAddr, Uri};
use crate::transaction::{Path, ServerKey};

/// For how long we promise to tell, seconds. Longer than any call rings.
const SUBSCRIBED_S: u32 = 600;

impl Endpoint {
    /// A REFER within a dialog. Only who has proved a password may hand calls over: what comes through a trunk may not.
    pub(super) fn refer_received(&mut self, key: DialogKey, server: &ServerKey, request: &Message, path: Path) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if dialog.device.is_none() {
            self.respond(key, server, request, 403, path);
            return;
        }
        let mut all = request.values(Name::ReferTo);
        // RFC 3515 §2.4.1: exactly one.
        let target = all.next().filter(|_| all.next().is_none()).and_then(target_of);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let status = match &target {
            None => 400,
            Some(_) if dialog.referral.is_some() => 491,
            // Joining two calls of ours is not done.
            Some(Target { replaces: true, .. }) => 501,
            Some(_) => 202,
        };
        if status != 202 {
            self.respond(key, server, request, status, path);
            return;
        }
        dialog.referral = Some(number);
        self.respond(key, server, request, 202, path);
        self.notify(key, number, 100, false);
        let to = target.map(|target| target.user).unwrap_or_default();
        self.core.tell(SipEvent::Refer { dialog: key, to });
    }

    /// Tells the far side how the handing over that it asked for came out.
    pub(super) fn referred(&mut self, key: DialogKey, status: u16) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if let Some(number) = dialog.referral.take() {
            self.notify(key, number, status, true);
        }
    }

    fn notify(&mut self, key: DialogKey, number: u32, status: u16, is_last: bool) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.local_number += 1;
        let (writer, branch) = dialog.request(&self.core, &Method::Notify, dialog.local_number);
        let state = if is_last {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={SUBSCRIBED_S}")
        };
        let bytes = writer
            .header("Contact", &self.core.own_contact(dialog.path))
            // RFC 3515 §2.4.6: the id tells several of one dialog apart.
            .header("Event", &format!("refer;id={number}"))
            .header("Subscription-State", &state)
            .finish(
                "message/sipfrag;version=2.0",
                format!("SIP/2.0 {status} {}\r\n", reason_of(status)).as_bytes(),
            );
        let owner = if is_last && (200..300).contains(&status) {
            Owner::Referred(key)
        } else {
            Owner::Nobody
        };
        self.core
            .send_request(&branch, Method::Notify, dialog.path, bytes, owner);
    }
}

/// Who a call is handed to.
struct Target {
    /// The number or name, unescaped.
    user: String,
    /// Whether it is to take the place of another call (RFC 3891).
    replaces: bool,
}

fn target_of(value: &str) -> Option<Target> {
    let named = NameAddr::parse(value)?;
    let uri = Uri::parse(named.uri)?;
    let user = uri.user_text();
    let replaces = uri.headers.split('&').any(|header| {
        let name = header.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("replaces")
    });
    (!user.is_empty()).then_some(Target { user, replaces })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_read_in_every_shape() {
        let read = |text| target_of(text).map(|target| (target.user, target.replaces));
        assert_eq!(read("<sip:102@pbx.example>"), Some(("102".to_owned(), false)));
        assert_eq!(read("sip:%2B49421@pbx.example"), Some(("+49421".to_owned(), false)));
        assert_eq!(read("\"Bob\" <tel:+49421>"), Some(("+49421".to_owned(), false)));
        let other = "<sip:102@h?Replaces=a%40b%3Bto-tag%3Dx%3Bfrom-tag%3Dy>";
        assert_eq!(read(other), Some(("102".to_owned(), true)));
        assert_eq!(read("<sip:pbx.example>"), None);
        assert_eq!(read("nonsense"), None);
    }
}
