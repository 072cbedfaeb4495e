//! What parties were told and answered before they were recorded. These lines stand apart from calls and
//! audio and outlive both.

use crate::Result;
use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Page, Paged, Row, args, cut_by};
use strowger_model::record::Consent;
use strowger_model::{CallId, ConsentOutcome};
use time::format_description::well_known::Rfc3339;

area! {
    /// The consents to the tenant's recordings.
    Consents, consents
}

pub(crate) fn consent_of(row: &Row) -> Result<Consent> {
    Ok(Consent {
        at: row.time("at")?,
        leg: row.opt_parse("leg_id")?,
        party: row.text("party")?,
        outcome: row.code("outcome", ConsentOutcome::from_code)?,
        digit: row.opt_text("digit")?.and_then(|digit| digit.chars().next()),
        text: row.text("text")?,
    })
}

impl Consents {
    /// Writes what parties of a call were told and answered, each with its line in the audit log; `from` is the
    /// number of the first within the call. Repeating what stands already changes nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn write(&self, call: CallId, from: i64, consents: &[Consent]) -> Result<()> {
        let mut tx = self.scope.write().await?;
        for (position, consent) in (from..).zip(consents) {
            let digit = consent.digit.map(String::from);
            let new = tx
                .run(
                    "insert into consents (call_id, position, tenant_id, at, leg_id, party, outcome, digit, text) \
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (call_id, position) do nothing",
                    args![
                        call,
                        position,
                        self.scope.tenant(),
                        consent.at,
                        consent.leg,
                        consent.party,
                        consent.outcome,
                        digit,
                        consent.text
                    ],
                )
                .await?;
            if new == 0 {
                continue;
            }
            // The chain cannot forget, so it names the leg and not the number of who was asked.
            let at = consent.at.format(&Rfc3339).unwrap_or_default();
            let leg = consent.leg.map(|leg| format!(", leg {leg}")).unwrap_or_default();
            let key = digit.map(|digit| format!(" with key {digit}")).unwrap_or_default();
            let detail = format!("{}{key} at {at}{leg}", consent.outcome);
            self.scope
                .note(&mut tx, &Actor::system(), "recording.consent", &call, &detail)
                .await?;
        }
        tx.commit().await
    }

    /// What the parties of a call were told and answered, in order.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of_call(&self, call: CallId) -> Result<Vec<Consent>> {
        self.scope
            .read()
            .await?
            .all(
                "select at, leg_id, party, outcome, digit, text from consents \
                 where tenant_id = $1 and call_id = $2 order by position",
                args![self.scope.tenant(), call],
            )
            .await?
            .iter()
            .map(consent_of)
            .collect()
    }

    /// All of them, newest first, of a party where one is named.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, party: Option<&str>, page: &Page) -> Result<Paged<(CallId, Consent)>> {
        let (at, call, position) = place(page.after.as_deref());
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select call_id, position, at, leg_id, party, outcome, digit, text from consents where tenant_id = $1 \
                 and ($2 is null or party = $2) \
                 and (at < $3 or (at = $3 and (call_id < $4 or (call_id = $4 and position < $5)))) \
                 order by at desc, call_id desc, position desc limit $6",
                args![self.scope.tenant(), party, at, call, position, page.fetch()],
            )
            .await?;
        let items = rows
            .iter()
            .map(|row| {
                let mark = format!("{}_{}_{}", row.int("at")?, row.text("call_id")?, row.int("position")?);
                Ok((mark, (row.parse("call_id")?, consent_of(row)?)))
            })
            .collect::<Result<Vec<_>>>()?;
        let cut = cut_by(items, page, |(mark, _)| mark.clone());
        Ok(Paged {
            items: cut.items.into_iter().map(|(_, item)| item).collect(),
            next: cut.next,
        })
    }
}

/// Where a page begins: before everything, or after the last line of the page before.
fn place(after: Option<&str>) -> (i64, String, i64) {
    let mut parts = after.unwrap_or_default().splitn(3, '_');
    let at = parts.next().and_then(|part| part.parse().ok()).unwrap_or(i64::MAX);
    let call = parts.next().unwrap_or_default().to_owned();
    let position = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    (at, call, position)
}
