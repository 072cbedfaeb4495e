//! The cascade of settings: platform → tenant → user, with locks.
//!
//! Each tier may set a key and lock it. A *hard* lock makes lower tiers' values count for nothing and
//! their writes be refused; a *soft* lock lets them override and marks it. Lower values are kept
//! under a lock and count again once it is gone.

use crate::call::coded;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

coded! {
    /// A tier of the cascade, highest first.
    Tier {
        /// The whole machine.
        Platform = "platform",
        /// One tenant.
        Tenant = "tenant",
        /// One user.
        User = "user",
    }
}

coded! {
    /// What a tier says to the ones below it.
    Lock {
        /// Lower tiers decide freely.
        Unlocked = "unlocked",
        /// Lower tiers may override; the override is marked.
        Soft = "soft",
        /// Lower tiers may not change it.
        Hard = "hard",
    }
}

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number between the two bounds, both included.
    Number(i64, i64),
    /// Text of at most this many characters.
    Text(usize),
}

/// A setting: its key, its kind, its default and one sentence for people.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The stable key.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What counts when no tier says anything.
    pub default: &'static str,
    /// What it does, for the console.
    pub label: &'static str,
}

/// How many of [`KEYS`] are the platform's own defaults, which every installation begins with.
pub const PLATFORM_DEFAULTS: usize = 13;

