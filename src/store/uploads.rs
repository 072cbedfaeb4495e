//! Audio that comes from outside, in pieces, until it is whole and becomes a recording.
//!
//! Each piece is a sealed blob, so nothing lies here in clear and a cut upload goes on where it stood. What is
//! never finished goes after a day. Whole, it belongs to a call: the one it was made for, or one of its own.

use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Row, Tx, args};
use crate::{Error, Result, Scope, Store, queue};
use serde::{Deserialize, Serialize};
use strowger_model::job::Job;
use strowger_model::record::{Call, Recording};
use strowger_model::settings::Settings;
use strowger_model::{CallId, CallState, CallType, Direction, HangupCause, Metadata, RecordingId, TenantId, UploadId};
use time::{Duration, OffsetDateTime};

/// How long an upload may take.
const OPEN: Duration = Duration::days(1);
/// How long one that is whole is kept when nothing can be made of it.
const WHOLE: Duration = Duration::days(7);
const MB: u64 = 1_000_000;

/// What the call of an imported recording was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What people call the recording.
    pub name: String,
    /// Who called.
    pub from_number: String,
    /// Who was called.
    pub to_number: String,
    /// Which way.
    pub direction: Direction,
    /// When it began.
    #[serde(with = "time::serde::timestamp")]
    pub started_at: OffsetDateTime,
}

/// What an upload is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A recording with a call of its own.
    Import(About),
    /// A further recording of a call there is, made where the call was held.
    Client(CallId),
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The call it belongs to; none yet for an import that is not whole.
    pub call: Option<CallId>,
    /// The recording it becomes, once whole.
    pub recording: Option<RecordingId>,
    /// `open` or `whole`.
    pub state: String,
    /// The file's own name; its ending helps to tell formats apart.
    pub file_name: String,
    /// Who uploads it.
    pub actor: String,
    /// How long it will be.
    pub length_bytes: u64,
    /// How much is here.
    pub offset_bytes: u64,
    /// When it is given up.
    pub expires_at: OffsetDateTime,
}

/// What became of the wish to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It may begin.
    Open(Upload),
    /// It is empty, or larger than this many bytes.
    TooLarge(u64),
    /// Uploads that are here already leave no room; in all they may take this many bytes.
    Full(u64),
    /// The settings want no recordings of clients.
    Off,
    /// There is no such call.
    NoCall,
}

/// What became of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is kept; this is how it stands.
    Kept(Upload),
    /// It does not begin where the upload stands, or goes beyond its end.
    Misplaced(Upload),
    /// There is no such upload, or it is whole.
    Gone,
}

area! {
    /// The uploads of the tenant.
    Uploads, uploads
}

fn bytes(row: &Row, column: &'static str) -> Result<u64> {
    Ok(u64::try_from(row.int(column)?).unwrap_or(0))
}

fn upload_of(row: &Row) -> Result<Upload> {
    Ok(Upload {
        id: row.parse("id")?,
        call: row.opt_parse("call_id")?,
        recording: row.opt_parse("recording_id")?,
        state: row.text("state")?,
        file_name: row.text("file_name")?,
        actor: row.text("actor")?,
        length_bytes: bytes(row, "length_bytes")?,
        offset_bytes: bytes(row, "offset_bytes")?,
        expires_at: row.time("expires_at")?,
    })
}

