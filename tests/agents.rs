//! Agents and voice apps: a stock agent worker takes a call that a flow hands to it and gives the caller back what they say; when
//! it is killed, or when there is none, the flow's fallback is taken.
//!
//! The agent framework is its makers' own (`packaging/fetch-clients`); its folder is named by `STROWGER_CLIENTS`.

#![cfg(test)]

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::program::Program;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, log, two_phones, whole};
use strowger_tests::{Sandbox, eventually, process, sipp, tone};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UdpSocket;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(60);
/// What a caller waits for their own voice on a machine that does much besides; a third of a second where it does not.
const LATE: Duration = Duration::from_millis(900);

/// A worker of the stock framework whose agent says what it hears.
struct Agent {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Agent {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the clients are is the test's environment"
    )]
    async fn start(sandbox: &Sandbox, name: &str) -> Self {
        let folder = std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS");
        let rooms = &sandbox.card.rooms;
        let given = json!({"url": rooms.url, "key": rooms.api_key, "secret": rooms.api_secret, "agent": name});
        let mut child = Command::new(Path::new(&folder).join("agents/bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/agent.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(given.to_string().as_bytes()).await.unwrap();
        drop(stdin);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut agent = Self { child, lines };
        assert_eq!(agent.says().await["registered"], true);
        agent
    }

    async fn says(&mut self) -> Value {
        let line = tokio::time::timeout(SOON, self.lines.next_line()).await;
        let line = line
            .expect("the agent speaks in time")
            .unwrap()
            .expect("the agent failed");
        serde_json::from_str(&line).unwrap()
    }
}

/// Puts a flow that hands callers to the agent `echo`, and else rings an extension, behind the sandbox's flow number.
async fn hand_to_agent(sandbox: &Sandbox, otherwise: &str) {
    let data = json!({"agent": "echo", "timeout": 15, "lostTimeout": 2, "metadata": "hello"});
    hand_to(sandbox, ("agent", data), otherwise).await;
}

/// Starts a voice app that says what it hears and puts a flow that connects callers with it, and else rings an
/// extension, behind the sandbox's flow number.
async fn connect_with_app(sandbox: &Sandbox, otherwise: &str) -> Program {
    let mut app = Program::start("voice_app.py", &json!({})).await.unwrap();
    let port = app.says().await.unwrap()["port"].clone();
    let url = format!("ws://127.0.0.1:{port}/stream");
    let data = json!({"url": url, "timeout": 20, "parameters": {"from": "{caller}"}});
    hand_to(sandbox, ("voice_app", data), otherwise).await;
    app
}

async fn hand_to(sandbox: &Sandbox, (kind, data): (&str, Value), otherwise: &str) {
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "clerk", "type": kind, "data": data},
            {"id": "desk", "type": "dial", "data": {"extension": otherwise}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "clerk"},
            {"id": "2", "source": "clerk", "target": "desk", "label": "fallback"}
        ]
    });
    let flow = json!({"name": "Clerk", "flow_definition": definition});
    let made = sandbox.post("/api/flows", &flow).await.unwrap();
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    sandbox.post(&format!("{path}/publish"), &json!({})).await.unwrap();
    eventually(SOON, "the flow's publishing", || async {
        let flow = sandbox.get(&path).await?;
        anyhow::ensure!(flow["is_active"] == true, "{flow}");
        Ok(())
    })
    .await
    .unwrap();
    let number = sandbox.number("ivr").unwrap();
    let change = json!({"ivr_flow_id": made["id"]});
    let path = format!("/api/numbers/{number}");
    let (status, answer) = sandbox.send(Method::PATCH, &path, Some(&change)).await.unwrap();
    assert!(status.is_success(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_hears_itself_by_an_agent_and_takes_the_fallback_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let desk = &sandbox.card.devices[1].extension;
    hand_to_agent(&sandbox, desk).await;
    let mut agent = Agent::start(&sandbox, "echo").await;
    let stands_by = |jobs: u32| {
        let sandbox = &sandbox;
        eventually(SOON, "the worker stands by", move || async move {
            let agents = sandbox.get("/api/agents").await?;
            let one = &agents["items"][0];
            let is_it = one["agent_name"] == "echo" && one["kind"] == "room" && one["jobs"] == jobs;
            anyhow::ensure!(
                is_it && one["version"].as_str().is_some_and(|version| version.contains('.')),
                "{agents}"
            );
            Ok(())
        })
    };
    stands_by(0).await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(sandbox.number("ivr").unwrap()).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    let job = agent.says().await;
    assert_eq!(job["metadata"], "hello", "{job}");
    let heard = agent.says().await;
    let number = sandbox.card.devices[0].extension.as_str();
    assert_eq!(heard["attributes"]["sip.phoneNumber"], number, "{heard}");
    // Two reports of baresip are ten seconds of echo.
    caller.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.event_within("CALL_RTCP", SOON).await.unwrap();
    stands_by(1).await.unwrap();
    agent.child.kill().await.unwrap();
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    let gone = sandbox.get("/api/agents").await.unwrap();
    assert_eq!(gone["items"], json!([]));
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();
    // Beside it stands the meeting with the agent.
    let call = eventually(SOON, "the call's row", || async {
        let calls = log(&sandbox).await?;
        let own = |call: &&Value| call["call_type"] != "MEETING" && call["status"] == "completed";
        calls.iter().find(own).cloned().context("it is not in the log")
    })
    .await
    .unwrap();
    let events = whole(&sandbox, &call).await.unwrap()["events"].clone();
    let took_fallback = |event: &Value| event["kind"] == "node" && event["detail"] == "fallback → desk";
    assert!(events.as_array().unwrap().iter().any(took_fallback), "{events}");
    let sound = caller.heard_sound().unwrap();
    let all = sound.part(0, 0.0, sound.seconds());
    let own = tone::share_above(all, sound.rate_hz, CALLER_HZ, -30.0) * sound.seconds();
    assert!(
        own > 3.0,
        "the caller heard itself for {own} of {} seconds",
        sound.seconds()
    );
    let other = tone::share_above(all, sound.rate_hz, CALLEE_HZ, -30.0) * sound.seconds();
    assert!(other > 1.0, "the caller heard the desk for {other} seconds");
}

/// A phone's audio, without the rest of a phone: speaks a beep each second and notes when it is heard back.
struct Beeper {
    socket: UdpSocket,
    sent: Vec<Instant>,
    heard: Vec<Instant>,
}

const FRAME: usize = 160;
/// A beep of ten frames each second.
const PERIOD: u64 = 50;
const BEEP: u64 = 10;
/// An arriving frame counts as beep above this effective value.
const LOUD: f64 = 800.0;

impl Beeper {
    #[expect(clippy::disallowed_methods, reason = "this is the outside of the product")]
    async fn open() -> Self {
        Self {
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            sent: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn frame(count: u64) -> Vec<u8> {
        let speaks = count % PERIOD < BEEP;
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&u16::try_from(count & 0xFFFF).unwrap().to_be_bytes());
        packet.extend_from_slice(&u32::try_from((count * 160) & 0xFFFF_FFFF).unwrap().to_be_bytes());
        packet.extend_from_slice(&7_u32.to_be_bytes());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a test tone"
        )]
        packet.extend((0..FRAME).map(|n| {
            let at = count as f64 * 160.0 + n as f64;
            let value = if speaks {
                (TAU * CALLER_HZ * at / 8000.0).sin() * 12_000.0
            } else {
                0.0
            };
            encode(value as i16)
        }));
        packet
    }

    /// Speaks and listens for so long.
    async fn run(&mut self, span: Duration) {
        let end = Instant::now() + span;
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let (mut to, mut count, mut quiet): (Option<SocketAddr>, u64, u32) = (None, 0, 0);
        let mut buffer = [0_u8; 2048];
        while Instant::now() < end {
            tokio::select! {
                _ = tick.tick() => {
                    let Some(to) = to else { continue };
                    if count % PERIOD == 0 {
                        self.sent.push(Instant::now());
                    }
                    self.socket.send_to(&Self::frame(count), to).await.unwrap();
                    count += 1;
                }
                received = self.socket.recv_from(&mut buffer) => {
                    let (length, source) = received.unwrap();
                    to = Some(source);
                    if length <= 12 || buffer[1] & 0x7F != 0 {
                        continue;
                    }
                    let is_loud = effective(&buffer[12..length]) > LOUD;
                    if is_loud && quiet > 15 {
                        self.heard.push(Instant::now());
                    }
                    quiet = if is_loud { 0 } else { quiet + 1 };
                }
            }
        }
    }

    /// How long each beep that came back was on its way, from the first sample spoken: a frame leaves when it is full.
    fn delays(&self) -> Vec<Duration> {
        let back = self.heard.iter().filter_map(|heard| {
            let sent = self.sent.iter().rev().find(|sent| *sent < heard)?;
            Some(*heard - *sent + Duration::from_millis(20))
        });
        back.collect()
    }

    /// Most beeps came back, and soon.
    fn came_back_in_time(&self) {
        let mut delays = self.delays();
        delays.sort();
        assert!(
            delays.len() >= 8,
            "{} beeps of {} came back",
            delays.len(),
            self.sent.len()
        );
        let (median, worst) = (delays[delays.len() / 2], delays[delays.len() - 1]);
        // What the test saw, for whoever reads its output.
        println!("{} beeps came back: median {median:?}, worst {worst:?}", delays.len());
        assert!(median <= LATE, "{delays:?}");
    }
}

