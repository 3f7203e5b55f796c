//! The `rmedia` command: runs media pipelines, checks and shows them.
//!
//! Results go to standard output, messages to standard error. The engine's meaning is in the
//! crate `remotemedia`; here are only files, terminals and the command line.

mod args;
mod drive;
mod failure;
mod graph;
mod input;
mod interrupt;
mod lines;
mod load;
mod measured;
mod nodes;
mod output;
mod pcm;
mod progress;
mod pump;
mod remote;
mod report;
mod run;
mod serve;
mod stream;
mod validate;
mod value;
mod watch;

use args::{Cli, Command};
use clap::Parser;
use failure::{Exit, Failure};
use report::Reporter;
use std::process::ExitCode;

fn main() -> ExitCode {
    remotemedia::remote::install(&remotemedia::Engine::default());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let quiet = match &cli.command {
        Command::Run(args) => args.quiet,
        Command::Stream(args) => args.quiet,
        Command::Remote(args) => remote::is_quiet(args),
        _ => false,
    };
    let reporter = Reporter { json: cli.json, quiet };
    let result = match cli.command {
        Command::Run(args) => run::run(&args, reporter),
        Command::Stream(args) => stream::run(&args, reporter),
        Command::Validate(args) => validate::run(&args, reporter),
        Command::Nodes(args) => nodes::run(&args, reporter),
        Command::Graph(args) => graph::run(&args, reporter),
        Command::Schema(args) => nodes::run_schema(&args),
        Command::Serve(args) => serve::run(&args, reporter),
        Command::Remote(args) => remote::run(args, reporter),
    };
    let exit = result.unwrap_or_else(|failure| {
        reporter.failure(&failure);
        failure.exit
    });
    // Servers need not wait for what has come to its end.
    remotemedia::remote::leave(LEAVE);
    ExitCode::from(exit as u8)
}

/// How long servers may take to hear of it.
const LEAVE: std::time::Duration = std::time::Duration::from_secs(1);

/// Help, the version, or a command line that clap refuses.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let failure = Failure::usage(first.strip_prefix("error: ").unwrap_or(first));
        Reporter { json: true, quiet: false }.failure(&failure);
    } else {
        // That nobody reads it is no error.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { Exit::Good as u8 })
}
