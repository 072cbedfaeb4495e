//! What the switchboard itself says to callers, beside flows and greetings.

use crate::say::{DEFAULT_LANGUAGE, DEFAULT_VOICE, Say};

/// A text of the switchboard's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phrase {
    /// The caller is to type a room's PIN.
    AskPin,
    /// The PIN was wrong; they may type again.
    WrongPin,
    /// The PIN was wrong too often.
    NoPin,
    /// The room takes nobody in.
    Locked,
    /// The room has no place left.
    Full,
    /// The call is recorded from here on.
    Recorded,
    /// The call is recorded only where they agree.
    MayRecord,
}

impl Phrase {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AskPin,
        Self::WrongPin,
        Self::NoPin,
        Self::Locked,
        Self::Full,
        Self::Recorded,
        Self::MayRecord,
    ];

    /// What is said, in the language asked for where it is one of ours and in English otherwise.
    #[must_use]
    pub fn say(self, language: &str) -> Say {
        let is_german = language.split('-').next() == Some("de");
        let text = if is_german { self.german() } else { self.english() };
        Say {
            text: text.to_owned(),
            voice: DEFAULT_VOICE.to_owned(),
            language: if is_german { "de" } else { DEFAULT_LANGUAGE }.to_owned(),
        }
    }

    const fn english(self) -> &'static str {
        match self {
            Self::AskPin => "Please enter the PIN of your meeting, then press hash.",
            Self::WrongPin => "That PIN is not right. Please enter it again, then press hash.",
            Self::NoPin => "That PIN is not right. Goodbye.",
            Self::Locked => "This meeting takes nobody in at the moment. Goodbye.",
            Self::Full => "This meeting has no place left. Goodbye.",
            Self::Recorded => "This call is recorded.",
            Self::MayRecord => "May we record this call? Press 1 to agree, or 2 to go on without a recording.",
        }
    }

    const fn german(self) -> &'static str {
        match self {
            Self::AskPin => "Bitte geben Sie die PIN Ihrer Besprechung ein und drücken Sie die Raute-Taste.",
            Self::WrongPin => {
                "Diese PIN stimmt nicht. Bitte geben Sie sie noch einmal ein und drücken Sie die Raute-Taste."
            }
            Self::NoPin => "Diese PIN stimmt nicht. Auf Wiederhören.",
            Self::Locked => "Diese Besprechung nimmt zurzeit niemanden auf. Auf Wiederhören.",
            Self::Full => "In dieser Besprechung ist kein Platz mehr. Auf Wiederhören.",
            Self::Recorded => "Dieses Gespräch wird aufgezeichnet.",
            Self::MayRecord => {
                "Dürfen wir dieses Gespräch aufzeichnen? Drücken Sie die Eins, wenn Sie einverstanden sind, oder die Zwei, um ohne Aufzeichnung fortzufahren."
            }
        }
    }
}
