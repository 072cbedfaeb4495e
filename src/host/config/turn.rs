//! The relay for networks that let nothing else through: its keys, read and checked.

use super::read::Reader;
use crate::tls::CertificateFiles;
use std::net::{IpAddr, SocketAddr};

/// The built-in TURN and STUN server.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Whether it runs.
    pub enabled: bool,
    /// Where datagrams are taken.
    pub udp: Vec<SocketAddr>,
    /// Where TCP connections are taken.
    pub tcp: Vec<SocketAddr>,
    /// Where TLS connections are taken.
    pub tls: Vec<SocketAddr>,
    /// The name clients are told; `None`: an address.
    pub host: Option<String>,
    /// The address clients are told; `None`: this machine's own.
    pub advertised: Option<IpAddr>,
    /// Its own certificate; `None`: the one of the console.
    pub certificate: Option<CertificateFiles>,
    /// The realm clients are asked for.
    pub realm: String,
    /// The first and the last port of relays.
    pub ports: (u16, u16),
    /// Whether relays may reach any public address.
    pub public_peers: bool,
    /// Ranges, as address and prefix, relays may reach besides the rooms.
    pub allowed_peers: Vec<(IpAddr, u8)>,
    /// Relays at once, in all.
    pub relays: usize,
    /// Relays at once, of one participant.
    pub relays_per_participant: usize,
    /// Kilobits a second through one relay.
    pub kbit_per_second: u32,
    /// Outside relays and STUN servers.
    pub backups: Vec<String>,
    /// The secret shared with outside relays.
    pub backup_secret: Option<String>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Turn {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let port = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    let turn = Turn {
        enabled: reader.switch("turn.enabled"),
        udp: reader.listeners("turn.udp"),
        tcp: reader.listeners("turn.tcp"),
        tls: reader.listeners("turn.tls"),
        host: given(reader.text("turn.host")),
        advertised: reader.address("turn.advertised"),
        certificate: reader.certificate("turn.certificate", "turn.key"),
        realm: reader.text("turn.realm"),
        ports: (
            port(reader.number("turn.first_port", 0, 65_535)),
            port(reader.number("turn.last_port", 0, 65_535)),
        ),
        public_peers: reader.switch("turn.public_peers"),
        allowed_peers: allowed_peers(reader),
        relays: usize::try_from(reader.number("turn.relays", 1, 100_000)).unwrap_or(usize::MAX),
        relays_per_participant: usize::try_from(reader.number("turn.relays_per_participant", 1, 1000))
            .unwrap_or(usize::MAX),
        kbit_per_second: u32::try_from(reader.number("turn.kbit_per_second", 64, 1_000_000)).unwrap_or(u32::MAX),
        backups: reader.texts("turn.backups", "[\"turn:turn.example.org:3478?transport=udp\"]"),
        backup_secret: given(reader.text("turn.backup_secret")),
    };
    check(reader, &turn);
    turn
}

fn allowed_peers(reader: &mut Reader<'_>) -> Vec<(IpAddr, u8)> {
    let mut out = Vec::new();
    for text in reader.texts("turn.allowed_peers", "[\"10.1.0.0/16\"]") {
        match range(&text) {
            Some(range) => out.push(range),
            None => reader.fault(
                "turn.allowed_peers",
                format!("`{text}` is no range such as 10.1.0.0/16; for everything public there is turn.public_peers"),
            ),
        }
    }
    out
}

pub(super) fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let widest = if address.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = prefix.parse().ok()?;
    (1..=widest).contains(&prefix).then_some((address, prefix))
}

fn check(reader: &mut Reader<'_>, turn: &Turn) {
    if turn.ports.0 > turn.ports.1 {
        reader.fault(
            "turn.last_port",
            format!("must not lie below turn.first_port ({})", turn.ports.0),
        );
    }
    if turn.realm.is_empty() || turn.realm.len() > 127 {
        reader.fault("turn.realm", "takes a name of 1 to 127 letters");
    }
    for url in &turn.backups {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        if !["stun", "stuns", "turn", "turns"].contains(&scheme) {
            reader.fault(
                "turn.backups",
                format!("`{url}` starts with stun:, stuns:, turn: or turns:"),
            );
        } else if scheme.starts_with("turn") && turn.backup_secret.is_none() {
            reader.fault(
                "turn.backup_secret",
                format!("`{url}` asks for credentials: give the secret you share with it"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::collections::BTreeMap;

    fn keys(text: &str) -> Vec<String> {
        let read = Config::from_parts(Some(text), &BTreeMap::new());
        let faults = read.err().map(|faults| faults.0).unwrap_or_default();
        faults.into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn by_default_it_runs_and_reaches_the_rooms_alone() {
        let (config, _) = Config::from_parts(None, &BTreeMap::new()).unwrap();
        assert!(config.turn.enabled && !config.turn.public_peers && config.turn.allowed_peers.is_empty());
        assert_eq!(config.turn.udp, ["0.0.0.0:3478".parse().unwrap()]);
        assert!(config.turn.tls.is_empty() && config.turn.certificate.is_none());
    }

    #[test]
    fn what_is_given_is_taken() {
        let text = "[turn]\ncertificate = \"/c.pem\"\nkey = \"/k.pem\"\nallowed_peers = [\"10.1.0.0/16\"]\n\
            backups = [\"turns:b.example:443?transport=tcp\", \"stun:c.example:3478\"]\nbackup_secret = \"s\"";
        let (config, explained) = Config::from_parts(Some(text), &BTreeMap::new()).unwrap();
        assert_eq!(config.turn.allowed_peers, [("10.1.0.0".parse().unwrap(), 16)]);
        assert_eq!(config.turn.certificate.unwrap().key.to_str(), Some("/k.pem"));
        assert_eq!(config.turn.backups.len(), 2);
        let shown = explained
            .iter()
            .find(|field| field.path == "turn.backup_secret")
            .unwrap();
        assert_eq!(shown.value, "(hidden)");
    }

    #[test]
    fn every_fault_names_its_key() {
        assert_eq!(keys("[turn]\nkey = \"/k.pem\""), ["turn.key"]);
        assert_eq!(
            keys("[turn]\nallowed_peers = [\"0.0.0.0/0\", \"ten\"]"),
            ["turn.allowed_peers"; 2]
        );
        assert_eq!(keys("[turn]\nfirst_port = 9\nlast_port = 8"), ["turn.last_port"]);
        assert_eq!(keys("[turn]\nbackups = [\"http://x\"]"), ["turn.backups"]);
        assert_eq!(keys("[turn]\nbackups = [\"turn:x\"]"), ["turn.backup_secret"]);
        assert_eq!(keys("[turn]\nbackups = [7]"), ["turn.backups"]);
        assert_eq!(keys("[turn]\nrealm = \"\""), ["turn.realm"]);
    }
}
