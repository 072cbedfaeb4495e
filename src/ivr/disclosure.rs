//! What is said, sounded and asked before a call is recorded, as the settings have it.

use crate::phrase::Phrase;
use crate::say::{DEFAULT_VOICE, Say};
use std::time::Duration;
use strowger_model::settings::Settings;

/// How the parties of a call learn that it is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// What is said before the first sample, if anything is.
    pub announcement: Option<Say>,
    /// Whether a beep sounds before the first sample.
    pub beep: bool,
    /// The question whose answer decides, if one is asked; it stands for the announcement.
    pub question: Option<Say>,
    /// How long an answer may take once the question was heard.
    pub patience: Duration,
}

impl Disclosure {
    /// Reads the settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let language = settings.text("prompt_language");
        let say = |switch: &str, text: &str, phrase: Phrase| {
            let own = settings.text(text);
            settings.switch(switch).then(|| match own.trim() {
                "" => phrase.say(&language),
                own => Say {
                    text: own.to_owned(),
                    voice: DEFAULT_VOICE.to_owned(),
                    language: language.clone(),
                },
            })
        };
        Self {
            announcement: say(
                "recording_announcement",
                "recording_announcement_text",
                Phrase::Recorded,
            ),
            beep: settings.switch("recording_beep"),
            question: say("recording_consent", "recording_consent_text", Phrase::MayRecord),
            patience: Duration::from_secs(settings.number("recording_consent_seconds").unsigned_abs()),
        }
    }

    /// Whether anything stands before a recording.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.announcement.is_some() || self.beep || self.question.is_some()
    }

    /// What is spoken: the question where one is asked, the announcement otherwise.
    #[must_use]
    pub fn spoken(&self) -> Option<&Say> {
        self.question.as_ref().or(self.announcement.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::settings::{Entry, Layer, Lock};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let entry = |value: &str| Entry {
            value: Some(value.to_owned()),
            lock: Lock::Unlocked,
        };
        let layer: Layer = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), entry(value)))
            .collect();
        Settings::resolve(Layer::default(), layer, Layer::default())
    }

    #[test]
    fn nothing_is_said_unless_somebody_wants_it() {
        assert!(!Disclosure::of(&Settings::default()).is_on());
    }

    #[test]
    fn the_question_stands_for_the_announcement_and_ones_own_words_for_ours() {
        let both = settings(&[("recording_announcement", "true"), ("recording_consent", "true")]);
        let both = Disclosure::of(&both);
        assert!(both.spoken().unwrap().text.contains("Press 1"));
        let german = settings(&[("recording_announcement", "true"), ("prompt_language", "de")]);
        assert_eq!(
            Disclosure::of(&german).spoken().unwrap().text,
            "Dieses Gespräch wird aufgezeichnet."
        );
        let own = settings(&[
            ("recording_announcement", "true"),
            ("recording_announcement_text", "We listen."),
        ]);
        assert_eq!(Disclosure::of(&own).spoken().unwrap().text, "We listen.");
        let beep = Disclosure::of(&settings(&[("recording_beep", "true")]));
        assert!(beep.is_on() && beep.spoken().is_none());
    }
}
