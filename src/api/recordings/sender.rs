//! Who sends a recording: a program with a token, or somebody's own phone page.
//!
//! Whoever manages calls may send everything. Others may send what they recorded of a call they took part in, and
//! see and steer their own uploads.

use crate::caller::Caller;
use crate::problem::Problem;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use strowger_access::{Access, BearerRefusal, Principal, Refusal, Scripted};
use strowger_model::role::Permission;
use strowger_model::{CallId, UploadId};
use strowger_store::uploads::Upload;
use strowger_store::{Actor, Scope};

/// Who sends.
pub(crate) enum Sender {
    /// A program.
    Program(Caller),
    /// A page of ours.
    Page(Scripted),
}

impl<S> FromRequestParts<S> for Sender
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let has_cookie = parts.headers.contains_key(header::COOKIE);
        if has_cookie && !parts.headers.contains_key(header::AUTHORIZATION) {
            let page = Scripted::from_request_parts(parts, state).await;
            return page.map(Self::Page).map_err(|refusal| refused(&refusal));
        }
        Ok(Self::Program(Caller::from_request_parts(parts, state).await?))
    }
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::SignInFirst { .. } => BearerRefusal::Missing.into(),
        Refusal::Forbidden(permission) => BearerRefusal::Forbidden(*permission).into(),
        Refusal::Unavailable => BearerRefusal::Unavailable.into(),
        Refusal::ChooseTenant | Refusal::ForeignForm | Refusal::BrokenForm(_) | Refusal::TooLarge { .. } => {
            Problem::new(StatusCode::FORBIDDEN, "forbidden", refusal.to_string())
        }
    }
}

impl Sender {
    fn principal(&self) -> &Principal {
        match self {
            Self::Program(caller) => caller.principal(),
            Self::Page(Scripted(who)) => who.principal(),
        }
    }

    fn scope(&self, permission: Permission) -> Result<Scope, Problem> {
        match self {
            Self::Program(caller) => caller.may(permission),
            Self::Page(Scripted(who)) => who.scope(permission).map_err(|refusal| refused(&refusal)),
        }
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::named(self.principal().actor())
    }

    /// The data, for whoever may send a recording of this call, or of none.
    pub(super) async fn sends(&self, call: Option<CallId>) -> Result<Scope, Problem> {
        if self.principal().may(Permission::ManageCalls) {
            return self.scope(Permission::ManageCalls);
        }
        let Some((call, user)) = call.zip(self.principal().user()) else {
            return Err(BearerRefusal::Forbidden(Permission::ManageCalls).into());
        };
        let scope = self.scope(Permission::UsePhone)?;
        let calls = scope.calls();
        let is_theirs = calls.get(call).await?.is_some_and(|call| call.user == Some(user));
        // A call that somebody has no part in is as unknown to them as none.
        if !is_theirs && !calls.parts(&[call]).await?.iter().any(|part| part.user == user) {
            return Err(Problem::not_found("call"));
        }
        Ok(scope)
    }

    /// An upload, for whoever has the permission or sends it.
    pub(super) async fn upload(&self, permission: Permission, id: UploadId) -> Result<(Scope, Upload), Problem> {
        let may = self.principal().may(permission);
        let scope = self.scope(if may { permission } else { Permission::UsePhone })?;
        match scope.uploads().get(id).await? {
            Some(upload) if may || upload.actor == self.principal().actor() => Ok((scope, upload)),
            None if may => Err(Problem::not_found("upload")),
            Some(_) | None => Err(BearerRefusal::Forbidden(permission).into()),
        }
    }
}
