//! Requests against the router, with a real store.

mod account;
mod forms;
mod harness;
mod isolation;
mod pages;
mod sound;
