//! What an auditor asks, answered from settings and facts: pass or fail, why, and what to change.
//!
//! This is evidence about this installation, not legal advice: whether a rule holds for somebody they know
//! themselves.

use crate::call::coded;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

coded! {
    /// The rules a line is about.
    Rules {
        /// The General Data Protection Regulation (EU) 2016/679.
        Gdpr = "GDPR",
        /// The Payment Card Industry Data Security Standard 4.0.
        Pci = "PCI DSS",
        /// The Health Insurance Portability and Accountability Act, 45 CFR part 164.
        Hipaa = "HIPAA",
    }
}

/// Who comes to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Browsers and programs.
    Pages,
    /// Signalling of phones and providers.
    Sip,
    /// Audio of phones and providers.
    Audio,
    /// Browsers in meetings, and the relay they may take.
    Rooms,
}

/// How what goes through a listener is protected on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// TLS and nothing else.
    Encrypted,
    /// TLS; who comes in clear is sent there and told nothing else.
    Redirected,
    /// TLS; proxies on other machines that the configuration names are served in clear.
    Proxies,
    /// What it carries was encrypted before: DTLS and SRTP.
    Within,
    /// In clear, and this machine alone reaches it.
    Loopback,
    /// In clear over the network.
    Clear,
}

impl Way {
    /// Whether nobody on the network reads along.
    #[must_use]
    pub const fn is_safe(self) -> bool {
        match self {
            Self::Encrypted | Self::Redirected | Self::Within | Self::Loopback => true,
            Self::Proxies | Self::Clear => false,
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted (TLS)",
            Self::Redirected => "encrypted (TLS); plain HTTP is answered with a redirect",
            Self::Proxies => "encrypted (TLS), but in clear for http.trusted_proxies on other machines",
            Self::Within => "carries what is encrypted already (DTLS, SRTP)",
            Self::Loopback => "in clear, reached by this machine alone",
            Self::Clear => "in clear",
        }
    }
}

/// A door of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Who comes.
    pub service: Service,
    /// Transport and address, such as `udp 0.0.0.0:5060`.
    pub place: String,
    /// How it is protected.
    pub way: Way,
}

/// What is known of the machine beside the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Everything that listens.
    pub listeners: Vec<Listener>,
    /// Whether nobody but its user may read the master key.
    pub key_is_private: bool,
    /// Whether webhooks may reach into private networks.
    pub webhooks_anywhere: bool,
    /// Ranges besides public addresses that voice apps may be in.
    pub voice_app_networks: Vec<(IpAddr, u8)>,
    /// The relay for networks that block UDP, where there is one.
    pub relay: Option<Relay>,
}

/// Whom a relay reaches besides the rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Whether any public address.
    pub public_peers: bool,
    /// Which ranges.
    pub allowed_peers: Vec<(IpAddr, u8)>,
}

/// What is known of the tenant beside the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Programs' tokens that never end.
    pub endless_tokens: usize,
    /// Addresses that are told what happens without encryption.
    pub webhooks_in_clear: usize,
    /// Whether the audit log is whole.
    pub audit_is_whole: bool,
    /// The machine, where it was looked at.
    pub machine: Option<Machine>,
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose rules, and which of them.
    pub rules: Vec<(Rules, &'static str)>,
    /// What is asked for.
    pub asked: &'static str,
    /// Whether it is so.
    pub passes: bool,
    /// What was found.
    pub found: String,
    /// What to change; empty when it passes or nothing can be changed.
    pub mend: &'static str,
}

/// The longest that is commonly defended, days.
const CALLS_DAYS: i64 = 365;
const AUDIO_DAYS: i64 = 180;

/// The whole report.
#[must_use]
pub fn report(settings: &Settings, facts: &Facts) -> Vec<Line> {
    let mut lines = recording(settings);
    lines.extend(keeping(settings));
    lines.extend(access(facts));
    lines.extend(facts.machine.iter().flat_map(ways));
    lines
}

