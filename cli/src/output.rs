//! Where the packets of a pipeline's outputs go.

use crate::failure::{Exit, Failure, cannot_write};
use crate::input::assign;
use crate::value;
use remotemedia::graph::Graph;
use remotemedia::media::{Container, Writer, WriterOptions};
use remotemedia::node::Caps;
use remotemedia::packet::{Kind, SampleFormat};
use remotemedia::{Error, Packet};
use std::io::{self, Write};
use std::path::Path;

/// The files of a run. Dropping them unfinished leaves none of them.
pub(crate) struct Outputs {
    /// Per output of the pipeline: its files.
    sinks: Vec<Vec<Sink>>,
    names: Vec<String>,
}

enum Sink {
    File(String, Box<Writer>),
    /// Standard output; `open` until its reader goes away.
    Stdout {
        open: bool,
    },
}

impl Outputs {
    /// Begins the files: `[output=]file` each. `format` is for the audio among them.
    pub(crate) fn open(
        graph: &Graph,
        args: &[String],
        format: Option<SampleFormat>,
    ) -> Result<Self, Failure> {
        let names: Vec<String> = graph.outputs.iter().map(|o| o.name.clone()).collect();
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut chosen: Vec<(usize, &str, Option<Container>)> = Vec::new();
        for arg in args {
            let (index, file) = assign("output", &borrowed, arg)?;
            if chosen.iter().any(|(_, f, _)| *f == file) {
                return Err(Failure::usage(format!("'{file}' is given twice as an output")));
            }
            let container = match file {
                "-" => None,
                file => Some(container(file, graph.gives(&graph.outputs[index]), borrowed[index])?),
            };
            chosen.push((index, file, container));
        }
        let audio = |c: &Option<Container>| c.is_some_and(Container::is_audio);
        if format.is_some() && !chosen.iter().any(|(_, _, c)| audio(c)) {
            let failure = Failure::usage("--format is for audio files, and no output is one");
            return Err(failure.hint("name an output file .wav, .flac, .pcm or .raw"));
        }
        let mut sinks: Vec<Vec<Sink>> = names.iter().map(|_| Vec::new()).collect();
        for (index, file, container) in chosen {
            sinks[index].push(match file {
                "-" => Sink::Stdout { open: true },
                file => {
                    let format = if audio(&container) { format } else { None };
                    let options = WriterOptions { container, format };
                    options
                        .check(Path::new(file))
                        .map_err(|e| Failure::usage(format!("'{file}': {}", e.message())))?;
                    let writer = Writer::create(file, options).map_err(Failure::file)?;
                    Sink::File(file.to_owned(), Box::new(writer))
                }
            });
        }
        Ok(Self { sinks, names })
    }

    /// Outputs that nobody takes, but for those whose loss is meant: of a node that has an output
    /// with a name in the manifest, the unnamed one; and what only says which file was written.
    pub(crate) fn untaken<'a>(&'a self, graph: &'a Graph) -> Vec<&'a str> {
        let meant = |index: usize| {
            let output = &graph.outputs[index];
            let unnamed = output.name == graph.nodes[output.port.node].id;
            let others = graph.outputs.iter().filter(|o| o.port.node == output.port.node).count();
            (unnamed && others > 1) || graph.gives(&graph.outputs[index]).kinds.within(FILES)
        };
        (0..self.sinks.len())
            .filter(|&i| self.sinks[i].is_empty() && !meant(i))
            .map(|i| self.names[i].as_str())
            .collect()
    }

    /// Whether something is written to standard output.
    pub(crate) fn uses_stdout(&self) -> bool {
        self.sinks.iter().flatten().any(|s| matches!(s, Sink::Stdout { .. }))
    }

    /// Whether all there was to write to has been closed by its reader.
    pub(crate) fn all_closed(&self) -> bool {
        let mut sinks = self.sinks.iter().flatten().peekable();
        sinks.peek().is_some() && sinks.all(|s| matches!(s, Sink::Stdout { open: false }))
    }

    /// Writes a packet to all files of its output.
    pub(crate) fn write(&mut self, output: &str, packet: &Packet) -> Result<(), Failure> {
        let Some(index) = self.names.iter().position(|n| n == output) else { return Ok(()) };
        for sink in &mut self.sinks[index] {
            match sink {
                Sink::File(file, writer) => {
                    writer.write(packet).map_err(|e| in_file(file, e, output))?;
                }
                Sink::Stdout { open: false } => {}
                Sink::Stdout { open } => {
                    let value = value::to_json(packet)
                        .map_err(|e| Failure::new(Exit::Failed, e.at_port(output)))?;
                    *open = write_stdout(format!("{value}\n").as_bytes())?;
                }
            }
        }
        Ok(())
    }

    /// Ends all files and gives them their names, which it returns.
    pub(crate) fn finish(self) -> Result<Vec<String>, Failure> {
        let mut files = Vec::new();
        for sink in self.sinks.into_iter().flatten() {
            if let Sink::File(file, writer) = sink {
                writer.finish().map_err(Failure::file)?;
                files.push(file);
            }
        }
        Ok(files)
    }
}

const FILES: remotemedia::node::caps::Kinds = remotemedia::node::caps::Kinds::one(Kind::File);

/// What a file will be made of; refused where the output can't give that.
fn container(file: &str, caps: &Caps, output: &str) -> Result<Container, Failure> {
    let container = Container::for_path(Path::new(file))
        .map_err(|e| Failure { exit: Exit::Usage, ..Failure::file(e) })?;
    let gives = |kind| caps.kinds.contains(kind);
    let (fits, hint) = match container {
        c if c.is_audio() => (gives(Kind::Audio), "name the file .jsonl"),
        Container::Text => (gives(Kind::Text), "name the file .jsonl, or .wav for audio"),
        _ => (
            gives(Kind::Json) || gives(Kind::Record) || gives(Kind::Text),
            "name the file .wav, .flac, .pcm or .raw",
        ),
    };
    if fits {
        return Ok(container);
    }
    let message = format!("output '{output}' gives {}, which '{file}' can't hold", caps.kinds);
    Err(Failure::usage(message).hint(hint))
}

/// Says which file it was, where the writer doesn't.
fn in_file(file: &str, error: Error, output: &str) -> Failure {
    let failure = Failure::from(error);
    if failure.exit == Exit::File {
        return failure;
    }
    let error = failure.error;
    let message = format!("output '{output}' does not fit into '{file}': {}", error.message());
    let mut told = Error::new(error.detail(), message);
    if let Some(hint) = error.hint() {
        told = told.with_hint(hint);
    }
    Failure::new(failure.exit, told)
}

/// Writes to standard output at once. `false`: nobody reads it any more.
pub(crate) fn write_stdout(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(cannot_write("standard output", &e)),
    }
}
