//! Judges a message that was read: what RFC 3261 and the torture messages of RFC 4475 want refused is refused here,
//! before any state is made.

use super::header::{NameAddr, Via, list};
use super::parse::is_token;
use super::{Message, Method, Name, Start, Uri};
use bytes::Bytes;

/// How a message arrived, which decides what its Content-Length means (RFC 3261 §18.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Its end is the datagram's.
    Datagram,
    /// The framer cut it by its Content-Length.
    Stream,
}

/// A request that is answered without making any state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The reason phrase, naming the fault.
    pub reason: &'static str,
    /// The option tags of a 420.
    pub unsupported: Option<String>,
}

const fn refuse(status: u16, reason: &'static str) -> Refusal {
    let unsupported = None;
    Refusal {
        status,
        reason,
        unsupported,
    }
}

const fn bad(reason: &'static str) -> Refusal {
    refuse(400, reason)
}

/// The option tags we understand.
const SUPPORTED: [&str; 1] = ["timer"];

const SINGLE: [(Name, &str); 7] = [
    (Name::From, "Several From"),
    (Name::To, "Several To"),
    (Name::CallId, "Several Call-ID"),
    (Name::CSeq, "Several CSeq"),
    (Name::MaxForwards, "Several Max-Forwards"),
    (Name::ContentLength, "Several Content-Length"),
    (Name::ContentType, "Several Content-Type"),
];

/// Judges a request and cuts its body to its length.
///
/// # Errors
///
/// What to answer, except to an ACK, which is never answered.
pub fn request(message: &mut Message, carrier: Carrier) -> Result<(), Refusal> {
    judge_line(message)?;
    common(message)?;
    length(message, carrier)?;
    judge(message)
}

fn judge_line(message: &Message) -> Result<(), Refusal> {
    let Start::Request { method, uri, version } = &message.start else {
        return Err(bad("Not a Request"));
    };
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        let is_sip = version
            .get(..4)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("SIP/"));
        return Err(if is_sip {
            refuse(505, "Version Not Supported")
        } else {
            bad("Bad Request-Line")
        });
    }
    if !is_token(method.as_str()) || uri.is_empty() || uri.contains([' ', '<', '>', '"']) {
        return Err(bad("Bad Request-Line"));
    }
    Ok(())
}

fn judge(message: &Message) -> Result<(), Refusal> {
    let Start::Request { method, uri, .. } = &message.start else {
        return Err(bad("Not a Request"));
    };
    if message.cseq().is_none_or(|cseq| cseq.method != *method) {
        return Err(bad("CSeq Method Mismatch"));
    }
    request_uri(uri)?;
    contacts(message, method)?;
    if message.values(Name::Date).any(|date| !date.ends_with("GMT")) {
        return Err(bad("Bad Date"));
    }
    if let Method::Other(_) = method {
        return Err(refuse(501, "Not Implemented"));
    }
    let forwards = message.value(Name::MaxForwards).map(str::parse::<u8>);
    match forwards {
        Some(Err(_)) => return Err(bad("Bad Max-Forwards")),
        // RFC 3261 §16.3: an end point may serve a request that must not go further; a loop is likelier.
        Some(Ok(0)) if !matches!(method, Method::Ack | Method::Bye | Method::Cancel) => {
            return Err(refuse(483, "Too Many Hops"));
        }
        Some(Ok(_)) | None => {}
    }
    extensions(message, method)?;
    body(message, method)
}

/// Whether a response is one we may look at.
pub fn response(message: &mut Message, carrier: Carrier) -> bool {
    common(message).is_ok() && length(message, carrier).is_ok() && message.items(Name::Via).count() == 1
}

