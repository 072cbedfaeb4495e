//! One member: its connection, what it says and what it hears.

use crate::Plan;
use crate::ear::Ear;
use crate::impair::Impairment;
use crate::mouth::{FRAME, Mouth, Said};
use crate::screen::{Screen, Seen};
use crate::signal::{Signalling, Wish};
use anyhow::{Context as _, Result};
use livekit_protocol::signal_response::Message as Told;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// Sections a member offers for what others say.
const EARS: usize = 3;
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What all members count together.
#[derive(Default)]
pub(crate) struct Tally {
    /// Streams that arrive somewhere.
    pub(crate) streams: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) played: AtomicU64,
    pub(crate) concealed: AtomicU64,
    pub(crate) screen_packets: AtomicU64,
    pub(crate) screen_lost: AtomicU64,
    /// Members to whom the screen came.
    pub(crate) watchers: AtomicU64,
    /// Whether latencies are noted.
    pub(crate) measuring: AtomicBool,
    pub(crate) cut: AtomicBool,
    pub(crate) back_at: Mutex<Option<Instant>>,
    pub(crate) heard_again: AtomicU64,
    pub(crate) joined: Mutex<Vec<Duration>>,
    pub(crate) first_sound: Mutex<Vec<Duration>>,
    pub(crate) forwarding: Mutex<Vec<Duration>>,
    pub(crate) heard: Mutex<Vec<Duration>>,
    pub(crate) again: Mutex<Vec<Duration>>,
}

fn note(list: &Mutex<Vec<Duration>>, value: Duration) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(value);
}

pub(crate) struct Member {
    number: usize,
    rtc: Rtc,
    socket: UdpSocket,
    own: SocketAddr,
    signalling: Signalling,
    began: Instant,
    mouth: Option<(Mouth, Mid)>,
    screen: Option<(Screen, Mid)>,
    seen: Seen,
    /// Streams that arrive, and the ear of those that are listened to.
    streams: HashMap<Ssrc, Stream>,
    listens: bool,
    /// What befalls what it sends and what it gets.
    impaired: Option<(Impairment, Impairment)>,
    server: Option<SocketAddr>,
    /// Sections the server asked for and was not offered yet.
    wanted: Option<(u32, u32)>,
    ears: Vec<Mid>,
    pending: Option<SdpPendingOffer>,
    offers: u32,
    tally: Arc<Tally>,
    said: Arc<Said>,
}

struct Stream {
    ear: Option<Ear>,
    speaker: Option<usize>,
    was_cut: bool,
}

