//! What came of the steps: the JSON line, and raw payloads in files.

use crate::audio::interleaved;
use remotemedia::{Error, Packet, Payload, Pipeline};
use serde_json::{Map, Value as Json, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Collects results.
pub(crate) struct Report {
    out: PathBuf,
    steps: Vec<Json>,
    packets: Vec<Json>,
}

impl Report {
    /// Nothing yet; raw payloads go to files in `out`.
    pub(crate) fn new(out: &Path) -> Self {
        Self { out: out.to_owned(), steps: Vec::new(), packets: Vec::new() }
    }

    /// Notes what a step came to.
    pub(crate) fn step(&mut self, line: usize, status: &str, facts: Json) {
        let mut step = Map::new();
        step.insert("line".into(), line.into());
        step.insert("status".into(), status.into());
        if let Json::Object(facts) = facts {
            step.extend(facts);
        }
        self.steps.push(step.into());
    }

    /// Notes that a step failed; `count` is how much of it was done before.
    pub(crate) fn error(&mut self, line: usize, error: &Error, count: Option<usize>) {
        let mut facts = json!({"error": error.to_json()});
        if let Some(count) = count {
            facts["count"] = count.into();
        }
        self.step(line, error.status().name(), facts);
    }

    /// Notes a packet that was pulled.
    pub(crate) fn packet(&mut self, line: usize, output: &str, packet: &Packet) -> io::Result<()> {
        let mut facts = json!({
            "line": line,
            "output": output,
            "kind": packet.kind().name(),
            "pts_ns": packet.pts().map(|pts| pts.nanos()),
            "discont": packet.is_discont(),
        });
        match packet.payload() {
            Payload::Audio(audio) => {
                let format = audio.format();
                facts["frames"] = audio.frames().into();
                facts["rate"] = format.rate.into();
                facts["channels"] = format.channels.into();
                facts["sample"] = format.sample.name().into();
                facts["planar"] = format.planar.into();
                self.raw(output, &interleaved(audio))?;
            }
            Payload::Text(text) => facts["value"] = (**text).into(),
            Payload::Json(value) => facts["value"] = Json::clone(value),
            Payload::Record(record) => facts["value"] = record.to_json(),
            Payload::Bytes(bytes) => {
                facts["bytes"] = bytes.as_slice().len().into();
                self.raw(output, bytes.as_slice())?;
            }
            _ => {}
        }
        self.packets.push(facts);
        Ok(())
    }

    fn raw(&self, output: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.out.join(format!("{}.raw", output.replace('/', "_")));
        OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes)
    }

    /// The line, with what the pipeline tells about itself.
    pub(crate) fn finish(self, pipeline: Option<&Pipeline>) -> Json {
        let mut line = json!({"steps": self.steps, "packets": self.packets});
        if let Some(pipeline) = pipeline {
            let events = std::iter::from_fn(|| pipeline.event()).map(|event| event.to_json());
            line["events"] = events.collect();
            line["metrics"] = pipeline.metrics();
            line["state"] = pipeline.state().name().into();
        }
        line
    }
}
