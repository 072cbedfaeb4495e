//! Messages callers left.

use crate::body::{Asked, Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::transcription::TranscriptJson;
use crate::wire::{Cursor, Listing, page, seconds, stamp};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_model::record::Voicemail;
use strowger_model::role::Permission;
use strowger_model::{UserId, VoicemailId};
use strowger_store::{Actor, VoicemailFilter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoicemailJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// Whose mailbox.
    user_id: Uuid,
    /// The call it was left in.
    call_id: Uuid,
    /// Who left it.
    from_number: String,
    /// The number they dialled.
    to_number: String,
    /// Its audio.
    recording_id: Uuid,
    /// The audio's id in Twilio's form.
    recording_sid: String,
    /// Where its audio is.
    recording_url: String,
    /// Its length.
    duration_seconds: i64,
    /// The id of its transcript.
    transcription_id: Option<Uuid>,
    /// Whether it was listened to.
    is_read: bool,
    /// Whether it lies in the trash.
    is_deleted: bool,
    /// When it was left.
    created_at: String,
    /// What was said, in the answer for one message only.
    #[serde(skip_serializing_if = "Option::is_none")]
    transcription: Option<TranscriptJson>,
}

impl From<Voicemail> for VoicemailJson {
    fn from(message: Voicemail) -> Self {
        Self {
            id: message.id.uuid(),
            tenant_id: message.tenant.uuid(),
            user_id: message.user.uuid(),
            call_id: message.call.uuid(),
            from_number: message.from_number,
            to_number: message.to_number,
            recording_id: message.recording.uuid(),
            recording_sid: format!("RE{}", message.recording.uuid().simple()),
            recording_url: format!("/api/recordings/{}/audio", message.recording),
            duration_seconds: seconds(message.duration_ms),
            transcription_id: None,
            is_read: message.is_read,
            is_deleted: message.is_deleted,
            created_at: stamp(message.created_at),
            transcription: None,
        }
    }
}

/// Which messages are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesQuery {
    /// Messages of this user.
    user_id: Option<Uuid>,
    /// Only those that were listened to, or were not.
    is_read: Option<bool>,
    /// Those in the trash; the others when absent.
    is_deleted: Option<bool>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists messages, newest first.
#[utoipa::path(
    get, path = "/api/voicemail/messages", tag = "voicemail", params(MessagesQuery),
    responses((status = 200, description = "The messages", body = Listing<VoicemailJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<MessagesQuery>,
) -> Result<Json<Listing<VoicemailJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let filter = VoicemailFilter {
        user: query.user_id.map(UserId::from_uuid),
        is_read: query.is_read,
        in_trash: query.is_deleted.unwrap_or(false),
    };
    let paged = scope
        .voicemails()
        .list(&filter, &page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, VoicemailJson::from)))
}

/// One message with what was said.
#[utoipa::path(
    get, path = "/api/voicemail/messages/{id}", tag = "voicemail",
    params(("id" = Uuid, Path, description = "The message's id")),
    responses((status = 200, description = "The message", body = VoicemailJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<VoicemailId>) -> Result<Json<VoicemailJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let message = scope.voicemails().get(id).await?;
    let message = message.ok_or_else(|| Problem::not_found("message"))?;
    let transcript = scope.transcripts().of_recording(message.recording).await?;
    let mut json = VoicemailJson::from(message);
    json.transcription_id = transcript.as_ref().map(|transcript| transcript.id.uuid());
    json.transcription = transcript.map(TranscriptJson::from);
    Ok(Json(json))
}

/// Whether a message was listened to.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ReadBody {
    /// Read (when absent) or unread.
    #[serde(default = "yes")]
    is_read: bool,
}

const fn yes() -> bool {
    true
}

impl Checked for ReadBody {
    fn check(&self, _faults: &mut Faults) {}
}

/// Marks a message read, or unread.
#[utoipa::path(
    patch, path = "/api/voicemail/messages/{id}/read", tag = "voicemail",
    params(("id" = Uuid, Path, description = "The message's id")), request_body = ReadBody,
    responses((status = 200, description = "The message as it is now", body = VoicemailJson), Refusals, Named, Sent)
)]
pub(crate) async fn read(
    caller: Caller,
    Id(id): Id<VoicemailId>,
    Body(body): Body<ReadBody>,
) -> Result<Json<VoicemailJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let missing = || Problem::not_found("message");
    let actor = Actor::named(caller.actor());
    if body.is_read {
        scope.voicemails().mark_read(&actor, id).await?;
    } else {
        scope.voicemails().mark_unread(&actor, id).await?;
    }
    let message = scope.voicemails().get(id).await?.ok_or_else(missing)?;
    Ok(Json(message.into()))
}

/// Puts a message into the trash; it is removed for good when its retention is over.
#[utoipa::path(
    delete, path = "/api/voicemail/messages/{id}", tag = "voicemail",
    params(("id" = Uuid, Path, description = "The message's id")),
    responses((status = 204, description = "It lies in the trash"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<VoicemailId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let removed = scope.voicemails().remove(&Actor::named(caller.actor()), id).await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("message"))
    }
}

/// Takes a message out of the trash.
#[utoipa::path(
    post, path = "/api/voicemail/messages/{id}/restore", tag = "voicemail",
    params(("id" = Uuid, Path, description = "The message's id")),
    responses((status = 200, description = "The message as it is now", body = VoicemailJson), Refusals, Named)
)]
pub(crate) async fn restore(caller: Caller, Id(id): Id<VoicemailId>) -> Result<Json<VoicemailJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let missing = || Problem::not_found("message");
    scope.voicemails().restore(&Actor::named(caller.actor()), id).await?;
    let message = scope.voicemails().get(id).await?.ok_or_else(missing)?;
    Ok(Json(message.into()))
}
