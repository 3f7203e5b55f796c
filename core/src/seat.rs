//! One node without a pipeline, for those whose packets come from an engine elsewhere.
//!
//! The engine elsewhere decides when the node is called, and with what; here it is only called. It
//! drains before a format changes, so a seat only configures.

use crate::error::{Error, Result, detail};
use crate::graph::{Graph, GraphNode};
use crate::manifest::check_params;
use crate::node::{
    AnyNode, Context, Emission, Flow, Join, Mailbox, MediaFormat, NodeType, Opened, Outcome, Ports,
    TicketDesk, TicketId, Trip,
};
use crate::packet::{MediaTime, Packet, Pool};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// What a node is asked to do.
#[derive(Debug)]
pub enum Call {
    /// [`AnyNode::process`], with a packet that came to that port by that connection.
    Process {
        /// Index of the input port.
        port: usize,
        /// Index of the connection.
        lane: usize,
        /// The packet.
        packet: Packet,
    },
    /// [`AnyNode::join`], with one packet for each lane.
    Join(Vec<Option<Packet>>),
    /// [`AnyNode::advance`].
    Advance(MediaTime),
    /// [`AnyNode::drain`].
    Drain,
    /// [`AnyNode::finish`].
    Finish,
}

/// What a call has come to.
#[derive(Debug, Default)]
pub struct Answer {
    /// Packets for the output ports, in order.
    pub outputs: Vec<Emission>,
    /// Output ports that nothing before that time will come out of any more.
    pub bounds: Vec<(usize, MediaTime)>,
    /// See [`AnyNode::latency`].
    pub latency: MediaTime,
}

/// A node that is called from elsewhere.
pub struct Seat {
    node: Box<dyn AnyNode>,
    node_type: Arc<dyn NodeType>,
    params: Map<String, Json>,
    ports: Ports,
    pool: Pool,
    /// Per port, or, where all lanes are on their own, per lane.
    formats: BTreeMap<usize, MediaFormat>,
    /// The number of connections that lead to the node.
    lanes: usize,
    advanced: Vec<MediaTime>,
    told: Vec<MediaTime>,
    desk: TicketDesk,
    letters: Arc<Letters>,
    /// The ticket whose result is awaited, and what came before it.
    open: Option<(Opened, Vec<Emission>)>,
    /// A call of it panicked: nothing is known of its state.
    broken: bool,
}

const NEVER: MediaTime = MediaTime::from_nanos(i64::MIN);

impl Seat {
    /// Makes the only node of a graph. `lanes` connections lead to it.
    ///
    /// # Errors
    /// `argument.invalid` for a graph of several nodes or of a source; what keeps the node from being
    /// made.
    pub fn new(graph: Graph, lanes: usize, pool: &Pool) -> Result<Self> {
        let Ok([GraphNode { node_type, params, ports, .. }]) =
            <[GraphNode; 1]>::try_from(graph.nodes)
        else {
            let message = "a seat takes one node, and the manifest does not have one";
            return Err(Error::new(detail::ARGUMENT_INVALID, message));
        };
        if ports.inputs.is_empty() {
            let message = "a source is called by nobody: it can't run apart from its pipeline";
            return Err(Error::new(detail::ARGUMENT_INVALID, message));
        }
        let made = catch_unwind(AssertUnwindSafe(|| node_type.create(&params)));
        let node = made.unwrap_or_else(|panic| Err(Error::of_panic(&*panic)))?;
        let letters = Arc::<Letters>::default();
        Ok(Self {
            node,
            node_type,
            params,
            advanced: vec![NEVER; ports.outputs.len()],
            told: vec![NEVER; ports.outputs.len()],
            ports,
            pool: pool.clone(),
            formats: BTreeMap::new(),
            lanes,
            desk: TicketDesk {
                mailbox: Arc::clone(&letters) as Arc<dyn Mailbox>,
                next: std::cell::Cell::new(TicketId::FIRST),
            },
            letters,
            open: None,
            broken: false,
        })
    }

    /// Its type.
    pub fn node_type(&self) -> &Arc<dyn NodeType> {
        &self.node_type
    }

