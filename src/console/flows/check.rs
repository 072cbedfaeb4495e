//! A flow's check and its run in thought, as the pages show them.

use super::view::{Finding, Run};
use crate::desk::Desk;
use crate::fault::Page;
use crate::people::form::sentence;
use crate::show::words;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use strowger_ivr::{Catalogue, Context, Script, check, simulate};
use strowger_store::Page as Keyset;

/// What the tenant has, as far as a flow may name it.
pub(super) async fn catalogue(desk: &Desk) -> Page<Catalogue> {
    let prompts = desk.scope.prompts().list(&Keyset::first(1000)).await?.items;
    let users = desk.scope.users().list(&Keyset::first(1000)).await?.items;
    let mut names = BTreeSet::new();
    let mut extensions = BTreeSet::new();
    for user in users {
        names.extend([user.name, user.email, user.id.to_string()]);
        extensions.extend(user.extension);
    }
    Ok(Catalogue {
        prompts: Some(
            prompts
                .into_iter()
                .flat_map(|prompt| [prompt.name, prompt.id.to_string()])
                .collect(),
        ),
        users: Some(names),
        extensions: Some(extensions),
        rooms: None,
    })
}

/// The findings of a graph.
pub(super) fn findings(graph: &Value, catalogue: &Catalogue) -> Vec<Finding> {
    let (_, found) = check(graph, catalogue);
    found
        .into_iter()
        .map(|finding| Finding {
            blocks: finding.is_error(),
            node: finding.node,
            message: finding.message,
        })
        .collect()
}

/// Runs a graph with keys pressed, as a call would.
pub(super) fn run(graph: &Value, catalogue: &Catalogue, keys: &str, now: time::OffsetDateTime) -> Run {
    let mut run = Run {
        keys: keys.to_owned(),
        ..Run::default()
    };
    let (flow, _) = check(graph, catalogue);
    let Some(flow) = flow else {
        run.problem = "Mend the errors among the findings first.".to_owned();
        return run;
    };
    let script = match keys.parse::<Script>() {
        Ok(script) => script,
        Err(bad) => {
            run.problem = format!("{}.", sentence(&bad.to_string()));
            return run;
        }
    };
    let context = Context::new(now, "+15550100", "+15550199");
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulator counts from any moment and waits for nothing"
    )]
    let trace = simulate(&Arc::new(flow), script, context, Instant::now());
    run.nodes = trace.path().into_iter().map(str::to_owned).collect();
    for stop in &trace.stops {
        let at = words::clock(i64::try_from(stop.at.as_millis()).unwrap_or(i64::MAX));
        let moments: Vec<String> = stop.moments.iter().map(ToString::to_string).collect();
        let exit = stop
            .exit
            .as_deref()
            .map(|exit| format!(" by exit {exit}"))
            .unwrap_or_default();
        run.lines.push(
            format!("{at} {}{exit}: {}", stop.node, moments.join(", "))
                .trim_end_matches([':', ' '])
                .to_owned(),
        );
    }
    let end = trace.cause.map_or("The caller hung up.", words::cause);
    let length = i64::try_from(trace.length.as_millis()).unwrap_or(i64::MAX);
    run.lines.push(format!("{} {end}", words::clock(length)));
    run
}
