//! What comes in: JSON bodies, queries and ids, each refused with the field's name.

use crate::problem::{FieldError, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// The most bytes of a JSON body.
pub const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// The faults of a body, collected so that all are told at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// Adds a fault unless `good`.
    pub fn unless(&mut self, good: bool, field: &str, message: &str) {
        if !good {
            self.0.push(FieldError {
                field: field.to_owned(),
                message: message.to_owned(),
            });
        }
    }

    /// Adds a fault when a text has more characters than `most`.
    pub fn at_most(&mut self, most: usize, field: &str, text: Option<&str>) {
        let good = text.is_none_or(|text| text.chars().count() <= most);
        self.unless(good, field, &format!("use at most {most} characters"));
    }

    /// Whether there was none.
    ///
    /// # Errors
    /// All of them.
    pub fn into_result(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.0))
        }
    }
}

/// Tells a field that was null from one that was not sent.
pub fn given<'de, T, D>(reader: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::<T>::deserialize(reader).map(Some)
}

/// What a body must satisfy beyond its shape.
pub trait Checked {
    /// Names every fault.
    fn check(&self, faults: &mut Faults);
}

/// A JSON body that was read and checked.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned + Checked,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let json = kind.and_then(|kind| kind.to_str().ok()).is_none_or(is_json);
        if !json {
            let detail = "the body has to be application/json";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                detail,
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            let detail = format!("the body is larger than {BODY_LIMIT_BYTES} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
        })?;
        // No text of ours has a place for it, and PostgreSQL refuses it.
        if bytes.windows(6).any(|window| window == br"\u0000") {
            return Err(Problem::field("(body)", "texts cannot hold the character U+0000"));
        }
        let read: T = if bytes.is_empty() { parse(b"{}") } else { parse(&bytes) }?;
        let mut faults = Faults::default();
        read.check(&mut faults);
        faults.into_result()?;
        Ok(Self(read))
    }
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize(&mut reader) {
        Ok(read) => match reader.end() {
            Ok(()) => Ok(read),
            Err(error) => Err(broken(&error)),
        },
        Err(error) if error.inner().is_data() => {
            let path = error.path().to_string();
            let message = error.inner().to_string();
            let field = if path == "." { missing_field(&message) } else { path };
            Err(Problem::field(field, without_place(&message)))
        }
        Err(error) => Err(broken(error.inner())),
    }
}

fn broken(error: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "not_json",
        format!("the body is no JSON: {error}"),
    )
}

/// serde names a missing field in its message only.
fn missing_field(message: &str) -> String {
    message.split('`').nth(1).unwrap_or("(body)").to_owned()
}

fn without_place(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(before, _)| before)
        .to_owned()
}

/// A query string that was read.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T, S> FromRequestParts<S> for Asked<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        // An empty value is an empty field of a form: not asked for.
        let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\0')) {
            return Err(Problem::field(name.as_ref(), "texts cannot hold the character U+0000"));
        }
        let reader = serde::de::value::MapDeserializer::new(pairs.into_iter().map(|(name, value)| (name, Text(value))));
        match serde_path_to_error::deserialize::<_, T>(reader) {
            Ok(read) => Ok(Self(read)),
            Err(error) => {
                let path = error.path().to_string();
                let message = error.into_inner().to_string();
                let field = if path == "." { missing_field(&message) } else { path };
                Err(Problem::field(field, message))
            }
        }
    }
}

/// A value of a query, read as whatever the field wants.
struct Text<'a>(std::borrow::Cow<'a, str>);

impl<'de, 'a> serde::de::IntoDeserializer<'de, serde::de::value::Error> for Text<'a>
where
    'a: 'de,
{
    type Deserializer = TextReader<'a>;
    fn into_deserializer(self) -> TextReader<'a> {
        TextReader(self.0)
    }
}

struct TextReader<'a>(std::borrow::Cow<'a, str>);

macro_rules! parsed {
    ($($method:ident => $visit:ident: $kind:ty, $what:literal;)*) => {$(
        fn $method<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse::<$kind>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(concat!("expected ", $what))),
            }
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for TextReader<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0.into_owned())
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(serde::de::value::StringDeserializer::new(self.0.into_owned()))
    }

    fn deserialize_bool<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0.as_ref() {
            "true" | "1" => visitor.visit_bool(true),
            "false" | "0" => visitor.visit_bool(false),
            _ => Err(serde::de::Error::custom("expected true or false")),
        }
    }

    parsed! {
        deserialize_u32 => visit_u32: u32, "a whole number";
        deserialize_u64 => visit_u64: u64, "a whole number";
        deserialize_i64 => visit_i64: i64, "a whole number";
        deserialize_f64 => visit_f64: f64, "a number";
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An id in the path. What is no id names nothing, so it is answered like an unknown one.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: FromStr<Err = strowger_model::id::InvalidId> + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("thing"))?
            .0
            .into_iter()
            .next()
            .map(|(_, value)| value)
            .unwrap_or_default();
        text.parse()
            .map(Self)
            .map_err(|invalid: strowger_model::id::InvalidId| Problem::not_found(invalid.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wanted {
        to: String,
        timeout: Option<u32>,
        record: Option<bool>,
    }

    fn query(text: &str) -> Result<Wanted, Problem> {
        let request = axum::http::Request::builder()
            .uri(format!("/?{text}"))
            .body(())
            .unwrap();
        let mut parts = request.into_parts().0;
        let read = std::pin::pin!(Asked::<Wanted>::from_request_parts(&mut parts, &()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match read.poll(&mut context) {
            std::task::Poll::Ready(read) => read.map(|asked| asked.0),
            std::task::Poll::Pending => panic!("reading a query waits for nothing"),
        }
    }

    #[test]
    fn a_query_is_read_by_what_each_field_wants() {
        let wanted = query("to=%2B49&timeout=5&record=true&other=x").unwrap();
        assert_eq!(
            wanted,
            Wanted {
                to: "+49".into(),
                timeout: Some(5),
                record: Some(true)
            }
        );
        assert_eq!(query("to=1&timeout=").unwrap().timeout, None);
    }

    #[test]
    fn faults_name_their_field() {
        for (bad, field) in [
            ("to=1&timeout=x", "timeout"),
            ("to=1&record=maybe", "record"),
            ("", "to"),
        ] {
            let problem = format!("{:?}", query(bad).unwrap_err());
            assert!(problem.contains(&format!("field: \"{field}\"")), "{problem}");
        }
        let problem = format!("{:?}", parse::<Wanted>(br#"{"to":"1","timeout":"soon"}"#).unwrap_err());
        assert!(problem.contains("field: \"timeout\""), "{problem}");
        let problem = format!("{:?}", parse::<Wanted>(b"{}").unwrap_err());
        assert!(problem.contains("field: \"to\""), "{problem}");
    }
}
