//! Chat out of data messages. Clients say it in three ways: as a chat message, as a text stream on the topic
//! `lk.chat`, and, older ones, as JSON on the topic `lk-chat-topic`. Some say it in two ways at once.

use crate::protocol as wire;
use flate2::read::DeflateDecoder;
use std::collections::{HashMap, VecDeque};
use std::io::Read as _;
use wire::data_packet::Value;
use wire::data_stream::CompressionType;

/// The longest message that is kept.
const BYTES: usize = 64 * 1024;

/// Streams one member may have open.
const STREAMS: usize = 8;

/// Messages remembered to tell a repetition.
const REMEMBERED: usize = 16;

/// A chat message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) text: String,
}

/// A text stream whose end has not come.
#[derive(Debug)]
struct Stream {
    bytes: Vec<u8>,
    compression: CompressionType,
}

/// What one member is writing.
#[derive(Debug, Default)]
pub(super) struct Writing {
    open: HashMap<String, Stream>,
    said: VecDeque<String>,
}

impl Writing {
    /// A message that was completed by this packet.
    pub(super) fn read(&mut self, packet: &wire::DataPacket) -> Option<Said> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a wire vocabulary that grows; only these kinds can be chat"
        )]
        let said = match packet.value.as_ref()? {
            Value::ChatMessage(message) if !message.deleted => Said {
                id: message.id.clone(),
                text: message.message.clone(),
            },
            Value::StreamHeader(header) => {
                let is_text = matches!(
                    header.content_header,
                    Some(wire::data_stream::header::ContentHeader::TextHeader(_))
                );
                if !is_text || header.topic != "lk.chat" {
                    return None;
                }
                // A short text stands in the header and nothing follows.
                let Some(inline) = &header.inline_content else {
                    if self.open.len() < STREAMS {
                        let stream = Stream {
                            bytes: Vec::new(),
                            compression: header.compression(),
                        };
                        self.open.insert(header.stream_id.clone(), stream);
                    }
                    return None;
                };
                Said {
                    id: header.stream_id.clone(),
                    text: text(inline, header.compression())?,
                }
            }
            Value::StreamChunk(chunk) => {
                let stream = self.open.get_mut(&chunk.stream_id)?;
                if stream.bytes.len() + chunk.content.len() > BYTES {
                    self.open.remove(&chunk.stream_id);
                } else {
                    stream.bytes.extend_from_slice(&chunk.content);
                }
                return None;
            }
            Value::StreamTrailer(trailer) => {
                let stream = self.open.remove(&trailer.stream_id)?;
                Said {
                    id: trailer.stream_id.clone(),
                    text: text(&stream.bytes, stream.compression)?,
                }
            }
            Value::User(user) if user.topic.as_deref() == Some("lk-chat-topic") => older(&user.payload)?,
            _ => return None,
        };
        if said.text.is_empty() || said.text.len() > BYTES || self.said.contains(&said.id) {
            return None;
        }
        if !said.id.is_empty() {
            self.said.push_back(said.id.clone());
            if self.said.len() > REMEMBERED {
                self.said.pop_front();
            }
        }
        Some(said)
    }
}

/// The text of a stream; what unpacks to more than is kept is none.
fn text(bytes: &[u8], compression: CompressionType) -> Option<String> {
    let unpacked = match compression {
        CompressionType::None => return Some(String::from_utf8_lossy(bytes).into_owned()),
        CompressionType::DeflateRaw => {
            let mut unpacked = Vec::new();
            let most = BYTES as u64 + 1;
            DeflateDecoder::new(bytes).take(most).read_to_end(&mut unpacked).ok()?;
            unpacked
        }
    };
    (unpacked.len() <= BYTES).then(|| String::from_utf8_lossy(&unpacked).into_owned())
}

fn older(payload: &[u8]) -> Option<Said> {
    let said: serde_json::Value = serde_json::from_slice(payload).ok()?;
    if said.get("ignoreLegacy").and_then(serde_json::Value::as_bool) == Some(true) {
        return None;
    }
    Some(Said {
        id: said.get("id")?.as_str()?.to_owned(),
        text: said.get("message")?.as_str()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(value: Value) -> wire::DataPacket {
        wire::DataPacket {
            value: Some(value),
            ..Default::default()
        }
    }

    #[test]
    fn a_text_stream_becomes_one_message_when_it_ends() {
        let mut writing = Writing::default();
        let header = wire::data_stream::Header {
            stream_id: "s".to_owned(),
            topic: "lk.chat".to_owned(),
            content_header: Some(wire::data_stream::header::ContentHeader::TextHeader(
                wire::data_stream::TextHeader::default(),
            )),
            ..Default::default()
        };
        assert_eq!(writing.read(&packet(Value::StreamHeader(header))), None);
        for part in ["hello ", "world"] {
            let chunk = wire::data_stream::Chunk {
                stream_id: "s".to_owned(),
                content: part.into(),
                ..Default::default()
            };
            assert_eq!(writing.read(&packet(Value::StreamChunk(chunk))), None);
        }
        let trailer = wire::data_stream::Trailer {
            stream_id: "s".to_owned(),
            ..Default::default()
        };
        let said = writing.read(&packet(Value::StreamTrailer(trailer))).unwrap();
        assert_eq!(said.text, "hello world");
    }

    #[test]
    fn a_short_text_stands_packed_in_the_header_and_a_bomb_is_no_text() {
        use std::io::Write as _;
        let read = |stream: &str, text: &[u8]| {
            let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            packed.write_all(text).unwrap();
            let header = wire::data_stream::Header {
                stream_id: stream.to_owned(),
                topic: "lk.chat".to_owned(),
                inline_content: Some(packed.finish().unwrap()),
                compression: CompressionType::DeflateRaw.into(),
                content_header: Some(wire::data_stream::header::ContentHeader::TextHeader(
                    wire::data_stream::TextHeader::default(),
                )),
                ..Default::default()
            };
            Writing::default().read(&packet(Value::StreamHeader(header)))
        };
        assert_eq!(read("a", b"hello").unwrap().text, "hello");
        assert_eq!(read("b", &vec![b'x'; 8 << 20]), None);
    }

    #[test]
    fn what_is_said_in_two_ways_is_said_once() {
        let mut writing = Writing::default();
        let message = wire::ChatMessage {
            id: "1".to_owned(),
            message: "hi".to_owned(),
            ..Default::default()
        };
        let user = wire::UserPacket {
            topic: Some("lk-chat-topic".to_owned()),
            payload: br#"{"id":"1","timestamp":1,"message":"hi"}"#.to_vec(),
            ..Default::default()
        };
        assert!(writing.read(&packet(Value::ChatMessage(message))).is_some());
        assert_eq!(writing.read(&packet(Value::User(user))), None);
    }
}
