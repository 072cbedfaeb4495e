//! What a leg said as samples, for the timeline of a call: each codec at the timeline's rate.

use super::Decoder;
use super::doubler::Doubler;
use crate::Codec;
use crate::coder::{self, LONGEST, Rate};
use crate::g711::{self, Law};
use strowger_model::capture;

/// Decodes one codec of one stream.
pub(super) struct Telephone(Kind);

enum Kind {
    /// What has a memory of its own.
    Coded {
        decoder: coder::Decoder,
        buffer: Box<[i16; LONGEST]>,
    },
    /// What is a sample for each byte or two, and has to be made denser on a wide-band timeline.
    Plain { form: Form, doubler: Option<Box<Doubler>> },
}

#[derive(Clone, Copy)]
enum Form {
    Law(Law),
    Linear,
}

impl Telephone {
    /// A decoder that has heard nothing; `None` for what is no sound, and when there is no memory for it.
    pub(super) fn new(codec: capture::Codec, rate: Rate) -> Option<Self> {
        let coded = |codec| {
            Some(Kind::Coded {
                decoder: coder::Decoder::new(codec, rate)?,
                buffer: Box::new([0; LONGEST]),
            })
        };
        let plain = |form| {
            let doubler = match rate {
                Rate::Narrow => None,
                Rate::Wide => Some(Box::new(Doubler::new())),
            };
            Some(Kind::Plain { form, doubler })
        };
        let kind = match codec {
            capture::Codec::G722 => coded(Codec::G722),
            capture::Codec::Opus => coded(Codec::Opus),
            capture::Codec::Pcmu => plain(Form::Law(Law::Mu)),
            capture::Codec::Pcma => plain(Form::Law(Law::A)),
            capture::Codec::Linear8 => plain(Form::Linear),
            capture::Codec::Mark => None,
        };
        kind.map(Self)
    }
}

impl Decoder for Telephone {
    fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match &mut self.0 {
            Kind::Coded { decoder, buffer } => {
                let count = decoder.decode(payload, &mut buffer[..]);
                heard(&buffer[..], count)
            }
            Kind::Plain { form, doubler } => {
                let samples: Vec<i16> = match *form {
                    Form::Law(law) => payload.iter().map(|byte| g711::decode(law, *byte)).collect(),
                    Form::Linear => payload
                        .chunks_exact(2)
                        .filter_map(|pair| Some(i16::from_le_bytes(*pair.first_chunk()?)))
                        .collect(),
                };
                match doubler {
                    None => samples,
                    Some(doubler) => doubler.double(&samples),
                }
            }
        }
    }

    fn conceal(&mut self, samples: usize, next: &[u8]) -> Vec<i16> {
        match &mut self.0 {
            Kind::Coded { decoder, buffer } => {
                let count = decoder.conceal(samples, next, &mut buffer[..]);
                heard(&buffer[..], count)
            }
            Kind::Plain { .. } => Vec::new(),
        }
    }
}

fn heard(buffer: &[i16], count: usize) -> Vec<i16> {
    buffer.get(..count).unwrap_or_default().to_vec()
}
