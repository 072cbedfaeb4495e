//! baresip as a phone: registers, calls, answers, presses keys, holds, speaks from a WAV file.

use crate::nat::Home;
use crate::network::reach;
use crate::process;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How a phone is set up.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// The instance's SIP address, `host:port`.
    pub server: &'a str,
    /// SIP user name.
    pub user: &'a str,
    /// SIP password.
    pub password: &'a str,
    /// What it speaks: a WAV file of 16 bit, mono, of 8 kHz or the rate of its codec.
    pub speaks: &'a Path,
    /// Whether it answers by itself.
    pub answers: bool,
    /// `udp` or `tcp`.
    pub transport: &'a str,
    /// Whether it registers.
    pub registers: bool,
    /// The codecs it knows, in its order and as it writes them.
    pub codecs: &'a str,
    /// The UDP port it is reached at; any free one without it.
    pub port: Option<u16>,
}

/// The codecs that phones know unless something else is said.
pub const G711: &str = "PCMU,PCMA";

/// A running phone.
#[derive(Debug)]
pub struct Baresip {
    stream: Box<dyn Wire>,
    pending: Vec<u8>,
    events: Vec<Value>,
    folder: TempDir,
    _child: Child,
    /// What carries the orders into its network, where it is another.
    _relay: Option<Child>,
}

/// A way to the phone's control port.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug> Wire for T {}

impl Baresip {
    /// Starts a phone.
    ///
    /// # Errors
    /// It does not come up within ten seconds.
    pub async fn start(setup: &Setup<'_>) -> Result<Self> {
        Self::start_at(setup, None).await
    }

    /// As [`Baresip::start`], at home behind routers.
    ///
    /// # Errors
    /// It does not come up within ten seconds.
    pub async fn start_at(setup: &Setup<'_>, home: Option<&Home>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The port above the SIP port is baresip's TLS listener, so control sits further away.
        let port = match setup.port {
            Some(port) => port,
            None => process::free_port()?,
        };
        let control = process::free_port()?;
        std::fs::write(
            folder.path().join("config"),
            config(
                folder.path(),
                setup.speaks,
                (home.map_or("127.0.0.1", Home::address), port),
                control,
            )?,
        )?;
        std::fs::write(folder.path().join("accounts"), account(setup))?;
        std::fs::write(folder.path().join("contacts"), "")?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let inside = home.map(Home::inside);
        let mut command = match &inside {
            None => Command::new("baresip"),
            Some([program, before @ ..]) => {
                let mut command = Command::new(program);
                command.args(before).arg("baresip");
                command
            }
        };
        let child = process::start(
            command
                .arg("-f")
                .arg(folder.path())
                .stdout(Stdio::from(log.try_clone()?))
                .stderr(Stdio::from(log)),
        )?;
        let patience = Duration::from_secs(10);
        let (stream, relay): (Box<dyn Wire>, _) = match &inside {
            None => {
                let connected = crate::eventually(patience, "baresip's control port", || async {
                    Ok(TcpStream::connect(("127.0.0.1", control)).await?)
                });
                (Box::new(connected.await?), None)
            }
            Some(inside) => {
                let folder = folder.path();
                crate::eventually(patience, "baresip's control port", || async {
                    let log = std::fs::read_to_string(folder.join("log"))?;
                    anyhow::ensure!(log.contains("baresip is ready"), "its log says: {log}");
                    Ok(())
                })
                .await?;
                let (relay, from, to) = reach(inside, control)?;
                (Box::new(tokio::io::join(from, to)), Some(relay))
            }
        };
        let is_relayed = relay.is_some();
        let mut phone = Self {
            stream,
            pending: Vec::new(),
            events: Vec::new(),
            folder,
            _child: child,
            _relay: relay,
        };
        if is_relayed {
            phone.is_heard().await?;
        }
        if setup.registers {
            // The event may have come before anybody listened; the log keeps it.
            crate::eventually(Duration::from_secs(20), "baresip's registration", || async {
                let log = phone.log();
                anyhow::ensure!(log.contains("200 OK"), "its log says: {log}");
                Ok(())
            })
            .await?;
        }
        Ok(phone)
    }

