//! Voice apps: one small task a connection opens it, carries audio and messages both ways, and closes it. A call
//! never waits for an app, and an app that does not read holds nothing up.

use super::outward::{Connection, Outward, OutwardError};
use crate::app::line::{Ending, Input as Heard, Line, Output};
use crate::app::wire::Sids;
use crate::app::{AppCall, AppNews, AppOrder, AppSaid};
use crate::exchange::Input;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_ivr::{AppOutcome, AppUrl, BadAppUrl};
use strowger_media::port::Popped;
use strowger_media::{AudioPort, MediaHandle};
use strowger_model::{CallId, TenantId, World};
use strowger_store::Store;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

/// Keys that wait to be told to an app. When it is full a key is dropped: nobody presses 64 keys while one is told.
const KEYS: usize = 64;

/// Messages that wait for an app to read them: five seconds of a caller. When it is full the newest is dropped and
/// counted; the app sees the gap by the numbers of the messages.
const TO_APP: usize = 250;

/// How often the caller's audio is looked for. Half a frame: it adds 5 ms on the way to the app.
const LOOK: Duration = Duration::from_millis(10);

/// How long an app may take to read the last words and close.
const FAREWELL: Duration = Duration::from_secs(2);

/// The longest message of an app: five minutes of audio in one.
const MESSAGE_BYTES: usize = 4 << 20;

/// The header programs check the signature by.
const SIGNATURE: &str = "X-Twilio-Signature";

