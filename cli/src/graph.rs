//! `rmedia graph`: a pipeline as it would run, drawn.

use crate::args::{GraphArgs, GraphFormat};
use crate::failure::{Exit, Failure};
use crate::load::Loaded;
use crate::measured::Measured;
use crate::report::{Reporter, print};
use remotemedia::Engine;
use remotemedia::graph::{Edge, Graph, GraphNode, Lane, PortRef, QueueLimits, QueuePolicy};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// Draws it.
pub(crate) fn run(args: &GraphArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let loaded = Loaded::read(&args.pipeline, &args.set)?;
    let (graph, _) = loaded.resolve(&Engine::default())?;
    let measured = args.metrics.as_deref().map(|path| Measured::read(path, &graph)).transpose()?;
    let measured = measured.as_ref();
    let text = match args.format {
        _ if reporter.json => format!("{}\n", to_json(&graph, measured)),
        GraphFormat::Json => format!("{:#}\n", to_json(&graph, measured)),
        GraphFormat::Mermaid => mermaid(&graph, measured),
        GraphFormat::Dot => dot(&graph, measured),
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// A line from one drawn thing to another. What is written at it may have two lines.
struct Arrow {
    from: String,
    to: String,
    label: Vec<String>,
}

/// All of them.
fn arrows(graph: &Graph, measured: Option<&Measured>) -> Vec<Arrow> {
    let node = |port: PortRef| format!("n{}", port.node);
    let edges = edge_arrows(graph, node);
    let inputs = graph.inputs.iter().enumerate().map(|(i, input)| Arrow {
        from: format!("i{i}"),
        to: node(input.port),
        label: label("", graph.takes(input).to_string(), name(graph, input.port, true)),
    });
    let outputs = graph.outputs.iter().enumerate().map(|(i, endpoint)| Arrow {
        from: node(endpoint.port),
        to: format!("o{i}"),
        label: label(name(graph, endpoint.port, false), graph.gives(endpoint).to_string(), ""),
    });
    let mut arrows: Vec<_> = edges.chain(inputs).chain(outputs).collect();
    if let Some(measured) = measured {
        for (link, arrow) in arrows.iter_mut().enumerate() {
            arrow.label.push(measured.link(link));
        }
    }
    // Inputs are read first.
    let (edges, inputs) = (graph.edges.len(), graph.inputs.len());
    arrows[..edges + inputs].rotate_left(edges);
    arrows
}

fn edge_arrows(graph: &Graph, node: impl Fn(PortRef) -> String) -> impl Iterator<Item = Arrow> {
    graph.edges.iter().map(move |edge| {
        let port = &graph.nodes[edge.from.node].ports.outputs[edge.from.port];
        Arrow {
            from: node(edge.from),
            to: node(edge.to),
            label: label(
                name(graph, edge.from, false),
                format!("{}{}", port.caps, waiting(graph, edge)),
                name(graph, edge.to, true),
            ),
        }
    })
}

/// What is written in a node.
fn node_text(node: &GraphNode, index: usize, measured: Option<&Measured>) -> Vec<String> {
    let text = [node.id.clone(), type_name(node).to_owned()];
    text.into_iter().chain(measured.map(|m| m.node(index))).collect()
}

/// What is written at an output.
fn output_text(name: &str, measured: Option<&Measured>) -> Vec<String> {
    [name.to_owned()].into_iter().chain(measured.map(|m| m.output(name))).collect()
}

/// How much may wait on a connection, where packets wait.
fn waiting(graph: &Graph, edge: &Edge) -> String {
    if !graph.is_border(edge) && !graph.nodes[edge.to.node].waits() {
        return String::new();
    }
    let QueueLimits { items, time, policy, .. } = &edge.queue;
    let policy = match policy {
        QueuePolicy::Block => String::new(),
        policy => format!(", {}", policy.name()),
    };
    format!(" [≤ {items}, {} ms{policy}]", time.nanos() / 1_000_000)
}

/// What flows, between the ports' names where they are not the default ones.
fn label(from: &str, caps: String, to: &str) -> Vec<String> {
    let from = if matches!(from, "" | "out") { String::new() } else { format!("{from}: ") };
    let to = if matches!(to, "" | "in") { String::new() } else { format!(" → {to}") };
    vec![format!("{from}{caps}{to}")]
}

fn name(graph: &Graph, port: PortRef, input: bool) -> &'static str {
    let ports = &graph.nodes[port.node].ports;
    if input { ports.inputs[port.port].name } else { ports.outputs[port.port].name }
}

fn type_name(node: &GraphNode) -> &'static str {
    node.node_type.descriptor().name
}

