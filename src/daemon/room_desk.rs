//! What a meeting's host asks of the recorder and of the phones.

use strowger_console::{RoomDesk, Soon};
use strowger_rooms::RoomName;
use strowger_store::Actor;
use strowger_switch::entrance::{DialIntoRoom, IntoRoom, WayIn};
use strowger_switch::io::SwitchHandle;
use strowger_switch::live::PlaceCall;
use tracing::info;

/// The switch, as hosts reach it.
pub(crate) struct HostDesk(pub(crate) SwitchHandle);

impl RoomDesk for HostDesk {
    fn record(&self, room: RoomName, on: bool) -> Soon<'_, bool> {
        Box::pin(async move {
            let Some(recorder) = self.0.recorder() else {
                return false;
            };
            recorder.record(room, on).await
        })
    }

    fn dial(&self, room: RoomName, number: String, actor: Actor) -> Soon<'_, bool> {
        Box::pin(async move {
            let order = PlaceCall {
                tenant: room.tenant,
                user: None,
                from: None,
                to: number,
                record: Some(false),
                transcribe: false,
                ring_timeout: None,
                metadata: strowger_model::Metadata::empty(),
                flow: None,
            };
            let into = IntoRoom {
                way: WayIn::to(room.name),
                trunk: None,
                digits: String::new(),
                max_duration: None,
            };
            let dial = DialIntoRoom {
                order,
                into,
                wait_until_answered: false,
            };
            match self.0.dial_into_room(dial).await {
                Ok(dialled) => {
                    info!(call_id = %dialled.call, ?actor, "a host calls somebody into a meeting");
                    true
                }
                Err(problem) => {
                    info!(
                        problem = &problem as &dyn std::error::Error,
                        "nobody is called into the meeting"
                    );
                    false
                }
            }
        })
    }
}
