//! What an auditor asks of a tenant, answered from what is stored.

use crate::scope::area;
use crate::{Result, Verdict};
use strowger_model::compliance::{Facts, Line, Machine, report};

area! {
    /// The tenant's settings and facts, held against checklists.
    Compliance, compliance
}

impl Compliance {
    /// The report; about the machine only where it was looked at.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn report(&self, machine: Option<Machine>) -> Result<Vec<Line>> {
        let tokens = self.scope.tokens().list().await?;
        let webhooks = self.scope.room_webhooks().list().await?;
        let facts = Facts {
            endless_tokens: tokens.iter().filter(|token| token.expires_at.is_none()).count(),
            webhooks_in_clear: webhooks
                .iter()
                .filter(|webhook| webhook.url.starts_with("http://"))
                .count(),
            audit_is_whole: matches!(self.scope.audit().verify().await?, Verdict::Whole { .. }),
            machine,
        };
        Ok(report(&self.scope.settings().resolve().await?, &facts))
    }
}
