//! What came of the steps: the JSON line, and raw payloads in files.

use serde_json::{Map, Value as Json, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Collects results.
#[derive(Debug)]
pub struct Report {
    out: PathBuf,
    steps: Vec<Json>,
    packets: Vec<Json>,
}

impl Report {
    /// Nothing yet; raw payloads go to files in `out`.
    pub fn new(out: &Path) -> Self {
        Self { out: out.to_owned(), steps: Vec::new(), packets: Vec::new() }
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

    /// Notes a packet that was pulled; samples and bytes go to the output's file.
    ///
    /// # Errors
    /// What the file system has against it.
    pub fn packet(&mut self, output: &str, facts: Json, raw: Option<&[u8]>) -> io::Result<()> {
        self.packets.push(facts);
        let Some(raw) = raw else { return Ok(()) };
        let path = self.out.join(format!("{}.raw", output.replace('/', "_")));
        OpenOptions::new().append(true).create(true).open(path)?.write_all(raw)
    }

    /// The line; what the pipeline tells about itself is still to be added.
    pub fn finish(self) -> Json {
        json!({"steps": self.steps, "packets": self.packets})
    }
}
