//! Does the steps.

use crate::audio;
use crate::nodes::Nodes;
use conformance_shared::Done;
use conformance_shared::report::Report;
use conformance_shared::steps::{Place, Step, What};
use remotemedia_binding::{
    Closed, Engine, Error, Idle, Info, Kind, Options, Packet, Pipeline, Pulled, Pushed, Result,
    Timeout,
};
use serde_json::{Value as Json, json};

/// Plays one case.
pub(crate) struct Player {
    engine: Engine,
    nodes: Nodes,
    pipeline: Option<Running>,
    report: Report,
}

/// A pipeline, and the names of its inputs and outputs by index.
struct Running {
    pipeline: Pipeline,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl Player {
    /// An engine that knows the suite's nodes, and no pipeline yet.
    pub(crate) fn new(report: Report) -> Done<Self> {
        let engine = Engine::new(0)?;
        let nodes = Nodes::add_to(&engine)?;
        Ok(Self { engine, nodes, pipeline: None, report })
    }

    fn create(&mut self, line: usize, made: Result<Pipeline>) -> Done {
        let pipeline = match made {
            Ok(pipeline) => pipeline,
            Err(error) => return self.error(line, &error, None),
        };
        let described: Json = serde_json::from_str(&pipeline.describe()?)?;
        let names = |key: &str| -> Vec<String> {
            described[key].as_object().into_iter().flat_map(|ports| ports.keys().cloned()).collect()
        };
        let (inputs, outputs) = (names("inputs"), names("outputs"));
        self.report.step(line, "ok", json!({"inputs": inputs, "outputs": outputs}));
        self.pipeline = Some(Running { pipeline, inputs, outputs });
        Ok(())
    }

    fn validate(&mut self, line: usize, text: &str) -> Done {
        let told: Json = match self.engine.validate(text) {
            Ok(report) => serde_json::from_str(&report)?,
            Err(error) => serde_json::from_str(error.json())?,
        };
        let status = if told["ok"] == true { "ok" } else { "invalid" };
        self.report.step(line, status, json!({"problems": told["problems"]}));
        Ok(())
    }

    fn error(&mut self, line: usize, error: &Error, count: Option<usize>) -> Done {
        let told = serde_json::from_str(error.json())?;
        self.report.error(line, error.status().name(), told, count);
        Ok(())
    }
}

impl conformance_shared::Player for Player {
    fn play(&mut self, line: usize, step: Step<'_>) -> Done {
        match step {
            Step::Create { file, untrusted, memory } => {
                if let Some(bytes) = memory {
                    self.engine = Engine::new(bytes)?;
                    self.nodes = Nodes::add_to(&self.engine)?;
                }
                let text = String::from_utf8(self.report.case.read(file)?)?;
                let options = Options { engine: Some(&self.engine), untrusted };
                let made = Pipeline::from_text_with(&text, &options);
                self.create(line, made)
            }
            Step::CreateFile { file } => {
                let options = Options { engine: Some(&self.engine), untrusted: false };
                let made = Pipeline::from_file(file, &options);
                self.create(line, made)
            }
            Step::Validate { file } => {
                let text = String::from_utf8(self.report.case.read(file)?)?;
                self.validate(line, &text)
            }
            step => {
                let running = self.pipeline.take().ok_or("there is no pipeline")?;
                let done = Run { player: self, running: &running, line }.step(step);
                self.pipeline = Some(running);
                done
            }
        }
    }

    fn finish(mut self) -> Done<Json> {
        let mut line = self.report.finish();
        if let Some(Running { pipeline, .. }) = self.pipeline.take() {
            let mut events: Vec<Json> = Vec::new();
            while let Some(event) = pipeline.next_event()? {
                events.push(serde_json::from_str(&event)?);
            }
            line["events"] = events.into();
            line["metrics"] = serde_json::from_str(&pipeline.metrics()?)?;
            line["state"] = pipeline.state()?.name().into();
        }
        self.nodes.serve(&self.engine)?;
        drop(self.engine);
        let live: Json = serde_json::from_str(&remotemedia_binding::live()?)?;
        match live.as_object().is_some_and(|kinds| kinds.values().all(|count| count == 0)) {
            true => Ok(line),
            false => Err(format!("not everything was released: {live}").into()),
        }
    }
}

/// One step on a pipeline.
struct Run<'a> {
    player: &'a mut Player,
    running: &'a Running,
    line: usize,
}