    /// Waits until the shell in between carries words: events that come before are told to nobody.
    async fn is_heard(&mut self) -> Result<()> {
        self.command("listcalls", "").await?;
        let mut buffer = [0u8; 8192];
        let answer = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut buffer)).await;
        let count = answer.context("the phone does not answer")??;
        anyhow::ensure!(count > 0, "the phone ended");
        self.pending.extend_from_slice(&buffer[..count]);
        self.take_netstrings()
    }

    /// Sends a command of baresip's menu.
    ///
    /// # Errors
    /// The phone is gone.
    pub async fn command(&mut self, name: &str, parameter: &str) -> Result<()> {
        let text = json!({"command": name, "params": parameter, "token": name}).to_string();
        self.stream
            .write_all(format!("{}:{text},", text.len()).as_bytes())
            .await?;
        Ok(())
    }

    /// Calls a number or address.
    ///
    /// # Errors
    /// The phone is gone.
    pub async fn dial(&mut self, address: &str) -> Result<()> {
        self.command("dial", address).await
    }

    /// Presses keys, one after the other.
    ///
    /// # Errors
    /// The phone is gone.
    pub async fn press(&mut self, keys: &str) -> Result<()> {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string()).await?;
        }
        Ok(())
    }

    /// Hangs up.
    ///
    /// # Errors
    /// The phone is gone.
    pub async fn hang_up(&mut self) -> Result<()> {
        self.command("hangup", "").await
    }

    /// Waits for an event such as `CALL_ESTABLISHED`, at most twenty seconds. Events that came before
    /// it are passed over.
    ///
    /// # Errors
    /// It does not come, or the phone ends.
    pub async fn event(&mut self, kind: &str) -> Result<Value> {
        self.event_within(kind, Duration::from_secs(20)).await
    }

    /// As [`Baresip::event`], with another limit.
    ///
    /// # Errors
    /// It does not come, or the phone ends.
    pub async fn event_within(&mut self, kind: &str, limit: Duration) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            while !self.events.is_empty() {
                let event = self.events.remove(0);
                if event["type"] == kind {
                    return Ok(event);
                }
            }
            let mut buffer = [0u8; 8192];
            let read = tokio::time::timeout_at(deadline, self.stream.read(&mut buffer)).await;
            match read {
                Err(_) => bail!("no {kind} within {limit:?}; the phone's log ends:\n{}", self.log_end()),
                Ok(Ok(0)) => bail!("the phone ended; its log ends:\n{}", self.log_end()),
                Ok(count) => self.pending.extend_from_slice(&buffer[..count?]),
            }
            self.take_netstrings()?;
        }
    }

    fn take_netstrings(&mut self) -> Result<()> {
        while let Some(colon) = self.pending.iter().position(|byte| *byte == b':') {
            let length: usize = std::str::from_utf8(&self.pending[..colon])?.parse()?;
            if self.pending.len() < colon + 1 + length + 1 {
                return Ok(());
            }
            let message: Value = serde_json::from_slice(&self.pending[colon + 1..=colon + length])?;
            self.pending.drain(..colon + length + 2);
            if message["event"] == true {
                self.events.push(message);
            } else if message["ok"] == false {
                return Err(anyhow!("baresip refused: {message}"));
            }
        }
        Ok(())
    }

    /// The WAV file with what the phone heard in its call, if there is one. One that rang first may have begun another,
    /// which stayed empty: the longest is it.
    #[must_use]
    pub fn heard(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).ok()?;
        files
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .max_by_key(|path| std::fs::metadata(path).map_or(0, |file| file.len()))
    }

    /// Forgets what it heard before.
    pub fn forget(&self) {
        for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with("-dec.wav") {
                // Who cannot take it away hears it again, and the test says so.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// What the phone heard, decoded.
    ///
    /// # Errors
    /// It heard nothing, or the file is no WAV.
    pub fn heard_sound(&self) -> Result<crate::scene::Sound> {
        let path = self.heard().context("the phone wrote no file of what it heard")?;
        let bytes = std::fs::read(&path)?;
        // The lengths in the header are written when the call ends, so the samples are read as far as they go.
        let data = bytes.windows(4).position(|tag| tag == b"data").context("no WAV file")? + 8;
        let rate_hz = bytes
            .get(24..)
            .and_then(|rest| rest.first_chunk())
            .context("no WAV file")?;
        let rate_hz = u32::from_le_bytes(*rate_hz);
        // Opus is written in stereo, the same on both sides: one of them is enough.
        let channels = usize::from(bytes.get(22).copied().unwrap_or(1).max(1));
        let samples = bytes.get(data..).unwrap_or_default().chunks_exact(2 * channels);
        let samples = samples
            .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
            .collect();
        Ok(crate::scene::Sound {
            rate_hz,
            channels: vec![samples],
        })
    }

    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

fn account(setup: &Setup<'_>) -> String {
    let Setup {
        server,
        user,
        password,
        transport,
        codecs,
        ..
    } = setup;
    let answer = if setup.answers { "auto" } else { "manual" };
    let register = if setup.registers { 60 } else { 0 };
    // Over a connection it registers every three seconds: of itself it does not notice that one has ended.
    let wait = if *transport == "udp" { "" } else { ";rwait=5" };
    format!(
        "<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};regint={register}{wait};answermode={answer};audio_codecs={codecs};medianat=\n"
    )
    .replace(";medianat=", "")
}

fn config(folder: &Path, speaks: &Path, (address, port): (&str, u16), control: u16) -> Result<String> {
    let folder = folder.to_str().context("a temporary folder with an odd name")?;
    // A file is spoken as it is where the codec has its rate; what the phone would make of another is narrower.
    let rate_hz = hound::WavReader::open(speaks)
        .context("not a sound file")?
        .spec()
        .sample_rate;
    let speaks = speaks.to_str().context("a sound file with an odd name")?;
    let mut text = String::new();
    let lines = [
        format!("sip_listen {address}:{port}"),
        "audio_path /usr/share/baresip".to_owned(),
        format!("audio_source aufile,{speaks}"),
        "audio_player aubridge,heard".to_owned(),
        "audio_alert aubridge,alert".to_owned(),
        format!("ausrc_srate {rate_hz}\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1"),
        "call_local_timeout 120".to_owned(),
        "module_path /usr/lib/baresip/modules".to_owned(),
        "module opus.so\nmodule g722.so\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so"
            .to_owned(),
        format!("snd_path {folder}"),
        "module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so".to_owned(),
        format!("ctrl_tcp_listen 127.0.0.1:{control}"),
    ];
    for line in lines {
        writeln!(text, "{line}")?;
    }
    Ok(text)
}
