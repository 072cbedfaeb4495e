//! The messages of Media Streams: what we tell a voice app, and what it tells us. Numbers are written as texts,
//! as the protocol has it.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use strowger_model::{CallId, TenantId};

/// Padding is not asked for: some programs leave it out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest name of a mark, in bytes; what is beyond is cut off.
const MARK_BYTES: usize = 512;

/// How a stream, its call and its tenant are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sids {
    /// The tenant.
    pub account: String,
    /// The call: its id without hyphens, behind `CA`.
    pub call: String,
    /// This connection.
    pub stream: String,
}

impl Sids {
    /// The names of a call's connection; `chance` makes this one different from all others.
    #[must_use]
    pub fn new(tenant: TenantId, call: CallId, chance: [u8; 16]) -> Self {
        Self {
            account: format!("AC{}", tenant.uuid().simple()),
            call: format!("CA{}", call.uuid().simple()),
            stream: format!("MZ{:032x}", u128::from_be_bytes(chance)),
        }
    }
}

/// What we tell a voice app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToApp<'a> {
    /// A stream begins.
    Start(&'a BTreeMap<String, String>),
    /// What the caller says.
    Media {
        /// Counts from 1.
        chunk: u64,
        /// Since the stream's beginning.
        timestamp_ms: u64,
        /// µ-law at 8 kHz.
        payload: &'a [u8],
    },
    /// The caller pressed a key.
    Dtmf(char),
    /// Everything before this mark was played, or thrown away.
    Mark(&'a str),
    /// The stream is over.
    Stop,
}

/// The first message of a connection; it is not numbered.
#[must_use]
pub fn connected() -> String {
    json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}).to_string()
}

/// Writes a message; `sequence` counts from 1.
#[must_use]
pub fn write(sids: &Sids, sequence: u64, message: &ToApp<'_>) -> String {
    let sequence = sequence.to_string();
    let stream = sids.stream.as_str();
    let value = match message {
        ToApp::Start(parameters) => json!({
            "event": "start",
            "sequenceNumber": sequence,
            "start": {
                "accountSid": sids.account,
                "streamSid": stream,
                "callSid": sids.call,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": parameters,
            },
            "streamSid": stream,
        }),
        ToApp::Media {
            chunk,
            timestamp_ms,
            payload,
        } => json!({
            "event": "media",
            "sequenceNumber": sequence,
            "media": {
                "track": "inbound",
                "chunk": chunk.to_string(),
                "timestamp": timestamp_ms.to_string(),
                "payload": STANDARD.encode(payload),
            },
            "streamSid": stream,
        }),
        ToApp::Dtmf(digit) => json!({
            "event": "dtmf",
            "streamSid": stream,
            "sequenceNumber": sequence,
            "dtmf": {"track": "inbound_track", "digit": digit.to_string()},
        }),
        ToApp::Mark(name) => json!({
            "event": "mark",
            "sequenceNumber": sequence,
            "streamSid": stream,
            "mark": {"name": name},
        }),
        ToApp::Stop => json!({
            "event": "stop",
            "sequenceNumber": sequence,
            "stop": {"accountSid": sids.account, "callSid": sids.call},
            "streamSid": stream,
        }),
    };
    value.to_string()
}

/// What a voice app tells us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromApp {
    /// Say this to the caller: µ-law at 8 kHz.
    Media(Vec<u8>),
    /// Tell when everything before this was played.
    Mark(String),
    /// Throw away what was not played yet.
    Clear,
    /// It is done with the caller.
    Stop,
    /// Nothing we know, or for another stream; programs send more than the protocol has.
    Other,
}

/// A message that breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Garbage {
    /// It is no JSON object.
    #[error("a message that is no JSON object")]
    Json,
    /// It does not say what it is.
    #[error("a message without “event”")]
    Event,
    /// Its audio cannot be read.
    #[error("a “media” message whose payload is not base64")]
    Payload,
    /// It has no name.
    #[error("a “mark” message without a name")]
    Mark,
    /// It is not text.
    #[error("a binary message")]
    Binary,
}

