//! Params that change while the pipeline runs (rule S12).
//!
//! A change is validated and prepared on the caller's thread, then waits here until the runner
//! comes to a border between two packets.

use crate::error::{Error, Result, detail};
use crate::graph::{Graph, GraphNode};
use crate::manifest::check_params;
use crate::packet::MediaTime;
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A prepared change.
pub(crate) struct Change {
    pub(crate) seq: u64,
    pub(crate) at: Option<MediaTime>,
    pub(crate) prepared: Box<dyn Any + Send>,
    /// It takes the place of a change of the same number, prepared anew; if that has been applied
    /// already, it is nothing.
    pub(crate) again: bool,
}

/// Changes on their way to the runner, and what was asked for so far.
#[repr(C)]
pub(crate) struct LiveParams {
    /// Per segment: whether changes wait for it.
    pending: Box<[AtomicBool]>,
    state: Mutex<State>,
    /// Per node: its segment.
    segments: Vec<usize>,
}

struct State {
    nodes: Vec<Wanted>,
    changes: Vec<(usize, Change)>,
    next: u64,
}

/// The params of one node.
struct Wanted {
    /// In force, or as soon as the runner comes to a border.
    now: Map<String, Json>,
    /// Fields of immediate changes that the runner has not applied yet, and the last one's number.
    coming: Option<(u64, Map<String, Json>)>,
    /// Changes whose time has not come, in order of time.
    timed: Vec<Timed>,
}

/// A change whose time has not come.
struct Timed {
    seq: u64,
    at: MediaTime,
    fields: Map<String, Json>,
    /// All params as they will be from then on.
    then: Map<String, Json>,
}

/// Most changes of one node that wait for their time.
const MAX_TIMED: usize = 4096;

impl LiveParams {
    pub(crate) fn new(graph: &Graph) -> Self {
        let wanted =
            |n: &GraphNode| Wanted { now: n.params.clone(), coming: None, timed: Vec::new() };
        let nodes = graph.nodes.iter().map(wanted).collect();
        let state = State { nodes, changes: Vec::new(), next: 1 };
        Self {
            state: Mutex::new(state),
            pending: graph.segments.iter().map(|_| AtomicBool::new(false)).collect(),
            segments: graph.nodes.iter().map(|n| n.segment).collect(),
        }
    }

    /// Per segment: whether changes wait for it.
    pub(super) fn pending(&self) -> &[AtomicBool] {
        &self.pending
    }

    /// Validates and prepares a change of a node and leaves it for the runner. Gives its number,
    /// and the numbers of changes that it supersedes.
    pub(crate) fn set(
        &self,
        node: &GraphNode,
        index: usize,
        values: &Map<String, Json>,
        at: Option<MediaTime>,
    ) -> Result<(u64, Vec<u64>)> {
        let fields = validate(node, values)?;
        let mut state = self.lock();
        let State { nodes, changes, next } = &mut *state;
        let (seq, wanted) = (*next, &mut nodes[index]);
        check_together(node, &wanted.now, &fields)?;
        *next += 1;
        let mut superseded = Vec::new();
        // The first timed change that has to be prepared, because of what is in force before it.
        let first = match at {
            None => {
                // It holds all immediate ones that came before it, so those need not be applied.
                changes.retain(|(other, change)| {
                    let gone = *other == index && change.at.is_none();
                    superseded.extend(gone.then_some(change.seq));
                    !gone
                });
                wanted.now.extend(fields.clone());
                let (last, coming) = wanted.coming.get_or_insert_default();
                *last = seq;
                coming.extend(fields);
                let prepared = node.node_type.prepare(&wanted.now);
                changes.push((index, Change { seq, at, prepared, again: false }));
                0
            }
            Some(_) if wanted.timed.len() >= MAX_TIMED => {
                let message = format!("{MAX_TIMED} changes of '{}' wait for their time", node.id);
                return Err(Error::new(detail::LIMIT_CHANGES, message)
                    .in_node(&*node.id)
                    .with_hint("set params closer to their time"));
            }
            Some(at) => {
                let place = wanted.timed.partition_point(|timed| timed.at <= at);
                wanted.timed.insert(place, Timed { seq, at, fields, then: Map::new() });
                place
            }
        };
        for n in first..wanted.timed.len() {
            let before = if n == 0 { &wanted.now } else { &wanted.timed[n - 1].then };
            let mut then = before.clone();
            let timed = &mut wanted.timed[n];
            then.extend(timed.fields.clone());
            let prepared = node.node_type.prepare(&then);
            timed.then = then;
            let (number, at, again) = (timed.seq, Some(timed.at), timed.seq != seq);
            let same = |(node, c): &&mut (usize, Change)| *node == index && c.seq == number;
            match again.then(|| changes.iter_mut().find(same)).flatten() {
                // The runner has not taken it yet.
                Some((_, change)) => change.prepared = prepared,
                None => changes.push((index, Change { seq: number, at, prepared, again })),
            }
        }
        self.pending[self.segments[index]].store(true, Ordering::Release);
        Ok((seq, superseded))
    }

