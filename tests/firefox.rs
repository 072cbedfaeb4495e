//! Debian's Firefox as somebody's browser, driven by its own remote protocol (Marionette).
//!
//! The protocol runs over a port of the loopback that the browser chooses; a shell in the browser's own network carries
//! it here. Its microphone hears one pitch. Firefox tells nobody of its loopback addresses, so it needs a network in
//! which it has another: [`crate::network::Network`].

use crate::chromium::EAR;
use crate::eventually;
use crate::network::{Network, reach};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

/// How long a page may take for one thing on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running browser with one page.
#[derive(Debug)]
pub struct Firefox {
    line: Mutex<Line>,
    _relay: Child,
    _child: Child,
    _profile: TempDir,
}

impl Firefox {
    /// Starts a browser without a window, whose microphone hears a pitch, in a network.
    ///
    /// # Errors
    /// Firefox is not installed or does not come up.
    pub async fn start(network: &Network, hertz: u32) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("strowger-firefox-").tempdir()?;
        std::fs::write(profile.path().join("user.js"), settings(hertz, network.host()))?;
        let log = std::fs::File::create(profile.path().join("log"))?;
        let [program, before @ ..] = network.inside();
        let child = Command::new(program)
            .args(before)
            .args(["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile"])
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start firefox-esr: run packaging/setup")?;
        let port = port(profile.path()).await?;
        let (relay, from, to) = reach(&network.inside(), port)?;
        let mut line = Line { to, from, number: 0 };
        // It says who it is.
        line.message().await?;
        line.order("WebDriver:NewSession", &json!({})).await?;
        Ok(Self {
            line: Mutex::new(line),
            _relay: relay,
            _child: child,
            _profile: profile,
        })
    }

    async fn order(&self, name: &str, parameters: &Value) -> Result<Value> {
        let mut line = self.line.lock().await;
        tokio::time::timeout(PATIENCE, line.order(name, parameters))
            .await
            .with_context(|| format!("{name}: no answer"))?
    }

    /// Goes to an address and waits until everything there is loaded.
    ///
    /// # Errors
    /// There is no such page.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.order("WebDriver:Navigate", &json!({"url": url})).await.map(drop)
    }

    /// What an expression is worth, after its promise when it is one.
    ///
    /// # Errors
    /// It throws.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let script = format!("{EAR}\nreturn ({expression});");
        let parameters = json!({"script": script, "args": [], "newSandbox": false});
        let mut answer = self.order("WebDriver:ExecuteScript", &parameters).await?;
        Ok(answer["value"].take())
    }

    /// Waits until an expression is worth something.
    ///
    /// # Errors
    /// It never is.
    pub async fn until(&self, expression: &str) -> Result<Value> {
        let found = eventually(PATIENCE, expression, || async {
            let value = self.evaluate(expression).await?;
            let is_nothing =
                matches!(value, Value::Null | Value::Bool(false)) || value == json!(0) || value == json!("");
            ensure!(!is_nothing, "it is {value}");
            Ok(value)
        })
        .await;
        match found {
            Ok(value) => Ok(value),
            Err(error) => {
                let text = self.evaluate("document.body?.innerText").await;
                Err(error.context(format!("the page reads: {text:?}")))
            }
        }
    }

    /// Presses a button, once it is there to be pressed.
    ///
    /// # Errors
    /// It never is.
    pub async fn click(&self, selector: &str) -> Result<()> {
        self.until(&format!("test.isThere({selector:?})")).await?;
        self.evaluate(&format!("document.querySelector({selector:?}).click()"))
            .await
            .map(drop)
    }

    /// Writes into a field, once it is there.
    ///
    /// # Errors
    /// It never is.
    pub async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        self.until(&format!("test.isThere({selector:?})")).await?;
        self.evaluate(&format!("test.fill({selector:?}, {})", json!(text)))
            .await
            .map(drop)
    }

    /// Waits until a pitch is heard.
    ///
    /// # Errors
    /// It never is.
    pub async fn hears(&self, hertz: f64) -> Result<()> {
        self.until(&format!("test.levels([{hertz}]).then(([level]) => level > -50)"))
            .await
            .map(drop)
    }

    /// Signs in to the console and goes on to a path.
    ///
    /// # Errors
    /// It does not let them in.
    pub async fn sign_in(&self, http: &str, account: (&str, &str), path: &str) -> Result<()> {
        self.open(&format!("{http}/login?next={path}")).await?;
        self.fill("[name=email]", account.0).await?;
        self.fill("[name=password]", account.1).await?;
        self.evaluate("document.querySelector('form').requestSubmit()").await?;
        self.until(&format!(
            "location.pathname === {path:?} && document.readyState === 'complete'"
        ))
        .await
        .map(drop)
    }
}

/// What the browser is told at its start: no questions, no calls home, a microphone and a loudspeaker that are none.
fn settings(hertz: u32, host: &str) -> String {
    let all = [
        ("marionette.port", json!(0)),
        ("media.navigator.streams.fake", json!(true)),
        ("media.navigator.audio.fake_frequency", json!(hertz)),
        ("media.navigator.permission.disabled", json!(true)),
        // Without a loudspeaker no sound is mixed at all.
        ("media.cubeb.sandbox", json!(false)),
        ("media.cubeb.force_mock_context", json!(true)),
        ("media.autoplay.default", json!(0)),
        ("media.autoplay.blocking_policy", json!(0)),
        // No loopback, and pages without TLS: a secure place all the same.
        ("dom.securecontext.allowlist", json!(host)),
        ("security.warn_submit_secure_to_insecure", json!(false)),
        ("datareporting.policy.dataSubmissionEnabled", json!(false)),
        ("toolkit.telemetry.enabled", json!(false)),
        ("app.update.enabled", json!(false)),
        ("browser.aboutwelcome.enabled", json!(false)),
        ("browser.shell.checkDefaultBrowser", json!(false)),
        ("network.captive-portal-service.enabled", json!(false)),
        ("network.connectivity-service.enabled", json!(false)),
    ];
    let line = |(name, value): &(&str, Value)| format!("user_pref({name:?}, {value});\n");
    all.iter().map(line).collect()
}

/// The port of the protocol, once it is written down.
async fn port(profile: &Path) -> Result<u16> {
    let file = profile.join("MarionetteActivePort");
    let found = eventually(PATIENCE, "Firefox's port", || async {
        let text = tokio::fs::read_to_string(&file).await?;
        Ok(text.trim().parse()?)
    })
    .await;
    found.with_context(|| std::fs::read_to_string(profile.join("log")).unwrap_or_default())
}

/// The protocol: messages in JSON, each with its length before it.
#[derive(Debug)]
struct Line {
    to: ChildStdin,
    from: ChildStdout,
    number: u64,
}

impl Line {
    async fn order(&mut self, name: &str, parameters: &Value) -> Result<Value> {
        self.number += 1;
        let message = json!([0, self.number, name, parameters]).to_string();
        let message = format!("{}:{message}", message.len());
        self.to.write_all(message.as_bytes()).await?;
        self.to.flush().await?;
        loop {
            let mut answer = self.message().await?;
            // The answer to somebody who did not wait for it.
            if answer[1] != self.number {
                continue;
            }
            if !answer[2].is_null() {
                bail!("{name}: {} {}", answer[2]["error"], answer[2]["message"]);
            }
            return Ok(answer[3].take());
        }
    }

    async fn message(&mut self) -> Result<Value> {
        let mut length = 0_usize;
        loop {
            match self.from.read_u8().await.context("firefox ended")? {
                b':' => break,
                digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
                other => bail!("no length of a message: {other}"),
            }
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).await?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}
