//! A phone or provider on the other side: our own SIP and media, used the other way round.

use crate::exchange::{PASSWORD, any, media};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_media::sdp::{Preference, Session};
use strowger_media::{Codec, Direction, MediaEvent, MediaHandle, OpenLeg, PlayId, tone};
use strowger_model::trunk::Transport;
use strowger_model::{CallId, TrunkId, World};
use strowger_sip::{
    Command, DeviceAuth, DialogKey, Directory, Invite, RegisterTrunk, SipConfig, SipEvent, SipHandle, Target,
    TrunkAuth, TrunkState,
};
use strowger_store::SystemWorld;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

struct Account {
    username: String,
    trunk: TrunkId,
}

impl Directory for Account {
    fn device(&self, _: &str, _: &str) -> Option<DeviceAuth> {
        None
    }

    fn realm_of(&self, _: &str, _: &str, _: &str) -> String {
        String::new()
    }

    fn trunk_of(&self, _: SocketAddr) -> Option<TrunkId> {
        Some(self.trunk)
    }

    fn trunk_auth(&self, _: TrunkId) -> Option<TrunkAuth> {
        Some(TrunkAuth {
            username: self.username.clone(),
            password: Zeroizing::new(PASSWORD.to_owned()),
        })
    }
}

pub(crate) struct Partner {
    pub(crate) name: String,
    pub(crate) sip: SipHandle,
    events: mpsc::Receiver<SipEvent>,
    pub(crate) media: MediaHandle,
    pub(crate) heard: mpsc::Receiver<MediaEvent>,
    trunk: TrunkId,
    shutdown: Shutdown,
}

/// A conversation of a partner.
pub(crate) struct Talk {
    pub(crate) dialog: DialogKey,
    pub(crate) open: OpenLeg,
    pub(crate) session: Session,
}

