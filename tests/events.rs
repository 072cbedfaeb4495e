//! The WebSocket of `/api/voip/events` as a program's client sees it.

use crate::{Sandbox, within};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long the next event may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// An open listener.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
}

impl Events {
    /// Listens with the tenant's token; `query` is what stands after the path.
    ///
    /// # Errors
    /// It is not let in.
    pub async fn listen(sandbox: &Sandbox, query: &str) -> Result<Self> {
        let host = sandbox.card.http.strip_prefix("http://").context("no plain address")?;
        let mut stream = TcpStream::connect(host).await?;
        // RFC 6455 §4.1; the key is that of the RFC's own example.
        let request = format!(
            "GET /api/voip/events{query} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            sandbox.card.api_token
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if !head.starts_with("HTTP/1.1 101") {
            bail!("not let in: {head}");
        }
        Ok(Self { stream })
    }

    /// The next event.
    ///
    /// # Errors
    /// None comes in time.
    pub async fn next(&mut self) -> Result<Value> {
        within(SOON, "an event", self.frame()).await
    }

    async fn frame(&mut self) -> Result<Value> {
        loop {
            // RFC 6455 §5.2: a server masks nothing.
            let kind = self.stream.read_u8().await? & 0x0F;
            let length = match self.stream.read_u8().await? {
                126 => u64::from(self.stream.read_u16().await?),
                127 => self.stream.read_u64().await?,
                length => u64::from(length),
            };
            let mut payload = vec![0; usize::try_from(length)?];
            self.stream.read_exact(&mut payload).await?;
            match kind {
                1 => return Ok(serde_json::from_slice(&payload)?),
                8 => bail!("the listener was closed"),
                _ => {}
            }
        }
    }

    /// The types of the events of one call, up to its last.
    ///
    /// # Errors
    /// One does not come in time, or is another call's.
    pub async fn of_one_call(&mut self) -> Result<Vec<String>> {
        let mut types = Vec::new();
        let mut call = None;
        loop {
            let event = self.next().await?;
            let id = event["payload"]["callId"].clone();
            if *call.get_or_insert_with(|| id.clone()) != id {
                bail!("an event of another call: {event}");
            }
            let word = event["eventType"].as_str().context("an event without type")?.to_owned();
            let is_last = matches!(word.as_str(), "REJECTED" | "ENDED" | "MISSED");
            types.push(word);
            if is_last {
                return Ok(types);
            }
        }
    }
}
