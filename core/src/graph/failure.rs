//! What an error of a node does, as its manifest says (rule S13).

use super::negotiate;
use super::nodes::{Asked, Made, make};
use crate::error::{Problem, detail};
use crate::manifest::read::NodeSpec;
use crate::manifest::{Problems, error, excerpt};
use crate::node::{NodeType, Ports, Registry};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::time::Duration;

/// What an error of a node does.
#[derive(Clone, Default)]
pub struct OnError {
    /// What happens to the packet, the node and the pipeline.
    pub policy: Policy,
    /// When the node is left alone for a while.
    pub breaker: Option<Breaker>,
    /// How long a call, or a ticket, may take.
    pub deadline: Option<Duration>,
}

/// What happens to the packet that a node has failed on, to the node and to the pipeline.
#[derive(Clone, Default)]
pub enum Policy {
    /// The pipeline ends.
    #[default]
    Fail,
    /// The packet is lost and counted, and what follows is a break.
    Skip,
    /// The call is made again, after a while; nothing passes it. The last failure ends the pipeline.
    Retry(Retry),
    /// The packet and the node's state are lost and counted; a new node goes on. The fourth time
    /// within a minute the pipeline ends.
    Restart,
    /// Another node takes the packet.
    Fallback(Fallback),
}

/// How a failed call is made again. The waits are random, from zero to a longest one that grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Tries after the first.
    pub attempts: u32,
    /// Longest wait before the first of them.
    pub base: Duration,
    /// Longest wait of all.
    pub max: Duration,
    /// By how much the longest wait grows from try to try.
    pub multiplier: f64,
}

/// A node that stands in for another.
#[derive(Clone)]
pub struct Fallback {
    /// Full name of its type.
    pub type_name: String,
    /// Its type.
    pub node_type: Arc<dyn NodeType>,
    /// Its params: validated, under canonical names, those given in the manifest.
    pub params: Map<String, Json>,
}

/// When a node that relies on something outside is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// After so many failures in a row.
    pub failures: u32,
    /// For so long; then one call may try.
    pub reset: Duration,
}

impl OnError {
    /// Whether an error just ends the pipeline, and nothing has to be in time.
    pub fn is_plain(&self) -> bool {
        matches!(self.policy, Policy::Fail) && self.breaker.is_none() && self.deadline.is_none()
    }
}

/// What a manifest says of a node's errors, checked against the node's type.
pub(super) fn resolve(
    node: &NodeSpec<'_>,
    node_type: &dyn NodeType,
    ports: &Ports,
    registry: &Registry,
    problems: &mut Problems,
) -> OnError {
    let spec = &node.errors;
    let at = |field: &str| format!("{}/{field}", node.pointer);
    let (descriptor, id) = (node_type.descriptor(), excerpt(node.id));
    for (field, there) in [("retry", spec.retry.is_some()), ("fallback", spec.fallback.is_some())] {
        if there && spec.on_error != field {
            let message = format!("'{field}' says nothing without \"on_error\": \"{field}\"");
            problems.add(
                error(detail::MANIFEST_WRONG_VALUE, at(field), message)
                    .hint(format!("add \"on_error\": \"{field}\", or take it out")),
            );
        }
    }
    if ports.inputs.is_empty() && !matches!(spec.on_error, "fail" | "retry") {
        let message =
            format!("'{id}' is a source: there is no packet to go on with after an error");
        problems.add(
            error(detail::MANIFEST_WRONG_VALUE, at("on_error"), message)
                .expected("'fail' or 'retry'"),
        );
        return OnError::default();
    }
    let policy = match spec.on_error {
        "skip" => Policy::Skip,
        "restart" => Policy::Restart,
        "retry" => {
            if !descriptor.retry_safe && descriptor.max_in_flight == 0 {
                let message = format!(
                    "'{id}' ({}) can't be called again: a call that failed may have left traces",
                    descriptor.name
                );
                problems.add(
                    error(detail::MANIFEST_NOT_SUPPORTED, at("on_error"), message)
                        .hint("write 'skip' or 'restart'"),
                );
            }
            Policy::Retry(retry(node))
        }
        "fallback" => match fallback(node, node_type, ports, registry, problems) {
            Some(fallback) => Policy::Fallback(fallback),
            None => return OnError::default(),
        },
        _ => Policy::Fail,
    };
    let breaker = match &spec.breaker {
        None => {
            let relies = matches!(policy, Policy::Retry(_) | Policy::Fallback(_));
            (descriptor.external && relies).then_some(Breaker::DEFAULT)
        }
        Some(breaker) => {
            let problem = if !descriptor.external {
                let message = format!("'{id}' ({}) relies on nothing outside", descriptor.name);
                Some(
                    error(detail::MANIFEST_NOT_SUPPORTED, at("breaker"), message)
                        .hint("take it out"),
                )
            } else if matches!(policy, Policy::Fail) {
                let message = "the first error ends the pipeline, so that no breaker opens";
                Some(
                    error(detail::MANIFEST_WRONG_VALUE, at("breaker"), message)
                        .hint("add 'on_error', or take it out"),
                )
            } else {
                None
            };
            problem.into_iter().for_each(|p: Problem| problems.add(p));
            Some(Breaker {
                failures: breaker.failures.unwrap_or(Breaker::DEFAULT.failures),
                reset: breaker.reset_ms.map_or(Breaker::DEFAULT.reset, millis),
            })
        }
    };
    OnError { policy, breaker, deadline: spec.deadline_ms.map(millis) }
}

