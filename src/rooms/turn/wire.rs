//! The few questions and answers we need of `stun-types` and `turn-types`, and nothing of them beyond here.

use super::server::Refusal;
use std::net::SocketAddr;
use stun_types::attribute::{
    AttributeType, ErrorCode, MessageIntegrity, MessageIntegritySha256, Nonce, PasswordAlgorithm, Realm,
    UnknownAttributes, Userhash, Username, XorMappedAddress,
};
use stun_types::message::{BINDING, IntegrityAlgorithm, LongTermKeyCredentials, MessageClass, MessageWriteVec};
use stun_types::prelude::{Attribute, AttributeStaticType, AttributeWrite, MessageWrite, MessageWriteExt};
use turn_types::AddressFamily;
use turn_types::attribute::{
    ChannelNumber, Data, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken,
    XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DATA, REFRESH, SEND};

pub(crate) use stun_types::message::{IntegrityKey, Message, TransactionId};

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Binding,
    Allocate,
    Refresh,
    CreatePermission,
    ChannelBind,
    /// An indication: it carries data and is never answered.
    Send,
    /// Anything else: a request we do not know, a response, another indication.
    Other,
}

/// Attributes that must be understood, and are. `DONT-FRAGMENT` is not: RFC 8656 §7.2 lets a server say so.
const UNDERSTOOD: [AttributeType; 15] = [
    Username::TYPE,
    MessageIntegrity::TYPE,
    MessageIntegritySha256::TYPE,
    PasswordAlgorithm::TYPE,
    Userhash::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    ChannelNumber::TYPE,
    Lifetime::TYPE,
    XorPeerAddress::TYPE,
    Data::TYPE,
    RequestedAddressFamily::TYPE,
    EvenPort::TYPE,
    RequestedTransport::TYPE,
    ReservationToken::TYPE,
];

/// Reads a message that fills `bytes` to the last one; `None` when it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let [first, _, high, low, 0x21, 0x12, 0xa4, 0x42, ..] = *bytes else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if first > 3 || length % 4 != 0 || bytes.len() != 20 + length {
        return None;
    }
    Message::from_bytes(bytes).ok()
}

pub(super) fn asks(message: &Message<'_>) -> Asks {
    match (message.class(), message.method()) {
        (MessageClass::Request, BINDING) => Asks::Binding,
        (MessageClass::Request, ALLOCATE) => Asks::Allocate,
        (MessageClass::Request, REFRESH) => Asks::Refresh,
        (MessageClass::Request, CREATE_PERMISSION) => Asks::CreatePermission,
        (MessageClass::Request, CHANNEL_BIND) => Asks::ChannelBind,
        (MessageClass::Indication, SEND) => Asks::Send,
        _ => Asks::Other,
    }
}

/// The attributes that must be understood and are not.
pub(super) fn unknown(message: &Message<'_>) -> Vec<AttributeType> {
    message
        .iter_attributes()
        .map(|(_, attribute)| attribute.get_type())
        .filter(|kind| kind.comprehension_required() && !UNDERSTOOD.contains(kind))
        .take(8)
        .collect()
}

/// Name, realm and nonce a request proves itself with.
pub(super) struct Proof<'a> {
    pub(super) username: Username,
    pub(super) realm: Realm,
    pub(super) nonce: Nonce,
    message: &'a Message<'a>,
}

impl<'a> Proof<'a> {
    /// Takes it out of a request. An unsigned request is refused as unauthorized, a signed one that lacks a part as
    /// a bad one (RFC 8489 §9.2.4).
    pub(super) fn of(message: &'a Message<'a>) -> Result<Self, Refusal> {
        if !message.has_attribute(MessageIntegrity::TYPE) {
            return Err(Refusal::Unauthorized);
        }
        let (Ok(username), Ok(realm), Ok(nonce)) = (
            message.attribute::<Username>(),
            message.attribute::<Realm>(),
            message.attribute::<Nonce>(),
        ) else {
            return Err(Refusal::BadRequest);
        };
        Ok(Self {
            username,
            realm,
            nonce,
            message,
        })
    }

    /// Whether the request was signed with the key.
    pub(super) fn is_signed_with(&self, key: &IntegrityKey) -> bool {
        self.message.validate_integrity_with_key(key).is_ok()
    }
}

