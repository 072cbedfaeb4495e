//! Every byte at rest: rows, sealed blobs, the capture spool, the job queue.
//!
//! SQL exists in this crate only. Callers see areas that answer questions in words: a tenant's through
//! [`Store::tenant`], whose every statement carries the tenant's id, the platform's on [`Store`].
//! Both engines, SQLite and PostgreSQL, run the same statements. What is secret is sealed before it
//! is written: see [`keys`], [`blobs`] and [`capture`].
//!
//! Start reading at [`store`], then [`calls`], the busiest area.

mod accounts;
mod audit;
mod bindings;
pub mod blobs;
mod bucket;
pub mod calls;
pub mod capture;
mod compliance;
mod consents;
mod devices;
mod directory;
mod dispatch_rules;
mod doctor;
mod documents;
mod error;
mod flows;
mod greetings;
mod guest_links;
mod health;
pub mod keys;
mod meanings;
mod meetings;
mod migrate;
pub mod minutes;
mod notices;
mod numbers;
mod prompts;
mod provider_health;
mod providers;
pub mod queue;
mod recordings;
mod retention;
mod room_keys;
mod room_webhooks;
mod rooms;
mod samples;
mod scope;
mod settings;
mod shown;
mod signalling;
mod sip_trunks;
mod snapshot;
mod speech;
mod sql;
mod store;
mod subjects;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod transcripts;
mod trunks;
pub mod uploads;
mod users;
mod views;
mod voicemails;
mod world;

pub use accounts::{Account, Accounts, NewSession, Session};
pub use audit::{Actor, Audit, AuditFilter, Verdict};
pub use bindings::Bindings;
pub use blobs::{Blobs, Moved};
pub use bucket::{Bucket, BucketError};
pub use calls::{
    Beside, CallDetail, CallFilter, CallStats, Calls, Ended, FinishedCall, NewRecording, NewVoicemail, Part,
};
pub use compliance::Compliance;
pub use consents::Consents;
pub use devices::{DeviceChange, Devices, NewDevice};
pub use directory::{
    Directory, DirectorySnapshot, KnownDevice, KnownFlow, KnownPrompt, KnownSpeech, KnownTrunk, MailboxAudio,
};
pub use dispatch_rules::DispatchRules;
pub use doctor::{Examination, Finding};
pub use documents::{Answer, Documents, Hit, Narrowed, Where};
pub use error::{DatabaseError, Error, Result};
pub use flows::{Flows, NewFlow};
pub use greetings::{Greetings, NewGreeting};
pub use guest_links::{GuestLinks, NewGuestLink};
pub use health::{BucketHealth, Health};
pub use meanings::{ByMeaning, Meanings, StretchMeaning};
pub use meetings::{MeetingChange, Meetings};
pub use minutes::{MinutesArea, MinutesDetail, MinutesFilter};
pub use notices::Notices;
pub use numbers::{NewNumber, NumberChange, NumberPool, Numbers, PooledNumber, QUARANTINE};
pub use prompts::{PromptAudio, Prompts};
pub use provider_health::{ProviderBreaker, ProviderHealth, ProviderSpend, ProviderState, first_of_the_month};
pub use providers::{KnownProvider, KnownProviders, ProviderDays, ProviderFigures, ProviderTry};
pub use recordings::{Afterwards, RecordingResult, Recordings, Silenced, SilencedTrack, TrackResult};
pub use retention::{Due, Retention, RetentionReport};
pub use room_keys::{KnownRoomKey, NewRoomKey, RoomKeys};
pub use room_webhooks::RoomWebhooks;
pub use rooms::Rooms;
pub use scope::Scope;
pub use settings::{PlatformSettings, SettingsArea};
pub use shown::{CallBrief, DayFigures, Shown, Waiting};
pub use signalling::{Signalling, SignallingChunk};
pub use sip_trunks::{NewSipTrunk, SipTrunks};
pub use snapshot::{PUT_ASIDE_DAYS, PutAside, PutBack, mend, mend_thoroughly};
pub use speech::Speech;
pub use sql::{Page, Paged};
pub use store::{Store, StoreConfig};
pub use subjects::{Archive, Erasure, Findings, Subjects};
pub use tenants::{NewTenant, TenantChange, Tenants};
pub use tokens::{KnownToken, NewToken, Tokens};
pub use transcripts::{TranscriptFilter, TranscriptResult, Transcripts};
pub use trunks::{NewTrunk, TrunkChange, TrunkMinute, Trunks};
pub use users::{NewUser, UserChange, Users};
pub use views::{SavedView, Views};
pub use voicemails::{VoicemailFilter, Voicemails};
pub use world::SystemWorld;
