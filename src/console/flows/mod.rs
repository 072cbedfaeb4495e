//! Flows: the list, the editor with findings, versions, the simulator.

mod check;
mod handlers;
pub mod view;

pub(crate) use handlers::routes;
