//! Reading: text and environment in, a whole configuration or all faults out.

use super::explain::{Explained, Origin};
use super::fields::{FIELDS, Field};
use super::{Config, Database, Ending, Log, LogFormat, Media, Recording, Sip, Worker};
use crate::tls::CertificateFiles;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Value;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, or the file when it cannot be read at all.
    pub key: String,
    /// What is wrong and what to write.
    pub problem: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl std::fmt::Display for Faults {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.len();
        write!(
            out,
            "the configuration has {count} fault{}",
            if count == 1 { "" } else { "s" }
        )?;
        for fault in &self.0 {
            write!(out, "\n  {}: {}", fault.key, fault.problem)?;
        }
        Ok(())
    }
}

impl Faults {
    pub(super) fn unreadable(path: &Path, source: &std::io::Error) -> Self {
        Self(vec![Fault {
            key: path.display().to_string(),
            problem: format!("cannot be read: {source}"),
        }])
    }
}

pub(super) struct Reader<'a> {
    file: BTreeMap<String, Value>,
    environment: &'a BTreeMap<String, String>,
    faults: Vec<Fault>,
    explained: Vec<Explained>,
}

pub(super) fn read(text: &str, environment: &BTreeMap<String, String>) -> Result<(Config, Vec<Explained>), Faults> {
    let mut reader = Reader {
        file: BTreeMap::new(),
        environment,
        faults: Vec::new(),
        explained: Vec::new(),
    };
    match text.parse::<toml::Table>() {
        Ok(table) => flatten(&table, "", &mut reader.file),
        Err(error) => reader.fault("file", error.to_string().trim_end()),
    }
    reader.refuse_unknown();
    let config = reader.build();
    reader.check(&config);
    if reader.faults.is_empty() {
        Ok((config, reader.explained))
    } else {
        Err(Faults(reader.faults))
    }
}

fn flatten(table: &toml::Table, prefix: &str, out: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => flatten(inner, &path, out),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                out.insert(path, value.clone());
            }
        }
    }
}

