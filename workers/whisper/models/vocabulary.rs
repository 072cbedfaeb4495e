//! The text tokens of Whisper as byte strings.

use super::Error;
use std::path::Path;

/// The tokens of a CTranslate2 folder by id, up to (not with) `<|endoftext|>`.
pub(super) fn read(folder: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let json = folder.join("vocabulary.json");
    let words: Vec<String> = if json.exists() {
        serde_json::from_slice(&std::fs::read(json)?).map_err(|error| Error::Format(error.to_string()))?
    } else {
        let text = std::fs::read_to_string(folder.join("vocabulary.txt"))?;
        text.split('\n').map(str::to_owned).collect()
    };
    let end = words
        .iter()
        .position(|word| word == "<|endoftext|>")
        .ok_or_else(|| Error::Format("the vocabulary has no <|endoftext|>".into()))?;
    words.iter().take(end).map(|word| bytes_of(word)).collect()
}

fn bytes_of(word: &str) -> Result<Vec<u8>, Error> {
    word.chars()
        .map(byte_of)
        .collect::<Option<_>>()
        .ok_or_else(|| Error::Format(format!("the vocabulary's word {word:?} is not in byte form")))
}

/// GPT-2 writes printable bytes as themselves and the 68 others as the characters from U+0100 on.
fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    if code < 256 {
        let byte = u8::try_from(code).ok()?;
        return is_plain(byte).then_some(byte);
    }
    (0..=u8::MAX)
        .filter(|byte| !is_plain(*byte))
        .nth(usize::try_from(code - 256).ok()?)
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, 33..=126 | 161..=172 | 174..=255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_become_the_bytes_they_stand_for() {
        assert_eq!(bytes_of("Ġhello").unwrap(), b" hello");
        assert_eq!(bytes_of("Ċ").unwrap(), b"\n");
        assert_eq!(bytes_of("Ã©").unwrap(), "é".as_bytes());
    }

    #[test]
    fn every_byte_has_one_character() {
        let mut seen: Vec<u8> = (0..400_u32).filter_map(|code| byte_of(char::from_u32(code)?)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..=u8::MAX).collect::<Vec<_>>());
    }
}
