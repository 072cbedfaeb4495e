//! A responder for measuring and for odd packets: registers the devices `100` to `199` (password `secret`, realm
//! `test`), answers every call with the caller's own offer, hangs up when told. `answer_all ADDRESS [trunk]`; with
//! `trunk` every INVITE is taken without a password.

use std::net::SocketAddr;
use std::sync::Arc;
use strowger_host::Shutdown;
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::{DeviceId, TenantId, TrunkId, World};
use strowger_sip::{Command, DeviceAuth, Directory, Ha1, SipConfig, SipEvent, TrunkAuth};

struct Everybody {
    is_trunk: bool,
    trunk: TrunkId,
    tenant: TenantId,
    devices: Vec<DeviceAuth>,
}

impl Directory for Everybody {
    fn device(&self, username: &str, realm: &str) -> Option<DeviceAuth> {
        let index = username.parse::<usize>().ok()?.checked_sub(100)?;
        let device = self.devices.get(index).filter(|device| device.tenant == self.tenant);
        (realm == "test").then(|| device.cloned()).flatten()
    }

    fn realm_of(&self, _request_host: &str, _from_host: &str, _username: &str) -> String {
        "test".to_owned()
    }

    fn trunk_of(&self, _source: SocketAddr) -> Option<TrunkId> {
        self.is_trunk.then_some(self.trunk)
    }

    fn trunk_auth(&self, _trunk: TrunkId) -> Option<TrunkAuth> {
        None
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:5060".to_owned())
        .parse()?;
    let world: Arc<dyn World> = Arc::new(strowger_model::world::SeededWorld::new(
        u64::from(std::process::id()),
        0,
    ));
    let tenant = TenantId::generate(&*world);
    let device = |number: usize| {
        let algorithm = DigestAlgorithm::Md5;
        let ha1 = Ha1::of(algorithm, &number.to_string(), "test", "secret");
        let device = DeviceId::generate(&*world);
        DeviceAuth {
            device,
            tenant,
            user: None,
            ha1,
            algorithm,
        }
    };
    let devices = (100..200).map(device).collect();
    let (is_trunk, trunk) = (arguments.next().is_some(), TrunkId::generate(&*world));
    let directory = Arc::new(Everybody {
        is_trunk,
        trunk,
        tenant,
        devices,
    });
    let config = SipConfig {
        udp: vec![address],
        tcp: vec![address],
        ..SipConfig::default()
    };
    let shutdown = Shutdown::new();
    let (sip, mut events) = strowger_sip::io::start(config, directory, world, Vec::new(), &shutdown).await?;
    while let Some(event) = events.recv().await {
        let answer = if let SipEvent::Incoming(call) = event {
            Command::Answer {
                dialog: call.dialog,
                body: call.offer,
            }
        } else if let SipEvent::Reoffer { dialog, body } = event {
            Command::AnswerReoffer { dialog, body }
        } else {
            continue;
        };
        sip.send(answer).await?;
    }
    Ok(())
}