fn whole(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn megabytes(settings: &Settings, name: &str) -> u64 {
    u64::try_from(settings.number(name)).unwrap_or(0) * MB
}

impl Uploads {
    /// Begins an upload of `length_bytes`, if settings and room allow it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn begin(&self, actor: &Actor, wish: Wish, file_name: &str, length_bytes: u64) -> Result<Begun> {
        let scope = &self.scope;
        let settings = scope.settings().resolve().await?;
        let largest = megabytes(&settings, "upload_limit_mb");
        if length_bytes == 0 || length_bytes > largest {
            return Ok(Begun::TooLarge(largest));
        }
        let (call, about) = match wish {
            Wish::Client(_) if !settings.switch("client_recordings") => return Ok(Begun::Off),
            Wish::Client(call) if scope.calls().get(call).await?.is_none() => return Ok(Begun::NoCall),
            Wish::Client(call) => (Some(call), serde_json::json!({})),
            Wish::Import(about) => (None, serde_json::json!(about)),
        };
        let mut tx = scope.write().await?;
        let room = megabytes(&settings, "upload_quota_mb");
        let row = tx
            .one(
                "select cast(coalesce(sum(length_bytes), 0) as bigint) as taken from uploads where tenant_id = $1",
                args![scope.tenant()],
            )
            .await?;
        let taken = row.map_or(Ok(0), |row| bytes(&row, "taken"))?;
        if taken + length_bytes > room {
            return Ok(Begun::Full(room));
        }
        let now = scope.now();
        let upload = Upload {
            id: UploadId::generate(scope.world()),
            call,
            recording: None,
            state: "open".to_owned(),
            file_name: file_name.chars().take(200).collect(),
            actor: actor.name().to_owned(),
            length_bytes,
            offset_bytes: 0,
            expires_at: now + OPEN,
        };
        tx.run(
            "insert into uploads (id, tenant_id, call_id, recording_id, state, file_name, about, actor, \
             length_bytes, offset_bytes, created_at, expires_at) \
             values ($1, $2, $3, null, 'open', $4, $5, $6, $7, 0, $8, $9)",
            args![
                upload.id,
                scope.tenant(),
                upload.call,
                upload.file_name,
                about,
                upload.actor,
                whole(length_bytes),
                now,
                upload.expires_at
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(Begun::Open(upload))
    }

    /// One upload.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, upload: UploadId) -> Result<Option<Upload>> {
        self.read(&mut self.scope.read().await?, upload).await
    }

    async fn read(&self, tx: &mut Tx, upload: UploadId) -> Result<Option<Upload>> {
        tx.one(
            "select id, call_id, recording_id, state, file_name, actor, length_bytes, offset_bytes, expires_at \
             from uploads where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), upload],
        )
        .await?
        .map(|row| upload_of(&row))
        .transpose()
    }

    /// Keeps the piece that begins at `offset`. The last one makes a recording of the whole, whose audio a worker
    /// prepares.
    ///
    /// # Errors
    /// The piece cannot be written, or the database did not answer.
    pub async fn append(&self, actor: &Actor, upload: UploadId, offset: u64, piece: &[u8]) -> Result<Appended> {
        let length = piece.len() as u64;
        let Some(found) = self.get(upload).await?.filter(|found| found.state == "open") else {
            return Ok(Appended::Gone);
        };
        if found.offset_bytes != offset || offset + length > found.length_bytes {
            return Ok(Appended::Misplaced(found));
        }
        if piece.is_empty() {
            return Ok(Appended::Kept(found));
        }
        let blob = self.scope.blobs().put(piece).await?;
        let kept = self.note_piece(actor, &found, (&blob, length)).await;
        if !matches!(kept, Ok(Appended::Kept(_))) {
            self.scope.blobs().erase(&blob).await?;
        }
        kept
    }

    async fn note_piece(&self, actor: &Actor, found: &Upload, (blob, length): (&str, u64)) -> Result<Appended> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        // Of two who send the same piece at once, one moves the offset on.
        let moved = tx
            .run(
                "update uploads set offset_bytes = offset_bytes + $4 \
                 where tenant_id = $1 and id = $2 and state = 'open' and offset_bytes = $3",
                args![tenant, found.id, whole(found.offset_bytes), whole(length)],
            )
            .await?;
        if moved == 0 {
            let now = self.read(&mut tx, found.id).await?;
            return Ok(now.map_or(Appended::Gone, Appended::Misplaced));
        }
        tx.run(
            "insert into upload_pieces (upload_id, position, tenant_id, blob, size_bytes) values ($1, $2, $3, $4, $5)",
            args![found.id, whole(found.offset_bytes), tenant, blob, whole(length)],
        )
        .await?;
        if found.offset_bytes + length == found.length_bytes {
            self.become_recording(&mut tx, actor, found).await?;
        }
        let now = self.read(&mut tx, found.id).await?;
        tx.commit().await?;
        Ok(now.map_or(Appended::Gone, Appended::Kept))
    }

    async fn become_recording(&self, tx: &mut Tx, actor: &Actor, upload: &Upload) -> Result<()> {
        let scope = &self.scope;
        let (tenant, now) = (scope.tenant(), scope.now());
        let recording = RecordingId::generate(scope.world());
        let (call, name, recorded_by, created_at) = match upload.call {
            Some(call) => (call, upload.file_name.clone(), "client", now),
            None => {
                let about = self.about(tx, upload.id).await?;
                let call = self.call_of(&about);
                crate::calls::put_call(tx, &call).await?;
                crate::calls::search::refresh(tx, tenant, call.id).await?;
                (call.id, about.name, Recording::IMPORT, about.started_at)
            }
        };
        tx.run(
            "insert into recordings (id, tenant_id, call_id, capture_id, state, problem, name, description, format, \
             duration_ms, size_bytes, sha256, blob, peaks, recorded_by, held, created_at) \
             values ($1, $2, $3, null, 'captured', null, $4, '', '', 0, 0, '', null, '[]', $5, 0, $6)",
            args![recording, tenant, call, name, recorded_by, created_at],
        )
        .await?;
        tx.run(
            "update uploads set state = 'whole', call_id = $3, recording_id = $4, expires_at = $5 \
             where tenant_id = $1 and id = $2",
            args![tenant, upload.id, call, recording, now + WHOLE],
        )
        .await?;
        let job = Job::ImportRecording {
            tenant,
            recording,
            upload: upload.id,
        };
        queue::ask(tx, scope.store(), &job).await?;
        scope
            .note(tx, actor, "recording.upload", &recording, &upload.file_name)
            .await
    }

    async fn about(&self, tx: &mut Tx, upload: UploadId) -> Result<About> {
        let row = tx
            .one(
                "select about from uploads where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), upload],
            )
            .await?;
        row.ok_or(Error::Dangling)?.json("about")
    }

    /// The call of an import: it is over; how long it was, its audio will tell.
    fn call_of(&self, about: &About) -> Call {
        Call {
            id: CallId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            user: None,
            direction: about.direction,
            call_type: match about.direction {
                Direction::Inbound => CallType::CustomerInbound,
                Direction::Outbound => CallType::CustomerOutbound,
                Direction::Internal => CallType::Internal,
            },
            state: CallState::Completed,
            from_number: about.from_number.clone(),
            from_name: None,
            to_number: about.to_number.clone(),
            started_at: about.started_at,
            answered_at: Some(about.started_at),
            ended_at: Some(about.started_at),
            duration_ms: 0,
            cause: Some(HangupCause::Normal),
            flow_version: None,
            notes: String::new(),
            metadata: Metadata::empty(),
            transcribe: false,
            cost_micros: 0,
            currency: String::new(),
            tags: vec!["imported".to_owned()],
        }
    }

    /// The whole of an upload; `None` once it is erased.
    ///
    /// # Errors
    /// A piece cannot be read, or the database did not answer.
    pub async fn whole(&self, upload: UploadId) -> Result<Option<Vec<u8>>> {
        let pieces = pieces(&mut self.scope.read().await?, self.scope.tenant(), upload).await?;
        if pieces.is_empty() {
            return Ok(None);
        }
        let mut all = Vec::new();
        for blob in pieces {
            all.append(&mut self.scope.blobs().get(&blob).await?);
        }
        Ok(Some(all))
    }

    /// The recording is made: its own call has its length now, and the upload goes.
    ///
    /// # Errors
    /// The database did not answer, or a file cannot be removed.
    pub async fn done(&self, upload: UploadId, duration_ms: i64) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update calls set duration_ms = $3, ended_at = started_at + $3 where tenant_id = $1 and duration_ms = 0 \
             and id in (select u.call_id from uploads u join recordings r on r.id = u.recording_id \
             where u.tenant_id = $1 and u.id = $2 and r.recorded_by = 'import')",
            args![self.scope.tenant(), upload, duration_ms],
        )
        .await?;
        self.finish(tx, upload).await
    }

    /// Gives an upload up. Returns whether there was one.
    ///
    /// # Errors
    /// It is whole already, the database did not answer, or a file cannot be removed.
    pub async fn remove(&self, upload: UploadId) -> Result<bool> {
        let Some(found) = self.get(upload).await? else {
            return Ok(false);
        };
        if found.state != "open" {
            return Err(Error::State {
                what: "this upload",
                state: found.state,
                wish: "be given up",
            });
        }
        self.finish(self.scope.write().await?, upload).await?;
        Ok(true)
    }

    async fn finish(&self, mut tx: Tx, upload: UploadId) -> Result<()> {
        let tenant = self.scope.tenant();
        let gone = destroy(&mut tx, tenant, upload).await?;
        tx.commit().await?;
        self.scope.blobs().unlink(&gone).await
    }
}

