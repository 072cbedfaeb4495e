//! Calls: who is connected to whom, and what happens next.
//!
//! Pure except for [`io`]. Start reading at [`live`] for what others see of calls, then at
//! [`io::SwitchHandle`] for what they may ask of them.

pub mod io;
pub mod live;
