//! What is wrong with a graph that could be read.

use crate::catalogue::Catalogue;
use crate::finding::{Code, Finding};
use crate::flow::{Flow, Placed};
use crate::graph::Graph;
use crate::nodes::{Node, Site, Waits};

/// Every fault of a flow's graph and of the names it uses. Faults of its JSON are found by
/// [`Flow::parse`]; [`crate::check`] gives both.
#[must_use]
pub fn validate(flow: &Flow, catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings = Vec::new();
    let starts = starts(flow, &mut findings);
    for placed in flow.all() {
        let exits = placed.exits.keys().copied().collect();
        let (node, misread) = (placed.id.as_str(), placed.misread);
        placed.node.step().check(&mut Site {
            node,
            exits,
            misread,
            catalogue,
            findings: &mut findings,
        });
    }
    let graph = Graph::of(flow);
    let reached = graph.reached(starts.iter().copied());
    if !starts.is_empty() {
        for (placed, _) in flow.all().iter().zip(&reached).filter(|(_, reached)| !**reached) {
            let message = "No path leads here from the start. Draw an edge to it, or remove it.";
            findings.push(Finding::error(Some(&placed.id), Code::Unreachable, message));
        }
    }
    loops(flow, &graph, &mut findings);
    findings
}

/// The start nodes; there must be one.
fn starts(flow: &Flow, findings: &mut Vec<Finding>) -> Vec<usize> {
    let is_start = |placed: &Placed| matches!(placed.node, Node::Start(_));
    let starts: Vec<usize> = flow
        .all()
        .iter()
        .enumerate()
        .filter(|(_, placed)| is_start(placed))
        .map(|(at, _)| at)
        .collect();
    if starts.is_empty() {
        findings.push(Finding::error(
            None,
            Code::NoStart,
            "There is no start. Add a node of the kind “start”.",
        ));
    }
    for placed in starts.iter().skip(1).filter_map(|at| flow.placed(*at)) {
        let message = "This is a second start. A call can begin at one only; remove the other.";
        findings.push(Finding::error(Some(&placed.id), Code::ManyStarts, message));
    }
    starts
}

fn loops(flow: &Flow, graph: &Graph, findings: &mut Vec<Finding>) {
    let kind = |placed: &Placed| placed.node.step().waits();
    let name = |members: &[usize]| {
        let ids: Vec<&str> = members
            .iter()
            .filter_map(|at| Some(flow.placed(*at)?.id.as_str()))
            .collect();
        (ids.first().map(|id| (*id).to_owned()), ids.join(" → "))
    };
    let endless = graph.loops(flow, |placed| kind(placed) == Waits::Not);
    for members in &endless {
        let (node, path) = name(members);
        let message = format!(
            "Callers go round for ever without being asked anything: {path} and again. Break the loop, or ask for a key in it."
        );
        findings.push(Finding::error(node.as_deref(), Code::LoopWithoutInput, message));
    }
    for members in graph.loops(flow, |placed| kind(placed) != Waits::ForCaller) {
        if members.iter().any(|at| endless.iter().any(|loop_| loop_.contains(at))) {
            continue;
        }
        let (node, path) = name(&members);
        let message = format!(
            "Callers may go round without being asked anything: {path} and again. After a hundred steps the call ends."
        );
        findings.push(Finding::warning(node.as_deref(), Code::LoopWithoutInput, message));
    }
}
