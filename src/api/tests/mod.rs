//! The interface against a real store: every path, every role, every other tenant's id.

mod calls;
mod description;
mod house;
mod isolation;
mod leaving;
mod others;
mod recordings;
mod roles;
mod rooms;
mod stand_in;
mod subjects;
mod tokens;
mod twirp;
