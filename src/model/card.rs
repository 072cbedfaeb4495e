//! Payment card numbers (ISO/IEC 7812, Luhn).

/// Whether the last digit is the check digit of those before; `digits` are ASCII.
#[must_use]
pub fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            match (n % 2, value * 2) {
                (0, _) => value,
                (_, twice) if twice > 9 => twice - 9,
                (_, twice) => twice,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether these are the digits of a payment card, in ASCII: a scheme's prefix, one of its lengths, and the check digit.
#[must_use]
pub fn is_card(digits: &[u8]) -> bool {
    let prefix = |count: usize| -> u32 {
        let start = digits.iter().take(count);
        start.fold(0, |value, digit| value * 10 + u32::from(digit.wrapping_sub(b'0')))
    };
    let (two, three, four) = (prefix(2), prefix(3), prefix(4));
    let fits = match digits.len() {
        13 | 19 if prefix(1) == 4 => true,
        14 => matches!(three, 300..=305) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(two, 51..=55 | 65)
                || matches!(four, 2221..=2720 | 6011 | 3528..=3589)
                || matches!(three, 644..=649)
                || is_maestro(two)
        }
        12..=19 => is_maestro(two),
        _ => false,
    };
    fits && is_luhn(digits)
}

/// Maestro and `UnionPay` share the rest of 5 and 6.
const fn is_maestro(two: u32) -> bool {
    matches!(two, 50 | 56..=58 | 62 | 63 | 67)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_a_scheme_a_length_and_a_check_digit() {
        for card in [
            "4111111111111111",
            "378282246310005",
            "6304000000000000",
            "30569309025904",
            "2223003122003222",
        ] {
            assert!(is_card(card.as_bytes()), "{card}");
        }
        for other in ["4111111111111112", "0000000000000000", "49123456789012", "4111", ""] {
            assert!(!is_card(other.as_bytes()), "{other}");
        }
    }
}
