//! Lines: the rooms in which one browser's side of a call is heard.

use super::RoomsHandle;
use crate::{RoomError, RoomName, RoomOptions};

impl RoomsHandle {
    /// Makes the room of one browser's side of a call: for the browser and the call, nobody else.
    ///
    /// # Errors
    /// The machine is at its limit.
    pub async fn open_line(&self, room: &RoomName) -> Result<(), RoomError> {
        let options = RoomOptions {
            max_participants: 2,
            ..RoomOptions::default()
        };
        self.with_made(room, options, |_, _| ()).await.map(|_| ())
    }

    /// Lines are made by [`RoomsHandle::open_line`] alone; whoever comes finds them or has no business there.
    pub(super) fn may_make(&self, room: &RoomName) -> Result<(), RoomError> {
        if room.is_line() && self.shared.find(room).is_none() {
            return Err(RoomError::NotAllowed);
        }
        Ok(())
    }
}
