//! The certificates of the daemon: opened at start, read again on SIGHUP, and how `/health` speaks of them.

use anyhow::{Context as _, Result};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use strowger_api::{Check, Mood, Probe};
use strowger_console::{CertificateLevel, CertificateState, CertificateWatch};
use strowger_host::tls::{self, CertificateFiles, Certificates, Clock, Origin, Stage, Status};
use strowger_host::{Config, Shutdown};
use strowger_model::World;
use strowger_model::job::NoticeKind;
use strowger_store::Store;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

/// How often it is looked whether tenants are to be told of an end.
const LOOK: Duration = Duration::from_secs(60);

/// Which listeners have which certificate. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Held {
    /// Of the console and of SIP; `None` where neither speaks TLS.
    pub(crate) shared: Option<Certificates>,
    /// Of the relay, where it speaks TLS.
    pub(crate) turn: Option<Certificates>,
}

impl Held {
    /// Reads or makes what the configuration's listeners need.
    pub(crate) fn open(config: &Config, world: &Arc<dyn World>, shutdown: &Shutdown) -> Result<Self> {
        let open = |origin| {
            let (world, end) = (Arc::clone(world), shutdown.hard().clone());
            let clock: Clock = Arc::new(move || world.now());
            Certificates::open(origin, clock, shutdown.tasks(), end)
        };
        let turns = config.turn.enabled && !config.turn.tls.is_empty();
        let is_own_turn = turns && config.turn.certificate.is_some();
        let shares = config.certificate.is_some()
            || config
                .http
                .listen
                .iter()
                .any(|listener| config.http.speaks_tls(*listener))
            || !config.sip.tls.is_empty()
            || (turns && !is_own_turn);
        let shared = shares
            .then(|| open(origin(config)))
            .transpose()
            .context("cannot use the certificate (tls.certificate, tls.key)")?;
        if let Some(status) = shared.as_ref().map(Certificates::status).filter(|status| status.is_own) {
            warn!(
                sha256 = status.fingerprint,
                "the certificate is one made here, which browsers and phones warn of: name your own (tls.certificate)"
            );
        }
        let turn = match config.turn.certificate.clone().filter(|_| is_own_turn) {
            Some(files) => Some(open(Origin::Files(files)).context("cannot use turn.certificate and turn.key")?),
            None => shared.clone().filter(|_| turns),
        };
        let held = Self { shared, turn };
        held.look_when_told(shutdown)?;
        Ok(held)
    }

    /// SIGHUP has the files read at once; without it they are within a minute.
    fn look_when_told(&self, shutdown: &Shutdown) -> Result<()> {
        let mut told = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        let (held, end) = (self.clone(), shutdown.hard().clone());
        shutdown.tasks().spawn(async move {
            loop {
                tokio::select! {
                    () = end.cancelled() => return,
                    _ = told.recv() => {}
                }
                info!("told to read the certificates again");
                for certificates in held.shared.iter().chain(&held.turn) {
                    certificates.look();
                }
            }
        });
        Ok(())
    }

    /// What is known of each, with the listeners it is for.
    pub(crate) fn statuses(&self) -> Vec<(&'static str, Status)> {
        let shared = self.shared.as_ref().map(Certificates::status);
        let turn = self.turn.as_ref().map(Certificates::status);
        let turn = turn.filter(|turn| shared.as_ref() != Some(turn));
        let shared = shared.map(|status| ("the console's", status));
        shared
            .into_iter()
            .chain(turn.map(|status| ("TURN's", status)))
            .collect()
    }

    /// Tells every tenant when three weeks, a week and a day are left, and when nothing is: once each, whatever is
    /// started again meanwhile.
    pub(crate) fn tell(&self, store: &Store, world: Arc<dyn World>, shutdown: &Shutdown) {
        let (held, store, end) = (self.clone(), store.clone(), shutdown.hard().clone());
        shutdown.tasks().spawn(async move {
            let mut minutes = tokio::time::interval(LOOK);
            let mut told = Vec::new();
            loop {
                tokio::select! {
                    () = end.cancelled() => return,
                    _ = minutes.tick() => {}
                }
                let alarms = alarms(&held.statuses(), world.now());
                if alarms == told {
                    continue;
                }
                match tell_all(&store, &alarms).await {
                    Ok(()) => told = alarms,
                    Err(problem) => warn!(
                        problem = &problem as &dyn std::error::Error,
                        "tenants could not be told of a certificate's end"
                    ),
                }
            }
        });
    }

