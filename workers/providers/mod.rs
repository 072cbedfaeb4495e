//! Language services other than this machine's own rules and Whisper: OpenAI-compatible servers, Azure
//! OpenAI, Gemini.
//!
//! [`Dialect`] is the one interface: pure, it writes requests and reads answers, so its contract is tested
//! byte for byte. [`list`] is the file in which an administrator names providers, [`chain`] asks them in the
//! tenant's order within its time and past those that fail, [`http`] is the one way out. Nothing is asked
//! unless the file names a provider, the tenant's settings put it in their order and, where it lies outside
//! of the house, the tenant consents. What nobody could do the rules and Whisper of this machine do.

pub mod breaker;
pub mod chain;
mod gemini;
mod http;
pub mod list;
#[cfg(test)]
pub(crate) mod mock;
mod openai;
mod printed;
mod prompt;

use strowger_model::speech::Segment;

/// A request of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Below the provider's address, with its query; never a secret.
    pub path: String,
    /// The header that carries the key: its name, and what stands before the key.
    pub key_header: (&'static str, &'static str),
    /// The body's type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Tokens asked with.
    pub asked: i64,
    /// Tokens answered with.
    pub answered: i64,
}

/// What was heard by a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// The turns, without channel and speaker.
    pub segments: Vec<Segment>,
    /// What it took, where it says so.
    pub tokens: Tokens,
}

/// Sound to be heard: one channel, Opus in Ogg.
#[derive(Debug, Clone, Copy)]
pub struct Sound<'a> {
    /// The file.
    pub file: &'a [u8],
    /// Its length.
    pub duration_ms: i64,
}

/// Why an answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Garbage {
    /// It is no JSON of the shape that was promised.
    #[error("the answer has not the promised shape: {0}")]
    Shape(&'static str),
    /// It says what nobody said.
    #[error("the answer invents `{0}`")]
    Invented(String),
}

/// As many vectors as there were texts, all of one length.
fn whole(vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, Garbage> {
    let length = vectors.first().map_or(0, Vec::len);
    let is_whole = vectors.len() == count && length > 0 && vectors.iter().all(|one| one.len() == length);
    is_whole
        .then_some(vectors)
        .ok_or(Garbage::Shape("not one vector for each text"))
}

/// How a family of services is spoken to.
pub trait Dialect: std::fmt::Debug + Send + Sync {
    /// Asks for an answer to `asked` under `rules`, as JSON.
    fn chat(&self, rules: &str, asked: &str) -> Request;

    /// Reads the text of such an answer.
    ///
    /// # Errors
    /// It has another shape.
    fn read_chat(&self, body: &[u8]) -> Result<(String, Tokens), Garbage>;

    /// Asks what was said.
    fn audio(&self, sound: Sound<'_>) -> Request;

    /// Reads what was said.
    ///
    /// # Errors
    /// It has another shape.
    fn read_audio(&self, body: &[u8], sound: Sound<'_>) -> Result<Heard, Garbage>;

    /// Asks for the meaning of texts, a vector each.
    fn embedding(&self, texts: &[String]) -> Request;

    /// Reads the vectors of `count` texts, in their order.
    ///
    /// # Errors
    /// It has another shape, or another number of vectors.
    fn read_embedding(&self, body: &[u8], count: usize) -> Result<(Vec<Vec<f32>>, Tokens), Garbage>;
}
