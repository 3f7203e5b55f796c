//! The text of a manifest, and one way to go through it whatever it is written in.

use super::problem::error;
use super::{json, yaml};
use crate::error::{Error, Position, Problem, Result, detail};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::Arc;

/// What a manifest is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// A manifest's text, kept to say where something stands.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) text: Arc<str>,
    pub(crate) format: Format,
}

/// A document that has been read.
pub(crate) struct Parsed {
    pub(crate) value: Json,
    /// Whether some object names a key twice; the first one counts.
    pub(crate) duplicates: bool,
}

/// A place in a text: from the first to behind the last. JSON counts bytes, YAML characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One step through a document.
pub(crate) enum Event<'a> {
    /// An object begins.
    Map,
    /// A list begins.
    List,
    /// The object or list that began last ends.
    End,
    /// A key of the innermost object.
    Key(Cow<'a, str>),
    /// A value that is neither object nor list; `plain` as YAML calls it: without quotes.
    Scalar { text: Cow<'a, str>, plain: bool },
}

/// Why a walk through a document stopped, and where.
pub(crate) type Stop = Box<(Problem, Span)>;

/// Stops a walk.
pub(crate) fn stop(problem: Problem, span: Span) -> Stop {
    Box::new((problem, span))
}

impl Source {
    /// Reads the text.
    pub(crate) fn parse(&self) -> Result<Json> {
        let parsed = match self.format {
            Format::Json => json::parse(&self.text),
            Format::Yaml => yaml::parse(&self.text),
        };
        let parsed = parsed.map_err(|stop| self.refuse(vec![stop]))?;
        if parsed.duplicates {
            return Err(self.refuse(super::locate::duplicates(self)));
        }
        Ok(parsed.value)
    }

    /// Goes through the text, which has been read without error.
    pub(crate) fn walk<'a>(
        &'a self,
        visit: impl FnMut(Event<'a>, Span) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        match self.format {
            Format::Json => json::walk(&self.text, visit),
            Format::Yaml => yaml::walk(&self.text, visit),
        }
    }

    fn refuse(&self, stops: Vec<Stop>) -> Error {
        let (mut problems, spans): (Vec<_>, Vec<_>) = stops.into_iter().map(|stop| *stop).unzip();
        for (problem, position) in problems.iter_mut().zip(self.positions(&spans)) {
            problem.position = Some(position);
        }
        Error::from_problems(problems)
    }

    /// Lines and columns of spans, found in one pass over the text.
    pub(crate) fn positions(&self, spans: &[Span]) -> Vec<Position> {
        let mut marks: Vec<usize> = spans.iter().flat_map(|s| [s.start, s.end]).collect();
        marks.sort_unstable();
        marks.dedup();
        // Byte offset, line and column of each mark.
        let mut places = Vec::with_capacity(marks.len());
        let (mut line, mut column, mut next) = (1, 1, 0);
        for (count, (offset, c)) in self.text.char_indices().enumerate() {
            let here = if self.format == Format::Json { offset } else { count };
            while next < marks.len() && marks[next] <= here {
                places.push((offset, line, column));
                next += 1;
            }
            if next == marks.len() {
                break;
            }
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        places.resize(marks.len(), (self.text.len(), line, column));
        let place = |mark| places[marks.binary_search(&mark).unwrap_or(0)];
        spans
            .iter()
            .map(|span| {
                let (offset, line, column) = place(span.start);
                let end = place(span.end).0.max(offset);
                // A block of YAML ends where the next thing begins.
                let len = self.text[offset..end].trim_end().len();
                Position { line, column, offset, len }
            })
            .collect()
    }
}

/// The text in bytes that came from outside.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let before = &bytes[..e.valid_up_to()];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let begin = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
        let mut problem =
            error(detail::MANIFEST_SYNTAX, "", "the text is not UTF-8").hint("save it as UTF-8");
        let len = e.error_len().unwrap_or(bytes.len() - before.len());
        problem.position = Some(Position { line, column, offset: before.len(), len });
        Error::from_problems(vec![problem])
    })
}
