//! A caller and a voice app with real sockets: what is said goes round, keys and marks arrive, and the flow goes on
//! as the app leaves it.

use crate::exchange::House;
use crate::partner::{Partner, Talk};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use strowger_media::port::Popped;
use strowger_media::{AudioFrame, AudioPort, FRAME_SAMPLES};
use strowger_model::HangupCause;
use strowger_model::record::CallEvent;
use strowger_model::trunk::NumberTarget;
use strowger_store::{Actor, NewFlow, NewNumber};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

const NUMBER: &str = "+4914";
/// A frame counts as loud above this amplitude.
const LOUD: i32 = 1_000;
/// More than any machine that does much besides takes.
const LATEST: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(15);

/// How an app behaves towards whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Says what it hears, and does what keys tell it.
    Echoes,
    /// Takes the connection and says nothing.
    Silent,
    /// Answers 403.
    Refuses,
}

/// A voice app; tells what it is told, audio left out.
struct App {
    address: SocketAddr,
    told: mpsc::Receiver<Value>,
    _tasks: JoinSet<()>,
}

impl App {
    #[expect(clippy::disallowed_methods, reason = "this is the outside of the product")]
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel(1_000);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut kept = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match manner {
                    Manner::Silent => kept.push(stream),
                    Manner::Echoes | Manner::Refuses => serve(stream, manner, &tell).await,
                }
            }
        });
        Self {
            address,
            told,
            _tasks: tasks,
        }
    }

    /// The next message of this kind.
    async fn hears(&mut self, event: &str) -> Value {
        loop {
            let told = tokio::time::timeout(SOON, self.told.recv()).await;
            let told = told.unwrap_or_else(|_| panic!("the app was told no {event}")).unwrap();
            if told["event"] == event {
                return told;
            }
        }
    }
}

#[expect(clippy::result_large_err, reason = "the library's own type")]
async fn serve(stream: TcpStream, manner: Manner, tell: &mpsc::Sender<Value>) {
    let mut signature = Value::Null;
    let look = |request: &Request, response: Response| {
        signature = json!(
            request
                .headers()
                .get("X-Twilio-Signature")
                .map(|value| value.to_str().unwrap().to_owned())
        );
        if manner == Manner::Refuses {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::FORBIDDEN;
            return Err(refusal);
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else {
        return;
    };
    tell.send(json!({"event": "opened", "signature": signature}))
        .await
        .unwrap();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let mut message: Value = serde_json::from_str(&text).unwrap();
        if message["event"] == "media" {
            let inner = message["media"].as_object_mut().unwrap();
            inner.retain(|name, _| name == "payload");
            let _ = socket.send(Message::text(message.to_string())).await;
            continue;
        }
        let digit = message["dtmf"]["digit"].as_str().map(str::to_owned);
        let stream = message["streamSid"].clone();
        tell.send(message).await.unwrap();
        if let Some(digit) = digit
            && !obeys(&mut socket, &digit, &stream).await
        {
            return;
        }
    }
}

/// What keys mean to the app. Whether it goes on.
async fn obeys(socket: &mut WebSocketStream<TcpStream>, digit: &str, stream: &Value) -> bool {
    match digit {
        "1" => {
            // Half a minute of the loudest there is, at once.
            let payload = "AIAAgACAAIAA".repeat(8 * 30 * 1_000 / 9);
            let media = json!({"event": "media", "streamSid": stream, "media": {"payload": payload}});
            let mark = json!({"event": "mark", "streamSid": stream, "mark": {"name": "long"}});
            socket.send(Message::text(media.to_string())).await.unwrap();
            socket.send(Message::text(mark.to_string())).await.unwrap();
        }
        "2" => {
            let clear = json!({"event": "clear", "streamSid": stream});
            socket.send(Message::text(clear.to_string())).await.unwrap();
        }
        "3" => {
            socket.close(None).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        }
        "4" => return false,
        "5" => socket.send(Message::text("that is no JSON")).await.unwrap(),
        _ => {}
    }
    true
}

/// Puts a flow with a voice app behind a number; `data` beside its address. The switch begins anew, so that it
/// knows of it.
async fn leads_to(house: House, app: &App, data: &Value) -> House {
    let mut own = json!({"url": format!("ws://{}/clerk", app.address), "timeout": 3});
    for (name, value) in data.as_object().unwrap() {
        own[name] = value.clone();
    }
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "app", "type": "voice_app", "data": own},
            {"id": "sorry", "type": "hangup", "data": {"cause": "unreachable"}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "app"},
            {"id": "2", "source": "app", "target": "bye", "label": "next"},
            {"id": "3", "source": "app", "target": "sorry", "label": "fallback"}
        ]
    });
    let scope = house.store.tenant(house.tenant);
    let new = NewFlow {
        name: "app".to_owned(),
        description: String::new(),
        draft: definition,
    };
    let flow = scope.flows().create(&Actor::system(), new).await.unwrap();
    let version = scope.flows().publish(&Actor::system(), flow.id).await.unwrap().unwrap();
    scope.flows().version_ready(version.id).await.unwrap();
    let new = NewNumber {
        number: NUMBER.to_owned(),
        friendly_name: String::new(),
        target: Some(NumberTarget::Flow(flow.id)),
        record: Some(true),
    };
    scope.numbers().create(&Actor::system(), new).await.unwrap();
    let (folder, store, tenant) = house.stop().await;
    House::with_switch(folder, store, tenant).await
}

