//! The pipeline: packets in, packets out, on the caller's thread.

use super::Engine;
use super::entry::Entry;
use super::event::EventQueue;
use super::guard;
use super::input::Input;
use super::life::Life;
use super::live::LiveParams;
use super::mail::Mail;
use super::queue::Queue;
use super::runner::Runner;
use super::segment::Segment;
use super::shared::{Output, Outputs, Shared, Way};
use super::stats::{Histogram, LinkStats};
use super::time::Instant;
use crate::error::{Error, Result, detail};
use crate::graph::{Graph, GraphNode, Lane};
use crate::node::{AnyNode, Join};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock};

/// A running pipeline.
///
/// Everything runs on the threads that call it: `push` works a packet through the nodes, `pull`
/// also drives sources. All calls may come from any thread at any time; nobody waits for another
/// caller's work except in a `pull` or `close` with a timeout. Dropping it cancels it.
pub struct Pipeline {
    pub(crate) shared: Arc<Shared>,
}

impl Pipeline {
    /// Makes a pipeline: its nodes are created here.
    ///
    /// # Errors
    /// What keeps a node from being made, e.g. a file that isn't there.
    pub fn new(engine: &Engine, mut graph: Graph) -> Result<Self> {
        let scheduler = engine.inner.scheduler.clone();
        let watches = guard::put(&mut graph, &scheduler.clock, || scheduler.seed());
        let watchers = watches.iter().flatten().map(|_| Lane::Blocking);
        let lanes = graph.segments.iter().copied().filter(|lane| *lane != Lane::Caller);
        for lane in lanes.chain(watchers) {
            scheduler.start(lane).map_err(|e| no_thread(lane, &e))?;
        }
        let mut nodes: Vec<Vec<_>> = graph.segments.iter().map(|_| Vec::new()).collect();
        for node in &graph.nodes {
            nodes[node.segment].push(create(node)?);
        }
        let mut stats: Vec<_> = graph.nodes.iter().map(|_| Arc::default()).collect();
        let lanes = graph.lanes();
        let segment = |(index, nodes)| {
            let mail = Arc::new(Mail::new());
            let runner = Runner::new(&graph, &lanes, index, nodes, mail.clone());
            runner.tell_stats(&mut stats);
            Segment::new(graph.segments[index], runner, mail, watches[index].clone())
        };
        let segments: Vec<Segment> = nodes.into_iter().enumerate().map(segment).collect();
        let (entries, ways) = entries(&graph);
        let outputs: Vec<Output> = graph
            .outputs
            .iter()
            .map(|endpoint| Output {
                name: endpoint.name.as_str().into(),
                queue: Queue::new(endpoint.queue),
                ended: false,
                hit: graph.nodes[endpoint.port.node].hit,
                pulled: None,
            })
            .collect();
        let links = graph.edges.len() + graph.inputs.len() + outputs.len();
        let borders = entries.len() - graph.inputs.len();
        let shared = Shared::new(|me, ready| Shared {
            me,
            ready,
            name: graph.name.as_str().into(),
            log: engine.inner.log.clone(),
            pool: engine.pool().clone(),
            memory_limit: engine.memory_limit(),
            scheduler,
            life: Life::new(),
            inline: graph.segments.iter().position(|lane| *lane == Lane::Caller),
            segments: segments.into(),
            nodes: stats,
            entries: entries.into(),
            ways: ways.into(),
            arrivals: AtomicU64::new(1),
            output_names: outputs.iter().map(|o| o.name.clone()).collect(),
            blocked: (0..outputs.len() + borders).map(|_| AtomicBool::new(false)).collect(),
            latency: outputs.iter().map(|_| Histogram::default()).collect(),
            outputs: Mutex::new(Outputs { list: outputs, seq: 0 }),
            links: (0..links).map(|_| LinkStats::default()).collect(),
            queued: graph.edges.iter().map(|_| AtomicU64::new(0)).collect(),
            live: LiveParams::new(&graph),
            events: Mutex::new(EventQueue::default()),
            news: AtomicBool::new(false),
            error: OnceLock::new(),
            finished: AtomicBool::new(false),
            ended: AtomicUsize::new(0),
            settling: Mutex::default(),
            has_joins: graph.nodes.iter().any(|n| n.ports.join != Join::Any),
            started: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            worked: AtomicU64::new(0),
            wait: Arc::default(),
            created: Instant::now(),
            graph,
        });
        for (index, segment) in shared.segments.iter().enumerate() {
            segment.mail.belongs_to(Arc::downgrade(&shared), index);
            if let Some(watch) = &segment.watch {
                watch.belongs_to(Arc::downgrade(&shared), index);
            }
        }
        Ok(Self { shared })
    }

