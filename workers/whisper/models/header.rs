//! What a ggml model file says of itself in its first bytes.

use super::{Error, VOICE_ACTIVITY};
use serde::{Deserialize, Serialize};
use std::io::Read;

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Speech to text.
    Speech,
    /// Tells speech from everything else.
    VoiceActivity,
}

/// Size classes of Whisper, least capable first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// 39 million weights.
    Tiny,
    /// 74 million weights.
    Base,
    /// 244 million weights.
    Small,
    /// 769 million weights.
    Medium,
    /// `large-v3` with four decoder layers.
    LargeTurbo,
    /// `large` and `large-v2`.
    LargeV2,
    /// `large-v3`.
    LargeV3,
}

/// The header of a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) family: Family,
    pub(super) size: Option<Size>,
    pub(super) multilingual: bool,
    pub(super) quantisation: String,
}

impl Header {
    pub(super) fn read(file: &mut impl Read) -> Result<Self, Error> {
        let mut bytes = [0; 48];
        file.read_exact(&mut bytes)
            .map_err(|_| Error::Format("the file is too short to be a model".into()))?;
        let number = |at: usize| {
            let start = at * 4;
            let word = bytes.get(start..start + 4).and_then(|word| word.try_into().ok());
            u32::from_le_bytes(word.unwrap_or_default())
        };
        if number(0) != 0x6767_6d6c {
            return Err(Error::Format("it does not begin like a ggml file".into()));
        }
        if bytes.get(8..).is_some_and(|rest| rest.starts_with(b"silero")) {
            return Ok(Self {
                family: Family::VoiceActivity,
                size: None,
                multilingual: true,
                quantisation: "f32".to_owned(),
            });
        }
        let (vocabulary, audio_layers, text_layers) = (number(1), number(5), number(9));
        if !(51_864..=51_866).contains(&vocabulary) {
            return Err(Error::Format("its vocabulary is not Whisper's".into()));
        }
        let size = match (audio_layers, text_layers, vocabulary) {
            (4, _, _) => Size::Tiny,
            (6, _, _) => Size::Base,
            (12, _, _) => Size::Small,
            (24, _, _) => Size::Medium,
            (32, 4, _) => Size::LargeTurbo,
            (32, _, 51_866) => Size::LargeV3,
            (32, _, _) => Size::LargeV2,
            (layers, _, _) => return Err(Error::Format(format!("no Whisper has {layers} layers"))),
        };
        let quantisation = match number(11) % 1000 {
            0 => "f32",
            1 => "f16",
            2 => "q4_0",
            3 => "q4_1",
            7 => "q8_0",
            8 => "q5_0",
            9 => "q5_1",
            _ => "other",
        };
        Ok(Self {
            family: Family::Speech,
            size: Some(size),
            multilingual: vocabulary > 51_864,
            quantisation: quantisation.to_owned(),
        })
    }

    /// The name people know such a model by.
    pub(super) fn name(&self) -> String {
        let Some(size) = self.size else {
            return VOICE_ACTIVITY.to_owned();
        };
        let english = if self.multilingual { "" } else { ".en" };
        let size = match size {
            Size::Tiny => "tiny",
            Size::Base => "base",
            Size::Small => "small",
            Size::Medium => "medium",
            Size::LargeTurbo => "large-v3-turbo",
            Size::LargeV2 => "large-v2",
            Size::LargeV3 => "large-v3",
        };
        format!("{size}{english}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(vocabulary: u32, audio_layers: u32, text_layers: u32, file_type: u32) -> Vec<u8> {
        let numbers = [
            0x6767_6d6c,
            vocabulary,
            1500,
            384,
            6,
            audio_layers,
            448,
            384,
            6,
            text_layers,
            80,
            file_type,
        ];
        numbers.iter().flat_map(|number: &u32| number.to_le_bytes()).collect()
    }

    #[test]
    fn names_follow_from_layers_and_vocabulary() {
        for (vocabulary, audio, text, name) in [
            (51_864, 4, 4, "tiny.en"),
            (51_865, 6, 6, "base"),
            (51_866, 32, 32, "large-v3"),
            (51_866, 32, 4, "large-v3-turbo"),
            (51_865, 32, 32, "large-v2"),
        ] {
            let header = Header::read(&mut header(vocabulary, audio, text, 2007).as_slice()).unwrap();
            assert_eq!(header.name(), name);
            assert_eq!(header.quantisation, "q8_0");
            assert_eq!(header.multilingual, !name.ends_with(".en"));
        }
    }

    #[test]
    fn a_foreign_file_is_refused() {
        assert!(Header::read(&mut [0; 64].as_slice()).is_err());
        assert!(Header::read(&mut header(32_000, 4, 4, 1).as_slice()).is_err());
        assert!(Header::read(&mut [1, 2, 3].as_slice()).is_err());
    }
}
