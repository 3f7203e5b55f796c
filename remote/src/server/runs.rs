//! What a session's calls are for: a node, or a pipeline that is called as one.

use super::whole::Whole;
use crate::v1::stream_node_request::{self as up, call::Call as Wire};
use crate::v1::stream_node_response as down;
use crate::{v1, wire};
use remotemedia_core::engine::Engine;
use remotemedia_core::error::Result;
use remotemedia_core::manifest::Manifest;
use remotemedia_core::packet::{MediaTime, Pool, read_json};
use remotemedia_core::seat::{Answer, Call, Seat};
use serde_json::{Map, Value as Json, json};
use std::task::{Poll, Waker};

/// What is called.
pub(super) enum Runs {
    Node(Box<Seat>),
    Pipeline(Whole),
}

impl Runs {
    fn call(&mut self, call: Call) -> Result<Poll<Answer>> {
        match self {
            Self::Node(seat) => seat.call(call),
            Self::Pipeline(whole) => whole.call(call).map(Poll::Ready),
        }
    }

    pub(super) fn poll(&mut self, waker: &Waker) -> Poll<Result<Answer>> {
        match self {
            Self::Node(seat) => seat.poll(waker),
            Self::Pipeline(_) => Poll::Pending,
        }
    }

    fn reset(&mut self) -> Result<()> {
        match self {
            Self::Node(seat) => seat.reset(),
            Self::Pipeline(whole) => whole.reset()?,
        }
        Ok(())
    }

    fn set_params(&mut self, params: &Map<String, Json>) -> Result<()> {
        match self {
            Self::Node(seat) => seat.set_params(params),
            Self::Pipeline(_) => {
                Err(wire::wrong("params for a pipeline, whose nodes have their own".to_owned()))
            }
        }
    }

    /// Makes a call that answers at once, or leaves it to be polled.
    pub(super) fn make(&mut self, todo: Todo) -> Result<Poll<Answer>> {
        match todo {
            Todo::Call(call) => return self.call(call),
            Todo::Reset => self.reset()?,
            Todo::Params(params) => self.set_params(&params)?,
        }
        Ok(Poll::Ready(Answer::default()))
    }
}

/// What a call comes to.
pub(super) enum Todo {
    Call(Call),
    Reset,
    Params(Map<String, Json>),
}

impl Todo {
    /// What a message asks for.
    ///
    /// # Errors
    /// `remote.protocol` when it asks for nothing, or for what is unknown here; what is wrong with packets.
    pub(super) fn read(call: Option<Wire>, pool: &Pool) -> Result<Self> {
        let read = |packet: Option<v1::Packet>| wire::from_wire(wire::present(packet)?, pool);
        Ok(Self::Call(match wire::present(call)? {
            Wire::Process(process) => Call::Process {
                port: process.port as usize,
                lane: process.lane as usize,
                packet: read(process.packet)?,
            },
            Wire::Join(set) => {
                let place = |place: up::set::Place| {
                    place.packet.map(|packet| read(Some(packet))).transpose()
                };
                Call::Join(set.places.into_iter().map(place).collect::<Result<_>>()?)
            }
            Wire::AdvanceNs(until) => Call::Advance(MediaTime::from_nanos(until)),
            Wire::Drain(_) => Call::Drain,
            Wire::Finish(_) => Call::Finish,
            Wire::Reset(_) => return Ok(Self::Reset),
            Wire::Params(text) => return Ok(Self::Params(wire::params(&text)?)),
        }))
    }
}

/// The node that a message asks for. What comes over the network is not trusted.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn seat(
    node: v1::NodeSpec,
    lanes: usize,
    engine: &Engine,
    only: Option<&[String]>,
) -> Result<Seat> {
    let params = match node.params.as_str() {
        "" => json!({}),
        text => {
            read_json(text).map_err(|e| wire::wrong(format!("params that are no JSON: {e}")))?
        }
    };
    let manifest = Manifest::from_value(json!({
        "version": "v1",
        // What comes has been made to fit by the engine that sends it.
        "metadata": {"auto_negotiate": false},
        "nodes": [{"id": "node", "node_type": node.node_type, "params": params}],
    }))?;
    let manifest = match only {
        Some(only) => manifest.untrusted_only(only),
        None => manifest.untrusted(),
    };
    Seat::new(manifest.resolve(&engine.registry())?, lanes.max(1), engine.pool())
}

/// An answer as a message, without its number.
pub(super) fn answer_to_wire(answer: &Answer) -> down::Answer {
    let bound = |(port, until): &(usize, MediaTime)| down::Bound {
        port: *port as u32,
        until_ns: until.nanos(),
    };
    down::Answer {
        outputs: wire::outputs_to_wire(&answer.outputs),
        bounds: answer.bounds.iter().map(bound).collect(),
        latency_ns: answer.latency.nanos(),
        ..down::Answer::default()
    }
}