    /// Notes what became of a change.
    pub(crate) fn settle(&self, index: usize, seq: u64, applied: bool) {
        let mut state = self.lock();
        let wanted = &mut state.nodes[index];
        if let Some(place) = wanted.timed.iter().position(|timed| timed.seq == seq) {
            let timed = wanted.timed.remove(place);
            if applied {
                wanted.now.extend(timed.fields);
                // These come after it.
                wanted.now.extend(wanted.coming.iter().flat_map(|(_, fields)| fields.clone()));
            }
        } else if wanted.coming.as_ref().is_some_and(|(last, _)| *last == seq) {
            wanted.coming = None;
        }
    }

    /// Whether changes wait for a segment. One atomic load, for the runner's loop.
    #[inline]
    pub(crate) fn is_pending(&self, segment: usize) -> bool {
        self.pending[segment].load(Ordering::Acquire)
    }

    /// Takes the changes that wait for a segment: (node, change), in order of the calls.
    pub(crate) fn take(&self, segment: usize) -> Vec<(usize, Change)> {
        let mut state = self.lock();
        self.pending[segment].store(false, Ordering::Release);
        state.changes.extract_if(.., |(node, _)| self.segments[*node] == segment).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is inside is whole at every step, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks what params say together, as when the manifest was loaded.
fn check_together(
    node: &GraphNode,
    now: &Map<String, Json>,
    fields: &Map<String, Json>,
) -> Result<()> {
    let mut then = now.clone();
    then.extend(fields.clone());
    let Err(conflict) = node.node_type.ports(&then) else { return Ok(()) };
    let error = Error::new(detail::PARAM_VALUE, conflict.message()).in_node(&*node.id);
    Err(match conflict.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

/// Checks names, liveness and values as a manifest's; gives them under canonical names.
fn validate(node: &GraphNode, values: &Map<String, Json>) -> Result<Map<String, Json>> {
    let (specs, type_name) = (node.node_type.params(), node.node_type.descriptor().name);
    let mut problems = Vec::new();
    let out = check_params(specs, values, type_name, "", &mut |problem| problems.push(problem));
    // What is not given stays as it is.
    let wrong = problems.into_iter().find(|p| p.detail != detail::MANIFEST_MISSING_PARAM);
    if let Some(problem) = wrong {
        let detail = match problem.detail {
            detail::MANIFEST_UNKNOWN_PARAM => detail::PARAM_UNKNOWN,
            detail::MANIFEST_PARAM_TYPE => detail::PARAM_TYPE,
            _ => detail::PARAM_VALUE,
        };
        let error = Error::new(detail, problem.message).in_node(&*node.id);
        return Err(match problem.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }
    match specs.iter().find(|spec| !spec.live && out.contains_key(spec.name)) {
        None => Ok(out),
        Some(spec) => {
            let message = format!("param '{}' can't change while the pipeline runs", spec.name);
            let live: Vec<_> = specs.iter().filter(|s| s.live).map(|s| s.name).collect();
            let hint = match live.as_slice() {
                [] => "this node type has no live params".to_owned(),
                names => format!("its live params are {}", names.join(", ")),
            };
            Err(Error::new(detail::PARAM_NOT_LIVE, message).in_node(&*node.id).with_hint(hint))
        }
    }
}
