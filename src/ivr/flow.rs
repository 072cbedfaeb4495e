//! The graph: nodes joined by edges, read from JSON and given back as it came.

use crate::action::Sound;
use crate::fields::{Fields, Speech};
use crate::finding::{Code, Finding};
use crate::nearest::hint;
use crate::nodes::{self, Node};
use crate::say::Say;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The most nodes a flow may have.
const NODE_LIMIT: usize = 500;
/// The most edges a flow may have.
const EDGE_LIMIT: usize = 5_000;

/// A flow as read. Serialises as the JSON it was read from, unknown fields included.
#[derive(Debug, Clone)]
pub struct Flow {
    definition: Value,
    nodes: Vec<Placed>,
    edges: Vec<Edge>,
}

/// A node in its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) id: String,
    pub(crate) node: Node,
    /// Exit → index of the node it leads to.
    pub(crate) exits: BTreeMap<&'static str, usize>,
    /// Whether an edge left through an exit the node does not have, which is a finding already.
    pub(crate) misread: bool,
}

/// A way from one node to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The node it leaves.
    pub source: String,
    /// The node it leads to.
    pub target: String,
    /// The exit it leaves through, by its proper name; `None` when the node has no such exit.
    pub exit: Option<&'static str>,
}

impl PartialEq for Flow {
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
    }
}

impl Serialize for Flow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.definition.serialize(serializer)
    }
}

impl Flow {
    /// Reads a flow: an object with the lists `nodes` (`id`, `type`, `data`) and `edges` (`source`,
    /// `target`, and the exit as `sourceHandle` or `label`). Returns a graph whenever there is one to
    /// talk about, so that everything wrong with it can be shown together; calls take only what
    /// [`crate::check`] gives.
    #[must_use]
    pub fn parse(definition: &Value) -> (Option<Self>, Vec<Finding>) {
        let mut findings = Vec::new();
        let Some((nodes, edges)) = lists(definition, &mut findings) else {
            return (None, findings);
        };
        let mut nodes = read_nodes(nodes, &mut findings);
        let edges = read_edges(edges, &mut nodes, &mut findings);
        follow_links(&mut nodes);
        (
            Some(Self {
                definition: definition.clone(),
                nodes,
                edges,
            }),
            findings,
        )
    }

    /// The JSON it was read from.
    #[must_use]
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// The nodes as id and kind, in the order they were written.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.nodes.iter().map(|placed| (placed.id.as_str(), placed.node.kind()))
    }

    /// The edges in the order they were written.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Where a node's exit leads.
    #[must_use]
    pub fn target(&self, node: &str, exit: &str) -> Option<&str> {
        let placed = self.nodes.iter().find(|placed| placed.id == node)?;
        Some(&self.placed(*placed.exits.get(exit)?)?.id)
    }

    /// The fixed texts that must be spoken audio before a call comes, each once.
    #[must_use]
    pub fn texts(&self) -> Vec<Say> {
        let texts: BTreeSet<&Say> = self
            .sounds()
            .filter_map(|sound| match sound {
                Sound::Say(say) => Some(say),
                Sound::Prompt(_) | Sound::Beep => None,
            })
            .collect();
        texts.into_iter().cloned().collect()
    }

    /// The prompts it plays, by name or id as written, each once.
    #[must_use]
    pub fn prompts(&self) -> Vec<&str> {
        let prompts: BTreeSet<&str> = self
            .sounds()
            .filter_map(|sound| match sound {
                Sound::Prompt(name) => Some(name.as_str()),
                Sound::Say(_) | Sound::Beep => None,
            })
            .collect();
        prompts.into_iter().collect()
    }

    pub(crate) fn all(&self) -> &[Placed] {
        &self.nodes
    }

    pub(crate) fn placed(&self, at: usize) -> Option<&Placed> {
        self.nodes.get(at)
    }

    /// Where calls begin.
    pub(crate) fn start(&self) -> Option<usize> {
        self.nodes
            .iter()
            .position(|placed| matches!(placed.node, Node::Start(_)))
    }

    fn sounds(&self) -> impl Iterator<Item = &Sound> {
        self.nodes.iter().flat_map(|placed| placed.node.step().sounds())
    }
}

/// The two lists, or what stands in their place.
fn lists<'a>(definition: &'a Value, findings: &mut Vec<Finding>) -> Option<(&'a [Value], &'a [Value])> {
    let mut refuse = |code, message: String| findings.push(Finding::error(None, code, message));
    let Some(object) = definition.as_object() else {
        refuse(
            Code::NotAFlow,
            "A flow is a JSON object with the lists “nodes” and “edges”.".to_owned(),
        );
        return None;
    };
    let nodes = match object.get("nodes") {
        Some(Value::Array(nodes)) => nodes.as_slice(),
        Some(_) => {
            refuse(Code::NotAFlow, "“nodes” must be a list.".to_owned());
            return None;
        }
        None => {
            refuse(Code::NotAFlow, "The list “nodes” is missing.".to_owned());
            return None;
        }
    };
    let edges = match object.get("edges") {
        Some(Value::Array(edges)) => edges.as_slice(),
        None => &[],
        Some(_) => {
            refuse(Code::NotAFlow, "“edges” must be a list.".to_owned());
            return None;
        }
    };
    if nodes.len() > NODE_LIMIT || edges.len() > EDGE_LIMIT {
        refuse(
            Code::TooLarge,
            format!("A flow has at most {NODE_LIMIT} nodes and {EDGE_LIMIT} edges."),
        );
        return None;
    }
    Some((nodes, edges))
}

