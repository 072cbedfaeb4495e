//! How a client says what it is: a packed message in the newer generation, query parameters in the older.

use crate::protocol as wire;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::GzDecoder;
use prost::Message;
use std::collections::HashMap;
use std::io::Read;

/// The most a join request may unpack to.
const UNPACKED: u64 = 1 << 20;

/// The most it may be while packed.
const PACKED: usize = 512 * 1024;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);

/// Why a join request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinFault {
    /// Not the encoding it should have.
    #[error("join_request is not base64")]
    Encoding,
    /// Not what it says it is.
    #[error("join_request cannot be read")]
    Content,
    /// More than anybody needs.
    #[error("join_request is too large")]
    TooLarge,
}

/// Reads `join_request`, the one query parameter of the newer generation.
///
/// # Errors
/// Not base64, not the message, or too large when unpacked.
pub fn from_wrapped(text: &str) -> Result<wire::JoinRequest, JoinFault> {
    if text.len() > PACKED {
        return Err(JoinFault::TooLarge);
    }
    let bytes = URL
        .decode(text)
        .or_else(|_| PLAIN.decode(text))
        .map_err(|_| JoinFault::Encoding)?;
    let wrapped = wire::WrappedJoinRequest::decode(&bytes[..]).map_err(|_| JoinFault::Content)?;
    let packed = wrapped.compression == wire::wrapped_join_request::Compression::Gzip as i32;
    let raw = if packed {
        unpack(&wrapped.join_request)?
    } else {
        wrapped.join_request
    };
    wire::JoinRequest::decode(&raw[..]).map_err(|_| JoinFault::Content)
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, JoinFault> {
    let mut out = Vec::new();
    let read = GzDecoder::new(packed)
        .take(UNPACKED + 1)
        .read_to_end(&mut out)
        .map_err(|_| JoinFault::Content)?;
    if read as u64 > UNPACKED {
        return Err(JoinFault::TooLarge);
    }
    Ok(out)
}

fn is_on(query: &HashMap<String, String>, key: &str) -> Option<bool> {
    query.get(key).map(|value| matches!(value.as_str(), "1" | "true"))
}

/// Makes the same of the query parameters of the older generation. What cannot be read is left out.
#[must_use]
pub fn from_query(query: &HashMap<String, String>) -> wire::JoinRequest {
    let text = |key: &str| query.get(key).cloned().unwrap_or_default();
    let number = |key: &str| query.get(key).and_then(|value| value.parse().ok()).unwrap_or(0);
    let attributes = query
        .get("attributes")
        .and_then(|packed| URL.decode(packed).or_else(|_| PLAIN.decode(packed)).ok())
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    wire::JoinRequest {
        client_info: Some(wire::ClientInfo {
            sdk: sdk(&text("sdk")) as i32,
            version: text("version"),
            protocol: number("protocol"),
            os: text("os"),
            os_version: text("os_version"),
            device_model: text("device_model"),
            browser: text("browser"),
            browser_version: text("browser_version"),
            client_protocol: number("client_protocol"),
            ..Default::default()
        }),
        connection_settings: Some(wire::ConnectionSettings {
            auto_subscribe: is_on(query, "auto_subscribe").unwrap_or(true),
            adaptive_stream: is_on(query, "adaptive_stream").unwrap_or(false),
            subscriber_allow_pause: is_on(query, "subscriber_allow_pause"),
            disable_ice_lite: false,
            ..Default::default()
        }),
        participant_attributes: attributes,
        reconnect: is_on(query, "reconnect").unwrap_or(false),
        participant_sid: text("sid"),
        ..Default::default()
    }
}

fn sdk(name: &str) -> wire::client_info::Sdk {
    use wire::client_info::Sdk;
    match name.to_ascii_lowercase().as_str() {
        "js" => Sdk::Js,
        "swift" | "ios" => Sdk::Swift,
        "android" => Sdk::Android,
        "flutter" => Sdk::Flutter,
        "go" => Sdk::Go,
        "unity" => Sdk::Unity,
        "reactnative" => Sdk::ReactNative,
        "rust" => Sdk::Rust,
        "python" => Sdk::Python,
        "cpp" => Sdk::Cpp,
        "node" => Sdk::Node,
        _ => Sdk::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn wrap(join_request: Vec<u8>, compression: wire::wrapped_join_request::Compression) -> String {
        let wrapped = wire::WrappedJoinRequest {
            compression: compression as i32,
            join_request,
        };
        URL.encode(wrapped.encode_to_vec())
    }

    #[test]
    fn a_packed_and_an_open_request_are_read_alike() {
        use wire::wrapped_join_request::Compression;
        let request = wire::JoinRequest {
            metadata: "hello".to_owned(),
            ..Default::default()
        };
        let open = wrap(request.encode_to_vec(), Compression::None);
        let packed = wrap(gzip(&request.encode_to_vec()), Compression::Gzip);
        assert_eq!(from_wrapped(&open), Ok(request.clone()));
        assert_eq!(from_wrapped(open.trim_end_matches('=')), Ok(request.clone()));
        assert_eq!(from_wrapped(&packed), Ok(request));
    }

    #[test]
    fn a_small_request_that_unpacks_to_a_huge_one_is_refused() {
        let bomb = gzip(&vec![0; 8 << 20]);
        let text = wrap(bomb, wire::wrapped_join_request::Compression::Gzip);
        assert!(text.len() < 64 * 1024);
        assert_eq!(from_wrapped(&text), Err(JoinFault::TooLarge));
        assert_eq!(from_wrapped(&"A".repeat(PACKED + 1)), Err(JoinFault::TooLarge));
    }

    #[test]
    fn the_query_says_the_same_in_its_own_words() {
        let query = [
            ("protocol", "13"),
            ("sdk", "android"),
            ("auto_subscribe", "0"),
            ("reconnect", "1"),
            ("sid", "PA_x"),
            ("attributes", "eyJhIjoiYiJ9"),
        ];
        let query = query.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let request = from_query(&query);
        let client = request.client_info.unwrap();
        assert_eq!((client.protocol, client.sdk()), (13, wire::client_info::Sdk::Android));
        assert!(!request.connection_settings.unwrap().auto_subscribe);
        assert_eq!((request.reconnect, request.participant_sid.as_str()), (true, "PA_x"));
        assert_eq!(request.participant_attributes["a"], "b");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_join_request_panic(text in "\\PC{0,200}") {
            let _ = from_wrapped(&text);
        }

        #[test]
        fn no_bytes_make_a_join_request_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), packed: bool) {
            let compression = i32::from(packed);
            let wrapped = wire::WrappedJoinRequest { compression, join_request: bytes };
            let _ = from_wrapped(&URL.encode(wrapped.encode_to_vec()));
        }
    }
}
