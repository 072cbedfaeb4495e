//! What a token to rooms says, and the form it travels in: a JSON Web Token signed with HMAC-SHA-256,
//! claim for claim what LiveKit's SDKs write and read.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// How far the clock of whoever signs may be off.
pub const LEEWAY: Duration = Duration::seconds(10);

/// The longest token looked at, in bytes: names and metadata travel in it.
const LONGEST: usize = 32 * 1024;

/// What a token lets its bearer do in rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub struct VideoGrant {
    #[serde(skip_serializing_if = "is_default")]
    pub room: String,
    #[serde(skip_serializing_if = "is_default")]
    pub room_join: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub room_create: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub room_list: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub room_admin: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub room_record: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub destination_room: String,
    #[serde(skip_serializing_if = "is_default")]
    pub can_publish: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub can_subscribe: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub can_publish_data: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub can_publish_sources: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub can_update_own_metadata: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub can_subscribe_metrics: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub ingress_admin: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub hidden: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub recorder: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub agent: bool,
}

/// What a token lets its bearer do with phones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SipGrant {
    /// Steer trunks and dispatch rules.
    #[serde(skip_serializing_if = "is_default")]
    pub admin: bool,
    /// Place calls.
    #[serde(skip_serializing_if = "is_default")]
    pub call: bool,
}

/// What a token says. Claims of other features are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RoomClaims {
    /// Who the bearer is in a room.
    #[serde(rename = "sub", skip_serializing_if = "is_default")]
    pub identity: String,
    /// What others see.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// What kind of participant: `standard` when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// The participant's metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub metadata: String,
    /// The participant's attributes.
    #[serde(skip_serializing_if = "is_default")]
    pub attributes: BTreeMap<String, String>,
    /// SHA-256 of a body that goes with the token, in base64.
    #[serde(skip_serializing_if = "is_default")]
    pub sha256: String,
    /// Rooms.
    #[serde(skip_serializing_if = "is_default")]
    pub video: VideoGrant,
    /// Phones.
    #[serde(skip_serializing_if = "is_default")]
    pub sip: SipGrant,
    /// How a room that the bearer brings to life is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_config: Option<Value>,
    /// The role in a meeting of ours: `host`, `moderator` or, when empty, `participant`.
    #[serde(rename = "strowgerRole", skip_serializing_if = "is_default")]
    pub role: String,
    /// The recording whose file the bearer may fetch; empty: none.
    #[serde(rename = "strowgerRecording", skip_serializing_if = "is_default")]
    pub recording: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Why a token will not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It is no token of this kind, or signed in another way.
    #[error("no token signed with HMAC-SHA-256")]
    Form,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    Early,
}

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    alg: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

#[derive(Deserialize)]
struct Times {
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

#[derive(Serialize)]
struct Written<'a> {
    iss: &'a str,
    nbf: i64,
    exp: i64,
    #[serde(flatten)]
    claims: &'a RoomClaims,
}

/// A token taken apart. Nothing of it is believed before [`Unproved::prove`].
pub(crate) struct Unproved<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    /// The key it says it is signed with.
    pub(crate) issuer: String,
}

impl<'a> Unproved<'a> {
    pub(crate) fn read(token: &'a str) -> Result<Self, Bad> {
        if token.len() > LONGEST {
            return Err(Bad::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Bad::Form)?;
        let (head, payload) = signed.split_once('.').ok_or(Bad::Form)?;
        let decode = |part: &str| BASE64URL.decode(part).map_err(|_| Bad::Form);
        let head = decode(head)?;
        let head: Head<'_> = serde_json::from_slice(&head).map_err(|_| Bad::Form)?;
        // RFC 7515 §4.1.11: what we must understand and do not, we refuse. `none` and every algorithm
        // but one are refused before a key is looked for.
        if head.alg != "HS256" || head.crit.is_some() {
            return Err(Bad::Form);
        }
        let payload = decode(payload)?;
        let Issuer { iss } = serde_json::from_slice(&payload).map_err(|_| Bad::Form)?;
        Ok(Self {
            signed,
            payload,
            signature: decode(signature)?,
            issuer: iss,
        })
    }

    /// Checks signature, then time.
    pub(crate) fn prove(&self, secret: &str, now: OffsetDateTime) -> Result<(RoomClaims, OffsetDateTime), Bad> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, self.signed.as_bytes(), &self.signature).map_err(|_| Bad::Signature)?;
        let times: Times = serde_json::from_slice(&self.payload).map_err(|_| Bad::Form)?;
        let expires = point(times.exp)?;
        if now >= expires + LEEWAY {
            return Err(Bad::Expired);
        }
        if let Some(from) = times.nbf
            && now + LEEWAY < point(from)?
        {
            return Err(Bad::Early);
        }
        let claims = serde_json::from_slice(&self.payload).map_err(|_| Bad::Form)?;
        Ok((claims, expires))
    }
}

