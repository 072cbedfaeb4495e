//! Stands before a partner that cannot do two things at once: answers our OPTIONS and passes on everything else.
//! SIPp in server mode plays one scenario for whatever comes, so a ping would be taken for the call it waits for.

use anyhow::Result;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// Listens on `here` and stands before the partner at `there`, until dropped.
#[derive(Debug)]
pub struct Pings {
    _task: JoinSet<()>,
}

impl Pings {
    /// Starts.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(here: SocketAddr, there: SocketAddr) -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is the outside of the product")]
        let socket = UdpSocket::bind(here).await?;
        let mut task = JoinSet::new();
        task.spawn(stand(socket, there));
        Ok(Self { _task: task })
    }
}

async fn stand(socket: UdpSocket, there: SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let mut far = None;
    while let Ok((length, source)) = socket.recv_from(&mut buffer).await {
        let datagram = &buffer[..length];
        let (answer, to) = if source == there {
            (None, far)
        } else if datagram.starts_with(b"OPTIONS ") {
            (Some(answer(&String::from_utf8_lossy(datagram))), Some(source))
        } else {
            far = Some(source);
            (None, Some(there))
        };
        let Some(to) = to else { continue };
        // What does not arrive is lost, as on any wire.
        let _ = socket
            .send_to(answer.as_ref().map_or(datagram, String::as_bytes), to)
            .await;
    }
}

fn answer(request: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "Call-ID", "CSeq"].contains(&name) {
            let _ = write!(text, "{line}\r\n");
        }
        if name == "To" {
            let _ = write!(text, "{line};tag=ping\r\n");
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}
