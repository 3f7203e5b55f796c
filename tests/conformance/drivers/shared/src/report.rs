//! What came of the steps: the JSON line, and raw payloads.

use crate::Case;
use serde_json::{Map, Value as Json, json};
use std::io;

/// Collects results.
pub struct Report {
    /// Where the case's files are.
    pub case: Box<dyn Case>,
    steps: Vec<Json>,
    packets: Vec<Json>,
}

impl Report {
    /// Nothing yet; raw payloads go to the case's output.
    pub fn new(case: Box<dyn Case>) -> Self {
        Self { case, steps: Vec::new(), packets: Vec::new() }
    }

    /// Notes what a step came to.
    pub fn step(&mut self, line: usize, status: &str, facts: Json) {
        let mut step = Map::new();
        step.insert("line".into(), line.into());
        step.insert("status".into(), status.into());
        if let Json::Object(facts) = facts {
            step.extend(facts);
        }
        self.steps.push(step.into());
    }

    /// Notes that a step failed; `count` is how much of it was done before.
    pub fn error(&mut self, line: usize, status: &str, error: Json, count: Option<usize>) {
        let mut facts = json!({"error": error});
        if let Some(count) = count {
            facts["count"] = count.into();
        }
        self.step(line, status, facts);
    }

    /// Notes a packet that was pulled; samples and bytes go to the raw output.
    ///
    /// # Errors
    /// Why they can't be written.
    pub fn packet(&mut self, output: &str, facts: Json, raw: Option<&[u8]>) -> io::Result<()> {
        self.packets.push(facts);
        let Some(raw) = raw else { return Ok(()) };
        self.case.append(&output.replace('/', "_"), raw)
    }

    /// The line; what the pipeline tells about itself is still to be added.
    pub fn finish(self) -> Json {
        json!({"steps": self.steps, "packets": self.packets})
    }
}
