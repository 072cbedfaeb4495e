//! A room as a value.
