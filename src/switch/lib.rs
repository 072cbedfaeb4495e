//! Calls: who is connected to whom, and what happens next.
//!
//! Pure except for [`io`]. A call is a value ([`call::Call`]) and so are all calls together
//! ([`exchange::Exchange`]): told what far ends and media threads said, they ask for what is to be
//! done. Where a call goes is one pure question ([`route::decide`]); who is rung when, one small
//! machine ([`ring::Ring`]). What is known without asking anybody lies in [`directory::Directory`].
//!
//! Start reading at [`exchange`], then [`call`]; [`live`] is what others see of calls and
//! [`io::SwitchHandle`] what they may ask of them. Not here: SIP messages, audio, SQL.

pub mod app;
pub mod browser;
pub mod call;
pub mod cause;
pub mod directory;
pub mod entrance;
pub mod exchange;
pub mod io;
pub mod journal;
pub mod live;
pub mod minutes;
pub mod policy;
pub mod ring;
pub mod route;
pub mod scene;
mod signalling;
pub mod standing;
