//! Agents: programs that stand by (`GET /agent`, a WebSocket) and are sent into rooms as members, to listen
//! and to speak. One task owns the [`pool`], which decides who does which job; connections hand it what workers
//! say and carry back what it answers.

mod desk;
mod line;
mod pool;

pub use desk::{AgentNews, Agents};

pub(super) use line::routes;
