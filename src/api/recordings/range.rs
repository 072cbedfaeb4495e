//! HTTP ranges (RFC 9110 §14): which bytes a request wants.

/// What of a body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    All,
    /// The bytes from the first to the last, both included.
    Part(u64, u64),
    /// Bytes that are not there.
    Nothing,
}

/// Reads a `Range` header for a body of `size` bytes. Several ranges, other units and what cannot be
/// read are answered with all of it, as RFC 9110 §14.2 allows.
pub(super) fn read(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else {
        return Wanted::All;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Wanted::All,
        (Ok(first), _) if first >= size => Wanted::Nothing,
        (Ok(first), Ok(last)) => Wanted::Part(first, last.min(size - 1)),
        (Ok(first), Err(_)) if last.trim().is_empty() => Wanted::Part(first, size - 1),
        (Err(_), Ok(0)) if first.trim().is_empty() => Wanted::Nothing,
        (Err(_), Ok(count)) if first.trim().is_empty() && size > 0 => {
            Wanted::Part(size.saturating_sub(count), size - 1)
        }
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (header, wanted) in [
            (None, Wanted::All),
            (Some("bytes=0-"), Wanted::Part(0, 99)),
            (Some("bytes=10-19"), Wanted::Part(10, 19)),
            (Some("bytes=90-500"), Wanted::Part(90, 99)),
            (Some("bytes=-10"), Wanted::Part(90, 99)),
            (Some("bytes=-500"), Wanted::Part(0, 99)),
            (Some("bytes=-0"), Wanted::Nothing),
            (Some("bytes=100-"), Wanted::Nothing),
            (Some("bytes=5-2"), Wanted::All),
            (Some("bytes=0-1,5-6"), Wanted::All),
            (Some("items=0-1"), Wanted::All),
            (Some("bytes=x-y"), Wanted::All),
        ] {
            assert_eq!(read(header, 100), wanted, "{header:?}");
        }
        assert_eq!(read(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