fn variable_of(path: &str) -> String {
    format!("STROWGER__{}", path.to_uppercase().replace('.', "__"))
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        self.faults.push(Fault {
            key: key.to_owned(),
            problem: problem.into(),
        });
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<String> = self
            .file
            .keys()
            .filter(|path| FIELDS.iter().all(|field| field.path != path.as_str()))
            .cloned()
            .collect();
        for path in unknown {
            let nearest = nearest(&path, FIELDS.iter().map(|field| field.path.to_owned()));
            self.fault(&path, format!("there is no such key; did you mean `{nearest}`?"));
        }
        let strange: Vec<String> = self
            .environment
            .keys()
            .filter(|name| FIELDS.iter().all(|field| variable_of(field.path) != **name))
            .cloned()
            .collect();
        for name in strange {
            let nearest = nearest(&name, FIELDS.iter().map(|field| variable_of(field.path)));
            self.fault(&name, format!("there is no such variable; did you mean `{nearest}`?"));
        }
    }

    /// The value of a field: environment before file before default.
    fn value(&mut self, path: &str) -> Value {
        let unknown = Field {
            path: "",
            default: "\"\"",
            about: "",
            secret: false,
        };
        let field = FIELDS
            .iter()
            .find(|field| field.path == path)
            .copied()
            .unwrap_or(unknown);
        let default = literal(field.default).unwrap_or_else(|| Value::String(String::new()));
        let (value, origin) = if let Some(text) = self.environment.get(&variable_of(path)) {
            (from_variable(text, &default), Origin::Environment)
        } else if let Some(value) = self.file.get(path) {
            (value.clone(), Origin::File)
        } else {
            (default, Origin::Default)
        };
        let shown = if field.secret && origin != Origin::Default {
            "(hidden)".to_owned()
        } else {
            value.to_string()
        };
        self.explained.push(Explained {
            path: field.path,
            value: shown,
            origin,
            about: field.about,
        });
        value
    }

    pub(super) fn text(&mut self, path: &str) -> String {
        let value = self.value(path);
        if let Some(text) = value.as_str() {
            return text.to_owned();
        }
        self.fault(path, format!("takes text in quotes, not {value}"));
        String::new()
    }

    pub(super) fn switch(&mut self, path: &str) -> bool {
        let value = self.value(path);
        value.as_bool().unwrap_or_else(|| {
            self.fault(path, format!("takes true or false, not {value}"));
            false
        })
    }

    pub(super) fn number(&mut self, path: &str, low: i64, high: i64) -> u64 {
        let value = self.value(path);
        match value.as_integer() {
            Some(number) if (low..=high).contains(&number) => number.unsigned_abs(),
            Some(_) | None => {
                self.fault(path, format!("takes a whole number from {low} to {high}, not {value}"));
                low.unsigned_abs()
            }
        }
    }

    pub(super) fn listeners(&mut self, path: &str) -> Vec<SocketAddr> {
        let value = self.value(path);
        let Some(items) = value.as_array() else {
            self.fault(path, format!("takes a list such as [\"0.0.0.0:5060\"], not {value}"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items.clone() {
            match item.as_str().map(str::parse::<SocketAddr>) {
                Some(Ok(address)) => out.push(address),
                Some(Err(_)) | None => self.fault(
                    path,
                    format!("{item} is no address with a port, such as \"0.0.0.0:5060\""),
                ),
            }
        }
        out
    }

    pub(super) fn addresses(&mut self, path: &str) -> Vec<IpAddr> {
        let value = self.value(path);
        let Some(items) = value.as_array() else {
            self.fault(path, format!("takes a list such as [\"127.0.0.1\"], not {value}"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items.clone() {
            match item.as_str().map(str::parse::<IpAddr>) {
                Some(Ok(address)) => out.push(address.to_canonical()),
                Some(Err(_)) | None => self.fault(path, format!("{item} is no address, such as \"127.0.0.1\"")),
            }
        }
        out
    }

    pub(super) fn texts(&mut self, path: &str, example: &str) -> Vec<String> {
        let value = self.value(path);
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<String> = items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect();
        if !value.is_array() || texts.len() < items.len() {
            self.fault(path, format!("takes a list such as {example}, not {value}"));
        }
        texts
    }

    pub(super) fn address(&mut self, path: &str) -> Option<IpAddr> {
        let text = self.text(path);
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(path, format!("`{text}` is no IP address"));
        }
        parsed
    }

    fn path_or(&mut self, path: &str, fallback: PathBuf) -> PathBuf {
        let text = self.text(path);
        if text.is_empty() { fallback } else { PathBuf::from(text) }
    }

    /// A certificate and its key, which go together.
    pub(super) fn certificate(&mut self, chain_path: &str, key_path: &str) -> Option<CertificateFiles> {
        let [chain, key] = [chain_path, key_path].map(|path| Some(self.text(path)).filter(|text| !text.is_empty()));
        if chain.is_some() != key.is_some() {
            self.fault(
                key_path,
                format!("{chain_path} and {key_path} go together: name both or none"),
            );
        }
        let (chain, key) = (chain?.into(), key?.into());
        Some(CertificateFiles { chain, key })
    }

    fn build(&mut self) -> Config {
        let data_dir = PathBuf::from(self.text("data_dir"));
        Config {
            master_key_file: self.path_or("master_key_file", data_dir.join("master.key")),
            http: super::http::read(self),
            certificate: self.certificate("tls.certificate", "tls.key"),
            sip: Sip {
                udp: self.listeners("sip.udp"),
                tcp: self.listeners("sip.tcp"),
                tls: self.listeners("sip.tls"),
                ca_file: Some(self.text("sip.ca_file"))
                    .filter(|path| !path.is_empty())
                    .map(PathBuf::from),
                advertised: self.address("sip.advertised"),
                max_calls: usize::try_from(self.number("sip.max_calls", 1, 100_000)).unwrap_or(usize::MAX),
                requests_per_second: u32::try_from(self.number("sip.requests_per_second", 1, 1_000_000))
                    .unwrap_or(u32::MAX),
                user_agent: self.text("sip.user_agent"),
            },
            media: self.media(),
            rooms: super::rooms::read(self),
            turn: super::turn::read(self),
            voice_apps: super::voice_apps::read(self),
            database: Database {
                url: self.text("database.url"),
            },
            recording: Recording {
                reserve_bytes: self.number("recording.reserve_mb", 0, 100_000_000) * 1024 * 1024,
            },
            storage: super::storage::read(self),
            worker: Worker {
                supervise: self.switch("worker.supervise"),
                concurrency: usize::try_from(self.number("worker.concurrency", 0, 256)).unwrap_or(0),
                models_dir: self.path_or("worker.models_dir", data_dir.join("models")),
                model: self.text("worker.model"),
                providers_file: Some(self.text("worker.providers_file"))
                    .filter(|path| !path.is_empty())
                    .map(PathBuf::from),
            },
            log: self.log(),
            shutdown: Ending {
                drain: Duration::from_secs(self.number("shutdown.drain_s", 0, 86_400)),
            },
            data_dir,
        }
    }

    fn media(&mut self) -> Media {
        Media {
            bind: self.address("media.bind").unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            advertised: self.address("media.advertised"),
            ports: (
                u16::try_from(self.number("media.first_port", 1024, 65_534)).unwrap_or(1024),
                u16::try_from(self.number("media.last_port", 1025, 65_535)).unwrap_or(u16::MAX),
            ),
            threads: usize::try_from(self.number("media.threads", 0, 256)).unwrap_or(0),
            silence_timeout: Duration::from_secs(self.number("media.silence_timeout_s", 0, 86_400)),
        }
    }

    fn log(&mut self) -> Log {
        let level = self.text("log.level");
        let format = self.text("log.format");
        let format = match format.as_str() {
            "pretty" => LogFormat::Pretty,
            "json" => LogFormat::Json,
            "journald" => LogFormat::Journald,
            other => {
                self.fault("log.format", format!("takes pretty, json or journald, not `{other}`"));
                LogFormat::Pretty
            }
        };
        if tracing_subscriber::EnvFilter::try_new(&level).is_err() {
            self.fault(
                "log.level",
                format!("`{level}` is no filter such as `info` or `info,strowger_sip=debug`"),
            );
        }
        Log { level, format }
    }

    /// What no single key can tell.
    fn check(&mut self, config: &Config) {
        let (first, last) = config.media.ports;
        if first >= last {
            self.fault("media.last_port", format!("must lie above media.first_port ({first})"));
        }
        let url = &config.database.url;
        if !(url.is_empty()
            || url.starts_with("sqlite:")
            || url.starts_with("postgres://")
            || url.starts_with("postgresql://"))
        {
            self.fault("database.url", "starts with sqlite: or postgres://");
        }
        if config.sip.udp.is_empty() && config.sip.tcp.is_empty() && config.sip.tls.is_empty() {
            self.fault(
                "sip.udp",
                "no phone can reach us: give a listener here or under sip.tls",
            );
        }
        if config.http.listen.is_empty() {
            self.fault("http.listen", "nobody can reach the console: give at least one address");
        }
        if config
            .http
            .public_url
            .as_deref()
            .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            self.fault("http.public_url", "starts with http:// or https://");
        }
    }
}

fn literal(text: &str) -> Option<Value> {
    format!("value = {text}").parse::<toml::Table>().ok()?.remove("value")
}

/// A variable's text as the kind of value its field takes: lists are split at commas.
fn from_variable(text: &str, default: &Value) -> Value {
    match default {
        Value::Array(_) => Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect(),
        ),
        Value::Boolean(_) | Value::Integer(_) => literal(text).unwrap_or_else(|| Value::String(text.to_owned())),
        Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => Value::String(text.to_owned()),
    }
}

fn nearest(written: &str, known: impl Iterator<Item = String>) -> String {
    known.min_by_key(|name| distance(written, name)).unwrap_or_default()
}

/// Levenshtein's distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, character) in left.chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (column, other) in right.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let here = (diagonal + usize::from(character != *other))
                .min(above + 1)
                .min(before + 1);
            diagonal = above;
            if let Some(cell) = row.get_mut(column) {
                *cell = before;
            }
            before = here;
        }
        if let Some(cell) = row.last_mut() {
            *cell = before;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<Fault> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::from_parts(Some(text), &environment)
            .err()
            .map(|faults| faults.0)
            .unwrap_or_default()
    }

    #[test]
    fn the_defaults_are_whole_and_without_fault() {
        let (config, explained) = Config::from_parts(None, &BTreeMap::new()).unwrap();
        assert_eq!(config.sip.udp, ["0.0.0.0:5060".parse().unwrap()]);
        assert_eq!(config.database_url(), "sqlite:/var/lib/strowger/strowger.db");
        let mut paths: Vec<&str> = explained.iter().map(|field| field.path).collect();
        let mut all: Vec<&str> = FIELDS.iter().map(|field| field.path).collect();
        paths.sort_unstable();
        all.sort_unstable();
        assert_eq!(paths, all, "every field is read, once");
    }

    #[test]
    fn proxies_are_named_by_address() {
        let text = "[http]\ntrusted_proxies = [\"127.0.0.1\", \"::ffff:10.0.0.7\"]";
        let (config, _) = Config::from_parts(Some(text), &BTreeMap::new()).unwrap();
        let wanted: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "10.0.0.7".parse().unwrap()];
        assert_eq!(config.http.trusted_proxies, wanted);
        let found = faults("[http]\ntrusted_proxies = [\"proxy.example\"]", &[]);
        assert_eq!(found[0].key, "http.trusted_proxies");
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_key() {
        let found = faults(
            "data_dirr = \"/x\"\n[sip]\nudp = [\"nonsense\"]\nmax_calls = -1\n[log]\nformat = \"xml\"\n[media]\nfirst_port = 9000\nlast_port = 8000",
            &[("STROWGER__HTTP__LISTN", "x")],
        );
        let keys: Vec<&str> = found.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "data_dirr",
                "STROWGER__HTTP__LISTN",
                "sip.udp",
                "sip.max_calls",
                "log.format",
                "media.last_port"
            ]
        );
        assert!(found[0].problem.contains("`data_dir`"));
        assert!(found[1].problem.contains("`STROWGER__HTTP__LISTEN`"));
    }

    #[test]
    fn sip_over_tcp_in_clear_is_taken_where_it_was_asked_for() {
        let sip = |text: &str| Config::from_parts(Some(text), &BTreeMap::new()).unwrap().0.sip;
        let ports = |listeners: &[SocketAddr]| listeners.iter().map(SocketAddr::port).collect::<Vec<_>>();
        for text in ["", include_str!("../../../packaging/deb/strowger.toml")] {
            let sip = sip(text);
            assert_eq!((ports(&sip.udp), ports(&sip.tls)), (vec![5060], vec![5061]));
            assert!(sip.tcp.is_empty(), "{:?}", sip.tcp);
        }
        assert_eq!(ports(&sip("[sip]\ntcp = [\"0.0.0.0:5060\"]").tcp), [5060]);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_says_so() {
        let environment = BTreeMap::from([("STROWGER__SIP__UDP".to_owned(), "127.0.0.1:0, [::1]:0".to_owned())]);
        let (config, explained) =
            Config::from_parts(Some("[sip]\nudp = [\"0.0.0.0:5061\"]\ntcp = []"), &environment).unwrap();
        assert_eq!(config.sip.udp.len(), 2);
        assert!(config.sip.tcp.is_empty());
        let origin = |path| {
            explained
                .iter()
                .find(|field| field.path == path)
                .map(|field| field.origin)
        };
        assert_eq!(origin("sip.udp"), Some(Origin::Environment));
        assert_eq!(origin("sip.tcp"), Some(Origin::File));
        assert_eq!(origin("sip.max_calls"), Some(Origin::Default));
    }

    #[test]
    fn a_database_password_is_never_explained() {
        let (_, explained) =
            Config::from_parts(Some("[database]\nurl = \"postgres://a:secret@h/d\""), &BTreeMap::new()).unwrap();
        assert!(explained.iter().all(|field| !field.value.contains("secret")));
    }

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("listn", "listen"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
