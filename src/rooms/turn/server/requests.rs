//! What clients ask for, and the answers.

use super::allocation::{Allocation, Budget, Channels, Opening, Owner, Permissions, Unbound};
use super::{Client, Output, Refusal, RelayId, SWEEP, TurnServer};
use crate::turn::credentials::Name;
use crate::turn::wire::{self, Answer, Asks, IntegrityKey, Message, Proof};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The life of a relay that is not refreshed, and the longest a client may ask for (RFC 8656 §7.2).
const LIFETIME_S: u32 = 600;
/// RFC 8656 §12 has channels up to 0x4fff, clients of RFC 5766 up to 0x7ffe.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7ffe;

/// A refusal, and the key it is signed with once the client has proved itself.
type Refused = (Refusal, Option<IntegrityKey>);

impl TurnServer {
    pub(super) fn take_message(&mut self, client: Client, bytes: &Bytes, now: Instant) {
        let Some(message) = wire::read(bytes) else {
            self.figures.dropped += 1;
            return;
        };
        let asks = wire::asks(&message);
        if asks == Asks::Send {
            return self.take_indication(client, &message, now);
        }
        if asks == Asks::Other {
            self.figures.dropped += 1;
            return;
        }
        let unknown = wire::unknown(&message);
        if !unknown.is_empty() {
            return self.answer_stranger(client, Refusal::UnknownAttribute, now, |refusal| {
                Answer::refusal(&message, refusal).unknown(&unknown).plain()
            });
        }
        let answered = match asks {
            Asks::Binding => return self.bind(client, &message, now),
            Asks::Allocate => self.allocate(client, &message, now),
            Asks::Refresh => self.refresh(client, &message, now),
            Asks::CreatePermission => self.create_permission(client, &message, now),
            Asks::ChannelBind => self.channel_bind(client, &message, now),
            Asks::Send | Asks::Other => return,
        };
        match answered {
            Ok(Some(answer)) => self.send_to_client(client, answer),
            Ok(None) => {}
            Err((refusal, Some(key))) => {
                self.figures.refuse(refusal);
                self.send_to_client(client, Answer::refusal(&message, refusal).signed(&key));
            }
            Err((refusal, None)) => {
                let nonce = self.nonces.mint(client.address, self.unix_s(now));
                let realm = self.config.realm.clone();
                self.answer_stranger(client, refusal, now, |refusal| {
                    let answer = Answer::refusal(&message, refusal);
                    match refusal {
                        Refusal::Unauthorized | Refusal::StaleNonce => answer.challenge(&realm, &nonce),
                        Refusal::BadRequest
                        | Refusal::Forbidden
                        | Refusal::UnknownAttribute
                        | Refusal::Mismatch
                        | Refusal::Family
                        | Refusal::WrongCredentials
                        | Refusal::Transport
                        | Refusal::PeerFamily
                        | Refusal::Quota
                        | Refusal::Capacity => answer,
                    }
                    .plain()
                });
            }
        }
    }

    /// Answers somebody who has proved nothing, unless they were answered too often.
    fn answer_stranger(
        &mut self,
        client: Client,
        refusal: Refusal,
        now: Instant,
        answer: impl FnOnce(Refusal) -> Vec<u8>,
    ) {
        self.figures.refuse(refusal);
        if self.flood.lets_through(client.address.ip(), now) {
            self.send_to_client(client, answer(refusal));
        } else {
            self.figures.unanswered += 1;
        }
    }

    fn bind(&mut self, client: Client, message: &Message<'_>, now: Instant) {
        if !self.flood.lets_through(client.address.ip(), now) {
            self.figures.unanswered += 1;
            return;
        }
        self.figures.bindings += 1;
        let answer = Answer::success(message).mapped(client.address, message.transaction_id());
        self.send_to_client(client, answer.plain());
    }

