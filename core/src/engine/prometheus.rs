//! The main figures of a pipeline as Prometheus text.

use super::event::Recovery;
use super::metrics::{breaker, queued};
use super::pipeline::Pipeline;
use super::stats::DropReason;
use super::ticks;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

impl Pipeline {
    /// The main figures in the Prometheus text format 0.0.4.
    pub fn prometheus(&self) -> String {
        let shared = &*self.shared;
        let scale = ticks::nanos_per_tick() / 1e9;
        let pipeline = label(&shared.graph.name);
        let mut out = String::new();
        let mut family = |name: &str, help: &str, kind: &str, rows: &[(String, f64)]| {
            let _ = writeln!(out, "# HELP rmedia_{name} {help}\n# TYPE rmedia_{name} {kind}");
            for (labels, value) in rows {
                let comma = if labels.is_empty() { "" } else { "," };
                let _ = writeln!(
                    out,
                    "rmedia_{name}{{pipeline=\"{pipeline}\"{comma}{labels}}} {value}"
                );
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
            "Tickets of a node that were given up as they came too late, or forgotten by an interrupt or reset.",
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
        family(
            "worker_seconds_total",
            "Time that workers have spent on a pipeline.",
            "counter",
            &[(String::new(), shared.worked.load(Ordering::Relaxed) as f64 * scale)],
        );
        let link = |l: usize| format!("link=\"{}\"", label(&shared.link_name(l)));
        let all = 0..shared.links.len();
        let entered: Vec<_> =
            all.clone().map(|l| (link(l), shared.links[l].entered.get() as f64)).collect();
        family("link_packets_total", "Packets that came to a link.", "counter", &entered);
        let queued: Vec<_> = all.clone().map(|l| (link(l), queued(shared, l).0 as f64)).collect();
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

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