    /// Calls the node. `Pending`: it handed the work on, and the answer comes by
    /// [`poll`](Self::poll); until then it takes no other call.
    ///
    /// # Errors
    /// What the node says, `node.panicked` when it panics and from then on, `node.contract`, and
    /// `argument.invalid` for ports and lanes that the node does not have.
    pub fn call(&mut self, call: Call) -> Result<Poll<Answer>> {
        if self.broken {
            let message = "the node panicked in an earlier call, and nothing is known of its state";
            return Err(Error::new(detail::NODE_PANICKED, message));
        }
        if self.open.is_some() {
            return Err(Error::new(detail::NODE_CONTRACT, "the node has not answered yet"));
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.make(call)));
        result.unwrap_or_else(|panic| {
            self.broken = true;
            Err(Error::of_panic(&*panic))
        })
    }

    /// Looks for the answer to the call that was handed on; wakes `waker` when there is one.
    ///
    /// # Errors
    /// What the node's ticket says.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Result<Answer>> {
        let Some((opened, _)) = &self.open else { return Poll::Pending };
        let Some(outcome) = self.letters.take(opened.id, waker) else { return Poll::Pending };
        let early = self.open.take().map(|(_, early)| early).unwrap_or_default();
        Poll::Ready(outcome.map(|late| self.answer(early.into_iter().chain(late).collect())))
    }

    /// Forgets everything inside, and what was handed on.
    pub fn reset(&mut self) {
        self.open = None;
        self.advanced.fill(NEVER);
        self.told.fill(NEVER);
        if !self.broken && catch_unwind(AssertUnwindSafe(|| self.node.reset())).is_err() {
            self.broken = true;
        }
    }

    /// Sets live params: those that are named; all others stay.
    ///
    /// # Errors
    /// The first that does not fit.
    pub fn set_params(&mut self, changes: &Map<String, Json>) -> Result<()> {
        let mut fault = None;
        let name = self.node_type.descriptor().name;
        let specs = self.node_type.params();
        let mut merged = self.params.clone();
        merged.extend(changes.iter().map(|(key, value)| (key.clone(), value.clone())));
        let params = check_params(specs, &merged, name, "", &mut |problem| {
            fault.get_or_insert_with(|| Error::new(problem.detail, problem.message));
        });
        if let Some(fault) = fault {
            return Err(fault);
        }
        self.node_type.ports(&params)?;
        self.node.set_params(self.node_type.prepare(&params));
        self.params = params;
        Ok(())
    }

    fn make(&mut self, call: Call) -> Result<Poll<Answer>> {
        match &call {
            Call::Process { port, lane, packet } => {
                self.has_port(*port)?;
                if *lane >= self.lanes {
                    let message = format!("the node has {} connections, not {lane}", self.lanes);
                    return Err(Error::new(detail::ARGUMENT_INVALID, message));
                }
                let place = if self.ports.join == Join::Ordered { *lane } else { *port };
                self.configure(*port, place, *lane, MediaFormat::of(packet))?;
            }
            Call::Join(set) => {
                let lanes = set.len();
                if lanes != self.lanes {
                    let message = format!("a set of {lanes} for {} connections", self.lanes);
                    return Err(Error::new(detail::ARGUMENT_INVALID, message));
                }
                let ports = self.ports.inputs.len();
                for (lane, packet) in set.iter().enumerate() {
                    let Some(packet) = packet else { continue };
                    let port = lane.min(ports - 1);
                    self.configure(port, port, lane, MediaFormat::of(packet))?;
                }
            }
            Call::Advance(_) | Call::Drain | Call::Finish => {}
        }
        let (mut out, mut opened) = (Vec::new(), Vec::new());
        let (port, lane) = match &call {
            Call::Process { port, lane, .. } => (*port, *lane),
            _ => (0, 0),
        };
        let mut flow = self.enter(port, lane, &mut out, &mut opened, |node, cx| match call {
            Call::Process { packet, .. } => node.process(cx, packet),
            Call::Join(mut set) => node.join(cx, &mut set),
            Call::Advance(until) => node.advance(cx, until),
            Call::Drain => node.drain(cx),
            Call::Finish => node.finish(cx),
        })?;
        while matches!(flow, Flow::More | Flow::Wait(_)) {
            if let Flow::Wait(time) = flow {
                std::thread::sleep(time);
            }
            flow = self.enter(port, lane, &mut out, &mut opened, |node, cx| node.resume(cx))?;
        }
        match (flow, opened.pop()) {
            (Flow::Pending, Some(opened)) => {
                self.open = Some((opened, out));
                Ok(Poll::Pending)
            }
            (Flow::Pending, None) | (_, Some(_)) => {
                let message = "the node returned Pending without a ticket, or a ticket without it";
                Err(Error::new(detail::NODE_CONTRACT, message))
            }
            _ => Ok(Poll::Ready(self.answer(out))),
        }
    }

    fn has_port(&self, port: usize) -> Result<()> {
        if port < self.ports.inputs.len() {
            return Ok(());
        }
        let message = format!("the node has {} inputs, not {port}", self.ports.inputs.len());
        Err(Error::new(detail::ARGUMENT_INVALID, message))
    }

    fn configure(
        &mut self,
        port: usize,
        place: usize,
        lane: usize,
        format: MediaFormat,
    ) -> Result<()> {
        if self.formats.get(&place) == Some(&format) {
            return Ok(());
        }
        self.ports.inputs[port].check(&format)?;
        self.formats.insert(place, format);
        let (mut out, mut opened) = (Vec::new(), Vec::new());
        let configured = self.enter(port, lane, &mut out, &mut opened, |node, cx| {
            node.configure(cx, port, &format).map(|()| Flow::Done)
        });
        if configured.is_err() {
            self.formats.remove(&place);
        }
        configured.map(|_| ())
    }

    fn enter(
        &mut self,
        port: usize,
        lane: usize,
        out: &mut Vec<Emission>,
        opened: &mut Vec<Opened>,
        work: impl FnOnce(&mut dyn AnyNode, &mut Context<'_>) -> Result<Flow>,
    ) -> Result<Flow> {
        let place = if self.ports.join == Join::Ordered { lane } else { port };
        let tickets = self.node_type.descriptor().max_in_flight > 0;
        let mut cx = Context {
            out,
            pool: &self.pool,
            port,
            lane,
            lanes: self.lanes,
            advanced: &mut self.advanced,
            copied_bytes: &mut 0,
            tickets: tickets.then_some(&self.desk),
            opened,
            format: self.formats.get(&place),
            news: &mut false,
        };
        work(&mut *self.node, &mut cx)
    }

    fn answer(&mut self, outputs: Vec<Emission>) -> Answer {
        let mut bounds = Vec::new();
        for (port, (bound, told)) in self.advanced.iter().zip(&mut self.told).enumerate() {
            if *bound > *told {
                *told = *bound;
                bounds.push((port, *bound));
            }
        }
        Answer { outputs, bounds, latency: self.node.latency() }
    }
}

/// Where the node's tickets come back.
#[derive(Default)]
struct Letters(Mutex<Inbox>);

#[derive(Default)]
struct Inbox {
    outcomes: Vec<(TicketId, Outcome)>,
    waker: Option<Waker>,
}

impl Letters {
    /// The outcome of that ticket; those of others are of calls that have been forgotten.
    fn take(&self, id: TicketId, waker: &Waker) -> Option<Outcome> {
        let mut letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.outcomes.retain(|(ticket, _)| *ticket >= id);
        let found = letters.outcomes.iter().position(|(ticket, _)| *ticket == id);
        if found.is_none() {
            letters.waker = Some(waker.clone());
        }
        found.map(|index| letters.outcomes.swap_remove(index).1)
    }
}

impl Mailbox for Letters {
    fn deliver(&self, ticket: TicketId, outcome: Outcome, _: Option<Trip>) {
        let mut letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.outcomes.push((ticket, outcome));
        if let Some(waker) = letters.waker.take() {
            waker.wake();
        }
    }
}