    /// Who sent a request. A credential that has ended opens nothing new, but whoever opened a relay with it may
    /// go on using that relay: a call longer than ten minutes must not fall silent.
    fn authenticate(&self, client: Client, message: &Message<'_>, now: Instant) -> Result<Owner, Refused> {
        let stranger = |refusal| (refusal, None);
        let proof = Proof::of(message).map_err(stranger)?;
        let unix_s = self.unix_s(now);
        if !self.nonces.is_fresh(proof.nonce.nonce(), client.address, unix_s) {
            return Err(stranger(Refusal::StaleNonce));
        }
        let username = proof.username.username();
        let known = self.open.get(&client).map(|allocation| &allocation.owner);
        if let Some(owner) = known.filter(|owner| owner.username == username) {
            return if proof.is_signed_with(&owner.key) {
                Ok(owner.clone())
            } else {
                Err(stranger(Refusal::Unauthorized))
            };
        }
        let is_alive = Name::parse(username).is_some_and(|name| name.ends_at >= unix_s);
        if !is_alive || proof.realm.realm() != self.config.realm {
            return Err(stranger(Refusal::Unauthorized));
        }
        let password = self.config.secret.password(username);
        let key = wire::key(username, &self.config.realm, &password);
        if !proof.is_signed_with(&key) {
            return Err(stranger(Refusal::Unauthorized));
        }
        if known.is_some() {
            // RFC 8656 §5: a relay is its maker's, whoever else has a credential.
            return Err((Refusal::WrongCredentials, Some(key)));
        }
        Ok(Owner {
            username: username.to_owned(),
            key,
        })
    }

    fn allocate(&mut self, client: Client, message: &Message<'_>, now: Instant) -> Result<Option<Vec<u8>>, Refused> {
        let owner = self.authenticate(client, message, now)?;
        let signed = |refusal| (refusal, Some(owner.key.clone()));
        if let Some(open) = self.open.get(&client) {
            return if open.made_by == message.transaction_id() {
                Ok(Some(success_of(open, client, message, now)))
            } else {
                Err(signed(Refusal::Mismatch))
            };
        }
        if self.opening.values().any(|opening| opening.client == client) {
            return Ok(None);
        }
        let wish = wire::wish(message).map_err(signed)?;
        if !wish.is_udp {
            return Err(signed(Refusal::Transport));
        }
        let (has_v4, has_v6) = self.config.families;
        if !(if wish.is_v6 { has_v6 } else { has_v4 }) {
            return Err(signed(Refusal::Family));
        }
        let limits = self.config.limits;
        if self.relays_of_member(owner.member()) >= limits.relays_of_member {
            return Err(signed(Refusal::Quota));
        }
        if wish.is_pair || self.open.len() + self.opening.len() >= limits.relays {
            return Err(signed(Refusal::Capacity));
        }
        self.named += 1;
        let relay = RelayId(self.named);
        let opening = Opening {
            client,
            request: message.as_bytes().to_vec(),
            owner,
        };
        self.opening.insert(relay, opening);
        self.outputs.push_back(Output::OpenRelay {
            relay,
            is_v6: wish.is_v6,
            is_even: wish.is_even,
        });
        Ok(None)
    }

    pub(super) fn relay_opened(&mut self, relay: RelayId, relayed: Option<SocketAddr>, now: Instant) {
        let Some(opening) = self.opening.remove(&relay) else {
            // Its client left while it was opened.
            if relayed.is_some() {
                self.outputs.push_back(Output::CloseRelay(relay));
            }
            return;
        };
        let Some(message) = wire::read(&opening.request) else {
            return;
        };
        let client = opening.client;
        let Some(relayed) = relayed else {
            self.figures.refuse(Refusal::Capacity);
            let answer = Answer::refusal(&message, Refusal::Capacity).signed(&opening.owner.key);
            return self.send_to_client(client, answer);
        };
        let limits = self.config.limits;
        let allocation = Allocation {
            relay,
            relayed,
            made_by: message.transaction_id(),
            ends_at: now + Duration::from_secs(LIFETIME_S.into()),
            dies_at: now + limits.longest_life,
            permissions: Permissions::default(),
            channels: Channels::default(),
            budget: Budget::new(limits.bytes_per_second, now),
            owner: opening.owner,
        };
        let answer = success_of(&allocation, client, &message, now);
        self.figures.opened += 1;
        self.open.insert(client, allocation);
        self.relays.insert(relay, client);
        self.next_sweep.get_or_insert(now + SWEEP);
        self.send_to_client(client, answer);
    }