async fn pieces(tx: &mut Tx, tenant: TenantId, upload: UploadId) -> Result<Vec<String>> {
    tx.all(
        "select blob from upload_pieces where tenant_id = $1 and upload_id = $2 order by position",
        args![tenant, upload],
    )
    .await?
    .iter()
    .map(|row| row.text("blob"))
    .collect()
}

/// Destroys the keys of an upload and its rows. Returns the blobs whose files are to be removed after the commit.
async fn destroy(tx: &mut Tx, tenant: TenantId, upload: UploadId) -> Result<Vec<String>> {
    let gone = pieces(tx, tenant, upload).await?;
    for blob in &gone {
        crate::blobs::destroy_key(tx, tenant, blob).await?;
    }
    tx.run(
        "delete from uploads where tenant_id = $1 and id = $2",
        args![tenant, upload],
    )
    .await?;
    Ok(gone)
}

/// As [`destroy`], for what a recording was to be made of.
pub(crate) async fn destroy_of(tx: &mut Tx, tenant: TenantId, recording: RecordingId) -> Result<Vec<String>> {
    let row = tx
        .one(
            "select id from uploads where tenant_id = $1 and recording_id = $2",
            args![tenant, recording],
        )
        .await?;
    match row {
        Some(row) => destroy(tx, tenant, row.parse("id")?).await,
        None => Ok(Vec::new()),
    }
}

impl Store {
    /// Gives up uploads whose time is over. Returns how many went.
    ///
    /// # Errors
    /// The database did not answer, or a file cannot be removed.
    pub async fn sweep_uploads(&self) -> Result<u64> {
        let rows = self
            .read_all()
            .await?
            .all(
                "select tenant_id, id from uploads where expires_at <= $1 order by id limit 1000",
                args![self.now()],
            )
            .await?;
        for row in &rows {
            let scope: Scope = self.tenant(row.parse("tenant_id")?);
            let uploads = scope.uploads();
            uploads.finish(scope.write().await?, row.parse("id")?).await?;
        }
        Ok(rows.len() as u64)
    }
}
