//! What can go wrong on the way into a meeting or in it: the cause and the mend, in words.

/// A trouble as the page shows it.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// The stable code.
    pub code: &'static str,
    /// What happened.
    pub what: &'static str,
    /// What mends it.
    pub mend: &'static str,
    /// Whether trying again can help.
    pub again: bool,
}

const fn trouble(code: &'static str, what: &'static str, mend: &'static str) -> Trouble {
    Trouble {
        code,
        what,
        mend,
        again: false,
    }
}

const fn again(code: &'static str, what: &'static str, mend: &'static str) -> Trouble {
    Trouble {
        code,
        what,
        mend,
        again: true,
    }
}

/// Every trouble the page can tell of.
pub const TROUBLES: &[Trouble] = &[
    trouble(
        "mic_refused",
        "The browser does not let this page use the microphone.",
        "Press the sign at the left of the address, allow the microphone for this page, then tick “Join with microphone” again. You can join without it and listen.",
    ),
    trouble(
        "mic_missing",
        "No microphone was found.",
        "Connect one or choose another under “Microphone”. You can join without it and listen.",
    ),
    trouble(
        "mic_busy",
        "The microphone does not start.",
        "Another program may hold it. Close that program, then tick “Join with microphone” again.",
    ),
    trouble(
        "cam_refused",
        "The browser does not let this page use the camera.",
        "Press the sign at the left of the address, allow the camera for this page, then switch it on again. You can join without it.",
    ),
    trouble(
        "cam_missing",
        "No camera was found.",
        "Connect one or choose another under “Camera”. You can join without it.",
    ),
    trouble(
        "cam_busy",
        "The camera does not start.",
        "Another program may hold it. Close that program, then switch the camera on again.",
    ),
    trouble(
        "share_refused",
        "The browser does not let this page show the screen.",
        "Allow screen recording for the browser in the settings of the system, then share again.",
    ),
    trouble(
        "share_busy",
        "The screen cannot be shown.",
        "Choose another window or the whole screen, then share again.",
    ),
    trouble(
        "insecure",
        "Browsers give microphone and camera to encrypted pages only.",
        "Open this page with https:// instead of http://. The administrator sets it up under Health.",
    ),
    again(
        "ice_failed",
        "Sound and picture cannot get through: a firewall blocks UDP.",
        "Try another network or a VPN that lets UDP through. The administrator opens the UDP and TCP ports of [rooms] or turns on the relay ([turn]), which works over port 443.",
    ),
    again(
        "signal_lost",
        "The server cannot be reached.",
        "Check your connection to the network, then try again. If other pages of the console work, a proxy may not pass WebSockets on: it has to for /rtc.",
    ),
    again(
        "cut_off",
        "The connection to the meeting is gone.",
        "Your network may have changed or gone away. Join again; you are still expected.",
    ),
    again(
        "token_expired",
        "Your entry to this meeting has expired.",
        "Join again: you get a new one, which is valid for as long as the administrator allows.",
    ),
    again(
        "room_locked",
        "A host has locked this room.",
        "Ask the host to unlock it, then try again.",
    ),
    again(
        "room_full",
        "As many people as may are in this room.",
        "Wait until somebody leaves, or ask the host for more places.",
    ),
    again(
        "room_not_open",
        "This meeting has not begun.",
        "It opens a quarter of an hour before its time. Come back then, or ask the host.",
    ),
    trouble("room_over", "This meeting is over.", "Ask the host for a new one."),
    trouble(
        "room_off",
        "Meetings are not set up on this machine.",
        "The administrator turns them on in the configuration: [rooms] enabled = true, then restarts the daemon.",
    ),
    trouble(
        "room_ended",
        "The host ended this meeting.",
        "What was recorded and written is kept with the meeting.",
    ),
    trouble(
        "ended_away",
        "This meeting has ended.",
        "It ended while you were away. What was recorded and written is kept with the meeting.",
    ),
    trouble(
        "removed",
        "The host showed you out.",
        "Speak with the host before you join again.",
    ),
    trouble(
        "other_tab",
        "You joined this meeting in another window.",
        "Go on there, or join again to come back here.",
    ),
    trouble(
        "restarting",
        "The machine is being restarted.",
        "Join again in a minute.",
    ),
    trouble(
        "turned_away",
        "The host did not let you in.",
        "Speak with the host, then ask again.",
    ),
    trouble(
        "link_gone",
        "This link is no longer valid.",
        "It was used up, taken back, or its time is over. Ask whoever invited you for a new one.",
    ),
    trouble(
        "signed_out",
        "You are no longer signed in.",
        "Load this page again and sign in.",
    ),
    trouble(
        "not_allowed",
        "Your role in this meeting does not allow that.",
        "Ask the host.",
    ),
    trouble("gone", "They are no longer in the meeting.", "Nothing is left to do."),
    trouble(
        "no_dial",
        "The number cannot be called.",
        "Write it with its country code, for example +44 20 7946 0958. The administrator sees under Trunks whether calls to the outside work.",
    ),
    trouble(
        "no_record",
        "The recording does not start.",
        "The settings may forbid recordings, or the disk may be full: the administrator sees it under Health.",
    ),
    again(
        "our_fault",
        "Something went wrong on our side.",
        "Try again. The log of the machine has more.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_names_a_cause_and_a_mend_and_its_code_once() {
        for (at, one) in TROUBLES.iter().enumerate() {
            assert!(one.what.ends_with('.') && one.mend.ends_with('.'), "{}", one.code);
            assert!(
                TROUBLES.iter().skip(at + 1).all(|other| other.code != one.code),
                "{}",
                one.code
            );
        }
    }

    #[test]
    fn every_trouble_the_script_tells_of_has_words() {
        let script = include_str!("../assets/meet.js");
        for call in script.split("trouble(\"").skip(1) {
            let code = call.split('"').next().unwrap();
            assert!(TROUBLES.iter().any(|one| one.code == code), "{code}");
        }
        assert!(script.contains("\"ended_away\"") && TROUBLES.iter().any(|one| one.code == "ended_away"));
    }
}
