//! The one line of JSON: everything a stranger's script needs.

use super::stage::Staged;
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use strowger_host::Config;

#[derive(Debug, Serialize)]
pub(crate) struct Card {
    http: String,
    sip: String,
    pids: Pids,
    data_dir: PathBuf,
    admin: Account,
    api_token: String,
    tenant: String,
    devices: Vec<Phone>,
    numbers: BTreeMap<&'static str, String>,
    rooms: Rooms,
}

/// How programs reach rooms: what LiveKit's SDKs take.
#[derive(Debug, Serialize)]
struct Rooms {
    url: String,
    api_key: String,
    api_secret: String,
}

#[derive(Debug, Serialize)]
struct Pids {
    daemon: u32,
    worker: u32,
}

/// Who signs in.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Account {
    /// E-mail address.
    pub(crate) email: String,
    /// Password.
    pub(crate) password: String,
}

/// A phone that may register.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Phone {
    /// SIP user name.
    pub(crate) user: String,
    /// SIP password.
    pub(crate) password: String,
    /// What to dial to ring it.
    pub(crate) extension: String,
}

impl Card {
    /// Writes the card of a running instance.
    pub(crate) fn of(staged: &Staged, config: &Config, daemon: u32, worker: u32) -> Result<Self> {
        let http = config.http.listen.first().context("no HTTP listener")?;
        let sip = config.sip.udp.first().context("no SIP listener")?;
        Ok(Self {
            http: format!("http://{http}"),
            sip: sip.to_string(),
            pids: Pids { daemon, worker },
            data_dir: config.data_dir.clone(),
            admin: staged.admin.clone(),
            api_token: staged.api_token.clone(),
            tenant: staged.tenant.to_string(),
            devices: staged.phones.clone(),
            numbers: staged.numbers.clone(),
            rooms: Rooms {
                url: format!("ws://{http}"),
                api_key: staged.room_key.0.clone(),
                api_secret: staged.room_key.1.clone(),
            },
        })
    }
}