/// Why an app was not connected.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("its address is none: {0}")]
    Address(#[from] BadAppUrl),
    #[error("its address lies in a network that voice_apps.networks does not list")]
    Private,
    #[error(transparent)]
    Outward(OutwardError),
    #[error("the key that signs was revoked or never was one")]
    Key,
    #[error("the key that signs cannot be read")]
    Store(#[source] strowger_store::Error),
    #[error("it answered {0} instead of opening a WebSocket")]
    Refused(u16),
    #[error("it does not speak WebSocket")]
    Handshake(#[source] Box<WsError>),
}

/// The connections of all calls.
pub(super) struct Apps {
    outward: Arc<Outward>,
    store: Store,
    world: Arc<dyn World>,
    media: MediaHandle,
    said: mpsc::Sender<Input>,
    tasks: TaskTracker,
    /// Dropping one ends its connection.
    running: HashMap<CallId, mpsc::Sender<char>>,
}

impl Apps {
    pub(super) fn new(
        outward: Outward,
        (store, world): (Store, Arc<dyn World>),
        media: MediaHandle,
        said: mpsc::Sender<Input>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            outward: Arc::new(outward),
            store,
            world,
            media,
            said,
            tasks,
            running: HashMap::new(),
        }
    }

    /// Does what a call asks of voice apps.
    pub(super) fn perform(&mut self, tenant: TenantId, call: CallId, order: AppOrder) {
        match order {
            AppOrder::Join(app) => self.join(tenant, call, *app),
            AppOrder::Digit(digit) => {
                if let Some(keys) = self.running.get(&call)
                    && keys.try_send(digit).is_err()
                {
                    debug!(call_id = %call, "a voice app is behind; a key is not told");
                }
            }
            AppOrder::Leave(leg) => {
                // Here and not in the task, so that it comes before whatever the leg is given next.
                if self.running.remove(&call).is_some() {
                    self.media.detach(leg);
                }
            }
        }
    }

    fn join(&mut self, tenant: TenantId, call: CallId, app: AppCall) {
        let (keys, pressed) = mpsc::channel(KEYS);
        let (ours, theirs) = AudioPort::pair();
        self.media.attach(app.media, ours);
        self.running.insert(call, keys);
        let stay = Stay {
            tenant,
            call,
            app,
            outward: Arc::clone(&self.outward),
            store: self.store.clone(),
            world: Arc::clone(&self.world),
            said: self.said.clone(),
        };
        self.tasks.spawn(stay.run(theirs, pressed));
    }
}

/// One connection, before it stands and after.
struct Stay {
    tenant: TenantId,
    call: CallId,
    app: AppCall,
    outward: Arc<Outward>,
    store: Store,
    world: Arc<dyn World>,
    said: mpsc::Sender<Input>,
}

type Socket = WebSocketStream<Box<dyn Connection>>;

impl Stay {
    async fn run(self, mut port: AudioPort, mut keys: mpsc::Receiver<char>) {
        let call_id = self.call;
        // Dropping a connection half-way opened closes it.
        let opened = tokio::select! {
            opened = self.open() => opened,
            () = gone(&mut keys) => return,
        };
        let socket = match opened {
            Ok(socket) => socket,
            Err(fault) => {
                let why = chain(&fault);
                info!(%call_id, why, "a voice app cannot be connected");
                return self.ended(AppOutcome::Failed, why).await;
            }
        };
        self.say(AppNews::Connected).await;
        let mut chance = [0; 16];
        self.world.fill(&mut chance);
        let sids = Sids::new(self.tenant, self.call, chance);
        let mut line = Line::new(sids, &self.app.parameters, Instant::now());
        // What was said while it was connected is not for it.
        while matches!(port.pop(), Popped::Frame(_)) {}
        let (ending, unread) = talk(socket, &mut line, &mut port, &mut keys).await;
        let (ms, marks) = line.dropped();
        if unread > 0 || ms > 0 || marks > 0 {
            warn!(%call_id, unread, dropped_ms = ms, dropped_marks = marks, "a voice app did not keep pace");
        }
        match ending {
            Ending::Left => count("left"),
            Ending::Done => self.ended(AppOutcome::Completed, "it is done".to_owned()).await,
            Ending::Lost(lost) => {
                info!(%call_id, why = %lost, "a voice app is lost");
                self.ended(AppOutcome::Failed, lost.to_string()).await;
            }
        }
    }

    async fn open(&self) -> Result<Socket, Fault> {
        let to = AppUrl::read(&self.app.url)?;
        let handshake = |error: WsError| {
            if let WsError::Http(answer) = error {
                Fault::Refused(answer.status().as_u16())
            } else {
                Fault::Handshake(Box::new(error))
            }
        };
        let mut request = self.app.url.as_str().into_client_request().map_err(handshake)?;
        if let Some(signature) = self.signature().await? {
            let value = HeaderValue::from_str(&signature).map_err(|_| Fault::Key)?;
            request.headers_mut().insert(SIGNATURE, value);
        }
        let connected = self.outward.connect(&to.host, to.port, to.encrypted).await;
        let stream = connected.map_err(|error| match error {
            OutwardError::Private => Fault::Private,
            error @ (OutwardError::Unknown(_)
            | OutwardError::Connect(_)
            | OutwardError::Name
            | OutwardError::Encryption) => Fault::Outward(error),
        })?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let (socket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .map_err(handshake)?;
        Ok(socket)
    }

    /// The URL, signed with the secret of the key that the flow names: HMAC-SHA1, as the protocol has it.
    async fn signature(&self) -> Result<Option<String>, Fault> {
        let Some(key) = &self.app.key else { return Ok(None) };
        let keys = self.store.tenant(self.tenant).room_keys();
        let known = keys.known(key).await.map_err(Fault::Store)?.ok_or(Fault::Key)?;
        Ok(Some(sign(known.secret.as_bytes(), &self.app.url)))
    }

    async fn ended(&self, outcome: AppOutcome, why: String) {
        count(match outcome {
            AppOutcome::Completed => "completed",
            AppOutcome::Failed => "failed",
        });
        self.say(AppNews::Ended { outcome, why }).await;
    }

    async fn say(&self, what: AppNews) {
        let said = AppSaid { id: self.app.id, what };
        // The exchange ends after the connections.
        let _ = self.said.send(Input::App(self.call, said)).await;
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("strowger_voice_apps_total", "outcome" => outcome).increment(1);
}

/// Until nobody presses keys any more: the caller is gone, or led elsewhere.
async fn gone(keys: &mut mpsc::Receiver<char>) {
    while keys.recv().await.is_some() {}
}

/// Carries audio and messages both ways until one side ends it; how it ended, and how many messages were dropped
/// because the app did not read.
async fn talk(socket: Socket, line: &mut Line, port: &mut AudioPort, keys: &mut mpsc::Receiver<char>) -> (Ending, u64) {
    let (sink, mut stream) = socket.split();
    let (out, queue) = mpsc::channel(TO_APP);
    let mut writing = pin!(write(sink, queue));
    let mut unread = 0;
    let (ending, is_written) = {
        let mut listening = pin!(listen(line, &mut stream, (out, &mut unread), port, keys));
        tokio::select! {
            ending = &mut listening => (ending, false),
            // It cannot be written any more: what the app said last says why.
            () = &mut writing => {
                let last = tokio::time::timeout(FAREWELL, listening).await;
                (last.unwrap_or(Ending::Lost(crate::app::line::Lost::Cut)), true)
            }
        }
    };
    if !is_written {
        // To close before everything was read would take the last words from the app.
        let reading = async { while let Some(Ok(_)) = stream.next().await {} };
        let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(writing, reading) }).await;
    }
    (ending, unread)
}

/// Sends what waits, one after the other, as fast as the app reads.
async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

async fn listen(
    line: &mut Line,
    stream: &mut (impl Stream<Item = Result<Message, WsError>> + Unpin),
    (out, unread): (mpsc::Sender<Message>, &mut u64),
    port: &mut AudioPort,
    keys: &mut mpsc::Receiver<char>,
) -> Ending {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        while let Some(frame) = line.frame(port.ahead()) {
            port.push(&frame);
        }
        line.settle(port.ahead());
        while let Some(output) = line.poll_output() {
            let message = match output {
                Output::Send(text) => Message::text(text),
                Output::Ping => Message::Ping(bytes::Bytes::new()),
                Output::Over(ending) => {
                    let _ = out.try_send(Message::Close(Some(farewell(ending))));
                    return ending;
                }
            };
            // Once the writer has ended, nobody is there to be behind.
            if let Err(TrySendError::Full(_)) = out.try_send(message) {
                *unread += 1;
            }
        }
        // Every branch waits on a channel, a timer or the socket's next message: dropping it loses nothing.
        tokio::select! {
            key = keys.recv() => {
                let heard = key.map_or(Heard::Left, Heard::Key);
                line.handle(heard, Instant::now());
            }
            message = stream.next() => line.handle(heard(message), Instant::now()),
            _ = look.tick() => {
                let now = Instant::now();
                while let Popped::Frame(frame) = port.pop() {
                    line.handle(Heard::Caller(Box::new(frame)), now);
                }
                line.handle(Heard::Tick, now);
            }
        }
    }
}

