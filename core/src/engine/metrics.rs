//! What a pipeline tells about itself: JSON and Prometheus text.

use super::event::{BreakerState, Recovery};
use super::pipeline::Pipeline;
use super::shared::Shared;
use super::stats::{DropReason, Histogram};
use super::ticks;
use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

impl Pipeline {
    /// All figures as JSON. Times of nodes are the time inside their calls.
    ///
    /// Keys: `pipeline_id`, `total_executions` (packets taken at the inputs, or emitted by
    /// sources), `total_duration_us` (time in nodes), `node_metrics`, `links` (queues: `in = taken
    /// + dropped + queued`), `latency_us` (push to output, per output), `memory`, `clock`.
    pub fn metrics(&self) -> Json {
        let shared = &*self.shared;
        let scale = ticks::nanos_per_tick() / 1000.0;
        let nodes: Vec<Json> =
            (0..shared.nodes.len()).map(|n| node_json(shared, n, scale)).collect();
        let busy: f64 = shared.nodes.iter().map(|n| n.busy_ticks.get() as f64 * scale).sum();
        let links: Vec<Json> = (0..shared.links.len()).map(|l| link_json(shared, l)).collect();
        let mut latency = Map::new();
        for (output, histogram) in shared.graph.outputs.iter().zip(&shared.latency) {
            if let Some(histogram) = histogram.get() {
                latency.insert(output.name.clone(), times_json(histogram, scale));
            }
        }
        let memory = shared.pool.stats();
        let executions: u64 = match shared.graph.inputs.len() {
            0 => sources(shared).map(|n| shared.nodes[n].emitted.get()).sum(),
            _ => (0..shared.graph.inputs.len())
                .map(|i| shared.links[shared.input_link(i)].taken.get())
                .sum(),
        };
        json!({
            "pipeline_id": shared.graph.name,
            "state": self.state().name(),
            "total_executions": executions,
            "total_duration_us": round(busy),
            "total_duration_ms": round(busy / 1000.0),
            "uptime_us": round(shared.created.elapsed().as_nanos() as f64 / 1000.0),
            "node_metrics": nodes,
            "links": links,
            "latency_us": latency,
            "peak_memory_bytes": memory.peak_bytes,
            "peak_memory_mb": round(memory.peak_bytes as f64 / 1e6),
            "memory": {
                "live_bytes": memory.live_bytes,
                "live_blocks": memory.live_blocks,
                "pool_hits": memory.hits,
                "pool_misses": memory.misses,
            },
            "clock": ticks::name(),
        })
    }

    /// The main figures in the Prometheus text format 0.0.4.
    pub fn prometheus(&self) -> String {
        let shared = &*self.shared;
        let scale = ticks::nanos_per_tick() / 1e9;
        let pipeline = label(&shared.graph.name);
        let mut out = String::new();
        let mut family = |name: &str, help: &str, kind: &str, rows: &[(String, f64)]| {
            let _ = writeln!(out, "# HELP rmedia_{name} {help}\n# TYPE rmedia_{name} {kind}");
            for (labels, value) in rows {
                let _ = writeln!(out, "rmedia_{name}{{pipeline=\"{pipeline}\",{labels}}} {value}");
            }
        };
        let node = |n: usize| format!("node=\"{}\"", label(&shared.graph.nodes[n].id));
        let nodes = |value: &dyn Fn(usize) -> f64| -> Vec<(String, f64)> {
            (0..shared.nodes.len()).map(|n| (node(n), value(n))).collect()
        };
        let stats = &shared.nodes;
        family(
            "node_packets_total",
            "Packets that a node has processed.",
            "counter",
            &nodes(&|n| stats[n].done.get() as f64),
        );
        family(
            "node_failures_total",
            "Packets that a node has failed on.",
            "counter",
            &nodes(&|n| stats[n].failed.get() as f64),
        );
        let mut recovered = Vec::new();
        let mut breakers = Vec::new();
        for (n, stats) in stats.iter().enumerate() {
            for what in Recovery::ALL {
                let count = stats.recovered[what as usize].get();
                if count > 0 {
                    let labels = format!("{},action=\"{}\"", node(n), what.name());
                    recovered.push((labels, count as f64));
                }
            }
            breakers.extend(breaker(shared, n).map(|state| (node(n), f64::from(state as u8))));
        }
        family(
            "node_recovered_total",
            "Failures of a node that did not end the pipeline.",
            "counter",
            &recovered,
        );
        family(
            "node_zombies_total",
            "Tickets of a node that were given up as they came too late.",
            "counter",
            &nodes(&|n| stats[n].zombies.get() as f64),
        );
        family(
            "node_breaker",
            "A node's circuit breaker: 0 closed, 1 open, 2 half-open.",
            "gauge",
            &breakers,
        );
        family(
            "node_seconds_total",
            "Time inside a node's calls.",
            "counter",
            &nodes(&|n| stats[n].busy_ticks.get() as f64 * scale),
        );
        family(
            "node_copied_bytes_total",
            "Media that a node had to copy.",
            "counter",
            &nodes(&|n| stats[n].copied_bytes.get() as f64),
        );
        let link = |l: usize| format!("link=\"{}\"", label(&shared.link_name(l)));
        let all = 0..shared.links.len();
        let entered: Vec<_> =
            all.clone().map(|l| (link(l), shared.links[l].entered.get() as f64)).collect();
        family("link_packets_total", "Packets that came to a link.", "counter", &entered);
        let queued: Vec<_> = all.clone().map(|l| (link(l), queued(shared, l) as f64)).collect();
        family("link_queued", "Packets that wait on a link.", "gauge", &queued);
        let mut drops = Vec::new();
        for l in all {
            for reason in DropReason::ALL {
                let count = shared.links[l].dropped[reason as usize].get();
                if count > 0 {
                    drops.push((format!("{},reason=\"{}\"", link(l), reason.name()), count as f64));
                }
            }
        }
        family("link_dropped_total", "Packets that were dropped at a link.", "counter", &drops);
        out
    }
}

