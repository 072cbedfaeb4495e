//! A room full of people, all in one process: `cargo run --release -p strowger-rooms --example load -- --url
//! ws://127.0.0.1:8080 --key KEY --secret SECRET [--pid PID] [--clients 50] [--speakers 3] [--seconds 20]
//! [--listeners 5] [--loss 0.05] [--jitter-ms 30] [--seed 1] [--cut-s 20] [--screens 1]`.
//!
//! Every member joins with the protocol of stock clients (one connection, binary signalling) and str0m at its
//! end. Speakers send Opus with a burst of tone each second; some members listen: they decode through a jitter
//! buffer and note when a burst is heard. With a screen the last member shows one and everybody else counts its packets.
//! Impairment befalls the members who do not speak, in both directions,
//! so what a listener hears has met it once. Prints one line of JSON. `bench/rooms` drives it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measuring program"
)]

mod ear;
mod floor;
mod impair;
mod member;
mod mouth;
mod process;
mod screen;
mod signal;

use anyhow::{Context as _, Result, bail};
use member::{Member, Tally};
use mouth::Said;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long everybody may take to come in and hear everybody.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    url: String,
    key: String,
    secret: String,
    room: String,
    pid: Option<u32>,
    clients: usize,
    speakers: usize,
    listeners: usize,
    seconds: u64,
    loss: f64,
    jitter: Duration,
    seed: u64,
    /// Whether a screen is shown.
    screen: bool,
    cut: Option<Duration>,
}

impl Plan {
    fn from_arguments() -> Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let text = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let number = |name: &str, otherwise: f64| -> Result<f64> {
            text(name).map_or(Ok(otherwise), |text| {
                text.parse().with_context(|| format!("{name} {text}"))
            })
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let count = |name: &str, otherwise: f64| number(name, otherwise).map(|number| number as u64);
        Ok(Self {
            url: text("--url").context("--url is needed")?,
            key: text("--key").context("--key is needed")?,
            secret: text("--secret").context("--secret is needed")?,
            room: text("--room").unwrap_or_else(|| "load".to_owned()),
            pid: text("--pid").map(|pid| pid.parse()).transpose()?,
            clients: usize::try_from(count("--clients", 50.0)?)?,
            speakers: usize::try_from(count("--speakers", 3.0)?)?,
            listeners: usize::try_from(count("--listeners", 5.0)?)?,
            seconds: count("--seconds", 20.0)?,
            loss: number("--loss", 0.0)?,
            jitter: Duration::from_secs_f64(number("--jitter-ms", 0.0)? / 1000.0),
            seed: count("--seed", 1.0)?,
            screen: count("--screens", 0.0)? > 0,
            cut: text("--cut-s")
                .map(|_| number("--cut-s", 0.0).map(Duration::from_secs_f64))
                .transpose()?,
        })
    }
}

fn main() -> Result<()> {
    str0m::crypto::from_feature_flags().install_process_default();
    let plan = Plan::from_arguments()?;
    // One thread: the other core is the server's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(plan))
}

async fn measure(plan: Plan) -> Result<()> {
    let (tally, said, end) = (
        Arc::new(Tally::default()),
        Arc::new(Said::default()),
        CancellationToken::new(),
    );
    let mut members = JoinSet::new();
    for number in 0..plan.clients {
        let (plan, tally, said, end) = (plan.clone(), Arc::clone(&tally), Arc::clone(&said), end.clone());
        let spread = Duration::from_millis(number as u64 * 20);
        members.spawn(async move {
            tokio::time::sleep(spread).await;
            let member = Member::join(&plan, number, tally, said).await;
            member.with_context(|| format!("member {number}"))?.stay(end).await
        });
    }
    let streams = plan.clients.saturating_mul(plan.speakers).saturating_sub(plan.speakers);
    until_heard(&tally, streams, &mut members).await?;
    if let Some(cut) = plan.cut {
        cut_off(&tally, plan.speakers * (plan.clients - plan.speakers), cut).await;
    }
    // What is heard while connections still settle is not counted.
    tokio::time::sleep(Duration::from_secs(3)).await;
    tally.measuring.store(true, Ordering::Relaxed);
    let (cpu_before, packets_before) = (plan.pid.map(process::cpu), tally.packets.load(Ordering::Relaxed));
    let (began, own_before) = (Instant::now(), process::cpu(std::process::id()));
    tokio::time::sleep(Duration::from_secs(plan.seconds)).await;
    let took = began.elapsed().as_secs_f64();
    let packets = tally.packets.load(Ordering::Relaxed) - packets_before;
    let server_s = plan
        .pid
        .map(process::cpu)
        .zip(cpu_before)
        .map(|(after, before)| after - before);
    let own_s = process::cpu(std::process::id()) - own_before;
    let rss_kib = plan.pid.map(process::resident_kib);
    end.cancel();
    while let Some(ended) = members.join_next().await {
        ended??;
    }
    let floor_us = floor::measure(plan.speakers, plan.clients, Duration::from_secs(5))?;
    report(
        &plan,
        &tally,
        &Window {
            took,
            packets,
            streams,
            server_s,
            own_s,
            rss_kib,
            floor_us,
        },
    );
    Ok(())
}

