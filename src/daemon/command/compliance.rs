//! `strowger compliance report`: settings and facts held against checklists.

use anyhow::{Result, bail};
use clap::Subcommand;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use strowger_host::Config;
use strowger_model::compliance::{Line, Listener, Machine, Relay, Service, Way};
use strowger_store::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints each line with pass or fail. Ends with 1 when a line fails.
    Report {
        /// One tenant, by name or id; all without it.
        #[arg(long)]
        tenant: Option<String>,
        /// The configuration that names the database and the listeners.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// What is known of this machine by its configuration.
pub(crate) fn machine(config: &Config) -> Machine {
    let mode = std::fs::metadata(&config.master_key_file).map(|found| found.permissions().mode());
    Machine {
        listeners: listeners(config),
        key_is_private: mode.is_ok_and(|mode| mode & 0o077 == 0),
        webhooks_anywhere: config.rooms.enabled && config.rooms.webhooks_anywhere,
        voice_app_networks: config.voice_apps.networks.clone(),
        relay: config.turn.enabled.then(|| Relay {
            public_peers: config.turn.public_peers,
            allowed_peers: config.turn.allowed_peers.clone(),
        }),
    }
}

/// Everything that listens, and how it is protected.
fn listeners(config: &Config) -> Vec<Listener> {
    let mut doors: Vec<Listener> = Vec::new();
    let mut open = |service, kind: &str, address: SocketAddr, way: Way| {
        let is_near = way == Way::Clear && address.ip().is_loopback();
        doors.push(Listener {
            service,
            place: format!("{kind} {address}"),
            way: if is_near { Way::Loopback } else { way },
        });
    };
    for address in &config.http.listen {
        let far_proxy = |proxy: &IpAddr| !proxy.is_loopback() && config.http.serves_in_clear(*proxy);
        let way = if !config.http.speaks_tls(*address) {
            Way::Clear
        } else if config.http.trusted_proxies.iter().any(far_proxy) {
            Way::Proxies
        } else {
            Way::Redirected
        };
        open(Service::Pages, "console", *address, way);
    }
    let sip = &config.sip;
    for (kind, addresses, way) in [
        ("SIP udp", &sip.udp, Way::Clear),
        ("SIP tcp", &sip.tcp, Way::Clear),
        ("SIP tls", &sip.tls, Way::Encrypted),
    ] {
        for address in addresses {
            open(Service::Sip, kind, *address, way);
        }
    }
    let rtp = SocketAddr::new(config.media.bind, config.media.ports.0);
    open(Service::Audio, "RTP from", rtp, Way::Clear);
    if config.rooms.enabled {
        open(Service::Rooms, "rooms udp", config.rooms.udp, Way::Within);
        if let Some(address) = config.rooms.tcp {
            open(Service::Rooms, "rooms tcp", address, Way::Within);
        }
    }
    if config.turn.enabled {
        let turn = &config.turn;
        for (kind, addresses, way) in [
            ("TURN udp", &turn.udp, Way::Within),
            ("TURN tcp", &turn.tcp, Way::Within),
            ("TURN tls", &turn.tls, Way::Encrypted),
        ] {
            for address in addresses {
                open(Service::Rooms, kind, *address, way);
            }
        }
    }
    doors
}

fn tell(line: &Line) {
    let rules: Vec<String> = line
        .rules
        .iter()
        .map(|(rules, part)| format!("{rules} {part}"))
        .collect();
    let mark = if line.passes { "pass" } else { "FAIL" };
    println!("{mark}  {} ({})", line.asked, rules.join(", "));
    println!("      {}", line.found);
    if !line.mend.is_empty() {
        println!("      to mend: {}", line.mend);
    }
}

/// Runs `strowger compliance`.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let Command::Report { tenant, config } = command;
    let loaded = Config::load(config.as_deref())?;
    let machine = machine(&loaded);
    let failed = crate::serve::runtime()?.block_on(async {
        let store = super::doctor::open(config.as_deref()).await?;
        let mut failed = 0_usize;
        let mut seen = 0_usize;
        for known in store.tenants().list(&Page::first(10_000)).await?.items {
            let is_wanted = |wanted: &String| known.name == *wanted || known.id.to_string() == *wanted;
            if !tenant.as_ref().is_none_or(is_wanted) {
                continue;
            }
            seen += 1;
            println!("{}", known.name);
            for line in store
                .tenant(known.id)
                .compliance()
                .report(Some(machine.clone()))
                .await?
            {
                failed += usize::from(!line.passes);
                tell(&line);
            }
        }
        store.close().await;
        if seen == 0 {
            bail!("there is no such tenant");
        }
        Ok(failed)
    })?;
    println!("{failed} lines fail");
    Ok(ExitCode::from(u8::from(failed > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_listener_of_the_configuration_is_told_with_its_way() {
        let ways = |text: &str| -> Vec<(String, Way)> {
            let (config, _) = Config::from_parts(Some(text), &BTreeMap::new()).unwrap();
            listeners(&config)
                .into_iter()
                .map(|listener| (listener.place, listener.way))
                .collect()
        };
        let found = ways("[http]\nlisten = [\"0.0.0.0:8080\", \"127.0.0.1:8081\"]\n[sip]\ntls = [\"0.0.0.0:5061\"]");
        for wanted in [
            ("console 0.0.0.0:8080", Way::Redirected),
            ("console 127.0.0.1:8081", Way::Loopback),
            ("SIP udp 0.0.0.0:5060", Way::Clear),
            ("SIP tls 0.0.0.0:5061", Way::Encrypted),
            ("TURN udp 0.0.0.0:3478", Way::Within),
        ] {
            assert!(
                found.contains(&(wanted.0.to_owned(), wanted.1)),
                "{wanted:?} in {found:?}"
            );
        }
        let sip = |text: &str| -> Vec<(String, Way)> {
            let found = ways(text).into_iter();
            found.filter(|(place, _)| place.starts_with("SIP")).collect()
        };
        let udp = ("SIP udp 0.0.0.0:5060".to_owned(), Way::Clear);
        let tls = ("SIP tls 0.0.0.0:5061".to_owned(), Way::Encrypted);
        assert_eq!(sip(""), [udp, tls], "no connection is taken in clear unless asked for");
        let tcp = ("SIP tcp 0.0.0.0:5060".to_owned(), Way::Clear);
        assert!(sip("[sip]\ntcp = [\"0.0.0.0:5060\"]").contains(&tcp));
        let far = "[http]\nlisten = [\"0.0.0.0:8080\"]\ntrusted_proxies = [\"10.0.0.5\"]\n";
        assert_eq!(ways(far)[0].1, Way::Proxies);
        assert_eq!(ways(&format!("{far}tls = \"always\""))[0].1, Way::Redirected);
        assert_eq!(ways(&format!("{far}tls = \"never\""))[0].1, Way::Clear);
    }
}
