//! What a pipeline tells about itself, as JSON.

use super::event::{BreakerState, Recovery};
use super::paths;
use super::pipeline::Pipeline;
use super::queue::Queue;
use super::shared::Shared;
use super::stats::{DropReason, Histogram};
use super::ticks;
use serde_json::{Map, Value as Json, json};
use std::sync::atomic::Ordering;

impl Pipeline {
    /// All figures as JSON. Times of nodes are the time inside their calls.
    ///
    /// Keys: `pipeline_id`, `total_executions` (packets taken at the inputs, or emitted by
    /// sources), `total_duration_us` (time in nodes), `node_metrics`, `links` (queues: `in = taken
    /// + dropped + queued`), `latency_us` (push to output, per output), `paths` (to each output the
    /// one on which media lags most), `segments`, `worker_us` (time that workers spent on it),
    /// `memory`, `clock`.
    pub fn metrics(&self) -> Json {
        let shared = &*self.shared;
        let scale = ticks::nanos_per_tick() / 1000.0;
        let nodes: Vec<Json> =
            (0..shared.nodes.len()).map(|n| node_json(shared, n, scale)).collect();
        let busy: f64 = shared.nodes.iter().map(|n| n.busy_ticks.get() as f64 * scale).sum();
        let links: Vec<Json> =
            (0..shared.links.len()).map(|l| link_json(shared, l, scale)).collect();
        let mut latency = Map::new();
        for (output, histogram) in shared.graph.outputs.iter().zip(&shared.latency) {
            if !histogram.is_empty() {
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
            "paths": paths::to_json(shared),
            "segments": segments_json(shared),
            "worker_us": round(shared.worked.load(Ordering::Relaxed) as f64 * scale),
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

    /// The figures of a link or node that don't add up, if there is one: on a link `in = taken +
    /// dropped + queued`, at a node `taken ≥ done + failed + unmatched` (rule S19). Of a pipeline that rests;
    /// while it runs, what is just on its way may show.
    pub fn unbalanced(&self) -> Option<Json> {
        let shared = &*self.shared;
        let scale = ticks::nanos_per_tick() / 1000.0;
        let link = (0..shared.links.len()).find(|l| {
            let stats = &shared.links[*l];
            let dropped: u64 = stats.dropped.iter().map(|count| count.get()).sum();
            stats.entered.get() != stats.taken.get() + dropped + queued(shared, *l).0
        });
        let node = (0..shared.nodes.len()).find(|n| {
            let stats = &shared.nodes[*n];
            stats.taken.get() < stats.done.get() + stats.failed.get() + stats.unmatched.get()
        });
        match (link, node) {
            (Some(link), _) => Some(link_json(shared, link, scale)),
            (None, node) => node.map(|node| node_json(shared, node, scale)),
        }
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
    let times = &stats.times;
    if let (Some(map), false) = (node.as_object_mut(), times.is_empty()) {
        map.insert("min_duration_us".into(), round(times.min() as f64 * scale).into());
        map.insert("max_duration_us".into(), round(times.max() as f64 * scale).into());
        map.insert("p50_duration_us".into(), round(times.quantile(0.5) as f64 * scale).into());
        map.insert("p99_duration_us".into(), round(times.quantile(0.99) as f64 * scale).into());
    }
    if let (Some(map), Some(trips)) = (node.as_object_mut(), stats.trips.get()) {
        let part = |(name, times): (&str, &Histogram)| (name.to_owned(), times_json(times, 1e-3));
        map.insert("remote".into(), trips.parts().map(part).collect::<Map<_, _>>().into());
    }
    node
}

/// The state of a node's breaker, if it has one.
pub(super) fn breaker(shared: &Shared, index: usize) -> Option<BreakerState> {
    shared.graph.nodes[index].on_error.breaker?;
    BreakerState::ALL.get(shared.nodes[index].breaker.get() as usize).copied()
}

fn link_json(shared: &Shared, index: usize, scale: f64) -> Json {
    let stats = &shared.links[index];
    let mut dropped = Map::new();
    for reason in DropReason::ALL {
        let count = stats.dropped[reason as usize].get();
        if count > 0 {
            dropped.insert(reason.name().into(), count.into());
        }
    }
    let (queued, queued_ns) = queued(shared, index);
    let mut link = json!({
        "link": shared.link_name(index),
        "in": stats.entered.get(),
        "taken": stats.taken.get(),
        "dropped": dropped,
        "queued": queued,
        "queued_ms": round(queued_ns as f64 / 1e6),
        "high_water": stats.high_water.get(),
        "in_ns": stats.entered_ns.get(),
        "taken_ns": stats.taken_ns.get(),
        "dropped_ns": stats.dropped_ns.get(),
    });
    if let (Some(map), false) = (link.as_object_mut(), stats.waits.is_empty()) {
        map.insert("wait_us".into(), times_json(&stats.waits, scale));
    }
    link
}

/// Packets that wait on a link, read from where they wait, and nanoseconds of media in them.
pub(super) fn queued(shared: &Shared, link: usize) -> (u64, u64) {
    let inner = shared.graph.edges.len() + shared.graph.inputs.len();
    let of = |queue: &Queue| (queue.len() as u64, queue.level.ns);
    if link >= inner {
        return of(&shared.outputs().list[link - inner].queue);
    }
    match shared.ways.iter().position(|way| way.link == link) {
        Some(entry) => of(&shared.entry(entry).queue),
        None => {
            let stats = &shared.links[link];
            let left = stats.taken_ns.get() + stats.dropped_ns.get();
            // Read in that order, so that it is never less than nothing.
            let ns = stats.entered_ns.get().saturating_sub(left);
            (shared.queued[link].load(Ordering::Relaxed), ns)
        }
    }
}

fn segments_json(shared: &Shared) -> Vec<Json> {
    let ids = |segment| {
        let here = shared.graph.nodes.iter().filter(move |node| node.segment == segment);
        here.map(|node| node.id.as_str()).collect::<Vec<_>>()
    };
    let segments = shared.segments.iter().enumerate();
    segments
        .map(|(n, segment)| {
            let waiting = segment.backlog.load(Ordering::Relaxed);
            json!({"lane": segment.lane.name(), "nodes": ids(n), "waiting": waiting})
        })
        .collect()
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
