//! A flow's graph, laid out in layers from its start, left to right.
//!
//! It reads the JSON as it is kept (nodes with `id`, `type`, `data`; edges with `source`, `target`,
//! `label` or `sourceHandle`), so it draws drafts that do not validate too.

use super::{clipped, escaped};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use strowger_ivr::AppUrl;

const WIDTH: usize = 150;
const HEIGHT: usize = 54;
const ACROSS: usize = 248;
/// The lines of a node's exits stand this far apart.
const STEP: usize = 16;
/// The part of an edge that carries its exit's name.
const STUB: usize = 58;

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

/// The nodes as they are kept.
fn listed(graph: &Value) -> &[Value] {
    graph
        .get("nodes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The nodes of a graph.
#[must_use]
pub fn nodes(graph: &Value) -> Vec<Node> {
    listed(graph)
        .iter()
        .filter_map(|node| {
            let id = text(node, "id")?;
            let data = node.get("data").unwrap_or(&Value::Null);
            let said = [
                "label",
                "name",
                "message",
                "text",
                "prompt",
                "number",
                "extension",
                "agent",
                "url",
            ];
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

/// The nodes at which what callers say leaves this site, each with the host it goes to.
#[must_use]
pub fn leaving(graph: &Value) -> BTreeMap<String, String> {
    listed(graph)
        .iter()
        .filter_map(|node| {
            let url = ["url", "streamUrl", "stream_url"]
                .iter()
                .find_map(|key| text(node.get("data")?, key))?;
            let url = AppUrl::read(url.trim()).ok().filter(|url| !url.is_near())?;
            Some((text(node, "id")?, url.to_string()))
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

/// How high a node is, so that each of its exits has a line of its own.
fn height(exits: usize) -> usize {
    HEIGHT.max(exits * STEP + 6)
}

/// What is drawn and how far its rows stand apart.
struct Sheet<'a> {
    edges: &'a [Edge],
    places: BTreeMap<String, (usize, usize)>,
    down: usize,
}

impl Sheet<'_> {
    fn exits(&self, node: &str) -> usize {
        self.edges.iter().filter(|edge| edge.from == node).count()
    }
}

/// Draws a graph with its marks and the way a call took, node by node.
#[must_use]
pub fn draw(name: &str, graph: &Value, marks: &BTreeMap<String, Mark>, way: &[String]) -> String {
    let (nodes, edges) = (nodes(graph), edges(graph));
    let mut sheet = Sheet {
        places: places(&nodes, &edges),
        edges: &edges,
        down: 0,
    };
    let most = nodes.iter().map(|node| sheet.exits(&node.id)).max().unwrap_or(0);
    sheet.down = height(most) + 34;
    let columns = sheet.places.values().map(|place| place.0 + 1).max().unwrap_or(1);
    let rows = sheet.places.values().map(|place| place.1 + 1).max().unwrap_or(1);
    let (wide, high) = (columns * ACROSS - ACROSS + WIDTH + STUB + 16, rows * sheet.down + 16);
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Flow graph, scrolls sideways\"><svg width=\"{wide}\" height=\"{high}\" viewBox=\"-2 -14 {wide} {high}\" role=\"img\" aria-label=\"Flow {}: {} nodes, {} exits, {} marked. The table below holds the same graph.\">",
        escaped(name),
        nodes.len(),
        edges.len(),
        marks.len()
    );
    for edge in &edges {
        let hot = way
            .windows(2)
            .any(|pair| *pair == [edge.from.as_str(), edge.to.as_str()]);
        wire(&mut out, &sheet, edge, hot);
    }
    for node in &nodes {
        if let Some(&place) = sheet.places.get(&node.id) {
            draw_node(&mut out, &sheet, node, place, marks.get(&node.id).copied());
        }
    }
    out.push_str("</svg></div>");
    out
}

/// An edge: a straight stub that carries the exit's name, then a curve to the right, or a way round below.
fn wire(out: &mut String, sheet: &Sheet<'_>, edge: &Edge, hot: bool) {
    let (Some(from), Some(to)) = (sheet.places.get(&edge.from), sheet.places.get(&edge.to)) else {
        return;
    };
    let before = sheet.edges.iter().take_while(|other| *other != edge);
    let turn = before.filter(|other| other.from == edge.from).count();
    let (x, y) = (from.0 * ACROSS + WIDTH, from.1 * sheet.down + 16 + turn * STEP);
    let stub = x + if edge.exit.is_empty() { 8 } else { STUB };
    let (left, top) = (to.0 * ACROSS, to.1 * sheet.down);
    let class = if hot { "wire hot" } else { "wire" };
    let _ = if to.0 > from.0 {
        let (middle, end) = (usize::midpoint(stub, left), top + HEIGHT / 2);
        write!(
            out,
            "<path class=\"{class}\" d=\"M{x} {y}H{stub}C{middle} {y} {middle} {end} {left} {end}\"/>"
        )
    } else {
        let foot = top + height(sheet.exits(&edge.to));
        let below = from.1 * sheet.down + height(sheet.exits(&edge.from));
        let low = foot.max(below) + 10 + (turn * 3).min(18);
        let end = left + WIDTH / 2 + turn * 6;
        write!(
            out,
            "<path class=\"{class}\" d=\"M{x} {y}H{stub}V{low}H{end}V{foot}\"/>"
        )
    };
    if !edge.exit.is_empty() {
        let strong = if hot { " s" } else { "" };
        let text = escaped(&clipped(&edge.exit, 9));
        let _ = write!(
            out,
            "<text class=\"h{strong}\" x=\"{}\" y=\"{}\">{text}</text>",
            x + 5,
            y.saturating_sub(3)
        );
    }
}

fn draw_node(out: &mut String, sheet: &Sheet<'_>, node: &Node, (column, row): (usize, usize), mark: Option<Mark>) {
    let (x, y) = (column * ACROSS, row * sheet.down);
    let class = match mark {
        None => "",
        Some(Mark::Bad) => " bad",
        Some(Mark::Warn) => " warn",
        Some(Mark::On) => " on",
    };
    let _ = write!(
        out,
        "<rect class=\"node{class}\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{}\" rx=\"4\"/><text class=\"s\" x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\">{}</text>",
        height(sheet.exits(&node.id)),
        x + 12,
        y + 23,
        escaped(&clipped(&node.label, 18)),
        x + 12,
        y + 41,
        escaped(&clipped(&node.kind, 20))
    );
    let right = x + WIDTH - 4;
    // Drawn inside a box of its own, because a mark on the first row begins above the sheet.
    let _ = match mark {
        Some(Mark::Bad) => write!(
            out,
            "<g transform=\"translate({right} {y})\"><path class=\"fb\" d=\"M0-9l9 9-9 9-9-9z\"/></g>"
        ),
        Some(Mark::Warn) => write!(
            out,
            "<g transform=\"translate({right} {y})\"><path class=\"fx\" d=\"M0-9l9 16h-18z\"/></g>"
        ),
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
        let svg = draw("x", &graph, &BTreeMap::from([("c".to_owned(), Mark::Bad)]), &[]);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("Hi &lt;b&gt;"));
        assert!(svg.contains("node bad"));
    }

    #[test]
    fn the_nodes_at_which_audio_leaves_the_site_are_found() {
        let app = |id: &str, url: &str| json!({"id": id, "type": "voice_app", "data": {"url": url}});
        let graph = json!({"nodes": [
            app("far", "wss://voice.example/clerk"), app("near", "ws://127.0.0.1:9000"), app("none", "nowhere"), {"id": "a", "type": "say"}
        ]});
        let far = BTreeMap::from([("far".to_owned(), "voice.example:443".to_owned())]);
        assert_eq!(leaving(&graph), far);
        assert_eq!(leaving(&json!(null)), BTreeMap::new());
    }

    #[test]
    fn anything_that_is_no_graph_draws_an_empty_sheet() {
        for graph in [json!(null), json!([]), json!({"nodes": 3, "edges": "x"})] {
            assert!(draw("x", &graph, &BTreeMap::new(), &[]).ends_with("</svg></div>"));
        }
    }
}
