//! What the pages of flows show.

use crate::draw::graph::{self, Mark};
use crate::show::{
    Act, Block, Body, Button, Cell, Column, Field, Form, Link, Note, Page, Problems, Row, Section, Shell, State, Table,
    Values, words,
};
use serde_json::Value;
use std::collections::BTreeMap;
use strowger_model::record::{Flow, FlowVersion};

/// A finding as it is shown.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The node it is at.
    pub node: Option<String>,
    /// Whether it blocks publishing.
    pub blocks: bool,
    /// What it says.
    pub message: String,
}

/// A run of the simulator.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The keys that were pressed.
    pub keys: String,
    /// What happened, in order.
    pub lines: Vec<String>,
    /// The nodes it went through.
    pub nodes: Vec<String>,
    /// Why it could not run.
    pub problem: String,
}

/// Everything the editor shows.
#[derive(Debug, Clone)]
pub struct Editor {
    /// The flow.
    pub flow: Flow,
    /// What stands in the text area.
    pub text: String,
    /// The graph that is drawn: what was typed, or the draft.
    pub graph: Value,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Its versions, newest first.
    pub versions: Vec<FlowVersion>,
    /// A run of the simulator, if one was asked for.
    pub run: Option<Run>,
    /// What is wrong with the form itself.
    pub problem: String,
    /// Whether the reader may change it.
    pub may_change: bool,
}

/// The flows of a tenant.
#[must_use]
pub fn list(shell: &Shell, base: &str, flows: &[Flow], typed: (&Values, &Problems), may_change: bool) -> Page {
    let columns = vec![
        Column::name("Flow"),
        Column::text("Live"),
        Column::text("What it does").class("full"),
        Column::figure("Calls", "Calls"),
        Column::text("Last call").class("w no"),
        Column::text("Draft changed").class("w no"),
    ];
    let rows = flows.iter().map(|flow| {
        Row::of(vec![
            Cell::link(format!("{base}/flows/{}", flow.id), flow.name.clone()),
            Cell::State(match flow.published_number {
                Some(number) => State::ok(format!("Version {number}")),
                None => State::idle("Draft only"),
            }),
            Cell::text(flow.description.clone()),
            Cell::text(words::grouped(flow.total_calls)),
            Cell::text(shell.clock.maybe(flow.last_used_at)),
            Cell::text(shell.clock.stamp(flow.updated_at)),
        ])
    });
    let table = Table::new("Flows", columns, rows.collect());
    let empty = (
        "No flows yet.",
        "A flow answers a number: it greets, asks for a key, rings people, takes messages.",
    );
    let mut blocks = vec![Block::One(Section::table("fl", "All flows", table, empty))];
    if may_change {
        let fields = vec![
            Field::line("name", "Name").required(),
            Field::line("description", "What it does"),
        ];
        let form = Form::post(format!("{base}/flows"), "New flow", &shell.csrf, fields, "Make a draft")
            .filled(typed.0, typed.1);
        blocks.push(Block::One(Section::new("nw", "New flow", vec![Body::Form(form)])));
    }
    Page::new(shell, "Flows", blocks)
}

fn marks(editor: &Editor) -> BTreeMap<String, Mark> {
    let mut marks: BTreeMap<String, Mark> = BTreeMap::new();
    if let Some(run) = &editor.run {
        marks.extend(run.nodes.iter().map(|node| (node.clone(), Mark::On)));
    }
    for finding in &editor.findings {
        let Some(node) = &finding.node else { continue };
        let mark = if finding.blocks { Mark::Bad } else { Mark::Warn };
        if marks.get(node) != Some(&Mark::Bad) {
            marks.insert(node.clone(), mark);
        }
    }
    marks
}

fn findings(editor: &Editor) -> Section {
    let leaving = leaving(editor);
    if editor.findings.is_empty() && leaving.is_empty() {
        let empty = Body::Empty(
            "None.".into(),
            "Every node can be reached and every way ends or waits.".into(),
        );
        return Section::new("fi", "Findings", vec![empty]);
    }
    let known = graph::nodes(&editor.graph);
    let notes = editor.findings.iter().map(|finding| {
        let label = finding.node.as_ref().map(|id| {
            let node = known.iter().find(|node| &node.id == id);
            node.map_or_else(|| id.clone(), |node| node.label.clone())
        });
        let place = finding
            .node
            .as_ref()
            .map(|id| Link::new(format!("#n-{id}"), "Go to node"));
        Body::Note(Note {
            shape: if finding.blocks { "bad" } else { "warn" },
            strong: label.map_or_else(|| "The flow.".to_owned(), |label| format!("{label}.")),
            text: finding.message.clone(),
            link: place.filter(|_| known.iter().any(|node| Some(&node.id) == finding.node.as_ref())),
        })
    });
    Section::new("fi", "Findings", notes.chain(leaving).collect())
}

