//! The rows of the product as values: what `store` gives and takes, what `console` and `api` show.
//!
//! Each struct is one row or one row with what is always shown beside it. Times are UTC.

use crate::job::{JobState, NoticeKind};
use crate::trunk::{DigestAlgorithm, NumberTarget, Transport, TrunkKind};
use crate::{
    CallId, CallState, CallType, CaptureId, ConsentOutcome, DeviceId, Direction, FlowId, FlowVersionId, GreetingId,
    HangupCause, JobId, LegId, Metadata, NoticeId, NumberId, PromptId, RecordingId, Role, RoomId, TenantId, TokenId,
    TrunkId, UserId, VoicemailId, WebhookId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// An organisation that owns data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name, unique on this machine, as shown.
    pub name: String,
    /// The SIP digest realm and domain of its devices; frozen at creation, unique.
    pub realm: String,
    /// Whether it may place and receive calls.
    pub active: bool,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A person who signs in or can be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their tenant; `None` for a platform administrator.
    pub tenant: Option<TenantId>,
    /// Their address, unique on this machine; how they sign in.
    pub email: String,
    /// Their name as shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The short number others of the tenant dial, unique in the tenant.
    pub extension: Option<String>,
    /// Whether they may sign in and be called.
    pub active: bool,
    /// When they were made.
    pub created_at: OffsetDateTime,
}

/// A phone of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// What people call it.
    pub name: String,
    /// The SIP user name, unique on this machine.
    pub username: String,
    /// The digest algorithm it is known to take.
    pub algorithm: DigestAlgorithm,
    /// Whether it may register and call.
    pub active: bool,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Where a device can be reached now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The device.
    pub device: DeviceId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The Contact URI as the device gave it.
    pub contact: String,
    /// Where its packets came from and ours go to, `address:port`.
    pub source: String,
    /// How they travel.
    pub transport: Transport,
    /// The Call-ID of its registration.
    pub sip_call_id: String,
    /// The CSeq of its last REGISTER.
    pub cseq: i64,
    /// The `+sip.instance` of the device, if it gave one.
    pub instance: Option<String>,
    /// The device's User-Agent.
    pub user_agent: Option<String>,
    /// When it ends unless refreshed.
    pub expires_at: OffsetDateTime,
}

/// A provider we exchange calls with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Its id.
    pub id: TrunkId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// How we know each other.
    pub kind: TrunkKind,
    /// The provider's host, name or address.
    pub host: String,
    /// The provider's port.
    pub port: u16,
    /// How SIP travels to it.
    pub transport: Transport,
    /// Addresses (or networks in CIDR form) its calls come from besides `host`.
    pub addresses: Vec<String>,
    /// The user name it knows us by, for registration and for its challenges.
    pub username: Option<String>,
    /// The prefix of dialled numbers that go out here; the longest prefix of all trunks wins, empty fits all.
    pub prefix: String,
    /// The most calls at once.
    pub max_calls: i64,
    /// Whether it is used.
    pub active: bool,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A number that callers dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Its id.
    pub id: NumberId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The number as dialled, normalised, unique on this machine.
    pub number: String,
    /// What people call it.
    pub friendly_name: String,
    /// What happens to callers; `None` refuses them.
    pub target: Option<NumberTarget>,
    /// Says `record` or not for calls to this number; `None` leaves it to the settings.
    pub record: Option<bool>,
    /// Whether calls are taken.
    pub active: bool,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A flow with its draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its id.
    pub id: FlowId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// The editable form.
    pub draft: Value,
    /// The version that calls take, if one was published.
    pub published: Option<FlowVersionId>,
    /// The number of that version.
    pub published_number: Option<i64>,
    /// How many calls it has taken.
    pub total_calls: i64,
    /// When it last took one.
    pub last_used_at: Option<OffsetDateTime>,
    /// When its draft last changed.
    pub updated_at: OffsetDateTime,
}

/// A frozen form of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowVersion {
    /// Its id.
    pub id: FlowVersionId,
    /// The flow.
    pub flow: FlowId,
    /// 1, 2, 3 …
    pub number: i64,
    /// The graph.
    pub definition: Value,
    /// `rendering` until all its fixed texts have audio, then `ready`; `failed` with the reason.
    pub state: String,
    /// Why it failed.
    pub problem: Option<String>,
    /// Who published it.
    pub published_by: String,
    /// When.
    pub created_at: OffsetDateTime,
}

