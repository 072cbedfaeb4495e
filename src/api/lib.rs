//! Everything a program does over HTTP: REST with its description, events, health and counters.
//!
//! Not here: pages for people (console) and decisions about calls (switch). A handler reaches a
//! tenant's data through [`caller::Caller::may`] alone, which asks the token's role first; whatever is
//! refused leaves as [`problem::Problem`]. Start reading at [`router`], then at any area's `routes`.

mod agents;
pub mod body;
pub mod caller;
mod calls;
mod dev;
mod devices;
mod events;
mod flows;
mod govern;
pub mod health;
mod jobs;
pub mod live;
mod livekit;
mod meetings;
mod metrics;
mod notices;
mod numbers;
mod probe;
pub mod problem;
mod prompts;
mod providers;
mod recordings;
mod refusals;
mod room_keys;
mod rooms;
mod router;
mod search;
mod settings;
mod state;
mod subjects;
#[cfg(test)]
mod tests;
mod transcription;
mod trunks;
mod voicemail;
mod voip;
mod wire;

pub use health::{Check, Mood};
pub use live::Calls;
pub use livekit::agents::{AgentNews, Agents};
pub use livekit::files::FileLinks;
pub use livekit::twirp::egress::watch as watch_egresses;
pub use livekit::webhook::{Reach, Webhooks};
pub use recordings::Converter;
pub use router::router;
pub use state::{ApiState, Probe};
