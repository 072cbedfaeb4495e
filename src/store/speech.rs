//! Spoken texts, rendered once: the key is a hash of voice, language and text, the value a blob of
//! 16-bit little-endian linear samples, 8 kHz mono.

use crate::Result;
use crate::scope::{area, touch_directory};
use crate::sql::args;

area! {
    /// The tenant's spoken texts.
    Speech, speech
}

impl Speech {
    /// The blob of a text, if it was spoken.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, key: &str) -> Result<Option<String>> {
        self.scope
            .read()
            .await?
            .one(
                "select blob from speech where tenant_id = $1 and key = $2",
                args![self.scope.tenant(), key],
            )
            .await?
            .map(|row| row.text("blob"))
            .transpose()
    }

    /// Keeps the blob of a text. Where another worker was faster its blob stays; the one to use is
    /// returned.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn put(&self, key: &str, blob: &str) -> Result<String> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into speech (tenant_id, key, blob, created_at) values ($1, $2, $3, $4) \
             on conflict (tenant_id, key) do nothing",
            args![self.scope.tenant(), key, blob, self.scope.now()],
        )
        .await?;
        touch_directory(&mut tx).await?;
        tx.commit().await?;
        Ok(self.get(key).await?.unwrap_or_else(|| blob.to_owned()))
    }
}
