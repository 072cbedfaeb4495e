//! What whole-product tests and the demo are made of: the real binaries, real partners, real audio.
//!
//! [`Sandbox`] starts a throw-away instance, [`Baresip`] and [`sipp`] are phones and providers, [`Chromium`] is a person's browser,
//! [`tone`] makes and measures audio, [`speech`] has recorded human speech with its exact text.

pub mod baresip;
pub mod chromium;
pub mod events;
pub mod minutes;
pub mod network;
pub mod patience;
pub mod pings;
pub mod process;
pub mod program;
pub mod sandbox;
pub mod scene;
pub mod sipp;
pub mod speech;
pub mod tone;

pub use baresip::Baresip;
pub use chromium::Chromium;
pub use events::Events;
pub use patience::{eventually, within};
pub use sandbox::Sandbox;
