//! What went wrong, where, and what to do about it.
//!
//! One [`Error`] type serves the whole engine. Its [`Status`] is coarse and its [`Detail`] stable:
//! programs branch on those two, people read the message and the hint. Both come from
//! `core/errors.toml`, which also feeds the reference page.

mod table;

pub use table::{Status, detail};

use std::fmt;

/// A stable, dotted id of one way to fail, with the status that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Detail {
    /// The id, e.g. `manifest.unknown_param`. Never renamed.
    pub id: &'static str,
    /// The coarse status.
    pub status: Status,
}

/// Result of the engine's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: coarse status, stable detail id, message, place, hint and cause.
#[derive(Clone, PartialEq)]
pub struct Error(Box<Facts>);

#[derive(Debug, Clone, PartialEq)]
struct Facts {
    detail: Detail,
    message: String,
    node: Option<String>,
    port: Option<String>,
    pointer: Option<String>,
    hint: Option<String>,
    cause: Option<Error>,
    problems: Vec<Problem>,
}

impl Error {
    /// An error with this detail id and message. The message says what and where, in one sentence
    /// without a full stop; what to do about it goes into [`hint`](Self::hint).
    pub fn new(detail: Detail, message: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            detail,
            message: message.into(),
            node: None,
            port: None,
            pointer: None,
            hint: None,
            cause: None,
            problems: Vec::new(),
        }))
    }

    /// The error of a node that panicked.
    pub fn of_panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self::new(detail::NODE_PANICKED, format!("the node panicked: {text}"))
    }

    /// A refused manifest with everything that is wrong in it.
    pub fn from_problems(problems: Vec<Problem>) -> Self {
        let first = problems.iter().find(|p| p.severity == Severity::Error);
        let (detail, message) = match first {
            Some(p) => (p.detail, p.message.clone()),
            None => (detail::MANIFEST_SYNTAX, "the manifest is not valid".to_owned()),
        };
        let mut error = Self::new(detail, message);
        if let Some(p) = first {
            error.0.pointer = Some(p.pointer.clone());
            error.0.hint = p.hint.clone();
        }
        error.0.problems = problems;
        error
    }

    /// Names the node that the error belongs to, unless it names one already.
    #[must_use]
    pub fn in_node(mut self, node: impl Into<String>) -> Self {
        self.0.node.get_or_insert_with(|| node.into());
        self
    }

    /// Names the port that the error belongs to, unless it names one already.
    #[must_use]
    pub fn at_port(mut self, port: impl Into<String>) -> Self {
        self.0.port.get_or_insert_with(|| port.into());
        self
    }

    /// Adds the JSON pointer into the manifest.
    #[must_use]
    pub fn at_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the error that led to this one.
    #[must_use]
    pub fn caused_by(mut self, cause: Error) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// The coarse status.
    pub fn status(&self) -> Status {
        self.0.detail.status
    }

    /// The stable detail id.
    pub fn detail(&self) -> Detail {
        self.0.detail
    }

    /// What happened, in one sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The node that failed, if one did.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// The port concerned, if one is.
    pub fn port(&self) -> Option<&str> {
        self.0.port.as_deref()
    }

    /// JSON pointer into the manifest.
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The error that led to this one.
    pub fn cause(&self) -> Option<&Error> {
        self.0.cause.as_ref()
    }

    /// All problems of a refused manifest, in document order; empty for other errors.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// The error as JSON: `{status, code, detail, message, node?, port?, pointer?, hint?, cause?,
    /// problems?}`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut map = serde_json::Map::new();
        map.insert("status".into(), self.status().name().into());
        map.insert("code".into(), self.status().code().into());
        map.insert("detail".into(), self.detail().id.into());
        map.insert("message".into(), self.message().into());
        for (key, value) in [
            ("node", self.node()),
            ("port", self.port()),
            ("pointer", self.pointer()),
            ("hint", self.hint()),
        ] {
            if let Some(value) = value {
                map.insert(key.into(), value.into());
            }
        }
        if let Some(cause) = self.cause() {
            map.insert("cause".into(), cause.to_json());
        }
        if !self.problems().is_empty() {
            let problems = self.problems().iter().map(Problem::to_json).collect();
            map.insert("problems".into(), serde_json::Value::Array(problems));
        }
        map.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.node() {
            write!(f, "node '{node}': ")?;
        }
        f.write_str(self.message())?;
        let errors = self.problems().iter().filter(|p| p.severity == Severity::Error).count();
        if errors > 1 {
            write!(f, " (and {} more)", errors - 1)?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.detail().id)?;
        if let Some(cause) = self.cause() {
            write!(f, "\n  caused by: {cause:?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as _)
    }
}

/// Whether a problem keeps the manifest from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not; the reader should know all the same.
    Warning,
}

/// One thing that is wrong in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Stable id.
    pub detail: Detail,
    /// JSON pointer to the place.
    pub pointer: String,
    /// Where that place begins in the text, where the manifest came as text.
    pub position: Option<Position>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What stands there.
    pub found: Option<String>,
    /// What to do, e.g. the nearest valid name.
    pub hint: Option<String>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Byte offset of the place and the length of what stands there.
    pub offset: usize,
    /// Length in bytes of what stands there.
    pub len: usize,
}

impl Problem {
    /// The problem as JSON: `{severity, detail, pointer, line?, column?, message, expected?,
    /// found?, hint?}`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut map = serde_json::Map::new();
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        map.insert("severity".into(), severity.into());
        map.insert("detail".into(), self.detail.id.into());
        map.insert("pointer".into(), self.pointer.as_str().into());
        if let Some(position) = self.position {
            map.insert("line".into(), position.line.into());
            map.insert("column".into(), position.column.into());
        }
        map.insert("message".into(), self.message.as_str().into());
        for (key, value) in
            [("expected", &self.expected), ("found", &self.found), ("hint", &self.hint)]
        {
            if let Some(value) = value {
                map.insert(key.into(), value.as_str().into());
            }
        }
        map.into()
    }
}