/// The nodes of a segment, with their indices.
fn in_segment(graph: &Graph, segment: usize) -> impl Iterator<Item = (usize, &GraphNode)> {
    graph.nodes.iter().enumerate().filter(move |(_, node)| node.segment == segment)
}

fn segment_name(index: usize, lane: Lane) -> String {
    match lane {
        Lane::Caller => "the caller's threads".to_owned(),
        lane => format!("segment {index}, {}", lane.name()),
    }
}

fn mermaid(graph: &Graph, measured: Option<&Measured>) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "#quot;"));
    let lines = |lines: &[String]| quote(&lines.join("<br/>"));
    let mut out = "flowchart LR\n".to_owned();
    for (i, input) in graph.inputs.iter().enumerate() {
        let _ = writeln!(out, "  i{i}([{}])", quote(&input.name));
    }
    for (s, lane) in graph.segments.iter().enumerate() {
        let boxed = graph.segments.len() > 1;
        if boxed {
            let _ = writeln!(out, "  subgraph s{s}[{}]", quote(&segment_name(s, *lane)));
        }
        for (i, node) in in_segment(graph, s) {
            let class = if node.adapter { ":::adapter" } else { "" };
            let text = lines(&node_text(node, i, measured));
            let indent = if boxed { "    " } else { "  " };
            let _ = writeln!(out, "{indent}n{i}[{text}]{class}");
        }
        if boxed {
            out.push_str("  end\n");
        }
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        let _ = writeln!(out, "  o{i}([{}])", lines(&output_text(&output.name, measured)));
    }
    for Arrow { from, to, label } in arrows(graph, measured) {
        let _ = writeln!(out, "  {from} -->|{}| {to}", lines(&label));
    }
    if graph.nodes.iter().any(|n| n.adapter) {
        out.push_str("  classDef adapter stroke-dasharray: 4\n");
    }
    out
}

fn dot(graph: &Graph, measured: Option<&Measured>) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let quote = |text: &str| format!("\"{}\"", escape(text));
    // `\n` is dot's own line break.
    let lines = |lines: &[String]| {
        let lines: Vec<_> = lines.iter().map(|line| escape(line)).collect();
        format!("\"{}\"", lines.join("\\n"))
    };
    let name = if graph.name.is_empty() { "pipeline" } else { &graph.name };
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n", quote(name));
    for (i, input) in graph.inputs.iter().enumerate() {
        let _ = writeln!(out, "  i{i} [label={}];", quote(&input.name));
    }
    for (s, lane) in graph.segments.iter().enumerate() {
        let boxed = graph.segments.len() > 1;
        if boxed {
            let label = quote(&segment_name(s, *lane));
            let _ = writeln!(out, "  subgraph cluster_{s} {{\n    label={label};");
        }
        for (i, node) in in_segment(graph, s) {
            let style = if node.adapter { ", style=dashed" } else { "" };
            let text = lines(&node_text(node, i, measured));
            let indent = if boxed { "    " } else { "  " };
            let _ = writeln!(out, "{indent}n{i} [shape=box{style}, label={text}];");
        }
        if boxed {
            out.push_str("  }\n");
        }
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        let _ = writeln!(out, "  o{i} [label={}];", lines(&output_text(&output.name, measured)));
    }
    for Arrow { from, to, label } in arrows(graph, measured) {
        let _ = writeln!(out, "  {from} -> {to} [label={}];", lines(&label));
    }
    out.push_str("}\n");
    out
}

fn to_json(graph: &Graph, measured: Option<&Measured>) -> Json {
    let at = |port: PortRef, input| {
        format!("{}.{}", graph.nodes[port.node].id, name(graph, port, input))
    };
    let nodes = graph.nodes.iter().map(|node| {
        json!({
            "id": node.id,
            "node_type": node.type_name,
            "params": node.params,
            "adapter": node.adapter,
            "segment": node.segment,
            "join": node.ports.join.name(),
        })
    });
    let connections = graph.edges.iter().map(|edge| {
        let port = &graph.nodes[edge.from.node].ports.outputs[edge.from.port];
        json!({
            "from": at(edge.from, false),
            "to": at(edge.to, true),
            "caps": port.caps.to_string(),
            "queue": queue(&edge.queue),
            "waits": graph.is_border(edge) || graph.nodes[edge.to.node].waits(),
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
        "segments": graph.segments.iter().map(|lane| lane.name()).collect::<Vec<_>>(),
        "determinate": graph.indeterminate.is_empty(),
        "indeterminate": graph.indeterminate,
        "metrics": measured.map(Measured::json),
    })
}

fn queue(limits: &QueueLimits) -> Json {
    json!({
        "items": limits.items,
        "bytes": limits.bytes,
        "ms": limits.time.nanos() / 1_000_000,
        "policy": limits.policy.name(),
    })
}
