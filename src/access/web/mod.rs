//! What a handler names in its arguments: [`Signed`] for a page, [`Posted`] for a form,
//! [`PostedUpload`] for a form with a file, [`Scripted`] for what a page's script sends, [`Opened`] for a form of somebody not signed in,
//! [`Bearer`] for a program, [`RoomBearer`] for whoever comes to a room, [`Source`] for where a request came from.
//!
//! There is no other way to a [`crate::Principal`], so a page cannot forget to ask who it is for and
//! a form cannot forget its token.

mod bearer;
mod form;
mod refusal;
mod room_bearer;
mod scripted;
mod signed;
mod source;
mod upload;

pub use bearer::{Bearer, BearerRefusal};
pub use form::{FORM_LIMIT_BYTES, Opened, Posted};
pub use refusal::{Refusal, safe_next};
pub use room_bearer::RoomBearer;
pub use scripted::Scripted;
pub use signed::Signed;
pub use source::{Encrypted, Source};
pub use upload::{PostedUpload, UPLOAD_LIMIT_BYTES, Upload};

/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "strowger_session";
/// The name of the cookie that says which tenant a platform administrator works in.
pub const TENANT_COOKIE: &str = "strowger_tenant";
