//! `rmedia graph`: a pipeline as it would run, drawn.

use crate::args::{GraphArgs, GraphFormat};
use crate::failure::{Exit, Failure};
use crate::load::Loaded;
use crate::report::{Reporter, print};
use remotemedia::Engine;
use remotemedia::graph::{Graph, GraphNode, PortRef, QueueLimits, QueuePolicy};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// Draws it.
pub(crate) fn run(args: &GraphArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let loaded = Loaded::read(&args.pipeline, &args.set.set)?;
    let (graph, _) = loaded.resolve(&Engine::default())?;
    let text = match args.format {
        _ if reporter.json => format!("{}\n", to_json(&graph)),
        GraphFormat::Json => format!("{:#}\n", to_json(&graph)),
        GraphFormat::Mermaid => mermaid(&graph),
        GraphFormat::Dot => dot(&graph),
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// A line from one drawn thing to another.
struct Arrow {
    from: String,
    to: String,
    label: String,
}

fn arrows(graph: &Graph) -> Vec<Arrow> {
    let node = |port: PortRef| format!("n{}", port.node);
    let inputs = graph.inputs.iter().enumerate().map(|(i, input)| Arrow {
        from: format!("i{i}"),
        to: node(input.port),
        label: label("", graph.takes(input).to_string(), name(graph, input.port, true)),
    });
    let edges = graph.edges.iter().map(|edge| {
        let port = &graph.nodes[edge.from.node].ports.outputs[edge.from.port];
        Arrow {
            from: node(edge.from),
            to: node(edge.to),
            label: label(
                name(graph, edge.from, false),
                port.caps.to_string(),
                name(graph, edge.to, true),
            ),
        }
    });
    let outputs = graph.outputs.iter().enumerate().map(|(i, endpoint)| Arrow {
        from: node(endpoint.port),
        to: format!("o{i}"),
        label: label(name(graph, endpoint.port, false), graph.gives(endpoint).to_string(), ""),
    });
    inputs.chain(edges).chain(outputs).collect()
}

/// What flows, between the ports' names where they are not the default ones.
fn label(from: &str, caps: String, to: &str) -> String {
    let from = if matches!(from, "" | "out") { String::new() } else { format!("{from}: ") };
    let to = if matches!(to, "" | "in") { String::new() } else { format!(" → {to}") };
    format!("{from}{caps}{to}")
}

fn name(graph: &Graph, port: PortRef, input: bool) -> &'static str {
    let ports = &graph.nodes[port.node].ports;
    if input { ports.inputs[port.port].name } else { ports.outputs[port.port].name }
}

fn type_name(node: &GraphNode) -> &'static str {
    node.node_type.descriptor().name
}

fn mermaid(graph: &Graph) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "#quot;"));
    let mut out = "flowchart LR\n".to_owned();
    for (i, input) in graph.inputs.iter().enumerate() {
        let _ = writeln!(out, "  i{i}([{}])", quote(&input.name));
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        let class = if node.adapter { ":::adapter" } else { "" };
        let text = quote(&format!("{}<br/>{}", node.id, type_name(node)));
        let _ = writeln!(out, "  n{i}[{text}]{class}");
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        let _ = writeln!(out, "  o{i}([{}])", quote(&output.name));
    }
    for Arrow { from, to, label } in arrows(graph) {
        let _ = writeln!(out, "  {from} -->|{}| {to}", quote(&label));
    }
    if graph.nodes.iter().any(|n| n.adapter) {
        out.push_str("  classDef adapter stroke-dasharray: 4\n");
    }
    out
}

fn dot(graph: &Graph) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let name = if graph.name.is_empty() { "pipeline" } else { &graph.name };
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n", quote(name));
    for (i, input) in graph.inputs.iter().enumerate() {
        let _ = writeln!(out, "  i{i} [label={}];", quote(&input.name));
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        let style = if node.adapter { ", style=dashed" } else { "" };
        // `\n` is dot's own line break.
        let text = format!("{}\\n{}", quote(&node.id).trim_matches('"'), type_name(node));
        let _ = writeln!(out, "  n{i} [shape=box{style}, label=\"{text}\"];");
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        let _ = writeln!(out, "  o{i} [label={}];", quote(&output.name));
    }
    for Arrow { from, to, label } in arrows(graph) {
        let _ = writeln!(out, "  {from} -> {to} [label={}];", quote(&label));
    }
    out.push_str("}\n");
    out
}

fn to_json(graph: &Graph) -> Json {
    let at = |port: PortRef, input| {
        format!("{}.{}", graph.nodes[port.node].id, name(graph, port, input))
    };
    let nodes = graph.nodes.iter().map(|node| {
        json!({
            "id": node.id,
            "node_type": node.type_name,
            "params": node.params,
            "adapter": node.adapter,
        })
    });
    let connections = graph.edges.iter().map(|edge| {
        let port = &graph.nodes[edge.from.node].ports.outputs[edge.from.port];
        json!({
            "from": at(edge.from, false),
            "to": at(edge.to, true),
            "caps": port.caps.to_string(),
            "queue": queue(&edge.queue),
        })
    });
    let inputs = graph.inputs.iter().map(|input| {
        json!({
            "name": input.name,
            "to": at(input.port, true),
            "caps": graph.takes(input).to_string(),
        })
    });
    let outputs = graph.outputs.iter().map(|endpoint| {
        json!({
            "name": endpoint.name,
            "from": at(endpoint.port, false),
            "caps": graph.gives(endpoint).to_string(),
        })
    });
    json!({
        "name": graph.name,
        "nodes": nodes.collect::<Vec<_>>(),
        "connections": connections.collect::<Vec<_>>(),
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn queue(limits: &QueueLimits) -> Json {
    let policy = match limits.policy {
        QueuePolicy::Block => "block",
        QueuePolicy::DropOldest => "drop_oldest",
        QueuePolicy::DropNewest => "drop_newest",
        QueuePolicy::KeepLatest => "keep_latest",
    };
    json!({
        "items": limits.items,
        "bytes": limits.bytes,
        "ms": limits.time.nanos() / 1_000_000,
        "policy": policy,
    })
}
