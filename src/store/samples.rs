//! What the database keeps of rows to choose an index by: SQLite's samples hold values as they stand in the rows, and
//! outlive them. They are kept of numbers, times, ids and codes alone, so no words of people stand in them.

use crate::sql::{Engine, Tx, args};
use crate::{Result, Store};

/// Whether this database has samples: none before its rows were counted for the first time.
const ARE_THERE: &str = "select count(*) as n from sqlite_master where type = 'table' and name = 'sqlite_stat4'";

/// Takes the samples of every index that holds text other than ids and codes, among them the words of the search, whose
/// tables are their own index (`idx = tbl`).
const FORGET: &str = "delete from sqlite_stat4 where idx = tbl or idx in (select i.name from sqlite_master t \
     join pragma_index_list(t.name) i join pragma_index_info(i.name) c left join pragma_table_info(t.name) f on f.name = c.name \
     where t.type = 'table' and t.sql not like 'create virtual%' and (f.name is null or (lower(f.type) not in ('bigint', 'integer') \
     and c.name <> 'id' and c.name not like '%\\_id' escape '\\' \
     and c.name not in ('state', 'kind', 'direction', 'call_type', 'disposition', 'suggested', 'tier', 'chain'))))";

/// Lets SQLite count its rows, on which its choice of index hangs.
pub(crate) async fn count_rows(tx: &mut Tx) -> Result<()> {
    tx.run("pragma optimize = 0x10002", args![]).await?;
    forget_words(tx).await
}

async fn forget_words(tx: &mut Tx) -> Result<()> {
    if tx.count(ARE_THERE, args![]).await? > 0 {
        tx.run(FORGET, args![]).await?;
    }
    Ok(())
}

impl Store {
    /// Takes words out of samples that were kept before anybody minded.
    pub(crate) async fn forget_samples(&self) -> Result<()> {
        if self.db().engine() == Engine::Postgres {
            return Ok(());
        }
        let mut tx = self.write_all().await?;
        forget_words(&mut tx).await?;
        tx.commit().await
    }
}
