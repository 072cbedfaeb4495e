//! Flows that must be refused, each with its node and reason, and flows that must not.

use crate::testing::definition;
use crate::{Catalogue, Code, check};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn catalogue() -> Catalogue {
    let set = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
    Catalogue {
        prompts: set(&["welcome", "closed"]),
        users: set(&["ada", "bob"]),
        extensions: set(&["101", "102"]),
        rooms: set(&["weekly"]),
    }
}

/// A flow of one step between a start and an end.
fn one(kind: &str, data: Value, exits: Value) -> Value {
    json!([
        ["start", "start", {}, "n"],
        ["n", kind, data, exits],
        ["end", "hangup", {}, null]
    ])
}

/// The same where the step is the last.
fn last(kind: &str, data: Value) -> Value {
    json!([["start", "start", {}, "n"], ["n", kind, data, null]])
}

fn hours(data: Value) -> Value {
    let mut whole = json!({"timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}});
    for (name, value) in data.as_object().unwrap() {
        whole[name] = value.clone();
    }
    one("hours", whole, json!("end"))
}

type Broken = (Value, &'static str, Code);

/// Flows in rows, with where and why they are refused.
fn broken_rows() -> Vec<Broken> {
    let all = [
        broken_graphs(),
        broken_sounds(),
        broken_menus(),
        broken_hours(),
        broken_dials(),
        broken_ends(),
        broken_loops(),
    ];
    all.into_iter().flatten().collect()
}

/// Graphs that do not hang together.
fn broken_graphs() -> Vec<Broken> {
    let hang = json!(["end", "hangup", {}, null]);
    let question = json!({"message": "?"});
    vec![
        (json!([]), "", Code::NoStart),
        (json!([["end", "hangup", {}, null]]), "", Code::NoStart),
        (json!([["start", "start", {}, null]]), "start", Code::DeadEnd),
        (
            json!([["start", "start", {}, "end"], ["two", "start", {}, "end"], hang]),
            "two",
            Code::ManyStarts,
        ),
        (
            json!([["start", "start", {}, "end"], hang, ["lost", "hangup", {}, null]]),
            "lost",
            Code::Unreachable,
        ),
        (
            json!([["start", "start", {}, "end"], hang, ["a", "dial", {"user": "ada"}, "b"], ["b", "voicemail", {"mailbox": "ada"}, "a"]]),
            "a",
            Code::Unreachable,
        ),
        (
            json!([["start", "start", {}, "end"], ["start", "start", {}, "end"], hang]),
            "start",
            Code::DuplicateNode,
        ),
        (
            json!([["start", "start", {}, "n"], ["n", "say", {"text": "a"}, "end"], ["n", "say", {"text": "b"}, "end"], hang]),
            "n",
            Code::DuplicateNode,
        ),
        (json!([["start", "start", {}, "gone"], hang]), "start", Code::BadEdge),
        (one("mneu", question.clone(), json!("end")), "n", Code::UnknownKind),
        (one("", json!({}), json!("end")), "n", Code::UnknownKind),
        (
            hours(json!({"holidays": ["2026-12-31..2026-12-01"]})),
            "n",
            Code::BadHoliday,
        ),
    ]
}

/// Steps that say or play nothing.
fn broken_sounds() -> Vec<Broken> {
    vec![
        (one("say", json!({}), json!("end")), "n", Code::MissingPrompt),
        (one("say", json!({"text": ""}), json!("end")), "n", Code::MissingPrompt),
        (
            one("say", json!({"text": "   "}), json!("end")),
            "n",
            Code::MissingPrompt,
        ),
        (
            one("say", json!({"text": null}), json!("end")),
            "n",
            Code::MissingPrompt,
        ),
        (
            one("say", json!({"text": ["a"]}), json!("end")),
            "n",
            Code::BadParameter,
        ),
        (
            one("say", json!({"text": "a".repeat(2001)}), json!("end")),
            "n",
            Code::TooLarge,
        ),
        (
            one("say", json!({"text": "a", "voice": {}}), json!("end")),
            "n",
            Code::BadParameter,
        ),
        (last("say", json!({"text": "a"})), "n", Code::DeadEnd),
        (one("play", json!({}), json!("end")), "n", Code::MissingPrompt),
        (
            one("play", json!({"prompt": "welcom"}), json!("end")),
            "n",
            Code::UnknownPrompt,
        ),
        (last("play", json!({"prompt": "welcome"})), "n", Code::DeadEnd),
    ]
}

/// Menus.
fn broken_menus() -> Vec<Broken> {
    let question = json!({"message": "?"});
    vec![
        (one("menu", json!({}), json!({"1": "end"})), "n", Code::MissingPrompt),
        (
            one("menu", json!({"message": " "}), json!({"1": "end"})),
            "n",
            Code::MissingPrompt,
        ),
        (
            one("menu", json!({"prompt": "gone"}), json!({"1": "end"})),
            "n",
            Code::UnknownPrompt,
        ),
        (
            one("menu", question.clone(), json!({"timeout": "end"})),
            "n",
            Code::NoOptions,
        ),
        (last("menu", question.clone()), "n", Code::NoOptions),
        (
            one("menu", question.clone(), json!({"10": "end"})),
            "n",
            Code::UnknownExit,
        ),
        (
            one("menu", question.clone(), json!({"1": "end", "sales": "end"})),
            "n",
            Code::UnknownExit,
        ),
        (
            one("menu", question.clone(), json!({"1": "end", "Press 1": "end"})),
            "n",
            Code::DuplicateExit,
        ),
        (
            one(
                "menu",
                json!({"message": "?", "options": {"2": "Help"}}),
                json!({"1": "end"}),
            ),
            "n",
            Code::DeadEnd,
        ),
        (
            one(
                "menu",
                json!({"message": "?", "options": {"x": "Help"}}),
                json!({"1": "end"}),
            ),
            "n",
            Code::BadOption,
        ),
        (
            one(
                "menu",
                json!({"message": "?", "options": ["1", "1"]}),
                json!({"1": "end"}),
            ),
            "n",
            Code::BadOption,
        ),
        (
            one("menu", json!({"message": "?", "options": "1,2"}), json!({"1": "end"})),
            "n",
            Code::BadParameter,
        ),
        (
            one("menu", json!({"message": "?", "timeout": -1}), json!({"1": "end"})),
            "n",
            Code::BadParameter,
        ),
        (
            one("menu", json!({"message": "?", "timeout": "soon"}), json!({"1": "end"})),
            "n",
            Code::BadParameter,
        ),
        (
            one("menu", json!({"message": "?", "retries": 1000}), json!({"1": "end"})),
            "n",
            Code::BadParameter,
        ),
        (
            one("menu", json!({"message": "?", "retries": 1.5}), json!({"1": "end"})),
            "n",
            Code::BadParameter,
        ),
        (
            one(
                "menu",
                json!({"message": "?", "bargeIn": "perhaps"}),
                json!({"1": "end"}),
            ),
            "n",
            Code::BadParameter,
        ),
    ]
}

/// Opening hours.
fn broken_hours() -> Vec<Broken> {
    vec![
        (hours(json!({"timezone": "Mars/Olympus"})), "n", Code::BadTimeZone),
        (hours(json!({"hours": {}})), "n", Code::BadHours),
        (hours(json!({"hours": "09:00-17:00"})), "n", Code::BadHours),
        (hours(json!({"hours": {"someday": "09:00-17:00"}})), "n", Code::BadHours),
        (hours(json!({"hours": {"mon": "nine to five"}})), "n", Code::BadHours),
        (hours(json!({"hours": {"mon": "09:60-17:00"}})), "n", Code::BadHours),
        (hours(json!({"hours": {"mon": {"from": "09:00"}}})), "n", Code::BadHours),
        (hours(json!({"hours": {"mon": "09:00-09:00"}})), "n", Code::BadHours),
        (hours(json!({"holidays": ["12-32"]})), "n", Code::BadHoliday),
        (hours(json!({"holidays": "12-25"})), "n", Code::BadHoliday),
        (
            one(
                "hours",
                json!({"timezone": "UTC", "hours": {"mon": "9-17"}}),
                json!({"open": "end"}),
            ),
            "n",
            Code::DeadEnd,
        ),
        (
            one(
                "hours",
                json!({"timezone": "UTC", "hours": {"mon": "9-17"}}),
                json!({"opne": "end", "closed": "end"}),
            ),
            "n",
            Code::UnknownExit,
        ),
    ]
}

/// Dialling.
fn broken_dials() -> Vec<Broken> {
    vec![
        (last("dial", json!({})), "n", Code::MissingTarget),
        (last("dial", json!({"number": ""})), "n", Code::MissingTarget),
        (last("dial", json!({"number": "0800-CALL-ME"})), "n", Code::BadNumber),
        (last("dial", json!({"number": "+"})), "n", Code::BadNumber),
        (last("dial", json!({"user": "adam"})), "n", Code::UnknownUser),
        (last("dial", json!({"extension": "109"})), "n", Code::UnknownUser),
        (last("dial", json!({"extension": "ada"})), "n", Code::BadNumber),
        (
            last("dial", json!({"targets": ["ada", "carl"]})),
            "n",
            Code::UnknownUser,
        ),
        (last("dial", json!({"targets": [null]})), "n", Code::MissingTarget),
        (last("dial", json!({"targets": {"a": 1}})), "n", Code::BadParameter),
        (
            last("dial", json!({"user": "ada", "strategy": "randomly"})),
            "n",
            Code::BadParameter,
        ),
        (
            last("dial", json!({"user": "ada", "timeout": 86400})),
            "n",
            Code::BadParameter,
        ),
        (
            one("dial", json!({"user": "ada"}), json!({"maybe": "end"})),
            "n",
            Code::UnknownExit,
        ),
        (
            one(
                "dial",
                json!({"user": "ada"}),
                json!({"timeout": "end", "no-answer": "end"}),
            ),
            "n",
            Code::DuplicateExit,
        ),
    ]
}

/// Mailboxes, rooms and hang-ups.
fn broken_ends() -> Vec<Broken> {
    vec![
        (last("voicemail", json!({})), "n", Code::MissingMailbox),
        (last("voicemail", json!({"mailbox": "carl"})), "n", Code::UnknownMailbox),
        (last("room", json!({})), "n", Code::MissingRoom),
        (last("room", json!({"room": "weakly"})), "n", Code::UnknownRoom),
        (
            one("agent", json!({}), json!({"fallback": "end"})),
            "n",
            Code::MissingAgent,
        ),
        (last("agent", json!({"agent": "clerk"})), "n", Code::DeadEnd),
        (
            one("voice_app", json!({}), json!({"fallback": "end"})),
            "n",
            Code::MissingAddress,
        ),
        (
            one(
                "voice_app",
                json!({"url": "https://a.example"}),
                json!({"fallback": "end"}),
            ),
            "n",
            Code::BadAddress,
        ),
        (last("voice_app", json!({"url": "wss://a.example"})), "n", Code::DeadEnd),
        (one("hangup", json!({}), json!("end")), "n", Code::UnknownExit),
        (last("hangup", json!({"cause": "boredom"})), "n", Code::BadCause),
    ]
}

/// Ways round without being asked.
fn broken_loops() -> Vec<Broken> {
    let hang = json!(["end", "hangup", {}, null]);
    let question = json!({"message": "?"});
    vec![
        (
            json!([["start", "start", {}, "start"]]),
            "start",
            Code::LoopWithoutInput,
        ),
        (
            json!([["start", "start", {}, "n"], ["n", "say", {"text": "a"}, "n"]]),
            "n",
            Code::LoopWithoutInput,
        ),
        (
            json!([["start", "start", {}, "a"], ["a", "say", {"text": "a"}, "b"], ["b", "play", {"prompt": "welcome"}, "a"]]),
            "a",
            Code::LoopWithoutInput,
        ),
        (
            json!([["start", "start", {}, "h"], ["h", "hours", {"timezone": "UTC", "hours": {"mon": "9-17"}}, {"open": "end", "closed": "s"}], ["s", "say", {"text": "a"}, "h"], hang]),
            "h",
            Code::LoopWithoutInput,
        ),
        (
            json!([["start", "start", {}, "m"], ["m", "menu", question, {"1": "a", "2": "end"}], ["a", "say", {"text": "a"}, "b"], ["b", "say", {"text": "b"}, "a"], hang]),
            "a",
            Code::LoopWithoutInput,
        ),
    ]
}

/// Documents that rows cannot write.
fn broken_documents() -> Vec<Broken> {
    let nodes = json!([{"id": "start", "type": "start"}, {"id": "end", "type": "hangup"}]);
    let edge = |edge: Value| json!({"nodes": nodes, "edges": [{"source": "start", "target": "end"}, edge]});
    vec![
        (json!(null), "", Code::NotAFlow),
        (json!([]), "", Code::NotAFlow),
        (json!({}), "", Code::NotAFlow),
        (json!({"nodes": {}}), "", Code::NotAFlow),
        (json!({"nodes": [], "edges": {}}), "", Code::NotAFlow),
        (json!({"nodes": ["start"]}), "", Code::NotAFlow),
        (json!({"nodes": [{"type": "start"}]}), "", Code::NodeWithoutId),
        (json!({"nodes": vec![json!({}); 501]}), "", Code::TooLarge),
        (json!({"nodes": [{"id": "start"}]}), "start", Code::UnknownKind),
        (
            json!({"nodes": [{"id": "start", "type": "start", "data": []}]}),
            "start",
            Code::BadParameter,
        ),
        (edge(json!({"target": "end"})), "", Code::BadEdge),
        (edge(json!({"source": "end"})), "end", Code::BadEdge),
        (edge(json!("start → end")), "", Code::BadEdge),
        (edge(json!({"source": "end", "target": "edn"})), "end", Code::BadEdge),
        (edge(json!({"source": "strat", "target": "end"})), "end", Code::BadEdge),
        (
            edge(json!({"source": "start", "target": "end"})),
            "start",
            Code::DuplicateExit,
        ),
        (
            json!({"nodes": nodes, "edges": [
                {"id": "e", "source": "start", "target": "end"}, {"id": "e", "source": "start", "target": "end"}
            ]}),
            "start",
            Code::DuplicateEdge,
        ),
    ]
}

fn good() -> Vec<Value> {
    let hang = json!(["end", "hangup", {}, null]);
    let menu = |data: Value, exits: Value| one("menu", data, exits);
    let question = json!({"message": "Press a key"});
    vec![
        json!([["start", "start", {}, "end"], hang]),
        json!([["start", "start", {"voice": "anna", "language": "de"}, "end"], hang]),
        json!([["start", "start", {}, {"then": "end"}], hang]),
        one("say", json!({"text": "Hello"}), json!("end")),
        one(
            "say",
            json!({"message": "Hello", "voice": "Polly.Joanna", "language": "en-GB"}),
            json!("end"),
        ),
        one("say", json!({"text": "Grüße, 你好, {name}"}), json!({"next": "end"})),
        one("play", json!({"prompt": "welcome"}), json!("end")),
        one("play", json!({"promptId": "closed"}), json!("end")),
        menu(question.clone(), json!({"1": "end"})),
        menu(question.clone(), json!({"*": "end", "#": "end", "0": "end"})),
        menu(
            question.clone(),
            json!({"1": "end", "timeout": "end", "invalid": "end"}),
        ),
        menu(question.clone(), json!({"1": "end", "default": "end"})),
        menu(question.clone(), json!({"Press 1": "end", "2 - Help": "end"})),
        menu(question.clone(), json!({"1": "n", "2": "end"})),
        menu(question.clone(), json!({"1": "end", "timeout": "n"})),
        menu(json!({"message": "?", "options": {}}), json!({"1": "end"})),
        menu(json!({"message": "?", "options": {"1": "Sales"}}), json!({"1": "end"})),
        menu(
            json!({"message": "?", "options": {"1": {"label": "Sales"}}}),
            json!({"1": "end"}),
        ),
        menu(
            json!({"message": "?", "options": [{"key": "1", "label": "Sales"}, 2]}),
            json!({"1": "end", "2": "end"}),
        ),
        menu(json!({"message": "?", "options": {"1": "end"}}), json!(null)),
        menu(
            json!({"prompt": "welcome", "timeout": 10, "retries": 0, "bargeIn": false}),
            json!({"1": "end"}),
        ),
        menu(
            json!({"message": "?", "timeout": "7", "retries": "3"}),
            json!({"1": "end"}),
        ),
        hours(json!({})),
        hours(json!({"holidays": ["12-25", "2026-04-03", "02-29", {"date": "2026-05-01", "name": "Labour Day"}]})),
        hours(json!({"timezone": "America/Argentina/Buenos_Aires", "hours": {"daily": "22:00-06:00"}})),
        hours(json!({"hours": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "sat": "closed", "sun": []}})),
        one(
            "hours",
            json!({"timezone": "UTC", "hours": {"fri-mon": "9-17"}}),
            json!({"open": "end", "closed": "end"}),
        ),
        one(
            "hours",
            json!({"timezone": "UTC", "hours": {"mon": "9-17"}}),
            json!({"yes": "end", "no": "end"}),
        ),
        last("dial", json!({"number": "+1234567890"})),
        last("dial", json!({"number": "(0421) 12 34-56"})),
        last("dial", json!({"user": "ada"})),
        last("dial", json!({"extension": 101})),
        last(
            "dial",
            json!({"targets": ["ada", "102", "+4942112345"], "strategy": "in-turn", "timeout": 15}),
        ),
        last("dial", json!({"group": "ada, bob", "strategy": "ring-all"})),
        last("forward", json!({"number": "+4942112345"})),
        one("dial", json!({"user": "ada"}), json!("end")),
        one(
            "dial",
            json!({"user": "ada"}),
            json!({"busy": "end", "no-answer": "end", "failed": "end", "completed": "end"}),
        ),
        last("voicemail", json!({"mailbox": "ada"})),
        last("voicemail", json!({"mailbox": "101"})),
        one("voicemail", json!({"user": "bob"}), json!("end")),
        last("room", json!({"room": "weekly"})),
        last("conference", json!({"name": "weekly"})),
        one(
            "agent",
            json!({"agent": "clerk", "timeout": 20}),
            json!({"no-agent": "end"}),
        ),
        one(
            "stream",
            json!({"url": "wss://voice.example/clerk", "parameters": {"from": "{caller}"}}),
            json!({"failed": "end", "done": "end"}),
        ),
        last("hangup", json!({"cause": "busy"})),
        last("hangup", json!({"cause": "no-answer"})),
        json!([["start", "start", {}, "m"], ["m", "menu", question, {"1": "s", "9": "start"}], ["s", "say", {"text": "a"}, "m"]]),
        json!([["start", "start", {}, "d"], ["d", "dial", {"user": "ada"}, "m"], ["m", "menu", question, {"1": "d", "2": "v"}], ["v", "voicemail", {"mailbox": "ada"}, null]]),
    ]
}

#[test]
fn every_broken_flow_is_refused_with_its_node_and_reason() {
    let rows = broken_rows()
        .into_iter()
        .map(|(rows, node, code)| (definition(&rows), node, code));
    let all: Vec<_> = rows.chain(broken_documents()).collect();
    assert!(all.len() >= 90, "{}", all.len());
    for (definition, node, code) in &all {
        let (flow, findings) = check(definition, &catalogue());
        assert!(flow.is_none(), "taken: {definition}");
        let found = findings.iter().find(|finding| finding.code == *code);
        let found = found.unwrap_or_else(|| panic!("{code} not found in {findings:?} of {definition}"));
        assert_eq!(found.node.as_deref().unwrap_or(""), *node, "{definition}");
        assert!(found.is_error());
    }
}

#[test]
fn the_corpus_shows_every_code() {
    let shown: BTreeSet<Code> = broken_rows()
        .into_iter()
        .chain(broken_documents())
        .map(|(_, _, code)| code)
        .collect();
    assert_eq!(shown, Code::ALL.iter().copied().collect());
}

#[test]
fn messages_are_whole_sentences_that_name_the_mend() {
    let rows = broken_rows().into_iter().map(|(rows, ..)| definition(&rows));
    for definition in rows.chain(broken_documents().into_iter().map(|(definition, ..)| definition)) {
        for finding in check(&definition, &catalogue()).1 {
            let message = &finding.message;
            assert!(message.ends_with(['.', '?', ')']), "{message}");
            assert!(
                message.starts_with(|first: char| first.is_uppercase() || first == '“'),
                "{message}"
            );
        }
    }
}

#[test]
fn no_good_flow_raises_an_alarm() {
    let good = good();
    assert!(good.len() >= 40, "{}", good.len());
    for rows in good {
        let definition = definition(&rows);
        let (flow, findings) = check(&definition, &catalogue());
        assert_eq!(findings, [], "{definition}");
        assert_eq!(flow.unwrap().definition(), &definition);
    }
}
