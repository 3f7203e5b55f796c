//! Where the packets of a pipeline's inputs come from.

use crate::failure::{Failure, cannot_open, cannot_read};
use crate::lines::{Form, Lines};
use crate::pcm::Pcm;
use crate::pump::Pump;
use crate::value;
use remotemedia::error::detail;
use remotemedia::graph::{Endpoint, Graph};
use remotemedia::media::AudioDecoder;
use remotemedia::node::Caps;
use remotemedia::packet::{Kind, Pool};
use remotemedia::{Error, MediaTime, Packet};
use serde_json::Value as Json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// One input of the pipeline and what is pushed into it.
pub(crate) struct Feed {
    /// Name of the input.
    pub(crate) input: String,
    reader: Reader,
    /// A packet that the input had no room for.
    pending: Option<Packet>,
    /// Media time that was handed out.
    pub(crate) position: MediaTime,
    /// Packets that were handed out.
    pub(crate) packets: u64,
    /// Whether the end was handed out.
    pub(crate) ended: bool,
}

/// Makes packets of what a file holds.
pub(crate) enum Reader {
    /// Audio of a media file.
    Media(Box<AudioDecoder>),
    /// Lines.
    Lines(Lines),
    /// The values of a JSON document.
    Values(String, Caps, std::vec::IntoIter<Json>),
    /// Raw audio.
    Pcm(Pcm),
}

impl Feed {
    /// Feeds the input of that index.
    pub(crate) fn new(graph: &Graph, index: usize, reader: Reader) -> Self {
        let input = graph.inputs[index].name.clone();
        let position = MediaTime::ZERO;
        Self { input, reader, pending: None, position, packets: 0, ended: false }
    }

    /// The next packet; `None` at the end, which is then final.
    pub(crate) fn next(&mut self, pool: &Pool) -> Result<Option<Packet>, Failure> {
        if self.ended {
            return Ok(None);
        }
        if let Some(packet) = self.pending.take() {
            return Ok(Some(packet));
        }
        let packet = match &mut self.reader {
            Reader::Media(decoder) => decoder.next(pool)?,
            Reader::Lines(lines) => lines.next()?,
            Reader::Values(name, caps, values) => match values.next() {
                Some(value) => Some(value::to_packet(value, caps).map_err(|e| {
                    let message = format!("'{name}': {}", e.message());
                    Failure::file(Error::new(e.detail(), message))
                })?),
                None => None,
            },
            Reader::Pcm(pcm) => pcm.next()?,
        };
        match &packet {
            Some(packet) => {
                self.packets += 1;
                self.position = self.position + packet.duration().unwrap_or_default();
            }
            None => self.ended = true,
        }
        Ok(packet)
    }

    /// Takes a packet back that the input had no room for.
    pub(crate) fn give_back(&mut self, packet: Packet) {
        self.pending = Some(packet);
    }

    /// How long it is, where that is known.
    pub(crate) fn duration(&self) -> Option<MediaTime> {
        match &self.reader {
            Reader::Media(decoder) => {
                let frames = i64::try_from(decoder.total_frames()?).ok()?;
                Some(MediaTime::from_frames(frames, decoder.format().rate))
            }
            _ => None,
        }
    }

    /// The line that the last packet came from, for messages.
    pub(crate) fn line(&self) -> Option<u64> {
        match &self.reader {
            Reader::Lines(lines) => Some(lines.number()),
            _ => None,
        }
    }
}

/// Opens the files for a pipeline's inputs: `[input=]file` each.
pub(crate) fn open(graph: &Graph, args: &[String]) -> Result<Vec<Feed>, Failure> {
    let names: Vec<&str> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
    let mut files: Vec<(usize, &str)> = Vec::new();
    for arg in args {
        let (index, file) = assign("input", &names, arg)?;
        if let Some((_, other)) = files.iter().find(|(i, _)| *i == index) {
            let message = format!("input '{}' gets two files: {other} and {file}", names[index]);
            return Err(Failure::usage(message));
        }
        if file == "-" && files.iter().any(|(_, f)| *f == "-") {
            return Err(Failure::usage("standard input can feed only one input"));
        }
        files.push((index, file));
    }
    let missing: Vec<&Endpoint> = (0..names.len())
        .filter(|i| files.iter().all(|(f, _)| f != i))
        .map(|i| &graph.inputs[i])
        .collect();
    if !missing.is_empty() {
        return Err(nothing_for(graph, &missing));
    }
    files
        .into_iter()
        .map(|(index, file)| {
            let reader = open_file(file, graph.takes(&graph.inputs[index]), names[index])?;
            Ok(Feed::new(graph, index, reader))
        })
        .collect()
}

fn nothing_for(graph: &Graph, missing: &[&Endpoint]) -> Failure {
    let list = |i: &&Endpoint| format!("'{}' ({})", i.name, graph.takes(i));
    let list: Vec<String> = missing.iter().map(list).collect();
    let what = if missing.len() == 1 { "input" } else { "inputs" };
    let message = format!("no file for {what} {}", list.join(", "));
    let hint = match graph.inputs.as_slice() {
        [_] => "give it one with `-i FILE`".to_owned(),
        _ => format!("give it one with `-i {}=FILE`", missing[0].name),
    };
    Failure::usage(message).hint(hint)
}

