//! The signalling of one member: joins, sends its offer, keeps alive.

use crate::Plan;
use anyhow::{Context as _, Result, bail};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as wire;
use prost::Message as _;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use wire::signal_request::Message as Asked;
use wire::signal_response::Message as Told;

pub(crate) struct Signalling(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a member wants at its start.
pub(crate) struct Wish<'a> {
    pub(crate) identity: &'a str,
    pub(crate) offer: String,
    /// The id of the track it publishes.
    pub(crate) track: Option<&'a str>,
    /// The id of the screen it shows.
    pub(crate) screen: Option<&'a str>,
}

impl Signalling {
    pub(crate) async fn open(plan: &Plan, wish: Wish<'_>) -> Result<Self> {
        let token = token(plan, wish.identity)?;
        let tracks = wish.track.map(|cid| wire::AddTrackRequest {
            cid: cid.to_owned(),
            name: "voice".to_owned(),
            r#type: wire::TrackType::Audio as i32,
            source: wire::TrackSource::Microphone as i32,
            ..Default::default()
        });
        let screen = wish.screen.map(|cid| wire::AddTrackRequest {
            cid: cid.to_owned(),
            name: "screen".to_owned(),
            r#type: wire::TrackType::Video as i32,
            source: wire::TrackSource::ScreenShare as i32,
            width: 1920,
            height: 1080,
            ..Default::default()
        });
        let join = wire::JoinRequest {
            client_info: Some(wire::ClientInfo {
                sdk: wire::client_info::Sdk::Rust as i32,
                protocol: 16,
                ..Default::default()
            }),
            connection_settings: Some(wire::ConnectionSettings {
                auto_subscribe: true,
                ..Default::default()
            }),
            add_track_requests: tracks.into_iter().chain(screen).collect(),
            publisher_offer: Some(wire::SessionDescription {
                r#type: "offer".to_owned(),
                sdp: wish.offer,
                id: 1,
                ..Default::default()
            }),
            ..Default::default()
        };
        let wrapped = wire::WrappedJoinRequest {
            compression: wire::wrapped_join_request::Compression::None as i32,
            join_request: join.encode_to_vec(),
        };
        let packed = URL_SAFE_NO_PAD.encode(wrapped.encode_to_vec());
        let url = format!("{}/rtc/v1?access_token={token}&join_request={packed}", plan.url);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.context("cannot join")?;
        Ok(Self(socket))
    }

    /// The next thing the server says; safe to drop half-way.
    pub(crate) async fn next(&mut self) -> Result<Told> {
        loop {
            match self.0.next().await.context("the server hung up")?? {
                Frame::Binary(bytes) => {
                    let response = wire::SignalResponse::decode(&bytes[..])?;
                    if let Some(told) = response.message {
                        return Ok(told);
                    }
                }
                Frame::Close(frame) => bail!("the server closed: {frame:?}"),
                Frame::Text(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {}
            }
        }
    }

    /// Waits for the answer to the offer.
    pub(crate) async fn answer(&mut self) -> Result<String> {
        loop {
            let told = self.next().await?;
            if let Told::Answer(answer) = told {
                return Ok(answer.sdp);
            }
            if let Told::Leave(leave) = told {
                bail!("refused: {leave:?}");
            }
        }
    }

    /// Offers again.
    pub(crate) async fn offer(&mut self, sdp: String, id: u32) -> Result<()> {
        let offer = wire::SessionDescription {
            r#type: "offer".to_owned(),
            sdp,
            id,
            ..Default::default()
        };
        self.ask(Asked::Offer(offer)).await
    }

    pub(crate) async fn keep_alive(&mut self) -> Result<()> {
        self.ask(Asked::PingReq(wire::Ping::default())).await
    }

    pub(crate) async fn leave(mut self) {
        let leave = wire::LeaveRequest {
            reason: wire::DisconnectReason::ClientInitiated as i32,
            ..Default::default()
        };
        let _ = self.ask(Asked::Leave(leave)).await;
        let _ = self.0.close(None).await;
    }

    async fn ask(&mut self, message: Asked) -> Result<()> {
        let request = wire::SignalRequest { message: Some(message) };
        self.0.send(Frame::Binary(request.encode_to_vec().into())).await?;
        Ok(())
    }
}

/// A token that lets its bearer into the room for an hour.
fn token(plan: &Plan, identity: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = serde_json::json!({
        "iss": plan.key,
        "sub": identity,
        "nbf": now - 5,
        "exp": now + 3600,
        "video": { "roomJoin": true, "room": plan.room },
    });
    let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!(
        "{}.{}",
        part(&serde_json::json!({ "alg": "HS256", "typ": "JWT" })),
        part(&claims)
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, plan.secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}
