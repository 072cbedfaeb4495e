//! Messages of calls as they went over the wire, for whoever has to find out why a call failed.

use crate::scope::area;
use crate::sql::args;
use crate::{Actor, Error, Result};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read as _, Write as _};
use strowger_model::{CallId, pcap};
use time::OffsetDateTime;

/// The most that is unpacked of one call, bytes: more than [`Signalling::MOST_BYTES`] by far.
const MOST_UNPACKED: u64 = 16 << 20;

/// Some messages of a call, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignallingChunk {
    /// The call.
    pub call: CallId,
    /// When the last of them passed.
    pub at: OffsetDateTime,
    /// How many they are.
    pub messages: i64,
    /// Whom they name, for whoever asks what is known of somebody.
    pub parties: String,
    /// The packets, deflated.
    packed: Vec<u8>,
}

impl SignallingChunk {
    /// Some messages as packets ([`pcap::add_packet`]). Packing them takes some tenths of a millisecond.
    ///
    /// # Errors
    /// There is no memory to pack them into.
    pub fn pack(call: CallId, at: OffsetDateTime, messages: i64, parties: String, packets: &[u8]) -> Result<Self> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(packets).map_err(Error::Signalling)?;
        let packed = encoder.finish().map_err(Error::Signalling)?;
        Ok(Self {
            call,
            at,
            messages,
            parties,
            packed,
        })
    }
}

area! {
    /// The signalling of the tenant's calls.
    Signalling, signalling
}

impl Signalling {
    /// The most that is kept of one call, in bytes of packets.
    pub const MOST_BYTES: usize = 1 << 20;

    /// Keeps messages of calls, all in one transaction. Tells the calls that have no row yet: of those nothing was kept.
    ///
    /// # Errors
    /// The database did not answer; nothing was kept.
    pub async fn keep(&self, chunks: &[SignallingChunk]) -> Result<Vec<CallId>> {
        let mut early = Vec::new();
        let mut tx = self.scope.write().await?;
        for chunk in chunks {
            let kept = tx
                .run(
                    "insert into call_signalling (tenant_id, call_id, position, at, messages, parties, packets) \
                     select tenant_id, id, (select count(*) from call_signalling where call_id = $2), $3, $4, $5, $6 \
                     from calls where tenant_id = $1 and id = $2",
                    args![
                        self.scope.tenant(),
                        chunk.call,
                        chunk.at,
                        chunk.messages,
                        chunk.parties.as_str(),
                        chunk.packed
                    ],
                )
                .await?;
            if kept == 0 {
                early.push(chunk.call);
            }
        }
        tx.commit().await?;
        Ok(early)
    }

    /// How many messages are kept of a call.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn count(&self, call: CallId) -> Result<i64> {
        let mut tx = self.scope.read().await?;
        let row = tx
            .one(
                "select cast(coalesce(sum(messages), 0) as bigint) as n from call_signalling \
                 where tenant_id = $1 and call_id = $2",
                args![self.scope.tenant(), call],
            )
            .await?;
        row.map_or(Ok(0), |row| row.int("n"))
    }

    /// The messages of a call as a packet capture file, `None` when none are kept; written down that `actor` took it.
    ///
    /// # Errors
    /// The database did not answer, or a row is damaged.
    pub async fn take_out(&self, actor: &Actor, call: CallId) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.file(call).await? else {
            return Ok(None);
        };
        let mut tx = self.scope.write().await?;
        self.scope.note(&mut tx, actor, "call.pcap", &call, "").await?;
        tx.commit().await?;
        Ok(Some(file))
    }

    pub(crate) async fn file(&self, call: CallId) -> Result<Option<Vec<u8>>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select packets from call_signalling where tenant_id = $1 and call_id = $2 order by position",
                args![self.scope.tenant(), call],
            )
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut file = pcap::file_header().to_vec();
        for row in &rows {
            let packets = row.bytes("packets")?;
            DeflateDecoder::new(packets.as_slice())
                .take(MOST_UNPACKED)
                .read_to_end(&mut file)
                .map_err(Error::Signalling)?;
        }
        Ok(Some(file))
    }
}
