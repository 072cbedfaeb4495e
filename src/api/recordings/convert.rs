//! A recording in another format, made while it is sent. Decoders live in the worker's program only: it
//! is run as a child that sees this one recording and nothing else, and leaves no file.

use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Children at once; who comes later is asked to come again.
const AT_ONCE: usize = 2;
/// An hour of speech is decoded and encoded in far less, on a machine that has nothing else to do.
const LONGEST: Duration = Duration::from_secs(300);
const PIECE_BYTES: usize = 64 * 1024;

/// A format that recordings are converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Wav,
    Mp3,
    M4a,
}

impl Format {
    /// By the word a query uses.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "wav" => Some(Self::Wav),
            "mp3" => Some(Self::Mp3),
            "m4a" => Some(Self::M4a),
            _ => None,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::M4a => "m4a",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::M4a => "audio/mp4",
        }
    }
}

/// The program that converts, and how many of it run.
#[derive(Debug, Clone)]
pub struct Converter {
    program: PathBuf,
    hands: Arc<Semaphore>,
}

impl Converter {
    /// Converts by this program of the worker's.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            hands: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Answers with a recording in the format that `word` names, as a download called `name`: for pages, which share the
    /// hands of this machine with programs.
    pub async fn answer(&self, file: Vec<u8>, word: &str, name: &str) -> Response {
        match Format::of(word) {
            None => Problem::not_found("format").into_response(),
            Some(format) => self
                .respond(file, format, name)
                .await
                .unwrap_or_else(IntoResponse::into_response),
        }
    }

    /// Answers with `file` in another format, named `name`.
    pub(crate) async fn respond(&self, file: Vec<u8>, format: Format, name: &str) -> Result<Response, Problem> {
        let Ok(hand) = Arc::clone(&self.hands).try_acquire_owned() else {
            let problem = Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "at_limit",
                "other recordings are being converted",
            );
            return Err(problem.retry_after(Duration::from_secs(5)));
        };
        let mut child = Command::new(&self.program)
            .args(["convert", "--to", format.word()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|problem| Problem::internal(&problem))?;
        // The child reads all before it writes any: neither waits for the other.
        if let Some(mut input) = child.stdin.take()
            && let Err(problem) = input.write_all(&file).await
        {
            tracing::debug!(%problem, "the converter stopped reading");
        }
        let (first, rest) = match tokio::time::timeout(LONGEST, begin(child)).await {
            Ok(begun) => begun?,
            Err(_) => return Err(refused("it took too long")),
        };
        let headers = [
            (header::CONTENT_TYPE, format.media_type().to_owned()),
            (
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}.{}\"", format.word()),
            ),
            (header::CACHE_CONTROL, "private, no-store".to_owned()),
        ];
        Ok((headers, Body::from_stream(pieces(first, rest, hand))).into_response())
    }
}

fn refused(why: &str) -> Problem {
    let detail = format!("the recording cannot be converted: {why}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_converter", detail)
}

/// The child's first bytes, or what it says went wrong.
async fn begin(mut child: Child) -> Result<(Bytes, (Child, ChildStdout)), Problem> {
    let mut output = child.stdout.take().ok_or_else(|| refused("it says nothing"))?;
    let first = piece(&mut output)
        .await
        .map_err(|problem| Problem::internal(&problem))?;
    if !first.is_empty() {
        return Ok((first, (child, output)));
    }
    let mut said = String::new();
    if let Some(mut complaint) = child.stderr.take()
        && let Err(problem) = complaint.read_to_string(&mut said).await
    {
        tracing::debug!(%problem, "the converter's complaint cannot be read");
    }
    let why = said.trim().rsplit(": Caused by").next().unwrap_or_default().to_owned();
    Err(refused(if why.is_empty() {
        "the converter made nothing"
    } else {
        &why
    }))
}

async fn piece(output: &mut ChildStdout) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; PIECE_BYTES];
    let count = output.read(&mut bytes).await?;
    bytes.truncate(count);
    Ok(bytes.into())
}

/// What the child makes, as the connection takes it. A child that fails half-way breaks the connection.
fn pieces(
    first: Bytes,
    rest: (Child, ChildStdout),
    hand: OwnedSemaphorePermit,
) -> impl stream::Stream<Item = std::io::Result<Bytes>> {
    let left = Some((Some(first), rest, hand));
    stream::unfold(left, |left| async move {
        let (first, (mut child, mut output), hand) = left?;
        if let Some(first) = first {
            return Some((Ok(first), Some((None, (child, output), hand))));
        }
        match piece(&mut output).await {
            Ok(bytes) if bytes.is_empty() => match child.wait().await {
                Ok(status) if status.success() => None,
                Ok(status) => Some((
                    Err(std::io::Error::other(format!("the converter ended with {status}"))),
                    None,
                )),
                Err(problem) => Some((Err(problem), None)),
            },
            Ok(bytes) => Some((Ok(bytes), Some((None, (child, output), hand)))),
            Err(problem) => Some((Err(problem), None)),
        }
    })
}
