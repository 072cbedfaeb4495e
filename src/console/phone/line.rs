//! The phone page's channel: what its owner asks for, what the page is told. JSON both ways.
//!
//! A request is `{"n":1,"do":"dial","to":"102"}`; its answer carries the same `n`. What the page is told
//! without asking is how things stand, whole each time: a page that comes back has missed nothing.

use super::owner;
use crate::fault::{Fault, Page};
use crate::state::ConsoleState;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::time::Duration;
use strowger_access::meeting::member_claims;
use strowger_access::{Principal, Signed, Via};
use strowger_model::CallId;
use strowger_model::meeting::RoomRole;
use strowger_switch::browser::{Ask, Line, Owner, Refused, Ticket, Word};
use strowger_switch::io::{PhonePage, SwitchHandle};
use time::format_description::well_known::Rfc3339;
use tracing::debug;

/// The longest request.
const MESSAGE_BYTES: usize = 4_096;

/// How often the page is told that it lives, and asked whether its owner still may be here.
const BEAT: Duration = Duration::from_secs(20);

/// A page from which nothing was heard for so long is gone: it answers every beat.
const SILENCE: Duration = Duration::from_secs(65);

/// Why a channel is closed, beyond what a network does (RFC 6455 §7.4.2: 4000 and up are ours).
const SIGNED_OUT: u16 = 4_001;
const REFUSED: u16 = 4_002;

type Asked = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

pub(super) async fn open(State(state): State<ConsoleState>, who: Signed, headers: HeaderMap, asked: Asked) -> Page {
    let owner = owner(&who)?.ok_or(Fault::NotFound)?;
    // A cookie goes along from any page; only our own may use it.
    if !is_ours(&headers) {
        return Err(Fault::NotFound);
    }
    let upgrade = asked.map_err(|_| Fault::NotFound)?;
    let phones = state.phones().cloned();
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES);
    let channel = upgrade.on_upgrade(move |mut socket| async move {
        let opened = match &phones {
            None => Err(Refused::NoRooms),
            Some(phones) => phones.open_phone_page(owner).await,
        };
        match (opened, phones) {
            (Ok(page), Some(phones)) => {
                let channel = Channel {
                    state,
                    principal: who.principal().clone(),
                    owner,
                    phones,
                };
                channel.carry(socket, page).await;
            }
            (Err(refused), _) => close(&mut socket, REFUSED, refused.code()).await,
            (Ok(_), None) => {}
        }
    });
    Ok(channel.into_response())
}

/// Whether a page of this very host asks.
fn is_ours(headers: &HeaderMap) -> bool {
    let read = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(host), Some(origin)) = (read(header::HOST), read(header::ORIGIN)) else {
        return false;
    };
    let origin = origin.split_once("://").map_or("", |(_, rest)| rest);
    origin.eq_ignore_ascii_case(host)
}

struct Channel {
    state: ConsoleState,
    principal: Principal,
    owner: Owner,
    phones: SwitchHandle,
}

impl Channel {
    async fn carry(self, mut socket: WebSocket, mut page: PhonePage) {
        let shutdown = self.state.config().shutdown.clone();
        let mut beat = tokio::time::interval(BEAT);
        beat.reset();
        // The channel is read and written by this one task. A branch that loses has only been waiting.
        loop {
            let answer = tokio::select! {
                () = shutdown.cancelled() => return close(&mut socket, REFUSED, Refused::ShuttingDown.code()).await,
                word = page.words.recv() => match word {
                    Some(word) => Some(self.told(word)),
                    None => return,
                },
                heard = tokio::time::timeout(SILENCE, socket.recv()) => match heard.ok().flatten() {
                    Some(Ok(Message::Text(text))) => self.asked(&page, &text).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => None,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
                _ = beat.tick() => {
                    if let Some((code, why)) = self.may_not_stay().await {
                        return close(&mut socket, code, why).await;
                    }
                    if socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        return;
                    }
                    None
                }
            };
            if let Some(answer) = answer
                && socket.send(Message::Text(answer.to_string().into())).await.is_err()
            {
                return;
            }
        }
    }