/// Every setting there is. The first thirteen are the seeds', with the seeds' defaults.
pub const KEYS: &[Key] = &[
    Key {
        name: "auto_record_calls",
        kind: Kind::Switch,
        default: "true",
        label: "Record calls without being asked",
    },
    Key {
        name: "auto_transcribe_calls",
        kind: Kind::Switch,
        default: "false",
        label: "Transcribe recorded calls without being asked",
    },
    Key {
        name: "auto_transcribe_voicemails",
        kind: Kind::Switch,
        default: "true",
        label: "Transcribe voicemail messages",
    },
    Key {
        name: "max_call_duration_seconds",
        kind: Kind::Number(1, 86_400),
        default: "3600",
        label: "Longest call, in seconds",
    },
    Key {
        name: "enable_call_recording",
        kind: Kind::Switch,
        default: "true",
        label: "Allow calls to be recorded at all",
    },
    Key {
        name: "enable_voicemail",
        kind: Kind::Switch,
        default: "true",
        label: "Take messages when nobody answers",
    },
    Key {
        name: "enable_ivr",
        kind: Kind::Switch,
        default: "true",
        label: "Run flows on numbers",
    },
    Key {
        name: "enable_ai_transcription",
        kind: Kind::Switch,
        default: "true",
        label: "Allow transcription and analysis at all",
    },
    Key {
        name: "transcription_provider",
        kind: Kind::Text(60),
        default: "openai-whisper",
        label: "Who transcribes (the local Whisper answers to this name)",
    },
    Key {
        name: "default_voicemail_greeting",
        kind: Kind::Text(500),
        default: "You have reached {name}. Please leave a message after the beep.",
        label: "Greeting of a mailbox that has none of its own",
    },
    Key {
        name: "call_retention_days",
        kind: Kind::Number(1, 36_500),
        default: "90",
        label: "Days a call's row is kept",
    },
    Key {
        name: "recording_retention_days",
        kind: Kind::Number(1, 36_500),
        default: "90",
        label: "Days a recording is kept",
    },
    Key {
        name: "voicemail_retention_days",
        kind: Kind::Number(1, 36_500),
        default: "30",
        label: "Days a voicemail message is kept",
    },
    Key {
        name: "move_recordings",
        kind: Kind::Switch,
        default: "false",
        label: "Move finished recordings to the bucket, where the machine has one",
    },
    Key {
        name: "move_recordings_after_days",
        kind: Kind::Number(0, 36_500),
        default: "7",
        label: "Days a recording stays on the disk before it moves; 0 is at once",
    },
    Key {
        name: "client_recordings",
        kind: Kind::Switch,
        default: "false",
        label: "Let programs and browsers upload their own recording of a call",
    },
    Key {
        name: "upload_limit_mb",
        kind: Kind::Number(1, 2_000),
        default: "200",
        label: "Largest recording that is uploaded, in megabytes",
    },
    Key {
        name: "upload_quota_mb",
        kind: Kind::Number(1, 1_000_000),
        default: "2000",
        label: "Most that uploads may take before they are recordings, in megabytes",
    },
    Key {
        name: "signalling_retention_days",
        kind: Kind::Number(0, 36_500),
        default: "7",
        label: "Days a call's SIP messages are kept, for finding out why it failed; 0 keeps none",
    },
    Key {
        name: "consent_retention_days",
        kind: Kind::Number(1, 36_500),
        default: "3650",
        label: "Days a proof of consent is kept, counted from the call",
    },
    Key {
        name: "erasure_retention_days",
        kind: Kind::Number(1, 36_500),
        default: "3650",
        label: "Days a proof of erasure is kept",
    },
    Key {
        name: "ring_timeout_seconds",
        kind: Kind::Number(1, 600),
        default: "60",
        label: "How long a callee is rung, in seconds",
    },
    Key {
        name: "voicemail_max_seconds",
        kind: Kind::Number(1, 3_600),
        default: "180",
        label: "Longest voicemail message, in seconds",
    },
    Key {
        name: "default_caller_number",
        kind: Kind::Text(32),
        default: "",
        label: "Number shown on outbound calls",
    },
    Key {
        name: "audio_codecs",
        kind: Kind::Text(64),
        default: "pcma, pcmu, g722, opus",
        label: "Codecs of phones and providers that may be spoken, in the order they are offered where the other side has none",
    },
    Key {
        name: "prompt_language",
        kind: Kind::Text(16),
        default: "en",
        label: "Language of spoken prompts",
    },
    Key {
        name: "time_zone",
        kind: Kind::Text(64),
        default: "",
        label: "Time zone of opening hours that name none, like Europe/Berlin; empty is UTC",
    },
    Key {
        name: "auto_record_rooms",
        kind: Kind::Switch,
        default: "false",
        label: "Record meetings without being asked",
    },
    Key {
        name: "auto_transcribe_rooms",
        kind: Kind::Switch,
        default: "true",
        label: "Transcribe recorded meetings without being asked",
    },
    Key {
        name: "dispositions",
        kind: Kind::Text(500),
        default: "resolved, follow_up, not_interested, wrong_number",
        label: "Words for how a call ended up, beside answered, missed, voicemail and the other ends",
    },
    Key {
        name: "topic_lists",
        kind: Kind::Text(4000),
        default: "",
        label: "Topics to listen for beside those built in, as in “pool: swim*, towel; billing: invoice”",
    },
    Key {
        name: "ai_may_leave_site",
        kind: Kind::Switch,
        default: "false",
        label: "Let transcripts and audio leave this site to the providers in the order",
    },
    Key {
        name: "ai_understanding_order",
        kind: Kind::Text(200),
        default: "",
        label: "Providers asked to sum up, in order, before this machine does",
    },
    Key {
        name: "ai_transcription_order",
        kind: Kind::Text(200),
        default: "",
        label: "Providers asked to transcribe, in order, before this machine does",
    },
    Key {
        name: "ai_embedding_order",
        kind: Kind::Text(200),
        default: "",
        label: "Providers that tell what texts mean, for the search by meaning: the first who can",
    },
    Key {
        name: "ai_budget_seconds",
        kind: Kind::Number(1, 3_600),
        default: "60",
        label: "Seconds all providers together may take for one task",
    },
    Key {
        name: "redact_cards",
        kind: Kind::Switch,
        default: "true",
        label: "Take payment card numbers out of transcripts and audio, spoken ones where a transcript is made",
    },
    Key {
        name: "redact_ibans",
        kind: Kind::Switch,
        default: "false",
        label: "Take bank account numbers out of transcripts and their audio",
    },
    Key {
        name: "redact_emails",
        kind: Kind::Switch,
        default: "false",
        label: "Take e-mail addresses out of transcripts and their audio",
    },
    Key {
        name: "redact_phones",
        kind: Kind::Switch,
        default: "false",
        label: "Take telephone numbers out of transcripts and their audio",
    },
    Key {
        name: "log_numbers",
        kind: Kind::Switch,
        default: "false",
        label: "Write full telephone numbers to the log",
    },
    Key {
        name: "room_token_hours",
        kind: Kind::Number(1, 720),
        default: "24",
        label: "Hours a token to a room is valid when nobody says how long",
    },
    Key {
        name: "enable_browser_calls",
        kind: Kind::Switch,
        default: "true",
        label: "Let users place and take calls in the browser",
    },
    Key {
        name: "reattach_calls",
        kind: Kind::Switch,
        default: "true",
        label: "Take calls up again after the daemon was killed; off ends them",
    },
    Key {
        name: "recording_announcement",
        kind: Kind::Switch,
        default: "false",
        label: "Say that a call is recorded before its recording begins",
    },
    Key {
        name: "recording_announcement_text",
        kind: Kind::Text(500),
        default: "",
        label: "What is said then; empty says it in the language of prompts",
    },
    Key {
        name: "recording_beep",
        kind: Kind::Switch,
        default: "false",
        label: "Sound a beep before a recording begins",
    },
    Key {
        name: "recording_consent",
        kind: Kind::Switch,
        default: "false",
        label: "Record calls only where the other side agrees by pressing 1",
    },
    Key {
        name: "recording_consent_text",
        kind: Kind::Text(500),
        default: "",
        label: "How they are asked; empty asks in the language of prompts",
    },
    Key {
        name: "recording_consent_seconds",
        kind: Kind::Number(2, 60),
        default: "8",
        label: "How long they may think about it, in seconds",
    },
    Key {
        name: "max_recording_seconds",
        kind: Kind::Number(1, 86_400),
        default: "3600",
        label: "Longest recording of a call, in seconds; the call goes on",
    },
];

