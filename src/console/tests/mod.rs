//! Requests against the router, with a real store.

mod forms;
mod harness;
mod pages;
mod sound;
