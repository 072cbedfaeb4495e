//! Rooms in virtual time, with the same WebRTC library as the clients.

mod heard;
mod life;
mod recorded;

use super::*;
use crate::Generation;
use crate::claims::Grants;
use crate::error::JoinRefused;
use crate::peer::testing::Client;
use prost::Message;
use strowger_model::TenantId;
use strowger_model::world::SeededWorld;
use wire::DisconnectReason as Reason;
use wire::data_packet::Value;
use wire::signal_request::Message as Request;

const OURS: &str = "192.0.2.100:7882";
const STEP: Duration = Duration::from_millis(5);

/// Somebody in the meeting.
struct Guest {
    client: Client,
    session: SessionKey,
    sid: String,
    peer: PeerKey,
    said: Vec<Response>,
    is_closed: bool,
    offers: u32,
}

struct Meeting {
    room: Room,
    guests: Vec<Guest>,
    events: Vec<RoomEventKind>,
    phones: Vec<PhoneEvent>,
    now: Instant,
}

fn grants(identity: &str) -> Grants {
    Grants {
        identity: identity.to_owned(),
        room_join: Some("standup".to_owned()),
        ..Grants::default()
    }
}

fn arrival(grants: Grants, request: wire::JoinRequest) -> Arrival {
    Arrival {
        grants,
        generation: Generation::One,
        request,
        resume: None,
    }
}

fn microphone(cid: &str) -> wire::AddTrackRequest {
    wire::AddTrackRequest {
        cid: cid.to_owned(),
        source: wire::TrackSource::Microphone as i32,
        ..Default::default()
    }
}

impl Meeting {
    fn new(options: RoomOptions) -> Self {
        let world: Arc<dyn World> = Arc::new(SeededWorld::new(7, 1_700_000_000_000));
        let now = Instant::now();
        let ground = Ground {
            limits: Limits::default(),
            local: vec![LocalAddress {
                door: Door::Udp,
                address: OURS.parse().unwrap(),
            }],
            identity: Identity::generate(),
            turn: None,
        };
        let name = RoomName::new(TenantId::generate(world.as_ref()), "standup");
        Self {
            room: Room::new(name, options, Arc::new(ground), world, now),
            guests: Vec::new(),
            events: Vec::new(),
            phones: Vec::new(),
            now,
        }
    }

    /// Somebody comes with a microphone and space to hear three others.
    fn join(&mut self, identity: &str) -> usize {
        self.join_with(grants(identity))
    }

    fn join_with(&mut self, grants: Grants) -> usize {
        let address = SocketAddr::from(([192, 0, 2, 1], 5000 + u16::try_from(self.guests.len()).unwrap()));
        let mut client = Client::new(address, self.now);
        let sdp = client.offer(Some("mic"), 3);
        let request = wire::JoinRequest {
            connection_settings: Some(wire::ConnectionSettings {
                auto_subscribe: true,
                ..Default::default()
            }),
            add_track_requests: vec![microphone("mic")],
            publisher_offer: Some(wire::SessionDescription {
                sdp,
                id: 1,
                ..Default::default()
            }),
            ..Default::default()
        };
        let joined = self.room.join(arrival(grants, request), self.now).unwrap();
        let member = self.room.sessions[&joined.session];
        self.guests.push(Guest {
            client,
            session: joined.session,
            sid: joined.sid,
            peer: PeerKey {
                member,
                is_subscriber: false,
            },
            said: Vec::new(),
            is_closed: false,
            offers: 1,
        });
        self.perform();
        self.guests.len() - 1
    }

    fn perform(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                RoomOutput::Transmit(transmit) => {
                    let found = self
                        .guests
                        .iter_mut()
                        .find(|guest| guest.client.address == transmit.destination);
                    if let Some(guest) = found {
                        guest.client.receive(OURS.parse().unwrap(), &transmit.bytes, self.now);
                    }
                }
                RoomOutput::Signal(session, response) => {
                    let found = self.guests.iter_mut().find(|guest| guest.session == session);
                    let (Some(guest), Some(message)) = (found, response.message) else {
                        continue;
                    };
                    if let Response::Answer(answer) = &message {
                        guest.client.answered(&answer.sdp);
                    }
                    guest.said.push(message);
                }
                RoomOutput::Close(session) => {
                    if let Some(guest) = self.guests.iter_mut().find(|guest| guest.session == session) {
                        guest.is_closed = true;
                    }
                }
                RoomOutput::Event(event) => self.events.push(event.kind),
                RoomOutput::Phone(_, event) => self.phones.push(event),
                RoomOutput::Reachable(..)
                | RoomOutput::Unreachable(_)
                | RoomOutput::KeyFrameWanted(..)
                | RoomOutput::Answer(..) => {}
            }
        }
    }

    /// Lets time pass; `each` is called every 20 ms.
    fn run(&mut self, span: Duration, mut each: impl FnMut(&mut Self)) {
        let (end, mut tick) = (self.now + span, self.now);
        while self.now < end {
            self.now += STEP;
            if self.now >= tick {
                tick += STEP * 4;
                each(self);
            }
            for index in 0..self.guests.len() {
                let guest = &mut self.guests[index];
                let (peer, source) = (guest.peer, guest.client.address);
                for (destination, bytes) in guest.client.step(self.now) {
                    self.room
                        .receive(peer, Door::Udp, (source, destination), &bytes, self.now);
                }
                self.perform();
            }
            if self.room.poll_timeout().is_some_and(|due| due <= self.now) {
                self.room.handle_timeout(self.now);
            }
            self.perform();
            self.follow_requirements();
        }
    }

    /// Clients add sections when they are asked to.
    fn follow_requirements(&mut self) {
        for index in 0..self.guests.len() {
            let guest = &mut self.guests[index];
            let asked = guest
                .said
                .iter()
                .rposition(|said| matches!(said, Response::MediaSectionsRequirement(_)));
            let Some(asked) = asked else { continue };
            let Response::MediaSectionsRequirement(asked) = guest.said.remove(asked) else {
                continue;
            };
            guest.offers += 1;
            let sdp = guest.client.offer(None, usize::try_from(asked.num_audios).unwrap());
            let offer = wire::SessionDescription {
                sdp,
                id: guest.offers,
                ..Default::default()
            };
            self.ask(index, Request::Offer(offer));
        }
    }

    fn ask(&mut self, guest: usize, request: Request) {
        let session = self.guests[guest].session;
        let request = wire::SignalRequest { message: Some(request) };
        self.room.signal(session, request, self.now);
        self.perform();
    }

    fn wait(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis), |_| {});
    }

    fn speak(&mut self, guest: usize, millis: u64, word: &'static [u8]) {
        self.run(Duration::from_millis(millis), |meeting| {
            let now = meeting.now;
            meeting.guests[guest].client.say(word, 20, now);
        });
    }

    fn heard(&self, guest: usize, word: &[u8]) -> usize {
        let heard = &self.guests[guest].client.heard;
        heard.iter().filter(|packet| packet.payload == word).count()
    }

    fn leaves(&self, guest: usize) -> Vec<Reason> {
        let said = self.guests[guest].said.iter();
        said.filter_map(|said| {
            if let Response::Leave(leave) = said {
                Some(leave.reason())
            } else {
                None
            }
        })
        .collect()
    }

    fn microphone_of(&self, guest: usize) -> String {
        let sid = &self.guests[guest].sid;
        let info = self
            .room
            .participants()
            .into_iter()
            .find(|info| info.sid == *sid)
            .unwrap();
        info.tracks[0].sid.clone()
    }
}
