//! The file in which an administrator names providers, and where their keys come from.
//!
//! ```toml
//! [[provider]]
//! name = "azure"                    # what tenants' settings call it
//! kind = "azure"                    # azure, openai or gemini
//! url = "https://acme.openai.azure.com"
//! key_file = "/etc/strowger/azure.key"   # or key_command = ["vault", "read", …], or key_credential = "azure"
//! chat = "gpt-4o-mini"              # deployment or model; without one it is not asked for that
//! audio = "whisper"
//! embedding = "text-embedding-3-small"
//! api_version = "2024-06-01"
//! on_premises = false               # true: nothing leaves the house by it, so no consent is needed
//! timeout_seconds = 30
//! price_asked = 0.15                # a million tokens asked with, answered with, and a minute of audio,
//! price_answered = 0.60             # in the currency of the house
//! price_minute = 0.006
//! ```
//!
//! The file is read anew for every job, a key for every request: both change without a restart.

use super::http::Place;
use super::printed::{Unprinted, printed};
use super::{Dialect, gemini, openai};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no list of providers.
    #[error("{path} is no list of providers")]
    Shape {
        /// Which.
        path: PathBuf,
        /// Why; boxed for its size.
        source: Box<toml::de::Error>,
    },
    /// A provider's lines contradict themselves.
    #[error("provider `{name}`: {problem}")]
    Provider {
        /// Which.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// There is no key where one should be.
    #[error("there is no key for provider `{0}`")]
    Key(String),
    /// The command that prints a key did not end.
    #[error("the command for the key of provider {0} did not end within 10 seconds and was killed")]
    Late(String),
}

/// How long a command may take to print a key.
const COMMAND: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    kind: String,
    url: String,
    key_file: Option<PathBuf>,
    key_credential: Option<String>,
    #[serde(default)]
    key_command: Vec<String>,
    #[serde(default)]
    chat: String,
    #[serde(default)]
    audio: String,
    #[serde(default)]
    embedding: String,
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    on_premises: bool,
    #[serde(default = "thirty")]
    timeout_seconds: u64,
    #[serde(default)]
    price_asked: f64,
    #[serde(default)]
    price_answered: f64,
    #[serde(default)]
    price_minute: f64,
}

const fn thirty() -> u64 {
    30
}

/// Where a key comes from.
#[derive(Debug, Clone)]
enum Key {
    None,
    File(PathBuf),
    Command(Vec<String>),
}

/// A provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What tenants' settings call it.
    pub name: String,
    /// `azure`, `openai` or `gemini`.
    pub kind: String,
    /// Whether nothing leaves the house by it.
    pub on_premises: bool,
    /// How long one request may take.
    pub timeout: Duration,
    /// Whether it understands text.
    pub chats: bool,
    /// Whether it hears audio.
    pub hears: bool,
    /// Whether it makes vectors.
    pub embeds: bool,
    /// Its model for audio.
    pub hearing: String,
    /// Its model for vectors; those of different models cannot be compared.
    pub embedding: String,
    pub(super) place: Place,
    pub(super) dialect: Arc<dyn Dialect>,
    key: Key,
    prices: [f64; 3],
}

/// Reads the list. `None` is an empty list.
///
/// # Errors
/// The file cannot be read, or its lines contradict themselves.
pub fn read(path: Option<&Path>) -> Result<Vec<Provider>, Error> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|problem| match problem {
        Fault::Shape(source) => Error::Shape {
            path: path.to_owned(),
            source,
        },
        Fault::Provider(problem) => problem,
    })
}

#[derive(Debug)]
enum Fault {
    Shape(Box<toml::de::Error>),
    Provider(Error),
}

fn parse(text: &str) -> Result<Vec<Provider>, Fault> {
    let file: File = toml::from_str(text).map_err(|source| Fault::Shape(Box::new(source)))?;
    let mut all: Vec<Provider> = Vec::new();
    for entry in file.provider {
        let name = entry.name.clone();
        let wrong = |problem| {
            Fault::Provider(Error::Provider {
                name: name.clone(),
                problem,
            })
        };
        if all.iter().any(|other| other.name == entry.name) {
            return Err(wrong("there are two of that name"));
        }
        all.push(provider(entry).map_err(wrong)?);
    }
    Ok(all)
}

