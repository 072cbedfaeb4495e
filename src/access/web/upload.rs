//! Forms with a file.

use super::form::{check, header_token};
use super::{Refusal, Signed};
use crate::{Access, csrf};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRef, FromRequest, Multipart, Request};
use axum::http::StatusCode;
use std::collections::BTreeMap;

/// The most bytes of one text field beside a file.
const FIELD_LIMIT_BYTES: usize = 64 * 1024;
/// The most bytes of a file.
pub const UPLOAD_LIMIT_BYTES: usize = 50 * 1024 * 1024;

/// A file as it was sent. Nothing about it is to be believed.
#[derive(Clone)]
pub struct Upload {
    /// The name it had at home.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A form with a file, posted by somebody signed in, with a valid token. The token stands in a header
/// or in a field **before** the file, so that nobody else's file is read.
#[derive(Clone)]
pub struct PostedUpload {
    /// Who posted it.
    pub who: Signed,
    /// The text fields.
    pub fields: BTreeMap<String, String>,
    /// The file, when one was chosen.
    pub file: Option<Upload>,
}

impl PostedUpload {
    /// A text field, empty when it was not sent.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl<S> FromRequest<S> for PostedUpload
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let who = Signed::find(&parts, Access::from_ref(state)).await?;
        let headers = parts.headers.clone();
        let mut proven = header_token(&headers).is_some_and(|given| check(&who, &headers, Some(&given)).is_ok());
        let mut request = Request::from_parts(parts, body);
        DefaultBodyLimit::max(UPLOAD_LIMIT_BYTES + FIELD_LIMIT_BYTES).apply(&mut request);
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|error| Refusal::BrokenForm(error.body_text()))?;
        let mut fields = BTreeMap::new();
        let mut file = None;
        while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            if let Some(file_name) = field.file_name().map(str::to_owned) {
                if !proven {
                    return Err(Refusal::ForeignForm);
                }
                let bytes = take(field, UPLOAD_LIMIT_BYTES).await?;
                if !bytes.is_empty() {
                    file = Some(Upload { name: file_name, bytes });
                }
                continue;
            }
            let text = String::from_utf8(take(field, FIELD_LIMIT_BYTES).await?)
                .map_err(|_| Refusal::BrokenForm(format!("{name} is not UTF-8")))?;
            if name == csrf::FIELD {
                check(&who, &headers, Some(&text))?;
                proven = true;
            } else if fields.len() < 64 {
                fields.insert(name, text);
            }
        }
        if !proven {
            return Err(Refusal::ForeignForm);
        }
        Ok(Self { who, fields, file })
    }
}

async fn take(mut field: Field<'_>, limit_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > limit_bytes {
            return Err(Refusal::TooLarge { limit_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn broken(error: &MultipartError) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Refusal::TooLarge {
            limit_bytes: UPLOAD_LIMIT_BYTES,
        }
    } else {
        Refusal::BrokenForm(error.body_text())
    }
}