/// The key of a long-term credential (RFC 8489 §9.2.2, MD5: what every WebRTC client computes).
pub(crate) fn key(username: &str, realm: &str, password: &str) -> IntegrityKey {
    LongTermKeyCredentials::new(username.to_owned(), password.to_owned(), realm.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}

/// What an Allocate request asks for.
pub(super) struct Wish {
    pub(super) is_udp: bool,
    pub(super) is_v6: bool,
    /// Asks for an even port.
    pub(super) is_even: bool,
    /// Asks to keep the next port, or for one that was kept: neither is offered.
    pub(super) is_pair: bool,
}

pub(super) fn wish(message: &Message<'_>) -> Result<Wish, Refusal> {
    let transport = message
        .attribute::<RequestedTransport>()
        .map_err(|_| Refusal::BadRequest)?;
    let even = message.attribute::<EvenPort>().ok();
    Ok(Wish {
        is_udp: transport.protocol() == RequestedTransport::UDP,
        is_v6: family(message)? == Some(AddressFamily::IPV6),
        is_even: even.is_some(),
        is_pair: message.has_attribute(ReservationToken::TYPE) || even.is_some_and(|even| even.requested()),
    })
}

/// The family a request names.
pub(super) fn family(message: &Message<'_>) -> Result<Option<AddressFamily>, Refusal> {
    if !message.has_attribute(RequestedAddressFamily::TYPE) {
        return Ok(None);
    }
    message
        .attribute::<RequestedAddressFamily>()
        .map(|wanted| Some(wanted.family()))
        .map_err(|_| Refusal::Family)
}

pub(super) fn is_v6(family: AddressFamily) -> bool {
    family == AddressFamily::IPV6
}

pub(super) fn lifetime_s(message: &Message<'_>) -> Option<u32> {
    message.attribute::<Lifetime>().ok().map(|lifetime| lifetime.seconds())
}

/// All peers a request names.
pub(super) fn peers(message: &Message<'_>) -> Vec<SocketAddr> {
    (0..)
        .map_while(|n| message.nth_attribute::<XorPeerAddress>(n).ok())
        .map(|peer| peer.addr(message.transaction_id()))
        .collect()
}

pub(super) fn channel(message: &Message<'_>) -> Option<u16> {
    message.attribute::<ChannelNumber>().ok().map(|number| number.channel())
}

/// The payload of a Send indication.
pub(crate) fn payload<'a>(message: &'a Message<'a>) -> Option<&'a [u8]> {
    // The attribute's own type copies nothing but hides how long it lives, so the raw one is asked.
    let (offset, raw) = message.raw_attribute_and_offset(Data::TYPE)?;
    let start = offset + 4;
    message.as_bytes().get(start..start + usize::from(raw.header.length()))
}

/// A response under way.
pub(super) struct Answer(MessageWriteVec);

impl Answer {
    pub(super) fn success(request: &Message<'_>) -> Self {
        Self(Message::builder_success(request, MessageWriteVec::with_capacity(128)))
    }

    pub(super) fn refusal(request: &Message<'_>, refusal: Refusal) -> Self {
        let mut answer = Self(Message::builder_error(request, MessageWriteVec::with_capacity(192)));
        if let Ok(code) = ErrorCode::builder(refusal.code()).build() {
            answer.put(&code);
        }
        answer
    }

    fn put(&mut self, attribute: &dyn AttributeWrite) {
        // Fails for a second copy and for what follows a signature; the callers below do neither.
        let put = self.0.add_attribute(attribute);
        debug_assert!(put.is_ok(), "{put:?}");
    }

    pub(super) fn challenge(mut self, realm: &str, nonce: &str) -> Self {
        if let (Ok(realm), Ok(nonce)) = (Realm::new(realm), Nonce::new(nonce)) {
            self.put(&realm);
            self.put(&nonce);
        }
        self
    }

    pub(super) fn unknown(mut self, kinds: &[AttributeType]) -> Self {
        self.put(&UnknownAttributes::new(kinds));
        self
    }

    pub(super) fn mapped(mut self, address: SocketAddr, request: TransactionId) -> Self {
        self.put(&XorMappedAddress::new(address, request));
        self
    }

    pub(super) fn relayed(mut self, address: SocketAddr, request: TransactionId) -> Self {
        self.put(&XorRelayedAddress::new(address, request));
        self
    }

    pub(super) fn lifetime(mut self, seconds: u32) -> Self {
        self.put(&Lifetime::new(seconds));
        self
    }

    pub(super) fn signed(mut self, key: &IntegrityKey) -> Vec<u8> {
        let signed = self.0.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
        debug_assert!(signed.is_ok(), "{signed:?}");
        self.plain()
    }

    pub(super) fn plain(mut self) -> Vec<u8> {
        let sealed = self.0.add_fingerprint();
        debug_assert!(sealed.is_ok(), "{sealed:?}");
        self.0.finish()
    }
}

/// A Data indication: what a peer without a channel sent.
pub(super) fn data_indication(peer: SocketAddr, payload: &[u8], id: TransactionId) -> Vec<u8> {
    let capacity = payload.len() + 64;
    let kind = stun_types::message::MessageType::from_class_method(MessageClass::Indication, DATA);
    let mut out = Answer(Message::builder(kind, id, MessageWriteVec::with_capacity(capacity)));
    out.put(&XorPeerAddress::new(peer, id));
    out.put(&Data::new(payload));
    out.0.finish()
}

#[cfg(test)]
mod tests;