fn effective(payload: &[u8]) -> f64 {
    let sum: f64 = payload.iter().map(|byte| f64::from(decode(*byte)).powi(2)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a frame is short")]
    let mean = sum / payload.len().max(1) as f64;
    mean.sqrt()
}

/// µ-law (G.711 §3).
fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + 132;
    let exponent = (0..8)
        .rev()
        .find(|exponent| magnitude & (0x80 << exponent) != 0)
        .unwrap_or(0);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    !u8::try_from(sign | (exponent << 4) | mantissa).unwrap()
}

fn decode(byte: u8) -> i32 {
    let byte = i32::from(!byte);
    let magnitude = (((byte & 0x0F) << 3) + 132) << ((byte >> 4) & 7);
    if byte & 0x80 == 0 {
        magnitude - 132
    } else {
        132 - magnitude
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_what_an_agent_says() {
    let port = process::free_port().unwrap();
    let trunk = format!("127.0.0.1:{port}");
    let sandbox = Sandbox::start_with(&["--trunk", &trunk], &[]).await.unwrap();
    hand_to_agent(&sandbox, "102").await;
    let mut agent = Agent::start(&sandbox, "echo").await;
    let mut beeper = Beeper::open().await;
    let media = beeper.socket.local_addr().unwrap().port().to_string();
    let arguments = ["-s", sandbox.number("ivr").unwrap(), "-key", "media", &media];
    let scenario = sipp::start("uac_media", sandbox.sip(), Some(port), &arguments).unwrap();
    tokio::join!(beeper.run(Duration::from_secs(20)), async {
        agent.says().await;
        agent.says().await;
    });
    beeper.came_back_in_time();
    drop(scenario);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_hears_itself_by_a_voice_app_and_takes_the_fallback_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mut app = connect_with_app(&sandbox, &sandbox.card.devices[1].extension).await;
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(sandbox.number("ivr").unwrap()).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    let said = app.says_until(|said| said["event"] == "start").await.unwrap();
    let from = &said[said.len() - 1]["start"]["customParameters"]["from"];
    assert_eq!(*from, json!(sandbox.card.devices[0].extension), "{said:?}");
    caller.press("5").await.unwrap();
    let said = app.says_until(|said| said["event"] == "dtmf").await.unwrap();
    assert_eq!(said[said.len() - 1]["dtmf"]["digit"], "5");
    // A report of baresip is five seconds of echo.
    caller.event_within("CALL_RTCP", SOON).await.unwrap();
    app.kill().await.unwrap();
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();
    let call = eventually(SOON, "the call's row", || async {
        let calls = log(&sandbox).await?;
        let over = calls.iter().find(|call| call["status"] == "completed");
        over.cloned().context("it is not in the log")
    })
    .await
    .unwrap();
    // They are written after the row.
    let is_told = |kind: &'static str, detail: &'static str| {
        let (sandbox, call) = (&sandbox, &call);
        eventually(SOON, "what happened to the call", move || async move {
            let events = whole(sandbox, call).await?["events"].clone();
            let is_it = |event: &Value| event["kind"] == kind && event["detail"] == detail;
            let events = events.as_array().context("no events")?;
            anyhow::ensure!(events.iter().any(is_it), "{events:?}");
            Ok(())
        })
    };
    is_told("app", "failed: the connection was cut").await.unwrap();
    is_told("node", "fallback → desk").await.unwrap();
    let sound = caller.heard_sound().unwrap();
    let all = sound.part(0, 0.0, sound.seconds());
    let own = tone::share_above(all, sound.rate_hz, CALLER_HZ, -30.0) * sound.seconds();
    assert!(own > 2.0, "the caller heard itself for {own} of {} s", sound.seconds());
    let other = tone::share_above(all, sound.rate_hz, CALLEE_HZ, -30.0) * sound.seconds();
    assert!(other > 1.0, "the caller heard the desk for {other} seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_what_a_voice_app_says() {
    let port = process::free_port().unwrap();
    let trunk = format!("127.0.0.1:{port}");
    let sandbox = Sandbox::start_with(&["--trunk", &trunk], &[]).await.unwrap();
    let mut app = connect_with_app(&sandbox, "102").await;
    let mut beeper = Beeper::open().await;
    let media = beeper.socket.local_addr().unwrap().port().to_string();
    let arguments = ["-s", sandbox.number("ivr").unwrap(), "-key", "media", &media];
    let scenario = sipp::start("uac_media", sandbox.sip(), Some(port), &arguments).unwrap();
    let (_, said) = tokio::join!(
        beeper.run(Duration::from_secs(20)),
        app.says_until(|said| said["event"] == "start")
    );
    said.unwrap();
    beeper.came_back_in_time();
    drop(scenario);
}
