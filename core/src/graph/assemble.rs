//! The last step to a graph: formats are carried from the inputs to the outputs, adapters go where
//! two ends differ, and everything gets its place in the order in which it runs.

use super::negotiate::{self, Fit};
use super::{
    Edge, Endpoint, Graph, GraphNode, Lane, OnError, PortRef, QueueLimits, QueuePolicy, Timing,
};
use crate::error::detail;
use crate::manifest::{Problems, check_params, error, warning};
use crate::node::{Caps, Join, NodeType, Port};
use std::collections::HashMap;
use std::sync::Arc;

/// Full name of the node type that converts audio where two ports differ.
pub(super) const ADAPTER: &str = "rmedia/AudioAdapter";

/// A connection between two nodes.
pub(super) struct Link {
    pub(super) pointer: String,
    pub(super) from: PortRef,
    pub(super) to: PortRef,
    pub(super) queue: QueueLimits,
    /// Whether the connection itself says something about it.
    pub(super) own_queue: bool,
}

/// All parts of a graph. Nodes go by their place in the manifest.
pub(super) struct Assembly {
    /// Without those that are wrong; no link leads to or from these.
    pub(super) nodes: Vec<Option<GraphNode>>,
    pub(super) order: Vec<usize>,
    pub(super) links: Vec<Link>,
    pub(super) inputs: Vec<Endpoint>,
    pub(super) outputs: Vec<Endpoint>,
    pub(super) segments: Vec<Lane>,
    pub(super) auto_negotiate: bool,
    pub(super) timing: Timing,
    pub(super) adapter: Option<Arc<dyn NodeType>>,
}

/// Something that leads into a node, by its index.
#[derive(Clone, Copy)]
enum Way {
    Input(usize),
    Link(usize),
}

/// Adapters by the way that leads into them.
#[derive(Default)]
struct Adapters {
    inputs: HashMap<usize, GraphNode>,
    links: HashMap<usize, GraphNode>,
}

impl Assembly {
    /// The graph. What does not fit goes to `problems`.
    pub(super) fn graph(mut self, name: &str, problems: &mut Problems) -> Option<Graph> {
        let ways = self.ways();
        let adapters = self.negotiate(&ways, problems);
        if problems.any_error() {
            return None;
        }
        self.check_queues(problems);
        self.check_lanes(problems);
        if problems.any_error() {
            return None;
        }
        let indeterminate = self.indeterminate();
        self.place(name, &ways, adapters, indeterminate)
    }

    /// Marks what an interrupt hits: everything, or what lies behind the nodes given.
    pub(super) fn mark_hit(&mut self, behind: Option<&[usize]>) {
        let Some(behind) = behind else { return };
        let mut hit = vec![false; self.nodes.len()];
        for &node in &self.order {
            let mut into = self.links.iter().filter(|l| l.to.node == node).map(|l| l.from.node);
            hit[node] = into.any(|from| hit[from] || behind.contains(&from));
        }
        for (node, hit) in self.nodes.iter_mut().zip(hit) {
            node.iter_mut().for_each(|node| node.hit = hit);
        }
    }

    /// Warns of lossy queues where packets never wait.
    fn check_queues(&self, problems: &mut Problems) {
        for link in
            self.links.iter().filter(|l| l.own_queue && l.queue.policy != QueuePolicy::Block)
        {
            let [from, to] = [link.from, link.to].map(|end| self.nodes[end.node].as_ref());
            let waits =
                from.zip(to).is_none_or(|(from, to)| from.segment != to.segment || to.waits());
            if !waits {
                let (from, to) = (self.name(link.from, false), self.name(link.to, true));
                let message = format!(
                    "nothing is ever dropped between '{from}' and '{to}': nothing waits there"
                );
                problems.add(
                    warning(
                        detail::MANIFEST_HINT_IGNORED,
                        format!("{}/queue", link.pointer),
                        message,
                    )
                    .hint(
                        "add \"placement\": \"thread\" to the node behind it, or take 'policy' out",
                    ),
                );
            }
        }
    }

    /// Checks that what runs with real-time priority may.
    fn check_lanes(&self, problems: &mut Problems) {
        for (place, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let mut descriptors = node.types().map(|t| t.descriptor());
            if self.segments[node.segment] == Lane::Realtime
                && let Some(descriptor) = descriptors.find(|d| !d.realtime)
            {
                let message = format!(
                    "'{}' ({}) is in a segment of the real-time lane, and its type does not promise \
                     to neither allocate nor wait",
                    node.id, descriptor.name
                );
                problems.add(
                    error(detail::MANIFEST_NOT_SUPPORTED, format!("/nodes/{place}"), message)
                        .hint("give it \"placement\": \"thread\" without a lane, or \"inline\""),
                );
            }
        }
    }

    /// For each node what leads into it.
    fn ways(&self) -> Vec<Vec<Way>> {
        let mut ways = vec![Vec::new(); self.nodes.len()];
        for (i, input) in self.inputs.iter().enumerate() {
            ways[input.port.node].push(Way::Input(i));
        }
        for (i, link) in self.links.iter().enumerate() {
            ways[link.to.node].push(Way::Link(i));
        }
        ways
    }

