//! What there is to tell of packets and errors.

use crate::audio::interleaved;
use conformance_shared::report::Report;
use remotemedia::{Error, Packet, Payload, Pipeline};
use serde_json::{Value as Json, json};
use std::io;

/// Notes that a step failed; `count` is how much of it was done before.
pub(crate) fn error(report: &mut Report, line: usize, error: &Error, count: Option<usize>) {
    report.error(line, error.status().name(), error.to_json(), count);
}

/// Notes a packet that was pulled.
pub(crate) fn packet(
    report: &mut Report,
    line: usize,
    output: &str,
    packet: &Packet,
) -> io::Result<()> {
    let mut facts = json!({
        "line": line,
        "output": output,
        "kind": packet.kind().name(),
        "pts_ns": packet.pts().map(|pts| pts.nanos()),
        "discont": packet.is_discont(),
    });
    let mut raw = None;
    match packet.payload() {
        Payload::Audio(audio) => {
            let format = audio.format();
            facts["frames"] = audio.frames().into();
            facts["rate"] = format.rate.into();
            facts["channels"] = format.channels.into();
            facts["sample"] = format.sample.name().into();
            facts["planar"] = format.planar.into();
            raw = Some(interleaved(audio));
        }
        Payload::Text(text) => facts["value"] = (**text).into(),
        Payload::Json(value) => facts["value"] = Json::clone(value),
        Payload::Record(record) => facts["value"] = record.to_json(),
        Payload::Bytes(bytes) => {
            facts["bytes"] = bytes.as_slice().len().into();
            raw = Some(bytes.as_slice().to_vec());
        }
        _ => {}
    }
    report.packet(output, facts, raw.as_deref())
}

/// Adds what the pipeline tells about itself.
pub(crate) fn pipeline(line: &mut Json, pipeline: &Pipeline) {
    let events = std::iter::from_fn(|| pipeline.event()).map(|event| event.to_json());
    line["events"] = events.collect();
    line["metrics"] = pipeline.metrics();
    // What a node tells besides when it works elsewhere is the same for none of the cases.
    for node in line["metrics"]["node_metrics"].as_array_mut().into_iter().flatten() {
        node.as_object_mut().and_then(|node| node.remove("remote"));
    }
    line["state"] = pipeline.state().name().into();
}
