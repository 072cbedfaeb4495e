//! The one way to the database: an [`Engine`]-aware pool, transactions, typed arguments and rows.
//!
//! Nothing outside this crate sees a pool, a row or a column name. Statements are static, with `$1`
//! placeholders, and bind only text, bytes, whole numbers and floating point: the portable types.

mod arg;
mod connect;
mod page;
mod row;

pub(crate) use arg::{Arg, ToArg, args, millis};
pub(crate) use connect::{Db, Engine, Tx, file_of};
pub use page::{Page, Paged};
pub(crate) use page::{cut, cut_by, escape_like};
pub(crate) use row::Row;
