//! `rmedia stream`: standard input through a pipeline to standard output, value by value.

use crate::args::StreamArgs;
use crate::drive::{self, Outcome, Pace, Taker};
use crate::failure::{Exit, Failure};
use crate::input::{Feed, Reader};
use crate::lines::{self, Lines};
use crate::load::Loaded;
use crate::output;
use crate::pcm::{self, Pcm};
use crate::pump::Pump;
use crate::report::Reporter;
use crate::watch::Watch;
use crate::{interrupt, value};
use remotemedia::error::detail;
use remotemedia::graph::Graph;
use remotemedia::packet::{Kind, SampleFormat};
use remotemedia::{Engine, Error, Packet, Pipeline};
use serde_json::{Value as Json, json};
use std::io::BufReader;

/// Runs it.
pub(crate) fn run(args: &StreamArgs, reporter: Reporter) -> Result<Exit, Failure> {
    interrupt::install();
    let engine = Engine::default();
    if args.pipeline == "-" {
        return Err(Failure::usage("standard input is what is streamed; name a manifest file"));
    }
    let loaded = Loaded::read(&args.pipeline, &args.set)?;
    let (graph, warnings) = loaded.resolve(&engine)?;
    reporter.warnings(warnings, &loaded.name, loaded.text.as_deref());
    let reader = open(&graph, args)?;
    let only = only_output(&graph, args.output.as_deref())?;
    let form = form(&graph, args, only)?;
    let mut watch = Watch::new(None, reporter)?;
    let mut feeds = [Feed::new(&graph, 0, reader)];
    let only = only.map(|index| graph.outputs[index].name.clone());
    let pipeline = Pipeline::new(&engine, graph)?;
    let mut writer = StreamWriter { form, only, open: true, watch: &mut watch };
    let outcome = drive::drive(&pipeline, engine.pool(), &mut feeds, &mut writer, Pace::Patient);
    let told = watch.finish(&pipeline);
    let outcome = outcome?;
    told?;
    match outcome {
        Outcome::Ended if interrupt::requested() => Ok(Exit::Interrupted),
        _ => Ok(Exit::Good),
    }
}

/// What a result becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines { envelope: bool },
    Pcm(SampleFormat),
}

struct StreamWriter<'a> {
    form: Form,
    /// The output that is written, if not all are.
    only: Option<String>,
    open: bool,
    watch: &'a mut Watch,
}

impl Taker for StreamWriter<'_> {
    fn take(&mut self, output: &str, packet: Packet) -> Result<(), Failure> {
        if !self.open || self.only.as_deref().is_some_and(|only| only != output) {
            return Ok(());
        }
        let fail = |e: Error| Failure::new(Exit::Failed, e.at_port(output));
        let bytes = match self.form {
            Form::Lines { envelope } => {
                let value = value::to_json(&packet).map_err(fail)?;
                let value = if envelope { wrap(output, &packet, value) } else { value };
                format!("{value}\n").into_bytes()
            }
            Form::Pcm(sample) => match packet.as_audio() {
                Some(audio) => value::interleaved(audio, sample),
                None => return Err(no_audio(output, &packet.kind().to_string(), Exit::Failed)),
            },
        };
        self.open = output::write_stdout(&bytes)?;
        Ok(())
    }

    fn look(&mut self, pipeline: &Pipeline, _: &[Feed]) -> Result<(), Failure> {
        self.watch.look(pipeline, |show| show())
    }

    fn is_full(&self) -> bool {
        !self.open
    }
}

fn wrap(output: &str, packet: &Packet, value: Json) -> Json {
    json!({
        "port": output,
        "kind": packet.kind().name(),
        "pts_ns": packet.pts().map(|p| p.nanos()),
        "value": value,
    })
}

fn open(graph: &Graph, args: &StreamArgs) -> Result<Reader, Failure> {
    let [input] = graph.inputs.as_slice() else {
        let names: Vec<&str> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
        let message = match names.as_slice() {
            [] => "the pipeline has no input to stream into".to_owned(),
            names => format!("the pipeline has {} inputs: {}", names.len(), names.join(", ")),
        };
        return Err(Failure::usage_of(detail::ARGUMENT_AMBIGUOUS_PORT, message)
            .hint("`rmedia run` takes a file for each input"));
    };
    let caps = graph.takes(input);
    let stdin = Pump::new(std::io::stdin());
    let Some(format) = &args.pcm else {
        let stdin = Box::new(BufReader::new(stdin));
        return Ok(Reader::Lines(Lines::new("standard input", stdin, caps, lines::Form::Json)));
    };
    let format = pcm::parse_format(format)?;
    if !caps.kinds.contains(Kind::Audio) {
        let message = format!("input '{}' takes {}, not audio", input.name, caps.kinds);
        return Err(Failure::usage(message).hint("leave out --pcm"));
    }
    Ok(Reader::Pcm(Pcm::new(Box::new(stdin), format)))
}

/// Index of the output that was asked for.
fn only_output(graph: &Graph, name: Option<&str>) -> Result<Option<usize>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let found = graph.outputs.iter().position(|o| o.name == name);
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = graph.outputs.iter().map(|o| o.name.as_str()).collect();
        let message = format!("there is no output '{name}'");
        Failure::usage_of(detail::ARGUMENT_UNKNOWN_PORT, message)
            .hint(format!("its outputs are {}", names.join(", ")))
    })
}

/// Raw audio where it was asked for; with raw audio coming in also where an output gives audio.
fn form(graph: &Graph, args: &StreamArgs, only: Option<usize>) -> Result<Form, Failure> {
    let lines = Form::Lines { envelope: args.envelope };
    let sample = match (&args.out_pcm, &args.pcm) {
        (Some(sample), _) => pcm::parse_sample(sample)?,
        (None, Some(format)) if !args.envelope => pcm::parse_format(format)?.sample,
        _ => return Ok(lines),
    };
    let written = (0..graph.outputs.len()).filter(|i| only.is_none_or(|only| only == *i));
    let (audio, other): (Vec<usize>, Vec<usize>) =
        written.partition(|i| graph.gives(&graph.outputs[*i]).kinds.contains(Kind::Audio));
    match (audio.as_slice(), other.as_slice()) {
        ([_], []) => Ok(Form::Pcm(sample)),
        ([], _) if args.out_pcm.is_none() => Ok(lines),
        ([], [first, ..]) => {
            let kinds = graph.gives(&graph.outputs[*first]).kinds.to_string();
            Err(no_audio(&graph.outputs[*first].name, &kinds, Exit::Usage))
        }
        _ => {
            let names: Vec<&str> = graph.outputs.iter().map(|o| o.name.as_str()).collect();
            let message = format!(
                "raw audio on standard output has room for one output, and there are {}",
                names.join(", ")
            );
            Err(Failure::usage_of(detail::ARGUMENT_AMBIGUOUS_PORT, message)
                .hint(format!("choose one with `--output {}`", names[0])))
        }
    }
}

fn no_audio(output: &str, kinds: &str, exit: Exit) -> Failure {
    let message = format!(
        "output '{output}' gives {kinds}, which has no place in raw audio on standard output"
    );
    let error = Error::new(detail::FORMAT_KIND, message)
        .with_hint("without --pcm and --out-pcm every result is a line of JSON");
    Failure::new(exit, error)
}