    /// Carries formats from the inputs to the outputs: what flows becomes the caps of the output
    /// ports. Gives the adapters that are needed.
    fn negotiate(&mut self, ways: &[Vec<Way>], problems: &mut Problems) -> Adapters {
        let mut adapters = Adapters::default();
        for node in self.order.clone() {
            let mut first = Vec::new();
            for way in &ways[node] {
                let (came, port) = match *way {
                    Way::Input(i) => {
                        let to = self.inputs[i].port;
                        let (caps, adapter) = self.enter_pipeline(to);
                        adapters.inputs.extend(adapter.map(|a| (i, a)));
                        (Some(caps), to.port)
                    }
                    Way::Link(i) => {
                        let (caps, adapter) = self.cross(&self.links[i], problems);
                        adapters.links.extend(adapter.map(|a| (i, a)));
                        (caps, self.links[i].to.port)
                    }
                };
                first.extend(came.filter(|_| port == 0));
            }
            // What comes from several places may be anything that the port takes.
            let Some(GraphNode { ports, .. }) = &mut self.nodes[node] else { continue };
            let first = match first.as_slice() {
                [one] => Some(one),
                _ => ports.inputs.first().map(|p| &p.caps),
            };
            for port in &mut ports.outputs {
                port.caps = negotiate::output(port, first);
            }
        }
        adapters
    }

    /// What comes into a port from outside. Callers push what they have, so that what the port
    /// does not take is converted or, without adapters, refused at the push.
    fn enter_pipeline(&self, to: PortRef) -> (Caps, Option<GraphNode>) {
        let taken = &self.port(to, true).caps;
        match negotiate::fit(&Caps::ANY, taken) {
            Fit::Convert(caps) => {
                let adapter = self.make_adapter(to, &caps);
                (caps, adapter)
            }
            Fit::AsIs(_) | Fit::Never => (taken.clone(), None),
        }
    }

    /// What comes to the end of a link, and the adapter on it. `None` when nothing can.
    fn cross(&self, link: &Link, problems: &mut Problems) -> (Option<Caps>, Option<GraphNode>) {
        let given = &self.port(link.from, false).caps;
        let taken = &self.port(link.to, true).caps;
        let (why, hint) = match negotiate::fit(given, taken) {
            Fit::AsIs(caps) => return (Some(caps), None),
            Fit::Never => (String::new(), None),
            Fit::Convert(caps) => {
                if let Some(adapter) = self.make_adapter(link.to, &caps) {
                    return (Some(caps), Some(adapter));
                }
                let field = match given.audio.meet(&taken.audio) {
                    // It may fit; that shows at the first packet.
                    Ok(audio) => return (Some(Caps { audio, ..caps }), None),
                    Err("channels") => "channel count",
                    Err("planar") => "order of the samples",
                    Err(field) => field,
                };
                match self.auto_negotiate {
                    true => (
                        format!(": the {field} differs"),
                        Some("put a node that converts between them"),
                    ),
                    false => (
                        format!(": the {field} differs, and 'auto_negotiate' is false"),
                        Some("put a node that converts between them, or set it to true"),
                    ),
                }
            }
        };
        let (from, to) = (self.name(link.from, false), self.name(link.to, true));
        let message = format!("'{from}' gives {given}, but '{to}' takes {taken}{why}");
        let mut problem = error(detail::MANIFEST_MEDIA_MISMATCH, &link.pointer, message)
            .expected(taken.to_string());
        problem.found = Some(given.to_string());
        problem.hint = hint.map(str::to_owned);
        problems.add(problem);
        (None, None)
    }

    /// An adapter that turns audio into what a port takes; `None` where there may be none.
    fn make_adapter(&self, to: PortRef, passes: &Caps) -> Option<GraphNode> {
        let node_type = self.adapter.as_ref().filter(|_| self.auto_negotiate)?;
        let port = self.port(to, true);
        let params = negotiate::adapter_params(&port.caps.audio);
        let mut fits = true;
        let params = check_params(node_type.params(), &params, ADAPTER, "", &mut |_| fits = false);
        if !fits {
            return None;
        }
        let ports = node_type.ports(&params).ok()?;
        let into = self.nodes[to.node].as_ref()?;
        // Packets of other kinds have to get through it, too.
        let takes = ports.inputs.first()?.caps.kinds;
        (passes.kinds.within(takes) && !ports.outputs.is_empty()).then(|| GraphNode {
            id: format!("{}~adapter", self.name(to, true)),
            type_name: ADAPTER.to_owned(),
            node_type: Arc::clone(node_type),
            params,
            ports,
            adapter: true,
            segment: into.segment,
            bounds: false,
            max_wait: None,
            realtime: false,
            hit: into.hit,
            on_error: OnError::default(),
        })
    }

