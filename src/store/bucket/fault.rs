//! Why a bucket did not do what it was asked, in words that name the setting to look at.

use std::fmt;
use tracing::debug;

/// The longest a reason may be that comes from elsewhere, characters.
const LONGEST: usize = 200;

/// Why the bucket did not do what it was asked. Its words are for operators; what the server wrote beyond its
/// code is not among them.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BucketError(Reason);

/// What can be wrong with a bucket.
#[derive(Debug, PartialEq, Eq)]
enum Reason {
    NoObject,
    NoBucket,
    Key(String),
    Signature(String),
    Denied(String),
    Region(String),
    Clock(String),
    Full(String),
    /// An answer of its server, with the code in it.
    Answer(String, String),
    /// No answer: what the connection said.
    NoAnswer(String),
}

impl BucketError {
    /// Whether there is no such object, in a bucket that is there.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self.0, Reason::NoObject)
    }
}

impl From<object_store::Error> for BucketError {
    fn from(told: object_store::Error) -> Self {
        debug!(problem = &told as &dyn std::error::Error, "the bucket failed");
        let is_not_found = matches!(told, object_store::Error::NotFound { .. });
        Self(reason(&told.to_string(), is_not_found, || deepest(&told)))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObject => out.write_str("there is no such object"),
            Self::NoBucket => out.write_str("its server has no bucket of this name: look at storage.bucket"),
            Self::Key(code) => write!(
                out,
                "its server does not know the key: look at storage.access_key ({code})"
            ),
            Self::Signature(code) => write!(
                out,
                "its server does not take the secret: look at storage.secret_key_file ({code})"
            ),
            Self::Denied(code) => write!(
                out,
                "its server does not allow it: storage.access_key has no right to that in storage.bucket ({code})"
            ),
            Self::Region(code) => write!(out, "its server is of another region: look at storage.region ({code})"),
            Self::Clock(code) => write!(out, "the clocks of its server and of this machine differ ({code})"),
            Self::Full(code) => write!(out, "it is full, or its quota is used up ({code})"),
            Self::Answer(status, code) if code.is_empty() => write!(out, "its server answered {status}"),
            Self::Answer(status, code) => write!(out, "its server answered {status} ({code})"),
            Self::NoAnswer(why) if why.contains("certificate") => write!(
                out,
                "its server's certificate is not trusted: look at storage.endpoint and storage.ca_file ({why})"
            ),
            Self::NoAnswer(why) => write!(out, "its server cannot be reached: look at storage.endpoint ({why})"),
        }
    }
}

/// The library keeps its kinds of errors to itself, so its words are read: `… status code: 403 Forbidden: <body>`.
fn reason(told: &str, is_not_found: bool, why: impl FnOnce() -> String) -> Reason {
    let code = between(told, "<Code>", "</Code>").filter(|code| code.chars().all(|c| c.is_ascii_alphanumeric()));
    let code = shortened(code.unwrap_or_default());
    let status = between(told, "status code: ", ": ").unwrap_or_default();
    match (code.as_str(), status.get(..3).unwrap_or_default()) {
        ("NoSuchBucket", _) => Reason::NoBucket,
        ("NoSuchKey", _) => Reason::NoObject,
        ("InvalidAccessKeyId", _) => Reason::Key(code),
        ("SignatureDoesNotMatch", _) => Reason::Signature(code),
        ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException", _) => {
            Reason::Region(code)
        }
        ("RequestTimeTooSkewed", _) => Reason::Clock(code),
        ("QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "InsufficientCapacity", _) => {
            Reason::Full(code)
        }
        ("", "507") => Reason::Full(status.to_owned()),
        ("", "401" | "403") => Reason::Denied(status.to_owned()),
        (_, "401" | "403") => Reason::Denied(code),
        ("", _) if is_not_found => Reason::NoObject,
        _ if !status.is_empty() => Reason::Answer(shortened(status), code),
        _ if told.contains("incorrectly configured region") => {
            Reason::Region("a redirect that leads nowhere".to_owned())
        }
        _ => Reason::NoAnswer(why()),
    }
}

/// What the innermost cause says.
fn deepest(told: &object_store::Error) -> String {
    let mut inner: &dyn std::error::Error = told;
    while let Some(next) = inner.source() {
        inner = next;
    }
    shortened(&inner.to_string())
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    Some(rest.split_once(after).map_or(rest, |parts| parts.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Ceph's gateway answers, as the library passes it on.
    fn answer(status: &str, code: &str) -> String {
        format!(
            "Error performing PUT http://127.0.0.1:13380/calls/archive/x in 1.9ms - Server returned non-2xx status code: \
             {status}: <?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message></Message></Error>"
        )
    }

    fn said(status: &str, code: &str, is_not_found: bool) -> String {
        reason(&answer(status, code), is_not_found, || {
            unreachable!("there is an answer")
        })
        .to_string()
    }

    #[test]
    fn each_refusal_names_the_setting_to_look_at() {
        for (status, code, setting) in [
            ("403 Forbidden", "SignatureDoesNotMatch", "storage.secret_key_file"),
            ("403 Forbidden", "InvalidAccessKeyId", "storage.access_key"),
            ("403 Forbidden", "AccessDenied", "storage.access_key"),
            ("404 Not Found", "NoSuchBucket", "storage.bucket"),
            ("400 Bad Request", "AuthorizationHeaderMalformed", "storage.region"),
            ("403 Forbidden", "RequestTimeTooSkewed", "clocks"),
            ("403 Forbidden", "QuotaExceeded", "full"),
            ("507 Insufficient Storage", "", "full"),
            ("500 Internal Server Error", "InternalError", "500"),
        ] {
            let said = said(status, code, status.starts_with("404"));
            assert!(said.contains(setting), "{code}: {said}");
            assert!(said.len() < 150 && !said.contains('<'), "{said}");
        }
        let away = reason("error sending request", false, || "Connection refused".to_owned()).to_string();
        assert!(away.contains("storage.endpoint") && away.contains("Connection refused"));
        let strange = reason("error", false, || "invalid peer certificate: UnknownIssuer".to_owned()).to_string();
        assert!(strange.contains("storage.ca_file"), "{strange}");
    }

    #[test]
    fn a_bucket_that_is_not_there_is_no_object_that_is_not_there() {
        let of = |code| reason(&answer("404 Not Found", code), true, String::new);
        assert_eq!(of("NoSuchKey"), Reason::NoObject);
        assert_eq!(of(""), Reason::NoObject);
        assert_eq!(of("NoSuchBucket"), Reason::NoBucket);
    }
}
