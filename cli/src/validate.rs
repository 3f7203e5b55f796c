//! `rmedia validate`: everything that is wrong in manifests, and what they would run.

use crate::args::ValidateArgs;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::load::{Loaded, any_error};
use crate::output;
use crate::report::{self, Reporter, render_problems};
use anstyle::{AnsiColor, Style};
use remotemedia::Engine;
use remotemedia::error::Problem;
use remotemedia::graph::Graph;
use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;

/// Checks each manifest; the exit code is that of the worst.
pub(crate) fn run(args: &ValidateArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let engine = Engine::default();
    let mut worst = Exit::Good;
    for path in &args.pipelines {
        worst = worst.max(check(path, &args.set.set, &engine, reporter)?);
    }
    Ok(worst)
}

fn check(path: &str, set: &[String], engine: &Engine, reporter: Reporter) -> Result<Exit, Failure> {
    let loaded = match Loaded::read(path, set) {
        Ok(loaded) => loaded,
        // One manifest that can't be read must not hide what is wrong in the next.
        Err(failure) if failure.exit != Exit::Usage => return refuse(path, failure, reporter),
        Err(failure) => return Err(failure),
    };
    let report = loaded.validate(engine);
    let text = loaded.text.as_deref();
    let exit = if any_error(&report.problems) { Exit::Manifest } else { Exit::Good };
    if reporter.json {
        let graph = report.graph.as_ref();
        report::print(&format!("{}\n", to_json(&loaded.name, &report.problems, graph)))?;
        return Ok(exit);
    }
    if !report.problems.is_empty() {
        report::print(&format!("{}\n\n", render_problems(&report.problems, &loaded.name, text)))?;
    }
    match &report.graph {
        Some(graph) => report::print(&describe(&loaded.name, graph))?,
        None => {
            let errors = report.problems.len();
            let what = if errors == 1 { "problem" } else { "problems" };
            let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            let name = &loaded.name;
            report::print(&format!("{style}not valid{style:#} {name}: {errors} {what}\n"))?;
        }
    }
    Ok(exit)
}

fn refuse(path: &str, failure: Failure, reporter: Reporter) -> Result<Exit, Failure> {
    if reporter.json && failure.exit == Exit::Manifest {
        let problems = failure.error.problems();
        report::print(&format!("{}\n", to_json(path, problems, None)))?;
    } else {
        reporter.failure(&failure);
    }
    Ok(failure.exit)
}

/// What would run, in a few lines.
fn describe(name: &str, graph: &Graph) -> String {
    let green = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
    let adapters: Vec<String> = adapters(graph).collect();
    let mut out = format!("{green}ok{green:#} {name}\n");
    let own = graph.nodes.len() - adapters.len();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "  {key:<12} {value}");
    };
    line("nodes", &own.to_string());
    for (key, ports) in [("inputs", inputs(graph)), ("outputs", outputs(graph))] {
        let list: Vec<String> =
            ports.iter().map(|(name, caps)| format!("{name}: {caps}")).collect();
        line(key, &if list.is_empty() { "none".to_owned() } else { list.join("; ") });
    }
    if !adapters.is_empty() {
        line("adapters", &adapters.join("; "));
    }
    match graph.indeterminate.as_slice() {
        [] => line("determinate:", "yes"),
        reasons => line("determinate:", &format!("no, because {}", reasons.join("; "))),
    }
    out
}

fn to_json(name: &str, problems: &[Problem], graph: Option<&Graph>) -> Json {
    let mut map = Map::new();
    map.insert("file".to_owned(), name.into());
    map.insert("ok".to_owned(), graph.is_some().into());
    map.insert("problems".to_owned(), problems.iter().map(Problem::to_json).collect());
    if let Some(graph) = graph {
        let ports = |list: Vec<(&str, String)>| -> Map<String, Json> {
            list.into_iter().map(|(name, caps)| (name.to_owned(), caps.into())).collect()
        };
        let own = graph.nodes.iter().filter(|n| !n.adapter);
        let nodes: Vec<Json> = own.map(|n| json!({"id": n.id, "node_type": n.type_name})).collect();
        map.insert("nodes".to_owned(), nodes.into());
        map.insert("inputs".to_owned(), ports(inputs(graph)).into());
        map.insert("outputs".to_owned(), ports(outputs(graph)).into());
        map.insert("adapters".to_owned(), adapters(graph).collect());
        map.insert("determinate".to_owned(), graph.indeterminate.is_empty().into());
        map.insert("indeterminate".to_owned(), graph.indeterminate.clone().into());
    }
    map.into()
}

fn inputs(graph: &Graph) -> Vec<(&str, String)> {
    let input = |i| (input::caps_of(graph, i)).to_string();
    graph.inputs.iter().map(|i| (i.name.as_str(), input(i))).collect()
}

fn outputs(graph: &Graph) -> Vec<(&str, String)> {
    let output = |i: usize| output::caps_of(graph, i).to_string();
    graph.outputs.iter().enumerate().map(|(i, o)| (o.name.as_str(), output(i))).collect()
}

/// `id (Type)` of what the engine put there to make formats fit.
fn adapters(graph: &Graph) -> impl Iterator<Item = String> {
    let adapters = graph.nodes.iter().filter(|n| n.adapter);
    adapters.map(|n| format!("{} ({})", n.id, n.node_type.descriptor().name))
}