impl Member {
    pub(crate) async fn join(plan: &Plan, number: usize, tally: Arc<Tally>, said: Arc<Said>) -> Result<Self> {
        let began = Instant::now();
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let own = socket.local_addr()?;
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(plan.screen)
            .set_rtp_mode(true)
            .build(began);
        rtc.add_local_candidate(Candidate::host(own, "udp")?);
        let speaks = number < plan.speakers;
        let track = format!("voice{number}");
        let mut change = rtc.sdp_api();
        change.add_channel("_reliable".to_owned());
        let mid = speaks.then(|| {
            let (stream, track) = (Some("mic".to_owned()), Some(track.clone()));
            change.add_media(MediaKind::Audio, Direction::SendOnly, stream, track, None)
        });
        let shows = plan.screen && number + 1 == plan.clients;
        let canvas = shows.then(|| {
            let (stream, track) = (Some("screen".to_owned()), Some("screen".to_owned()));
            change.add_media(MediaKind::Video, Direction::SendOnly, stream, track, None)
        });
        let mut ears: Vec<Mid> = (0..EARS)
            .map(|_| change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None))
            .collect();
        if plan.screen && !shows {
            ears.push(change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None));
        }
        let (offer, pending) = change.apply().context("nothing to offer")?;
        let identity = format!("load{number}");
        let wish = Wish {
            identity: &identity,
            offer: offer.to_sdp_string(),
            track: speaks.then_some(&track),
            screen: shows.then_some("screen"),
        };
        let mut signalling = Signalling::open(plan, wish).await?;
        let answer = SdpAnswer::from_sdp_string(&signalling.answer().await?)?;
        rtc.sdp_api().accept_answer(pending, answer)?;
        let is_listener = (plan.speakers..plan.speakers + plan.listeners).contains(&number);
        let is_impaired = !speaks && (plan.loss > 0.0 || !plan.jitter.is_zero() || plan.cut.is_some());
        let seed = plan.seed.wrapping_mul(1_000_003) + number as u64 * 2;
        Ok(Self {
            number,
            rtc,
            socket,
            own,
            signalling,
            began,
            mouth: mid
                .map(|mid| Mouth::new(Instant::now()).map(|mouth| (mouth, mid)))
                .transpose()?,
            screen: canvas.map(|mid| (Screen::new(Instant::now()), mid)),
            seen: Seen::default(),
            streams: HashMap::new(),
            listens: is_listener,
            impaired: is_impaired.then(|| {
                let line = |seed| Impairment::new(plan.loss, plan.jitter, seed);
                (line(seed), line(seed + 1))
            }),
            server: None,
            wanted: None,
            ears,
            pending: None,
            offers: 1,
            tally,
            said,
        })
    }

    /// Speaks and listens until told to leave.
    pub(crate) async fn stay(mut self, end: CancellationToken) -> Result<()> {
        let mut room = vec![0; 2048];
        let mut keep_alive = tokio::time::interval(KEEP_ALIVE);
        loop {
            let wake = self.advance()?;
            let is_cut = self.is_cut();
            tokio::select! {
                () = end.cancelled() => break,
                () = tokio::time::sleep_until(wake.into()) => {}
                received = self.socket.recv_from(&mut room) => {
                    let (length, from) = received?;
                    self.server = Some(from);
                    self.arrive(room.get(..length).unwrap_or_default(), from)?;
                }
                told = self.signalling.next(), if !is_cut => self.told(told?).await?,
                _ = keep_alive.tick(), if !is_cut => self.signalling.keep_alive().await?,
            }
        }
        for ear in self.streams.values().filter_map(|stream| stream.ear.as_ref()) {
            self.tally.played.fetch_add(ear.played, Ordering::Relaxed);
            self.tally.concealed.fetch_add(ear.concealed, Ordering::Relaxed);
        }
        if self.seen.packets > 0 {
            self.tally.watchers.fetch_add(1, Ordering::Relaxed);
            self.tally
                .screen_packets
                .fetch_add(self.seen.packets, Ordering::Relaxed);
            self.tally.screen_lost.fetch_add(self.seen.lost(), Ordering::Relaxed);
        }
        self.signalling.leave().await;
        Ok(())
    }

    /// The server wants more sections, or answers the offer that has them. One offer is under way at a time.
    async fn told(&mut self, told: Told) -> Result<()> {
        if let Told::MediaSectionsRequirement(wanted) = told {
            self.wanted = Some((wanted.num_audios, wanted.num_videos));
        } else if let Told::Answer(answer) = told
            && let Some(pending) = self.pending.take()
        {
            let answer = SdpAnswer::from_sdp_string(&answer.sdp)?;
            self.rtc.sdp_api().accept_answer(pending, answer)?;
        }
        if self.pending.is_some() {
            return Ok(());
        }
        let Some((sounds, pictures)) = self.wanted.take() else {
            return Ok(());
        };
        // Sections that were answered inactive are free: asking for none means to offer those again.
        let quiet = |mid: &&Mid| {
            self.rtc
                .media(**mid)
                .is_some_and(|media| media.direction() == Direction::Inactive)
        };
        let free: Vec<Mid> = self.ears.iter().filter(quiet).copied().collect();
        let mut change = self.rtc.sdp_api();
        for mid in free {
            change.set_direction(mid, Direction::RecvOnly);
        }
        for (more, kind) in [(sounds, MediaKind::Audio), (pictures, MediaKind::Video)] {
            for _ in 0..more {
                let ear = change.add_media(kind, Direction::RecvOnly, None, None, None);
                self.ears.push(ear);
            }
        }
        let (offer, pending) = change.apply().context("nothing to offer")?;
        self.pending = Some(pending);
        self.offers += 1;
        self.signalling.offer(offer.to_sdp_string(), self.offers).await
    }

    fn is_cut(&self) -> bool {
        self.impaired.is_some() && self.tally.cut.load(Ordering::Relaxed)
    }

    fn arrive(&mut self, datagram: &[u8], from: SocketAddr) -> Result<()> {
        let is_cut = self.is_cut();
        match &mut self.impaired {
            Some(_) if is_cut => Ok(()),
            Some((_, inward)) => {
                inward.take(datagram, Instant::now());
                Ok(())
            }
            None => self.feed(datagram, from),
        }
    }

    fn feed(&mut self, datagram: &[u8], source: SocketAddr) -> Result<()> {
        let Ok(contents) = datagram.try_into() else {
            return Ok(());
        };
        let receive = Receive {
            proto: Protocol::Udp,
            source,
            destination: self.own,
            contents,
        };
        let now = Instant::now();
        self.rtc.handle_input(Input::Receive(now, receive))?;
        self.drain(now)?;
        Ok(())
    }

    /// Does everything that is due; returns when something will be.
    fn advance(&mut self) -> Result<Instant> {
        self.pass_impaired(Instant::now())?;
        let now = Instant::now();
        while let Some((mouth, mid)) = self.mouth.as_mut().filter(|(mouth, _)| mouth.next_at() <= now) {
            let mid = *mid;
            let frame = mouth.speak()?;
            let burst = mouth.burst_began(frame.number);
            self.send(mid, &frame, burst, now);
        }
        self.show(now);
        self.rtc.handle_input(Input::Timeout(now))?;
        let timeout = self.drain(now)?;
        for stream in self.streams.values_mut() {
            let heard = stream.ear.as_mut().and_then(|ear| ear.play(now));
            let latency = heard
                .zip(stream.speaker)
                .and_then(|(at, speaker)| self.said.since_burst(speaker, at));
            if let Some(latency) = latency
                && self.tally.measuring.load(Ordering::Relaxed)
            {
                note(&self.tally.heard, latency);
            }
        }
        let ears = self
            .streams
            .values()
            .filter_map(|stream| stream.ear.as_ref()?.next_at());
        let lines = self
            .impaired
            .iter()
            .flat_map(|(out, inward)| [out.next_at(), inward.next_at()]);
        let mouth = self.mouth.iter().map(|(mouth, _)| mouth.next_at());
        let screen = self.screen.iter().map(|(screen, _)| screen.next_at());
        let wake = ears.chain(lines.flatten()).chain(mouth).chain(screen).min();
        // Half a second at most: a cut ends without anybody being told.
        Ok(wake
            .unwrap_or(timeout)
            .min(timeout)
            .min(now + Duration::from_millis(500)))
    }

    /// Takes everything str0m has to say, which it wants after each thing it is told.
    fn drain(&mut self, now: Instant) -> Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => self.transmit(&transmit.contents, transmit.destination, now),
                Output::Event(event) => self.happen(event)?,
            }
        }
    }

    fn pass_impaired(&mut self, now: Instant) -> Result<()> {
        let is_cut = self.is_cut();
        let Some(server) = self.server else { return Ok(()) };
        if is_cut && let Some((out, inward)) = &mut self.impaired {
            out.clear();
            inward.clear();
        }
        while let Some(datagram) = self.impaired.as_mut().and_then(|(out, _)| out.due(now)) {
            let _ = self.socket.try_send_to(&datagram, server);
        }
        while let Some(datagram) = self.impaired.as_mut().and_then(|(_, inward)| inward.due(now)) {
            self.feed(&datagram, server)?;
        }
        Ok(())
    }

    fn transmit(&mut self, datagram: &[u8], to: SocketAddr, now: Instant) {
        let is_cut = self.is_cut();
        self.server.get_or_insert(to);
        match &mut self.impaired {
            Some(_) if is_cut => {}
            Some((out, _)) => out.take(datagram, now),
            None => {
                let _ = self.socket.try_send_to(datagram, to);
            }
        }
    }

    fn send(&mut self, mid: Mid, frame: &crate::mouth::Frame, burst: Option<Instant>, now: Instant) {
        let offered = self.rtc.codec_config().params();
        let opus = offered.iter().find(|params| params.spec().codec == Codec::Opus);
        let pt = opus.map(|params| params.pt());
        let mut direct = self.rtc.direct_api();
        let (Some(pt), Some(stream)) = (pt, direct.stream_tx_by_mid(mid, None)) else {
            return;
        };
        let extensions = ExtensionValues {
            audio_level: Some(if frame.is_loud { -12 } else { -70 }),
            voice_activity: Some(frame.is_loud),
            ..Default::default()
        };
        let time = u32::try_from((frame.number * FRAME as u64) & u64::from(u32::MAX)).unwrap_or(0);
        stream.write_rtp(
            RtpWrite::new(pt, (frame.number + 1).into(), time, now, frame.payload.clone()).ext_vals(extensions),
        );
        self.said.note(self.number, &frame.payload, Instant::now());
        if let Some(began) = burst {
            self.said.note_burst(self.number, began);
        }
    }

    /// Sends the pictures that are due.
    fn show(&mut self, now: Instant) {
        let Some((screen, mid)) = &mut self.screen else { return };
        let mid = *mid;
        let offered = self.rtc.codec_config().params();
        let vp8 = offered.iter().find(|params| params.spec().codec == Codec::Vp8);
        let Some(pt) = vp8.map(|params| params.pt()) else {
            return;
        };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else {
            return;
        };
        while screen.next_at() <= now {
            for part in screen.picture() {
                let write = RtpWrite::new(pt, part.sequence.into(), part.timestamp, now, part.payload);
                stream.write_rtp(write.marker(part.is_last).nackable(true));
            }
        }
    }

    /// Whether a packet belongs to a screen.
    fn is_picture(&mut self, packet: &RtpPacket) -> bool {
        let mut direct = self.rtc.direct_api();
        let mid = direct.stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
        let media = mid.and_then(|mid| self.rtc.media(mid));
        media.is_some_and(|media| media.kind() == MediaKind::Video)
    }

    fn happen(&mut self, event: Event) -> Result<()> {
        if let Event::RtpPacket(packet) = event {
            return self.hear(&packet);
        }
        if matches!(event, Event::Connected) {
            note(&self.tally.joined, self.began.elapsed());
        }
        Ok(())
    }

    fn hear(&mut self, packet: &RtpPacket) -> Result<()> {
        let now = Instant::now();
        if self.is_picture(packet) {
            // Empty ones fill the line.
            if !packet.payload.is_empty() && self.tally.measuring.load(Ordering::Relaxed) {
                self.seen.take(*packet.seq_no);
            }
            return Ok(());
        }
        self.tally.packets.fetch_add(1, Ordering::Relaxed);
        if !self.streams.contains_key(&packet.header.ssrc) {
            let ear = self.listens.then(Ear::new).transpose()?;
            self.streams.insert(
                packet.header.ssrc,
                Stream {
                    ear,
                    speaker: None,
                    was_cut: false,
                },
            );
            self.tally.streams.fetch_add(1, Ordering::Relaxed);
            note(&self.tally.first_sound, self.began.elapsed());
        }
        let Some(stream) = self.streams.get_mut(&packet.header.ssrc) else {
            return Ok(());
        };
        let back_at = *self.tally.back_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(back_at) = back_at.filter(|_| self.impaired.is_some() && !stream.was_cut) {
            stream.was_cut = true;
            self.tally.heard_again.fetch_add(1, Ordering::Relaxed);
            note(&self.tally.again, now.saturating_duration_since(back_at));
        }
        let Some(ear) = &mut stream.ear else { return Ok(()) };
        if let Some((speaker, age)) = self.said.who(&packet.payload, now) {
            stream.speaker = Some(speaker);
            if self.tally.measuring.load(Ordering::Relaxed) {
                note(&self.tally.forwarding, age);
            }
        }
        ear.take(*packet.seq_no, &packet.payload, now);
        Ok(())
    }
}
