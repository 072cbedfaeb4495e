//! Rows as they come back, read by column name into domain types.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use std::str::FromStr;
use time::OffsetDateTime;

/// A row of a result.
pub(crate) struct Row(pub(crate) AnyRow);

impl Row {
    pub(crate) fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn opt_text(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Result<Vec<u8>> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn opt_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn opt_int(&self, column: &'static str) -> Result<Option<i64>> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn real(&self, column: &'static str) -> Result<f64> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn switch(&self, column: &'static str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<OffsetDateTime> {
        at(column, self.int(column)?)
    }

    pub(crate) fn opt_time(&self, column: &'static str) -> Result<Option<OffsetDateTime>> {
        self.opt_int(column)?.map(|ms| at(column, ms)).transpose()
    }

    pub(crate) fn parse<T: FromStr>(&self, column: &'static str) -> Result<T> {
        let value = self.text(column)?;
        value.parse().map_err(|_| Error::Corrupt { column, value })
    }

    pub(crate) fn opt_parse<T: FromStr>(&self, column: &'static str) -> Result<Option<T>> {
        self.opt_text(column)?
            .map(|value| value.parse().map_err(|_| Error::Corrupt { column, value }))
            .transpose()
    }

    /// A code of one of the model's enums, by its `from_code`.
    pub(crate) fn code<T>(&self, column: &'static str, from_code: fn(&str) -> Option<T>) -> Result<T> {
        let value = self.text(column)?;
        from_code(&value).ok_or(Error::Corrupt { column, value })
    }

    pub(crate) fn opt_code<T>(&self, column: &'static str, from_code: fn(&str) -> Option<T>) -> Result<Option<T>> {
        self.opt_text(column)?
            .map(|value| from_code(&value).ok_or(Error::Corrupt { column, value }))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        let value = self.text(column)?;
        serde_json::from_str(&value).map_err(|problem| unreadable(column, &value, &problem))
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        self.opt_text(column)?
            .map(|value| serde_json::from_str(&value).map_err(|problem| unreadable(column, &value, &problem)))
            .transpose()
    }
}

/// What is wrong with JSON without a word of it: transcripts and secrets are kept so, and errors reach the log.
fn unreadable(column: &'static str, value: &str, problem: &serde_json::Error) -> Error {
    let (size, line, place) = (value.len(), problem.line(), problem.column());
    Error::Corrupt {
        column,
        value: format!("{size} bytes of JSON that do not fit at line {line}, column {place}"),
    }
}

fn at(column: &'static str, ms: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).map_err(|_| Error::Corrupt {
        column,
        value: ms.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_cannot_be_read_is_told_of_without_its_words() {
        let said = r#"{"summary": "Erna asked for her results"}"#;
        let problem = serde_json::from_str::<Vec<i64>>(said).unwrap_err();
        let told = unreadable("analysis", said, &problem).to_string();
        assert!(told.starts_with("column `analysis` holds `41 bytes"), "{told}");
        assert!(!told.contains("Erna") && !told.contains("summary"), "{told}");
    }
}
