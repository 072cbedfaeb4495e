//! Offers and answers of one connection.

use super::{Channel, MediaId, Peer};
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::media::{Direction, MediaKind};

/// Why a description was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It cannot be read.
    #[error("the description cannot be read: {0}")]
    Unreadable(String),
    /// It asks for what cannot be.
    #[error("the description cannot be met: {0}")]
    Refused(String),
    /// An answer to an offer that nobody made.
    #[error("an answer without an offer")]
    Unasked,
}

/// What the next offer of ours changes.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Sections to add.
    pub(crate) add: Vec<Add>,
    /// Resting sections that are to carry something again.
    pub(crate) again: Vec<MediaId>,
    /// Sections in which nothing comes any more.
    pub(crate) end: End,
    /// Whether the data channels are to be opened.
    pub(crate) with_channels: bool,
    /// Whether the other side is to find its way to us anew.
    pub(crate) restart: bool,
}

/// How sections end.
#[derive(Debug)]
pub(crate) enum End {
    /// They rest, and may carry something again.
    Rest(Vec<MediaId>),
    /// For good.
    Stop(Vec<MediaId>),
}

/// An offer of ours.
#[derive(Debug)]
pub(crate) struct Offered {
    /// The sections added, in the order asked for.
    pub(crate) added: Vec<MediaId>,
    /// The name of the connectivity checks to come, when the way is to be found anew.
    pub(crate) ufrag: Option<String>,
    /// The description, before its sections are named.
    pub(crate) sdp: String,
}

/// A section to add.
#[derive(Debug)]
pub(crate) struct Add {
    /// Picture or sound.
    pub(crate) is_video: bool,
    /// The stream's name.
    pub(crate) stream: String,
    /// The track's name.
    pub(crate) track: String,
}

impl Peer {
    /// Takes the other side's offer; our answer, before sections are named.
    pub(crate) fn accept_offer(&mut self, sdp: &str) -> Result<String, Fault> {
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| Fault::Unreadable(error.to_string()))?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| Fault::Refused(error.to_string()))?;
        self.forget();
        Ok(answer.to_sdp_string())
    }

    /// Whether an offer of ours waits for its answer. Only one may.
    pub(crate) const fn has_offered(&self) -> bool {
        self.pending.is_some()
    }

    /// Forgets the offer that waits: its answer will not come.
    pub(crate) fn forget_offer(&mut self) {
        if self.pending.take().is_some() {
            self.channels.retain(|(_, _, is_open)| *is_open);
        }
    }

    /// Makes an offer; `None` when nothing changes or an offer waits.
    pub(crate) fn offer(&mut self, changes: Changes) -> Option<Offered> {
        if self.pending.is_some() {
            return None;
        }
        let mut api = self.rtc.sdp_api();
        if changes.with_channels {
            for (channel, reliability) in [
                (Channel::Reliable, Reliability::Reliable),
                (Channel::Lossy, Reliability::MaxRetransmits { retransmits: 0 }),
            ] {
                let id = api.add_channel_with_config(ChannelConfig {
                    label: channel.label().to_owned(),
                    ordered: channel == Channel::Reliable,
                    reliability,
                    ..ChannelConfig::default()
                });
                self.channels.push((id, channel, false));
            }
        }
        match changes.end {
            End::Rest(ended) => {
                let each = ended.into_iter();
                each.for_each(|media| api.set_direction(media.0, Direction::Inactive));
            }
            End::Stop(ended) => ended.into_iter().for_each(|media| api.stop_media(media.0)),
        }
        for media in changes.again {
            api.set_direction(media.0, Direction::SendOnly);
        }
        let added = changes
            .add
            .into_iter()
            .map(|add| {
                let kind = if add.is_video {
                    MediaKind::Video
                } else {
                    MediaKind::Audio
                };
                MediaId(api.add_media(kind, Direction::SendOnly, Some(add.stream), Some(add.track), None))
            })
            .collect();
        let ufrag = changes.restart.then(|| api.ice_restart(true).ufrag);
        let (offer, pending) = api.apply()?;
        self.pending = Some(pending);
        Some(Offered {
            added,
            ufrag,
            sdp: offer.to_sdp_string(),
        })
    }

    /// What is sent in a section from here on comes from a source of its own, which the next description names.
    pub(crate) fn renew_source(&mut self, media: MediaId) {
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(media.0, None) else {
            return;
        };
        let (ssrc, has_retransmission) = (stream.ssrc(), stream.rtx().is_some());
        api.remove_stream_tx(ssrc);
        let fresh = api.new_ssrc();
        // Its partner must be another number, which is known once the first is taken.
        let mut partner = api.new_ssrc();
        while partner == fresh {
            partner = api.new_ssrc();
        }
        api.declare_stream_tx(fresh, has_retransmission.then_some(partner), media.0, None);
    }

    /// Takes the answer to our offer.
    pub(crate) fn accept_answer(&mut self, sdp: &str) -> Result<(), Fault> {
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|error| Fault::Unreadable(error.to_string()))?;
        let pending = self.pending.take().ok_or(Fault::Unasked)?;
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .map_err(|error| Fault::Refused(error.to_string()))?;
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        self.codecs.forget();
        self.incoming.clear();
    }
}
