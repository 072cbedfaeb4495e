//! One record of the log: a header in clear, a body sealed under the capture's key.
//!
//! The nonce is the record's number within its capture and its kind, the header is authenticated with
//! the body; so a record cannot be changed, moved to another capture, or put in another's place.

use crate::keys::{CryptoError, Key};
use strowger_model::{CaptureId, TenantId};
use uuid::Uuid;

/// Begins every record: where a scan goes on after damage.
pub(super) const MAGIC: [u8; 4] = *b"SRC1";
/// Magic, kind, length of the body, capture, number.
pub(super) const HEADER: usize = 4 + 1 + 4 + 16 + 8;
/// Before the sealed part of an `Open` body: the tenant and the wrapped key's length.
pub(super) const OPEN_PREFIX: usize = 16 + 2;
/// No body is longer: chunks are some 10 KiB.
pub(super) const LONGEST: usize = 1 << 20;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The capture's tenant, wrapped key and sealed meta. Number 0.
    Open,
    /// A stream's sealed meta.
    Stream,
    /// Sealed frames.
    Chunk,
    /// The sealed count of all records: nothing is missing.
    End,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Stream => 2,
            Self::Chunk => 3,
            Self::End => 4,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Open,
            2 => Self::Stream,
            3 => Self::Chunk,
            4 => Self::End,
            _ => return None,
        })
    }
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) length: usize,
    pub(super) capture: CaptureId,
    pub(super) number: u64,
}

impl Head {
    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut out = [0u8; HEADER];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = self.kind.byte();
        out[5..9].copy_from_slice(&u32::try_from(self.length).unwrap_or(u32::MAX).to_le_bytes());
        out[9..25].copy_from_slice(self.capture.uuid().as_bytes());
        out[25..33].copy_from_slice(&self.number.to_le_bytes());
        out
    }

    /// The header that stands at the start of `bytes`, if one does.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        if bytes.get(..4)? != MAGIC {
            return None;
        }
        let length = usize::try_from(u32::from_le_bytes(bytes.get(5..9)?.try_into().ok()?)).ok()?;
        (length <= LONGEST).then_some(Self {
            kind: Kind::of(*bytes.get(4)?)?,
            length,
            capture: CaptureId::from_uuid(Uuid::from_bytes(bytes.get(9..25)?.try_into().ok()?)),
            number: u64::from_le_bytes(bytes.get(25..33)?.try_into().ok()?),
        })
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0u8; 12];
        nonce[..8].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = self.kind.byte();
        nonce
    }
}

/// Which record of which capture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) capture: CaptureId,
    pub(super) number: u64,
    pub(super) kind: Kind,
}

/// Appends a sealed record to `out`. `clear` stands before the sealed part and is authenticated by
/// nothing but itself: an `Open` record's tenant and wrapped key.
pub(super) fn append(out: &mut Vec<u8>, key: &Key, label: Label, clear: &[u8], text: &[u8]) -> Result<(), CryptoError> {
    let head = Head {
        kind: label.kind,
        length: clear.len() + text.len() + crate::keys::TAG,
        capture: label.capture,
        number: label.number,
    };
    let bytes = head.bytes();
    let mut sealed = text.to_vec();
    key.seal_in_place(head.nonce(), &bytes, &mut sealed)?;
    out.extend_from_slice(&bytes);
    out.extend_from_slice(clear);
    out.extend_from_slice(&sealed);
    Ok(())
}

/// Opens a record's sealed part.
pub(super) fn open(key: &Key, head: &Head, mut sealed: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
    key.open_in_place(head.nonce(), &head.bytes(), &mut sealed)?;
    Ok(sealed)
}

/// What stands in clear at the start of an `Open` body.
pub(super) struct OpenPrefix {
    pub(super) tenant: TenantId,
    /// Empty once erased.
    pub(super) wrapped: String,
    /// Where the sealed part begins within the body.
    pub(super) sealed_at: usize,
}

/// The clear part of an `Open` body.
pub(super) fn open_prefix(tenant: TenantId, wrapped: &str) -> Vec<u8> {
    let mut out = tenant.uuid().as_bytes().to_vec();
    out.extend_from_slice(&u16::try_from(wrapped.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(wrapped.as_bytes());
    out
}

/// Reads the clear part of an `Open` body.
pub(super) fn read_open(body: &[u8]) -> Option<OpenPrefix> {
    let tenant = TenantId::from_uuid(Uuid::from_bytes(body.get(..16)?.try_into().ok()?));
    let length = usize::from(u16::from_le_bytes(body.get(16..OPEN_PREFIX)?.try_into().ok()?));
    let wrapped = body.get(OPEN_PREFIX..OPEN_PREFIX + length)?;
    Some(OpenPrefix {
        tenant,
        wrapped: if wrapped.first() == Some(&0) {
            String::new()
        } else {
            String::from_utf8(wrapped.to_vec()).ok()?
        },
        sealed_at: OPEN_PREFIX + length,
    })
}

/// What a capture's key is wrapped for.
pub(super) fn about(capture: CaptureId) -> String {
    format!("capture {capture}")
}
