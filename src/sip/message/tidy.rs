//! The front edge: one pass that turns the head of whatever arrived into tidy lines.
//!
//! Bytes that are no UTF-8 are read as Latin-1, a bare LF ends a line as CRLF does, folded lines are joined, NUL and a
//! stray CR become blanks. What is too long is refused before anything looks into it.

use super::parse::ParseError;
use super::{MAX_HEAD, MAX_HEADERS, MAX_LINE};
use std::borrow::Cow;
use std::ops::Range;

/// Where the head ends and the body begins, looking for the first empty line; `None` when there is none.
/// A line ends with CRLF or LF.
pub(super) fn head_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(offset) = bytes.get(at..)?.iter().position(|byte| *byte == b'\n') {
        let next = at + offset + 1;
        match bytes.get(next..) {
            Some([b'\n', ..]) => return Some((next, next + 1)),
            Some([b'\r', b'\n', ..]) => return Some((next, next + 2)),
            Some(_) => at = next,
            None => return None,
        }
    }
    None
}

/// The head as text, without folds, and the range of each line in it, line ends left out.
pub(super) fn lines(head: &[u8]) -> Result<(String, Vec<Range<usize>>), ParseError> {
    if head.len() > MAX_HEAD {
        return Err(ParseError::TooLarge);
    }
    let text = decode(head);
    let mut out = String::with_capacity(text.len());
    let mut lines: Vec<Range<usize>> = Vec::with_capacity(24);
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let folded = line.starts_with([' ', '\t']) && lines.len() > 1;
        if folded {
            // RFC 3261 §7.3.1: a fold is one blank.
            out.push(' ');
            push(&mut out, line.trim_start_matches([' ', '\t']));
            if let Some(last) = lines.last_mut() {
                last.end = out.len();
            }
        } else {
            let begin = out.len();
            push(&mut out, line);
            lines.push(begin..out.len());
        }
        if lines.last().is_some_and(|line| line.len() > MAX_LINE) || lines.len() > MAX_HEADERS + 1 {
            return Err(ParseError::TooLarge);
        }
    }
    Ok((out, lines))
}

/// A stray CR may end a line for whoever reads what we echo, and some databases refuse NUL.
fn push(out: &mut String, line: &str) {
    if line.bytes().any(|byte| matches!(byte, 0 | b'\r')) {
        out.extend(line.chars().map(|c| if matches!(c, '\0' | '\r') { ' ' } else { c }));
    } else {
        out.push_str(line);
    }
}

fn decode(head: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(head) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(latin1_lines(head)),
    }
}

/// Decodes line by line, so that one Latin-1 name does not spoil a UTF-8 one beside it.
fn latin1_lines(head: &[u8]) -> String {
    let mut out = String::with_capacity(head.len() + 16);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(text) => out.push_str(text),
            Err(_) => out.extend(line.iter().map(|byte| char::from(*byte))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(head: &[u8]) -> Vec<String> {
        let (text, lines) = lines(head).unwrap();
        lines.into_iter().map(|line| text[line].to_owned()).collect()
    }

    #[test]
    fn folds_are_joined_and_line_ends_do_not_matter() {
        assert_eq!(tidied(b"A\r\nB: 1\n\t2\r\n  3\nC: 4\r\n"), ["A", "B: 1 2 3", "C: 4"]);
    }

    #[test]
    fn latin1_and_utf8_live_side_by_side_and_nul_is_a_blank() {
        assert_eq!(
            tidied(b"A\r\nB: Jos\xe9\r\nC: Jos\xc3\xa9\0x\r\n"),
            ["A", "B: José", "C: José x"]
        );
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line() {
        assert_eq!(head_end(b"A\r\nB\r\n\r\nbody"), Some((6, 8)));
        assert_eq!(head_end(b"A\nB\n\nbody"), Some((4, 5)));
        assert_eq!(head_end(b"A\r\nB"), None);
    }

    #[test]
    fn too_much_is_refused() {
        let many = b"A\r\n".repeat(MAX_HEADERS + 5);
        assert!(matches!(lines(&many), Err(ParseError::TooLarge)));
        assert!(matches!(lines(&[b'a'; MAX_LINE + 1]), Err(ParseError::TooLarge)));
    }
}
