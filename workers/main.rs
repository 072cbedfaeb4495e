//! The command `strowger-worker`; everything it does is in the library beside it.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use strowger_worker::commands::{Arguments, run};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nobody is left to tell when even standard error is gone.
            let _ = writeln!(std::io::stderr(), "strowger-worker: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
