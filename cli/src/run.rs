//! `rmedia run`: files through a pipeline, from begin to end.

use crate::args::RunArgs;
use crate::drive::{self, Outcome, Pace, Taker};
use crate::failure::{Exit, Failure, cannot_open, cannot_write};
use crate::input::{self, Feed};
use crate::load::Loaded;
use crate::output::Outputs;
use crate::progress::{self, Progress};
use crate::report::Reporter;
use crate::{interrupt, watch::Watch};
use remotemedia::{Engine, MediaTime, Packet, Payload, Pipeline};
use serde_json::json;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Runs it.
pub(crate) fn run(args: &RunArgs, reporter: Reporter) -> Result<Exit, Failure> {
    interrupt::install();
    let engine = Engine::default();
    let loaded = Loaded::read(&args.pipeline, &args.set)?;
    if args.pipeline == "-" && args.input.iter().any(|i| i == "-" || i.ends_with("=-")) {
        return Err(Failure::usage("standard input can't be both the manifest and an input"));
    }
    let (mut graph, warnings) = loaded.resolve(&engine)?;
    for node in graph.nodes.iter_mut().filter(|n| n.ports.inputs.is_empty()) {
        node.realtime |= args.realtime;
    }
    reporter.warnings(warnings, &loaded.name, loaded.text.as_deref());
    let mut feeds = input::open(&graph, &args.input)?;
    let outputs = Outputs::open(&graph, &args.output, args.format.map(Into::into))?;
    tell_untaken(&outputs.untaken(&graph), reporter);
    let mut watch = Watch::new(args.events.as_deref(), reporter)?;
    // Opened now: to find out at the end that it can't be would be too late.
    let metrics = match &args.metrics {
        Some(path) => Some((path, File::create(path).map_err(|e| cannot_open(path, &e))?)),
        None => None,
    };
    let pipeline = Pipeline::new(&engine, graph)?;
    let stderr = std::io::stderr().is_terminal();
    let lines_show = outputs.uses_stdout() && std::io::stdout().is_terminal();
    let shown = stderr && !lines_show && !args.quiet && !reporter.json;
    let total = feeds.iter().filter_map(Feed::duration).max();
    let mut desk = Desk {
        outputs,
        written: Vec::new(),
        watch: &mut watch,
        progress: Progress::new(shown, total),
    };
    let pace = if args.realtime { Pace::Realtime } else { Pace::Fast };
    let outcome = drive::drive(&pipeline, engine.pool(), &mut feeds, &mut desk, pace);
    let elapsed = desk.progress.finish();
    let Desk { outputs, mut written, .. } = desk;
    // What the pipeline said is kept, however it went; why it failed comes first.
    let kept = watch.finish(&pipeline).and_then(|()| match metrics {
        Some((path, file)) => write_metrics(&pipeline, path, file),
        None => Ok(()),
    });
    let outcome = outcome?;
    let position = progress::position(&pipeline, &feeds);
    // The results are whole, whatever became of what was to be written about them.
    written.splice(0..0, outputs.finish()?);
    kept?;
    if reporter.json {
        reporter.line(&json!({"summary": {
            "files": written,
            "media_s": position.map(MediaTime::as_secs_f64),
            "elapsed_s": elapsed.as_secs_f64(),
            "interrupted": interrupt::requested(),
        }}));
    } else if stderr && !args.quiet {
        summary(&written, position, elapsed);
    }
    match outcome {
        Outcome::Ended if interrupt::requested() => Ok(Exit::Interrupted),
        _ => Ok(Exit::Good),
    }
}

/// What takes part while it runs.
struct Desk<'a> {
    outputs: Outputs,
    /// Files that nodes have written.
    written: Vec<String>,
    watch: &'a mut Watch,
    progress: Progress,
}

impl Taker for Desk<'_> {
    fn take(&mut self, output: &str, packet: Packet) -> Result<(), Failure> {
        if let Payload::File(file) = packet.payload() {
            self.written.push(file.path.to_string_lossy().into_owned());
        }
        self.outputs.write(output, &packet)
    }

    fn look(&mut self, pipeline: &Pipeline, feeds: &[Feed]) -> Result<(), Failure> {
        self.progress.update(pipeline, feeds);
        self.watch.look(pipeline, |show| self.progress.suspend(show))
    }

    fn is_full(&self) -> bool {
        self.outputs.all_closed()
    }
}

fn tell_untaken(untaken: &[&str], reporter: Reporter) {
    if untaken.is_empty() {
        return;
    }
    let list: Vec<String> = untaken.iter().map(|name| format!("'{name}'")).collect();
    let what = if untaken.len() == 1 { "output" } else { "outputs" };
    let message = format!("nothing takes the {what} {}", list.join(", "));
    let hint = format!("write it to a file with `-o {}=FILE`", untaken[0]);
    reporter.note(&message, Some(&hint));
}

fn write_metrics(pipeline: &Pipeline, path: &str, mut file: File) -> Result<(), Failure> {
    writeln!(file, "{:#}", pipeline.metrics()).map_err(|e| cannot_write(path, &e))
}

fn summary(files: &[String], position: Option<MediaTime>, elapsed: Duration) {
    let took = format!("{:.2} s", elapsed.as_secs_f64());
    let done = match position {
        Some(position) => {
            format!("{position} of media in {took} ({})", progress::speed(position, elapsed))
        }
        None => took,
    };
    let done = if interrupt::requested() { format!("interrupted: {done}") } else { done };
    let files = match files {
        [] => String::new(),
        files => format!(" → {}", files.join(", ")),
    };
    let style = anstyle::Style::new().bold();
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "{style}{done}{style:#}{files}");
}
