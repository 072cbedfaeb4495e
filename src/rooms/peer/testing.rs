//! A client for tests: the same WebRTC library on the other side, in virtual time.

use std::net::SocketAddr;
use std::time::Instant;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// A packet the client heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// In which section.
    pub(crate) mid: String,
    /// Its number.
    pub(crate) sequence: u64,
    /// What it says.
    pub(crate) payload: Vec<u8>,
}

/// A client of the newer generation.
pub(crate) struct Client {
    rtc: Rtc,
    /// Where it is.
    pub(crate) address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    microphone: Option<Mid>,
    receiving: Vec<Mid>,
    channels: Vec<(ChannelId, String)>,
    sequence: u64,
    /// What it heard.
    pub(crate) heard: Vec<Heard>,
    /// What it was told.
    pub(crate) data: Vec<Vec<u8>>,
    /// Whether it is connected.
    pub(crate) is_connected: bool,
}

impl Client {
    /// A client at an address.
    pub(crate) fn new(address: SocketAddr, now: Instant) -> Self {
        let mut rtc = Rtc::builder().set_rtp_mode(true).enable_opus(true, true).build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        Self {
            rtc,
            address,
            pending: None,
            microphone: None,
            receiving: Vec::new(),
            channels: Vec::new(),
            sequence: 100,
            heard: Vec::new(),
            data: Vec::new(),
            is_connected: false,
        }
    }

    /// The first offer: channels, sections to receive in and, if wanted, a microphone named `cid`.
    pub(crate) fn offer(&mut self, cid: Option<&str>, receiving: usize) -> String {
        let mut api = self.rtc.sdp_api();
        if self.channels.is_empty() {
            for (label, reliability) in [
                ("_reliable", Reliability::Reliable),
                ("_lossy", Reliability::MaxRetransmits { retransmits: 0 }),
            ] {
                let id = api.add_channel_with_config(ChannelConfig {
                    label: label.to_owned(),
                    ordered: label == "_reliable",
                    reliability,
                    ..ChannelConfig::default()
                });
                self.channels.push((id, label.to_owned()));
            }
        }
        if let Some(cid) = cid {
            let (stream, track) = (Some("mine".to_owned()), Some(cid.to_owned()));
            self.microphone = Some(api.add_media(MediaKind::Audio, Direction::SendOnly, stream, track, None));
        }
        // As browsers do: where nothing comes for now something may come again.
        for mid in &self.receiving {
            api.set_direction(*mid, Direction::RecvOnly);
        }
        for _ in 0..receiving {
            let mid = api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
            self.receiving.push(mid);
        }
        if cid.is_none() && receiving == 0 {
            // Nothing of our own changes; this library offers when something does.
            api.ice_restart(true);
        }
        let (offer, pending) = api.apply().expect("something changes");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// The answer.
    pub(crate) fn answered(&mut self, sdp: &str) {
        // What a browser takes and this library does not: the bar in a stream's name.
        let answer = SdpAnswer::from_sdp_string(&sdp.replace('|', "-")).unwrap();
        let pending = self.pending.take().expect("an offer waits");
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// A datagram came.
    pub(crate) fn receive(&mut self, source: SocketAddr, bytes: &[u8], now: Instant) {
        let receive = Receive {
            proto: Protocol::Udp,
            source,
            destination: self.address,
            contents: DatagramRecv::try_from(bytes).unwrap(),
        };
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
    }

    /// Time passes. What leaves, and where to.
    pub(crate) fn step(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        let mut out = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return out,
                Output::Transmit(transmit) => out.push((transmit.destination, transmit.contents.to_vec())),
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    let mid = self
                        .rtc
                        .direct_api()
                        .stream_rx(&packet.header.ssrc)
                        .map(|stream| stream.mid());
                    self.heard.push(Heard {
                        mid: mid.map(|mid| mid.to_string()).unwrap_or_default(),
                        sequence: *packet.seq_no,
                        payload: packet.payload.to_vec(),
                    });
                }
                Output::Event(Event::ChannelData(data)) => self.data.push(data.data),
                Output::Event(_) => {}
            }
        }
    }

    /// Says 20 ms of something, at a level in -dBov.
    pub(crate) fn say(&mut self, payload: &[u8], level: i8, now: Instant) {
        let Some(mid) = self.microphone else { return };
        let params = self.rtc.codec_config().params().iter();
        let pt = params
            .clone()
            .find(|params| params.spec().codec == Codec::Opus)
            .unwrap()
            .pt();
        self.sequence += 1;
        let sequence = self.sequence;
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else {
            return;
        };
        let extensions = ExtensionValues {
            audio_level: Some(-level),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        let timestamp = u32::try_from(sequence * 960).unwrap();
        stream.write_rtp(RtpWrite::new(pt, sequence.into(), timestamp, now, payload.to_vec()).ext_vals(extensions));
    }

    /// Sends a data message.
    pub(crate) fn send(&mut self, label: &str, bytes: &[u8]) -> bool {
        let found = self.channels.iter().find(|(_, known)| known == label);
        let Some((id, _)) = found else { return false };
        self.rtc
            .channel(*id)
            .is_some_and(|mut channel| channel.write(true, bytes).unwrap())
    }
}