/// A provider's caller who has reached the number, with the audio of their end.
async fn caller(provider: &mut Partner, house: &House) -> (Talk, AudioPort) {
    let mut talk = provider.invites(house.sip, NUMBER).await;
    provider.is_answered(&mut talk).await;
    provider.media.stop(talk.open.leg);
    let (ours, theirs) = AudioPort::pair();
    provider.media.attach(talk.open.leg, theirs);
    (talk, ours)
}

fn is_loud(frame: &AudioFrame) -> bool {
    frame.iter().map(|sample| i32::from(*sample).abs()).max() > Some(LOUD)
}

fn tone(loud: bool) -> AudioFrame {
    let mut frame = [0; FRAME_SAMPLES];
    if loud {
        for (at, sample) in frame.iter_mut().enumerate() {
            *sample = if at % 8 < 4 { 12_000 } else { -12_000 };
        }
    }
    frame
}

/// Speaks a beep now and then; how long each took to come back.
async fn round_trips(port: &AudioPort, beeps: usize) -> Vec<Duration> {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let (mut took, mut sent, mut next, mut count) = (Vec::new(), None, Instant::now(), 0u64);
    let end = Instant::now() + Duration::from_secs(60);
    while took.len() < beeps {
        tick.tick().await;
        assert!(Instant::now() < end, "{} of {beeps} beeps came back", took.len());
        if Instant::now() >= next {
            next += Duration::from_millis(20);
            // A beep of 100 ms each half second, when the one before is back.
            let speaks = count % 25 < 5;
            if count % 25 == 0 {
                sent = Some(Instant::now());
            }
            port.push(&tone(speaks));
            count += 1;
        }
        while let Popped::Frame(frame) = port.pop() {
            if is_loud(&frame)
                && let Some(sent) = sent.take()
            {
                took.push(sent.elapsed());
            }
        }
    }
    took.sort();
    took
}

/// Until what is heard is loud, or not, for a tenth of a second.
async fn until_loud(port: &AudioPort, loud: bool) -> Duration {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let began = Instant::now();
    let (mut frames, mut last) = (0, Instant::now());
    while began.elapsed() < SOON {
        tick.tick().await;
        while let Popped::Frame(frame) = port.pop() {
            frames = if is_loud(&frame) == loud { frames + 1 } else { 0 };
            last = Instant::now();
        }
        // Nothing at all is silence too.
        if frames >= 5 || (!loud && last.elapsed() > Duration::from_millis(300)) {
            return began.elapsed();
        }
    }
    panic!("it does not get {}", if loud { "loud" } else { "quiet" });
}

