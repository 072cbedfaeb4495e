//! Header names, long and compact.

macro_rules! names {
    ($($variant:ident = $long:literal $(, $short:literal)?;)*) => {
        /// A header we read or write. Names know no case and may be one letter (RFC 3261 §7.3.3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are those of the protocol")]
        pub enum Name {
            $($variant,)*
            /// One we neither read nor copy.
            Other,
        }

        impl Name {
            /// The header of a name as it was written.
            #[must_use]
            pub fn of(text: &str) -> Self {
                $(if text.eq_ignore_ascii_case($long) $(|| text.eq_ignore_ascii_case($short))? { return Self::$variant; })*
                Self::Other
            }

            /// The long name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $long,)*
                    Self::Other => "X-Other",
                }
            }
        }
    };
}

names! {
    Via = "Via", "v";
    From = "From", "f";
    To = "To", "t";
    CallId = "Call-ID", "i";
    CSeq = "CSeq";
    MaxForwards = "Max-Forwards";
    Contact = "Contact", "m";
    ContentLength = "Content-Length", "l";
    ContentType = "Content-Type", "c";
    ContentEncoding = "Content-Encoding", "e";
    ContentDisposition = "Content-Disposition";
    Route = "Route";
    RecordRoute = "Record-Route";
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    WwwAuthenticate = "WWW-Authenticate";
    ProxyAuthenticate = "Proxy-Authenticate";
    Expires = "Expires";
    MinExpires = "Min-Expires";
    SessionExpires = "Session-Expires", "x";
    MinSe = "Min-SE";
    Supported = "Supported", "k";
    Require = "Require";
    ProxyRequire = "Proxy-Require";
    Unsupported = "Unsupported";
    Allow = "Allow";
    Accept = "Accept";
    UserAgent = "User-Agent";
    Server = "Server";
    PAssertedIdentity = "P-Asserted-Identity";
    RetryAfter = "Retry-After";
    Reason = "Reason";
    Date = "Date";
    Warning = "Warning";
    Timestamp = "Timestamp";
    ReferTo = "Refer-To", "r";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_by_any_spelling() {
        assert_eq!(Name::of("vIA"), Name::Via);
        assert_eq!(Name::of("V"), Name::Via);
        assert_eq!(Name::of("i"), Name::CallId);
        assert_eq!(Name::of("C%6Fntact"), Name::Other);
    }
}
