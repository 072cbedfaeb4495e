//! The certificate made here: kept in a folder nobody else reads, made anew before it ends or when a name is missing.

use super::{CertificateFiles, Loaded, TlsError, read};
use base64::Engine as _;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use time::{Duration, OffsetDateTime};

/// Browsers refuse what lasts longer than 398 days.
const TERM: Duration = Duration::days(397);
/// How long before its end it is made anew: well before anybody is warned.
const RENEW: Duration = Duration::days(30);
/// What the line with the names begins with; PEM readers skip it.
const NAMES: &str = "for: ";

/// Whether a certificate made here is to be replaced.
pub(super) fn is_due(ends_at: OffsetDateTime, now: OffsetDateTime) -> bool {
    ends_at - now <= RENEW
}

/// The names and addresses a certificate made here is for: each once, without those that no address bar takes.
#[must_use]
pub fn own_names(host: &str, public_hosts: &[&str], addresses: &[IpAddr]) -> Vec<String> {
    let is_name = |name: &&str| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        !name.is_empty() && name.len() <= 253 && name.chars().all(letters) || name.parse::<IpAddr>().is_ok()
    };
    let mut names: Vec<String> = Vec::new();
    let said = [host]
        .into_iter()
        .chain(public_hosts.iter().copied())
        .chain(["localhost"]);
    let said = said.map(|name| name.trim_matches(['[', ']']));
    let said = said.filter(is_name).map(str::to_ascii_lowercase);
    let reached = addresses.iter().filter(|address| !address.is_unspecified());
    for name in said.chain(reached.map(ToString::to_string)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(super) fn load_or_make(folder: &Path, names: &[String], now: OffsetDateTime) -> Result<Loaded, TlsError> {
    let files = CertificateFiles {
        chain: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    };
    if let Ok(kept) = read(&files)
        && !is_due(kept.facts.ends_at, now)
        && covers(&files.chain, names)
    {
        return Ok(kept);
    }
    let mut wanted = CertificateParams::new(names)?;
    wanted.not_before = now - Duration::DAY;
    wanted.not_after = now + TERM;
    wanted.distinguished_name.push(
        DnType::CommonName,
        names.first().map_or("strowger", String::as_str).to_owned(),
    );
    wanted.distinguished_name.push(DnType::OrganizationName, "Strowger");
    // No key usage: some libraries believe a certificate that vouches for itself only if it says nothing of it.
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let made = wanted.self_signed(&key)?;
    let keeping = |file: &Path| {
        let file = file.to_owned();
        move |source| TlsError::Keeping { file, source }
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(keeping(folder))?;
    // The key first: a pair that was cut in two does not fit and is made anew.
    write(&files.key, &pem("PRIVATE KEY", &key.serialize_der())).map_err(keeping(&files.key))?;
    let certificate = format!("{NAMES}{}\n{}", names.join(" "), pem("CERTIFICATE", made.der()));
    write(&files.chain, &certificate).map_err(keeping(&files.chain))?;
    read(&files)
}

fn covers(chain: &Path, names: &[String]) -> bool {
    let text = std::fs::read_to_string(chain).unwrap_or_default();
    let held = text.lines().next().and_then(|line| line.strip_prefix(NAMES));
    held.is_some_and(|held| names.iter().all(|name| held.split(' ').any(|held| held == name)))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// Writes beside and renames, so that whoever reads finds the whole of one or the other.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    let mut open = std::fs::OpenOptions::new();
    let mut out = open.write(true).create_new(true).mode(0o600).open(&beside)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_an_address_bar_takes() {
        let addresses: Vec<IpAddr> = ["0.0.0.0", "10.0.0.7", "10.0.0.7", "fd00::7"]
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        assert_eq!(
            own_names("PBX", &["pbx.example"], &addresses),
            ["pbx", "pbx.example", "localhost", "10.0.0.7", "fd00::7"]
        );
        assert_eq!(own_names("büro nord", &["[::1]"], &[]), ["::1", "localhost"]);
    }
}