    /// The same for the console.
    pub(crate) fn watch(&self, world: Arc<dyn World>) -> CertificateWatch {
        let held = self.clone();
        Arc::new(move || {
            let line = line(&held.statuses(), world.now());
            let level = match line.mood {
                Mood::Pass => CertificateLevel::Good,
                Mood::Warn => CertificateLevel::Soon,
                Mood::Fail => CertificateLevel::Ended,
            };
            CertificateState {
                level,
                story: line.detail,
            }
        })
    }

    /// The line `certificates` of `/health`.
    pub(crate) fn probe(&self, world: Arc<dyn World>) -> Probe {
        let held = self.clone();
        Arc::new(move || line(&held.statuses(), world.now()))
    }
}

async fn tell_all(store: &Store, alarms: &[String]) -> strowger_store::Result<()> {
    for alarm in alarms {
        store.tell_all(NoticeKind::CertificateEnds, alarm).await?;
    }
    Ok(())
}

/// What tenants are to be told: the same words for as long as a stage lasts.
fn alarms(statuses: &[(&'static str, Status)], now: OffsetDateTime) -> Vec<String> {
    let alarm = |(whose, status): &(&'static str, Status)| {
        let day = status.ends_at.date();
        match tls::stage(status.ends_at - now) {
            Stage::Fine => None,
            Stage::Weeks => Some(format!("{whose} ends on {day}, in three weeks or less: renew it")),
            Stage::Week => Some(format!("{whose} ends on {day}, in a week or less: renew it")),
            Stage::Day => Some(format!("{whose} ends on {day}, within a day: renew it now")),
            Stage::Over => Some(format!(
                "{whose} ended on {day}: browsers, phones and programs refuse it"
            )),
        }
    };
    statuses.iter().filter_map(alarm).collect()
}

fn origin(config: &Config) -> Origin {
    match config.certificate.clone() {
        Some(files) => Origin::Files(files),
        None => Origin::Own {
            folder: config.data_dir.join("tls"),
            names: names(config),
        },
    }
}

/// What a certificate made here is for: what this machine is called, and where it is reached.
fn names(config: &Config) -> Vec<String> {
    // The unit hides the first from us (ProcSubset=pid).
    let host = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .unwrap_or_default();
    let listeners = config.http.listen.iter().chain(&config.sip.tls).chain(&config.turn.tls);
    let mut addresses: Vec<IpAddr> = listeners.map(SocketAddr::ip).collect();
    addresses.extend(config.sip.advertised);
    addresses.extend(interface());
    let turn = config
        .turn
        .host
        .as_deref()
        .filter(|_| config.turn.certificate.is_none());
    let said: Vec<&str> = [config.http.public_host(), turn].into_iter().flatten().collect();
    tls::own_names(host.trim(), &said, &addresses)
}

/// Our own address on the way to the rest of the world; nothing is sent to find it.
fn interface() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn line(statuses: &[(&'static str, Status)], now: OffsetDateTime) -> Check {
    let mut mood = Mood::Pass;
    let mut details = Vec::new();
    for (whose, status) in statuses {
        mood = mood.max(mood_of(status, now));
        details.push(detail(whose, status, now));
    }
    if details.is_empty() {
        details.push("none: no listener speaks TLS".to_owned());
    }
    Check {
        name: "certificates",
        mood,
        stops_calls: false,
        detail: details.join("; "),
    }
}

fn mood_of(status: &Status, now: OffsetDateTime) -> Mood {
    match tls::stage(status.ends_at - now) {
        Stage::Over => Mood::Fail,
        Stage::Weeks | Stage::Week | Stage::Day => Mood::Warn,
        Stage::Fine if status.problem.is_some() => Mood::Warn,
        Stage::Fine => Mood::Pass,
    }
}

/// Without file names: whoever may reach `/health` sees it.
fn detail(whose: &str, status: &Status, now: OffsetDateTime) -> String {
    let (day, left) = (status.ends_at.date(), status.ends_at - now);
    let mut said = match tls::stage(left) {
        Stage::Over => format!("{whose} ended on {day}: browsers, phones and programs refuse it; renew it"),
        Stage::Day => format!("{whose} ends within a day, on {day}: renew it now"),
        Stage::Week | Stage::Weeks => format!("{whose} ends in {} days, on {day}: renew it", left.whole_days()),
        Stage::Fine => format!("{whose} is good until {day}"),
    };
    if status.is_own {
        said.push_str(" (made here; it renews itself)");
    }
    if status.problem.is_some() {
        said.push_str("; renewed files are refused, the daemon's log says why");
    }
    said
}

/// Looks at the pairs that the configuration names: for `strowger config check`.
pub(crate) fn check(config: &Config) -> Result<Vec<String>> {
    let now = OffsetDateTime::now_utc();
    let mut said = Vec::new();
    let pairs = [
        ("tls.certificate", "the console's", &config.certificate),
        ("turn.certificate", "TURN's", &config.turn.certificate),
    ];
    for (key, whose, files) in pairs {
        if let Some(files) = files {
            let status = examine(files).with_context(|| format!("cannot use {key}"))?;
            said.push(detail(whose, &status, now));
        }
    }
    if let Some(file) = &config.sip.ca_file {
        tls::trust::connecting(Some(Path::new(file))).context("cannot use sip.ca_file")?;
    }
    Ok(said)
}

fn examine(files: &CertificateFiles) -> Result<Status> {
    Ok(tls::examine(files)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;
    use strowger_store::{NewTenant, Page, StoreConfig};
    use time::Duration;
    use time::macros::datetime;

    #[test]
    fn health_says_how_long_and_what_to_do() {
        let now = datetime!(2030-01-01 12:00 UTC);
        let status = |left: Duration, problem: Option<&str>| Status {
            serial: "01".to_owned(),
            ends_at: now + left,
            fingerprint: String::new(),
            is_own: false,
            problem: problem.map(str::to_owned),
        };
        let rows = [
            (status(Duration::days(90), None), Mood::Pass, "is good until 2030-04-01"),
            (
                status(Duration::days(21), None),
                Mood::Warn,
                "ends in 21 days, on 2030-01-22",
            ),
            (status(Duration::days(7), None), Mood::Warn, "ends in 7 days"),
            (status(Duration::hours(20), None), Mood::Warn, "within a day"),
            (status(Duration::days(-1), None), Mood::Fail, "ended on 2029-12-31"),
            (
                status(Duration::days(90), Some("/etc/x")),
                Mood::Warn,
                "files are refused",
            ),
        ];
        for (status, mood, said) in rows {
            let line = line(&[("the console's", status)], now);
            assert_eq!(line.mood, mood, "{}", line.detail);
            assert!(
                line.detail.contains(said) && !line.detail.contains('/'),
                "{}",
                line.detail
            );
        }
        assert_eq!(line(&[], now).mood, Mood::Pass);
    }

    #[tokio::test]
    async fn each_stage_before_the_end_is_one_notice_of_every_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            url: format!("sqlite://{}/strowger.db", folder.path().display()),
            data_dir: folder.path().to_owned(),
            master_key: [7; 32],
        };
        let store = Store::open(&config, Arc::new(SeededWorld::new(1, 0))).await.unwrap();
        let new = NewTenant {
            name: "acme".to_owned(),
            realm: "acme.example".to_owned(),
        };
        let actor = strowger_store::Actor::system();
        let tenant = store.tenants().create(&actor, new).await.unwrap();
        let ends_at = datetime!(2030-02-01 12:00 UTC);
        let status = Status {
            serial: "01".to_owned(),
            ends_at,
            fingerprint: String::new(),
            is_own: false,
            problem: None,
        };
        let statuses = [("the console's", status)];
        // A minute apart around each stage, and started again in between.
        for left in [
            Duration::days(22),
            Duration::days(21),
            Duration::days(7),
            Duration::days(1),
            Duration::ZERO,
        ] {
            for at in [ends_at - left, ends_at - left + Duration::MINUTE] {
                tell_all(&store, &alarms(&statuses, at)).await.unwrap();
            }
        }
        let notices = store
            .tenant(tenant.id)
            .notices()
            .list(&Page::first(9))
            .await
            .unwrap()
            .items;
        let said: Vec<&str> = notices.iter().map(|notice| notice.detail.as_str()).collect();
        let parts = ["three weeks", "a week or less", "within a day", "ended on 2030-02-01"];
        assert_eq!(said.len(), parts.len(), "{said:?}");
        for part in parts {
            assert!(said.iter().any(|said| said.contains(part)), "{part}: {said:?}");
        }
    }
}
