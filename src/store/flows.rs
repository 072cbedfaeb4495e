//! Flows: a draft that people edit, frozen versions that calls take, and the pointer between them.
//!
//! Publishing freezes the draft as a version in state `rendering` and asks for its texts to be spoken;
//! the pointer flips when they are there ([`Flows::version_ready`]), so no caller waits for speech.

use crate::audit::Actor;
use crate::numbers::forget_target;
use crate::scope::area;
use crate::sql::{Page, Paged, Row, args, cut};
use crate::{Error, Result, queue};
use serde_json::Value;
use strowger_model::job::Job;
use strowger_model::record::{Flow, FlowVersion};
use strowger_model::trunk::NumberTarget;
use strowger_model::{FlowId, FlowVersionId};

/// A flow to be made, or what its editor saves.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFlow {
    /// What people call it, unique in the tenant.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// The graph as edited; may have findings.
    pub draft: Value,
}

area! {
    /// The flows of the tenant.
    Flows, flows
}

fn flow_of(row: &Row) -> Result<Flow> {
    Ok(Flow {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        draft: row.json("draft")?,
        published: row.opt_parse("published")?,
        published_number: row.opt_int("published_number")?,
        total_calls: row.int("total_calls")?,
        last_used_at: row.opt_time("last_used_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn version_of(row: &Row) -> Result<FlowVersion> {
    Ok(FlowVersion {
        id: row.parse("id")?,
        flow: row.parse("flow_id")?,
        number: row.int("number")?,
        definition: row.json("definition")?,
        state: row.text("state")?,
        problem: row.opt_text("problem")?,
        published_by: row.text("published_by")?,
        created_at: row.time("created_at")?,
    })
}

impl Flows {
    /// The flows of the tenant, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Flow>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select f.id, f.tenant_id, f.name, f.description, f.draft, f.published, v.number as published_number, \
                 f.total_calls, f.last_used_at, f.updated_at \
                 from flows f left join flow_versions v on v.id = f.published \
                 where f.tenant_id = $1 and f.id > $2 order by f.id limit $3",
                args![self.scope.tenant(), page.after_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, flow_of, |flow| flow.id.to_string())
    }

    /// One flow with its draft.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, flow: FlowId) -> Result<Option<Flow>> {
        self.scope
            .read()
            .await?
            .one(
                "select f.id, f.tenant_id, f.name, f.description, f.draft, f.published, v.number as published_number, \
                 f.total_calls, f.last_used_at, f.updated_at \
                 from flows f left join flow_versions v on v.id = f.published \
                 where f.tenant_id = $1 and f.id = $2",
                args![self.scope.tenant(), flow],
            )
            .await?
            .map(|row| flow_of(&row))
            .transpose()
    }

    /// Makes a flow with a draft and no version.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewFlow) -> Result<Flow> {
        let now = self.scope.now();
        let flow = Flow {
            id: FlowId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            name: new.name,
            description: new.description,
            draft: new.draft,
            published: None,
            published_number: None,
            total_calls: 0,
            last_used_at: None,
            updated_at: now,
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into flows (id, tenant_id, name, description, draft, published, total_calls, last_used_at, \
             created_at, updated_at) values ($1, $2, $3, $4, $5, null, 0, null, $6, $6)",
            args![flow.id, flow.tenant, flow.name, flow.description, flow.draft, now],
        )
        .await?;
        self.scope
            .note(&mut tx, actor, "flow.create", &flow.id, &flow.name)
            .await?;
        tx.commit().await?;
        Ok(flow)
    }

    /// Saves what its editor holds; `None` when there is no such flow. Calls do not notice.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn save_draft(&self, actor: &Actor, flow: FlowId, new: &NewFlow) -> Result<Option<Flow>> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update flows set name = $3, description = $4, draft = $5, updated_at = $6 \
                 where tenant_id = $1 and id = $2",
                args![
                    self.scope.tenant(),
                    flow,
                    new.name,
                    new.description,
                    new.draft,
                    self.scope.now()
                ],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        self.scope
            .note_directory(&mut tx, actor, "flow.save", &flow, &new.name)
            .await?;
        tx.commit().await?;
        self.get(flow).await
    }

    /// Freezes the draft as the next version and asks for its texts to be spoken; `None` when there is
    /// no such flow. Whoever calls has checked the draft: a graph with errors must not come here.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn publish(&self, actor: &Actor, flow: FlowId) -> Result<Option<FlowVersion>> {
        let tenant = self.scope.tenant();
        let now = self.scope.now();
        let mut tx = self.scope.write().await?;
        let Some(row) = tx
            .one(
                "update flows set updated_at = updated_at where tenant_id = $1 and id = $2 returning draft",
                args![tenant, flow],
            )
            .await?
        else {
            return Ok(None);
        };
        let last = tx
            .count(
                "select coalesce(max(number), 0) as n from flow_versions where tenant_id = $1 and flow_id = $2",
                args![tenant, flow],
            )
            .await?;
        let version = FlowVersion {
            id: FlowVersionId::generate(self.scope.world()),
            flow,
            number: last + 1,
            definition: row.json("draft")?,
            state: "rendering".to_owned(),
            problem: None,
            published_by: actor.name().to_owned(),
            created_at: now,
        };
        tx.run(
            "insert into flow_versions (id, tenant_id, flow_id, number, definition, state, problem, published_by, \
             created_at) values ($1, $2, $3, $4, $5, $6, null, $7, $8)",
            args![
                version.id,
                tenant,
                flow,
                version.number,
                version.definition,
                version.state,
                version.published_by,
                now
            ],
        )
        .await?;
        let job = Job::RenderFlow {
            tenant,
            version: version.id,
        };
        queue::ask(&mut tx, self.scope.store(), &job).await?;
        let detail = format!("version {}", version.number);
        self.scope.note(&mut tx, actor, "flow.publish", &flow, &detail).await?;
        tx.commit().await?;
        Ok(Some(version))
    }

    /// One version.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn version(&self, version: FlowVersionId) -> Result<Option<FlowVersion>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, flow_id, number, definition, state, problem, published_by, created_at from flow_versions \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), version],
            )
            .await?
            .map(|row| version_of(&row))
            .transpose()
    }

    /// All texts of the version are spoken: the next call takes it, unless a later one was faster.
    /// Doing it twice changes nothing.
    ///
    /// # Errors
    /// There is no such version, or the database did not answer.
    pub async fn version_ready(&self, version: FlowVersionId) -> Result<()> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "update flow_versions set state = 'ready', problem = null \
                 where tenant_id = $1 and id = $2 and state <> 'ready' returning flow_id, number",
                args![tenant, version],
            )
            .await?;
        let Some(row) = row else { return Ok(()) };
        let flow: FlowId = row.parse("flow_id")?;
        tx.run(
            "update flows set published = $3 where tenant_id = $1 and id = $2 and not exists \
             (select 1 from flow_versions v where v.id = flows.published and v.number > $4)",
            args![tenant, flow, version, row.int("number")?],
        )
        .await?;
        let detail = format!("version {}", row.int("number")?);
        self.scope
            .note_directory(&mut tx, &Actor::system(), "flow.ready", &flow, &detail)
            .await?;
        tx.commit().await
    }

    /// The version's texts could not be spoken; calls keep the version they have.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn version_failed(&self, version: FlowVersionId, problem: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update flow_versions set state = 'failed', problem = $3 \
             where tenant_id = $1 and id = $2 and state <> 'ready'",
            args![self.scope.tenant(), version, problem],
        )
        .await?;
        tx.commit().await
    }

    /// The versions of a flow, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn history(&self, flow: FlowId) -> Result<Vec<FlowVersion>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, flow_id, number, definition, state, problem, published_by, created_at from flow_versions \
                 where tenant_id = $1 and flow_id = $2 order by number desc",
                args![self.scope.tenant(), flow],
            )
            .await?
            .iter()
            .map(version_of)
            .collect()
    }

    /// Points calls to an earlier version that is ready. Returns whether flow and version exist.
    ///
    /// # Errors
    /// The version is not ready, or the database did not answer.
    pub async fn roll_back(&self, actor: &Actor, flow: FlowId, version: FlowVersionId) -> Result<bool> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let Some(row) = tx
            .one(
                "select number, state from flow_versions where tenant_id = $1 and flow_id = $2 and id = $3",
                args![tenant, flow, version],
            )
            .await?
        else {
            return Ok(false);
        };
        let state = row.text("state")?;
        if state != "ready" {
            return Err(Error::State {
                what: "this version",
                state,
                wish: "take calls",
            });
        }
        tx.run(
            "update flows set published = $3 where tenant_id = $1 and id = $2",
            args![tenant, flow, version],
        )
        .await?;
        let detail = format!("version {}", row.int("number")?);
        self.scope
            .note_directory(&mut tx, actor, "flow.roll_back", &flow, &detail)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a flow with its versions and takes it out of the numbers that pointed to it. Returns
    /// whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, flow: FlowId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from flows where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), flow],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        forget_target(&mut tx, self.scope.tenant(), NumberTarget::Flow(flow)).await?;
        self.scope
            .note_directory(&mut tx, actor, "flow.remove", &flow, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
