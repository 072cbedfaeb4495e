//! What a relayed packet costs: `cargo run --release --example relay_floor -- [CALLS] [SECONDS] [THREADS] [record]`
//! bridges calls over loopback, sends 50 packets a second into each leg from a thread that is not
//! counted, and prints the CPU time of the media threads per packet as one line of JSON.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use strowger_media::{Codec, Direction, MediaConfig, MediaHandle, MediaLegId, Negotiated};
use strowger_model::capture::{Chunk, Refusal, Sink};
use strowger_model::world::SeededWorld;
use strowger_model::{CallId, World};

const PACKET_BYTES: usize = 172;
const SLOTS: usize = 20;

/// Takes chunks and forgets them: the media side of recording alone.
struct Nowhere;

impl Sink for Nowhere {
    fn submit(&mut self, mut chunk: Chunk) -> Result<Chunk, (Chunk, Refusal)> {
        chunk.clear();
        Ok(chunk)
    }
}

struct Leg {
    id: MediaLegId,
    phone: UdpSocket,
    to: SocketAddr,
}

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measuring program")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, otherwise: usize| {
        arguments
            .get(index)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (calls, seconds, threads) = (number(0, 100), number(1, 6), number(2, 0));
    let record = arguments.get(3).is_some_and(|word| word == "record");

    let world = SeededWorld::new(1, 0);
    let config = MediaConfig {
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports: 40_000..=49_999,
        threads,
        ..MediaConfig::default()
    };
    let (media, mut events) = MediaHandle::start(config, &world)?;
    let before_kib = resident_kib();
    let mut legs = Vec::new();
    for _ in 0..calls {
        let call = CallId::generate(&world);
        let (a, b) = (open(&media, call)?, open(&media, call)?);
        media.bridge(a.id, b.id);
        if record {
            let began = Instant::now();
            media.capture(a.id, 0, began, Box::new(Nowhere));
            media.capture(b.id, 1, began, Box::new(Nowhere));
        }
        legs.extend([a, b]);
    }

    let stop = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let received = Arc::new(AtomicU64::new(0));
    let generator = {
        let (stop, sent, received) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&received));
        std::thread::Builder::new()
            .name("generator".to_owned())
            .spawn(move || generate(&legs, &stop, &sent, &received))?
    };
    std::thread::sleep(Duration::from_secs(1));
    let (cpu, began, packets) = (media_cpu_ns(), Instant::now(), received.load(Ordering::Relaxed));
    let resident = resident_kib();
    std::thread::sleep(Duration::from_secs(seconds as u64));
    let (cpu, packets) = (media_cpu_ns() - cpu, received.load(Ordering::Relaxed) - packets);
    let took = began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let _ = generator.join();
    while events.try_recv().is_ok() {}

    let us_per_packet = cpu as f64 / 1e3 / packets.max(1) as f64;
    println!(
        "{{\"calls\":{calls},\"record\":{record},\"seconds\":{took:.1},\"sent\":{},\"relayed\":{},\"us_per_packet\":{us_per_packet:.3},\"cpu_s_per_call_minute\":{:.5},\"rss_kib_per_call\":{}}}",
        sent.load(Ordering::Relaxed),
        received.load(Ordering::Relaxed),
        us_per_packet * 6_000.0 / 1e6,
        resident.saturating_sub(before_kib) / calls.max(1) as u64,
    );
    Ok(())
}

fn open(media: &MediaHandle, call: CallId) -> Result<Leg, Box<dyn std::error::Error>> {
    let open = media.open(call)?;
    #[expect(clippy::disallowed_methods, reason = "a measuring program")]
    let phone = UdpSocket::bind("127.0.0.1:0")?;
    phone.set_nonblocking(true)?;
    let remote = phone.local_addr()?;
    media.connect(
        open.leg,
        Negotiated {
            remote,
            remote_rtcp: SocketAddr::new(remote.ip(), remote.port().wrapping_add(1)),
            codec: Codec::Pcmu,
            payload_type: 0,
            dtmf_payload_type: Some(101),
            dtmf_receive_type: Some(101),
            dtmf_clock_khz: 8,
            opus: None,
            ptime_ms: 20,
            direction: Direction::BOTH,
        },
    );
    Ok(Leg {
        id: open.leg,
        phone,
        to: open.local,
    })
}

/// Sends each leg's packet once in 20 ms, a twentieth of the legs each millisecond, and takes what comes back.
#[expect(clippy::disallowed_methods, reason = "a measuring program")]
fn generate(legs: &[Leg], stop: &AtomicBool, sent: &AtomicU64, received: &AtomicU64) {
    let world = SeededWorld::new(2, 0);
    let mut packet = [0xFF; PACKET_BYTES];
    world.fill(&mut packet[8..12]);
    let mut buffer = [0; 2_048];
    let began = Instant::now();
    for slot in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = began + Duration::from_millis(slot + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let round = slot / SLOTS as u64;
        packet[0] = 0x80;
        packet[1] = 0;
        packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(round as u32).wrapping_mul(160).to_be_bytes());
        for leg in legs.iter().skip(slot as usize % SLOTS).step_by(SLOTS) {
            if leg.phone.send_to(&packet, leg.to).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            while leg.phone.recv(&mut buffer).is_ok() {
                received.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The time the media threads were on a processor, from the scheduler.
fn media_cpu_ns() -> u64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    tasks
        .flatten()
        .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("media-")))
        .filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
