//! SIP messages (RFC 3261 §7, §25): a grammar of our own, because none at hand reads what phones really send.
//!
//! Bytes pass [`frame`] (streams only), then [`parse()`], which tidies and splits them without judging, then
//! [`check`], which judges requests as RFC 4475 wants. [`Message`] keeps the head as one text and headers as ranges in
//! it, so that reading one costs no allocation. [`write`] makes the bytes we send.

pub mod check;
pub mod frame;
mod header;
mod method;
mod name;
mod parse;
mod tidy;
mod uri;
pub mod write;

pub use header::{CSeq, NameAddr, Params, Via, list, quoted};
pub use method::Method;
pub use name::Name;
pub use parse::{ParseError, parse};
pub use uri::{Uri, escape_user, unescape};

use bytes::Bytes;
use std::ops::Range;

/// The largest datagram or stream message that is looked at.
pub const MAX_MESSAGE: usize = 65_536;
/// The longest head, start line included.
pub const MAX_HEAD: usize = 16_384;
/// The most header lines.
pub const MAX_HEADERS: usize = 128;
/// The longest header line.
pub const MAX_LINE: usize = 4_096;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// What is asked.
        method: Method,
        /// Of whom.
        uri: String,
        /// The version, judged by the check alone.
        version: String,
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
}

#[derive(Debug, Clone)]
struct Field {
    name: Name,
    value: Range<usize>,
}

/// A message as it was read: its head tidied (UTF-8, unfolded), its body as bytes.
#[derive(Debug, Clone)]
pub struct Message {
    start: Start,
    head: String,
    fields: Vec<Field>,
    malformed: usize,
    /// Whether the sender ends its lines with LF alone, and so miscounts its body.
    is_lf_only: bool,
    body: Bytes,
}

impl Message {
    /// The first line.
    #[must_use]
    pub const fn start(&self) -> &Start {
        &self.start
    }

    /// The method of a request.
    #[must_use]
    pub const fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI of a request.
    #[must_use]
    pub fn request_uri(&self) -> Option<&str> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// The status of a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// The reason phrase of a response; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => reason,
        }
    }

    /// The values of every line of a header, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |field| field.name == name)
            .filter_map(|field| self.head.get(field.value.clone()))
    }

    /// The value of the first line of a header.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&str> {
        self.values(name).next()
    }

    /// How many lines a header has.
    #[must_use]
    pub fn count(&self, name: Name) -> usize {
        self.fields.iter().filter(|field| field.name == name).count()
    }

    /// The values of a list header, lines and commas alike, in order.
    pub fn items(&self, name: Name) -> impl Iterator<Item = &str> {
        self.values(name).flat_map(list)
    }

    /// Whether a list header holds a token, whatever its case.
    #[must_use]
    pub fn lists(&self, name: Name, token: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// The topmost Via.
    #[must_use]
    pub fn via(&self) -> Option<Via<'_>> {
        self.items(Name::Via).next().and_then(Via::parse)
    }

    /// The From header.
    #[must_use]
    pub fn from(&self) -> Option<NameAddr<'_>> {
        self.value(Name::From).and_then(NameAddr::parse)
    }

    /// The To header.
    #[must_use]
    pub fn to(&self) -> Option<NameAddr<'_>> {
        self.value(Name::To).and_then(NameAddr::parse)
    }

    /// The CSeq header.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq> {
        self.value(Name::CSeq).and_then(CSeq::parse)
    }

    /// The Call-ID header.
    #[must_use]
    pub fn sip_call_id(&self) -> Option<&str> {
        self.value(Name::CallId)
    }

    /// The URI of the first Contact.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        self.items(Name::Contact)
            .next()
            .and_then(NameAddr::parse)
            .map(|contact| contact.uri)
    }

    /// The Content-Type without parameters, in lower case.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        let value = self.value(Name::ContentType)?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }

    /// Whether every header line has a name and a colon.
    const fn is_well_formed(&self) -> bool {
        self.malformed == 0
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

/// The session description of a message: its body, or the part of a multipart body that is one; `None` when it has
/// something else. Carriers wrap it beside ISUP, some softphones beside their location.
#[must_use]
pub fn sdp_of(message: &Message) -> Option<Bytes> {
    let body = message.body();
    if body.is_empty() {
        return Some(Bytes::new());
    }
    let kind = message.content_type().unwrap_or_default();
    // A body without a type is taken for what it can only be.
    if kind == "application/sdp" || (kind.is_empty() && body.starts_with(b"v=0")) {
        return Some(body.clone());
    }
    if !kind.starts_with("multipart/") {
        return None;
    }
    let value = message.value(Name::ContentType)?;
    let params = Params::new(value.get(value.find(';')?..)?);
    let boundary = params.get("boundary")?;
    let boundary = quoted(boundary).unwrap_or_else(|| boundary.to_owned());
    part_of(body, &format!("--{boundary}"))
}

fn part_of(body: &Bytes, delimiter: &str) -> Option<Bytes> {
    let find = |from: usize, wanted: &[u8]| {
        let found = body
            .get(from..)?
            .windows(wanted.len().max(1))
            .position(|window| window == wanted)?;
        Some(from + found)
    };
    let mut at = find(0, delimiter.as_bytes())? + delimiter.len();
    while let Some(next) = find(at, delimiter.as_bytes()) {
        let head_end = find(at, b"\r\n\r\n").filter(|end| *end < next)?;
        let head = String::from_utf8_lossy(body.get(at..head_end)?).to_ascii_lowercase();
        if head.contains("application/sdp") {
            let end = next.checked_sub(2).filter(|end| *end >= head_end + 4)?;
            return Some(body.slice(head_end + 4..end));
        }
        at = next + delimiter.len();
    }
    None
}
