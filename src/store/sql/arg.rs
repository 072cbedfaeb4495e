//! Arguments of statements: every domain type as one of the four portable ones.

use serde_json::Value;
use strowger_model as model;
use time::OffsetDateTime;

/// An argument of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
    Real(Option<f64>),
    Bytes(Option<Vec<u8>>),
}

/// A value that can be bound.
pub(crate) trait ToArg {
    /// The argument that stands for SQL `null` of this type: PostgreSQL wants even that typed.
    const NULL: Arg;
    fn arg(&self) -> Arg;
}

/// Arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::ToArg::arg(&$value)),*] };
}
pub(crate) use args;

impl<T: ToArg + ?Sized> ToArg for &T {
    const NULL: Arg = T::NULL;
    fn arg(&self) -> Arg {
        (**self).arg()
    }
}

impl<T: ToArg> ToArg for Option<T> {
    const NULL: Arg = T::NULL;
    fn arg(&self) -> Arg {
        self.as_ref().map_or(T::NULL, ToArg::arg)
    }
}

impl ToArg for str {
    const NULL: Arg = Arg::Text(None);
    fn arg(&self) -> Arg {
        Arg::Text(Some(self.to_owned()))
    }
}

impl ToArg for String {
    const NULL: Arg = Arg::Text(None);
    fn arg(&self) -> Arg {
        Arg::Text(Some(self.clone()))
    }
}

impl ToArg for Value {
    const NULL: Arg = Arg::Text(None);
    fn arg(&self) -> Arg {
        Arg::Text(Some(self.to_string()))
    }
}

impl ToArg for model::Metadata {
    const NULL: Arg = Arg::Text(None);
    fn arg(&self) -> Arg {
        Arg::Text(Some(self.text().to_owned()))
    }
}

impl ToArg for i64 {
    const NULL: Arg = Arg::Int(None);
    fn arg(&self) -> Arg {
        Arg::Int(Some(*self))
    }
}

impl ToArg for Vec<u8> {
    const NULL: Arg = Arg::Bytes(None);
    fn arg(&self) -> Arg {
        Arg::Bytes(Some(self.clone()))
    }
}

impl ToArg for bool {
    const NULL: Arg = Arg::Int(None);
    fn arg(&self) -> Arg {
        Arg::Int(Some(i64::from(*self)))
    }
}

impl ToArg for f64 {
    const NULL: Arg = Arg::Real(None);
    fn arg(&self) -> Arg {
        Arg::Real(Some(*self))
    }
}

impl ToArg for OffsetDateTime {
    const NULL: Arg = Arg::Int(None);
    fn arg(&self) -> Arg {
        Arg::Int(Some(millis(*self)))
    }
}

/// Milliseconds since 1970, as stored.
pub(crate) fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl ToArg for model::$name {
            const NULL: Arg = Arg::Text(None);
            fn arg(&self) -> Arg {
                Arg::Text(Some(self.to_string()))
            }
        }
    )*};
}

ids!(
    TenantId,
    UserId,
    DeviceId,
    TrunkId,
    NumberId,
    FlowId,
    FlowVersionId,
    PromptId,
    CallId,
    LegId,
    CaptureId,
    RecordingId,
    TranscriptId,
    UploadId,
    QuestionId,
    VoicemailId,
    GreetingId,
    JobId,
    RoomId,
    GuestLinkId,
    TokenId,
    WebhookId,
    SessionId,
    NoticeId
);

macro_rules! codes {
    ($($name:path),*) => {$(
        impl ToArg for $name {
            const NULL: Arg = Arg::Text(None);
            fn arg(&self) -> Arg {
                Arg::Text(Some(self.code().to_owned()))
            }
        }
    )*};
}

codes!(
    model::CallState,
    model::CallType,
    model::ConsentOutcome,
    model::Direction,
    model::HangupCause,
    model::Role,
    model::job::JobState,
    model::job::NoticeKind,
    model::trunk::DigestAlgorithm,
    model::trunk::Transport,
    model::trunk::TrunkKind,
    model::settings::Lock,
    model::settings::Tier
);
