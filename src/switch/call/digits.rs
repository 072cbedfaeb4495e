//! Keys: where a pressed one goes, and how SIP INFO names it.

use super::leg::Stage;
use super::{Act, Call, MediaOrder};
use crate::scene::Scene;

/// The most keys kept for the moment in which our answer is acknowledged; more are let go, as nobody types so fast.
const EARLY_KEYS: usize = 32;

impl Call {
    /// A party pressed a key. `by_info` when it came by signalling, which the media bridge does not relay.
    pub(super) fn digit(&mut self, leg: usize, digit: char, by_info: bool, scene: &mut Scene<'_>) {
        if self.disclosure_digit(leg, digit, scene) {
            return;
        }
        let is_near = self.near == Some(leg);
        let stage = self.legs.get(leg).map(|leg| &leg.stage);
        if is_near && matches!(stage, Some(Stage::Up { confirmed: false })) {
            if self.early_keys.len() < EARLY_KEYS {
                self.early_keys.push((digit, by_info));
            }
            return;
        }
        match &self.act {
            Act::Talking { far } => {
                let other = if is_near { Some(*far) } else { self.near };
                let media = other.and_then(|other| self.legs.get(other)).and_then(super::Leg::media);
                if let Some(media) = media.filter(|_| by_info) {
                    self.order_media(MediaOrder::SendDigit(media, digit));
                }
            }
            Act::Mailbox(_) => {
                if is_near {
                    self.mailbox_digit(digit, scene);
                }
            }
            Act::Meeting { .. } => {
                if is_near {
                    self.meeting_digit(digit, scene);
                }
            }
            Act::App(_) => {
                if is_near {
                    self.app_digit(digit);
                }
            }
            Act::Waiting | Act::Ringing(_) => {
                if is_near {
                    self.flow_digit(digit, scene);
                }
            }
            Act::Reattaching(_) | Act::Staying | Act::Ending { .. } | Act::Over => {}
        }
    }

    /// The near party is up: what it pressed before counts now.
    pub(super) fn early_digits(&mut self, scene: &mut Scene<'_>) {
        let Some(near) = self.near else { return };
        for (digit, by_info) in std::mem::take(&mut self.early_keys) {
            self.digit(near, digit, by_info, scene);
        }
    }
}

/// The key that an INFO body names: `application/dtmf-relay` (`Signal=5`) or `application/dtmf` (`5`).
pub(super) fn of_info(content_type: &str, body: &[u8]) -> Option<char> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let text = std::str::from_utf8(body.get(..body.len().min(200))?).ok()?;
    let named = if kind.eq_ignore_ascii_case("application/dtmf-relay") {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        })?
    } else if kind.eq_ignore_ascii_case("application/dtmf") {
        text
    } else {
        return None;
    };
    let named = named.trim();
    // Some phones write the events of RFC 4733 as numbers.
    match named {
        "10" => return Some('*'),
        "11" => return Some('#'),
        _ => {}
    }
    let mut characters = named.chars();
    let digit = characters.next()?.to_ascii_uppercase();
    let is_key = digit.is_ascii_digit() || matches!(digit, '*' | '#' | 'A'..='D');
    (is_key && characters.next().is_none()).then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::of_info;
    use proptest::prelude::*;

    #[test]
    fn keys_are_read_from_both_kinds_of_body() {
        let relay = "application/dtmf-relay";
        assert_eq!(of_info(relay, b"Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(of_info(relay, b"Duration=160\r\nsignal = #\r\n"), Some('#'));
        assert_eq!(of_info(relay, b"Signal=10\r\n"), Some('*'));
        assert_eq!(of_info("application/dtmf; charset=x", b" d "), Some('D'));
        assert_eq!(of_info("application/dtmf", b"55"), None);
        assert_eq!(of_info("text/plain", b"5"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = of_info("application/dtmf-relay", &body);
            let _ = of_info("application/dtmf", &body);
        }
    }
}
