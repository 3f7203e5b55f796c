//! Collects what is wrong in a manifest.

use crate::error::{Detail, Problem, Severity};
use serde_json::Value as Json;

/// More errors than these, and more warnings, are not kept: a hostile document must not make the
/// answer huge.
const MOST: usize = 200;
/// Longest excerpt of the document that a message quotes, in characters.
const EXCERPT: usize = 60;
/// Longer names, in bytes, are not compared.
const LONGEST_NAME: usize = 64;

/// What is wrong in a manifest, in the order in which it was found.
#[derive(Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    errors: usize,
}

impl Problems {
    /// Notes a problem.
    pub(crate) fn add(&mut self, problem: Problem) {
        let count = match problem.severity {
            Severity::Error => {
                self.errors += 1;
                self.errors
            }
            Severity::Warning => self.list.len() - self.errors.min(MOST) + 1,
        };
        if count <= MOST {
            self.list.push(problem);
        }
    }

    /// Whether the manifest can't run.
    pub(crate) fn any_error(&self) -> bool {
        self.errors > 0
    }

    /// Whether further errors are not kept, so that there is no use in looking for them.
    pub(crate) fn full(&self) -> bool {
        self.errors >= MOST
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.list
    }
}

/// An error at this place.
pub(crate) fn error(
    detail: Detail,
    pointer: impl Into<String>,
    message: impl Into<String>,
) -> Problem {
    Problem {
        severity: Severity::Error,
        detail,
        pointer: pointer.into(),
        position: None,
        message: message.into(),
        expected: None,
        found: None,
        hint: None,
    }
}

/// A warning at this place.
pub(crate) fn warning(
    detail: Detail,
    pointer: impl Into<String>,
    message: impl Into<String>,
) -> Problem {
    Problem { severity: Severity::Warning, ..error(detail, pointer, message) }
}

impl Problem {
    /// Adds what would have been right.
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds what stands there.
    pub(crate) fn found(mut self, found: &Json) -> Self {
        self.found = Some(describe(found));
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds "did you mean", when a candidate is near to what was written.
    pub(crate) fn nearest<'a>(
        self,
        written: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(written, candidates) {
            Some(name) => self.hint(format!("did you mean '{name}'?")),
            None => self,
        }
    }
}

/// The candidate that is most like what was written, if one is like it at all.
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // The measure takes time in the product of the lengths, and names are short.
    if written.len() > LONGEST_NAME {
        return None;
    }
    let lower = written.to_lowercase();
    let mut best = (0.75, None);
    for name in candidates.into_iter().take(1000).filter(|c| c.len() <= LONGEST_NAME) {
        let score = strsim::jaro_winkler(&lower, &name.to_lowercase());
        if score > best.0 {
            best = (score, Some(name));
        }
    }
    best.1
}

/// A value in a few words: `text "fast"`, `number 3`, `a list`.
pub(crate) fn describe(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(b) => b.to_string(),
        Json::Number(n) => format!("number {n}"),
        Json::String(s) => format!("text \"{}\"", excerpt(s)),
        Json::Array(list) if list.is_empty() => "an empty list".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
    }
}

/// A name from the document, cut to a length that a message bears, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(EXCERPT).flat_map(char::escape_debug).collect();
    if text.chars().nth(EXCERPT).is_some() {
        out.push('…');
    }
    out
}

/// The pointer to a member of what `base` points to.
pub(crate) fn at(base: &str, member: &str) -> String {
    let mut pointer = String::with_capacity(base.len() + member.len() + 1);
    pointer.push_str(base);
    pointer.push('/');
    for c in member.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
    pointer
}
