//! Who is asking and what they may do: passwords, sessions, first-run code, API tokens, roles, limits.
//!
//! It decides nothing about what a page or an endpoint does; it hands both HTTP crates a
//! [`Principal`] that only this crate can make, so a handler cannot be written around it. Start
//! reading at [`web`] for the extractors a handler names in its arguments, at [`Access`] for what
//! stands behind them, and at [`throttle`] for the limits.

pub mod csrf;
pub mod meeting;
pub mod password;
pub mod principal;
pub mod room_claims;
pub mod secret;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod web;

pub mod io;

pub use io::{
    Access, AccessConfig, Error, FirstAdmin, FirstRunRefused, NewToken, RoomToken, RoomTokenRefusal, SignIn,
    SignInRefused, SignedIn, forget_cookies, is_email, tenant_cookie,
};
pub use principal::{Principal, Via};
pub use room_claims::{RoomClaims, SipGrant, VideoGrant};
pub use secret::device_password;
pub use web::{
    Bearer, BearerRefusal, Encrypted, Opened, Posted, PostedUpload, Refusal, RoomBearer, Scripted, Signed, Source,
    Upload, safe_next,
};
