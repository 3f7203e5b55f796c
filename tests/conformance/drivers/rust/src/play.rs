//! Does the steps.

use crate::elsewhere::Elsewhere;
use crate::{audio, nodes, tell};
use conformance_shared::Done;
use conformance_shared::report::Report;
use conformance_shared::steps::{Place, Step, What};
use remotemedia::packet::Buffer;
use remotemedia::{
    Closed, Engine, Error as MediaError, Manifest, MediaTime, Packet, Pipeline, Pull, PushError,
    Reason, Result as MediaResult,
};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Plays one case.
pub struct Player {
    engine: Engine,
    pipeline: Option<Pipeline>,
    report: Report,
    /// Where nodes run, if not here.
    elsewhere: Option<Elsewhere>,
}

impl Player {
    /// An engine that knows the suite's nodes, and no pipeline yet.
    ///
    /// # Errors
    /// When the suite's nodes can't be registered.
    pub fn new(report: Report) -> Done<Self> {
        let engine = Engine::new(nodes::registry()?);
        let elsewhere = Elsewhere::asked_for()?;
        Ok(Self { engine, pipeline: None, report, elsewhere })
    }

    /// The text of a manifest, with its nodes where they are asked for.
    fn placed(&self, text: Vec<u8>) -> Vec<u8> {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.place(&self.engine, text),
            None => text,
        }
    }

    fn create(&mut self, line: usize, manifest: MediaResult<Manifest>) -> Done {
        if self.pipeline.is_some() {
            return Err(format!("line {line}: a case has one pipeline").into());
        }
        match manifest.and_then(|m| self.engine.pipeline(&m)) {
            Ok(pipeline) => {
                let inputs: Vec<_> = pipeline.inputs().collect();
                let outputs: Vec<_> = pipeline.outputs().collect();
                self.report.step(line, "ok", json!({"inputs": inputs, "outputs": outputs}));
                self.pipeline = Some(pipeline);
            }
            Err(error) => tell::error(&mut self.report, line, &error, None),
        }
        Ok(())
    }

    fn validate(&mut self, line: usize, text: &[u8]) -> Done {
        let problems = match Manifest::from_slice(text) {
            Ok(manifest) => manifest.validate(&self.engine.registry()).problems,
            Err(error) => error.problems().to_vec(),
        };
        let problems: Vec<Json> = problems.iter().map(|problem| problem.to_json()).collect();
        let wrong = problems.iter().any(|problem| problem["severity"] == "error");
        let status = if wrong { "invalid" } else { "ok" };
        self.report.step(line, status, json!({"problems": problems}));
        Ok(())
    }
}

impl conformance_shared::Player for Player {
    fn play(&mut self, line: usize, step: Step<'_>) -> Done {
        match step {
            Step::Create { file, untrusted, memory } => {
                if let Some(bytes) = memory {
                    self.engine = Engine::with_memory_limit(nodes::registry()?, bytes);
                }
                let mut bytes = self.report.case.read(file)?;
                if !untrusted {
                    bytes = self.placed(bytes);
                }
                let manifest =
                    Manifest::from_slice(&bytes).map(|m| if untrusted { m.untrusted() } else { m });
                self.create(line, manifest)
            }
            Step::CreateFile { file } => self.create(line, Manifest::from_file(file)),
            Step::Validate { file } => {
                let bytes = self.report.case.read(file)?;
                self.validate(line, &bytes)
            }
            step => {
                let Some(pipeline) = &self.pipeline else {
                    return Err(format!("line {line}: there is no pipeline").into());
                };
                let (engine, elsewhere) = (&self.engine, self.elsewhere.is_some());
                let mut run = Run { pipeline, engine, report: &mut self.report, line, elsewhere };
                run.step(step)?;
                run.settle();
                Ok(())
            }
        }
    }

    fn finish(self) -> Done<Json> {
        let mut line = self.report.finish();
        if let Some(pipeline) = &self.pipeline {
            tell::pipeline(&mut line, pipeline);
        }
        Ok(line)
    }
}

/// As long as it takes.
const LONG: Duration = Duration::from_secs(60);