/// What callers say at voice apps outside is seen by others than this machine: a mark for each.
fn leaving(editor: &Editor) -> Vec<Body> {
    let places = graph::leaving(&editor.graph).into_iter();
    let notes = places.map(|(node, host)| {
        Body::Note(Note {
            shape: "warn",
            strong: "Audio leaves this site.".to_owned(),
            text: format!("What callers say at this node goes to {host}."),
            link: Some(Link::new(format!("#n-{node}"), "Go to node")),
        })
    });
    notes.collect()
}

fn node_table(editor: &Editor) -> Table {
    let edges = graph::edges(&editor.graph);
    let columns = vec![
        Column::name("Node"),
        Column::text("Kind"),
        Column::text("Exits").class("full"),
        Column::text("Findings").class("full"),
    ];
    let rows = graph::nodes(&editor.graph).into_iter().map(|node| {
        let exits: Vec<String> = edges
            .iter()
            .filter(|edge| edge.from == node.id)
            .map(|edge| {
                if edge.exit.is_empty() {
                    edge.to.clone()
                } else {
                    format!("{} → {}", edge.exit, edge.to)
                }
            })
            .collect();
        let mut found = editor
            .findings
            .iter()
            .filter(|finding| finding.node.as_ref() == Some(&node.id))
            .peekable();
        let state = match found.peek() {
            None => State::ok("None"),
            Some(first) if first.blocks => State::bad(first.message.clone()),
            Some(first) => State::warn(first.message.clone()),
        };
        let more = found.count().saturating_sub(1);
        Row {
            id: format!("n-{}", node.id),
            cells: vec![
                Cell::Pair(node.label, node.id),
                Cell::text(node.kind),
                Cell::text(exits.join(", ")),
                Cell::StatePair(
                    state,
                    if more > 0 {
                        format!("and {more} more")
                    } else {
                        String::new()
                    },
                ),
            ],
        }
    });
    Table::new("Nodes of the flow", columns, rows.collect())
}

fn versions(shell: &Shell, here: &str, editor: &Editor) -> Section {
    let mut columns = vec![
        Column::name("No."),
        Column::text("State"),
        Column::text("By").class("full"),
        Column::text("Published").class("w"),
    ];
    if editor.may_change {
        columns.push(Column::acts());
    }
    let rows = editor.versions.iter().map(|version| {
        let live = editor.flow.published == Some(version.id);
        let state = match version.state.as_str() {
            _ if live => State::on("Live"),
            "ready" => State::idle("Past"),
            other => words::piece_state(other),
        };
        let mut cells = vec![
            Cell::link(
                format!("{here}/versions/{}", version.number),
                version.number.to_string(),
            ),
            Cell::StatePair(state, version.problem.clone().unwrap_or_default()),
            Cell::text(version.published_by.clone()),
            Cell::text(shell.clock.stamp(version.created_at)),
        ];
        if editor.may_change {
            let act = Act::new(
                format!("{here}/roll-back"),
                "Make live again",
                &format!("version {}", version.number),
                &shell.csrf,
            );
            let usable = !live && version.state == "ready";
            cells.push(if usable {
                Cell::Acts(vec![act.with("version", version.id.to_string())])
            } else {
                Cell::Blank
            });
        }
        Row::of(cells)
    });
    let table = Table::new("Versions, newest first", columns, rows.collect());
    Section::table(
        "ve",
        "Versions",
        table,
        (
            "Never published.",
            "Publishing freezes the draft as version 1; callers hear it from then on.",
        ),
    )
    .aside("Running calls keep theirs")
}

fn simulator(editor: &Editor, here: &str, csrf: &str) -> Section {
    let mut keys = Field::line("press", "What the caller does").hint(
        "Keys as they are pressed, with words between them: 2, wait, busy, no-answer, hangup. Nothing is dialled.",
    );
    let mut body = Vec::new();
    if let Some(run) = &editor.run {
        keys.value.clone_from(&run.keys);
        if run.problem.is_empty() {
            body.push(Body::List(run.lines.clone()));
        } else {
            body.push(Body::Note(Note {
                shape: "bad",
                strong: "It cannot be tried.".into(),
                text: run.problem.clone(),
                link: None,
            }));
        }
    }
    let form = Form::post(format!("{here}/simulate"), "Try the flow", csrf, vec![keys], "Try it");
    body.insert(0, Body::Form(form));
    Section::new("si", "Try it", body).aside("A call in thought: same machine, no phone")
}

