//! Commands that run and end.

pub(crate) mod compliance;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod flow;
pub(crate) mod keys;
pub(crate) mod models;
pub(crate) mod settings;
pub(crate) mod subject;
