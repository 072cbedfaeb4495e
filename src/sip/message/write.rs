//! Makes the bytes we send.

use super::{Message, Name, Via};
use bytes::Bytes;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A message being written: first line, headers in order, body last.
#[derive(Debug)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// Begins a request.
    #[must_use]
    pub fn request(method: &str, uri: &str) -> Self {
        let mut out = String::with_capacity(1024);
        push_clean(&mut out, method);
        out.push(' ');
        push_clean(&mut out, uri);
        out.push_str(" SIP/2.0\r\n");
        Self { out }
    }

    /// Begins a response.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        let mut out = String::with_capacity(1024);
        let _ = write!(out, "SIP/2.0 {status} ");
        push_clean(&mut out, if reason.is_empty() { reason_of(status) } else { reason });
        out.push_str("\r\n");
        Self { out }
    }

    /// Begins the response to a request: Via, From, To, Call-ID and CSeq are copied, the topmost Via says where the
    /// request really came from (RFC 3261 §18.2.1, RFC 3581), To gets `to_tag` unless it has one.
    #[must_use]
    pub fn reply(request: &Message, status: u16, reason: &str, source: SocketAddr, to_tag: &str) -> Self {
        let mut writer = Self::response(status, reason);
        for (index, via) in request.items(Name::Via).enumerate() {
            if index == 0 {
                writer.top_via(via, source);
            } else {
                writer = writer.header("Via", via);
            }
        }
        if let Some(from) = request.value(Name::From) {
            writer = writer.header("From", from);
        }
        if let Some(to) = request.value(Name::To) {
            let has_tag = status == 100 || request.to().is_none_or(|to| to.tag().is_some());
            writer = if has_tag {
                writer.header("To", to)
            } else {
                writer.header("To", &format!("{to};tag={to_tag}"))
            };
        }
        for name in [Name::CallId, Name::CSeq] {
            if let Some(value) = request.value(name) {
                writer = writer.header(name.as_str(), value);
            }
        }
        writer
    }

    fn top_via(&mut self, text: &str, source: SocketAddr) {
        self.out.push_str("Via: ");
        let Some(via) = Via::parse(text) else {
            push_clean(&mut self.out, text);
            self.out.push_str("\r\n");
            return;
        };
        push_clean(&mut self.out, via.head);
        let wants_port = via.params.get("rport").is_some();
        for (name, value) in via.params.iter() {
            if !["received", "rport"].iter().any(|ours| name.eq_ignore_ascii_case(ours)) && !name.is_empty() {
                self.out.push(';');
                push_clean(&mut self.out, name);
                if !value.is_empty() {
                    self.out.push('=');
                    push_clean(&mut self.out, value);
                }
            }
        }
        let _ = write!(self.out, ";received={}", source.ip());
        if wants_port {
            let _ = write!(self.out, ";rport={}", source.port());
        }
        self.out.push_str("\r\n");
    }

    /// Adds a header. Line breaks in the value become blanks.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        push_clean(&mut self.out, name);
        self.out.push_str(": ");
        push_clean(&mut self.out, value);
        self.out.push_str("\r\n");
        self
    }

    /// Ends the message with a body, which is empty when `body` is.
    #[must_use]
    pub fn finish(mut self, content_type: &str, body: &[u8]) -> Bytes {
        if !body.is_empty() {
            self = self.header("Content-Type", content_type);
        }
        let _ = write!(self.out, "Content-Length: {}\r\n\r\n", body.len());
        let mut bytes = self.out.into_bytes();
        bytes.extend_from_slice(body);
        Bytes::from(bytes)
    }

    /// Ends the message without a body.
    #[must_use]
    pub fn end(self) -> Bytes {
        self.finish("", &[])
    }
}

fn push_clean(out: &mut String, text: &str) {
    if text.bytes().any(|byte| byte == b'\r' || byte == b'\n') {
        out.extend(text.chars().map(|c| if c == '\r' || c == '\n' { ' ' } else { c }));
    } else {
        out.push_str(text);
    }
}

/// A host as it stands in a URI or a Via: IPv6 in brackets.
#[must_use]
pub fn host(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The usual reason phrase of a status.
#[must_use]
pub const fn reason_of(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        101..=199 => "Progress",
        201..=299 => "OK",
        300..=399 => "Redirected",
        _ => "Failed",
    }
}
