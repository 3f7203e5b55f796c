//! What is said to the reader: errors and warnings, for people or as JSON.

use crate::failure::Failure;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use remotemedia::Error;
use remotemedia::error::{Problem, Severity, detail};
use serde_json::{Value as Json, json};
use std::io::{self, Write};

/// Where messages go, and in what form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter {
    /// As JSON, one object a line.
    pub(crate) json: bool,
    /// Errors only.
    pub(crate) quiet: bool,
}

impl Reporter {
    /// Tells why the command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            return self.line(&json!({ "error": failure.error.to_json() }));
        }
        let error = &failure.error;
        if error.problems().is_empty() {
            return self.text(&render_error(error));
        }
        let (name, text) = match &failure.source {
            Some((name, text)) => (name.as_str(), text.as_deref()),
            None => ("manifest", None),
        };
        self.text(&render_problems(error.problems(), name, text));
    }

    /// Tells what is doubtful in a manifest that runs all the same. That a preference has no
    /// effect changes no result: `validate` tells of those.
    pub(crate) fn warnings(self, mut problems: Vec<Problem>, name: &str, text: Option<&str>) {
        problems.retain(|p| p.detail != detail::MANIFEST_HINT_IGNORED);
        if self.quiet || problems.is_empty() {
            return;
        }
        if self.json {
            problems.iter().for_each(|p| self.line(&json!({ "warning": p.to_json() })));
        } else {
            self.text(&render_problems(&problems, name, text));
        }
    }

    /// Tells something that the reader should know and that stops nothing.
    pub(crate) fn warning(self, warning: &Error) {
        if self.quiet {
            return;
        }
        if self.json {
            self.line(&json!({ "warning": warning.to_json() }));
        } else {
            self.text(&render(&[group(Level::WARNING, warning)]));
        }
    }

    /// As `warning`, for what is no error of the engine.
    pub(crate) fn note(self, message: &str, hint: Option<&str>) {
        if self.quiet {
            return;
        }
        if self.json {
            return self.line(&json!({ "warning": { "message": message, "hint": hint } }));
        }
        let group = Group::with_title(Level::WARNING.primary_title(message));
        self.text(&render(&[match hint {
            Some(hint) => group.element(Level::HELP.message(hint)),
            None => group,
        }]));
    }

    /// Tells what goes on: in words, or as a JSON object.
    pub(crate) fn say(self, words: &str, value: &Json) {
        if self.json { self.line(value) } else { self.text(words) }
    }

    /// A JSON object, on a line of its own.
    pub(crate) fn line(self, value: &Json) {
        self.text(&value.to_string());
    }

    fn text(self, text: &str) {
        // Who has closed standard error does not want to know.
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }
}

/// An error for people.
fn render_error(error: &Error) -> String {
    render(&[group(Level::ERROR, error)])
}

fn group<'a>(level: Level<'a>, error: &'a Error) -> Group<'a> {
    let title = level.primary_title(error.message()).id(error.detail().id);
    let mut group = Group::with_title(title);
    let place = match (error.node(), error.port()) {
        (Some(node), Some(port)) => Some(format!("in node '{node}', port '{port}'")),
        (Some(node), None) => Some(format!("in node '{node}'")),
        _ => None,
    };
    if let Some(place) = place {
        group = group.element(Level::NOTE.message(place));
    }
    let mut cause = error.cause();
    while let Some(error) = cause {
        group = group.element(Level::NOTE.message(format!("because {error}")));
        cause = error.cause();
    }
    match error.hint() {
        Some(hint) => group.element(Level::HELP.message(hint)),
        None => group,
    }
}

/// The problems of a manifest for people, each with its place in the text.
pub(crate) fn render_problems(problems: &[Problem], name: &str, text: Option<&str>) -> String {
    let one = |problem: &Problem| render(&[problem_group(problem, name, text)]);
    problems.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

fn problem_group<'a>(problem: &'a Problem, name: &'a str, text: Option<&'a str>) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(problem.message.as_str()).id(problem.detail.id);
    let label = match (&problem.expected, &problem.found) {
        (Some(expected), Some(found)) => Some(format!("expected {expected}, found {found}")),
        (Some(expected), None) => Some(format!("expected {expected}")),
        (None, _) => None,
    };
    let place = text.zip(problem.position).filter(|(text, p)| {
        text.is_char_boundary(p.offset) && text.is_char_boundary(p.offset + p.len)
    });
    let mut group = match place {
        Some((text, position)) => {
            let span = position.offset..position.offset + position.len;
            let mut mark = AnnotationKind::Primary.span(first_line(text, span));
            if let Some(label) = label {
                mark = mark.label(label);
            }
            Group::with_title(title).element(Snippet::source(text).path(name).annotation(mark))
        }
        None => {
            let group = Group::with_title(title).element(Origin::path(name));
            let group = match problem.pointer.as_str() {
                "" => group,
                pointer => group.element(Level::NOTE.message(format!("at {pointer}"))),
            };
            match label {
                Some(label) => group.element(Level::NOTE.message(label)),
                None => group,
            }
        }
    };
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

/// A span cut to its first line: a mark over many lines hides more than it shows.
fn first_line(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let line = text[span.clone()].lines().next().map_or(0, str::len);
    span.start..span.start + line
}

fn render(groups: &[Group<'_>]) -> String {
    Renderer::styled().decor_style(DecorStyle::Ascii).render(groups)
}

/// Writes results to standard output. That nobody reads them is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(crate::failure::cannot_write("standard output", &e))
        }
        _ => Ok(()),
    }
}