/// One step on a pipeline.
struct Run<'a> {
    pipeline: &'a Pipeline,
    engine: &'a Engine,
    report: &'a mut Report,
    line: usize,
    /// Nodes work elsewhere.
    elsewhere: bool,
}

impl Run<'_> {
    fn step(&mut self, step: Step<'_>) -> Done {
        match step {
            Step::Push { port, place, what, retry } => self.push(port, place, &what, retry)?,
            Step::End { port: None } => self.note(self.pipeline.end().map(|()| Json::Null)),
            Step::End { port: Some(port) } => {
                self.note(self.pipeline.end_input(port).map(|()| Json::Null));
            }
            Step::Pull { port } => {
                if self.pull(port, Duration::ZERO)? {
                    self.report.step(self.line, "ok", Json::Null);
                }
            }
            Step::Drain { port } => while self.pull(port, LONG)? {},
            Step::Set { node, at, json } => self.set(node, at, json)?,
            Step::Gap { port, until } => {
                let inputs: Vec<_> = self.pipeline.inputs().collect();
                let until = MediaTime::from_nanos(until);
                let told = self.input(port).and_then(|i| self.pipeline.gap(inputs[i], until));
                self.note(told.map(|()| Json::Null));
            }
            Step::Interrupt => {
                self.note(self.pipeline.interrupt().map(|epoch| json!({"epoch": epoch})));
            }
            Step::Advance => match self.advance() {
                Ok(reason) => self.idle(reason),
                Err(error) => tell::error(self.report, self.line, &error, None),
            },
            Step::Reset => self.note(self.pipeline.reset().map(|epoch| json!({"epoch": epoch}))),
            Step::Rewind => self.note(self.pipeline.rewind().map(|()| Json::Null)),
            Step::Close { ms } => {
                let closed = self.pipeline.close(Duration::from_millis(ms.into()));
                self.note(closed.map(|closed| match closed {
                    Closed::Drained => json!({"closed": "drained"}),
                    Closed::Cut => json!({"closed": "cut"}),
                }));
            }
            Step::Cancel => {
                self.pipeline.cancel();
                self.note(Ok(Json::Null));
            }
            Step::Create { .. } | Step::CreateFile { .. } | Step::Validate { .. } => {}
        }
        Ok(())
    }

    /// Waits for what is under way elsewhere: a case says what has come when a call is back, and here
    /// that is at once.
    #[cfg(not(feature = "remote"))]
    fn settle(&self) {
        debug_assert!(!self.elsewhere, "there is nowhere else");
    }

    #[cfg(feature = "remote")]
    fn settle(&self) {
        if !self.elsewhere {
            return;
        }
        loop {
            let seen = self.pipeline.changes();
            match self.pipeline.why_full() {
                Ok(Reason::InFlight(_) | Reason::Busy) => {
                    let deadline = std::time::Instant::now() + LONG;
                    if !self.pipeline.wait_for_change(seen, Some(deadline)) {
                        return;
                    }
                }
                _ => return,
            }
        }
    }

    /// Runs what can run here, until no thread is at work either.
    fn advance(&self) -> MediaResult<Reason> {
        loop {
            match self.pipeline.advance() {
                Ok(Reason::Busy) => std::thread::yield_now(),
                reason => return reason,
            }
        }
    }

    fn note(&mut self, result: MediaResult<Json>) {
        match result {
            Ok(facts) => self.report.step(self.line, "ok", facts),
            Err(error) => tell::error(self.report, self.line, &error, None),
        }
    }

    fn input(&self, port: Option<&str>) -> MediaResult<usize> {
        port.map_or_else(|| self.pipeline.only_input(), |name| self.pipeline.input_index(name))
    }

    fn push(&mut self, port: Option<&str>, place: Place, what: &What<'_>, retry: bool) -> Done {
        let packets = match what {
            What::Audio(sound) => {
                let bytes = self.report.case.read(sound.file)?;
                match audio::packets(sound, &bytes, place, self.engine.pool())? {
                    Ok(packets) => packets,
                    Err(error) => {
                        tell::error(self.report, self.line, &error, Some(0));
                        return Ok(());
                    }
                }
            }
            What::Text(text) => vec![placed(Packet::text(*text), place)],
            What::Json(text) => vec![placed(Packet::json(serde_json::from_str(text)?), place)],
            What::Bytes(file) => {
                vec![placed(Packet::bytes(Buffer::from_vec(self.report.case.read(file)?)), place)]
            }
        };
        let input = match self.input(port) {
            Ok(input) => input,
            Err(error) => {
                tell::error(self.report, self.line, &error, Some(0));
                return Ok(());
            }
        };
        let mut count = 0;
        for packet in packets {
            match self.push_one(input, packet, retry)? {
                Ok(()) => count += 1,
                Err(PushError::Full(_)) => {
                    self.report.step(self.line, "full", json!({"count": count}));
                    return Ok(());
                }
                Err(error) => {
                    tell::error(self.report, self.line, &MediaError::from(error), Some(count));
                    return Ok(());
                }
            }
        }
        self.report.step(self.line, "ok", json!({"count": count}));
        Ok(())
    }

    /// Pushes a packet; while the input is full and something can be pulled, pulls it.
    fn push_one(
        &mut self,
        input: usize,
        mut packet: Packet,
        retry: bool,
    ) -> Done<Result<(), PushError>> {
        loop {
            let time = if retry { LONG } else { Duration::ZERO };
            packet = match self.pipeline.push_within(input, packet, time) {
                Err(PushError::Full(packet)) if retry => packet,
                other => {
                    self.settle();
                    return Ok(other);
                }
            };
            match self.pipeline.try_pull() {
                Ok(Pull::Packet(output, result)) => {
                    tell::packet(self.report, self.line, output, &result)?;
                }
                _ => return Ok(Err(PushError::Full(packet))),
            }
        }
    }

    /// Pulls once, and notes what it came to. Says whether that was a packet, which is a note of its
    /// own.
    fn pull(&mut self, port: Option<&str>, time: Duration) -> Done<bool> {
        let pulled = match port {
            Some(port) => self.pipeline.pull_from(port, time),
            None => self.pipeline.pull(time),
        };
        match pulled {
            Ok(Pull::Packet(output, packet)) => {
                tell::packet(self.report, self.line, output, &packet)?;
                return Ok(true);
            }
            Ok(Pull::End) => self.report.step(self.line, "end", Json::Null),
            Ok(Pull::Idle(reason)) => self.idle(reason),
            Err(error) => tell::error(self.report, self.line, &error, None),
        }
        Ok(false)
    }

    fn set(&mut self, node: &str, at: Option<i64>, text: &str) -> Done {
        let values = serde_json::from_str(text)?;
        let set = match at {
            Some(at) => self.pipeline.set_params_at(node, &values, MediaTime::from_nanos(at)),
            None => self.pipeline.set_params(node, &values),
        };
        self.note(set.map(|number| json!({"number": number})));
        Ok(())
    }

    /// Notes why nothing goes on, and what it waits for.
    fn idle(&mut self, reason: Reason) {
        let inputs: Vec<_> = self.pipeline.inputs().collect();
        let outputs: Vec<_> = self.pipeline.outputs().collect();
        let (status, names) = match reason {
            Reason::Need(ports) => {
                let names: Vec<_> = ports.iter().filter_map(|p| inputs.get(p).copied()).collect();
                ("need_input", names)
            }
            Reason::Full(output) => ("full", vec![outputs[output]]),
            Reason::InFlight(node) => {
                ("in_flight", vec![self.pipeline.graph().nodes[node].id.as_str()])
            }
            Reason::Due(_) => ("due", Vec::new()),
            Reason::Busy => ("busy", Vec::new()),
        };
        self.report.step(self.line, status, json!({"waits_for": names}));
    }
}

/// The packet, where it is to lie.
fn placed(mut packet: Packet, place: Place) -> Packet {
    packet.set_pts(place.pts.map(MediaTime::from_nanos));
    packet.set_discont(place.discont);
    packet
}
