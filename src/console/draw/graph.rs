//! A flow's graph, laid out in layers from its start, left to right.
//!
//! It reads the JSON as it is kept (nodes with `id`, `type`, `data`; edges with `source`, `target`,
//! `label` or `sourceHandle`), so it draws drafts that do not validate too.

use super::{clipped, escaped};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

const WIDTH: usize = 150;
const HEIGHT: usize = 54;
const ACROSS: usize = 214;
const DOWN: usize = 84;

/// How a node is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Blocks publishing.
    Bad,
    /// Worth a look.
    Warn,
    /// The simulator went through it.
    On,
}

/// A node as it is drawn and listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What people call it.
    pub label: String,
}

/// An edge: from, exit, to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The node it leaves.
    pub from: String,
    /// The exit it takes.
    pub exit: String,
    /// The node it leads to.
    pub to: String,
}

fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The nodes of a graph.
#[must_use]
pub fn nodes(graph: &Value) -> Vec<Node> {
    let list = graph
        .get("nodes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter_map(|node| {
            let id = text(node, "id")?;
            let data = node.get("data").unwrap_or(&Value::Null);
            let said = ["label", "name", "message", "text", "prompt", "number", "extension"];
            Some(Node {
                kind: text(node, "type").unwrap_or_default(),
                label: said
                    .iter()
                    .find_map(|key| text(data, key))
                    .unwrap_or_else(|| id.clone()),
                id,
            })
        })
        .collect()
}

/// The edges of a graph.
#[must_use]
pub fn edges(graph: &Value) -> Vec<Edge> {
    let list = graph
        .get("edges")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter_map(|edge| {
            let exit = ["label", "sourceHandle", "exit"].iter().find_map(|key| text(edge, key));
            Some(Edge {
                from: text(edge, "source")?,
                to: text(edge, "target")?,
                exit: exit.unwrap_or_default(),
            })
        })
        .collect()
}

/// Column and row of each node: its distance from the start, then its turn in that column.
fn places(nodes: &[Node], edges: &[Edge]) -> BTreeMap<String, (usize, usize)> {
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    let start = nodes.iter().find(|node| node.kind == "start").or_else(|| nodes.first());
    let mut wave: Vec<&str> = start.map(|node| node.id.as_str()).into_iter().collect();
    let mut column = 0;
    while !wave.is_empty() {
        let mut next = Vec::new();
        for id in wave {
            if depth.contains_key(id) {
                continue;
            }
            depth.insert(id, column);
            next.extend(edges.iter().filter(|edge| edge.from == id).map(|edge| edge.to.as_str()));
        }
        wave = next;
        column += 1;
    }
    let mut used: BTreeMap<usize, usize> = BTreeMap::new();
    let mut out = BTreeMap::new();
    for node in nodes {
        let column = depth.get(node.id.as_str()).copied().unwrap_or(0);
        let row = used.entry(column).or_insert(0);
        out.insert(node.id.clone(), (column, *row));
        *row += 1;
    }
    out
}

/// Draws a graph with its marks.
#[must_use]
pub fn draw(name: &str, graph: &Value, marks: &BTreeMap<String, Mark>) -> String {
    let (nodes, edges) = (nodes(graph), edges(graph));
    let places = places(&nodes, &edges);
    let columns = places.values().map(|place| place.0 + 1).max().unwrap_or(1);
    let rows = places.values().map(|place| place.1 + 1).max().unwrap_or(1);
    let (width, height) = (columns * ACROSS - ACROSS + WIDTH + 4, rows * DOWN + 12);
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Flow graph, scrolls sideways\"><svg width=\"{width}\" height=\"{height}\" viewBox=\"-2 -12 {width} {height}\" role=\"img\" aria-label=\"Flow {}: {} nodes, {} exits, {} marked. The table below holds the same graph.\">",
        escaped(name),
        nodes.len(),
        edges.len(),
        marks.len()
    );
    for edge in &edges {
        let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) else {
            continue;
        };
        let turn = edges
            .iter()
            .take_while(|other| *other != edge)
            .filter(|other| other.from == edge.from)
            .count();
        let hot = marks.get(&edge.from) == Some(&Mark::On) && marks.get(&edge.to) == Some(&Mark::On);
        wire(&mut out, edge, (*from, *to), turn, hot);
    }
    for node in &nodes {
        if let Some(place) = places.get(&node.id) {
            draw_node(&mut out, node, *place, marks.get(&node.id).copied());
        }
    }
    out.push_str("</svg></div>");
    out
}