fn node_json(shared: &Shared, index: usize, scale: f64) -> Json {
    let (spec, stats) = (&shared.graph.nodes[index], &shared.nodes[index]);
    let (done, failed) = (stats.done.get(), stats.failed.get());
    let busy = stats.busy_ticks.get() as f64 * scale;
    let tried = done + failed;
    let rate = if tried == 0 { 1.0 } else { done as f64 / tried as f64 };
    let calls = stats.calls.get();
    let recovered: Map<_, _> = Recovery::ALL
        .into_iter()
        .map(|what| (what.name().to_owned(), stats.recovered[what as usize].get().into()))
        .collect();
    let mut node = json!({
        "node_id": spec.id,
        "node_type": spec.type_name,
        "execution_count": tried,
        "success_count": done,
        "error_count": failed,
        "success_rate": rate,
        "taken": stats.taken.get(),
        "emitted": stats.emitted.get(),
        "unconnected": stats.unconnected.get(),
        "unmatched": stats.unmatched.get(),
        "copied_bytes": stats.copied_bytes.get(),
        "recovered": recovered,
        "zombies": stats.zombies.get(),
        "breaker": breaker(shared, index).map(BreakerState::name),
        "latency_ms": stats.latency_ns.get() as f64 / 1e6,
        "calls": calls,
        "total_duration_us": round(busy),
        "avg_duration_us": round(if calls == 0 { 0.0 } else { busy / calls as f64 }),
    });
    if let (Some(map), Some(times)) = (node.as_object_mut(), stats.times()) {
        map.insert("min_duration_us".into(), round(times.min() as f64 * scale).into());
        map.insert("max_duration_us".into(), round(times.max() as f64 * scale).into());
        map.insert("p50_duration_us".into(), round(times.quantile(0.5) as f64 * scale).into());
        map.insert("p99_duration_us".into(), round(times.quantile(0.99) as f64 * scale).into());
    }
    node
}

/// The state of a node's breaker, if it has one.
fn breaker(shared: &Shared, index: usize) -> Option<BreakerState> {
    shared.graph.nodes[index].on_error.breaker?;
    BreakerState::ALL.get(shared.nodes[index].breaker.get() as usize).copied()
}

fn link_json(shared: &Shared, index: usize) -> Json {
    let stats = &shared.links[index];
    let mut dropped = Map::new();
    for reason in DropReason::ALL {
        let count = stats.dropped[reason as usize].get();
        if count > 0 {
            dropped.insert(reason.name().into(), count.into());
        }
    }
    json!({
        "link": shared.link_name(index),
        "in": stats.entered.get(),
        "taken": stats.taken.get(),
        "dropped": dropped,
        "queued": queued(shared, index),
        "high_water": stats.high_water.get(),
        "in_ns": stats.entered_ns.get(),
        "taken_ns": stats.taken_ns.get(),
        "dropped_ns": stats.dropped_ns.get(),
    })
}

/// Packets that wait on a link, read from where they wait.
fn queued(shared: &Shared, link: usize) -> u64 {
    let inner = shared.graph.edges.len() + shared.graph.inputs.len();
    if link >= inner {
        return shared.outputs().list[link - inner].queue.len() as u64;
    }
    match shared.ways.iter().position(|way| way.link == link) {
        Some(entry) => shared.entry(entry).queue.len() as u64,
        None => shared.queued[link].load(Ordering::Relaxed),
    }
}

fn sources(shared: &Shared) -> impl Iterator<Item = usize> {
    let is_source = |n: &usize| shared.graph.nodes[*n].ports.inputs.is_empty();
    (0..shared.graph.nodes.len()).filter(is_source)
}

fn times_json(histogram: &Histogram, scale: f64) -> Json {
    json!({
        "count": histogram.count(),
        "min": round(histogram.min() as f64 * scale),
        "p50": round(histogram.quantile(0.5) as f64 * scale),
        "p99": round(histogram.quantile(0.99) as f64 * scale),
        "max": round(histogram.max() as f64 * scale),
    })
}

/// To the nanosecond: more digits would only look exact.
fn round(micros: f64) -> f64 {
    (micros * 1000.0).round() / 1000.0
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
