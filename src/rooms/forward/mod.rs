//! Which packet goes to whom and under which numbers: rewriting, layer choice, speakers. Pure arithmetic.

mod packet;

pub use packet::{Codec, Packet};