    /// The graph that it runs.
    pub fn graph(&self) -> &Graph {
        &self.shared.graph
    }

    /// Names of the inputs.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.shared.graph.inputs.iter().map(|i| i.name.as_str())
    }

    /// Names of the outputs.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.shared.output_names.iter().map(|name| &**name)
    }

    /// Index of the only input.
    ///
    /// # Errors
    /// `argument.ambiguous_port` when there is not just one.
    pub fn only_input(&self) -> Result<usize> {
        match self.shared.graph.inputs.len() {
            1 => Ok(0),
            0 => Err(Error::new(
                detail::ARGUMENT_AMBIGUOUS_PORT,
                "the pipeline has no input: its sources bring what it works on",
            )
            .with_hint("pull from it, or run it")),
            n => {
                let names: Vec<_> = self.inputs().collect();
                let message = format!("the pipeline has {n} inputs: {}", names.join(", "));
                Err(Error::new(detail::ARGUMENT_AMBIGUOUS_PORT, message)
                    .with_hint("name the input"))
            }
        }
    }

    pub(super) fn no_port(&self, what: &str, index: usize) -> Error {
        let names: Vec<_> =
            if what == "input" { self.inputs().collect() } else { self.outputs().collect() };
        unknown_port(what, &index.to_string(), &names)
    }

    /// Index of an input.
    ///
    /// # Errors
    /// When there is no such input.
    pub fn input_index(&self, name: &str) -> Result<usize> {
        self.inputs()
            .position(|n| n == name)
            .ok_or_else(|| unknown_port("input", name, &self.inputs().collect::<Vec<_>>()))
    }

    /// Index of an output.
    ///
    /// # Errors
    /// When there is no such output.
    pub fn output_index(&self, name: &str) -> Result<usize> {
        self.outputs()
            .position(|n| n == name)
            .ok_or_else(|| unknown_port("output", name, &self.outputs().collect::<Vec<_>>()))
    }
}

/// What leads into the segments: the inputs, then the connections between segments.
fn entries(graph: &Graph) -> (Vec<Mutex<Entry>>, Vec<Way>) {
    let (mut entries, mut ways) = (Vec::new(), Vec::new());
    for (index, endpoint) in graph.inputs.iter().enumerate() {
        let node = &graph.nodes[endpoint.port.node];
        let input = Input::new(endpoint, node.ports.inputs[endpoint.port.port].caps.clone());
        let queue = Queue::new(endpoint.queue);
        entries.push(Mutex::new(Entry::new(queue, node.hit, Some(input))));
        let link = graph.edges.len() + index;
        ways.push(Way { link, from: None, to: node.segment, exit: usize::MAX });
    }
    for (link, edge) in graph.edges.iter().enumerate().filter(|(_, edge)| graph.is_border(edge)) {
        let (from, to) = (&graph.nodes[edge.from.node], &graph.nodes[edge.to.node]);
        let exit = graph.outputs.len() + entries.len() - graph.inputs.len();
        entries.push(Mutex::new(Entry::new(Queue::new(edge.queue), to.hit, None)));
        ways.push(Way { link, from: Some(from.segment), to: to.segment, exit });
    }
    (entries, ways)
}

pub(super) fn ended(input: &str) -> Error {
    Error::new(detail::STATE_ENDED, format!("input '{input}' has ended")).at_port(input)
}

fn no_thread(lane: Lane, error: &std::io::Error) -> Error {
    let message = format!("the system gives no thread for the lane '{}': {error}", lane.name());
    Error::new(detail::LIMIT_THREADS, message)
        .with_hint("place the nodes inline, or raise the limit of threads")
}

/// Makes one node. A panic in it is that node's error.
fn create(spec: &GraphNode) -> Result<Box<dyn AnyNode>> {
    catch_unwind(AssertUnwindSafe(|| spec.node_type.create(&spec.params)))
        .unwrap_or_else(|panic| Err(Error::of_panic(&*panic)))
        .map_err(|e| e.in_node(spec.id.as_str()))
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipeline({:?}, {})", self.shared.graph.name, self.state().name())
    }
}

fn unknown_port(what: &str, name: &str, names: &[&str]) -> Error {
    let hint = match names {
        [] => format!("the pipeline has no {what}"),
        names => format!("its {what}s are {}", names.join(", ")),
    };
    Error::new(detail::ARGUMENT_UNKNOWN_PORT, format!("there is no {what} '{name}'"))
        .at_port(name)
        .with_hint(hint)
}
