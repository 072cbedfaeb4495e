//! What the settings say about calls, read once when the directory is made.

use std::time::Duration;
use strowger_ivr::Disclosure;
use strowger_media::Codec;
use strowger_model::settings::Settings;

/// The settings of a tenant or user as far as calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a callee is rung.
    pub ring_timeout: Duration,
    /// The longest call, counted from its answer.
    pub max_duration: Duration,
    /// Whether calls may be recorded at all.
    pub may_record: bool,
    /// Whether calls are recorded without being asked.
    pub auto_record: bool,
    /// What stands before a recording.
    pub disclosure: Disclosure,
    /// The longest recording; the call goes on without one.
    pub recording_max: Duration,
    /// Whether recorded calls are transcribed without being asked.
    pub auto_transcribe: bool,
    /// Whether messages are taken.
    pub voicemail: bool,
    /// The longest message.
    pub voicemail_max: Duration,
    /// Whether messages are transcribed.
    pub transcribe_voicemail: bool,
    /// Whether flows run.
    pub flows: bool,
    /// Whether browsers place and take calls.
    pub browser_calls: bool,
    /// The language callers are spoken to in.
    pub language: String,
    /// The time zone of opening hours that name none (IANA); empty is UTC.
    pub time_zone: String,
    /// Whether the SIP messages of calls are kept for a while.
    pub keeps_signalling: bool,
    /// Whether talks that a restart cut are taken up again.
    pub reattach: bool,
    /// The number shown on outbound calls; empty shows the caller's own.
    pub caller_number: String,
    /// The codecs that may be spoken, in the order of our offers; never none.
    pub codecs: Vec<Codec>,
}

impl Policy {
    /// Reads the settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let seconds = |name| Duration::from_secs(settings.number(name).unsigned_abs());
        let transcription = settings.switch("enable_ai_transcription");
        Self {
            ring_timeout: seconds("ring_timeout_seconds"),
            max_duration: seconds("max_call_duration_seconds"),
            may_record: settings.switch("enable_call_recording"),
            auto_record: settings.switch("auto_record_calls"),
            disclosure: Disclosure::of(settings),
            recording_max: seconds("max_recording_seconds"),
            auto_transcribe: transcription && settings.switch("auto_transcribe_calls"),
            voicemail: settings.switch("enable_voicemail"),
            voicemail_max: seconds("voicemail_max_seconds"),
            transcribe_voicemail: transcription && settings.switch("auto_transcribe_voicemails"),
            flows: settings.switch("enable_ivr"),
            browser_calls: settings.switch("enable_browser_calls"),
            language: settings.text("prompt_language"),
            time_zone: settings.text("time_zone"),
            keeps_signalling: settings.number("signalling_retention_days") > 0,
            reattach: settings.switch("reattach_calls"),
            caller_number: settings.text("default_caller_number"),
            codecs: codecs(&settings.text("audio_codecs")),
        }
    }

    /// Who asked for a recording, where one is to be made. A `false` of anybody wins, then a `true`,
    /// then the settings; nothing is recorded where recording is not allowed at all.
    #[must_use]
    pub fn recorded_by(&self, by_program: Option<bool>, by_number: Option<bool>) -> Option<&'static str> {
        if by_program == Some(false) || by_number == Some(false) || !self.may_record {
            return None;
        }
        match (by_program, by_number) {
            (Some(true), _) => Some("api"),
            (_, Some(true)) => Some("number"),
            (_, _) => self.auto_record.then_some("settings"),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::of(&Settings::default())
    }
}

/// The codecs of a list of names; all of them where it names none that we know.
fn codecs(list: &str) -> Vec<Codec> {
    let mut named = Vec::new();
    for codec in list.split(',').filter_map(|name| Codec::named(name.trim())) {
        if !named.contains(&codec) {
            named.push(codec);
        }
    }
    if named.is_empty() { Codec::ALL.to_vec() } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::settings::{Entry, Layer, Lock};

    #[test]
    fn a_no_wins_over_every_yes_and_the_ban_over_all() {
        let flags = [None, Some(true), Some(false)];
        for auto_record in [true, false] {
            for may_record in [true, false] {
                let policy = Policy {
                    auto_record,
                    may_record,
                    ..Policy::default()
                };
                for program in flags {
                    for number in flags {
                        let by = policy.recorded_by(program, number);
                        let no = program == Some(false) || number == Some(false) || !may_record;
                        let yes = program == Some(true) || number == Some(true) || auto_record;
                        assert_eq!(
                            by.is_some(),
                            !no && yes,
                            "{auto_record} {may_record} {program:?} {number:?}"
                        );
                    }
                }
            }
        }
    }

    /// One tier says whether to record, with each kind of lock, and the tier below says the opposite.
    #[test]
    fn calls_are_recorded_as_tier_lock_and_flag_say() {
        let layer = |value: bool, lock| {
            let value = Some(value.to_string());
            Layer::from([("auto_record_calls".to_owned(), Entry { value, lock })])
        };
        let mut cases = 0;
        for tier in 0..3 {
            for lock in [Lock::Unlocked, Lock::Soft, Lock::Hard] {
                for value in [true, false] {
                    let mut tiers = [Layer::default(), Layer::default(), Layer::default()];
                    tiers[tier] = layer(value, lock);
                    let has_below = tier + 1 < tiers.len();
                    if has_below {
                        tiers[tier + 1] = layer(!value, Lock::Unlocked);
                    }
                    let [platform, tenant, user] = tiers;
                    let policy = Policy::of(&Settings::resolve(platform, tenant, user));
                    let by_settings = value == (!has_below || lock == Lock::Hard);
                    for (flag, recorded) in [(None, by_settings), (Some(true), true), (Some(false), false)] {
                        let by = policy.recorded_by(flag, None);
                        assert_eq!(by.is_some(), recorded, "tier {tier} {lock:?} {value} {flag:?}");
                        cases += 1;
                    }
                }
            }
        }
        assert_eq!(cases, 54);
    }
}
