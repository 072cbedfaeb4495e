//! `espeak-ng` as a child process: text on its standard input, WAV on its standard output.

use super::Error;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Voice {
    /// The voice, in espeak's words or those flows use (`female`, `male`); empty takes the
    /// language's own.
    pub name: String,
    /// The language (`en`, `de-DE`); empty is English.
    pub language: String,
}

/// A little slower than espeak's own 175: callers listen on bad lines.
const WORDS_A_MINUTE: &str = "155";
/// A quarter of a second.
const SILENCE_SAMPLES: usize = 2000;

impl Voice {
    /// The voice in espeak's form: a language, then a variant.
    fn code(&self) -> String {
        let language: String = self
            .language
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .flat_map(char::to_lowercase)
            .collect();
        let language = match language.as_str() {
            "" => "en-us",
            "en-gb" | "en-au" | "en-nz" | "en-ie" => "en-gb",
            "en" | "en-us" | "en-ca" => "en-us",
            "pt-br" => "pt-br",
            other => other.split('-').next().unwrap_or("en"),
        };
        let variant = match self.name.to_lowercase().as_str() {
            "male" | "man" | "m" => "+m3",
            "female" | "woman" | "f" | "alice" => "+f3",
            _ => "",
        };
        format!("{language}{variant}")
    }
}

/// Speaks a text; a WAV file.
pub(super) fn speak(text: &str, voice: &Voice) -> Result<Vec<u8>, Error> {
    if text.trim().is_empty() {
        let silence = crate::audio::Pcm {
            sample_rate_hz: super::SAMPLE_RATE_HZ,
            channels: vec![vec![0; SILENCE_SAMPLES]],
        };
        return Ok(crate::audio::wav::encode(&silence)?);
    }
    let spoken = run(text, &voice.code())?;
    // A language espeak does not know is spoken in English rather than not at all.
    spoken.map_or_else(|_| run(text, "en-us")?.map_err(Error::Voice), Ok)
}

/// Whether the program is there.
pub(super) fn check() -> Result<(), Error> {
    match Command::new("espeak-ng").arg("--version").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) | Err(_) => Err(Error::NoVoice),
    }
}

/// The file, or what the program said.
fn run(text: &str, voice: &str) -> Result<Result<Vec<u8>, String>, Error> {
    let mut child = Command::new("espeak-ng")
        .args(["--stdin", "--stdout", "-b", "1", "-s", WORDS_A_MINUTE, "-v", voice])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                Error::NoVoice
            } else {
                Error::Voice(error.to_string())
            }
        })?;
    if let Some(mut input) = child.stdin.take() {
        // It reads everything before it speaks, so this cannot wait for the output below. When it has
        // gone already its exit status says why.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| Error::Voice(error.to_string()))?;
    if output.status.success() && output.stdout.len() > 44 {
        return Ok(Ok(output.stdout));
    }
    Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, language: &str) -> String {
        Voice {
            name: name.to_owned(),
            language: language.to_owned(),
        }
        .code()
    }

    #[test]
    fn voices_and_languages_become_what_espeak_knows() {
        assert_eq!(code("", ""), "en-us");
        assert_eq!(code("female", "de-DE"), "de+f3");
        assert_eq!(
            code("MALE", "en-GB; x"),
            "en+m3",
            "what is no language code is cut down to letters"
        );
        assert_eq!(code("", "pt-BR"), "pt-br");
    }

    #[test]
    fn an_unknown_language_is_spoken_in_english() {
        let voice = Voice {
            name: String::new(),
            language: "xx".to_owned(),
        };
        assert!(speak("Hello", &voice).unwrap().starts_with(b"RIFF"));
    }
}
