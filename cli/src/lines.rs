//! Lines of text as packets, one at a time.

use crate::failure::{Exit, Failure, cannot_read};
use crate::value;
use remotemedia::error::detail;
use remotemedia::node::Caps;
use remotemedia::packet::Kind;
use remotemedia::{Error, Packet};
use serde_json::Value as Json;
use std::io::{BufRead, Read};

/// Longest line: a line is held in memory as a whole.
const LONGEST: u64 = 256 << 20;

/// Reads packets from lines. Empty lines are stepped over.
pub(crate) struct Lines {
    name: String,
    from: Box<dyn BufRead + Send>,
    caps: Caps,
    form: Form,
    line: Vec<u8>,
    number: u64,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON value; for an input that takes only text, also text as it stands.
    Json,
    /// Text.
    Text,
}

impl Lines {
    /// Reads from there; `name` is for messages.
    pub(crate) fn new(name: &str, from: Box<dyn BufRead + Send>, caps: &Caps, form: Form) -> Self {
        let (name, caps) = (name.to_owned(), caps.clone());
        Self { name, from, caps, form, line: Vec::new(), number: 0 }
    }

    /// Number of the line that was read last.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next packet; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Failure> {
        loop {
            self.line.clear();
            let mut limited = (&mut *self.from).take(LONGEST + 1);
            let read = limited.read_until(b'\n', &mut self.line);
            if read.map_err(|e| cannot_read(&self.name, &e))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() as u64 > LONGEST {
                return Err(self.refuse(&format!("is longer than {} MiB", LONGEST >> 20)));
            }
            let text = match std::str::from_utf8(&self.line) {
                Ok(text) => text.trim_end_matches(['\n', '\r']),
                Err(_) => return Err(self.refuse("is not UTF-8 text")),
            };
            let empty = text.trim().is_empty();
            if empty && self.form == Form::Json {
                continue;
            }
            return match self.form {
                Form::Json => self.json(text),
                Form::Text => Ok(self.text(text)),
            }
            .map(Some);
        }
    }

    fn text(&self, text: &str) -> Packet {
        match self.caps.kinds.contains(Kind::Text) {
            true => Packet::text(text),
            false => Packet::json(text.into()),
        }
    }

    fn json(&self, text: &str) -> Result<Packet, Failure> {
        let value: Result<Json, _> = serde_json::from_str(text);
        let kinds = self.caps.kinds;
        let only_text = kinds.contains(Kind::Text) && !kinds.contains(Kind::Json);
        match value {
            Ok(Json::String(text)) if only_text => Ok(Packet::text(text)),
            _ if only_text => Ok(Packet::text(text)),
            Ok(value) => value::to_packet(value, &self.caps).map_err(|e| {
                let message = format!("{} line {}: {}", self.name, self.number, e.message());
                let error = Error::new(e.detail(), message);
                Failure::file(match e.hint() {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                })
            }),
            Err(e) => Err(self.refuse(&format!("is not a JSON value: {}", column_only(&e)))),
        }
    }

    fn refuse(&self, what: &str) -> Failure {
        let message = format!("{} line {} {what}", self.name, self.number);
        Failure::new(Exit::File, Error::new(detail::FORMAT_VALUE, message))
    }
}

/// The message of a JSON error; its line is always the first, which would only mislead.
fn column_only(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia::Payload;
    use std::io::Cursor;

    fn read(text: &str, caps: Caps, form: Form) -> Vec<String> {
        let mut lines = Lines::new("x", Box::new(Cursor::new(text.to_owned())), &caps, form);
        let mut out = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(packet)) => out.push(match packet.payload() {
                    Payload::Text(text) => format!("text {text}"),
                    Payload::Json(value) => format!("json {value}"),
                    other => panic!("{other:?}"),
                }),
                Ok(None) => return out,
                Err(failure) => {
                    out.push(failure.error.message().to_owned());
                    return out;
                }
            }
        }
    }

    #[test]
    fn json_lines_are_values_and_an_error_names_its_line() {
        let out = read("1\r\n\n\"a\"\n[1, 2]\n{\"a\": }\n5\n", Caps::ANY, Form::Json);
        assert_eq!(
            out,
            [
                "json 1",
                "json \"a\"",
                "json [1,2]",
                "x line 5 is not a JSON value: expected value at column 7"
            ]
        );
    }

    #[test]
    fn an_input_that_takes_only_text_gets_plain_lines_too() {
        let out = read("\"quoted\"\nplain\n5\n", Caps::kind(Kind::Text), Form::Json);
        assert_eq!(out, ["text quoted", "text plain", "text 5"]);
    }

    #[test]
    fn text_files_keep_empty_lines_and_what_looks_like_json() {
        let out = read("\"a\"\n\nb", Caps::ANY, Form::Text);
        assert_eq!(out, ["text \"a\"", "text ", "text b"]);
        assert_eq!(read("b", Caps::kind(Kind::Json), Form::Text), ["json \"b\""]);
    }
}
