//! Cuts a stream into messages.
//!
//! Where a message ends is decided by the very functions that read it, so that nobody can hide a request in what one
//! part of us takes for a body and another for a head. A stream whose lengths are in doubt is given up.

use super::check::content_length;
use super::{MAX_HEAD, MAX_MESSAGE, Message, Name, parse, tidy};
use bytes::{Buf, Bytes, BytesMut};

/// What a stream gave.
#[derive(Debug)]
pub enum Frame {
    /// A whole message, and its bytes as they came.
    Message(Message, Bytes),
    /// A double CRLF that wants one back (RFC 5626 §3.5.1).
    Ping,
}

/// Why a stream cannot be read any further.
#[derive(Debug, thiserror::Error)]
#[error("the stream cannot be cut into messages")]
pub struct Broken {
    /// The head of the message it broke at, when that could be read: it can be answered.
    pub message: Option<Box<Message>>,
}

/// The bytes of a stream that make no message yet.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    scanned: usize,
    /// The head that was read and how long the whole message is.
    head: Option<(Box<Message>, usize, usize)>,
}

impl Framer {
    /// Adds what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and not ended: such a stream may not dawdle.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next thing on the stream, `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// When the stream must be given up.
    pub fn take(&mut self) -> Result<Option<Frame>, Broken> {
        if self.head.is_none() {
            if self.take_blank() {
                return Ok(Some(Frame::Ping));
            }
            if !self.read_head()? {
                return Ok(None);
            }
        }
        let Some((_, _, total)) = &self.head else {
            return Ok(None);
        };
        if self.buffer.len() < *total {
            return Ok(None);
        }
        let Some((mut message, body_start, total)) = self.head.take() else {
            return Ok(None);
        };
        let bytes = self.buffer.split_to(total).freeze();
        message.body = bytes.slice(body_start..);
        Ok(Some(Frame::Message(*message, bytes)))
    }

    /// Drops line ends between messages; true for a double one.
    fn take_blank(&mut self) -> bool {
        loop {
            match self.buffer.as_ref() {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return true;
                }
                [b'\r', b'\n', b'\r'] | [b'\r', b'\n'] | [b'\r'] => return false,
                [b'\r' | b'\n', ..] => self.buffer.advance(1),
                [..] => return false,
            }
        }
    }

    fn read_head(&mut self) -> Result<bool, Broken> {
        let from = self.scanned.saturating_sub(3).min(self.buffer.len());
        let found = tidy::head_end(self.buffer.get(from..).unwrap_or_default());
        let Some((_, body_start)) = found.map(|(head, body)| (head + from, body + from)) else {
            self.scanned = self.buffer.len();
            return if self.buffer.len() > MAX_HEAD {
                Err(Broken { message: None })
            } else {
                Ok(false)
            };
        };
        self.scanned = 0;
        let head = Bytes::copy_from_slice(self.buffer.get(..body_start).unwrap_or_default());
        let message = Box::new(parse(&head).map_err(|_| Broken { message: None })?);
        let mut lengths = message.values(Name::ContentLength);
        let length = lengths.next().and_then(content_length);
        match (length, lengths.next()) {
            (Some(length), None) if body_start.saturating_add(length) <= MAX_MESSAGE && message.is_well_formed() => {
                drop(lengths);
                self.head = Some((message, body_start, body_start + length));
                Ok(true)
            }
            _ => {
                drop(lengths);
                Err(Broken { message: Some(message) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn message(method: &str, length: &str, body: &str) -> String {
        format!(
            "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
             Call-ID: 1\r\nCSeq: 1 {method}\r\n{length}\r\n\r\n{body}"
        )
    }

    fn all(framer: &mut Framer) -> Vec<(Method, usize)> {
        std::iter::from_fn(|| framer.take().unwrap())
            .filter_map(|frame| match frame {
                Frame::Message(message, _) => Some((message.method().unwrap().clone(), message.body().len())),
                Frame::Ping => None,
            })
            .collect()
    }

    #[test]
    fn messages_are_cut_wherever_the_bytes_break() {
        let text = message("OPTIONS", "Content-Length: 5", "hello") + "\r\n\r\n" + &message("BYE", "l:0", "");
        for size in [1, 2, 3, 7, 50, 1000] {
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                framer.push(chunk);
                found.extend(all(&mut framer));
            }
            assert_eq!(found, [(Method::Options, 5), (Method::Bye, 0)], "in pieces of {size}");
            assert!(!framer.is_inside());
        }
    }

    #[test]
    fn a_request_cannot_hide_in_a_body() {
        let inner = message("REGISTER", "Content-Length: 0", "");
        for name in ["Content-Length ", "Content-Length\t", "L  ", "Content-Length:\r\n "] {
            let mut framer = Framer::default();
            let header = format!("{name}: {}", inner.len()).replace(":\r\n :", ":\r\n ");
            framer.push(message("OPTIONS", &header, &inner).as_bytes());
            assert_eq!(all(&mut framer), [(Method::Options, inner.len())], "{name:?}");
        }
    }

    #[test]
    fn a_doubtful_length_ends_the_stream() {
        for length in [
            "Content-Length: 5\r\nl: 0",
            "Content-Length: -1",
            "Content-Length: 5, 5",
            "X: y",
            "l: 99999999",
            "l: +5",
        ] {
            let mut framer = Framer::default();
            framer.push(message("OPTIONS", length, "hello").as_bytes());
            assert!(framer.take().unwrap_err().message.is_some(), "{length}");
        }
    }

    #[test]
    fn a_head_without_end_ends_the_stream() {
        let mut framer = Framer::default();
        framer.push(&[b'x'; MAX_HEAD + 1]);
        assert!(framer.take().is_err());
    }
}
