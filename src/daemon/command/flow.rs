//! `strowger flow check FILE…` and `strowger flow test FILE --press 1,2`.

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use strowger_ivr::simulate::Moment;
use strowger_ivr::{Catalogue, Context, Script, Trace, check, simulate};
use strowger_model::World;
use strowger_store::SystemWorld;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says what is wrong with flows; fails when something is.
    Check {
        /// Flows as JSON.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Walks a flow as a call would and prints the path and what is heard.
    Test {
        /// The flow as JSON.
        file: PathBuf,
        /// Keys the caller presses, one menu after the other, separated by commas.
        #[arg(long, default_value = "")]
        press: String,
    },
}

/// Runs it.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check { files } => check_files(files),
        Command::Test { file, press } => walk(file, press),
    }
}

fn read(file: &Path) -> Result<serde_json::Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))
}

fn check_files(files: &[PathBuf]) -> Result<ExitCode> {
    let mut refused = false;
    for file in files {
        let (flow, findings) = check(&read(file)?, &Catalogue::unknown());
        refused |= flow.is_none();
        let verdict = if flow.is_some() { "ok" } else { "refused" };
        println!("{}: {verdict}", file.display());
        for finding in findings {
            println!("  {finding}");
        }
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn walk(file: &Path, press: &str) -> Result<ExitCode> {
    let (flow, findings) = check(&read(file)?, &Catalogue::unknown());
    for finding in &findings {
        println!("{finding}");
    }
    let Some(flow) = flow else {
        bail!("the flow has errors and takes no calls")
    };
    let script: Script = press.parse()?;
    let context = Context::new(SystemWorld.now(), "+15550000001", "+15550000002");
    let trace = simulate(&Arc::new(flow), script, context, Instant::now());
    print(&trace);
    Ok(ExitCode::SUCCESS)
}

fn print(trace: &Trace) {
    for stop in &trace.stops {
        let exit = stop
            .exit
            .as_deref()
            .map_or_else(String::new, |exit| format!("  (by {exit})"));
        println!("{:>6.1} s  {}{exit}", stop.at.as_secs_f64(), stop.node);
        for moment in &stop.moments {
            println!("          {}", told(moment));
        }
    }
    match trace.cause {
        Some(cause) => println!("{:>6.1} s  ended: {cause}", trace.length.as_secs_f64()),
        None => println!("{:>6.1} s  the caller hung up", trace.length.as_secs_f64()),
    }
    if trace.unused > 0 {
        println!("          {} of the keys were not needed", trace.unused);
    }
}

fn told(moment: &Moment) -> String {
    match moment {
        Moment::Answered => "answered".to_owned(),
        Moment::Heard(sound) => format!("heard {sound}"),
        Moment::Pressed(key) => format!("pressed {key}"),
        Moment::Waited => "pressed nothing".to_owned(),
        Moment::Rang { targets, outcome } => {
            let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
            format!("rang {}: {outcome:?}", names.join(", "))
        }
        Moment::LeftMessage { mailbox } => format!("left a message for {mailbox}"),
        Moment::Joined { room } => format!("joined the room {room}"),
        Moment::TalkedTo { agent } => format!("talked to the agent {agent}"),
        Moment::NoAgent { agent } => format!("waited for the agent {agent}, who did not come"),
        Moment::SpokeWith { app } => format!("spoke with the voice app {app}"),
        Moment::NoApp { app } => format!("was not connected with the voice app {app}"),
        Moment::HungUp { cause } => format!("hung up on: {cause}"),
        Moment::CallerGone => "hung up".to_owned(),
    }
}