impl Run<'_> {
    fn step(&mut self, step: Step<'_>) -> Done {
        let pipeline = &self.running.pipeline;
        match step {
            Step::Push { port, place, what, retry } => self.push(port, place, &what, retry),
            Step::End { port } => {
                let ended = self.input(port).and_then(|input| pipeline.end(input));
                self.note(ended.map(|()| Json::Null))
            }
            Step::Pull { port } => {
                if self.pull(port, Timeout::TRY)? {
                    self.ok("ok", Json::Null);
                }
                Ok(())
            }
            Step::Drain { port } => {
                while self.pull(port, Timeout::FOREVER)? {}
                Ok(())
            }
            Step::Set { node, at, json } => {
                let set = pipeline.set_params(node, json, at);
                self.note(set.map(|number| json!({"number": number})))
            }
            Step::Gap { port, until } => {
                let told = self.input(port).and_then(|input| pipeline.gap(input, until));
                self.note(told.map(|()| Json::Null))
            }
            Step::Interrupt => self.note(pipeline.interrupt().map(|epoch| json!({"epoch": epoch}))),
            Step::Advance => loop {
                match pipeline.advance() {
                    Ok(Idle::Host) => self.player.nodes.serve(&self.player.engine)?,
                    // Threads are at work.
                    Ok(Idle::Busy) => std::thread::yield_now(),
                    Ok(reason) => {
                        self.ok(status(reason), Json::Null);
                        return Ok(());
                    }
                    Err(error) => return self.player.error(self.line, &error, None),
                }
            },
            Step::Reset => self.note(pipeline.reset().map(|epoch| json!({"epoch": epoch}))),
            Step::Rewind => self.note(pipeline.rewind().map(|()| Json::Null)),
            Step::Close { ms } => match pipeline.close(Timeout::from_millis(ms)) {
                Ok(Closed::Host) => {
                    self.player.nodes.serve(&self.player.engine)?;
                    self.step(Step::Close { ms })
                }
                Ok(closed) => {
                    let word = if closed == Closed::Cut { "cut" } else { "drained" };
                    self.note(Ok(json!({"closed": word})))
                }
                Err(error) => self.note(Err(error)),
            },
            Step::Cancel => {
                pipeline.cancel();
                self.note(Ok(Json::Null))
            }
            Step::Create { .. } | Step::CreateFile { .. } | Step::Validate { .. } => Ok(()),
        }
    }

    fn ok(&mut self, status: &str, facts: Json) {
        self.player.report.step(self.line, status, facts);
    }

    fn note(&mut self, result: Result<Json>) -> Done {
        match result {
            Ok(facts) => self.ok("ok", facts),
            Err(error) => self.player.error(self.line, &error, None)?,
        }
        Ok(())
    }

    fn input(&self, port: Option<&str>) -> Result<Option<u32>> {
        port.map(|name| self.running.pipeline.input(name)).transpose()
    }

    fn push(&mut self, port: Option<&str>, place: Place, what: &What<'_>, retry: bool) -> Done {
        let engine = &self.player.engine;
        let one = |info: Info<'_>| {
            let info = info.at(place.pts).discont(place.discont).in_memory_of(engine);
            Packet::new(&info).map(|packet| vec![packet])
        };
        let packets = match what {
            What::Audio(sound) => {
                let bytes = self.player.report.case.read(sound.file)?;
                audio::packets(sound, &bytes, place, engine)?
            }
            What::Text(text) => one(Info::text(text)),
            What::Json(text) => one(Info::json(text)),
            What::Bytes(file) => one(Info::bytes(&self.player.report.case.read(file)?)),
        };
        let (packets, input) = match packets.and_then(|made| Ok((made, self.input(port)?))) {
            Ok(ready) => ready,
            Err(error) => return self.player.error(self.line, &error, Some(0)),
        };
        let mut count = 0;
        for packet in packets {
            match self.push_one(input, packet, retry)? {
                Ok(true) => count += 1,
                Ok(false) => {
                    self.ok("full", json!({"count": count}));
                    return Ok(());
                }
                Err(error) => return self.player.error(self.line, &error, Some(count)),
            }
        }
        self.ok("ok", json!({"count": count}));
        Ok(())
    }

    /// Pushes a packet; while the input is full and something can be pulled, pulls it. False: full.
    fn push_one(
        &mut self,
        input: Option<u32>,
        mut packet: Packet,
        retry: bool,
    ) -> Done<Result<bool>> {
        let pipeline = &self.running.pipeline;
        loop {
            let reason;
            let time = if retry { Timeout::FOREVER } else { Timeout::TRY };
            (packet, reason) = match pipeline.push(input, packet, time) {
                Ok(Pushed::Taken) => return Ok(Ok(true)),
                Ok(Pushed::Back(packet, reason)) => (packet, reason),
                Err(error) => return Ok(Err(error)),
            };
            if reason == Idle::Host {
                self.player.nodes.serve(&self.player.engine)?;
                continue;
            }
            if !retry {
                return Ok(Ok(false));
            }
            match pipeline.pull(None, Timeout::TRY) {
                Ok(Pulled::Packet { output, packet }) => self.packet(output, &packet)?,
                _ => return Ok(Ok(false)),
            }
        }
    }

    /// Pulls once, and notes what it came to. Says whether that was a packet, which is a note of
    /// its own.
    fn pull(&mut self, port: Option<&str>, time: Timeout) -> Done<bool> {
        let output = port.map(|name| self.running.pipeline.output(name)).transpose();
        match output.and_then(|output| self.running.pipeline.pull(output, time)) {
            Ok(Pulled::Packet { output, packet }) => {
                self.packet(output, &packet)?;
                return Ok(true);
            }
            Ok(Pulled::End) => self.ok("end", Json::Null),
            Ok(Pulled::Idle { reason: Idle::Host, .. }) => {
                self.player.nodes.serve(&self.player.engine)?;
                return self.pull(port, time);
            }
            Ok(Pulled::Idle { reason, about }) => {
                let names = match reason {
                    Idle::NeedInput => self.running.inputs.get(about as usize),
                    Idle::Full => self.running.outputs.get(about as usize),
                    _ => None,
                };
                let facts = names.map_or(Json::Null, |name| json!({"waits_for": [name]}));
                self.ok(status(reason), facts);
            }
            Err(error) => self.player.error(self.line, &error, None)?,
        }
        Ok(false)
    }

    /// Notes a packet that was pulled.
    fn packet(&mut self, output: u32, packet: &Packet) -> Done {
        let view = packet.view()?;
        let output = self.running.outputs[output as usize].as_str();
        let kind = view.kind().ok_or("a packet of a new kind")?;
        let mut facts = json!({
            "line": self.line,
            "output": output,
            "kind": format!("{kind:?}").to_lowercase(),
            "pts_ns": view.pts_ns(),
            "discont": view.is_discont(),
        });
        let mut raw = None;
        match kind {
            Kind::Audio => {
                facts["frames"] = view.frames().into();
                facts["rate"] = view.rate().into();
                facts["channels"] = view.channels().into();
                facts["sample"] = view.sample().map(audio::name).into();
                facts["planar"] = view.is_planar().into();
                raw = Some(audio::interleaved(&view));
            }
            Kind::Text => facts["value"] = view.text().into(),
            Kind::Json | Kind::Record => facts["value"] = serde_json::from_str(&packet.json()?)?,
            Kind::Bytes => {
                facts["bytes"] = view.bytes().len().into();
                raw = Some(view.bytes().to_vec());
            }
            _ => {}
        }
        Ok(self.player.report.packet(output, facts, raw.as_deref())?)
    }
}

fn status(reason: Idle) -> &'static str {
    match reason {
        Idle::NeedInput => "need_input",
        Idle::Full => "full",
        Idle::InFlight => "in_flight",
        Idle::Due => "due",
        Idle::Busy => "busy",
        Idle::Host => "host",
        Idle::Interrupted => "interrupted",
    }
}