/// The key of that name.
#[must_use]
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Why a value was refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Invalid {
    /// There is no such key.
    #[error("there is no setting called `{0}`")]
    UnknownKey(String),
    /// A switch takes two words.
    #[error("`{0}` is a switch: write true or false")]
    NotASwitch(&'static str),
    /// A number out of its bounds or no number.
    #[error("`{0}` takes a whole number from {1} to {2}")]
    NotInRange(&'static str, i64, i64),
    /// Too long.
    #[error("`{0}` takes at most {1} characters")]
    TooLong(&'static str, usize),
    /// A higher tier holds a hard lock.
    #[error("`{0}` is locked by the {1}")]
    Locked(&'static str, Tier),
}

/// Checks a value for a key.
///
/// # Errors
/// Says what the key takes.
pub fn check(name: &str, value: &str) -> Result<&'static Key, Invalid> {
    let key = key(name).ok_or_else(|| Invalid::UnknownKey(name.to_owned()))?;
    match key.kind {
        Kind::Switch if value != "true" && value != "false" => Err(Invalid::NotASwitch(key.name)),
        Kind::Number(low, high) => match value.parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(key),
            Ok(_) | Err(_) => Err(Invalid::NotInRange(key.name, low, high)),
        },
        Kind::Text(most) if value.chars().count() > most => Err(Invalid::TooLong(key.name, most)),
        Kind::Switch | Kind::Text(_) => Ok(key),
    }
}

/// What one tier says about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The value, or `None` when the tier only locks.
    pub value: Option<String>,
    /// The lock.
    pub lock: Lock,
}

/// What one tier says.
pub type Layer = BTreeMap<String, Entry>;

/// An effective value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// The value that counts.
    pub value: String,
    /// The tier that said so, or `None` for the default.
    pub from: Option<Tier>,
    /// The tier that holds a hard lock on it.
    pub locked_by: Option<Tier>,
    /// Whether the value overrides a soft lock above.
    pub overrides_soft_lock: bool,
}

/// The three tiers as they apply to one person or tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    platform: Layer,
    tenant: Layer,
    user: Layer,
}

impl Settings {
    /// Puts the tiers together; pass empty layers where a tier does not apply.
    #[must_use]
    pub fn resolve(platform: Layer, tenant: Layer, user: Layer) -> Self {
        Self { platform, tenant, user }
    }

    fn layer(&self, tier: Tier) -> &Layer {
        match tier {
            Tier::Platform => &self.platform,
            Tier::Tenant => &self.tenant,
            Tier::User => &self.user,
        }
    }

