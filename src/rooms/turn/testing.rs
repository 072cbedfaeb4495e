//! The words of a client, for tests.

use super::wire::{IntegrityKey, TransactionId};
use std::net::SocketAddr;
use stun_types::attribute::{ErrorCode, Nonce, Realm, Username};
use stun_types::message::{IntegrityAlgorithm, Message, MessageClass, MessageType, MessageWriteVec, Method};
use stun_types::prelude::{AttributeWrite, MessageWrite, MessageWriteExt};
use turn_types::attribute::{Data, RequestedTransport, XorPeerAddress};
use turn_types::message::SEND;

pub(crate) fn id(n: u128) -> TransactionId {
    n.into()
}

pub(crate) fn udp() -> RequestedTransport {
    RequestedTransport::new(RequestedTransport::UDP)
}

pub(crate) fn message(kind: MessageClass, method: Method, n: u128, with: &[&dyn AttributeWrite]) -> MessageWriteVec {
    let kind = MessageType::from_class_method(kind, method);
    let mut out = Message::builder(kind, id(n), MessageWriteVec::new());
    for attribute in with {
        out.add_attribute(*attribute).unwrap();
    }
    out
}

pub(crate) fn request(method: Method, n: u128, with: &[&dyn AttributeWrite]) -> MessageWriteVec {
    message(MessageClass::Request, method, n, with)
}

/// A signed request.
pub(crate) fn signed(
    username: &str,
    key: &IntegrityKey,
    nonce: &str,
    (method, n): (Method, u128),
    with: &[&dyn AttributeWrite],
) -> Vec<u8> {
    let mut out = request(method, n, with);
    out.add_attribute(&Username::new(username).unwrap()).unwrap();
    out.add_attribute(&Realm::new("strowger").unwrap()).unwrap();
    out.add_attribute(&Nonce::new(nonce).unwrap()).unwrap();
    out.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1)
        .unwrap();
    out.finish()
}

pub(crate) fn indication(peer: &str, payload: &[u8]) -> Vec<u8> {
    let (peer, data) = (
        XorPeerAddress::new(peer.parse::<SocketAddr>().unwrap(), id(9)),
        Data::new(payload),
    );
    message(MessageClass::Indication, SEND, 9, &[&peer, &data]).finish()
}

/// The error of an answer, 0 for success.
pub(crate) fn code(answer: &[u8]) -> u16 {
    let answer = Message::from_bytes(answer).unwrap();
    answer.attribute::<ErrorCode>().map_or(0, |error| error.code())
}

pub(crate) fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = number.to_be_bytes().to_vec();
    out.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend(payload);
    out
}