/// Takes `[name=]file` apart: index of the port and file.
pub(crate) fn assign<'a>(
    what: &str,
    names: &[&str],
    arg: &'a str,
) -> Result<(usize, &'a str), Failure> {
    let named = arg.split_once('=');
    if let Some((name, file)) = named
        && let Some(index) = names.iter().position(|n| *n == name)
    {
        return Ok((index, file));
    }
    let list = match names {
        [] => format!("the pipeline has no {what}"),
        names => format!("its {what}s are {}", names.join(", ")),
    };
    // `./a=b.wav` is a file for sure.
    if let Some((name, _)) = named
        && !name.contains(['/', '\\'])
    {
        let message = format!("there is no {what} '{name}'");
        return Err(Failure::usage_of(detail::ARGUMENT_UNKNOWN_PORT, message).hint(list));
    }
    match names {
        [_] => Ok((0, arg)),
        [] => {
            let message = format!("the pipeline has no {what} for '{arg}'");
            Err(Failure::usage_of(detail::ARGUMENT_UNKNOWN_PORT, message))
        }
        _ => {
            let message = format!("which {what} is '{arg}' for?");
            let hint = format!("write {}={arg}; {list}", names[0]);
            Err(Failure::usage_of(detail::ARGUMENT_AMBIGUOUS_PORT, message).hint(hint))
        }
    }
}

fn open_file(file: &str, caps: &Caps, input: &str) -> Result<Reader, Failure> {
    let takes = |kind| caps.kinds.contains(kind);
    let lines = takes(Kind::Json) || takes(Kind::Text);
    let ending = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let form = match ending.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => Some(Form::Json),
        "txt" if lines => Some(Form::Text),
        "json" => return open_values(file, caps),
        _ => None,
    };
    if let Some(form) = form {
        return Ok(Reader::Lines(Lines::new(&format!("'{file}'"), open_text(file)?, caps, form)));
    }
    if file == "-" {
        return open_stdin(caps);
    }
    if !takes(Kind::Audio) {
        let message = format!("input '{input}' takes {}, which '{file}' does not hold", caps.kinds);
        return Err(Failure::file(Error::new(detail::FORMAT_KIND, message))
            .hint("give it a .jsonl, .json or .txt file"));
    }
    let decoder = AudioDecoder::open(file).map_err(Failure::file)?;
    Ok(Reader::Media(Box::new(decoder)))
}

/// Standard input is audio where the input takes it and what comes is no text.
fn open_stdin(caps: &Caps) -> Result<Reader, Failure> {
    let name = "standard input";
    let mut pump = BufReader::new(Pump::new(std::io::stdin()));
    let begin = pump.fill_buf().map_err(|e| cannot_read(name, &e))?;
    if caps.kinds.contains(Kind::Audio) && begin.contains(&0) {
        let decoder = AudioDecoder::from_reader(pump).map_err(Failure::file)?;
        return Ok(Reader::Media(Box::new(decoder)));
    }
    Ok(Reader::Lines(Lines::new(name, Box::new(pump), caps, Form::Json)))
}

/// Lines of a file; of a pipe, in a way that Ctrl-C can end.
fn open_text(file: &str) -> Result<Box<dyn BufRead + Send>, Failure> {
    let open = |e| cannot_open(file, &e);
    let source = File::open(file).map_err(open)?;
    if source.metadata().map_err(open)?.is_file() {
        return Ok(Box::new(BufReader::new(source)));
    }
    Ok(Box::new(BufReader::new(Pump::new(source))))
}

fn open_values(file: &str, caps: &Caps) -> Result<Reader, Failure> {
    let mut text = String::new();
    open_text(file)?.read_to_string(&mut text).map_err(|e| cannot_read(file, &e))?;
    let value: Json = serde_json::from_str(&text).map_err(|e| {
        let message = format!("'{file}' is not JSON: {e}");
        let failure = Failure::file(Error::new(detail::FORMAT_VALUE, message));
        match e.to_string().starts_with("trailing characters") {
            true => failure.hint("a file with one value a line ends in .jsonl"),
            false => failure,
        }
    })?;
    let values = match value {
        Json::Array(values) => values,
        value => vec![value],
    };
    Ok(Reader::Values(file.to_owned(), caps.clone(), values.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_named_where_there_are_several() {
        let assign = |names: &[&str], arg| assign("input", names, arg).map_err(|f| f.error);
        assert_eq!(assign(&["a"], "x.wav"), Ok((0, "x.wav")));
        assert_eq!(assign(&["a", "b"], "b=x=y.wav"), Ok((1, "x=y.wav")));
        assert_eq!(assign(&["a"], "./x=y.wav"), Ok((0, "./x=y.wav")));
        let unknown = assign(&["a", "b"], "c=x.wav").expect_err("no such input");
        assert_eq!(unknown.hint(), Some("its inputs are a, b"));
        let ambiguous = assign(&["a", "b"], "x.wav").expect_err("which one?");
        assert_eq!(ambiguous.hint(), Some("write a=x.wav; its inputs are a, b"));
        let none = assign(&[], "x.wav").expect_err("there is none");
        assert_eq!(none.message(), "the pipeline has no input for 'x.wav'");
    }
}