impl Breaker {
    const DEFAULT: Self = Self { failures: 5, reset: Duration::from_secs(30) };
}

fn retry(node: &NodeSpec<'_>) -> Retry {
    let spec = node.errors.retry.as_ref();
    Retry {
        attempts: spec.and_then(|r| r.attempts).unwrap_or(3),
        base: spec.and_then(|r| r.base_ms).map_or(Duration::from_millis(100), millis),
        max: spec.and_then(|r| r.max_ms).map_or(Duration::from_secs(10), millis),
        multiplier: spec.and_then(|r| r.multiplier).unwrap_or(2.0),
    }
}

/// What has the wrong range has been reported.
fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default()
}

/// The node that stands in, if it can.
fn fallback(
    node: &NodeSpec<'_>,
    first: &dyn NodeType,
    ports: &Ports,
    registry: &Registry,
    problems: &mut Problems,
) -> Option<Fallback> {
    let Some(spec) = &node.errors.fallback else {
        let message = "\"on_error\": \"fallback\" names no node that stands in";
        problems.add(
            error(detail::MANIFEST_MISSING_FIELD, &node.pointer, message)
                .hint("add \"fallback\": \"TypeOfTheOther\""),
        );
        return None;
    };
    let asked = Asked {
        id: node.id,
        node_type: spec.node_type,
        params: spec.params,
        pointers: spec.pointers.clone(),
    };
    let Made { full, node_type, params, ports: others } = make(&asked, registry, problems)?;
    let (own, other) = (first.descriptor(), node_type.descriptor());
    let why = if other.max_in_flight > 0 && own.max_in_flight == 0 {
        Some("its results come later, by tickets".to_owned())
    } else if others.join != ports.join {
        Some("it takes the packets of several connections differently".to_owned())
    } else {
        differs(ports, &others)
    };
    if let Some(why) = why {
        let message = format!("'{}' can't stand in for '{}': {why}", other.name, own.name);
        problems.add(error(detail::MANIFEST_MEDIA_MISMATCH, &spec.pointers.0, message));
        return None;
    }
    Some(Fallback { type_name: full, node_type, params })
}

/// Why a node with other ports can't stand in for one: it has to take whatever may come, and to give
/// nothing but what is expected.
fn differs(own: &Ports, other: &Ports) -> Option<String> {
    let counts = |ports: &Ports| (ports.inputs.len(), ports.outputs.len());
    if own.inputs.len() != other.inputs.len() || own.outputs.len() < other.outputs.len() {
        let ((a, b), (c, d)) = (counts(other), counts(own));
        return Some(format!("it has {a} inputs and {b} outputs in place of {c} and {d}"));
    }
    for (own, other) in own.inputs.iter().zip(&other.inputs) {
        if !own.caps.within(&other.caps) {
            return Some(format!("its input takes {}, and {} may come", other.caps, own.caps));
        }
    }
    let came = own.inputs.first().map(|p| &p.caps);
    for (own, other) in own.outputs.iter().zip(&other.outputs) {
        let (expected, given) = (negotiate::output(own, came), negotiate::output(other, came));
        if !given.within(&expected) {
            return Some(format!("it gives {given} in place of {expected}"));
        }
    }
    None
}
