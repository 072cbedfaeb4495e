//! Lines: the rooms in which one browser's side of a call is heard. Nobody meets there by chance.

use super::rooms;
use std::collections::BTreeMap;
use strowger_media::AudioPort;
use strowger_rooms::protocol::DisconnectReason;
use strowger_rooms::{Grants, JoinPhone, JoinRefused, PhoneEvent, RoomError, RoomName, RoomOptions};

fn phone(room: &RoomName, identity: &str) -> JoinPhone {
    let (port, _) = AudioPort::pair();
    JoinPhone {
        room: room.clone(),
        identity: identity.to_owned(),
        name: identity.to_owned(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        grants: Grants::default(),
        port,
        is_recordable: true,
    }
}

#[tokio::test]
async fn a_line_is_made_for_two_is_in_no_list_and_tells_nobody() {
    let (rooms, tenant) = rooms().await;
    let mut events = rooms.events();
    let line = RoomName::of_line(tenant, "4f2a");
    // Only the switch makes one; a program that guesses a name finds nothing and makes nothing.
    let made = rooms.create(&line, RoomOptions::default()).await;
    assert_eq!(made.unwrap_err(), RoomError::NotAllowed);
    let joined = rooms.join_phone(phone(&line, "eve")).await;
    assert_eq!(joined.unwrap_err(), JoinRefused::NotAllowed);
    assert_eq!(rooms.count(), 0);
    rooms.open_line(&line).await.unwrap();
    let mut call = rooms.join_phone(phone(&line, "call")).await.unwrap();
    let other = rooms.join_phone(phone(&line, "browser")).await.unwrap();
    let third = rooms.join_phone(phone(&line, "eve")).await;
    assert_eq!(third.unwrap_err(), JoinRefused::Full);
    assert!(rooms.list(tenant, &[]).await.is_empty());
    assert!(rooms.list(tenant, std::slice::from_ref(&line.name)).await.is_empty());
    // Whoever is left alone is told so.
    rooms
        .leave_phone(&line, &other.sid, DisconnectReason::ClientInitiated)
        .await;
    // Every phone hears first whether an agent is there.
    assert_eq!(call.events.recv().await, Some(PhoneEvent::Agent(false)));
    assert_eq!(call.events.recv().await, Some(PhoneEvent::Alone));
    rooms.delete(&line).await.unwrap();
    assert_eq!(call.events.recv().await, Some(PhoneEvent::RoomEnded));
    assert!(events.try_recv().is_err());
}
