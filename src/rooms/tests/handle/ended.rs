//! A meeting that was ended for everybody stays ended for whoever was away just then.

use super::rooms;
use strowger_rooms::protocol::JoinRequest;
use strowger_rooms::{Generation, Grants, JoinBrowser, JoinRefused, RoomName, RoomOptions};

fn guest(room: &RoomName, by_door: bool) -> JoinBrowser {
    JoinBrowser {
        room: room.clone(),
        grants: Grants {
            identity: "gil".to_owned(),
            room_join: Some(room.name.clone()),
            by_door,
            ..Grants::default()
        },
        generation: Generation::One,
        request: JoinRequest::default(),
        resume: None,
        client_address: None,
    }
}

#[tokio::test]
async fn a_client_that_comes_back_does_not_raise_a_meeting_that_was_ended() {
    let (rooms, tenant) = rooms().await;
    let friday = RoomName::new(tenant, "Friday");
    rooms.create(&friday, RoomOptions::default()).await.unwrap();
    let session = rooms.join(guest(&friday, true)).await.unwrap();
    rooms.delete(&friday).await.unwrap();
    drop(session);
    assert_eq!(rooms.join(guest(&friday, true)).await.unwrap_err(), JoinRefused::Over);
    let grants = guest(&friday, true).grants;
    assert_eq!(rooms.is_open_to(&friday, &grants), Err(JoinRefused::Over));
    // A program's own token makes the room it names, as with LiveKit.
    rooms.join(guest(&friday, false)).await.unwrap();
    rooms.delete(&friday).await.unwrap();
    // Somebody comes through the door: the meeting is open again, and others' clients may come back too.
    rooms.create(&friday, RoomOptions::default()).await.unwrap();
    rooms.join(guest(&friday, true)).await.unwrap();
}
