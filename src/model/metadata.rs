//! What a program gives along with a call: any JSON, kept letter by letter.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A JSON text as it came: order of keys, spelling of numbers and white space included.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata(Arc<str>);

impl Metadata {
    /// The text of an object without keys.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from("{}"))
    }

    /// The text, when it is JSON.
    ///
    /// # Errors
    /// It is not.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(|raw| Self(Arc::from(raw.get())))
    }

    /// The JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What the text means; `null` where it holds what no text can mean, such as half a surrogate pair.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// `null`: nobody gave anything along.
impl Default for Metadata {
    fn default() -> Self {
        Self(Arc::from("null"))
    }
}

impl From<Value> for Metadata {
    fn from(value: Value) -> Self {
        Self(Arc::from(value.to_string()))
    }
}

impl std::str::FromStr for Metadata {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(problem) => Err(serde::ser::Error::custom(problem)),
        }
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        // A raw value is checked for its shape only; what it means is checked here.
        serde_json::from_str::<Value>(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(Arc::from(raw.get())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Body {
        metadata: Metadata,
    }

    #[test]
    fn a_text_comes_back_letter_by_letter() {
        let text = r#"{"metadata":{"z": 1.50, "a":[1e3, 12345678901234567890123 ],  "ü":"\u00fc","z":2}}"#;
        let body: Body = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), text);
        assert_eq!(body.metadata.value()["ü"], "ü");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        assert!(serde_json::from_str::<Body>(r#"{"metadata":{"a":"\ud800"}}"#).is_err());
        assert!(Metadata::parse("{").is_err());
        assert_eq!(Metadata::default().value(), Value::Null);
    }
}