fn line(rules: &[(Rules, &'static str)], asked: &'static str, passes: bool, found: String, mend: &'static str) -> Line {
    Line {
        rules: rules.to_vec(),
        asked,
        passes,
        found,
        mend: if passes { "" } else { mend },
    }
}

fn recording(settings: &Settings) -> Vec<Line> {
    use Rules::{Gdpr, Hipaa, Pci};
    let may_record = settings.switch("enable_call_recording");
    let on = |name: &str| if settings.switch(name) { "on" } else { "off" };
    let told = ["recording_announcement", "recording_beep", "recording_consent"];
    let is_told = told.iter().any(|name| settings.switch(name));
    vec![
        line(
            &[(Gdpr, "Art. 13")],
            "Parties are told before they are recorded",
            !may_record || is_told,
            told.iter().fold(
                format!("enable_call_recording {}", on("enable_call_recording")),
                |found, name| format!("{found}, {name} {}", on(name)),
            ),
            "turn recording_announcement on",
        ),
        line(
            &[(Gdpr, "Art. 7")],
            "Parties agree before they are recorded, and the proof is kept",
            !may_record || settings.switch("recording_consent"),
            format!(
                "recording_consent {}; answers are kept apart from the audio",
                on("recording_consent")
            ),
            "turn recording_consent on, or rest recording on another ground of Art. 6",
        ),
        line(
            &[(Pci, "3.3.1"), (Gdpr, "Art. 5(1)(c)")],
            "Card numbers are taken out of transcripts and audio",
            settings.switch("redact_cards"),
            format!("redact_cards {}", on("redact_cards")),
            "turn redact_cards on, and pause recordings while cards are read out",
        ),
        line(
            &[(Gdpr, "Art. 44"), (Hipaa, "164.308(b)")],
            "What is said stays on the premises",
            !settings.switch("ai_may_leave_site"),
            format!("ai_may_leave_site {}", on("ai_may_leave_site")),
            "turn ai_may_leave_site off, or have contracts with the providers in the order",
        ),
        line(
            &[(Gdpr, "Art. 5(1)(c)")],
            "Logs hold no telephone numbers",
            !settings.switch("log_numbers"),
            format!("log_numbers {}", on("log_numbers")),
            "turn log_numbers off",
        ),
    ]
}

fn keeping(settings: &Settings) -> Vec<Line> {
    use Rules::{Gdpr, Hipaa, Pci};
    let days = |name: &'static str, most: i64, asked: &'static str, mend: &'static str| {
        let days = settings.number(name);
        let found = format!("{name} {days}, {most} at most");
        line(&[(Gdpr, "Art. 5(1)(e)")], asked, days <= most, found, mend)
    };
    vec![
        days(
            "call_retention_days",
            CALLS_DAYS,
            "Calls are not kept for ever",
            "lower call_retention_days",
        ),
        days(
            "recording_retention_days",
            AUDIO_DAYS,
            "Recordings are not kept for ever",
            "lower recording_retention_days",
        ),
        days(
            "voicemail_retention_days",
            AUDIO_DAYS,
            "Messages are not kept for ever",
            "lower voicemail_retention_days",
        ),
        line(
            &[(Gdpr, "Art. 32"), (Pci, "3.5.1"), (Hipaa, "164.312(a)(2)(iv)")],
            "Audio is encrypted at rest",
            true,
            "every recording under a key of its own, AES-256-GCM; what is erased loses its key".to_owned(),
            "",
        ),
        line(
            &[(Gdpr, "Art. 15, 17")],
            "People get what is known of them, or have it erased",
            true,
            "Govern, Privacy; each erasure leaves a proof".to_owned(),
            "",
        ),
    ]
}

fn access(facts: &Facts) -> Vec<Line> {
    use Rules::{Gdpr, Hipaa, Pci};
    let found = if facts.audit_is_whole {
        "every line stands as it was written; the log is never removed"
    } else {
        "a line was changed or taken out"
    };
    vec![
        line(
            &[(Pci, "10.3"), (Hipaa, "164.312(b)"), (Gdpr, "Art. 5(2)")],
            "Who did what is written down and cannot be changed unseen",
            facts.audit_is_whole,
            found.to_owned(),
            "run strowger audit verify and find out who changed it",
        ),
        line(
            &[(Pci, "8.6.3")],
            "Programs' tokens end",
            facts.endless_tokens == 0,
            format!("{} never end", facts.endless_tokens),
            "make new tokens with an end and revoke those",
        ),
        line(
            &[(Pci, "4.2.1"), (Hipaa, "164.312(e)(1)")],
            "Webhooks are encrypted on their way",
            facts.webhooks_in_clear == 0,
            format!("{} addresses begin with http://", facts.webhooks_in_clear),
            "give addresses that begin with https://",
        ),
        line(
            &[(Pci, "8.4.2")],
            "People sign in with a second factor",
            false,
            "this release has none".to_owned(),
            "put a proxy that asks for one before the console",
        ),
    ]
}

fn door(listener: &Listener) -> Line {
    use Rules::{Gdpr, Hipaa, Pci};
    let (rules, asked, mend): (&[(Rules, &'static str)], _, _) = match listener.service {
        Service::Pages => (
            &[(Pci, "4.2.1"), (Hipaa, "164.312(e)(1)"), (Gdpr, "Art. 32")],
            "Pages and programs reach it encrypted",
            "set http.tls to auto or always, and let proxies on other machines ask over HTTPS",
        ),
        Service::Sip => (
            &[(Pci, "4.2.1"), (Hipaa, "164.312(e)(1)")],
            "Phones and providers signal encrypted",
            "let them use sip.tls and close this listener, or lead it through a private network or tunnel",
        ),
        Service::Audio => (
            &[(Pci, "4.2.1"), (Hipaa, "164.312(e)(1)")],
            "The audio of calls is encrypted on its way",
            "this release speaks no SRTP with phones and providers: lead it through a private network or tunnel",
        ),
        Service::Rooms => (
            &[(Pci, "4.2.1"), (Hipaa, "164.312(e)(1)")],
            "Meetings are encrypted on their way",
            "",
        ),
    };
    let found = format!("{}: {}", listener.place, listener.way.said());
    line(rules, asked, listener.way.is_safe(), found, mend)
}

fn ways(machine: &Machine) -> Vec<Line> {
    use Rules::{Hipaa, Pci};
    let mut lines: Vec<Line> = machine.listeners.iter().map(door).collect();
    lines.extend([
        line(
            &[(Pci, "3.6.1"), (Hipaa, "164.312(a)(1)")],
            "Nobody else reads the master key",
            machine.key_is_private,
            if machine.key_is_private {
                "its owner alone"
            } else {
                "others may read the file"
            }
            .to_owned(),
            "chmod 600 the file of master_key_file",
        ),
        line(
            &[(Pci, "1.4")],
            "Webhooks do not reach into private networks",
            !machine.webhooks_anywhere,
            format!("rooms.webhooks_anywhere {}", machine.webhooks_anywhere),
            "turn rooms.webhooks_anywhere off",
        ),
        voice_apps(&machine.voice_app_networks),
        relay(machine.relay.as_ref()),
    ]);
    lines
}

/// This machine itself is no network.
fn voice_apps(networks: &[(IpAddr, u8)]) -> Line {
    let is_near =
        |(address, prefix): &(IpAddr, u8)| address.is_loopback() && *prefix >= if address.is_ipv4() { 8 } else { 128 };
    line(
        &[(Rules::Pci, "1.4")],
        "Voice apps do not reach into private networks",
        networks.iter().all(is_near),
        if networks.is_empty() {
            "voice_apps.networks names none: public addresses only".to_owned()
        } else {
            format!("voice_apps.networks {}", ranges(networks))
        },
        "take out of voice_apps.networks what no program of yours is in, and keep the rest apart from other machines",
    )
}

fn ranges(networks: &[(IpAddr, u8)]) -> String {
    let said: Vec<String> = networks
        .iter()
        .map(|(address, prefix)| format!("{address}/{prefix}"))
        .collect();
    said.join(", ")
}

/// Members of meetings come from anywhere: what they reach through the relay, this machine's own services included, is
/// reached by them.
fn relay(relay: Option<&Relay>) -> Line {
    let found = match relay {
        None => "turn.enabled false: there is none".to_owned(),
        Some(relay) => {
            let public = if relay.public_peers {
                ", and any public address (turn.public_peers)"
            } else {
                ""
            };
            if relay.allowed_peers.is_empty() {
                format!("turn.allowed_peers names none: the rooms of this machine{public}")
            } else {
                format!("turn.allowed_peers {}{public}", ranges(&relay.allowed_peers))
            }
        }
    };
    line(
        &[(Rules::Pci, "1.4")],
        "The relay does not reach into private networks",
        relay.is_none_or(|relay| relay.allowed_peers.is_empty()),
        found,
        "take out of turn.allowed_peers what no server of your meetings is in, and keep the rest apart from other machines",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Entry, KEYS, Layer, Lock};

    fn failing(settings: &Settings, facts: &Facts) -> Vec<&'static str> {
        let lines = report(settings, facts);
        lines
            .iter()
            .filter(|line| !line.passes)
            .map(|line| line.asked)
            .collect()
    }

    #[test]
    fn a_setting_turns_its_line_over() {
        let facts = Facts {
            audit_is_whole: true,
            ..Facts::default()
        };
        let of = |pairs: &[(&str, &str)]| {
            let entry = |value: &str| Entry {
                value: Some(value.to_owned()),
                lock: Lock::Unlocked,
            };
            let layer: Layer = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), entry(value)))
                .collect();
            failing(&Settings::resolve(Layer::default(), layer, Layer::default()), &facts).len()
        };
        let before = of(&[]);
        for (name, value, change) in [
            ("recording_announcement", "true", -1),
            ("recording_consent", "true", -2),
            ("enable_call_recording", "false", -2),
            ("redact_cards", "false", 1),
            ("ai_may_leave_site", "true", 1),
            ("recording_retention_days", "181", 1),
            ("call_retention_days", "366", 1),
            ("log_numbers", "true", 1),
        ] {
            let after = i64::try_from(of(&[(name, value)])).unwrap();
            assert_eq!(after, i64::try_from(before).unwrap() + change, "{name}");
        }
    }

    #[test]
    fn what_is_to_be_changed_names_settings_that_exist() {
        let machine = Machine {
            listeners: [Service::Pages, Service::Sip, Service::Audio]
                .map(|service| Listener {
                    service,
                    place: "0.0.0.0:1".to_owned(),
                    way: Way::Clear,
                })
                .to_vec(),
            key_is_private: false,
            webhooks_anywhere: true,
            voice_app_networks: vec![(IpAddr::from([10, 1, 0, 0]), 16)],
            relay: None,
        };
        let facts = Facts {
            machine: Some(machine),
            ..Facts::default()
        };
        for line in report(&Settings::default(), &facts) {
            assert!(line.passes == line.mend.is_empty(), "{line:?}");
            for word in line
                .mend
                .split([' ', ','])
                .filter(|word| word.contains('_') && !word.contains('.'))
            {
                let is_file = word == "master_key_file";
                assert!(is_file || KEYS.iter().any(|key| key.name == word), "{word}");
            }
        }
    }

    #[test]
    fn each_listener_has_a_line_that_passes_when_nobody_reads_along() {
        let listener = |service, place: &str, way| Listener {
            service,
            place: place.to_owned(),
            way,
        };
        let machine = Machine {
            listeners: vec![
                listener(Service::Pages, "0.0.0.0:8080", Way::Redirected),
                listener(Service::Pages, "127.0.0.1:8081", Way::Loopback),
                listener(Service::Pages, "10.0.0.7:8082", Way::Proxies),
                listener(Service::Sip, "tls 0.0.0.0:5061", Way::Encrypted),
                listener(Service::Sip, "udp 0.0.0.0:5060", Way::Clear),
                listener(Service::Rooms, "udp 0.0.0.0:7882", Way::Within),
            ],
            key_is_private: true,
            webhooks_anywhere: false,
            voice_app_networks: Vec::new(),
            relay: None,
        };
        let facts = Facts {
            machine: Some(machine),
            ..Facts::default()
        };
        let lines = report(&Settings::default(), &facts);
        let of = |place: &str| lines.iter().find(|line| line.found.starts_with(place)).unwrap();
        assert!(of("0.0.0.0:8080").passes && of("0.0.0.0:8080").found.contains("redirect"));
        assert!(of("127.0.0.1:8081").passes && of("tls ").passes && of("udp 0.0.0.0:7882").passes);
        assert!(!of("10.0.0.7:8082").passes && !of("udp 0.0.0.0:5060").passes);
        assert!(of("udp 0.0.0.0:5060").mend.contains("sip.tls"));
    }

    #[test]
    fn whom_the_relay_reaches_is_told() {
        let of = |public_peers, ranges: &[[u8; 4]]| {
            let allowed_peers = ranges.iter().map(|address| (IpAddr::from(*address), 16)).collect();
            relay(Some(&Relay {
                public_peers,
                allowed_peers,
            }))
        };
        assert!(relay(None).passes && of(false, &[]).passes);
        let public = of(true, &[]);
        assert!(
            public.passes && public.found.contains("turn.public_peers"),
            "{public:?}"
        );
        let far = of(false, &[[10, 1, 0, 0]]);
        assert!(!far.passes && far.found == "turn.allowed_peers 10.1.0.0/16", "{far:?}");
        assert!(far.mend.contains("turn.allowed_peers"));
        assert!(
            !of(false, &[[127, 0, 0, 0]]).passes,
            "this machine has services of its own"
        );
    }

    #[test]
    fn voice_apps_in_private_networks_are_told_of() {
        let of = |networks: &[([u8; 4], u8)]| {
            voice_apps(
                &networks
                    .iter()
                    .map(|(address, prefix)| (IpAddr::from(*address), *prefix))
                    .collect::<Vec<_>>(),
            )
        };
        assert!(of(&[]).passes && of(&[([127, 0, 0, 1], 32)]).passes);
        let far = of(&[([127, 0, 0, 0], 8), ([10, 1, 0, 0], 16)]);
        assert!(
            !far.passes && far.found.ends_with("127.0.0.0/8, 10.1.0.0/16"),
            "{far:?}"
        );
        assert!(!of(&[([127, 0, 0, 1], 0)]).passes, "that is everywhere");
        let machine = Machine {
            listeners: Vec::new(),
            key_is_private: true,
            webhooks_anywhere: false,
            voice_app_networks: vec![(IpAddr::from([10, 1, 0, 0]), 16)],
            relay: None,
        };
        let facts = Facts {
            machine: Some(machine),
            ..Facts::default()
        };
        assert!(failing(&Settings::default(), &facts).contains(&far.asked));
    }
}
