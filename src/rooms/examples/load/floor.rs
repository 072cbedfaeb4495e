//! The plain UDP relay beside which the server is measured: takes a datagram, sends it to everybody else.

use anyhow::{Context as _, Result};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What an Opus packet of 32 kbit/s is on the wire with RTP and SRTP around it.
const DATAGRAM: usize = 115;

/// CPU microseconds per forwarded datagram.
pub(crate) fn measure(speakers: usize, clients: usize, time: Duration) -> Result<f64> {
    let members: Vec<UdpSocket> = (0..clients)
        .map(|_| UdpSocket::bind("127.0.0.1:0"))
        .collect::<std::io::Result<_>>()?;
    let addresses: Vec<SocketAddr> = members
        .iter()
        .map(UdpSocket::local_addr)
        .collect::<std::io::Result<_>>()?;
    let relay = UdpSocket::bind("127.0.0.1:0")?;
    relay.set_read_timeout(Some(Duration::from_millis(100)))?;
    let to = relay.local_addr()?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let thread = std::thread::Builder::new()
        .name("plain relay".into())
        .spawn(move || forward(&relay, &addresses, &asked))?;
    let began = Instant::now();
    while began.elapsed() < time {
        for speaker in members.iter().take(speakers) {
            speaker.send_to(&[7; DATAGRAM], to)?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().ok().context("the relay fell")?
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of some seconds")]
fn forward(relay: &UdpSocket, members: &[SocketAddr], stop: &AtomicBool) -> Result<f64> {
    let mut room = [0; 2048];
    let (mut forwarded, before) = (0_u64, crate::process::thread_ns()?);
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = relay.recv_from(&mut room) else {
            continue;
        };
        let datagram = room.get(..length).unwrap_or_default();
        for member in members.iter().filter(|member| **member != from) {
            relay.send_to(datagram, member)?;
            forwarded += 1;
        }
    }
    let took_ns = crate::process::thread_ns()? - before;
    Ok(took_ns as f64 / 1000.0 / forwarded.max(1) as f64)
}
