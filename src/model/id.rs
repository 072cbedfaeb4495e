//! Identifiers: one type a thing, all UUID version 7, so that rows sort by creation.

use crate::World;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text that is no identifier.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("not an identifier of a {what}")]
pub struct InvalidId {
    /// The kind of thing that was asked for.
    pub what: &'static str,
}

fn version_7(world: &dyn World) -> Uuid {
    let millis = u64::try_from(world.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    let mut random = [0u8; 10];
    world.fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a fresh identifier from the world's time and chance.
            #[must_use]
            pub fn generate(world: &dyn World) -> Self {
                Self(version_7(world))
            }

            /// The identifier as a UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Wraps a UUID that is already known to name such a thing.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { what: $what })
            }
        }
    )*};
}

ids! {
    /// An organisation that owns data.
    TenantId = "tenant";
    /// A person who signs in or can be called.
    UserId = "user";
    /// A phone or browser of a user.
    DeviceId = "device";
    /// A provider we exchange calls with.
    TrunkId = "trunk";
    /// A public or internal number that callers dial.
    NumberId = "number";
    /// Audio that comes from outside, until it is a recording.
    UploadId = "upload";
    /// An IVR graph through all its versions.
    FlowId = "flow";
    /// One frozen form of a flow.
    FlowVersionId = "flow version";
    /// Audio we play.
    PromptId = "prompt";
    /// The whole affair, from the first leg to the last.
    CallId = "call";
    /// One party's connection to us within a call.
    LegId = "leg";
    /// Raw packets of a call as they came.
    CaptureId = "capture";
    /// The finished, sealed audio people listen to.
    RecordingId = "recording";
    /// The text of a recording.
    TranscriptId = "transcript";
    /// A question that was put to the search by meaning.
    QuestionId = "question";
    /// A message left by a caller.
    VoicemailId = "voicemail";
    /// A greeting of a mailbox.
    GreetingId = "greeting";
    /// A piece of background work.
    JobId = "job";
    /// A meeting.
    RoomId = "room";
    /// A link with which guests join a meeting.
    GuestLinkId = "guest link";
    /// A program's key to the REST interface.
    TokenId = "token";
    /// A signed-in browser.
    SessionId = "session";
    /// One line of the audit log.
    AuditId = "audit entry";
    /// An address that is told what happens in rooms.
    WebhookId = "webhook";
    /// A notification row.
    NoticeId = "notice";
}
