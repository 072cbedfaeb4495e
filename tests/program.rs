//! Programs of `tests/clients`: members and servers made with the stock SDKs, which tell line by line what happens.

use crate::Sandbox;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long one may take to say something on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running program; it ends with the value.
#[derive(Debug)]
pub struct Program {
    lines: Lines<BufReader<ChildStdout>>,
    stdin: Option<ChildStdin>,
    child: Child,
}

/// What a program is given: how to reach an instance's rooms, and what else is wanted.
#[must_use]
pub fn given(sandbox: &Sandbox, mut wanted: Value) -> Value {
    let rooms = &sandbox.card.rooms;
    wanted["url"] = json!(rooms.url);
    wanted["key"] = json!(rooms.api_key);
    wanted["secret"] = json!(rooms.api_secret);
    wanted
}

impl Program {
    /// Starts a program on what it is given.
    ///
    /// # Errors
    /// The stock clients are not there or it cannot be started.
    pub async fn start(script: &str, given: &Value) -> Result<Self> {
        Self::start_inside(&[], script, given).await
    }

    /// Starts one behind the words of another, such as `ip netns exec NAME`.
    ///
    /// # Errors
    /// The stock clients are not there or it cannot be started.
    pub async fn start_inside(inside: &[&str], script: &str, given: &Value) -> Result<Self> {
        let mut program = Self::spawn(inside, script, given).await?;
        program.enough();
        Ok(program)
    }

    /// Starts one that goes on with what it does until [`Self::enough`].
    ///
    /// # Errors
    /// The stock clients are not there or it cannot be started.
    pub async fn start_held(script: &str, given: &Value) -> Result<Self> {
        Self::spawn(&[], script, given).await
    }

    /// Closes its standard input.
    pub fn enough(&mut self) {
        self.stdin = None;
    }

    async fn spawn(inside: &[&str], script: &str, given: &Value) -> Result<Self> {
        let clients = clients()?;
        let clients = Path::new(&clients);
        let is_node = script.ends_with(".mjs");
        let interpreter = if is_node {
            "node".into()
        } else {
            clients.join("bin/python")
        };
        let mut command = match inside {
            [] => Command::new(interpreter),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(interpreter);
                command
            }
        };
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script));
        if is_node {
            command.arg(clients.join("node"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {script}"))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        stdin.write_all(format!("{given}\n").as_bytes()).await?;
        let lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        Ok(Self {
            lines,
            stdin: Some(stdin),
            child,
        })
    }

    /// What it says next.
    ///
    /// # Errors
    /// It says nothing for two minutes, ends, or says what is no JSON.
    pub async fn says(&mut self) -> Result<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.context("the program says nothing")??;
        Ok(serde_json::from_str(&line.context("the program ended")?)?)
    }

    /// What it says up to and with a line that `is_last`.
    ///
    /// # Errors
    /// It ends, or falls silent, before.
    pub async fn says_until(&mut self, is_last: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        let mut said = Vec::new();
        loop {
            let line = self.says().await.with_context(|| format!("after {said:?}"))?;
            let is_end = is_last(&line);
            said.push(line);
            if is_end {
                return Ok(said);
            }
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It does not, or fails.
    pub async fn ends_well(mut self) -> Result<()> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.context("the program does not end")??;
        ensure!(status.success(), "the program failed: {status}");
        Ok(())
    }

    /// Kills it, without a word to anybody.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn clients() -> Result<String> {
    std::env::var("STROWGER_CLIENTS").context("run packaging/fetch-clients and set STROWGER_CLIENTS")
}
