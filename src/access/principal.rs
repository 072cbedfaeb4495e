//! Who is asking.

use strowger_model::role::Permission;
use strowger_model::{Role, SessionId, TenantId, TokenId, UserId};

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A person with a signed-in browser.
    Session(SessionId),
    /// A program with an API token.
    Token(TokenId),
}

/// Somebody whose identity was proved. Only this crate makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    tenant: Option<TenantId>,
    user: Option<UserId>,
    role: Role,
    name: String,
    actor: String,
    via: Via,
}

impl Principal {
    pub(crate) fn person(user: &strowger_model::record::User, session: SessionId) -> Self {
        Self {
            tenant: user.tenant,
            user: Some(user.id),
            role: user.role,
            name: user.name.clone(),
            actor: user.email.clone(),
            via: Via::Session(session),
        }
    }

    pub(crate) fn program(token: &strowger_model::record::ApiToken) -> Self {
        Self {
            tenant: Some(token.tenant),
            user: None,
            role: token.role,
            name: token.name.clone(),
            actor: format!("token {}", token.name),
            via: Via::Token(token.id),
        }
    }

    pub(crate) fn working_in(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The tenant whose data they work on; `None` for a platform administrator who chose none.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        self.tenant
    }

    /// The person; `None` for a program.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        self.user
    }

    /// Their role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Their name as shown.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who the audit log says it was: an e-mail address or `token NAME`.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// How they proved it.
    #[must_use]
    pub const fn via(&self) -> Via {
        self.via
    }

    /// Whether they may do that.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }
}