/// Reads a message for the stream of this name. A message that names no stream is for it.
///
/// # Errors
/// It breaks the protocol.
pub fn read(stream: &str, text: &str) -> Result<FromApp, Garbage> {
    let message: Value = serde_json::from_str(text).map_err(|_| Garbage::Json)?;
    let message = message.as_object().ok_or(Garbage::Json)?;
    let event = message.get("event").and_then(Value::as_str).ok_or(Garbage::Event)?;
    let named = ["streamSid", "stream_sid"]
        .iter()
        .find_map(|name| message.get(*name)?.as_str());
    if named.is_some_and(|named| named != stream) {
        return Ok(FromApp::Other);
    }
    let part = |part: &str, name: &str| message.get(part)?.get(name)?.as_str();
    match event {
        "media" => {
            let payload = part("media", "payload").ok_or(Garbage::Payload)?;
            LENIENT
                .decode(payload)
                .map(FromApp::Media)
                .map_err(|_| Garbage::Payload)
        }
        "mark" => {
            let name = part("mark", "name").ok_or(Garbage::Mark)?;
            let end = (0..=name.len().min(MARK_BYTES))
                .rev()
                .find(|at| name.is_char_boundary(*at));
            Ok(FromApp::Mark(
                name.get(..end.unwrap_or(0)).unwrap_or_default().to_owned(),
            ))
        }
        "clear" => Ok(FromApp::Clear),
        "stop" => Ok(FromApp::Stop),
        _ => Ok(FromApp::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strowger_model::world::SeededWorld;

    fn sids() -> Sids {
        let world = SeededWorld::new(1, 0);
        Sids::new(TenantId::generate(&world), CallId::generate(&world), [7; 16])
    }

    fn written(sequence: u64, message: &ToApp<'_>) -> Value {
        serde_json::from_str(&write(&sids(), sequence, message)).unwrap()
    }

    #[test]
    fn sids_have_the_shape_programs_check() {
        let sids = sids();
        for (sid, kind) in [(&sids.account, "AC"), (&sids.call, "CA"), (&sids.stream, "MZ")] {
            let hex = sid.strip_prefix(kind).unwrap();
            assert!(
                hex.len() == 32 && hex.bytes().all(|byte| b"0123456789abcdef".contains(&byte)),
                "{sid}"
            );
        }
    }

    #[test]
    fn every_message_has_the_fields_of_the_protocol() {
        let sids = sids();
        let connected: Value = serde_json::from_str(&connected()).unwrap();
        assert_eq!(
            connected,
            json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        );
        let parameters = BTreeMap::from([("from".to_owned(), "+49".to_owned())]);
        let start = written(1, &ToApp::Start(&parameters));
        assert_eq!(start["sequenceNumber"], "1");
        assert_eq!(start["streamSid"], sids.stream);
        let format = json!({"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1});
        let inner = json!({
            "accountSid": sids.account, "streamSid": sids.stream, "callSid": sids.call, "tracks": ["inbound"],
            "mediaFormat": format, "customParameters": {"from": "+49"},
        });
        assert_eq!(start["start"], inner);
        let media = ToApp::Media {
            chunk: 2,
            timestamp_ms: 20,
            payload: &[0xFF, 0x7F],
        };
        let inner = json!({"track": "inbound", "chunk": "2", "timestamp": "20", "payload": "/38="});
        assert_eq!(written(3, &media)["media"], inner);
        let dtmf = json!({"track": "inbound_track", "digit": "#"});
        assert_eq!(written(4, &ToApp::Dtmf('#'))["dtmf"], dtmf);
        assert_eq!(written(5, &ToApp::Mark("a"))["mark"], json!({"name": "a"}));
        let stop = json!({"accountSid": sids.account, "callSid": sids.call});
        assert_eq!(written(6, &ToApp::Stop)["stop"], stop);
    }

    #[test]
    fn what_a_program_says_is_read() {
        let sids = sids();
        let read = |message: Value| read(&sids.stream, &message.to_string());
        let media = |payload: &str| json!({"event": "media", "streamSid": sids.stream, "media": {"payload": payload}});
        assert_eq!(read(media("/38=")), Ok(FromApp::Media(vec![0xFF, 0x7F])));
        assert_eq!(
            read(media("/38")),
            Ok(FromApp::Media(vec![0xFF, 0x7F])),
            "without padding"
        );
        assert_eq!(read(media("")), Ok(FromApp::Media(Vec::new())));
        assert_eq!(read(media("!")), Err(Garbage::Payload));
        assert_eq!(
            read(json!({"event": "media", "media": {"payload": 1}})),
            Err(Garbage::Payload)
        );
        let mark = json!({"event": "mark", "streamSid": sids.stream, "mark": {"name": "end"}});
        assert_eq!(read(mark), Ok(FromApp::Mark("end".to_owned())));
        assert_eq!(read(json!({"event": "mark"})), Err(Garbage::Mark));
        assert_eq!(read(json!({"event": "clear"})), Ok(FromApp::Clear));
        assert_eq!(read(json!({"event": "stop"})), Ok(FromApp::Stop));
        assert_eq!(read(json!({"event": "clear", "streamSid": "MZ1"})), Ok(FromApp::Other));
        assert_eq!(read(json!({"event": "sing"})), Ok(FromApp::Other));
        assert_eq!(read(json!({"type": "clear"})), Err(Garbage::Event));
        assert_eq!(read(json!(["event"])), Err(Garbage::Json));
        let long = json!({"event": "mark", "mark": {"name": "ä".repeat(400)}});
        assert_eq!(read(long), Ok(FromApp::Mark("ä".repeat(256))));
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in "\\PC{0,200}", event in "media|mark|clear|stop|x", inner in "[^\"\\\\]{0,40}") {
            let _ = read("MZ1", &text);
            let _ = read("MZ1", &format!("{{\"event\":\"{event}\",\"{event}\":{{\"payload\":\"{inner}\",\"name\":\"{inner}\"}}}}"));
        }

        #[test]
        fn audio_comes_back_as_it_went(payload in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let media = ToApp::Media { chunk: 1, timestamp_ms: 0, payload: &payload };
            let sids = sids();
            prop_assert_eq!(read(&sids.stream, &write(&sids, 1, &media)), Ok(FromApp::Media(payload)));
        }
    }
}
