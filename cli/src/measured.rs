//! What a run has measured, for the drawing of its pipeline: the file of `rmedia run --metrics`.

use crate::failure::{Failure, cannot_read};
use remotemedia::Error;
use remotemedia::error::detail;
use remotemedia::graph::Graph;
use serde_json::Value as Json;

/// The metrics of a run.
pub(crate) struct Measured(Json);

impl Measured {
    /// Reads them, and sees to it that they are of that pipeline.
    pub(crate) fn read(path: &str, graph: &Graph) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|e| cannot_read(path, &e))?;
        let wrong = |what: &str| {
            let message = format!("'{path}' {what}");
            let hint = "give the file that `rmedia run --metrics FILE` wrote for this manifest";
            Failure::file(Error::new(detail::ARGUMENT_INVALID, message)).hint(hint)
        };
        let metrics: Json =
            serde_json::from_str(&text).map_err(|e| wrong(&format!("is not JSON: {e}")))?;
        let list = |key| metrics[key].as_array().ok_or_else(|| wrong("holds no metrics"));
        let (nodes, links) = (list("node_metrics")?, list("links")?);
        let same = nodes.len() == graph.nodes.len()
            && nodes.iter().zip(&graph.nodes).all(|(node, of)| node["node_id"] == *of.id)
            && links.len() == graph.edges.len() + graph.inputs.len() + graph.outputs.len();
        match same {
            true => Ok(Self(metrics)),
            false => Err(wrong("holds the metrics of another pipeline")),
        }
    }

    /// Figures of a node: time of its calls, and by how much media lags in it.
    pub(crate) fn node(&self, index: usize) -> String {
        let node = &self.0["node_metrics"][index];
        let lag = match node["latency_ms"].as_f64() {
            Some(ms) if ms > 0.0 => format!(", lag {} ms", short(ms)),
            _ => String::new(),
        };
        match (&node["p50_duration_us"], &node["p99_duration_us"]) {
            (Json::Null, _) => "never called".to_owned(),
            (p50, p99) => format!("p50 {}, p99 {}{lag}", time(p50), time(p99)),
        }
    }

    /// Figures of a link (connections, then inputs, then outputs): what came, what was dropped, how
    /// many waited and how long.
    pub(crate) fn link(&self, index: usize) -> String {
        let link = &self.0["links"][index];
        let mut text = format!("{} packets", link["in"]);
        let drops = link["dropped"].as_object().into_iter().flat_map(|d| d.values());
        match drops.filter_map(Json::as_u64).sum::<u64>() {
            0 => {}
            dropped => text += &format!(", {dropped} dropped"),
        }
        if let Some(waits) = link.get("wait_us") {
            text += &format!(", at most {} waited", link["high_water"]);
            text += &format!(", p50 {}, p99 {}", time(&waits["p50"]), time(&waits["p99"]));
        }
        text
    }

    /// Figures of an output: from push to there, and by how much media lags there.
    pub(crate) fn output(&self, name: &str) -> String {
        let (times, path) = (&self.0["latency_us"][name], &self.0["paths"][name]);
        let lag = path["declared_ms"].as_f64().unwrap_or(0.0);
        let lag = if lag > 0.0 { format!(", lag {} ms", short(lag)) } else { String::new() };
        match times {
            Json::Null => format!("nothing came{lag}"),
            times => format!("p50 {}, p99 {}{lag}", time(&times["p50"]), time(&times["p99"])),
        }
    }

    /// All of it.
    pub(crate) fn json(&self) -> &Json {
        &self.0
    }
}

/// Microseconds for people.
fn time(us: &Json) -> String {
    match us.as_f64() {
        None => "?".to_owned(),
        Some(us) if us < 1000.0 => format!("{} µs", short(us)),
        Some(us) => format!("{} ms", short(us / 1000.0)),
    }
}

/// Three digits are enough.
fn short(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}
