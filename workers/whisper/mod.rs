//! Speech to text on this machine, with whisper.cpp.
//!
//! Each channel of a recording is one speaker. Of each, [`vad`] keeps what is speech, [`echo`] leaves out what
//! is the other party's, [`pieces`] packs the rest, [`engine`] runs the model piece by piece, [`words`] turns tokens into words with times.
//! Start reading at [`Recogniser`]. Nothing here knows of jobs or the store.

mod abort;
mod course;
pub mod cpu;
mod echo;
mod engine;
pub mod models;
mod onset;
mod pieces;
mod speech;
#[cfg(test)]
mod tests;
mod vad;
mod words;

pub use course::Course;
pub use engine::{Heard, Options, Recogniser, Session};

/// Why speech could not be turned into text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model is not there.
    #[error(transparent)]
    Model(#[from] models::Error),
    /// The processor is too old.
    #[error(transparent)]
    Processor(#[from] cpu::TooOld),
    /// whisper.cpp refused.
    #[error("the speech engine failed while {doing}")]
    Engine {
        /// What it was to do.
        doing: &'static str,
        /// What it said.
        source: whisper_rs::WhisperError,
    },
    /// It was told to end.
    #[error("the transcription was cancelled")]
    Cancelled,
}
