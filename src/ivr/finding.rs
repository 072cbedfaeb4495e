//! What is wrong with a flow, in words an administrator can act on.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Works, but perhaps not as meant.
    Warning,
    /// Calls cannot take this flow.
    Error,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What kind of fault a finding is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* #[serde(rename = $code)] $name,)* }

        impl Code {
            /// Every code, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable word used in JSON and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

codes! {
    /// The document is no object with lists of nodes and edges.
    NotAFlow = "not-a-flow",
    /// More nodes, edges or text than a flow may have.
    TooLarge = "too-large",
    /// A node has no id.
    NodeWithoutId = "node-without-id",
    /// Two nodes share an id.
    DuplicateNode = "duplicate-node",
    /// Two edges share an id.
    DuplicateEdge = "duplicate-edge",
    /// A node is of a kind nobody knows.
    UnknownKind = "unknown-kind",
    /// A parameter has the wrong shape or lies outside its range.
    BadParameter = "bad-parameter",
    /// There is no start.
    NoStart = "no-start",
    /// There are several starts.
    ManyStarts = "many-starts",
    /// An edge lacks an end or names a node that does not exist.
    BadEdge = "bad-edge",
    /// An edge leaves through an exit that its node does not have.
    UnknownExit = "unknown-exit",
    /// Two edges leave through the same exit.
    DuplicateExit = "duplicate-exit",
    /// No path leads to this node.
    Unreachable = "unreachable",
    /// The caller would arrive here and go nowhere.
    DeadEnd = "dead-end",
    /// The caller would go round for ever without being asked.
    LoopWithoutInput = "loop-without-input",
    /// There is nothing to say or play.
    MissingPrompt = "missing-prompt",
    /// A menu has no keys.
    NoOptions = "no-options",
    /// A menu's key is none.
    BadOption = "bad-option",
    /// A dial node names nobody.
    MissingTarget = "missing-target",
    /// Something that should be a telephone number is none.
    BadNumber = "bad-number",
    /// A voicemail node names no mailbox.
    MissingMailbox = "missing-mailbox",
    /// A room node names no room.
    MissingRoom = "missing-room",
    /// An agent node names no agent.
    MissingAgent = "missing-agent",
    /// A voice app has no address.
    MissingAddress = "missing-address",
    /// The address of a voice app cannot be read.
    BadAddress = "bad-address",
    /// A prompt does not exist.
    UnknownPrompt = "unknown-prompt",
    /// A user or extension does not exist.
    UnknownUser = "unknown-user",
    /// A mailbox does not exist.
    UnknownMailbox = "unknown-mailbox",
    /// A room does not exist.
    UnknownRoom = "unknown-room",
    /// A time zone does not exist or is missing.
    BadTimeZone = "bad-time-zone",
    /// Opening hours cannot be read or are missing.
    BadHours = "bad-hours",
    /// A holiday cannot be read.
    BadHoliday = "bad-holiday",
    /// A hang-up cause does not exist.
    BadCause = "bad-cause",
}

impl std::fmt::Display for Code {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One fault, where it is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The id of the node it belongs to; for an edge, the node it leaves. `None` for the whole flow.
    pub node: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// What kind of fault it is.
    pub code: Code,
    /// What is wrong, and the mend, as one or two sentences.
    pub message: String,
}

impl Finding {
    /// A fault that keeps calls from taking the flow.
    pub(crate) fn error(node: Option<&str>, code: Code, message: impl Into<String>) -> Self {
        let (node, message) = (node.map(str::to_owned), message.into());
        Self {
            node,
            severity: Severity::Error,
            code,
            message,
        }
    }

    /// Something worth a second look.
    pub(crate) fn warning(node: Option<&str>, code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(node, code, message)
        }
    }

    /// Whether calls cannot take the flow because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        match &self.node {
            Some(node) => write!(out, "{severity} at {node}: {} ({})", self.message, self.code),
            None => write!(out, "{severity}: {} ({})", self.message, self.code),
        }
    }
}
