//! The engine's log: what happened in all its pipelines, in a bounded ring.
//!
//! Nothing is printed and no global logger is touched: who wants the lines takes them. It holds
//! what a person would want to read afterwards; what a program reacts to are a pipeline's events.

use super::event::Event;
use super::life::State;
use super::time::since_1970;
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Most lines that wait; older ones make room and are counted.
const CAPACITY: usize = 1024;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something was lost or is not as it should be.
    Warning,
    /// What a pipeline does.
    Info,
}

impl LogLevel {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// Nanoseconds since 1970, by the system's clock.
    pub time_ns: u64,
    /// The pipeline's name from its manifest; may be empty.
    pub pipeline: Arc<str>,
    /// What happened.
    pub message: String,
    /// Lines lost before this one, because nobody took them.
    pub lost: u64,
}

impl LogLine {
    /// The line as JSON: `{level, time_ns, pipeline, message, lost}`.
    pub fn to_json(&self) -> Json {
        json!({
            "level": self.level.name(),
            "time_ns": self.time_ns,
            "pipeline": &*self.pipeline,
            "message": self.message,
            "lost": self.lost,
        })
    }
}

/// Lines that wait to be taken.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: VecDeque<LogLine>,
    lost: u64,
}

impl Log {
    pub(crate) fn add(&self, level: LogLevel, pipeline: &Arc<str>, message: String) {
        let time_ns = since_1970().as_nanos() as u64;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.waiting.len() >= CAPACITY {
            lines.lost += 1 + lines.waiting.pop_front().map_or(0, |line| line.lost);
        }
        let line = LogLine { level, time_ns, pipeline: pipeline.clone(), message, lost: 0 };
        lines.waiting.push_back(line);
    }

    /// Notes an event that matters to people.
    pub(crate) fn event(&self, pipeline: &Arc<str>, event: &Event) {
        let (level, message) = match event {
            Event::State(State::Failed) => return,
            Event::State(state) => (LogLevel::Info, state.name().to_owned()),
            Event::Error(error) => (LogLevel::Error, error.to_string()),
            Event::Warning(error) => (LogLevel::Warning, error.to_string()),
            Event::Dropped { link, reason, .. } => {
                (LogLevel::Warning, format!("packets are dropped at {link}: {}", reason.name()))
            }
            Event::Discontinuity { input, expected, found } => {
                (LogLevel::Warning, format!("input {input} jumps from {expected} to {found}"))
            }
            Event::FormatChanged { node, from, to } => {
                (LogLevel::Info, format!("the format at {node} changes from {from} to {to}"))
            }
            Event::JoinGap { node, until } => {
                (LogLevel::Warning, format!("{node} goes on at {until} without what is silent"))
            }
            Event::QueueGrown { link, items } => {
                (LogLevel::Warning, format!("the queue {link} takes {items} packets from now on"))
            }
            Event::Recovered { action, error, .. } => {
                (LogLevel::Warning, format!("{error} ({})", action.name().replace('_', " ")))
            }
            Event::Breaker { node, state } => {
                let state = state.name().replace('_', "-");
                (LogLevel::Warning, format!("the breaker of {node} is {state}"))
            }
            // The error that follows says so.
            Event::Hung { .. } => return,
            Event::Lost(_)
            | Event::Params { .. }
            | Event::Reset { .. }
            | Event::Interrupted { .. } => return,
        };
        self.add(level, pipeline, message);
    }

    pub(crate) fn take(&self) -> Option<LogLine> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = lines.waiting.pop_front()?;
        line.lost += std::mem::take(&mut lines.lost);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_loses_the_oldest_lines_and_says_how_many() {
        let (log, name) = (Log::default(), Arc::from("call"));
        for n in 0..CAPACITY + 3 {
            log.add(LogLevel::Info, &name, n.to_string());
        }
        let first = log.take().expect("a line");
        assert_eq!((first.message.as_str(), first.lost), ("3", 3));
        assert_eq!(log.take().map(|l| (l.message, l.lost)), Some(("4".to_owned(), 0)));
    }
}