/// Audio we play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Its id.
    pub id: PromptId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people and flows call it, unique in the tenant.
    pub name: String,
    /// `pending`, `ready` or `failed`.
    pub state: String,
    /// Why it failed.
    pub problem: Option<String>,
    /// Length once ready.
    pub duration_ms: i64,
    /// The name of the uploaded file.
    pub source_name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// One party's connection within a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Its id.
    pub id: LegId,
    /// The call.
    pub call: CallId,
    /// `caller` or `callee`.
    pub side: String,
    /// Who is at the other end: user's name, trunk's name, or number.
    pub party: String,
    /// The device, if it is one of ours.
    pub device: Option<DeviceId>,
    /// The trunk, if it goes through one.
    pub trunk: Option<TrunkId>,
    /// The user, if it is one of the tenant's.
    #[serde(default)]
    pub user: Option<UserId>,
    /// Whether its far end is a browser.
    #[serde(default)]
    pub browser: bool,
    /// The Call-ID header.
    pub sip_call_id: String,
    /// The codec in use once agreed.
    pub codec: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was answered.
    pub answered_at: Option<OffsetDateTime>,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// Why it ended.
    pub cause: Option<HangupCause>,
    /// Counted at its end.
    pub quality: Option<Quality>,
}

/// What RTP and RTCP said of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Mean inter-arrival jitter, milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// Round trip, milliseconds, where the far end reports.
    pub round_trip_ms: Option<f64>,
    /// Mean opinion score estimate, 1 to 4.5 (E-model without echo).
    pub mos: Option<f64>,
}

/// Something that happened in a call, for its page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallEvent {
    /// When.
    pub at: OffsetDateTime,
    /// What, in a word: `invite`, `ringing`, `answered`, `node`, `digit`, `bridge`, `hold`, `bye` …
    pub kind: String,
    /// The leg, where it concerns one.
    pub leg: Option<LegId>,
    /// What is worth knowing, for people.
    pub detail: String,
}

/// What a party of a call was told before it was recorded, and what it answered. Kept apart from the audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// When.
    pub at: OffsetDateTime,
    /// The leg of that party.
    pub leg: Option<LegId>,
    /// Its number or name.
    pub party: String,
    /// What came of it.
    pub outcome: ConsentOutcome,
    /// The key it pressed.
    pub digit: Option<char>,
    /// What it was told, word for word; empty where only a beep sounded.
    pub text: String,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The user it belongs to: who was called, or who calls.
    pub user: Option<UserId>,
    /// Which way it went.
    pub direction: Direction,
    /// Who with whom.
    pub call_type: CallType,
    /// Where it stands.
    pub state: CallState,
    /// The caller's number.
    pub from_number: String,
    /// The caller's name, where known.
    pub from_name: Option<String>,
    /// The dialled number.
    pub to_number: String,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was answered.
    pub answered_at: Option<OffsetDateTime>,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// From answer to end, milliseconds; 0 when never answered.
    pub duration_ms: i64,
    /// Why it ended.
    pub cause: Option<HangupCause>,
    /// The flow version that ran.
    pub flow_version: Option<FlowVersionId>,
    /// What a person noted.
    pub notes: String,
    /// What the program that placed it gave along, returned as it came.
    pub metadata: Metadata,
    /// Whether transcription was asked for.
    pub transcribe: bool,
    /// Its cost in millionths of the currency; 0 until rated.
    pub cost_micros: i64,
    /// The currency of the cost.
    pub currency: String,
    /// Its tags, sorted.
    pub tags: Vec<String>,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Its id.
    pub id: RecordingId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// The capture it is made from; `None` once that is erased.
    pub capture: Option<CaptureId>,
    /// `recording` while its meeting runs, then `captured`, `ready`, `failed` or `erased`.
    pub state: String,
    /// Why it failed.
    pub problem: Option<String>,
    /// What people call it.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// `ogg/opus`, stereo, caller left.
    pub format: String,
    /// Length.
    pub duration_ms: i64,
    /// Size of the sealed audio before sealing, bytes.
    pub size_bytes: i64,
    /// SHA-256 of the audio before sealing, hexadecimal.
    pub sha256: String,
    /// The key of its blob.
    pub blob: Option<String>,
    /// 400 peaks a channel, 0–255, for the player.
    pub peaks: Vec<Vec<u8>>,
    /// Who asked for it: `settings`, `number`, `api`, `voicemail`, `host`, `egress`, `import`, `client`.
    pub recorded_by: String,
    /// Whether a legal hold keeps it.
    pub held: bool,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// Samples a second; `None` until it is made, and for those made before this was kept.
    #[serde(default)]
    pub sample_rate_hz: Option<i64>,
}

impl Recording {
    /// [`Recording::recorded_by`] of what was made elsewhere and brought here with a call of its own.
    pub const IMPORT: &'static str = "import";
}

