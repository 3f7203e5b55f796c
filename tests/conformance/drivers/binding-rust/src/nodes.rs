//! The host nodes of the suite, by queue: their jobs are done when a call says that it waits for
//! them.

use conformance_shared::Done;
use remotemedia_binding::{Engine, Info, Job, JobKind, Packet, Result, SampleFormat, Timeout};
use std::collections::HashMap;

const HALF: &str = r#"{"name": "test/Half", "summary": "Halves samples.",
    "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "planar": false}],
    "outputs": [{"name": "out", "kinds": ["audio"], "samples": ["f32"], "planar": false,
        "like_input": true}]}"#;

const FAIL: &str = r#"{"name": "test/Fail", "summary": "Fails on its third packet.",
    "inputs": [{"name": "in"}], "outputs": [{"name": "out", "like_input": true}]}"#;

/// The program's nodes.
#[derive(Default)]
pub(crate) struct Nodes {
    /// How many packets each node of test/Fail has seen.
    seen: HashMap<u64, u32>,
}

impl Nodes {
    /// Adds the types to an engine.
    pub(crate) fn add_to(engine: &Engine) -> Result<Self> {
        engine.add_host_node(HALF)?;
        engine.add_host_node(FAIL)?;
        Ok(Self::default())
    }

    /// Does the jobs that wait.
    pub(crate) fn serve(&mut self, engine: &Engine) -> Done {
        while let Some(job) = engine.next_job(Timeout::TRY)? {
            self.work(job)?;
        }
        Ok(())
    }

    fn work(&mut self, job: Job) -> Done {
        if job.kind() == JobKind::Process {
            let packet = job.packet().ok_or("a job without a packet")?;
            if job.node_type() == "test/Half" {
                job.emit(0, half(packet)?)?;
            } else {
                let seen = self.seen.entry(job.node()).or_default();
                *seen += 1;
                if *seen == 3 {
                    return Ok(job.fail("third packet")?);
                }
                job.emit(0, packet.clone())?;
            }
        }
        Ok(job.done()?)
    }
}

/// The same with samples × 0.5.
fn half(packet: &Packet) -> Result<Packet> {
    let view = packet.view()?;
    let samples = view.bytes().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
    let halved: Vec<u8> = samples.flat_map(|sample| (sample * 0.5).to_le_bytes()).collect();
    let info = Info::audio(&halved, SampleFormat::F32, view.rate(), view.channels());
    Packet::new(&info.at(view.pts_ns()).discont(view.is_discont()))
}
