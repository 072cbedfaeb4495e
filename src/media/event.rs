//! What the media threads have to say to the switch.

use crate::{MediaLegId, PlayId};
use strowger_model::record::Quality;

/// What the media threads have to say.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// A key was pressed: `0`–`9`, `*`, `#`, `A`–`D`. Comes at the start of the key, once a press.
    Digit {
        /// Who pressed it.
        leg: MediaLegId,
        /// Which key.
        digit: char,
    },
    /// A play ended by itself. A play that was stopped or replaced says nothing.
    PlayDone {
        /// Where it played.
        leg: MediaLegId,
        /// Which play.
        play: PlayId,
    },
    /// Nothing was heard of the leg for the configured time though it should be. Comes once, until it is heard again.
    Silent {
        /// The leg.
        leg: MediaLegId,
    },
    /// The first packet of the far end after connecting, or the first after `Silent`.
    Heard {
        /// The leg.
        leg: MediaLegId,
    },
    /// The leg is closed and nothing of it is left.
    Closed {
        /// The leg.
        leg: MediaLegId,
        /// What was measured over its life.
        quality: Quality,
    },
}
