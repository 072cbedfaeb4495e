//! Stock client libraries as members of rooms: the programs in `tests/clients`, each told in one line of JSON what
//! to do, each saying in lines of JSON what it saw.
//!
//! The libraries are fetched by `packaging/fetch-clients`; their folder is named by `STROWGER_CLIENTS`.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running client.
#[derive(Debug)]
pub struct Stock {
    lines: Lines<BufReader<ChildStdout>>,
    stdin: Option<ChildStdin>,
    _child: Child,
}

impl Stock {
    /// Starts a program of `tests/clients`, all told.
    ///
    /// # Errors
    /// The libraries were not fetched.
    pub async fn start(script: &str, told: &Value) -> Result<Self> {
        let mut client = Self::start_held(script, told).await?;
        client.enough();
        Ok(client)
    }

    /// Starts a program of `tests/clients` that goes on with what it does until [`Self::enough`].
    ///
    /// # Errors
    /// The libraries were not fetched.
    pub async fn start_held(script: &str, told: &Value) -> Result<Self> {
        let folder =
            std::env::var_os("STROWGER_CLIENTS").context("run packaging/fetch-clients and set STROWGER_CLIENTS")?;
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let mut child = Command::new(Path::new(&folder).join("bin/python"))
            .arg(scripts.join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        stdin.write_all(format!("{told}\n").as_bytes()).await?;
        let stdout = child.stdout.take().context("no standard output")?;
        Ok(Self {
            lines: BufReader::new(stdout).lines(),
            stdin: Some(stdin),
            _child: child,
        })
    }

    /// Closes its standard input.
    pub fn enough(&mut self) {
        self.stdin = None;
    }

    /// The next thing it says.
    ///
    /// # Errors
    /// It ends, or says nothing for two minutes.
    pub async fn says(&mut self) -> Result<Value> {
        let line = tokio::time::timeout(Duration::from_secs(120), self.lines.next_line()).await;
        let line = line.context("the client says nothing")??.context("the client failed")?;
        Ok(serde_json::from_str(&line)?)
    }
}
