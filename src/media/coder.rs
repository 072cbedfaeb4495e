//! One stream's coder and decoder, whatever the codec: bytes of a packet to samples and back, at the rate the other
//! side of the bridge needs. Each works in buffers it is given.

use crate::g711::{self, Law};
use crate::g722::{self, Width};
use crate::sdp::{Codec, OpusTerms};

/// The longest packet of any codec here, in samples at [`Rate::Wide`]: 120 ms.
pub const LONGEST: usize = 1_920;

/// What Opus gets at each rate, bits a second: enough that speech and signals pass as well as through G.711 and G.722.
const NARROW_BITS: i32 = 40_000;
const WIDE_BITS: i32 = 48_000;

/// What is lost is made up for by libopus in steps of 2.5 ms, and by one packet's copy of the one before it.
const OPUS_STEPS_A_SECOND: usize = 400;

/// How many samples a second pass between two coders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz: the telephone band, what G.711 carries.
    Narrow,
    /// 16 kHz: wide-band, what G.722 and Opus carry.
    Wide,
}

impl Rate {
    /// The best rate that both codecs carry.
    #[must_use]
    pub const fn between(one: Codec, other: Codec) -> Self {
        match (one.is_wide(), other.is_wide()) {
            (true, true) => Self::Wide,
            (false, _) | (_, false) => Self::Narrow,
        }
    }

    /// Samples a millisecond.
    #[must_use]
    pub const fn khz(self) -> u8 {
        match self {
            Self::Narrow => 8,
            Self::Wide => 16,
        }
    }

    /// Samples a second.
    #[must_use]
    pub const fn hertz(self) -> u32 {
        self.khz() as u32 * 1_000
    }

    const fn width(self) -> Width {
        match self {
            Self::Narrow => Width::Narrow,
            Self::Wide => Width::Wide,
        }
    }
}

/// Turns payloads into samples.
#[derive(Debug)]
pub struct Decoder {
    rate: Rate,
    kind: Decoding,
}

#[derive(Debug)]
enum Decoding {
    Law(Law),
    G722(Box<g722::Decoder>),
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder that has heard nothing; `None` when there is no memory for it.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate) -> Option<Self> {
        let kind = match codec {
            Codec::Pcmu => Decoding::Law(Law::Mu),
            Codec::Pcma => Decoding::Law(Law::A),
            Codec::G722 => Decoding::G722(Box::new(g722::Decoder::new(rate.width()))),
            Codec::Opus => Decoding::Opus(opus::Decoder::new(rate.hertz(), opus::Channels::Mono).ok()?),
        };
        Some(Self { rate, kind })
    }

    /// The samples of a payload, as many as find room; none when it is damaged.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.kind {
            Decoding::Law(law) => {
                for (byte, sample) in payload.iter().zip(out.iter_mut()) {
                    *sample = g711::decode(*law, *byte);
                }
                payload.len().min(out.len())
            }
            Decoding::G722(decoder) => decoder.decode(payload, out),
            Decoding::Opus(decoder) => decoder.decode(payload, out, false).unwrap_or(0),
        }
    }

    /// What stands for `lost` samples just before the payload `next`. Only Opus knows anything of them; the others
    /// leave a gap, which the far end fills as it would any loss.
    pub fn conceal(&mut self, lost: usize, next: &[u8], out: &mut [i16]) -> usize {
        let Decoding::Opus(decoder) = &mut self.kind else {
            return 0;
        };
        let step = self.rate.hertz() as usize / OPUS_STEPS_A_SECOND;
        let whole = lost.min(out.len()) / step * step;
        // RFC 6716 §2.1.7: a packet may carry a coarse copy of the one before it, here of 20 ms at most.
        let copied = whole.min(step * 8);
        let (guessed, copy) = out.split_at_mut(whole - copied);
        let mut written = 0;
        for part in guessed.chunks_mut(step * 8) {
            written += decoder.decode(&[], part, false).unwrap_or(0);
        }
        if written == guessed.len()
            && let Some(copy) = copy.get_mut(..copied).filter(|copy| !copy.is_empty())
        {
            written += decoder.decode(next, copy, true).unwrap_or(0);
        }
        written
    }
}

/// Turns samples into payloads.
#[derive(Debug)]
pub struct Encoder(Encoding);

