//! Where devices can be reached, kept so that a restart forgets no registration.

use crate::Result;
use crate::scope::platform_area;
use crate::sql::{Row, args};
use strowger_model::DeviceId;
use strowger_model::record::Binding;
use strowger_model::trunk::Transport;

platform_area! {
    /// The bindings of all devices.
    Bindings, bindings
}

fn binding_of(row: &Row) -> Result<Binding> {
    Ok(Binding {
        device: row.parse("device_id")?,
        tenant: row.parse("tenant_id")?,
        contact: row.text("contact")?,
        source: row.text("source")?,
        transport: row.code("transport", Transport::from_code)?,
        sip_call_id: row.text("sip_call_id")?,
        cseq: row.int("cseq")?,
        instance: row.opt_text("instance")?,
        user_agent: row.opt_text("user_agent")?,
        expires_at: row.time("expires_at")?,
    })
}

impl Bindings {
    /// Every binding whose time is not up.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn all(&self) -> Result<Vec<Binding>> {
        self.store
            .read_all()
            .await?
            .all(
                "select device_id, tenant_id, contact, source, transport, sip_call_id, cseq, instance, user_agent, \
                 expires_at from bindings where expires_at > $1 order by device_id, contact",
                args![self.store.now()],
            )
            .await?
            .iter()
            .map(binding_of)
            .collect()
    }

    /// Keeps a binding, in place of the device's earlier one with the same contact. Many at once
    /// cost one transaction.
    ///
    /// # Errors
    /// A device does not exist, or the database did not answer.
    pub async fn put(&self, bindings: &[Binding]) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        for binding in bindings {
            tx.run(
                "insert into bindings (device_id, tenant_id, contact, source, transport, sip_call_id, cseq, instance, \
                 user_agent, expires_at) select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
                 where exists (select 1 from devices where id = $1 and tenant_id = $2) \
                 on conflict (device_id, contact) do update set source = excluded.source, \
                 transport = excluded.transport, sip_call_id = excluded.sip_call_id, cseq = excluded.cseq, \
                 instance = excluded.instance, user_agent = excluded.user_agent, expires_at = excluded.expires_at",
                args![
                    binding.device,
                    binding.tenant,
                    binding.contact,
                    binding.source,
                    binding.transport,
                    binding.sip_call_id,
                    binding.cseq,
                    binding.instance,
                    binding.user_agent,
                    binding.expires_at
                ],
            )
            .await?;
        }
        tx.commit().await
    }

    /// Forgets a binding.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, device: DeviceId, contact: &str) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        tx.run(
            "delete from bindings where device_id = $1 and contact = $2",
            args![device, contact],
        )
        .await?;
        tx.commit().await
    }

    /// Forgets the bindings whose time is up; returns how many.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sweep(&self) -> Result<u64> {
        let mut tx = self.store.write_all().await?;
        let gone = tx
            .run("delete from bindings where expires_at <= $1", args![self.store.now()])
            .await?;
        tx.commit().await?;
        Ok(gone)
    }
}