async fn until_heard(tally: &Tally, streams: usize, members: &mut JoinSet<Result<()>>) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(100));
    while tally.streams.load(Ordering::Relaxed) < streams as u64 {
        tokio::select! {
            _ = look.tick() => {}
            Some(ended) = members.join_next() => {
                ended??;
                bail!("a member left early");
            }
            () = tokio::time::sleep_until(deadline) => {
                bail!("only {} of {streams} streams arrive", tally.streams.load(Ordering::Relaxed));
            }
        }
    }
    Ok(())
}

/// Cuts everybody off who does not speak, and waits until each of them hears again.
async fn cut_off(tally: &Tally, streams: usize, cut: Duration) {
    tally.cut.store(true, Ordering::Relaxed);
    tokio::time::sleep(cut).await;
    tally.heard_again.store(0, Ordering::Relaxed);
    tally.cut.store(false, Ordering::Relaxed);
    let back = Instant::now();
    *tally.back_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(back);
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while tally.heard_again.load(Ordering::Relaxed) < streams as u64 && back.elapsed() < PATIENCE {
        look.tick().await;
    }
}

struct Window {
    took: f64,
    packets: u64,
    streams: usize,
    server_s: Option<f64>,
    own_s: f64,
    rss_kib: Option<u64>,
    floor_us: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
fn report(plan: &Plan, tally: &Tally, window: &Window) {
    let cores = window.server_s.map(|server_s| server_s / window.took);
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    // A screen costs as well: its streams and packets share what the server spent.
    let screens = tally.watchers.load(Ordering::Relaxed);
    let all_streams = window.streams as f64 + screens as f64;
    let all_packets = (window.packets + tally.screen_packets.load(Ordering::Relaxed)) as f64;
    let figures = serde_json::json!({
        "clients": plan.clients,
        "speakers": plan.speakers,
        "streams": window.streams,
        "seconds": rounded(window.took),
        "loss": plan.loss,
        "jitter_ms": plan.jitter.as_millis() as u64,
        "packets_per_s": rounded(window.packets as f64 / window.took),
        "expected_per_s": window.streams * 50,
        "server_cpu_percent": cores.map(|cores| rounded(cores * 100.0)),
        "server_percent_per_stream": cores.map(|cores| rounded(cores * 100.0 / all_streams)),
        "server_us_per_packet": window.server_s.map(|s| rounded(s * 1e6 / all_packets)),
        "plain_relay_us_per_packet": rounded(window.floor_us),
        "server_rss_kib": window.rss_kib,
        "own_cpu_percent": rounded(window.own_s / window.took * 100.0),
        "join_ms": ear::quantiles(&tally.joined),
        "first_sound_ms": ear::quantiles(&tally.first_sound),
        "forwarding_ms": ear::quantiles(&tally.forwarding),
        "mouth_to_ear_ms": ear::quantiles(&tally.heard),
        "concealed_frames": tally.concealed.load(Ordering::Relaxed),
        "played_frames": tally.played.load(Ordering::Relaxed),
        "screen_packets": tally.screen_packets.load(Ordering::Relaxed),
        "screen_lost": tally.screen_lost.load(Ordering::Relaxed),
        "screen_watchers": tally.watchers.load(Ordering::Relaxed),
        "cut_s": plan.cut.map(|cut| cut.as_secs_f64()),
        "heard_again_ms": ear::quantiles(&tally.again),
        "heard_again_streams": tally.heard_again.load(Ordering::Relaxed),
    });
    println!("{figures}");
    if window.own_s / window.took > 0.9 {
        eprintln!("the load client itself was short of CPU: its latencies are not the server's");
    }
}