#[derive(Debug)]
enum Encoding {
    Law(Law),
    G722(Box<g722::Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder that was given nothing yet; `terms` are what the far end asks of Opus. `None` when there is no
    /// memory for it.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate, terms: Option<OpusTerms>) -> Option<Self> {
        Some(Self(match codec {
            Codec::Pcmu => Encoding::Law(Law::Mu),
            Codec::Pcma => Encoding::Law(Law::A),
            Codec::G722 => Encoding::G722(Box::new(g722::Encoder::new(rate.width()))),
            Codec::Opus => Encoding::Opus(opus_encoder(rate, terms.unwrap_or_default()).ok()?),
        }))
    }

    /// Codes 20 ms; the bytes written, 0 when that failed.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        match &mut self.0 {
            Encoding::Law(law) => {
                for (byte, sample) in out.iter_mut().zip(samples) {
                    *byte = g711::encode(*law, *sample);
                }
                samples.len().min(out.len())
            }
            Encoding::G722(encoder) => encoder.encode(samples, out),
            Encoding::Opus(encoder) => encoder.encode(samples, out).unwrap_or(0),
        }
    }
}

fn opus_encoder(rate: Rate, terms: OpusTerms) -> opus::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(rate.hertz(), opus::Channels::Mono, opus::Application::Voip)?;
    let ours = match rate {
        Rate::Narrow => NARROW_BITS,
        Rate::Wide => WIDE_BITS,
    };
    encoder.set_bitrate(opus::Bitrate::Bits(ours.min(terms.most_bits)))?;
    encoder.set_complexity(5)?;
    encoder.set_inband_fec(terms.wants_copies)?;
    if terms.wants_copies {
        encoder.set_packet_loss_perc(5)?;
    }
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// A second of a pitch at -10 dBm0 or so.
    fn pitch(hertz: f64, rate: Rate) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate.hertz());
        (0..rate.hertz())
            .map(|n| ((f64::from(n) * step).sin() * 8_000.0) as i16)
            .collect()
    }

    /// How far a pitch stands above everything else, decibels: the best sine is taken out, the rest is noise.
    fn snr(samples: &[i16], rate_hz: u32, hertz: f64) -> f64 {
        let step = std::f64::consts::TAU * hertz / f64::from(rate_hz);
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (s, c) = (n as f64 * step).sin_cos();
            sine += s * f64::from(*sample);
            cosine += c * f64::from(*sample);
        }
        let scale = 2.0 / samples.len() as f64;
        let (sine, cosine) = (sine * scale, cosine * scale);
        let (mut signal, mut noise) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (s, c) = (n as f64 * step).sin_cos();
            let ideal = sine * s + cosine * c;
            signal += ideal * ideal;
            noise += (f64::from(*sample) - ideal).powi(2);
        }
        10.0 * (signal / noise).log10()
    }

    /// Samples through a coder and its decoder, 20 ms by 20 ms.
    fn through(samples: &[i16], codec: Codec, rate: Rate) -> Vec<i16> {
        let mut encoder = Encoder::new(codec, rate, None).unwrap();
        let mut decoder = Decoder::new(codec, rate).unwrap();
        let (mut payload, mut out) = ([0; 1_500], [0; LONGEST]);
        let mut heard = Vec::new();
        for frame in samples.chunks_exact(usize::from(rate.khz()) * 20) {
            let length = encoder.encode(frame, &mut payload);
            let count = decoder.decode(&payload[..length], &mut out);
            assert_eq!(count, frame.len(), "{codec:?}");
            heard.extend_from_slice(&out[..count]);
        }
        heard
    }

    #[test]
    fn every_pair_keeps_a_tone_thirty_decibels_above_its_noise() {
        for from in ALL {
            for to in ALL {
                let rate = Rate::between(from, to);
                for hertz in [440.0, 1_004.0, 1_800.0] {
                    let said = through(&pitch(hertz, rate), from, rate);
                    // Legs of one codec are relayed as they are.
                    let heard = if from == to { said } else { through(&said, to, rate) };
                    let settled = &heard[heard.len() / 4..];
                    let ratio = snr(settled, rate.hertz(), hertz);
                    assert!(ratio >= 30.0, "{from:?} to {to:?} at {hertz} Hz: {ratio:.1} dB");
                }
            }
        }
    }
}