fn common(message: &Message) -> Result<(), Refusal> {
    if !message.is_well_formed() {
        return Err(bad("Bad Header Line"));
    }
    for (name, reason) in SINGLE {
        if message.count(name) > 1 {
            return Err(bad(reason));
        }
    }
    if message.count(Name::Via) == 0 {
        return Err(bad("Missing Via"));
    }
    if !message
        .items(Name::Via)
        .all(|via| Via::parse(via).is_some_and(|via| via.params.is_good()))
    {
        return Err(bad("Bad Via"));
    }
    if message.sip_call_id().is_none_or(str::is_empty) {
        return Err(bad("Missing Call-ID"));
    }
    // RFC 3261 §8.1.1.5: a sequence number is below 2^31.
    if message.cseq().is_none_or(|cseq| cseq.number > i32::MAX.unsigned_abs()) {
        return Err(bad("Bad CSeq"));
    }
    for (value, reason) in [
        (message.value(Name::From), "Bad From"),
        (message.value(Name::To), "Bad To"),
    ] {
        let is_good = value.and_then(NameAddr::parse).is_some_and(|party| is_party(&party));
        if !is_good {
            return Err(bad(reason));
        }
    }
    for name in [Name::Route, Name::RecordRoute] {
        let is_route = |item| NameAddr::parse(item).is_some_and(|route| route.is_angled && is_uri(route.uri));
        if !message.items(name).all(is_route) {
            return Err(bad("Bad Route"));
        }
    }
    Ok(())
}

fn is_party(party: &NameAddr<'_>) -> bool {
    party.has_good_display()
        && party.params.is_good()
        && is_uri(party.uri)
        && (party.is_angled || !party.uri.contains('?'))
}

/// A URI of a scheme we read, or of another one that could be good.
fn is_uri(text: &str) -> bool {
    match Uri::scheme_of(text) {
        Some(scheme)
            if ["sip", "sips", "tel"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            Uri::parse(text).is_some()
        }
        Some(_) => true,
        None => false,
    }
}

fn request_uri(uri: &str) -> Result<(), Refusal> {
    match Uri::parse(uri) {
        // RFC 3261 §19.1.5: headers have no place in a Request-URI.
        Some(parsed) if parsed.headers.is_empty() && !uri.contains('?') => Ok(()),
        Some(parsed) if parsed.headers.is_empty() && parsed.user.contains('?') => Ok(()),
        Some(_) => Err(bad("Headers in Request-URI")),
        None if is_uri(uri) => Err(refuse(416, "Unsupported URI Scheme")),
        None => Err(bad("Bad Request-URI")),
    }
}

fn contacts(message: &Message, method: &Method) -> Result<(), Refusal> {
    for item in message.items(Name::Contact) {
        if item == "*" && *method == Method::Register {
            continue;
        }
        let is_good = NameAddr::parse(item).is_some_and(|contact| is_party(&contact));
        if !is_good {
            return Err(bad("Bad Contact"));
        }
    }
    Ok(())
}

fn length(message: &mut Message, carrier: Carrier) -> Result<(), Refusal> {
    let Some(text) = message.value(Name::ContentLength) else {
        return match carrier {
            Carrier::Datagram => Ok(()),
            Carrier::Stream => Err(bad("Missing Content-Length")),
        };
    };
    let length = content_length(text).ok_or(bad("Bad Content-Length"))?;
    if carrier == Carrier::Datagram && message.is_lf_only && length > message.body.len() {
        // Such senders count the CRs they do not send; the datagram's end is the body's.
        message.body = with_crlf(&message.body);
    }
    if length > message.body.len() {
        return Err(bad("Bad Content-Length"));
    }
    message.body.truncate(length);
    Ok(())
}

fn with_crlf(body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + body.len() / 16);
    for &byte in body {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out.into()
}

/// The value of a Content-Length header: digits and nothing else.
pub(super) fn content_length(text: &str) -> Option<usize> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn extensions(message: &Message, method: &Method) -> Result<(), Refusal> {
    if matches!(method, Method::Ack | Method::Cancel) {
        return Ok(());
    }
    let unknown: Vec<&str> = message
        .items(Name::Require)
        .filter(|tag| !SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let unsupported = Some(unknown.join(", "));
    Err(Refusal {
        unsupported,
        ..refuse(420, "Bad Extension")
    })
}

fn body(message: &Message, method: &Method) -> Result<(), Refusal> {
    if !matches!(method, Method::Invite | Method::Update) {
        return Ok(());
    }
    if !message.body.is_empty() && super::sdp_of(message).is_none() {
        return Err(refuse(415, "Unsupported Media Type"));
    }
    let accepts = |item: &str| {
        let kind = item.split(';').next().unwrap_or(item).trim().to_ascii_lowercase();
        matches!(kind.as_str(), "application/sdp" | "application/*" | "*/*")
    };
    if message.count(Name::Accept) > 0 && !message.values(Name::Accept).flat_map(list).any(accepts) {
        return Err(refuse(406, "Not Acceptable"));
    }
    Ok(())
}