    /// Whether the page's owner was signed out, removed or switched off meanwhile.
    async fn may_not_stay(&self) -> Option<(u16, &'static str)> {
        if let Err(refused) = self.phones.may_browse(self.owner) {
            return Some((REFUSED, refused.code()));
        }
        let Via::Session(session) = self.principal.via() else {
            return Some((SIGNED_OUT, "signed_out"));
        };
        match self.state.access().sessions_of(self.owner.user).await {
            Ok(sessions) if !sessions.iter().any(|known| known.id == session) => Some((SIGNED_OUT, "signed_out")),
            // A database that does not answer ends no conversation.
            Ok(_) | Err(_) => None,
        }
    }

    fn told(&self, word: Word) -> Value {
        match word {
            Word::Lines(lines) => {
                let lines: Vec<Value> = lines.iter().map(line).collect();
                json!({"lines": lines, "at": self.state.now().format(&Rfc3339).unwrap_or_default()})
            }
            Word::Ended(call, cause) => json!({"ended": call.to_string(), "cause": cause.code()}),
        }
    }

    /// What the page asked for, done; `None` when it asked for nothing.
    async fn asked(&self, page: &PhonePage, text: &str) -> Option<Value> {
        let asked: Value = serde_json::from_str(text).ok()?;
        let number = asked.get("n")?.as_u64()?;
        let answer = match self.perform(page, &asked).await {
            Ok(None) => json!({"re": number, "ok": true}),
            Ok(Some(ticket)) => match self.pass(&ticket).await {
                Some(pass) => json!({"re": number, "ticket": pass}),
                None => json!({"re": number, "refused": "our_fault"}),
            },
            Err(refused) => {
                debug!(%refused, "a phone page may not do that");
                json!({"re": number, "refused": refused.code()})
            }
        };
        Some(answer)
    }

    async fn perform(&self, page: &PhonePage, asked: &Value) -> Result<Option<Ticket>, Refused> {
        let word = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
        let what = word("do");
        let (owner, tab) = (self.owner, Some(page.tab));
        if what == "dial" {
            let to = word("to").trim();
            if to.is_empty() || to.chars().count() > super::MOST_TO {
                return Err(Refused::NoRoute);
            }
            return self.phones.dial_from_browser(owner, tab, to).await.map(Some);
        }
        let call: CallId = word("call").parse().map_err(|_| Refused::NoCall)?;
        let ask = match what {
            "accept" => Ask::Accept,
            "reject" => Ask::Reject,
            "hangup" => Ask::HangUp,
            "claim" => Ask::Claim,
            "hold" => Ask::Hold(true),
            "resume" => Ask::Hold(false),
            "keys" => Ask::Digits(word("keys").to_owned()),
            "transfer" => {
                return self
                    .phones
                    .hand_over(owner, call, word("to").trim())
                    .await
                    .map(|()| None);
            }
            _ => return Err(Refused::NotNow),
        };
        self.phones.ask_browser(owner, tab, call, ask).await
    }

    /// The token for the call's room.
    async fn pass(&self, ticket: &Ticket) -> Option<Value> {
        let room = ticket.room();
        let name = self.principal.name();
        let claims = member_claims(&room.name, &ticket.identity(), name, RoomRole::Participant);
        let signed = self.state.access().sign_room_token(room.tenant, &claims, None).await;
        let (token, _) = signed.ok()?;
        Some(json!({"call": ticket.call.to_string(), "token": token}))
    }
}

fn line(line: &Line) -> Value {
    json!({
        "call": line.call.to_string(),
        "number": line.number,
        "name": line.name,
        "state": line.state.code(),
        "here": line.is_here,
        "answered_at": line.answered_at.and_then(|at| at.format(&Rfc3339).ok()),
    })
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        debug!("a phone page was gone before it was told why");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_a_page_of_this_host_may_open_the_line() {
        let headers = |host: &'static str, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            headers
        };
        assert!(is_ours(&headers("pbx.example", Some("https://pbx.example"))));
        assert!(is_ours(&headers("pbx.example:8080", Some("http://PBX.example:8080"))));
        for origin in [
            None,
            Some("https://evil.example"),
            Some("null"),
            Some("https://pbx.example.evil"),
        ] {
            assert!(!is_ours(&headers("pbx.example", origin)), "{origin:?}");
        }
    }
}
