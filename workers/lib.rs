//! The background work of the product: recordings, transcripts, analysis, prompts, retention.
//!
//! Everything that parses foreign files, hogs a processor or can crash lives here, in a process of
//! its own that the daemon never waits for. [`audio`], [`whisper`], [`analysis`], [`providers`], [`redact`] and [`prompts`] know
//! nothing of jobs; [`jobs`] ties them to the store, one file a job; [`commands`] is what can be run.

pub mod analysis;
pub mod audio;
pub mod commands;
pub mod cpu_time;
pub mod jobs;
pub mod priority;
pub mod prompts;
pub mod providers;
pub mod redact;
pub mod whisper;
