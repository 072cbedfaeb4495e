//! Where a request that came in clear is sent.

use strowger_host::config::Http;

/// The same place over HTTPS: the same port, but 443 for whoever came to 80, where there is one. `None` when nobody
/// says for which host it is.
pub(super) fn place(http: &Http, port: u16, host: Option<&str>, path: &str) -> Option<String> {
    let is_fit = |host: &&str| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
        !host.is_empty() && host.chars().all(letters)
    };
    let host = host.filter(is_fit).or_else(|| http.public_host())?;
    let name = without_port(host);
    let has_https_port = http
        .listen
        .iter()
        .any(|listener| listener.port() == 443 && http.speaks_tls(*listener));
    // A port that was mapped on the way is the one to come back to, so the browser's word goes before ours.
    let asked = host.get(name.len()..).unwrap_or_default().trim_start_matches(':');
    let port = match asked.parse::<u16>() {
        Ok(asked) => asked,
        Err(_) if port == 80 && has_https_port => 443,
        Err(_) => 80,
    };
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = if path.starts_with('/') { path } else { "/" };
    Some(format!("https://{name}{port}{path}"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use strowger_host::Config;

    fn http(text: &str) -> Http {
        let text = format!("[http]\n{text}");
        Config::from_parts(Some(&text), &BTreeMap::new()).unwrap().0.http
    }

    #[test]
    fn the_same_place_over_https() {
        let odd = http("listen = [\"0.0.0.0:8080\"]");
        let usual = http("listen = [\"0.0.0.0:80\", \"0.0.0.0:443\"]");
        let rows = [
            (
                &odd,
                8080,
                Some("pbx:8080"),
                "/calls?x=1",
                Some("https://pbx:8080/calls?x=1"),
            ),
            (&odd, 8080, Some("[fd00::7]:8080"), "/", Some("https://[fd00::7]:8080/")),
            (&usual, 80, Some("pbx"), "/a", Some("https://pbx/a")),
            (&usual, 80, Some("[fd00::7]"), "/a", Some("https://[fd00::7]/a")),
            // A port that a router maps to ours.
            (&odd, 8080, Some("pbx"), "/a", Some("https://pbx:80/a")),
            (&odd, 8080, Some("evil.example/@pbx"), "/", None),
            (&odd, 8080, None, "/", None),
            (&odd, 8080, Some("pbx:8080"), "*", Some("https://pbx:8080/")),
        ];
        for (http, port, host, path, wanted) in rows {
            assert_eq!(place(http, port, host, path).as_deref(), wanted, "{host:?} {path}");
        }
    }

    #[test]
    fn who_names_no_host_is_sent_to_the_public_one() {
        let http = http("listen = [\"0.0.0.0:80\", \"0.0.0.0:443\"]\npublic_url = \"https://pbx.example/\"");
        assert_eq!(place(&http, 80, None, "/x").as_deref(), Some("https://pbx.example/x"));
    }
}
