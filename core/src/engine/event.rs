//! Events: facts about the engine, pulled from the pipeline. They are never data.

use super::life::State;
use super::stats::DropReason;
use crate::error::Error;
use crate::node::MediaFormat;
use crate::packet::MediaTime;
use serde_json::{Map, Value as Json, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// Most events that wait; older ones make room and are counted.
const CAPACITY: usize = 1024;

/// A fact about a pipeline.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The pipeline went into another state.
    State(State),
    /// A node failed; the pipeline is over.
    Error(Error),
    /// Something that the caller should know and that stops nothing.
    Warning(Error),
    /// Packets were dropped at a link: so many since the event before.
    Dropped {
        /// The link, as in the metrics.
        link: Arc<str>,
        /// Why.
        reason: DropReason,
        /// How many.
        count: u64,
    },
    /// What became of a `set_params`.
    Params {
        /// The number that `set_params` gave.
        seq: u64,
        /// The node.
        node: Arc<str>,
        /// What became of it.
        outcome: ParamsOutcome,
    },
    /// The format of the stream at a node's input changed in midstream.
    FormatChanged {
        /// The node.
        node: Arc<str>,
        /// Before.
        from: MediaFormat,
        /// From now on.
        to: MediaFormat,
    },
    /// The times of an input jumped: what follows does not continue what was.
    Discontinuity {
        /// The input.
        input: Arc<str>,
        /// Where the stream should have gone on.
        expected: MediaTime,
        /// Where it went on.
        found: MediaTime,
    },
    /// A reset forgot everything inside.
    Reset {
        /// The epoch that began.
        epoch: u32,
        /// Packets that were forgotten.
        discarded: u64,
    },
    /// An interrupt has come through: everything behind where the manifest says is forgotten.
    Interrupted {
        /// The epoch that began.
        epoch: u32,
        /// Packets that were forgotten, those inside nodes included.
        discarded: u64,
        /// Those that waited, by link.
        links: Vec<(Arc<str>, u64)>,
        /// Time of the last packet that had been pulled, by output: what was heard.
        pulled: Vec<(Arc<str>, Option<MediaTime>)>,
    },
    /// A join has waited long enough for a connection that is silent: it takes it that nothing comes
    /// there before that time.
    JoinGap {
        /// The node.
        node: Arc<str>,
        /// From then on it waits again.
        until: MediaTime,
    },
    /// A queue before a join has got more room, because what it waits for comes by the same way.
    QueueGrown {
        /// The link, as in the metrics.
        link: Arc<str>,
        /// Packets that it takes from now on.
        items: usize,
    },
    /// A node failed, and the pipeline goes on.
    Recovered {
        /// The node.
        node: Arc<str>,
        /// What was done.
        action: Recovery,
        /// What had happened.
        error: Error,
    },
    /// The circuit breaker of a node went into another state.
    Breaker {
        /// The node.
        node: Arc<str>,
        /// The state that it is in now.
        state: BreakerState,
    },
    /// A call of a node takes longer than the node's deadline, and has not come back. The pipeline
    /// is over; the thread that is inside is left alone.
    Hung {
        /// The node.
        node: Arc<str>,
        /// For how long it has been running.
        since_ms: u64,
    },
    /// Events were lost, because nobody pulled them.
    Lost(u64),
}

/// What became of a `set_params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamsOutcome {
    /// In force, from this time of the node's input on (`None`: before its first timed packet).
    Applied(Option<MediaTime>),
    /// A later call took its place before a packet came.
    Superseded,
    /// The pipeline ended, was reset or is over before its time came.
    Discarded,
}

/// What is done about the error of a node that does not end its pipeline (rule S13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// The packet is lost, or what had been left of one, or a tail.
    Skipped,
    /// The call is made again.
    Retried,
    /// The packet and the node's state are lost; a new node goes on.
    Restarted,
    /// The node that stands in takes the packet.
    FellBack,
}

impl Recovery {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Skipped, Self::Retried, Self::Restarted, Self::FellBack];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Retried => "retried",
            Self::Restarted => "restarted",
            Self::FellBack => "fell_back",
        }
    }
}