/// An id, written as a text or a number.
fn id(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn read_nodes(written: &[Value], findings: &mut Vec<Finding>) -> Vec<Placed> {
    let empty = Map::new();
    let speech = start_speech(written);
    let mut nodes: Vec<Placed> = Vec::new();
    for (at, value) in written.iter().enumerate() {
        let Some(object) = value.as_object() else {
            findings.push(Finding::error(
                None,
                Code::NotAFlow,
                format!("Node number {} is no object.", at + 1),
            ));
            continue;
        };
        let Some(id) = id(object, "id") else {
            findings.push(Finding::error(
                None,
                Code::NodeWithoutId,
                format!("Node number {} has no id.", at + 1),
            ));
            continue;
        };
        if nodes.iter().any(|placed| placed.id == id) {
            let message = format!("Two nodes have the id “{id}”. Give each its own.");
            findings.push(Finding::error(Some(&id), Code::DuplicateNode, message));
            continue;
        }
        let data = match object.get("data") {
            Some(Value::Object(data)) => data,
            None | Some(Value::Null) => &empty,
            Some(_) => {
                findings.push(Finding::error(
                    Some(&id),
                    Code::BadParameter,
                    "“data” must be an object.",
                ));
                &empty
            }
        };
        let kind = object.get("type").and_then(Value::as_str).unwrap_or("");
        let node = Node::read(kind, &mut Fields::new(&id, data, &speech, findings)).unwrap_or_else(|| {
            let message = if kind.is_empty() {
                "This node has no “type”.".to_owned()
            } else {
                format!(
                    "Nobody knows a node of the kind “{kind}”.{}",
                    hint(kind, nodes::kinds())
                )
            };
            findings.push(Finding::error(Some(&id), Code::UnknownKind, message));
            Node::Unknown(kind.to_owned())
        });
        nodes.push(Placed {
            id,
            node,
            exits: BTreeMap::new(),
            misread: false,
        });
    }
    nodes
}

/// The voice and language the start node sets for the whole flow.
fn start_speech(written: &[Value]) -> Speech {
    let start = written
        .iter()
        .find(|node| node.get("type").and_then(Value::as_str) == Some("start"));
    let Some(data) = start.and_then(|node| node.get("data")).and_then(Value::as_object) else {
        return Speech::default();
    };
    // Faults in it are found when the start node itself is read.
    Fields::new("", data, &Speech::default(), &mut Vec::new()).speech()
}

fn read_edges(written: &[Value], nodes: &mut [Placed], findings: &mut Vec<Finding>) -> Vec<Edge> {
    let mut ids = BTreeSet::new();
    let mut edges = Vec::new();
    for (at, value) in written.iter().enumerate() {
        let empty = Map::new();
        let object = value.as_object().unwrap_or(&empty);
        let name = id(object, "id").map_or_else(|| format!("number {}", at + 1), |id| format!("“{id}”"));
        let (source, target) = (id(object, "source"), id(object, "target"));
        if let Some(id) = id(object, "id")
            && !ids.insert(id)
        {
            let message = format!("Two edges have the id {name}. Give each its own.");
            findings.push(Finding::error(source.as_deref(), Code::DuplicateEdge, message));
        }
        let place = |id: Option<&str>| id.and_then(|id| nodes.iter().position(|placed| placed.id == id));
        let (from, to) = (place(source.as_deref()), place(target.as_deref()));
        let (Some(source), Some(target)) = (source.clone(), target.clone()) else {
            let end = if source.is_none() { "source" } else { "target" };
            let message = format!("Edge {name} has no “{end}”. Draw it from a node to a node.");
            findings.push(Finding::error(source.as_deref(), Code::BadEdge, message));
            continue;
        };
        let (Some(from), Some(to)) = (from, to) else {
            let (missing, at) = if from.is_none() {
                (&source, &target)
            } else {
                (&target, &source)
            };
            let known = nodes.iter().map(|placed| placed.id.as_str());
            let message = format!(
                "Edge {name} joins a node “{missing}” that does not exist.{}",
                hint(missing, known)
            );
            findings.push(Finding::error(Some(at), Code::BadEdge, message));
            continue;
        };
        let exit = join(object, &name, from, to, nodes, findings);
        edges.push(Edge { source, target, exit });
    }
    edges
}

/// Finds the exit an edge leaves through and joins the nodes by it.
fn join(
    edge: &Map<String, Value>,
    name: &str,
    from: usize,
    to: usize,
    nodes: &mut [Placed],
    findings: &mut Vec<Finding>,
) -> Option<&'static str> {
    let labels: Vec<String> = ["sourceHandle", "label"]
        .into_iter()
        .filter_map(|field| id(edge, field))
        .collect();
    let placed = nodes.get_mut(from)?;
    let step = placed.node.step();
    let exit = if labels.is_empty() {
        step.unlabelled()
    } else {
        labels.iter().find_map(|label| step.exit(label))
    };
    let Some(exit) = exit else {
        placed.misread = true;
        if !matches!(placed.node, Node::Unknown(_)) {
            let message = no_such_exit(placed.node.kind(), name, labels.last(), &step.exits());
            findings.push(Finding::error(Some(&placed.id), Code::UnknownExit, message));
        }
        return None;
    };
    if let std::collections::btree_map::Entry::Vacant(free) = placed.exits.entry(exit) {
        free.insert(to);
    } else {
        let message = format!("Two edges leave through “{exit}”. Only one can be taken; remove the other.");
        findings.push(Finding::error(Some(&placed.id), Code::DuplicateExit, message));
    }
    Some(exit)
}

