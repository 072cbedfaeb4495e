//! What whole-product tests and the demo are made of: the real binaries, real partners, real audio.
//!
//! [`Sandbox`] starts a throw-away instance, [`Baresip`] and [`sipp`] are phones and providers, [`Chromium`] and [`Firefox`] are
//! browsers of people,
//! [`tone`] makes and measures audio, [`speech`] has recorded human speech with its exact text.

pub mod baresip;
pub mod chromium;
pub mod events;
pub mod firefox;
pub mod minutes;
pub mod nat;
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
pub use firefox::Firefox;
pub use patience::{eventually, within};
pub use sandbox::Sandbox;
