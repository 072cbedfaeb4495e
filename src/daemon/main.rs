//! `strowger`: starts, wires and stops the daemon, and the commands an administrator types.
//!
//! Start reading at [`serve`] for how the parts are wired, at [`sandbox`] for the throw-away instance.
#![expect(
    clippy::disallowed_methods,
    reason = "a shell: sockets, timers and clocks are wired here"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to who typed it"
)]

mod certificates;
mod command;
mod disk;
mod http;
mod programs;
mod room_desk;
mod rooms;
mod sandbox;
mod serve;
mod turn;
mod worker_child;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "strowger",
    version,
    about = "The operator appliance",
    propagate_version = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon.
    Serve {
        /// The configuration; the built-in defaults without it.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Ends as soon as the process that started it is gone.
        #[arg(long, hide = true)]
        supervised: bool,
    },
    /// Runs a throw-away instance with a demo tenant and prints one line of JSON when it is ready.
    Sandbox(sandbox::Options),
    /// Checks or explains the configuration.
    Config {
        #[command(subcommand)]
        command: command::config::Command,
    },
    /// Checks flows, or walks one without a phone.
    Flow {
        #[command(subcommand)]
        command: command::flow::Command,
    },
    /// The key above all keys.
    Keys {
        #[command(subcommand)]
        command: command::keys::Command,
    },
    /// Looks for recordings that are lost, damaged or left behind.
    Doctor {
        #[command(subcommand)]
        command: command::doctor::Doctor,
    },
    /// Proves the audit log.
    Audit {
        #[command(subcommand)]
        command: command::doctor::Audit,
    },
    /// What is known of a person or number: found, exported, erased.
    Subject {
        #[command(subcommand)]
        command: command::subject::Command,
    },
    /// Settings and facts held against the checklists of GDPR, PCI DSS and HIPAA.
    Compliance {
        #[command(subcommand)]
        command: command::compliance::Command,
    },
    /// Shows settings.
    Settings {
        #[command(subcommand)]
        command: command::settings::Command,
    },
    /// Speech models: `list`, `pull NAME`, `import FILE`, `verify`. Handed to strowger-worker.
    #[command(disable_help_flag = true)]
    Models {
        /// What strowger-worker is told.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve { config, supervised } => serve::run(config.as_deref(), supervised),
        Command::Sandbox(options) => sandbox::run(&options),
        Command::Config { command } => command::config::run(&command),
        Command::Flow { command } => command::flow::run(&command),
        Command::Keys { command } => command::keys::run(&command),
        Command::Doctor { command } => command::doctor::examine(&command),
        Command::Audit { command } => command::doctor::audit(&command),
        Command::Subject { command } => command::subject::run(&command),
        Command::Compliance { command } => command::compliance::run(&command),
        Command::Settings { command } => command::settings::run(&command),
        Command::Models { arguments } => command::models::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("strowger: {error:#}");
            ExitCode::FAILURE
        }
    }
}