/// What the socket gave, as the line hears it.
fn heard(message: Option<Result<Message, WsError>>) -> Heard {
    match message {
        Some(Ok(Message::Text(text))) => Heard::Text(text.as_str().to_owned()),
        Some(Ok(Message::Binary(_))) => Heard::Binary,
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Heard::Sign,
        Some(Ok(Message::Close(frame))) => Heard::Closed(frame.map_or(1005, |frame| frame.code.into())),
        Some(Err(_)) | None => Heard::Cut,
    }
}

fn farewell(ending: Ending) -> CloseFrame {
    let code = match ending {
        Ending::Done | Ending::Left => CloseCode::Normal,
        Ending::Lost(_) => CloseCode::Protocol,
    };
    CloseFrame {
        code,
        reason: "".into(),
    }
}

/// Base64 of the URL's HMAC-SHA1.
fn sign(secret: &[u8], url: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    BASE64.encode(hmac::sign(&key, url.as_bytes()))
}

/// An error and what it came from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_signed_as_programs_check_it() {
        // printf 'wss://voice.example/clerk' | openssl dgst -sha1 -hmac secret -binary | base64
        assert_eq!(
            sign(b"secret", "wss://voice.example/clerk"),
            "zjn2W4j95idPO9U8GjJuhYK9iqI="
        );
    }
}