    /// The effective value of a key. An unknown key has an empty value.
    #[must_use]
    pub fn effective(&self, name: &str) -> Effective {
        let default = key(name).map_or("", |key| key.default);
        let mut found = Effective {
            value: default.to_owned(),
            from: None,
            locked_by: None,
            overrides_soft_lock: false,
        };
        let mut soft_above = false;
        for &tier in Tier::ALL {
            let Some(entry) = self.layer(tier).get(name) else {
                continue;
            };
            if let Some(value) = &entry.value {
                found.value.clone_from(value);
                found.from = Some(tier);
                found.overrides_soft_lock = soft_above;
            }
            match entry.lock {
                Lock::Hard => {
                    found.locked_by = Some(tier);
                    return found;
                }
                Lock::Soft => soft_above = true,
                Lock::Unlocked => {}
            }
        }
        found
    }

    /// Whether `tier` may write `name` to `value`.
    ///
    /// # Errors
    /// The value does not fit the key, or a higher tier holds a hard lock.
    pub fn may_write(&self, tier: Tier, name: &str, value: &str) -> Result<(), Invalid> {
        let key = check(name, value)?;
        for &above in Tier::ALL.iter().take_while(|above| **above != tier) {
            if self
                .layer(above)
                .get(name)
                .is_some_and(|entry| entry.lock == Lock::Hard)
            {
                return Err(Invalid::Locked(key.name, above));
            }
        }
        Ok(())
    }

    /// A switch's effective position.
    #[must_use]
    pub fn switch(&self, name: &str) -> bool {
        self.effective(name).value == "true"
    }

    /// A number's effective value; the default when a stored value no longer parses.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        let fallback = || key(name).and_then(|key| key.default.parse().ok()).unwrap_or(0);
        self.effective(name).value.parse().unwrap_or_else(|_| fallback())
    }

    /// A text's effective value.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.effective(name).value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_seeds_thirteen_defaults_stand_first_and_exactly() {
        let table: Vec<(&str, &str)> = KEYS.iter().take(13).map(|key| (key.name, key.default)).collect();
        assert_eq!(
            table,
            [
                ("auto_record_calls", "true"),
                ("auto_transcribe_calls", "false"),
                ("auto_transcribe_voicemails", "true"),
                ("max_call_duration_seconds", "3600"),
                ("enable_call_recording", "true"),
                ("enable_voicemail", "true"),
                ("enable_ivr", "true"),
                ("enable_ai_transcription", "true"),
                ("transcription_provider", "openai-whisper"),
                (
                    "default_voicemail_greeting",
                    "You have reached {name}. Please leave a message after the beep."
                ),
                ("call_retention_days", "90"),
                ("recording_retention_days", "90"),
                ("voicemail_retention_days", "30"),
            ]
        );
        for key in KEYS {
            assert!(check(key.name, key.default).is_ok(), "{}", key.name);
        }
    }

    #[test]
    fn a_hard_lock_refuses_lower_writes_and_hides_lower_values() {
        let entry = |value: &str, lock| Entry {
            value: Some(value.into()),
            lock,
        };
        let platform = Layer::from([("enable_ivr".into(), entry("false", Lock::Hard))]);
        let tenant = Layer::from([("enable_ivr".into(), entry("true", Lock::Unlocked))]);
        let locked = Settings::resolve(platform, tenant.clone(), Layer::new());
        assert!(!locked.switch("enable_ivr"));
        assert_eq!(
            locked.may_write(Tier::Tenant, "enable_ivr", "true"),
            Err(Invalid::Locked("enable_ivr", Tier::Platform))
        );
        let unlocked = Settings::resolve(Layer::new(), tenant, Layer::new());
        assert!(
            unlocked.switch("enable_ivr"),
            "the lower value is kept and counts again"
        );
    }

    fn layers() -> impl Strategy<Value = [Option<(Option<bool>, usize)>; 3]> {
        let entry = proptest::option::of((proptest::option::of(any::<bool>()), 0usize..3));
        [entry.clone(), entry.clone(), entry]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn the_cascade_equals_a_small_model(tiers in layers()) {
            let mut expected = true;
            for tier in tiers.iter().flatten() {
                expected = tier.0.unwrap_or(expected);
                if tier.1 == 2 { break; }
            }
            let layer = |tier: &Option<(Option<bool>, usize)>| -> Layer {
                tier.iter().map(|(value, lock)| ("auto_record_calls".to_owned(), Entry { value: value.map(|on| on.to_string()), lock: Lock::ALL[*lock] })).collect()
            };
            let settings = Settings::resolve(layer(&tiers[0]), layer(&tiers[1]), layer(&tiers[2]));
            prop_assert_eq!(settings.switch("auto_record_calls"), expected);
        }
    }
}
