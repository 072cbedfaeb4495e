//! Voice apps of flows: how far they may be, read and checked.

use super::read::Reader;
use super::turn::range;
use std::net::IpAddr;

/// Voice apps of flows.
#[derive(Debug, Clone)]
pub struct VoiceApps {
    /// Ranges, as address and prefix, in which they may be besides public addresses.
    pub networks: Vec<(IpAddr, u8)>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> VoiceApps {
    let mut networks = Vec::new();
    for text in reader.texts("voice_apps.networks", "[\"127.0.0.1/32\"]") {
        match range(&text) {
            Some(range) => networks.push(range),
            None => reader.fault(
                "voice_apps.networks",
                format!("`{text}` is no range such as 10.1.0.0/16, nor an address such as 127.0.0.1/32"),
            ),
        }
    }
    VoiceApps { networks }
}
