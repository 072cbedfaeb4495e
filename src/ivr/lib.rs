//! Flows: what callers hear and where they are led.
//!
//! A flow is data ([`Flow`], read from node/edge JSON) and its run is a value ([`Execution`], fed
//! with events and a clock, drained of actions). The same run serves a call, the simulator and the
//! tests. Nothing here touches a socket, a clock or a file, and nothing here renders speech: fixed
//! texts are listed by [`Flow::texts`], rendered elsewhere and found again by [`say::key`].
//!
//! Start reading at [`check`], which turns JSON into a flow or says what is wrong with it; then
//! [`execution`]; then any file in [`nodes`], which holds one kind of step from its parameters to
//! its tests.

pub mod action;
pub mod app_url;
pub mod catalogue;
pub mod disclosure;
pub mod execution;
pub mod finding;
pub mod flow;
pub mod nodes;
pub mod phrase;
pub mod say;
pub mod simulate;
pub mod templates;

#[cfg(test)]
mod corpus;
mod fields;
mod graph;
mod nearest;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;
mod validate;

pub use action::{Action, ActionId, AppOutcome, DialOutcome, Event, Sound, Strategy, Target};
pub use app_url::{AppUrl, BadAppUrl};
pub use catalogue::Catalogue;
pub use disclosure::Disclosure;
pub use execution::{Context, Execution, State};
pub use finding::{Code, Finding, Severity};
pub use flow::{Edge, Flow};
pub use phrase::Phrase;
pub use say::Say;
pub use simulate::{Script, Trace, simulate};
pub use templates::Template;
pub use validate::validate;

/// Reads and checks a flow in one go: the flow when calls may take it, and every finding either way.
/// Findings beside a flow are warnings only.
#[must_use]
pub fn check(definition: &serde_json::Value, catalogue: &Catalogue) -> (Option<Flow>, Vec<Finding>) {
    let (flow, mut findings) = Flow::parse(definition);
    if let Some(flow) = &flow {
        findings.extend(validate(flow, catalogue));
    }
    let refused = findings.iter().any(Finding::is_error);
    (flow.filter(|_| !refused), findings)
}
