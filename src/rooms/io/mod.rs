//! Sockets, clocks and tasks of the rooms: one UDP port read by one task, one task for each room.

mod agents;
mod ended;
mod handle;
mod keeper;
mod lines;
mod phones;
mod ports;
mod relay;
mod roads;
mod streams;
pub mod turn;

pub use agents::{AgentBoard, AgentWorker};
pub use handle::{JoinBrowser, RoomsHandle, Session, SignalSink};
pub use phones::{JoinPhone, PhoneEvent, PhoneSession};

use crate::event::RoomEvent;
use crate::peer::Door;
use crate::room::{Ground, Room};
use crate::{RoomError, RoomName, RoomOptions};
use ended::Ended;
use keeper::{Keeper, Order};
use roads::Roads;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use streams::Streams;
use strowger_model::World;
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::trace;

/// Orders that may wait for one room; whoever gives one more waits until there is space.
const ORDERS: usize = 256;

/// Datagrams that may wait for one room; more are lost, as on any network.
const DATAGRAMS: usize = 2_048;

/// The way to a room's task.
#[derive(Debug, Clone)]
struct Link {
    number: u64,
    orders: mpsc::Sender<Order>,
}

/// What all rooms of this machine share.
struct Shared {
    ground: Arc<Ground>,
    world: Arc<dyn World>,
    tasks: TaskTracker,
    end: CancellationToken,
    events: broadcast::Sender<RoomEvent>,
    rooms: Mutex<HashMap<RoomName, Link>>,
    numbers: AtomicU64,
    ended: Ended,
    roads: Roads,
    streams: Streams,
    udp: UdpSocket,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// The way to a room that runs.
    fn find(&self, name: &RoomName) -> Option<Link> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.get(name).filter(|link| !link.orders.is_closed()).cloned()
    }

    /// The way to a room, which is made if it does not run.
    fn find_or_make(self: &Arc<Self>, name: &RoomName, options: RoomOptions) -> Result<Link, RoomError> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = rooms.get(name).filter(|link| !link.orders.is_closed()) {
            return Ok(link.clone());
        }
        if self.end.is_cancelled() {
            return Err(RoomError::NotRunning);
        }
        if rooms.len() >= self.ground.limits.rooms {
            return Err(RoomError::Full);
        }
        let now = Instant::now();
        let room = Room::new(
            name.clone(),
            options,
            Arc::clone(&self.ground),
            Arc::clone(&self.world),
            now,
        );
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (orders, order_box) = mpsc::channel(ORDERS);
        let (datagrams, datagram_box) = mpsc::channel(DATAGRAMS);
        let keeper = Keeper::new(room, number, Arc::clone(self), datagrams);
        self.tasks.spawn(keeper.run(order_box, datagram_box));
        let link = Link { number, orders };
        rooms.insert(name.clone(), link.clone());
        Ok(link)
    }

    /// A room is over. Another of the same name may run already.
    fn forget(&self, name: &RoomName, number: u64) {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(name).is_some_and(|link| link.number == number) {
            rooms.remove(name);
        }
    }

    /// Sends a datagram. When the kernel takes no more it is lost, as on any network.
    fn send(&self, destination: SocketAddr, bytes: &[u8]) {
        if let Err(error) = self.udp.try_send_to(bytes, destination) {
            trace!("a datagram could not leave: {error}");
        }
    }

    /// Which of our addresses a datagram from there came to, as far as the browser knows.
    fn ours(&self, door: Door, source: SocketAddr) -> SocketAddr {
        let local = &self.ground.local;
        local
            .iter()
            .find(|known| known.door == door && known.address.is_ipv4() == source.is_ipv4())
            .or(local.first())
            .map_or(source, |known| known.address)
    }
}