/// How a circuit breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// No call goes through.
    Open,
    /// One call goes through, to see how it goes.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Event {
    /// The event as JSON: `{event, …}`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::State(state) => json!({"event": "state", "state": state.name()}),
            Self::Error(error) => json!({"event": "error", "error": error.to_json()}),
            Self::Warning(error) => json!({"event": "warning", "warning": error.to_json()}),
            Self::Dropped { link, reason, count } => {
                json!({"event": "dropped", "link": &**link, "reason": reason.name(), "count": count})
            }
            Self::Params { seq, node, outcome } => {
                let (name, pts) = match outcome {
                    ParamsOutcome::Applied(pts) => ("applied", pts.map(MediaTime::nanos)),
                    ParamsOutcome::Superseded => ("superseded", None),
                    ParamsOutcome::Discarded => ("discarded", None),
                };
                json!({"event": "params", "seq": seq, "node": &**node, "outcome": name, "pts_ns": pts})
            }
            Self::FormatChanged { node, from, to } => json!({
                "event": "format_changed", "node": &**node,
                "from": from.to_string(), "to": to.to_string(),
            }),
            Self::Discontinuity { input, expected, found } => json!({
                "event": "discontinuity", "input": &**input,
                "expected_ns": expected.nanos(), "found_ns": found.nanos(),
            }),
            Self::Reset { epoch, discarded } => {
                json!({"event": "reset", "epoch": epoch, "discarded": discarded})
            }
            Self::Interrupted { epoch, discarded, links, pulled } => {
                let links: Map<_, _> =
                    links.iter().map(|(link, n)| (link.to_string(), (*n).into())).collect();
                let pulled: Map<_, _> = pulled
                    .iter()
                    .map(|(output, t)| (output.to_string(), t.map(MediaTime::nanos).into()))
                    .collect();
                json!({
                    "event": "interrupted", "epoch": epoch, "discarded": discarded,
                    "links": links, "pulled_ns": pulled,
                })
            }
            Self::JoinGap { node, until } => {
                json!({"event": "join_gap", "node": &**node, "until_ns": until.nanos()})
            }
            Self::QueueGrown { link, items } => {
                json!({"event": "queue_grown", "link": &**link, "items": items})
            }
            Self::Recovered { node, action, error } => json!({
                "event": "recovered", "node": &**node, "action": action.name(),
                "error": error.to_json(),
            }),
            Self::Breaker { node, state } => {
                json!({"event": "breaker", "node": &**node, "state": state.name()})
            }
            Self::Hung { node, since_ms } => {
                json!({"event": "hung", "node": &**node, "since_ms": since_ms})
            }
            Self::Lost(count) => json!({"event": "lost", "count": count}),
        }
    }
}

/// Events that wait to be pulled.
#[derive(Default)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    lost: u64,
}

impl EventQueue {
    /// Adds an event. False: it has become part of the one before.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        if let (
            Event::Dropped { link, reason, count },
            Some(Event::Dropped { link: last_link, reason: last_reason, count: last_count }),
        ) = (&event, self.events.back_mut())
            && link == last_link
            && reason == last_reason
        {
            *last_count += count;
            return false;
        }
        if self.events.len() >= CAPACITY {
            // The fact that ended the pipeline is never the one to go.
            let oldest = self.events.iter().position(|e| !matches!(e, Event::Error(_)));
            if let Some(oldest) = oldest {
                self.events.remove(oldest);
                self.lost += 1;
            }
        }
        self.events.push_back(event);
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lost == 0 && self.events.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        if self.lost > 0 {
            return Some(Event::Lost(std::mem::take(&mut self.lost)));
        }
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::detail;

    #[test]
    fn a_full_queue_loses_the_oldest_and_never_the_error() {
        let mut queue = EventQueue::default();
        queue.push(Event::Error(Error::new(detail::NODE_FAILED, "broken")));
        (0..CAPACITY as u64).for_each(|seq| {
            let outcome = ParamsOutcome::Superseded;
            queue.push(Event::Params { seq, node: "n".into(), outcome });
        });
        assert_eq!(queue.pop(), Some(Event::Lost(1)));
        assert!(matches!(queue.pop(), Some(Event::Error(_))));
        assert!(matches!(queue.pop(), Some(Event::Params { seq: 1, .. })));
    }

    #[test]
    fn drops_at_one_link_are_one_event() {
        let mut queue = EventQueue::default();
        for _ in 0..5 {
            let reason = DropReason::DropOldest;
            queue.push(Event::Dropped { link: "out".into(), reason, count: 2 });
        }
        let reason = DropReason::DropOldest;
        assert_eq!(queue.pop(), Some(Event::Dropped { link: "out".into(), reason, count: 10 }));
        assert_eq!(queue.pop(), None);
    }
}
