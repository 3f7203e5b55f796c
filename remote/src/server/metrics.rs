//! A server's counters, in Prometheus' text format.

use super::happened::What;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters since the server began.
#[derive(Default)]
pub(super) struct Metrics {
    /// By [`What`].
    happened: [AtomicU64; What::ALL.len()],
    calls: AtomicU64,
    failed: AtomicU64,
    node_ns: AtomicU64,
    queue_ns: AtomicU64,
    refused: AtomicU64,
}

impl Metrics {
    pub(super) fn happened(&self, what: What) {
        self.happened[what as usize].fetch_add(1, Relaxed);
    }

    /// A connection was refused as there were too many.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn call(&self, failed: bool, node_ns: u64, queue_ns: u64) {
        self.calls.fetch_add(1, Relaxed);
        self.failed.fetch_add(u64::from(failed), Relaxed);
        self.node_ns.fetch_add(node_ns, Relaxed);
        self.queue_ns.fetch_add(queue_ns, Relaxed);
    }

    /// All of it; `sessions` are those that there are, `held` the bytes that messages take.
    pub(super) fn text(&self, sessions: usize, held: usize, draining: bool) -> String {
        let mut out = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, String)]| {
            let _ = writeln!(out, "# HELP rmedia_server_{name} {help}");
            let _ = writeln!(out, "# TYPE rmedia_server_{name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(out, "rmedia_server_{name}{labels} {value}");
            }
        };
        let one = |value: String| vec![(String::new(), value)];
        let seconds =
            |ns: &AtomicU64| Duration::from_nanos(ns.load(Relaxed)).as_secs_f64().to_string();
        metric("sessions", "gauge", "Sessions that there are.", &one(sessions.to_string()));
        let draining = u8::from(draining).to_string();
        metric("draining", "gauge", "1 while it takes nothing new.", &one(draining));
        let help = "Bytes of messages that are held.";
        metric("message_bytes", "gauge", help, &one(held.to_string()));
        let refused = one(self.refused.load(Relaxed).to_string());
        let help = "Connections that were closed as there were too many.";
        metric("connections_refused_total", "counter", help, &refused);
        let events: Vec<_> = What::ALL
            .iter()
            .zip(&self.happened)
            .map(|(what, count)| {
                (format!("{{what=\"{}\"}}", what.name()), count.load(Relaxed).to_string())
            })
            .collect();
        metric("events_total", "counter", "What happened to sessions.", &events);
        let calls = one(self.calls.load(Relaxed).to_string());
        metric("calls_total", "counter", "Calls of nodes that were made.", &calls);
        let failed = one(self.failed.load(Relaxed).to_string());
        metric("calls_failed_total", "counter", "Calls that ended with an error.", &failed);
        let help = "Time that nodes worked.";
        metric("node_seconds_total", "counter", help, &one(seconds(&self.node_ns)));
        let help = "Time that calls waited on the server.";
        metric("queue_seconds_total", "counter", help, &one(seconds(&self.queue_ns)));
        out
    }
}
