//! A network of its own for a partner: a namespace joined to ours by one line, which can be cut, narrowed and
//! kept from carrying UDP. Only root may make one.

use anyhow::{Context, Result, anyhow, bail};
use std::process::Stdio;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Networks at once on this machine.
const MOST: u8 = 200;

/// A network; it is gone when the value is dropped.
#[derive(Debug)]
pub struct Network {
    name: String,
    ours: String,
    host: String,
}

impl Network {
    /// Makes a network.
    ///
    /// # Errors
    /// This is not root, or `ip` is missing.
    pub async fn new() -> Result<Self> {
        let mut problem = None;
        for number in 0..MOST {
            let name = format!("strowger-test-{number}");
            // The name is taken by whoever makes it first.
            if run(&["ip", "netns", "add", &name]).await.is_ok() {
                let network = Self {
                    name,
                    ours: format!("strowger{number}"),
                    host: format!("10.213.{number}.1"),
                };
                // The line of a namespace that was just removed may still be there for a moment.
                match network.join(number).await {
                    Ok(()) => return Ok(network),
                    Err(error) => problem = Some(error),
                }
            }
        }
        let advice = "no network can be made: run this test as root, in a virtual machine or a container";
        Err(problem.map_or_else(|| anyhow!(advice), |problem| problem.context(advice)))
    }

    async fn join(&self, number: u8) -> Result<()> {
        let (name, ours, far) = (self.name.as_str(), self.ours.as_str(), "line");
        let (near_address, far_address) = (format!("{}/30", self.host), format!("10.213.{number}.2/30"));
        run(&[
            "ip", "link", "add", ours, "type", "veth", "peer", "name", far, "netns", name,
        ])
        .await?;
        run(&["ip", "address", "add", &near_address, "dev", ours]).await?;
        run(&["ip", "link", "set", ours, "up"]).await?;
        run(&["ip", "-n", name, "address", "add", &far_address, "dev", far]).await?;
        run(&["ip", "-n", name, "link", "set", far, "up"]).await?;
        run(&["ip", "-n", name, "link", "set", "lo", "up"]).await?;
        run(&["ip", "-n", name, "route", "add", "default", "via", &self.host]).await
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Our own address as the network sees it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What starts a program inside.
    #[must_use]
    pub fn inside(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Nothing passes any more, in either direction; nobody inside is told.
    ///
    /// # Errors
    /// `nft` is missing.
    pub async fn cut(&self) -> Result<()> {
        self.rule("drop").await
    }

    /// No UDP passes.
    ///
    /// # Errors
    /// `nft` is missing.
    pub async fn without_udp(&self) -> Result<()> {
        self.rule("meta l4proto udp drop").await
    }

    /// No UDP passes, and no TCP but to these ports of ours.
    ///
    /// # Errors
    /// `nft` is missing.
    pub async fn only_tcp(&self, ports: &[u16]) -> Result<()> {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = ports.join(", ");
        self.rule(&format!("tcp dport != {{ {ports} }} drop; meta l4proto != tcp drop"))
            .await
    }

    /// So many of a hundred datagrams are lost on their way in.
    ///
    /// # Errors
    /// `nft` is missing.
    pub async fn lose(&self, percent: u8) -> Result<()> {
        self.mend().await?;
        let table = format!(
            "table inet test {{ chain in {{ type filter hook input priority 0; \
             meta l4proto udp numgen random mod 100 < {percent} drop; }}; }}"
        );
        run(&["ip", "netns", "exec", &self.name, "nft", &table]).await
    }

    /// Everything passes again.
    ///
    /// # Errors
    /// `nft` is missing.
    pub async fn mend(&self) -> Result<()> {
        run(&["ip", "netns", "exec", &self.name, "nft", "flush ruleset"]).await
    }

    /// What goes in passes at that many kilobits a second.
    ///
    /// # Errors
    /// `tc` is missing.
    pub async fn narrow(&self, kilobits: u32) -> Result<()> {
        let rate = format!("{kilobits}kbit");
        run(&[
            "tc", "qdisc", "replace", "dev", &self.ours, "root", "tbf", "rate", &rate, "burst", "4kb", "latency",
            "200ms",
        ])
        .await
    }

    async fn rule(&self, rule: &str) -> Result<()> {
        self.mend().await?;
        let chain = |name: &str, hook: &str, rule: &str| {
            format!("chain {name} {{ type filter hook {hook} priority 0; meta oif lo accept; {rule}; }};")
        };
        // What comes in answers what went out.
        let back = rule.replace("dport", "sport");
        let table = format!(
            "table inet test {{ {} {} }}",
            chain("out", "output", rule),
            chain("in", "input", &back).replace("oif", "iif")
        );
        run(&["ip", "netns", "exec", &self.name, "nft", &table]).await
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The line goes with its far end.
        remove(&self.name);
    }
}

/// Takes a namespace away.
pub(crate) fn remove(name: &str) {
    let gone = std::process::Command::new("ip")
        .args(["netns", "delete", name])
        .stderr(Stdio::null())
        .status();
    // Nothing more can be done about it; the next network takes another number.
    drop(gone);
}

/// The two ends of a connection to a port of the loopback in another network, which a shell there carries.
///
/// # Errors
/// There is no such network, or no shell.
pub(crate) fn reach(inside: &[&str], port: u16) -> Result<(Child, ChildStdout, ChildStdin)> {
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1; cat <&3 & exec cat >&3");
    let [program, before @ ..] = inside else {
        bail!("no network");
    };
    let mut shell = Command::new(program)
        .args(before)
        .args(["bash", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (from, to) = (shell.stdout.take(), shell.stdin.take());
    let (from, to) = from.zip(to).context("no pipes")?;
    Ok((shell, from, to))
}

/// Runs a program to its end.
pub(crate) async fn run(line: &[&str]) -> Result<()> {
    let [program, arguments @ ..] = line else {
        return Ok(());
    };
    let output = Command::new(program).args(arguments).output().await?;
    if !output.status.success() {
        bail!("{}: {}", line.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
