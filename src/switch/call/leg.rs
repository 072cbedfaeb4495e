//! One party's connection to us: its signalling, its audio, and its row.

use bytes::Bytes;
use std::net::IpAddr;
use strowger_media::sdp::Session;
use strowger_media::{Codec, MediaLegId, OpenLeg};
use strowger_model::record::Quality;
use strowger_model::{CallId, DeviceId, HangupCause, LegId, TrunkId, UserId, record};
use strowger_sip::DialogKey;
use time::OffsetDateTime;

/// Which end of the call a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Caller,
    Callee,
}

impl Side {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
        }
    }

    /// The stream of a capture that holds this side's voice.
    pub(crate) const fn stream(self) -> u8 {
        match self {
            Self::Caller => 0,
            Self::Callee => 1,
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// Where a leg's signalling stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It invited us and has no final answer. The offer is empty when it wants ours.
    Calling { offer: Bytes },
    /// We invited it and it has given no final answer.
    Invited,
    /// It answered, or we answered it.
    Up {
        /// Whether the other side knows that we know: its ACK came, or ours went.
        confirmed: bool,
    },
    /// It is over.
    Over,
}

/// The audio of a leg.
#[derive(Debug)]
pub(crate) struct Audio {
    pub(crate) id: MediaLegId,
    pub(crate) session: Session,
    pub(crate) closed: bool,
}

/// A leg.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) side: Side,
    pub(crate) dialog: DialogKey,
    pub(crate) stage: Stage,
    pub(crate) audio: Option<Audio>,
    /// Whether the far end has put us on hold.
    pub(crate) held: bool,
    pub(crate) party: String,
    pub(crate) user: Option<UserId>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) trunk: Option<TrunkId>,
    /// Whether its far end is a browser.
    pub(crate) browser: bool,
    pub(crate) toward: Option<IpAddr>,
    pub(crate) sip_call_id: String,
    pub(crate) started_at: OffsetDateTime,
    pub(crate) answered_at: Option<OffsetDateTime>,
    pub(crate) ended_at: Option<OffsetDateTime>,
    pub(crate) cause: Option<HangupCause>,
    pub(crate) quality: Option<Quality>,
}

impl Leg {
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up { .. })
    }

    /// Its audio, unless it is closed or was never opened.
    pub(crate) fn media(&self) -> Option<MediaLegId> {
        self.audio.as_ref().filter(|audio| !audio.closed).map(|audio| audio.id)
    }

    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        self.audio.as_mut().map(|audio| &mut audio.session)
    }

    /// Gives it audio in which these codecs are spoken.
    pub(crate) fn give_audio(&mut self, open: OpenLeg, session_id: u64, codecs: &[Codec]) {
        self.audio = Some(Audio {
            id: open.leg,
            session: Session::new(open.local, session_id).speaking(codecs),
            closed: false,
        });
    }

    pub(crate) fn row(&self, call: CallId) -> record::Leg {
        let agreed = self.audio.as_ref().and_then(|audio| audio.session.agreed());
        record::Leg {
            id: self.id,
            call,
            side: self.side.code().to_owned(),
            party: self.party.clone(),
            device: self.device,
            trunk: self.trunk,
            user: self.user,
            browser: self.browser,
            sip_call_id: self.sip_call_id.clone(),
            codec: agreed.map(|agreed| agreed.codec.encoding().to_owned()),
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: self.ended_at,
            cause: self.cause,
            quality: self.quality,
        }
    }
}