    /// Puts the nodes in order, adapters before the nodes that they lead into.
    fn place(
        self,
        name: &str,
        ways: &[Vec<Way>],
        mut adapters: Adapters,
        indeterminate: Vec<String>,
    ) -> Option<Graph> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut places = vec![0; self.nodes.len()];
        let (mut input_places, mut link_places) = (HashMap::new(), HashMap::new());
        let mut counts = HashMap::new();
        let mut unplaced = self.nodes;
        for node in self.order {
            for way in &ways[node] {
                let (adapter, i, into) = match *way {
                    Way::Input(i) => (adapters.inputs.remove(&i), i, &mut input_places),
                    Way::Link(i) => (adapters.links.remove(&i), i, &mut link_places),
                };
                if let Some(mut adapter) = adapter {
                    // A port that takes several connections may have several adapters.
                    let count: &mut usize = counts.entry(adapter.id.clone()).or_default();
                    *count += 1;
                    if *count > 1 {
                        adapter.id.push_str(&count.to_string());
                    }
                    into.insert(i, PortRef { node: nodes.len(), port: 0 });
                    nodes.push(adapter);
                }
            }
            places[node] = nodes.len();
            nodes.push(unplaced[node].take()?);
        }
        let moved = |port: PortRef| PortRef { node: places[port.node], ..port };
        let mut edges = Vec::with_capacity(self.links.len());
        // The queue of a connection is the one before its adapter.
        let behind = |from, to| Edge { from, to, queue: QueueLimits::default() };
        for (i, Link { from, to, queue, .. }) in self.links.into_iter().enumerate() {
            let (from, to) = (moved(from), moved(to));
            match link_places.get(&i) {
                None => edges.push(Edge { from, to, queue }),
                Some(adapter) => {
                    edges.push(Edge { from, to: *adapter, queue });
                    edges.push(behind(*adapter, to));
                }
            }
        }
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (i, input) in self.inputs.into_iter().enumerate() {
            let mut port = moved(input.port);
            if let Some(adapter) = input_places.get(&i) {
                edges.push(behind(*adapter, port));
                port = *adapter;
            }
            inputs.push(Endpoint { port, ..input });
        }
        for &Edge { from, to, .. } in edges.iter().rev() {
            let wanted = nodes[to.node].bounds || nodes[to.node].ports.join.is_by_time();
            nodes[from.node].bounds |= wanted;
        }
        let outputs = self.outputs.into_iter().map(|o| Endpoint { port: moved(o.port), ..o });
        let (name, timing) = (name.to_owned(), self.timing);
        let (outputs, segments) = (outputs.collect(), self.segments);
        Some(Graph { name, nodes, edges, segments, inputs, outputs, timing, indeterminate })
    }

    /// Why equal inputs may not give equal bytes (rule S18).
    fn indeterminate(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let all = self.nodes.iter().flatten();
        let types = all.flat_map(|node| node.types().map(move |t| (node, t.descriptor())));
        for (node, descriptor) in types.filter(|(_, d)| !d.determinate) {
            let name = descriptor.name;
            reasons.push(format!("'{}' ({name}) may answer equal inputs differently", node.id));
        }
        let mut producers: HashMap<PortRef, usize> = HashMap::new();
        let ends = self.links.iter().map(|l| l.to).chain(self.inputs.iter().map(|i| i.port));
        for end in ends {
            *producers.entry(end).or_default() += 1;
        }
        let mut shared: Vec<_> = producers.into_iter().filter(|(_, n)| *n > 1).collect();
        shared.sort_by_key(|(end, _)| (end.node, end.port));
        // Other joins go by the packets' times.
        let by_arrival = |node: usize| {
            self.nodes[node].as_ref().is_none_or(|node| node.ports.join.is_by_arrival())
        };
        for (end, count) in shared.into_iter().filter(|(end, _)| by_arrival(end.node)) {
            let name = self.name(end, true);
            reasons.push(format!("'{name}' takes from {count} producers in order of arrival"));
        }
        for node in self.nodes.iter().flatten() {
            if node.ports.join == Join::LatestArrived {
                reasons.push(format!("'{}' joins whatever has arrived last", node.id));
            }
        }
        let lossy = |queue: &QueueLimits| queue.policy != QueuePolicy::Block;
        for link in self.links.iter().filter(|l| lossy(&l.queue)) {
            let (from, to) = (self.name(link.from, false), self.name(link.to, true));
            reasons.push(format!("the queue {from} → {to} may drop packets"));
        }
        for end in self.inputs.iter().chain(&self.outputs).filter(|e| lossy(&e.queue)) {
            reasons.push(format!("the queue of '{}' may drop packets", end.name));
        }
        reasons
    }

    fn port(&self, end: PortRef, input: bool) -> &Port {
        let node = self.nodes[end.node].as_ref().expect("links and ends are made of good nodes");
        let ports = if input { &node.ports.inputs } else { &node.ports.outputs };
        &ports[end.port]
    }

    /// `node.port`.
    fn name(&self, end: PortRef, input: bool) -> String {
        let id = self.nodes[end.node].as_ref().map_or("", |n| n.id.as_str());
        format!("{id}.{}", self.port(end, input).name)
    }
}
