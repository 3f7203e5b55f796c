//! `rmedia validate`: everything that is wrong in manifests, and what they would run.

use crate::args::{SetArgs, ValidateArgs};
use crate::failure::{Exit, Failure};
use crate::load::{Loaded, any_error};
use crate::report::{self, Reporter, render_problems};
use anstyle::{AnsiColor, Style};
use remotemedia::Engine;
use remotemedia::graph::Graph;
use remotemedia::manifest::Report;
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;

/// Checks each manifest; the exit code is that of the worst.
pub(crate) fn run(args: &ValidateArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let engine = Engine::default();
    let mut worst = Exit::Good;
    for path in &args.pipelines {
        worst = worst.max(check(path, &args.set, &engine, reporter)?);
    }
    Ok(worst)
}

fn check(path: &str, set: &SetArgs, engine: &Engine, reporter: Reporter) -> Result<Exit, Failure> {
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
        report::print(&format!("{}\n", to_json(&loaded.name, &report)))?;
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
        let problems = failure.error.problems().to_vec();
        let report = Report { problems, graph: None };
        report::print(&format!("{}\n", to_json(path, &report)))?;
    } else {
        reporter.failure(&failure);
    }
    Ok(failure.exit)
}

/// What would run, in a few lines.
fn describe(name: &str, graph: &Graph) -> String {
    let green = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
    let adapters: Vec<String> = graph.adapters().collect();
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

fn to_json(name: &str, report: &Report) -> Json {
    let mut map = Map::new();
    map.insert("file".to_owned(), name.into());
    if let Json::Object(rest) = report.to_json() {
        map.extend(rest);
    }
    map.into()
}

fn inputs(graph: &Graph) -> Vec<(&str, String)> {
    graph.inputs.iter().map(|i| (i.name.as_str(), graph.takes(i).to_string())).collect()
}

fn outputs(graph: &Graph) -> Vec<(&str, String)> {
    graph.outputs.iter().map(|o| (o.name.as_str(), graph.gives(o).to_string())).collect()
}
