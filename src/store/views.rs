//! Filters of the list of calls that a person keeps under a name.

use crate::Result;
use crate::scope::area;
use crate::sql::args;
use strowger_model::{NoticeId, UserId};

/// A kept filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The filter as a query of the list's address.
    pub query: String,
}

area! {
    /// The kept filters of the tenant's people.
    Views, views
}

impl Views {
    /// A person's kept filters, by name.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of(&self, user: UserId) -> Result<Vec<SavedView>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, name, query from saved_views where tenant_id = $1 and user_id = $2 order by name",
                args![self.scope.tenant(), user],
            )
            .await?
            .iter()
            .map(|row| {
                Ok(SavedView {
                    id: row.text("id")?,
                    name: row.text("name")?,
                    query: row.text("query")?,
                })
            })
            .collect()
    }

    /// Keeps a filter; one of the same name is replaced.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn save(&self, user: UserId, name: &str, query: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into saved_views (id, tenant_id, user_id, name, query, created_at) values ($1, $2, $3, $4, $5, $6) \
             on conflict (user_id, name) do update set query = excluded.query",
            args![
                NoticeId::generate(self.scope.world()).to_string(),
                self.scope.tenant(),
                user,
                name,
                query,
                self.scope.now()
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Forgets one of a person's filters. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, user: UserId, view: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from saved_views where tenant_id = $1 and user_id = $2 and id = $3",
                args![self.scope.tenant(), user, view],
            )
            .await?;
        tx.commit().await?;
        Ok(touched > 0)
    }
}
