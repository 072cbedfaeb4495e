//! What a tenant has, as far as a flow may name it.

use std::collections::BTreeSet;

/// The names a flow may use. A list that is `None` is not known here and nothing is checked against
/// it, so that a flow file can be checked without a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Prompts, each by its name and by its id.
    pub prompts: Option<BTreeSet<String>>,
    /// Users, each by name, e-mail and id.
    pub users: Option<BTreeSet<String>>,
    /// Extensions.
    pub extensions: Option<BTreeSet<String>>,
    /// Rooms by name. Leave `None` where rooms are made when first entered.
    pub rooms: Option<BTreeSet<String>>,
}

impl Catalogue {
    /// A catalogue that knows nothing, against which every name passes.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }
}