    fn refresh(&mut self, client: Client, message: &Message<'_>, now: Instant) -> Result<Option<Vec<u8>>, Refused> {
        let owner = self.authenticate(client, message, now)?;
        let signed = |refusal| (refusal, Some(owner.key.clone()));
        let wanted = wire::lifetime_s(message).unwrap_or(LIFETIME_S);
        let Some(allocation) = self.open.get_mut(&client) else {
            // Ending what has ended is no fault: the answer to the first request was lost (RFC 8656 §8.2).
            return if wanted == 0 {
                Ok(Some(Answer::success(message).lifetime(0).signed(&owner.key)))
            } else {
                Err(signed(Refusal::Mismatch))
            };
        };
        let family = wire::family(message).map_err(signed)?;
        if family.is_some_and(|family| wire::is_v6(family) != allocation.relayed.is_ipv6()) {
            return Err(signed(Refusal::PeerFamily));
        }
        let granted = if wanted == 0 { 0 } else { LIFETIME_S };
        allocation.ends_at = (now + Duration::from_secs(granted.into())).min(allocation.dies_at);
        let left = allocation.ends_at.saturating_duration_since(now).as_secs();
        let left = u32::try_from(left).unwrap_or(LIFETIME_S);
        if left == 0 {
            self.close_relays_of(client);
        }
        Ok(Some(Answer::success(message).lifetime(left).signed(&owner.key)))
    }

    fn create_permission(
        &mut self,
        client: Client,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Option<Vec<u8>>, Refused> {
        let owner = self.authenticate(client, message, now)?;
        let signed = |refusal| (refusal, Some(owner.key.clone()));
        let peers = wire::peers(message);
        if peers.is_empty() {
            return Err(signed(Refusal::BadRequest));
        }
        let most = self.config.limits.peers;
        let allocation = self.open.get_mut(&client).ok_or_else(|| signed(Refusal::Mismatch))?;
        if peers.iter().any(|peer| peer.is_ipv6() != allocation.relayed.is_ipv6()) {
            return Err(signed(Refusal::PeerFamily));
        }
        if !peers.iter().all(|peer| self.config.policy.permits_address(peer.ip())) {
            return Err(signed(Refusal::Forbidden));
        }
        // All or none (RFC 8656 §10.2), so room is looked for first.
        let new = allocation.permissions.strangers(peers.iter(), now);
        if allocation.permissions.count(now) + new > most {
            return Err(signed(Refusal::Capacity));
        }
        for peer in &peers {
            allocation.permissions.grant(peer.ip(), most, now);
        }
        Ok(Some(Answer::success(message).signed(&owner.key)))
    }

    fn channel_bind(
        &mut self,
        client: Client,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Option<Vec<u8>>, Refused> {
        let owner = self.authenticate(client, message, now)?;
        let signed = |refusal| (refusal, Some(owner.key.clone()));
        let number = wire::channel(message).filter(|number| CHANNELS.contains(number));
        let peer = wire::peers(message).first().copied();
        let (Some(number), Some(peer)) = (number, peer) else {
            return Err(signed(Refusal::BadRequest));
        };
        let most = self.config.limits.peers;
        let allocation = self.open.get_mut(&client).ok_or_else(|| signed(Refusal::Mismatch))?;
        if peer.is_ipv6() != allocation.relayed.is_ipv6() {
            return Err(signed(Refusal::PeerFamily));
        }
        if !self.config.policy.permits(peer) {
            return Err(signed(Refusal::Forbidden));
        }
        let bound = allocation.channels.bind(number, peer, most, now);
        bound.map_err(|unbound| match unbound {
            Unbound::Taken => signed(Refusal::BadRequest),
            Unbound::Enough => signed(Refusal::Capacity),
        })?;
        if !allocation.permissions.grant(peer.ip(), most, now) {
            return Err(signed(Refusal::Capacity));
        }
        Ok(Some(Answer::success(message).signed(&owner.key)))
    }
}

fn success_of(allocation: &Allocation, client: Client, request: &Message<'_>, now: Instant) -> Vec<u8> {
    let id = request.transaction_id();
    let left = allocation.ends_at.saturating_duration_since(now).as_secs();
    Answer::success(request)
        .relayed(allocation.relayed, id)
        .mapped(client.address, id)
        .lifetime(u32::try_from(left).unwrap_or(LIFETIME_S))
        .signed(&allocation.owner.key)
}
