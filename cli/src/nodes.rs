//! `rmedia nodes` and `rmedia schema`: which node types there are, and what they take.

use crate::args::{NodesArgs, SchemaArgs};
use crate::failure::{Exit, Failure};
use crate::report::{Reporter, print};
use anstyle::Style;
use remotemedia::error::detail;
use remotemedia::manifest::{node_schema, schema};
use remotemedia::node::params::{ChoiceSpec, ParamKind, ParamSpec};
use remotemedia::node::{BUILTIN, Lookup, NodeType, Registry, describe};
use remotemedia::{Engine, Manifest};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BOLD: Style = Style::new().bold();

/// Lists the node types, or shows one.
pub(crate) fn run(args: &NodesArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let engine = Engine::default();
    let registry = engine.registry();
    let text = match &args.node_type {
        Some(name) => {
            let (full, node_type) = find(&registry, name)?;
            match reporter.json {
                true => format!("{}\n", describe(full, node_type)),
                false => page(full, node_type),
            }
        }
        None if reporter.json => {
            format!("{}\n", registry.to_json())
        }
        None => catalogue(&registry),
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// Prints the schema of manifests, or of a node type's params.
pub(crate) fn run_schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let engine = Engine::default();
    let registry = engine.registry();
    let schema = match &args.node_type {
        Some(name) => node_schema(find(&registry, name)?.1),
        None => schema(&registry),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(Exit::Good)
}

fn find<'a>(registry: &'a Registry, name: &str) -> Result<(&'a str, &'a dyn NodeType), Failure> {
    let (detail, message) = match registry.find(name) {
        Lookup::Found(full, node_type) => return Ok((full, node_type.as_ref())),
        Lookup::Ambiguous(_) => {
            (detail::MANIFEST_AMBIGUOUS_TYPE, format!("there are several node types '{name}'"))
        }
        Lookup::Unknown => {
            (detail::MANIFEST_UNKNOWN_TYPE, format!("there is no node type '{name}'"))
        }
    };
    let failure = Failure::usage_of(detail, message);
    // Asked the way a manifest would, so that the advice is the same.
    let asked = json!({"version": "v1", "nodes": [{"id": "node", "node_type": name}]});
    let problems = Manifest::from_value(asked).map(|m| m.validate(registry).problems);
    let hint = problems.into_iter().flatten().find_map(|p| p.hint);
    Err(failure.hint(hint.unwrap_or_else(|| "`rmedia nodes` lists them".to_owned())))
}

/// All types by category.
fn catalogue(registry: &Registry) -> String {
    let mut categories: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
    for (full, node_type) in registry.types() {
        let descriptor = node_type.descriptor();
        let row = (shown(full), descriptor.summary);
        categories.entry(descriptor.category).or_default().push(row);
    }
    let names = categories.values().flatten().map(|(name, _)| name.len());
    let width = names.max().unwrap_or(0);
    let mut out = String::new();
    for (category, rows) in &categories {
        let _ = writeln!(out, "{BOLD}{category}{BOLD:#}");
        for (name, summary) in rows {
            let _ = writeln!(out, "  {name:<width$}  {summary}");
        }
        out.push('\n');
    }
    out.push_str("`rmedia nodes TYPE` shows ports and params of one.\n");
    out
}

/// A name as manifests usually give it: built-in types without their namespace.
fn shown(full: &str) -> String {
    match full.split_once('/') {
        Some((BUILTIN, name)) => name.to_owned(),
        _ => full.to_owned(),
    }
}

/// Everything about one type.
fn page(full: &str, node_type: &dyn NodeType) -> String {
    let descriptor = node_type.descriptor();
    let mut out = format!("{BOLD}{}{BOLD:#}: {}\n\n", shown(full), descriptor.summary);
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "  {key:<9} {value}");
    };
    line("category", descriptor.category);
    if !descriptor.aliases.is_empty() {
        line("aliases", &descriptor.aliases.join(", "));
    }
    let traits: Vec<&str> = traits(node_type).into_iter().filter(|t| t.0).map(|t| t.1).collect();
    if !traits.is_empty() {
        line("is", &traits.join(", "));
    }
    for (title, ports) in [("Inputs", descriptor.inputs), ("Outputs", descriptor.outputs)] {
        let _ = writeln!(out, "\n{BOLD}{title}{BOLD:#}");
        if ports.is_empty() {
            out.push_str("  none\n");
        }
        for port in ports {
            let several = if port.any { ", from several" } else { "" };
            let _ = writeln!(out, "  {BOLD}{}{BOLD:#}  {}{several}", port.name, port.caps);
            if !port.doc.is_empty() {
                let _ = writeln!(out, "      {}", port.doc);
            }
        }
    }
    let _ = writeln!(out, "\n{BOLD}Params{BOLD:#}");
    if node_type.params().is_empty() {
        out.push_str("  none\n");
    }
    node_type.params().iter().for_each(|param| write_param(&mut out, param));
    out
}

fn write_param(out: &mut String, param: &ParamSpec) {
    let unit = param.unit.map(|unit| format!(", in {unit}")).unwrap_or_default();
    let default = match &param.default {
        None => "required".to_owned(),
        Some(default) => format!("default {default}"),
    };
    let live = if param.live { ", live" } else { "" };
    let _ = writeln!(out, "  {BOLD}{}{BOLD:#}  {}{unit} ({default}{live})", param.name, param.kind);
    for doc in param.doc.lines() {
        let _ = writeln!(out, "      {}", doc.trim());
    }
    for choice in choices(&param.kind) {
        let _ = writeln!(out, "      {BOLD}{}{BOLD:#}: {}", choice.name, choice.doc);
    }
    if !param.aliases.is_empty() {
        let _ = writeln!(out, "      Other names: {}.", param.aliases.join(", "));
    }
}

/// The names that a param takes, where they have something to say.
fn choices(kind: &ParamKind) -> impl Iterator<Item = &'static ChoiceSpec> {
    let choices = match kind {
        ParamKind::Choice(choices) => *choices,
        ParamKind::Optional(inner) | ParamKind::List(inner) => match &**inner {
            ParamKind::Choice(choices) => *choices,
            _ => &[],
        },
        _ => &[],
    };
    choices.iter().filter(|choice| !choice.doc.is_empty())
}

/// What a type can promise: whether it does, and in words.
fn traits(node_type: &dyn NodeType) -> [(bool, &'static str); 4] {
    let descriptor = node_type.descriptor();
    [
        (descriptor.realtime, "real-time safe"),
        (descriptor.keeps_time, "keeping time"),
        (descriptor.determinate, "determinate"),
        (descriptor.files, "working with files"),
    ]
}