fn no_such_exit(kind: &str, edge: &str, label: Option<&String>, exits: &[&'static str]) -> String {
    if exits.is_empty() {
        return format!("Nothing comes after a {kind} node, but edge {edge} leaves it. Remove the edge.");
    }
    let list = exits.join(", ");
    match label {
        None => format!("Edge {edge} does not say through which exit it leaves. Label it with one of: {list}."),
        Some(label) => {
            let hint = hint(label, exits.iter().copied());
            format!("Edge {edge} leaves through “{label}”, which a {kind} node does not have (it has: {list}).{hint}")
        }
    }
}

/// Joins what a node's own parameters name as the next node, where no edge does.
fn follow_links(nodes: &mut [Placed]) {
    let places: BTreeMap<String, usize> = nodes
        .iter()
        .enumerate()
        .map(|(at, placed)| (placed.id.clone(), at))
        .collect();
    for placed in nodes {
        for (exit, target) in placed.node.step().links() {
            if let Some(to) = places.get(target) {
                placed.exits.entry(exit).or_insert(*to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The seeds' own sample.
    fn sample() -> Value {
        json!({
            "nodes": [
                {"id": "start", "type": "start", "data": {}},
                {"id": "menu1", "type": "menu", "data": {"message": "Press 1 for...", "options": {}}},
                {"id": "dial1", "type": "dial", "data": {"number": "+1234567890"}}
            ],
            "edges": [
                {"id": "e1", "source": "start", "target": "menu1"},
                {"id": "e2", "source": "menu1", "target": "dial1", "label": "1"}
            ]
        })
    }

    #[test]
    fn a_plain_graph_is_read_and_given_back_as_it_came() {
        let mut definition = sample();
        definition["viewport"] = json!({"x": 1.5, "zoom": 2});
        definition["nodes"][0]["position"] = json!({"x": 10, "y": 20});
        let (flow, findings) = Flow::parse(&definition);
        let flow = flow.unwrap();
        assert_eq!(findings, []);
        assert_eq!(serde_json::to_value(&flow).unwrap(), definition);
        assert_eq!(flow.target("menu1", "1"), Some("dial1"));
        assert_eq!(
            flow.nodes().collect::<Vec<_>>(),
            [("start", "start"), ("menu1", "menu"), ("dial1", "dial")]
        );
    }

    #[test]
    fn the_handle_names_the_exit_before_the_label() {
        let mut definition = sample();
        definition["edges"][1] = json!({"source": "menu1", "target": "dial1", "sourceHandle": "2", "label": "1"});
        let (flow, findings) = Flow::parse(&definition);
        assert_eq!(findings, []);
        assert_eq!(flow.unwrap().target("menu1", "2"), Some("dial1"));
    }

    #[test]
    fn a_handle_that_only_says_where_the_line_is_drawn_leaves_the_label_in_force() {
        let mut definition = sample();
        definition["edges"][1] = json!({"source": "menu1", "target": "dial1", "sourceHandle": "bottom", "label": "1"});
        let (flow, findings) = Flow::parse(&definition);
        assert_eq!(findings, []);
        assert_eq!(flow.unwrap().target("menu1", "1"), Some("dial1"));
    }

    #[test]
    fn a_start_node_sets_voice_and_language_of_the_flow() {
        let definition = json!({"nodes": [
            {"id": "s", "type": "start", "data": {"language": "de", "voice": "anna"}},
            {"id": "a", "type": "say", "data": {"text": "Guten Tag"}},
            {"id": "b", "type": "say", "data": {"text": "Hello", "language": "en"}},
        ]});
        let texts = Flow::parse(&definition).0.unwrap().texts();
        let say = |text: &str, language: &str| Say {
            text: text.into(),
            voice: "anna".into(),
            language: language.into(),
        };
        assert_eq!(texts, [say("Guten Tag", "de"), say("Hello", "en")]);
    }
}
