//! Where each value came from.

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File,
    /// The environment.
    Environment,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
        })
    }
}

/// A key with the value that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Section and key.
    pub path: &'static str,
    /// The value as it would be written in the file; hidden when secret.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it does.
    pub about: &'static str,
}