/// RFC 7519 §2, NumericDate: seconds since 1970, fractions allowed. Held within what rows can hold.
fn point(seconds: f64) -> Result<OffsetDateTime, Bad> {
    if !(0.0..=253_000_000_000.0).contains(&seconds) {
        return Err(Bad::Form);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within bounds, and a fraction more or less is within the leeway"
    )]
    OffsetDateTime::from_unix_timestamp(seconds as i64).map_err(|_| Bad::Form)
}

/// Writes and signs a token.
pub(crate) fn sign(
    key: &str,
    secret: &str,
    claims: &RoomClaims,
    (from, until): (OffsetDateTime, OffsetDateTime),
) -> Result<String, serde_json::Error> {
    let head = Head {
        alg: "HS256",
        typ: Some("JWT"),
        crit: None,
    };
    let written = Written {
        iss: key,
        nbf: from.unix_timestamp(),
        exp: until.unix_timestamp(),
        claims,
    };
    let signed = format!(
        "{}.{}",
        BASE64URL.encode(serde_json::to_vec(&head)?),
        BASE64URL.encode(serde_json::to_vec(&written)?)
    );
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64URL.encode(hmac::sign(&secret, signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "a secret of some length";

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn claims() -> RoomClaims {
        RoomClaims {
            identity: "ada".into(),
            attributes: BTreeMap::from([("sip.callID".into(), "1".into())]),
            video: VideoGrant {
                room: "standup".into(),
                room_join: true,
                can_publish: Some(false),
                ..VideoGrant::default()
            },
            ..RoomClaims::default()
        }
    }

    fn token() -> String {
        sign("APIx", SECRET, &claims(), (at(1000), at(2000))).unwrap()
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = token();
        let unproved = Unproved::read(&token).unwrap();
        assert_eq!(unproved.issuer, "APIx");
        assert_eq!(unproved.prove(SECRET, at(1500)), Ok((claims(), at(2000))));
    }

    #[test]
    fn time_counts_with_a_small_leeway() {
        let token = token();
        let unproved = Unproved::read(&token).unwrap();
        for (now, answer) in [
            (989, Err(Bad::Early)),
            (990, Ok(())),
            (2009, Ok(())),
            (2010, Err(Bad::Expired)),
        ] {
            assert_eq!(unproved.prove(SECRET, at(now)).map(|_| ()), answer, "{now}");
        }
    }

    #[test]
    fn a_token_without_an_end_is_none() {
        let head = BASE64URL.encode(br#"{"alg":"HS256"}"#);
        let payload = BASE64URL.encode(br#"{"iss":"APIx","sub":"ada"}"#);
        let signed = format!("{head}.{payload}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let token = format!("{signed}.{}", BASE64URL.encode(hmac::sign(&key, signed.as_bytes())));
        let unproved = Unproved::read(&token).unwrap();
        assert_eq!(unproved.prove(SECRET, at(1500)).unwrap_err(), Bad::Form);
    }

    #[test]
    fn other_algorithms_are_refused_before_a_key_is_looked_for() {
        let token = token();
        let rest = token.split_once('.').unwrap().1;
        for head in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"HS256","crit":["x"]}"#,
            r#"{"typ":"JWT"}"#,
        ] {
            let forged = format!("{}.{rest}", BASE64URL.encode(head));
            assert_eq!(Unproved::read(&forged).err(), Some(Bad::Form), "{head}");
        }
    }

    #[test]
    fn nothing_can_be_changed_without_the_secret() {
        let token = token();
        let unproved = Unproved::read(&token).unwrap();
        assert_eq!(unproved.prove("another secret", at(1500)).unwrap_err(), Bad::Signature);
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = sign(
            "APIx",
            "x",
            &RoomClaims {
                role: "host".into(),
                ..claims()
            },
            (at(1000), at(9000)),
        )
        .unwrap();
        let payload = other.split('.').nth(1).unwrap();
        for forged in [format!("{head}.{payload}.{signature}"), format!("{head}.{payload}.")] {
            let forged = Unproved::read(&forged).unwrap();
            assert_eq!(forged.prove(SECRET, at(1500)).unwrap_err(), Bad::Signature);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_refused_calmly(text in ".{0,200}") {
            if let Ok(unproved) = Unproved::read(&text) {
                prop_assert!(unproved.prove(SECRET, at(1500)).is_err());
            }
        }
    }
}
