//! Vectors of RFC 5769, and anything at all.

use super::*;
use proptest::prelude::*;

/// RFC 5769 §2.4: a request with long-term authentication.
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382af\
    e382b90000\
    0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f7267000008001\
    4f67024656dd64a3e02b8e0712e85c9a28ca89666";
/// RFC 5769 §2.2: a response that maps to an IPv4 address.
const MAPPED_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
/// RFC 5769 §2.3: a response that maps to an IPv6 address.
const MAPPED_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa\
    a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text).unwrap()
}

#[test]
fn the_long_term_vector_is_proved_by_its_password_and_by_no_other() {
    let bytes = bytes(LONG_TERM);
    let message = read(&bytes).unwrap();
    assert_eq!(asks(&message), Asks::Binding);
    let proof = Proof::of(&message).unwrap();
    assert_eq!(proof.username.username(), "マトリックス");
    assert_eq!(proof.realm.realm(), "example.org");
    assert_eq!(proof.nonce.nonce(), "f//499k954d6OL34oL9FSTvy64sA");
    assert!(proof.is_signed_with(&key("マトリックス", "example.org", "TheMatrIX")));
    assert!(!proof.is_signed_with(&key("マトリックス", "example.org", "TheMatrix")));
}

#[test]
fn the_mapped_address_vectors_are_read_and_their_fingerprints_looked_at() {
    for (vector, expected) in [
        (MAPPED_V4, "192.0.2.1:32853"),
        (MAPPED_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let mut bytes = bytes(vector);
        let message = read(&bytes).unwrap();
        let mapped = message.attribute::<XorMappedAddress>().unwrap();
        assert_eq!(mapped.addr(message.transaction_id()), expected.parse().unwrap());
        assert_eq!(asks(&message), Asks::Other, "a response asks for nothing");
        *bytes.last_mut().unwrap() ^= 1;
        assert!(read(&bytes).is_none(), "a broken fingerprint");
    }
}

#[test]
fn our_answers_are_what_the_vectors_say_of_mapped_addresses() {
    let request = bytes(LONG_TERM);
    let request = read(&request).unwrap();
    let mapped = "192.0.2.1:32853".parse().unwrap();
    let answer = Answer::success(&request)
        .mapped(mapped, request.transaction_id())
        .plain();
    let answer = read(&answer).unwrap();
    assert_eq!(answer.transaction_id(), request.transaction_id());
    let attribute = answer.attribute::<XorMappedAddress>().unwrap();
    assert_eq!(attribute.addr(request.transaction_id()), mapped);
}

#[test]
fn a_message_that_does_not_fill_its_datagram_is_none() {
    let mut bytes = bytes(MAPPED_V4);
    bytes.push(0);
    assert!(read(&bytes).is_none());
    assert!(read(&bytes[..19]).is_none() && read(&[]).is_none());
}

#[test]
fn a_data_indication_carries_peer_and_payload() {
    let peer = "[2001:db8::1]:9".parse().unwrap();
    let indication = data_indication(peer, b"hello", 7.into());
    let message = read(&indication).unwrap();
    assert_eq!(peers(&message), [peer]);
    assert_eq!(payload(&message), Some(&b"hello"[..]));
}

/// Every question we have, so that arbitrary bytes meet all of them.
fn ask_everything(bytes: &[u8]) {
    let Some(message) = read(bytes) else { return };
    let _ = (asks(&message), unknown(&message), peers(&message), channel(&message));
    let _ = (lifetime_s(&message), family(&message).is_ok(), wish(&message).is_ok());
    if let Some(payload) = payload(&message) {
        assert!(payload.len() <= bytes.len());
    }
    if let Ok(proof) = Proof::of(&message) {
        assert!(!proof.is_signed_with(&key("a", "b", "c")));
    }
}

proptest! {
    #[test]
    fn no_bytes_can_harm_us(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        ask_everything(&bytes);
    }

    /// Bytes that pass for a header, and attributes of kinds we know with any length and content.
    #[test]
    fn no_attributes_can_harm_us(
        kind in any::<u16>(),
        id in any::<[u8; 12]>(),
        attributes in proptest::collection::vec(
            (prop_oneof![0_u16..0x40, Just(0x8028), Just(0x8002), any::<u16>()],
             0_u16..40, proptest::collection::vec(any::<u8>(), 0..40)),
            0..8),
    ) {
        let mut body = Vec::new();
        for (kind, length, content) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(length.to_be_bytes());
            body.extend(content);
        }
        body.resize(body.len().next_multiple_of(4), 0);
        let mut bytes = (kind & 0x3fff).to_be_bytes().to_vec();
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend([0x21, 0x12, 0xa4, 0x42]);
        bytes.extend(id);
        bytes.extend(body);
        ask_everything(&bytes);
    }

    /// A true request with some bytes changed.
    #[test]
    fn no_damage_can_harm_us(at in 0_usize..116, to in any::<u8>(), cut in 0_usize..117) {
        let mut damaged = bytes(LONG_TERM);
        if let Some(byte) = damaged.get_mut(at) {
            *byte = to;
        }
        damaged.truncate(cut.max(1));
        ask_everything(&damaged);
    }
}
