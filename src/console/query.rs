//! Queries in addresses.

/// Percent-encodes a value for a query.
#[must_use]
pub fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The values of a query.
#[must_use]
pub fn parsed(query: &str) -> crate::show::Values {
    let decoded = |text: &str| {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let code = text.get(at + 1..at + 3).filter(|_| byte == b'%');
            match (byte, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
                (_, Some(value)) => {
                    out.push(value);
                    at += 2;
                }
                (b'+', None) => out.push(b' '),
                (byte, None) => out.push(byte),
            }
            at += 1;
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        let text = "a b&c=ü%+/";
        assert_eq!(parsed(&format!("x={}", encoded(text))).get("x"), text);
        assert_eq!(parsed("q=two+words&%zz=1").get("q"), "two words");
    }
}
