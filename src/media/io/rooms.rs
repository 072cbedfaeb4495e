//! The mixing thread: meetings whose members come from any call and any thread, each through an
//! [`AudioPort`]. It wakes every 20 ms while somebody meets and sleeps otherwise.

use crate::leg::Tap;
use crate::mixer::{MemberKey, Mixer};
use crate::port::{AudioFrame, AudioPort, Popped};
use crate::{FRAME_SAMPLES, RoomKey};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use strowger_model::capture::{Codec, Sink};

/// Orders waiting for the mixing thread. When it is full the sender waits: the thread empties it each 20 ms.
const ORDERS: usize = 1_024;
const TICK: Duration = Duration::from_millis(20);
/// After a longer stop the ticks in between are given up.
const MOST_BEHIND: Duration = Duration::from_millis(200);

/// Where the mix of a meeting goes.
pub(super) struct MixedSink {
    pub(super) stream: u8,
    pub(super) began: Instant,
    pub(super) sink: Box<dyn Sink>,
}

enum Order {
    Join { room: RoomKey, port: AudioPort },
    Capture { room: RoomKey, sink: MixedSink },
    CaptureStop { room: RoomKey },
    End,
}

/// The running thread.
#[derive(Debug)]
pub(super) struct Running {
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

impl Running {
    pub(super) fn join(&self, room: RoomKey, port: AudioPort) {
        // The thread ends only with the handle that could ask.
        let _ = self.orders.send(Order::Join { room, port });
    }

    pub(super) fn capture(&self, room: RoomKey, sink: MixedSink) {
        let _ = self.orders.send(Order::Capture { room, sink });
    }

    pub(super) fn capture_stop(&self, room: RoomKey) {
        let _ = self.orders.send(Order::CaptureStop { room });
    }
}

pub(super) fn start() -> std::io::Result<Running> {
    let (orders, receiver) = sync_channel(ORDERS);
    let thread = std::thread::Builder::new()
        .name("media-mix".to_owned())
        .spawn(move || run(&receiver))?;
    Ok(Running {
        orders,
        thread: Some(thread),
    })
}

#[derive(Default)]
struct Room {
    mixer: Mixer,
    members: Vec<(MemberKey, AudioPort)>,
    tap: Option<Tap>,
    /// Frames mixed so far: the clock of the capture.
    ticks: u32,
}

fn run(orders: &Receiver<Order>) {
    let mut rooms: HashMap<RoomKey, Room> = HashMap::new();
    let mut next_member = 0;
    let mut next_tick = Instant::now();
    loop {
        let order = if rooms.is_empty() {
            orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            orders.recv_timeout(next_tick.saturating_duration_since(Instant::now()))
        };
        match order {
            Ok(Order::Join { room, port }) => {
                if rooms.is_empty() {
                    next_tick = Instant::now();
                }
                let key = MemberKey(next_member);
                next_member += 1;
                rooms.entry(room).or_default().join(key, port);
            }
            Ok(Order::Capture { room, sink }) => {
                if let Some(room) = rooms.get_mut(&room) {
                    room.tap = Some(Tap::new(sink.stream, sink.began, sink.sink));
                }
            }
            Ok(Order::CaptureStop { room }) => {
                if let Some(room) = rooms.get_mut(&room) {
                    room.end_capture();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = Instant::now();
        if now.saturating_duration_since(next_tick) > MOST_BEHIND {
            next_tick = now;
        }
        while next_tick <= now {
            next_tick += TICK;
            rooms.retain(|_, room| room.tick(now));
        }
    }
    for room in rooms.values_mut() {
        room.end_capture();
    }
}

impl Room {
    fn join(&mut self, key: MemberKey, port: AudioPort) {
        self.mixer.join(key);
        self.members.push((key, port));
    }

    /// 20 ms of the meeting; `false` when the last member has left.
    fn tick(&mut self, now: Instant) -> bool {
        let mixer = &mut self.mixer;
        self.members.retain(|(key, port)| {
            loop {
                match port.pop() {
                    Popped::Frame(frame) => mixer.put(*key, &frame),
                    Popped::Empty => return true,
                    Popped::Gone => {
                        mixer.leave(*key);
                        return false;
                    }
                }
            }
        });
        let mut members = self.members.iter();
        // Members and mixer are in the same order: both only push and retain.
        let all = self.mixer.tick(|key, frame| {
            if let Some((_, port)) = members.find(|member| member.0 == key) {
                // A member that does not listen misses this; its own thread sees to that.
                let _ = port.push(frame);
            }
        });
        self.capture(&all, now);
        if self.members.is_empty() {
            self.end_capture();
        }
        !self.members.is_empty()
    }

    fn capture(&mut self, frame: &AudioFrame, now: Instant) {
        let Some(tap) = &mut self.tap else { return };
        let mut payload = [0; FRAME_SAMPLES * 2];
        for (bytes, sample) in payload.chunks_exact_mut(2).zip(frame) {
            bytes.copy_from_slice(&sample.to_le_bytes());
        }
        let timestamp = self.ticks.wrapping_mul(FRAME_SAMPLES as u32);
        tap.take(Codec::Linear8, timestamp, self.ticks as u16, &payload, now);
        tap.flush_older(now);
        self.ticks = self.ticks.wrapping_add(1);
    }

    fn end_capture(&mut self) {
        if let Some(mut tap) = self.tap.take() {
            tap.flush();
        }
    }
}
