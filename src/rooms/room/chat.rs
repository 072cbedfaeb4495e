//! Chat out of data messages. Clients say it in three ways: as a chat message, as a text stream on the topic
//! `lk.chat`, and, older ones, as JSON on the topic `lk-chat-topic`. Some say it in two ways at once.

use crate::protocol as wire;
use std::collections::{HashMap, VecDeque};
use wire::data_packet::Value;

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

/// What one member is writing.
#[derive(Debug, Default)]
pub(super) struct Writing {
    open: HashMap<String, Vec<u8>>,
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
                if is_text && header.topic == "lk.chat" && self.open.len() < STREAMS {
                    self.open.insert(header.stream_id.clone(), Vec::new());
                }
                return None;
            }
            Value::StreamChunk(chunk) => {
                let text = self.open.get_mut(&chunk.stream_id)?;
                if text.len() + chunk.content.len() > BYTES {
                    self.open.remove(&chunk.stream_id);
                } else {
                    text.extend_from_slice(&chunk.content);
                }
                return None;
            }
            Value::StreamTrailer(trailer) => {
                let text = self.open.remove(&trailer.stream_id)?;
                Said {
                    id: trailer.stream_id.clone(),
                    text: String::from_utf8_lossy(&text).into_owned(),
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
