//! A throw-away instance of the product, driven as a stranger's script would.

use crate::process;
use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The one line that `strowger sandbox` prints.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// The console and REST interface, a URL.
    pub http: String,
    /// SIP, `host:port`.
    pub sip: String,
    /// Processes.
    pub pids: Pids,
    /// Where its state lies.
    pub data_dir: PathBuf,
    /// Who signs in.
    pub admin: Admin,
    /// A token of the demo tenant.
    pub api_token: String,
    /// The demo tenant's id.
    pub tenant: String,
    /// Phones that may register.
    pub devices: Vec<Phone>,
    /// Numbers to dial.
    pub numbers: Value,
    /// How programs reach rooms.
    pub rooms: Rooms,
}

/// How programs reach rooms: what LiveKit's SDKs take.
#[derive(Debug, Clone, Deserialize)]
pub struct Rooms {
    /// Where.
    pub url: String,
    /// A key of the demo tenant.
    pub api_key: String,
    /// Its secret.
    pub api_secret: String,
}

/// Processes of an instance.
#[derive(Debug, Clone, Deserialize)]
pub struct Pids {
    /// The daemon.
    pub daemon: u32,
    /// Its worker.
    pub worker: u32,
}

/// Who signs in.
#[derive(Debug, Clone, Deserialize)]
pub struct Admin {
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: String,
}

/// A phone that may register.
#[derive(Debug, Clone, Deserialize)]
pub struct Phone {
    /// SIP user name.
    pub user: String,
    /// SIP password.
    pub password: String,
    /// The extension that rings it.
    pub extension: String,
}

/// A running instance.
#[derive(Debug)]
pub struct Sandbox {
    /// What it said of itself.
    pub card: Card,
    child: Child,
    client: Client,
}

impl Sandbox {
    /// Starts an instance on free ports and waits until it answers.
    ///
    /// # Errors
    /// It does not start within a minute.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[], &[]).await
    }

    /// Starts an instance with further arguments and environment.
    ///
    /// # Errors
    /// It does not start within a minute.
    pub async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::launch(arguments, environment, Stdio::inherit()).await
    }

    /// Starts an instance that logs everything there is to log into a file.
    ///
    /// # Errors
    /// It does not start within a minute.
    pub async fn start_logging(log: &Path) -> Result<Self> {
        let file = std::fs::File::create(log)?;
        Self::launch(&["--log", "trace"], &[], file.into()).await
    }

    async fn launch(arguments: &[&str], environment: &[(&str, &str)], log: Stdio) -> Result<Self> {
        let mut command = Command::new(process::program("strowger")?);
        command.arg("sandbox").args(arguments);
        for place in ["--http", "--sip"] {
            if !arguments.contains(&place) {
                command.args([place, "127.0.0.1:0"]);
            }
        }
        if let Some(models) = std::env::var_os("STROWGER_TEST_MODELS") {
            command.arg("--models").arg(models);
        }
        command
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = process::start(&mut command)?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line())
            .await
            .context("the sandbox did not say it is ready within a minute")??
            .context("the sandbox ended before it was ready")?;
        let card = serde_json::from_str(&line).with_context(|| format!("not the sandbox's line: {line}"))?;
        Ok(Self {
            card,
            child,
            client: Client::builder().timeout(Duration::from_secs(30)).build()?,
        })
    }

    /// The process that keeps daemon and worker running; none once it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The address of SIP as `host:port`.
    #[must_use]
    pub fn sip(&self) -> &str {
        &self.card.sip
    }

    /// A number by its name on the card.
    ///
    /// # Errors
    /// The card has no such number.
    pub fn number(&self, name: &str) -> Result<&str> {
        self.card
            .numbers
            .get(name)
            .and_then(Value::as_str)
            .with_context(|| format!("no number `{name}` on the card"))
    }

    /// Sends a REST request with the tenant's token and returns status and body.
    ///
    /// # Errors
    /// The instance does not answer.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.card.http))
            .bearer_auth(&self.card.api_token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Gets JSON that must be there.
    ///
    /// # Errors
    /// Any answer but a 2xx one.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = self.send(Method::GET, path, None).await?;
        if !status.is_success() {
            bail!("GET {path}: {status}: {body}");
        }
        Ok(body)
    }

    /// Posts JSON that must be taken.
    ///
    /// # Errors
    /// Any answer but a 2xx one.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.send(Method::POST, path, Some(body)).await?;
        if !status.is_success() {
            bail!("POST {path}: {status}: {answer}");
        }
        Ok(answer)
    }

    /// Fetches bytes, such as a recording.
    ///
    /// # Errors
    /// Any answer but a 2xx one.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self
            .client
            .get(format!("{}{path}", self.card.http))
            .bearer_auth(&self.card.api_token)
            .send()
            .await?;
        Ok(answer.error_for_status()?.bytes().await?.to_vec())
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It does not end within half a minute.
    pub async fn stop(mut self) -> Result<std::process::ExitStatus> {
        process::signal(self.card.pids.daemon, "TERM").await?;
        Ok(tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .context("the sandbox did not end")??)
    }
}