fn apps(events: &[CallEvent]) -> Vec<&str> {
    let apps = events.iter().filter(|event| event.kind == "app");
    apps.map(|event| event.detail.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_hears_what_the_app_says_and_both_are_recorded() {
    let mut provider = Partner::new("provider").await;
    let house = House::open(Some(provider.address())).await;
    let mut app = App::start(Manner::Echoes).await;
    let house = leads_to(
        house,
        &app,
        &json!({"parameters": {"from": "{caller}", "team": "blue"}}),
    )
    .await;
    let (talk, port) = caller(&mut provider, &house).await;
    assert_eq!(app.hears("opened").await["signature"], Value::Null);
    assert_eq!(app.hears("connected").await["version"], "1.0.0");
    let start = app.hears("start").await;
    assert_eq!(start["start"]["customParameters"]["team"], "blue", "{start}");
    assert_eq!(start["start"]["streamSid"], start["streamSid"]);
    let live = house.live().await;
    assert_eq!(live.doing, "app");
    assert_eq!(start["start"]["callSid"], format!("CA{}", live.id.uuid().simple()));
    let took = round_trips(&port, 10).await;
    println!(
        "round trip of a voice app: median {:?}, worst {:?}",
        took[took.len() / 2],
        took[took.len() - 1]
    );
    assert!(took[took.len() / 2] <= LATEST, "{took:?}");
    // Half a minute is spoken at once, and cleared.
    provider.media.send_digits(talk.open.leg, "1");
    assert_eq!(
        app.hears("dtmf").await["dtmf"],
        json!({"track": "inbound_track", "digit": "1"})
    );
    until_loud(&port, true).await;
    provider.media.send_digits(talk.open.leg, "2");
    assert_eq!(app.hears("mark").await["mark"]["name"], "long");
    let quiet = until_loud(&port, false).await;
    println!("quiet {quiet:?} after the mark came back");
    // The app is done: the flow goes on and hangs up.
    provider.media.send_digits(talk.open.leg, "3");
    provider.is_over().await;
    let events = house.events(live.id).await;
    let host = format!("calls {}", app.address);
    assert_eq!(apps(&events), [host.as_str(), "connected", "ended: it is done"]);
    assert!(events.iter().any(|event| event.detail == "next → bye"), "{events:?}");
    let recorded = house.recorded(live.id).await;
    assert!(
        recorded[0].iter().all(|seconds| *seconds > 3.0),
        "both sides: {recorded:?}"
    );
    provider.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_takes_the_fallback_however_the_app_fails() {
    for (manner, key, why) in [
        (Manner::Echoes, "4", "failed: the connection was cut"),
        (Manner::Echoes, "5", "failed: it sent a message that is no JSON object"),
        (Manner::Silent, "", "failed: it did not answer in time"),
        (
            Manner::Refuses,
            "",
            "failed: it answered 403 instead of opening a WebSocket",
        ),
    ] {
        let mut provider = Partner::new("provider").await;
        let house = House::open(Some(provider.address())).await;
        let mut app = App::start(manner).await;
        let house = leads_to(house, &app, &json!({})).await;
        let (talk, _port) = caller(&mut provider, &house).await;
        if !key.is_empty() {
            app.hears("start").await;
            provider.media.send_digits(talk.open.leg, key);
        }
        provider.is_over().await;
        let calls = house.store.tenant(house.tenant).calls();
        let call = house
            .until(async || {
                calls
                    .log(&Default::default(), &Default::default())
                    .await
                    .unwrap()
                    .items
                    .pop()
            })
            .await;
        let events = house.events(call.id).await;
        assert_eq!(apps(&events).last(), Some(&why), "{events:?}");
        assert!(
            events.iter().any(|event| event.detail == "fallback → sorry"),
            "{events:?}"
        );
        let call = house.ended(call.id).await;
        assert_eq!(call.cause, Some(HangupCause::Unreachable));
        provider.close().await;
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_learns_that_the_caller_hung_up_and_its_key_signs() {
    let mut provider = Partner::new("provider").await;
    let house = House::open(Some(provider.address())).await;
    let mut app = App::start(Manner::Echoes).await;
    let new = strowger_store::NewRoomKey {
        id: "key1".to_owned(),
        name: "app".to_owned(),
        secret: zeroize::Zeroizing::new("secret".to_owned()),
        own: false,
    };
    let keys = house.store.tenant(house.tenant).room_keys();
    keys.create(&Actor::system(), new).await.unwrap();
    let house = leads_to(house, &app, &json!({"key": "key1"})).await;
    let (talk, _port) = caller(&mut provider, &house).await;
    let opened = app.hears("opened").await;
    let signature = opened["signature"].as_str().unwrap();
    assert!(signature.len() == 28 && signature.ends_with('='), "{signature}");
    let start = app.hears("start").await;
    provider.hangs_up(&talk).await;
    let stop = app.hears("stop").await;
    assert_eq!(stop["stop"]["callSid"], start["start"]["callSid"]);
    provider.close().await;
    house.close().await;
}