impl Partner {
    pub(crate) async fn new(name: &str) -> Self {
        let world: Arc<dyn World> = Arc::new(SystemWorld);
        let trunk = TrunkId::generate(world.as_ref());
        let username = name.to_owned();
        let directory = Arc::new(Account { username, trunk });
        let config = SipConfig {
            udp: vec![any()],
            ..SipConfig::default()
        };
        let shutdown = Shutdown::new();
        let (media, heard) = MediaHandle::start(media(), world.as_ref()).unwrap();
        let (sip, events) = strowger_sip::io::start(config, directory, world, Vec::new(), &shutdown)
            .await
            .unwrap();
        Self {
            name: name.to_owned(),
            sip,
            events,
            media,
            heard,
            trunk,
            shutdown,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.sip.udp_addrs()[0]
    }

    pub(crate) async fn next(&mut self) -> SipEvent {
        let event = tokio::time::timeout(Duration::from_secs(15), self.events.recv()).await;
        event.unwrap_or_else(|_| panic!("{} heard nothing", self.name)).unwrap()
    }

    /// The next event that fits; what comes before is left out.
    pub(crate) async fn wait<T>(&mut self, mut fits: impl FnMut(SipEvent) -> Option<T>) -> T {
        loop {
            let event = self.next().await;
            if let Some(found) = fits(event) {
                return found;
            }
        }
    }

    pub(crate) async fn registers(&mut self, at: SocketAddr) {
        let register = RegisterTrunk {
            trunk: self.trunk,
            addr: at,
            host: crate::exchange::REALM.to_owned(),
            port: 5060,
            transport: Transport::Udp,
            expires: Duration::from_secs(300),
        };
        self.sip.send(Command::RegisterTrunk(Box::new(register))).await.unwrap();
        self.wait(|event| match event {
            SipEvent::TrunkState {
                state: TrunkState::Registered { .. },
                ..
            } => Some(()),
            SipEvent::TrunkState {
                state: TrunkState::Failed { status, .. },
                ..
            } => panic!("{status}"),
            _ => None,
        })
        .await;
    }

    fn open(&self) -> (OpenLeg, Session) {
        let open = self.media.open(CallId::generate(&SystemWorld)).unwrap();
        (open, Session::new(open.local, 77))
    }

    /// Invites somebody at the switch.
    pub(crate) async fn invites(&mut self, at: SocketAddr, user: &str) -> Talk {
        let (open, mut session) = self.open();
        let dialog = self.sip.new_dialog();
        let invite = Invite {
            dialog,
            sip_call_id: format!("{}-{dialog}", self.name),
            target: Target::Address {
                addr: at,
                transport: Transport::Udp,
                user: user.to_owned(),
            },
            from_user: self.name.clone(),
            from_display: None,
            from_host: None,
            to_user: user.to_owned(),
            offer: session.offer(Codec::Pcmu),
            auth: Some(self.trunk),
            headers: Vec::new(),
            patience: None,
        };
        self.sip.send(Command::Invite(Box::new(invite))).await.unwrap();
        Talk { dialog, open, session }
    }

    /// The call is answered; we speak a tone from here on.
    pub(crate) async fn is_answered(&mut self, talk: &mut Talk) {
        let body = self
            .wait(|event| match event {
                SipEvent::Answered { body, .. } => Some(body),
                SipEvent::Failed { status, .. } => panic!("refused with {status}"),
                _ => None,
            })
            .await;
        let agreed = talk.session.accept_answer(&body).unwrap();
        self.media.connect(talk.open.leg, agreed);
        self.speaks(talk);
    }

    pub(crate) fn speaks(&self, talk: &Talk) {
        let samples = tone::hold_music();
        self.media.play(talk.open.leg, PlayId(1), samples, true);
    }

    /// Somebody calls: it rings here.
    pub(crate) async fn is_called(&mut self) -> (DialogKey, Bytes) {
        let (dialog, offer) = self
            .wait(|event| match event {
                SipEvent::Incoming(incoming) => Some((incoming.dialog, incoming.offer)),
                _ => None,
            })
            .await;
        let body = Bytes::new();
        let ring = Command::Ring {
            dialog,
            status: 180,
            body,
        };
        self.sip.send(ring).await.unwrap();
        (dialog, offer)
    }

    pub(crate) async fn answers(&mut self, dialog: DialogKey, offer: &Bytes) -> Talk {
        let (open, mut session) = self.open();
        let (body, agreed) = session.answer(offer, Preference::TheirOrder).unwrap();
        self.media.connect(open.leg, agreed);
        self.sip.send(Command::Answer { dialog, body }).await.unwrap();
        let talk = Talk { dialog, open, session };
        self.speaks(&talk);
        talk
    }

    /// Offers another direction, and connects as agreed.
    pub(crate) async fn reoffers(&mut self, talk: &mut Talk, way: Direction) {
        talk.session.want(way);
        let (dialog, body) = (talk.dialog, talk.session.offer(Codec::Pcmu));
        self.sip.send(Command::Reoffer { dialog, body }).await.unwrap();
        let body = self
            .wait(|event| match event {
                SipEvent::ReofferAnswered { body, .. } => Some(body),
                SipEvent::ReofferFailed { status, .. } => panic!("refused with {status}"),
                _ => None,
            })
            .await;
        let agreed = talk.session.accept_answer(&body).unwrap();
        self.media.connect(talk.open.leg, agreed);
    }

    /// Waits until audio of the other side arrives.
    pub(crate) async fn hears(&mut self) {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(15), self.heard.recv()).await;
            if let MediaEvent::Heard { .. } = event.unwrap().unwrap() {
                return;
            }
        }
    }

    pub(crate) async fn hangs_up(&mut self, talk: &Talk) {
        let bye = Command::Bye {
            dialog: talk.dialog,
            reason: None,
        };
        self.sip.send(bye).await.unwrap();
        self.is_over().await;
    }

    pub(crate) async fn is_over(&mut self) {
        self.wait(|event| matches!(event, SipEvent::Ended { .. }).then_some(()))
            .await;
    }

    pub(crate) async fn close(self) {
        self.shutdown.force();
        self.shutdown.tasks().close();
        self.shutdown.tasks().wait().await;
    }
}