/// Where systemd puts a service's credentials; it says so in the environment alone.
fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn provider(entry: Entry) -> Result<Provider, &'static str> {
    let is_name = |name: &str| {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !name.is_empty() && name.len() <= 40 && name != "local" && name.bytes().all(letter)
    };
    if !is_name(&entry.name) {
        return Err("names are small letters, digits and dashes, and `local` is this machine");
    }
    let place = Place::read(&entry.url).ok_or("`url` is no https or http address without user, query and fragment")?;
    let key = match (entry.key_file, entry.key_credential, entry.key_command) {
        (None, None, command) if command.is_empty() => Key::None,
        (None, None, command) => Key::Command(command),
        (Some(file), None, command) if command.is_empty() => Key::File(file),
        (None, Some(name), command) if command.is_empty() => {
            let plain = !name.contains('/') && !name.starts_with('.');
            let folder = credentials()
                .filter(|_| plain)
                .ok_or("there are no credentials of that name")?;
            Key::File(folder.join(name))
        }
        _ => return Err("say one of key_file, key_credential and key_command"),
    };
    let (chats, hears) = (!entry.chat.is_empty(), !entry.audio.is_empty());
    let embeds = !entry.embedding.is_empty();
    let (chat, audio, embedding) = (entry.chat, entry.audio, entry.embedding);
    let (hearing, model) = (audio.clone(), embedding.clone());
    let dialect: Arc<dyn Dialect> = match entry.kind.as_str() {
        "openai" => Arc::new(openai::OpenAi::Models { chat, audio, embedding }),
        "azure" if entry.api_version.is_empty() => return Err("azure wants an api_version"),
        "azure" => Arc::new(openai::OpenAi::Azure {
            chat,
            audio,
            embedding,
            api_version: entry.api_version,
        }),
        "gemini" => Arc::new(gemini::Gemini { chat, audio, embedding }),
        _ => return Err("`kind` is azure, openai or gemini"),
    };
    Ok(Provider {
        name: entry.name,
        kind: entry.kind,
        on_premises: entry.on_premises,
        timeout: Duration::from_secs(entry.timeout_seconds.clamp(1, 600)),
        chats,
        hears,
        embeds,
        hearing,
        embedding: model,
        place,
        dialect,
        key,
        prices: [entry.price_asked, entry.price_answered, entry.price_minute],
    })
}

impl Provider {
    /// Where it lies, for people.
    #[must_use]
    pub fn host(&self) -> &str {
        self.place.host()
    }

    /// The key, read anew; blocks on a file or a command.
    ///
    /// # Errors
    /// There is none, or its command did not end in time. The reason holds nothing of it.
    pub(super) fn key(&self) -> Result<Option<String>, Error> {
        let missing = || Error::Key(self.name.clone());
        let text = match &self.key {
            Key::None => return Ok(None),
            Key::File(path) => std::fs::read_to_string(path).map_err(|_| missing())?,
            Key::Command(words) => printed(words, COMMAND).map_err(|why| match why {
                Unprinted::Failed => missing(),
                Unprinted::Late => Error::Late(self.name.clone()),
            })?,
        };
        let key = text.trim();
        // A key with a line end in it would end the header.
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(missing());
        }
        Ok(Some(key.to_owned()))
    }

    /// What tokens and audio cost, millionths of the currency.
    #[must_use]
    pub(super) fn cost_micros(&self, tokens: super::Tokens, audio_ms: i64) -> i64 {
        let [asked, answered, minute] = self.prices;
        // A million tokens cost the price, so a token costs the price in millionths.
        let cost = tokens.asked as f64 * asked + tokens.answered as f64 * answered;
        (cost + audio_ms as f64 / 60_000.0 * minute * 1e6).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_what_contradicts_itself_is_refused() {
        let good = "[[provider]]\nname = 'azure'\nkind = 'azure'\nurl = 'https://a.example'\nchat = 'gpt'\n\
                    api_version = '2024-06-01'\nkey_file = '/k'\n[[provider]]\nname = 'house'\nkind = 'openai'\n\
                    url = 'http://127.0.0.1:8080/v1'\nchat = 'm'\non_premises = true\nprice_asked = 2.0\nprice_minute = 0.006";
        let list = parse(good).unwrap();
        assert_eq!(
            (list[0].host(), list[0].chats, list[0].hears),
            ("a.example", true, false)
        );
        assert!(list[1].on_premises && list[1].key().unwrap().is_none());
        let tokens = super::super::Tokens {
            asked: 1000,
            answered: 5,
        };
        assert_eq!(list[1].cost_micros(tokens, 120_000), 2000 + 12_000);
        assert!(matches!(list[0].key(), Err(Error::Key(_))));
        for wrong in [
            "name = 'local'\nkind = 'openai'\nurl = 'http://a'",
            "name = 'A b'\nkind = 'openai'\nurl = 'http://a'",
            "name = 'a'\nkind = 'azure'\nurl = 'https://a'",
            "name = 'a'\nkind = 'other'\nurl = 'https://a'",
            "name = 'a'\nkind = 'openai'\nurl = 'https://a/?key=secret'",
            "name = 'a'\nkind = 'openai'\nurl = 'https://a'\nkey = 'in the clear'",
            "name = 'a'\nkind = 'openai'\nurl = 'https://a'\nkey_file = '/a'\nkey_command = ['b']",
            "name = 'a'\nkind = 'openai'\nurl = 'https://a'\n[[provider]]\nname = 'a'\nkind = 'openai'\nurl = 'https://a'",
        ] {
            assert!(parse(&format!("[[provider]]\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_is_changed_counts_from_the_next_request_whether_of_a_file_or_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let list = parse(&format!(
            "[[provider]]\nname = 'a'\nkind = 'openai'\nurl = 'https://a'\nchat = 'm'\nkey_file = '{0}'\n\
             [[provider]]\nname = 'b'\nkind = 'openai'\nurl = 'https://b'\nchat = 'm'\nkey_command = ['cat', '{0}']",
            file.display()
        ))
        .unwrap();
        for key in ["first", "second"] {
            std::fs::write(&file, format!("{key}\n")).unwrap();
            for provider in &list {
                assert_eq!(provider.key().unwrap().as_deref(), Some(key), "{}", provider.name);
            }
        }
        // A key that would end its header is none, and is not repeated in the reason.
        std::fs::write(&file, "sec\nret").unwrap();
        for provider in &list {
            let problem = provider.key().unwrap_err().to_string();
            assert!(!problem.contains("sec"), "{problem}");
        }
    }
}