fn wire(out: &mut String, edge: &Edge, (from, to): ((usize, usize), (usize, usize)), turn: usize, hot: bool) {
    let (x1, y1) = (from.0 * ACROSS + WIDTH, from.1 * DOWN + 14 + (turn * 13).min(38));
    let (x2, y2) = (to.0 * ACROSS, to.1 * DOWN + HEIGHT / 2);
    let class = if hot { "wire hot" } else { "wire" };
    if to.0 > from.0 {
        let middle = usize::midpoint(x1, x2);
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\"/>"
        );
    } else {
        let low = from.1.max(to.1) * DOWN + HEIGHT + 14;
        let (right, end) = (x1 + 18, x2 + WIDTH / 2);
        let foot = to.1 * DOWN + HEIGHT;
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M{x1} {y1}C{right} {y1} {right} {low} {x1} {low}H{}Q{end} {low} {end} {foot}\"/>",
            end + 12
        );
    }
    if !edge.exit.is_empty() {
        let _ = write!(
            out,
            "<text class=\"h{}\" x=\"{}\" y=\"{}\">{}</text>",
            if hot { " s" } else { "" },
            x1 + 6,
            y1.saturating_sub(2),
            escaped(&clipped(&edge.exit, 9))
        );
    }
}

fn draw_node(out: &mut String, node: &Node, (column, row): (usize, usize), mark: Option<Mark>) {
    let (x, y) = (column * ACROSS, row * DOWN);
    let class = match mark {
        None => "",
        Some(Mark::Bad) => " bad",
        Some(Mark::Warn) => " warn",
        Some(Mark::On) => " on",
    };
    let _ = write!(
        out,
        "<rect class=\"node{class}\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"4\"/><text class=\"s\" x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\">{}</text>",
        x + 12,
        y + 23,
        escaped(&clipped(&node.label, 18)),
        x + 12,
        y + 41,
        escaped(&clipped(&node.kind, 20))
    );
    let (right, top) = (x + WIDTH - 4, y);
    let _ = match mark {
        Some(Mark::Bad) => write!(
            out,
            "<path class=\"fb\" d=\"M{right} {}l9 9-9 9-9-9z\"/>",
            top.saturating_sub(9)
        ),
        Some(Mark::Warn) if top >= 9 => write!(out, "<path class=\"fx\" d=\"M{right} {}l9 16h-18z\"/>", top - 9),
        Some(Mark::Warn) => write!(out, "<path class=\"fx\" d=\"M{right} -9l9 16h-18z\"/>"),
        Some(Mark::On) | None => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_graph_with_a_loop_and_a_lost_node_is_drawn_whole() {
        let graph = json!({
            "nodes": [{"id": "a", "type": "start"}, {"id": "b", "type": "menu", "data": {"message": "Hi <b>"}}, {"id": "c", "type": "say"}],
            "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "a", "label": "9"}, {"source": "b", "target": "gone"}]
        });
        let svg = draw("x", &graph, &BTreeMap::from([("c".to_owned(), Mark::Bad)]));
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("Hi &lt;b&gt;"));
        assert!(svg.contains("node bad"));
    }

    #[test]
    fn anything_that_is_no_graph_draws_an_empty_sheet() {
        for graph in [json!(null), json!([]), json!({"nodes": 3, "edges": "x"})] {
            assert!(draw("x", &graph, &BTreeMap::new()).ends_with("</svg></div>"));
        }
    }
}
