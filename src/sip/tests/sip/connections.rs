//! Connections between the nodes of a [`crate::sim::Sim`]: in order, without loss, and gone when either process is.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;
use strowger_model::trunk::Transport;
use strowger_sip::endpoint::Input;
use strowger_sip::transaction::FlowId;

/// One end of a connection: the node and what it calls it.
type End = (usize, FlowId);

/// What a connection brings to one of its ends.
#[derive(Debug, Clone)]
pub(crate) enum Brought {
    Opened {
        remote: SocketAddr,
        local: SocketAddr,
        transport: Transport,
    },
    Bytes(Bytes),
    Closed,
}

/// Something on its way to an end.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) to: End,
    connection: u64,
    what: Brought,
}

struct Connection {
    ends: [End; 2],
    /// When the last parcel arrives at each.
    busy: [Instant; 2],
}

/// All connections.
#[derive(Default)]
pub(crate) struct Connections {
    all: BTreeMap<u64, Connection>,
    count: u64,
}

impl Connections {
    /// A connection from a node to a place that another one listens at, with both ends' news of it.
    pub(crate) fn open(
        &mut self,
        from: End,
        to: usize,
        places: [SocketAddr; 2],
        tls: bool,
        now: Instant,
    ) -> [Parcel; 2] {
        self.count += 1;
        let transport = if tls { Transport::Tls } else { Transport::Tcp };
        let [mut near, far] = places;
        near.set_port(40_000 + u16::try_from(self.count).unwrap());
        // Those that are accepted have even names.
        let ends = [from, (to, FlowId(self.count * 2))];
        let (connection, busy) = (self.count, [now; 2]);
        self.all.insert(connection, Connection { ends, busy });
        [(ends[0], far, near), (ends[1], near, far)].map(|(to, remote, local)| Parcel {
            to,
            connection,
            what: Brought::Opened {
                remote,
                local,
                transport,
            },
        })
    }

    /// What tells that nobody takes a connection.
    pub(crate) fn refused(&mut self, from: End) -> Parcel {
        self.count += 1;
        let (connection, what) = (0, Brought::Closed);
        Parcel {
            to: from,
            connection,
            what,
        }
    }

    /// What an end sends to the other one, if they are still connected.
    pub(crate) fn carry(&self, from: End, bytes: Bytes) -> Option<Parcel> {
        let (connection, other) = self.other(from)?;
        let what = Brought::Bytes(bytes);
        Some(Parcel {
            to: other,
            connection,
            what,
        })
    }

    /// An end closes: the other one hears of it after all that is under way.
    pub(crate) fn close(&mut self, from: End) -> Option<Parcel> {
        let (connection, other) = self.other(from)?;
        let what = Brought::Closed;
        Some(Parcel {
            to: other,
            connection,
            what,
        })
    }

    /// The process of a node is gone: what its connections bring to others, and nothing to it any more.
    pub(crate) fn kill(&mut self, node: usize) -> Vec<Parcel> {
        let ends = self.all.values().flat_map(|connection| connection.ends);
        let own: Vec<End> = ends.filter(|(of, _)| *of == node).collect();
        let closed = own.iter().filter_map(|end| self.close(*end)).collect();
        for connection in self.all.values_mut() {
            for end in &mut connection.ends {
                if end.0 == node {
                    *end = (usize::MAX, FlowId(0));
                }
            }
        }
        closed
    }

    /// When a parcel that would arrive then does: none overtakes another.
    pub(crate) fn in_order(&mut self, parcel: &Parcel, at: Instant) -> Instant {
        let Some(connection) = self.all.get_mut(&parcel.connection) else {
            return at;
        };
        let end = usize::from(connection.ends[1] == parcel.to);
        connection.busy[end] = at.max(connection.busy[end]);
        connection.busy[end]
    }

    /// What a parcel that arrives is to its node, if that still has the connection.
    pub(crate) fn arrived(&mut self, parcel: Parcel) -> Option<Input> {
        let flow = parcel.to.1;
        let connection = self.all.get(&parcel.connection);
        if parcel.connection != 0 && !connection?.ends.contains(&parcel.to) {
            return None;
        }
        Some(match parcel.what {
            Brought::Opened {
                remote,
                local,
                transport,
            } => Input::FlowOpened {
                flow,
                remote,
                local,
                transport,
            },
            Brought::Bytes(bytes) => Input::StreamBytes { flow, bytes },
            Brought::Closed => {
                self.all.remove(&parcel.connection);
                let reason = String::new();
                Input::FlowClosed { flow, reason }
            }
        })
    }

    fn other(&self, from: End) -> Option<(u64, End)> {
        let (name, found) = self.all.iter().find(|(_, one)| one.ends.contains(&from))?;
        let other = found.ends[usize::from(found.ends[0] == from)];
        (other.0 != usize::MAX).then_some((*name, other))
    }
}
