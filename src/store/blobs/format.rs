//! A sealed blob's bytes: `STRB1`, then pieces of 64 KiB of text, each sealed under its number and
//! whether it is the last, all bound to the blob's name. So a piece cannot be moved, exchanged, taken
//! out or cut off unseen, and any piece opens without those before it.

use crate::keys::{CryptoError, Key};
use std::cmp::Ordering;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

const MAGIC: &[u8; 5] = b"STRB1";
const PIECE: u64 = 64 * 1024;
const TAG: u64 = 16;

/// What a reader knows of a blob beforehand.
pub(super) struct Header {
    pub(super) name: String,
    pub(super) size: u64,
}

/// Why a blob could not be read.
#[derive(Debug)]
pub(super) enum Problem {
    Crypto(CryptoError),
    Io(std::io::Error),
}

impl From<CryptoError> for Problem {
    fn from(problem: CryptoError) -> Self {
        Self::Crypto(problem)
    }
}

impl From<std::io::Error> for Problem {
    fn from(problem: std::io::Error) -> Self {
        if problem.kind() == std::io::ErrorKind::UnexpectedEof {
            Self::Crypto(CryptoError::Truncated)
        } else {
            Self::Io(problem)
        }
    }
}

/// The nonce of a piece: its number, and whether nothing follows.
fn nonce(piece: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0u8; 12];
    nonce[..8].copy_from_slice(&piece.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// The last piece's number: an empty blob has one empty piece.
fn last_piece(size: u64) -> u64 {
    size.saturating_sub(1) / PIECE
}

pub(super) fn seal(key: &Key, name: &str, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let last = last_piece(text.len() as u64);
    let mut out = Vec::with_capacity(text.len() + MAGIC.len() + (last as usize + 1) * TAG as usize);
    out.extend_from_slice(MAGIC);
    let mut pieces: Vec<&[u8]> = text.chunks(PIECE as usize).collect();
    if pieces.is_empty() {
        pieces.push(&[]);
    }
    for (number, piece) in (0u64..).zip(pieces) {
        let mut sealed = piece.to_vec();
        key.seal_in_place(nonce(number, number == last), name.as_bytes(), &mut sealed)?;
        out.extend_from_slice(&sealed);
    }
    Ok(out)
}

/// How long the sealed bytes are.
pub(super) fn whole(header: &Header) -> u64 {
    MAGIC.len() as u64 + header.size + (last_piece(header.size) + 1) * TAG
}

/// Which sealed bytes hold a range of the text: whole pieces.
pub(super) fn extent(header: &Header, start: u64, length: u64) -> Range<u64> {
    let (from, to) = pieces(header, start, length);
    let begin = |piece: u64| MAGIC.len() as u64 + piece * (PIECE + TAG);
    begin(from)..begin(to + 1).min(whole(header))
}

/// The first and the last piece of a range of the text.
fn pieces(header: &Header, start: u64, length: u64) -> (u64, u64) {
    let last = last_piece(header.size);
    let to = (start + length).saturating_sub(1).max(start) / PIECE;
    ((start / PIECE).min(last), to.min(last))
}

/// Opens the sealed bytes of [`extent`].
pub(super) fn open(key: &Key, header: &Header, start: u64, length: u64, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let (from, to) = pieces(header, start, length);
    let last = last_piece(header.size);
    let mut out = Vec::with_capacity(sealed.len());
    let mut rest = sealed;
    for number in from..=to {
        let text = (header.size - number * PIECE).min(PIECE);
        let (piece, after) = rest
            .split_at_checked((text + TAG) as usize)
            .ok_or(CryptoError::Truncated)?;
        let mut piece = piece.to_vec();
        key.open_in_place(nonce(number, number == last), header.name.as_bytes(), &mut piece)?;
        out.extend_from_slice(&piece);
        rest = after;
    }
    let skip = usize::try_from(start - from * PIECE)
        .unwrap_or(usize::MAX)
        .min(out.len());
    out.drain(..skip);
    out.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    Ok(out)
}

pub(super) fn read<F: Read + Seek>(
    file: &mut F,
    key: &Key,
    header: &Header,
    start: u64,
    length: u64,
) -> Result<Vec<u8>, Problem> {
    let mut magic = [0u8; MAGIC.len()];
    file.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(CryptoError::Tampered.into());
    }
    same_size(header, file.seek(SeekFrom::End(0))?)?;
    if length == 0 && header.size > 0 {
        return Ok(Vec::new());
    }
    let extent = extent(header, start, length);
    let mut sealed = vec![0u8; (extent.end - extent.start) as usize];
    file.seek(SeekFrom::Start(extent.start))?;
    file.read_exact(&mut sealed)?;
    Ok(open(key, header, start, length, &sealed)?)
}

/// Whether there are as many sealed bytes as there should be.
pub(super) fn same_size(header: &Header, found: u64) -> Result<(), CryptoError> {
    match found.cmp(&whole(header)) {
        Ordering::Less => Err(CryptoError::Truncated),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(CryptoError::Tampered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;
    use strowger_model::world::SeededWorld;

    fn key() -> Key {
        Key::generate(&SeededWorld::new(7, 0)).unwrap()
    }

    fn header(size: usize) -> Header {
        Header {
            name: "blob".into(),
            size: size as u64,
        }
    }

    fn text(size: usize) -> Vec<u8> {
        (0..size).map(|n| (n % 251) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_range_equals_the_slice(size in 0usize..200_000, start in 0usize..200_000, length in 0usize..200_000) {
            let text = text(size);
            let start = start.min(size);
            let length = length.min(size - start);
            let sealed = seal(&key(), "blob", &text).unwrap();
            let got = read(&mut Cursor::new(sealed), &key(), &header(size), start as u64, length as u64).unwrap();
            prop_assert_eq!(&got[..], &text[start..start + length]);
        }

        #[test]
        fn any_changed_byte_is_seen(size in 0usize..70_000, at in any::<prop::sample::Index>()) {
            let mut sealed = seal(&key(), "blob", &text(size)).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1;
            prop_assert!(read(&mut Cursor::new(sealed), &key(), &header(size), 0, size as u64).is_err());
        }
    }

    #[test]
    fn a_cut_at_a_piece_border_is_seen() {
        let size = 3 * PIECE as usize;
        let mut sealed = seal(&key(), "blob", &text(size)).unwrap();
        sealed.truncate(MAGIC.len() + 2 * (PIECE + TAG) as usize);
        let shorter = header(2 * PIECE as usize);
        let cut = read(&mut Cursor::new(sealed.clone()), &key(), &shorter, 0, shorter.size);
        assert!(matches!(cut, Err(Problem::Crypto(CryptoError::Tampered))));
        let cut = read(&mut Cursor::new(sealed), &key(), &header(size), 0, 10);
        assert!(matches!(cut, Err(Problem::Crypto(CryptoError::Truncated))));
    }

    #[test]
    fn nothing_of_the_text_stands_in_the_sealed_bytes() {
        let sealed = seal(&key(), "blob", b"the quick brown fox jumps").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"quick"));
    }
}
