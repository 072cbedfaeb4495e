//! The audio stage of one room: where phones and browsers hear each other.
//!
//! It exists while at least one phone is in the room. The tracks of browsers are ranked by the levels
//! their packets carry, only the three loudest are decoded, straight to the phones' 8 kHz; there is
//! one mix for all who listen and one without oneself for each phone that speaks. What a phone says
//! becomes one Opus track. So a room costs by what is said, not by who listens.
//!
//! Pure: one [`Stage::tick`] is 20 ms. Not here: packets on the wire, who may hear whom, what is
//! recorded. Start reading at [`Stage::tick`].

mod level;
mod limiter;
mod phone;
mod rank;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod voice;

use limiter::{Limiter, Sum};
use phone::Phone;
use rank::Loudness;
use std::sync::Arc;
use strowger_media::{AudioFrame, FRAME_SAMPLES};
use voice::Voice;

/// Tracks that phones hear at once.
const HEARD: usize = 3;

/// A phone's number within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneKey(pub u64);

/// A track's number within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackKey(pub u64);

/// One packet of a track, as far as it matters here.
#[derive(Debug, Clone)]
pub struct TrackPacket {
    /// Its RTP sequence number, counted on through roll-overs.
    pub sequence: u64,
    /// Its level (RFC 6464), where it carries one.
    pub level: Option<u8>,
    /// Opus; redundancy (RFC 2198) is taken off already.
    pub payload: Arc<[u8]>,
}

/// One packet of a phone's track, to be sent to those who are subscribed to it.
#[derive(Debug, Clone, Copy)]
pub struct Spoken<'a> {
    /// Counts the phone's packets.
    pub sequence: u16,
    /// At 48 kHz.
    pub timestamp: u32,
    /// The first packet after a silence.
    pub marker: bool,
    /// The level to be carried with it (RFC 6464).
    pub level: u8,
    /// Whether somebody speaks, to be carried with the level.
    pub voice: bool,
    /// Opus, 20 ms.
    pub payload: &'a [u8],
}

/// The audio stage of one room.
#[derive(Debug, Default)]
pub struct Stage {
    phones: Vec<Phone>,
    tracks: Vec<Track>,
    limiter: Limiter,
    tick: u64,
}

#[derive(Debug)]
struct Track {
    key: TrackKey,
    loudness: Loudness,
    voice: Voice,
    wanted: bool,
}

impl Stage {
    /// A stage without phones.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a phone in. Its RTP numbers begin where the caller says, which should be by chance.
    pub fn add_phone(&mut self, key: PhoneKey, sequence: u16, timestamp: u32) {
        self.remove_phone(key);
        self.phones.push(Phone::new(key, sequence, timestamp));
    }

    /// Takes a phone out.
    pub fn remove_phone(&mut self, key: PhoneKey) {
        self.phones.retain(|phone| phone.key != key);
    }

    /// Mutes a phone for all others, or lets it be heard again.
    pub fn mute_phone(&mut self, key: PhoneKey, muted: bool) {
        if let Some(phone) = self.phones.iter_mut().find(|phone| phone.key == key) {
            phone.mute(muted);
        }
    }

    /// Whether no phone is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phones.is_empty()
    }

    /// Takes 20 ms of what a phone says.
    pub fn phone_said(&mut self, key: PhoneKey, frame: &AudioFrame) {
        if let Some(phone) = self.phones.iter_mut().find(|phone| phone.key == key) {
            phone.put(frame);
        }
    }

    /// Takes a packet of a track; the first one makes the track known.
    pub fn track_said(&mut self, key: TrackKey, packet: TrackPacket) {
        let place = match self.tracks.iter().position(|track| track.key == key) {
            Some(place) => place,
            None => {
                self.tracks.push(Track {
                    key,
                    loudness: Loudness::default(),
                    voice: Voice::default(),
                    wanted: false,
                });
                self.tracks.len() - 1
            }
        };
        if let Some(track) = self.tracks.get_mut(place) {
            track.loudness.note(packet.level, self.tick);
            track.voice.put(packet.sequence, packet.payload);
        }
    }

    /// Forgets a track that is no longer published, or is muted.
    pub fn remove_track(&mut self, key: TrackKey) {
        self.tracks.retain(|track| track.key != key);
    }

    /// The next 20 ms. `hear` is called once a phone with what it is to hear; `say`, where somebody
    /// `listens` to phones' tracks, with each packet of a phone. What all together say comes back.
    pub fn tick(
        &mut self,
        listens: bool,
        mut hear: impl FnMut(PhoneKey, &AudioFrame),
        mut say: impl FnMut(PhoneKey, Spoken<'_>),
    ) -> AudioFrame {
        self.tick += 1;
        let mut sum: Sum = [0; FRAME_SAMPLES];
        self.choose();
        for track in &mut self.tracks {
            if let Some(frame) = track.voice.step(track.wanted) {
                add(&mut sum, &frame);
            }
        }
        for phone in &mut self.phones {
            phone.step();
            if let Some(frame) = &phone.current {
                add(&mut sum, frame);
            }
        }
        let all = self.limiter.apply(&sum);
        for phone in &mut self.phones {
            match &phone.current {
                None => {
                    phone.limiter = self.limiter;
                    hear(phone.key, &all);
                }
                Some(own) => {
                    let mut others = sum;
                    for (other, own) in others.iter_mut().zip(own) {
                        *other -= i32::from(*own);
                    }
                    hear(phone.key, &phone.limiter.apply(&others));
                }
            }
            if listens {
                phone.speak(&mut say);
            }
        }
        all
    }

    /// Chooses the tracks that are heard.
    fn choose(&mut self) {
        let tick = self.tick;
        let scores = self.tracks.iter().map(|track| track.loudness.score(tick, track.wanted));
        let chosen = rank::top::<HEARD>(scores);
        for (place, track) in self.tracks.iter_mut().enumerate() {
            track.wanted = chosen.contains(&Some(place));
        }
    }
}

fn add(sum: &mut Sum, frame: &AudioFrame) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        *sum += i32::from(*sample);
    }
}
