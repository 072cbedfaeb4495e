//! Splits a message into its first line, header fields and body.

use super::tidy;
use super::{Field, MAX_MESSAGE, Message, Method, Name, Start};
use bytes::Bytes;

/// Why bytes are no message at all. Most of these cannot even be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than we read.
    #[error("the message is too large")]
    TooLarge,
    /// Nothing but line ends: a keep-alive.
    #[error("a keep-alive")]
    KeepAlive,
    /// The first line is neither a request's nor a response's.
    #[error("the first line is not one of SIP")]
    Start,
}

/// Reads one message. `bytes` is a whole datagram, or what the framer cut from a stream. Only what cannot be read at
/// all is an error; whether the message is a good one is for [`super::check`] to say.
///
/// # Errors
///
/// When the bytes are no SIP message.
pub fn parse(bytes: &Bytes) -> Result<Message, ParseError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(ParseError::TooLarge);
    }
    let blank = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n' | 0))
        .count();
    if blank == bytes.len() {
        return Err(ParseError::KeepAlive);
    }
    let bytes = bytes.slice(blank..);
    // RFC 4475 baddn and others end without an empty line; the head is then all there is.
    let (head_end, body_start) = tidy::head_end(&bytes).unwrap_or((bytes.len(), bytes.len()));
    let (head, lines) = tidy::lines(bytes.get(..head_end).unwrap_or_default())?;
    let mut lines = lines.into_iter();
    let first = lines.next().and_then(|line| head.get(line)).ok_or(ParseError::Start)?;
    let start = start_line(first)?;
    let mut malformed = 0;
    let mut fields = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(text) = head.get(line.clone()) else { continue };
        // A line without a name is counted, so that the check can refuse the message.
        let (name, value_at) = match text.find(':') {
            Some(colon) if is_token(text[..colon].trim_end()) => (Name::of(text[..colon].trim_end()), colon + 1),
            Some(_) | None => {
                malformed += 1;
                (Name::Other, text.len())
            }
        };
        let value = &text[value_at..];
        let lead = value.len() - value.trim_start().len();
        let begin = line.start + value_at + lead;
        let end = (begin + value.trim().len()).min(line.end);
        fields.push(Field {
            name,
            value: begin..end,
        });
    }
    let raw_head = bytes.get(..head_end).unwrap_or_default();
    let is_lf_only = !raw_head.contains(&b'\r') && raw_head.contains(&b'\n');
    Ok(Message {
        is_lf_only,
        start,
        fields,
        malformed,
        body: bytes.slice(body_start..),
        head,
    })
}

/// The first line, taken apart leniently: blanks that do not belong there stay in the URI or the version, where the
/// check finds them.
fn start_line(line: &str) -> Result<Start, ParseError> {
    if let Some(rest) = strip_version(line) {
        let (code, reason) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        let status = code.parse().ok().filter(|status| (100..=699).contains(status));
        return Ok(Start::Response {
            status: status.ok_or(ParseError::Start)?,
            reason: reason.trim().to_owned(),
        });
    }
    let (method, rest) = line.split_once(' ').ok_or(ParseError::Start)?;
    if method.is_empty() || !(rest.contains("SIP/") || rest.contains("sip/")) {
        return Err(ParseError::Start);
    }
    let (uri, version) = rest.rsplit_once(' ').unwrap_or((rest, ""));
    Ok(Start::Request {
        method: Method::of(method),
        uri: uri.to_owned(),
        version: version.to_owned(),
    })
}

pub(super) fn is_token(text: &str) -> bool {
    let marks = b"-.!%*_+`'~";
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

fn strip_version(line: &str) -> Option<&str> {
    let (version, rest) = line.split_at_checked(7)?;
    (version.eq_ignore_ascii_case("SIP/2.0") && rest.starts_with(' ')).then_some(rest)
}
