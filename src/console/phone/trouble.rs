//! What can go wrong with a phone in the browser: the cause and the mend, in words.

use crate::meet::trouble::Trouble;

const fn trouble(code: &'static str, what: &'static str, mend: &'static str, again: bool) -> Trouble {
    Trouble {
        code,
        what,
        mend,
        again,
    }
}

/// Every trouble the page can tell of.
pub const TROUBLES: &[Trouble] = &[
    trouble(
        "mic_refused",
        "The browser does not let this page use the microphone, so nobody hears you.",
        "Press the sign at the left of the address, allow the microphone for this page, then try again.",
        true,
    ),
    trouble(
        "mic_missing",
        "No microphone was found, so nobody hears you.",
        "Connect one or choose another under “Microphone”, then try again.",
        true,
    ),
    trouble(
        "mic_busy",
        "The microphone does not start, so nobody hears you.",
        "Another program may hold it. Close that program, then try again.",
        true,
    ),
    trouble(
        "insecure",
        "Browsers give the microphone to encrypted pages only.",
        "Open this page with https:// instead of http://. The administrator sets it up under Health.",
        false,
    ),
    trouble(
        "ice_failed",
        "Sound cannot get through: a firewall blocks UDP.",
        "Try another network or a VPN that lets UDP through. The administrator opens the UDP and TCP ports of [rooms] or turns on the relay ([turn]), which works over port 443.",
        false,
    ),
    trouble(
        "line_lost",
        "The server cannot be reached, so this phone does not ring.",
        "Check your connection to the network; the page tries again by itself. If other pages of the console work, a proxy may not pass WebSockets on: it has to for /phone/line and /rtc.",
        false,
    ),
    trouble(
        "signal_lost",
        "The sound of this call cannot be set up.",
        "A proxy may not pass WebSockets on: it has to for /rtc. Call again once the network is well.",
        false,
    ),
    trouble(
        "cut_off",
        "The connection to this call is gone.",
        "Your network may have changed or gone away. Call again.",
        false,
    ),
    trouble(
        "token_expired",
        "Your entry to this call has expired.",
        "Call again: you get a new one, which is valid for as long as the administrator allows.",
        false,
    ),
    trouble(
        "rooms_off",
        "Calls in the browser are not set up on this machine.",
        "The administrator turns on what carries their sound in the configuration: [rooms] enabled = true, then restarts the daemon.",
        false,
    ),
    trouble(
        "browser_calls_off",
        "Calls in the browser are switched off.",
        "The administrator turns them on under Settings: “Let users place and take calls in the browser”. Your other phones work.",
        false,
    ),
    trouble(
        "no_user",
        "This account has no phone.",
        "It belongs to no tenant, or was added a moment ago: load this page again. Otherwise ask the administrator.",
        false,
    ),
    trouble(
        "no_call",
        "This call is over.",
        "Another of your devices may have taken it, or the caller gave up. The call log says what happened.",
        false,
    ),
    trouble(
        "not_now",
        "That is not possible at this point of the call.",
        "Wait until somebody has answered.",
        false,
    ),
    trouble(
        "busy_here",
        "You are in another call.",
        "End it first; this phone takes one call at a time.",
        false,
    ),
    trouble(
        "no_keys",
        "These are no keys of a phone.",
        "Press 0 to 9, * or #.",
        false,
    ),
    trouble(
        "no_route",
        "Nothing leads to that number, so the call stays with you.",
        "Write an extension, or a number with its country code, for example +44 20 7946 0958. The administrator sees under Trunks whether calls to the outside work.",
        false,
    ),
    trouble(
        "too_many_pages",
        "Your phone is open in too many windows.",
        "Close some of them, then load this page again.",
        false,
    ),
    trouble(
        "machine_full",
        "As many calls as may are running.",
        "Try again in a moment.",
        false,
    ),
    trouble(
        "shutting_down",
        "The machine is being restarted.",
        "Call again in a minute.",
        false,
    ),
    trouble(
        "signed_out",
        "You are no longer signed in, so this phone does not ring.",
        "Load this page again and sign in.",
        false,
    ),
    trouble(
        "no_record",
        "This call cannot be recorded here.",
        "The settings may not want it any more, or this browser cannot record. The machine's own recording is with the administrator.",
        false,
    ),
    trouble(
        "record_too_large",
        "The recording is larger than the settings take.",
        "Nothing of it is kept. The administrator sets how large one may be and how much room there is: upload_limit_mb, upload_quota_mb.",
        false,
    ),
    trouble(
        "record_unsent",
        "The recording could not be sent.",
        "The machine was not reached for half an hour. Nothing of it is kept.",
        false,
    ),
    trouble(
        "our_fault",
        "Something went wrong on our side.",
        "Try again. The log of the machine has more.",
        false,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_switch::browser::Refused;

    #[test]
    fn every_trouble_names_a_cause_and_a_mend_and_its_code_once() {
        for (at, one) in TROUBLES.iter().enumerate() {
            assert!(one.what.ends_with('.') && one.mend.ends_with('.'), "{}", one.code);
            let mut others = TROUBLES.iter().skip(at + 1);
            assert!(others.all(|other| other.code != one.code), "{}", one.code);
        }
    }

    #[test]
    fn whatever_the_switch_refuses_and_the_script_tells_of_has_words() {
        let known = |code: &str| TROUBLES.iter().any(|one| one.code == code);
        let refused = [
            Refused::SwitchedOff,
            Refused::NoRooms,
            Refused::NoUser,
            Refused::NoCall,
            Refused::NotNow,
            Refused::Busy,
            Refused::NoKeys,
            Refused::NoRoute,
            Refused::TooManyPages,
            Refused::Full,
            Refused::ShuttingDown,
        ];
        for refused in refused {
            assert!(known(refused.code()), "{refused:?}");
        }
        let script = include_str!("../assets/phone.js");
        for call in script.split("trouble(\"").skip(1) {
            let code = call.split('"').next().unwrap();
            assert!(known(code), "{code}");
        }
    }
}
