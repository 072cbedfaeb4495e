//! Which packet goes to whom and under which numbers: rewriting, layer choice, speakers. Pure arithmetic.

mod gapless;
pub(crate) mod layers;
mod packet;
mod picture;
pub mod red;
mod rewrite;
mod spatial;
pub(crate) mod speakers;
pub(crate) mod thin;

pub use gapless::Gapless;
pub use packet::{Codec, Packet};
pub use picture::{Vp8Numbers, Vp8Run, begins_key_frame};
pub use rewrite::Rewriter;
pub use spatial::{Spatial, SpatialReader};