/// The editor.
#[must_use]
pub fn editor(shell: &Shell, base: &str, editor: &Editor) -> Page {
    let flow = &editor.flow;
    let here = format!("{base}/flows/{}", flow.id);
    let blocking = editor.findings.iter().filter(|finding| finding.blocks).count();
    let way = editor.run.as_ref().map_or(&[][..], |run| &run.nodes);
    let drawing = Body::Drawing(graph::draw(&flow.name, &editor.graph, &marks(editor), way));
    let aside = if editor.run.is_some() {
        "Blue: the way this try took"
    } else {
        ""
    };
    let mut blocks = vec![
        Block::One(
            Section::new(
                "gr",
                "Graph",
                vec![drawing, Body::Behind("Show as a table".into(), node_table(editor))],
            )
            .aside(aside),
        ),
        Block::Two(findings(editor), versions(shell, &here, editor)),
    ];
    if editor.may_change {
        let mut name = Field::line("name", "Name").required();
        name.value.clone_from(&flow.name);
        let mut description = Field::line("description", "What it does");
        description.value.clone_from(&flow.description);
        let mut draft = Field::area("draft", "Draft, as JSON", 24)
            .hint("Nodes and edges. Saved even with findings; publishing needs it free of errors.");
        draft.value.clone_from(&editor.text);
        draft.error.clone_from(&editor.problem);
        let form = Form::post(
            here.clone(),
            "Edit the draft",
            &shell.csrf,
            vec![name, description, draft],
            "Save draft",
        )
        .button("check", "1", "Check only");
        let edit = Section::new("ed", "Edit", vec![Body::Form(form)]);
        blocks.push(Block::Wide(edit, simulator(editor, &here, &shell.csrf)));
    } else {
        blocks.push(Block::One(Section::new(
            "ed",
            "Draft",
            vec![Body::Code(editor.text.clone())],
        )));
    }
    let live = flow.published_number.map_or_else(
        || "Nothing is live yet.".to_owned(),
        |number| format!("Version {number} is live."),
    );
    let state = match (blocking, editor.findings.len()) {
        (0, 0) => "The draft has no findings.".to_owned(),
        (0, all) => format!(
            "The draft can be published with {}.",
            words::count(i64::try_from(all).unwrap_or(0), "warning", "warnings")
        ),
        (bad, _) => format!(
            "The draft cannot be published yet: {}.",
            words::count(i64::try_from(bad).unwrap_or(0), "error", "errors")
        ),
    };
    let mut page = Page::new(shell, flow.name.clone(), blocks)
        .crumb(format!("{base}/flows"), "Flows")
        .intro(format!("{live} {state}"));
    if editor.may_change {
        page = page.button(Button::Post(
            Act::new(format!("{here}/remove"), "Remove", &flow.name, &shell.csrf).danger(),
        ));
        if blocking == 0 {
            page = page.button(Button::Post(Act::new(
                format!("{here}/publish"),
                "Publish the draft",
                "",
                &shell.csrf,
            )));
        } else {
            page = page.button(Button::Go(Link::new("#fi", "See what must be mended"), true));
        }
    }
    page
}

/// A frozen version.
#[must_use]
pub fn version(shell: &Shell, base: &str, flow: &Flow, version: &FlowVersion, changed: &[String]) -> Page {
    let text = serde_json::to_string_pretty(&version.definition).unwrap_or_default();
    let drawing = Body::Drawing(graph::draw(&flow.name, &version.definition, &BTreeMap::new(), &[]));
    let differs = if changed.is_empty() {
        Body::Empty("Nothing.".into(), "The draft is the same graph.".into())
    } else {
        Body::List(changed.to_vec())
    };
    let blocks = vec![
        Block::One(Section::new("gr", "Graph", vec![drawing])),
        Block::Two(
            Section::new("df", "What the draft changes", vec![differs]),
            Section::new("js", "As JSON", vec![Body::Code(text)]),
        ),
    ];
    Page::new(shell, format!("Version {}", version.number), blocks)
        .crumb(format!("{base}/flows"), "Flows")
        .crumb(format!("{base}/flows/{}", flow.id), &flow.name)
        .intro(format!(
            "Published {} by {}.",
            shell.clock.stamp(version.created_at),
            version.published_by
        ))
}

/// What changed from one graph to another, node by node and edge by edge.
#[must_use]
pub fn changes(before: &Value, after: &Value) -> Vec<String> {
    let by_id = |graph: &Value| -> BTreeMap<String, Value> {
        let list = graph
            .get("nodes")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        list.into_iter()
            .filter_map(|mut node| {
                let id = node.get("id")?.as_str()?.to_owned();
                if let Some(fields) = node.as_object_mut() {
                    fields.remove("position");
                }
                Some((id, node))
            })
            .collect()
    };
    let (old, new) = (by_id(before), by_id(after));
    let mut out = Vec::new();
    for (id, node) in &new {
        match old.get(id) {
            None => out.push(format!("Adds node {id}.")),
            Some(was) if was != node => out.push(format!("Changes node {id}.")),
            Some(_) => {}
        }
    }
    out.extend(
        old.keys()
            .filter(|id| !new.contains_key(*id))
            .map(|id| format!("Removes node {id}.")),
    );
    let (old, new) = (graph::edges(before), graph::edges(after));
    let words = |edge: &graph::Edge| format!("{} {} → {}", edge.from, edge.exit, edge.to);
    out.extend(
        new.iter()
            .filter(|edge| !old.contains(edge))
            .map(|edge| format!("Adds exit {}.", words(edge))),
    );
    out.extend(
        old.iter()
            .filter(|edge| !new.contains(edge))
            .map(|edge| format!("Removes exit {}.", words(edge))),
    );
    out
}
