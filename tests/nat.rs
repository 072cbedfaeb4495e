//! Homes behind routers that translate addresses: a full cone, a symmetric one, and two symmetric ones in a row as with
//! carriers. Only root may make them.

use crate::network::{Network, remove, run};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::process::Command;

/// How a router translates (RFC 4787 §4 and §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// One mapping for all destinations, and whoever knows it gets in.
    FullCone,
    /// A mapping of its own for each destination, through which that one alone answers.
    Symmetric,
    /// A symmetric router at home and another one at the carrier.
    Carrier,
}

/// A network at home. It is gone when the value is dropped.
#[derive(Debug)]
pub struct Home {
    /// The line of the outermost router.
    line: Network,
    names: Vec<String>,
    address: String,
}

/// How long what gets through may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long what is kept out is waited for.
const KEPT_OUT: Duration = Duration::from_millis(1_500);

/// Sends from one socket to two ports, says what a third one sent to where the first came from.
const PROBE: &str = "import socket, sys
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in sys.argv[2:4]: line.sendto(b'here', (sys.argv[1], int(port)))
line.settimeout(float(sys.argv[4]))
try: print(line.recv(100).decode())
except TimeoutError: print('nothing')";

impl Home {
    /// Makes a home behind routers of this kind.
    ///
    /// # Errors
    /// This is not root, or `ip` or `nft` is missing.
    pub async fn behind(nat: Nat) -> Result<Self> {
        let line = Network::new().await?;
        let mut home = Self {
            names: Vec::new(),
            address: String::new(),
            line,
        };
        home.add(nat == Nat::FullCone, 10).await?;
        if nat == Nat::Carrier {
            home.add(false, 20).await?;
        }
        Ok(home)
    }

    /// What was the innermost network becomes a router with a network behind it.
    async fn add(&mut self, is_cone: bool, number: u8) -> Result<()> {
        let router = self.inside()[3].to_owned();
        let name = format!("{}-{number}", self.line.name());
        run(&["ip", "netns", "add", &name]).await?;
        self.names.push(name.clone());
        let (gate, home) = (format!("192.168.{number}.1"), format!("192.168.{number}.2"));
        let (near, far) = (format!("{gate}/24"), format!("{home}/24"));
        run(&[
            "ip", "-n", &router, "link", "add", "home", "type", "veth", "peer", "name", "line", "netns", &name,
        ])
        .await?;
        run(&["ip", "-n", &router, "address", "add", &near, "dev", "home"]).await?;
        run(&["ip", "-n", &router, "link", "set", "home", "up"]).await?;
        run(&["ip", "-n", &name, "address", "add", &far, "dev", "line"]).await?;
        run(&["ip", "-n", &name, "link", "set", "line", "up"]).await?;
        run(&["ip", "-n", &name, "link", "set", "lo", "up"]).await?;
        run(&["ip", "-n", &name, "route", "add", "default", "via", &gate]).await?;
        let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward";
        run(&["ip", "netns", "exec", &router, "sh", "-c", forward]).await?;
        let out = if is_cone {
            "masquerade"
        } else {
            "masquerade fully-random"
        };
        let inward = if is_cone {
            format!("chain in {{ type nat hook prerouting priority -100; iif line dnat to {home}; }};")
        } else {
            String::new()
        };
        let rules = format!(
            "table ip nat {{ chain out {{ type nat hook postrouting priority 100; oif line {out}; }}; {inward} }}"
        );
        run(&["ip", "netns", "exec", &router, "nft", &rules]).await?;
        self.address = home;
        Ok(())
    }

    /// What starts a program inside.
    #[must_use]
    pub fn inside(&self) -> [&str; 4] {
        let [ip, netns, exec, outermost] = self.line.inside();
        [ip, netns, exec, self.names.last().map_or(outermost, String::as_str)]
    }

    /// The address of whoever is at home, which nobody outside can reach.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Looks whether the routers translate as they should, towards an address of ours.
    ///
    /// # Errors
    /// They do not.
    pub async fn translates(&self, nat: Nat, host: &str) -> Result<()> {
        let (one, other, stranger) = (socket(host).await?, socket(host).await?, socket(host).await?);
        let port = |socket: &UdpSocket| Ok::<_, std::io::Error>(socket.local_addr()?.port().to_string());
        let [program, before @ ..] = self.inside();
        let probe = Command::new(program)
            .args(before)
            .args(["python3", "-c", PROBE, host, &port(&one)?, &port(&other)?])
            .arg(
                if nat == Nat::FullCone { PATIENCE } else { KEPT_OUT }
                    .as_secs_f64()
                    .to_string(),
            )
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (first, second) = (came_from(&one).await?, came_from(&other).await?);
        stranger.send_to(b"a stranger", first).await?;
        let said = probe.wait_with_output().await?;
        let gets_in = String::from_utf8_lossy(&said.stdout).trim() == "a stranger";
        let is_cone = nat == Nat::FullCone;
        ensure!(
            (first == second, gets_in) == (is_cone, is_cone),
            "{nat:?} maps to {first} and {second}; a stranger gets in: {gets_in}"
        );
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the outside of the product")]
async fn socket(host: &str) -> std::io::Result<UdpSocket> {
    UdpSocket::bind((host, 0)).await
}

async fn came_from(socket: &UdpSocket) -> Result<SocketAddr> {
    let mut buffer = [0; 16];
    let came = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await;
    Ok(came.context("nothing came through the routers")??.1)
}

impl Drop for Home {
    fn drop(&mut self) {
        for name in self.names.iter().rev() {
            remove(name);
        }
    }
}
