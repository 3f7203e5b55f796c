//! `rmedia remote`: asks a server that runs nodes, or has it run a pipeline's.

use crate::args::{AskArgs, DrainArgs, RemoteArgs, RemoteCommand};
use crate::failure::{Exit, Failure};
use crate::report::{Reporter, print};
use crate::{run, stream};
use remotemedia::remote::{Health, Remote};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Whether nothing but errors is to be said.
pub(crate) fn is_quiet(args: &RemoteArgs) -> bool {
    match &args.command {
        RemoteCommand::Run(on) => on.args.quiet,
        RemoteCommand::Stream(on) => on.args.quiet,
        RemoteCommand::Health(_) | RemoteCommand::Nodes(_) | RemoteCommand::Drain(_) => false,
    }
}

/// Asks, or runs.
pub(crate) fn run(args: RemoteArgs, reporter: Reporter) -> Result<Exit, Failure> {
    match args.command {
        RemoteCommand::Health(ask) => health(&ask, reporter),
        RemoteCommand::Nodes(ask) => nodes(&ask, reporter),
        RemoteCommand::Drain(args) => drain(&args, reporter),
        RemoteCommand::Run(mut on) => {
            on.args.set.remote = Some(on.endpoint);
            run::run(&on.args, reporter)
        }
        RemoteCommand::Stream(mut on) => {
            on.args.set.remote = Some(on.endpoint);
            stream::run(&on.args, reporter)
        }
    }
}

fn server(ask: &AskArgs) -> Result<Remote, Failure> {
    let mut settings = json!({"endpoint": ask.endpoint, "connect_ms": 5000});
    if let Some(token) = &ask.token {
        settings["token"] = json!(token);
    }
    if let Some(ca) = &ask.ca {
        settings["tls"] = json!({ "ca": ca });
    }
    let Json::Object(settings) = settings else { unreachable!("it is written as one") };
    Remote::new(&settings).map_err(|e| Failure::new(Exit::Usage, e))
}

fn health(ask: &AskArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let health = server(ask)?.health()?;
    let (words, exit) = match health {
        Health::Serving => ("serving", Exit::Good),
        Health::Draining => ("draining: it takes nothing new", Exit::Failed),
    };
    print(&match reporter.json {
        true => {
            format!("{}\n", json!({"endpoint": ask.endpoint, "serving": health == Health::Serving}))
        }
        false => format!("{}: {words}\n", ask.endpoint),
    })?;
    Ok(exit)
}

fn drain(args: &DrainArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let endpoint = &args.ask.endpoint;
    let sessions = server(&args.ask)?.drain(args.drain_ms.map(Duration::from_millis))?;
    print(&match reporter.json {
        true => format!("{}\n", json!({"endpoint": endpoint, "sessions": sessions})),
        false => format!("{endpoint}: it ends; sessions that are still there: {sessions}\n"),
    })?;
    Ok(Exit::Good)
}

fn nodes(ask: &AskArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let nodes = server(ask)?.nodes()?;
    if reporter.json {
        print(&format!("{}\n", Json::Array(nodes)))?;
        return Ok(Exit::Good);
    }
    let text = |node: &Json, name: &str| node[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = nodes.iter().map(|n| (text(n, "node_type"), text(n, "summary"))).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, summary) in rows {
        let _ = writeln!(out, "{name:<width$}  {summary}");
    }
    print(&out)?;
    Ok(Exit::Good)
}