/// A message left by a caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voicemail {
    /// Its id.
    pub id: VoicemailId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whose mailbox.
    pub user: UserId,
    /// The call it was left in.
    pub call: CallId,
    /// Its audio.
    pub recording: RecordingId,
    /// Who left it.
    pub from_number: String,
    /// The number they dialled.
    pub to_number: String,
    /// Length of the message.
    pub duration_ms: i64,
    /// Whether it was listened to.
    pub is_read: bool,
    /// Whether it lies in the trash.
    pub is_deleted: bool,
    /// When it was left.
    pub created_at: OffsetDateTime,
}

/// A greeting of a mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    /// Its id.
    pub id: GreetingId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whose mailbox.
    pub user: UserId,
    /// What people call it.
    pub name: String,
    /// `personal`, `business`, `after-hours` or `holiday`.
    pub kind: String,
    /// Its text, when spoken by the machine.
    pub text: Option<String>,
    /// `pending`, `ready` or `failed`.
    pub state: String,
    /// Why it failed.
    pub problem: Option<String>,
    /// Whether callers hear it.
    pub is_default: bool,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people call it, unique in the tenant.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A program's key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// What it may do: the role it acts as.
    pub role: Role,
    /// When it ends, if ever.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A program's key to rooms: it signs tokens that say who may do what in which room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomKey {
    /// What tokens name it by, `API` and letters.
    pub id: String,
    /// Its tenant.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether the product signs its own tokens with it.
    pub own: bool,
    /// When a token signed with it was last shown, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A trunk as the `LiveKit` dialect knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SipTrunk {
    /// Its id (`ST_…`).
    pub id: String,
    /// Its tenant.
    pub tenant: TenantId,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// What programs wrote, without passwords.
    pub definition: serde_json::Value,
    /// The trunk of ours behind it.
    pub trunk: Option<TrunkId>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// A rule about which room calls go to, as calls obey it and as programs wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SipDispatchRule {
    /// What calls obey.
    pub rule: crate::dispatch::DispatchRule,
    /// What programs wrote.
    pub definition: serde_json::Value,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// An address that is told what happens in rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Where to.
    pub url: String,
    /// The room key its messages are signed with.
    pub key: String,
    /// When something was last told there.
    pub told_at: Option<OffsetDateTime>,
    /// Why the last telling failed, if it did.
    pub problem: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// An event that is told to an address, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookPost {
    /// Its number at that address.
    pub number: i64,
    /// What happened, such as `room_started`.
    pub event: String,
    /// `waiting`, `taken` or `given_up`.
    pub state: String,
    /// How often it was sent.
    pub tries: i64,
    /// Why it was not taken the last time.
    pub problem: Option<String>,
    /// When it is sent next, while it waits.
    pub due_at: OffsetDateTime,
    /// When it was taken or given up.
    pub told_at: Option<OffsetDateTime>,
    /// When it happened.
    pub created_at: OffsetDateTime,
}

/// A background job as the console shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its kind.
    pub kind: String,
    /// What it works on, as given to the worker.
    pub payload: Value,
    /// Where it stands.
    pub state: JobState,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong last.
    pub problem: Option<String>,
    /// Which worker has or had it.
    pub worker: Option<String>,
    /// How much of the running try is done, 0 to 100; stays 0 for what ends in a moment.
    pub percent: i64,
    /// Who asked it to stop.
    pub stopped_by: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it was last started.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

impl JobRow {
    /// Whether it can be stopped: it waits or runs, is one of those nothing else waits for, and nobody has asked yet.
    #[must_use]
    pub fn can_be_stopped(&self) -> bool {
        let is_open = matches!(self.state, JobState::Queued | JobState::Running);
        is_open && self.stopped_by.is_none() && STOPPABLE_JOBS.contains(&self.kind.as_str())
    }
}

/// The kinds of jobs that can be stopped: their result is missed by nobody but who reads it.
pub const STOPPABLE_JOBS: [&str; 3] = ["transcribe", "analyse", "retain"];

/// A notice for the people and programs of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The call it is about.
    pub call: Option<CallId>,
    /// What happened.
    pub kind: NoticeKind,
    /// For people.
    pub detail: String,
    /// When.
    pub created_at: OffsetDateTime,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: OffsetDateTime,
    /// Whose data; `None` for the platform's.
    pub tenant: Option<TenantId>,
    /// Who, as shown: an e-mail address, `token NAME`, or `system`.
    pub actor: String,
    /// What, as `area.verb`: `recording.play`, `user.create`.
    pub action: String,
    /// On what: an id or name.
    pub target: String,
    /// More, for people; never a secret.
    pub detail: String,
}
