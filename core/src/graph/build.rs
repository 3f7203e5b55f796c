//! A manifest's content to a graph: names to indices, connections to edges.

use super::negotiate::{self, Fit};
use super::order::order;
use super::{Edge, Endpoint, Graph, GraphNode, Late, PortRef, QueueLimits, QueuePolicy};
use crate::error::{Problem, detail};
use crate::manifest::read::{End, NodeSpec, Spec};
use crate::manifest::{ProblemList, at, check_params, excerpt, nearest, problem};
use crate::node::{Caps, Lookup, NodeType, Port, Registry};
use serde_json::Map;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Full name of the node type that converts audio where two ports differ.
const ADAPTER: &str = "rmedia/AudioAdapter";

/// The graph that a manifest describes, as far as it can be made; what is wrong goes to
/// `problems`, and the graph then must not run.
pub(crate) fn build(
    spec: &Spec<'_>,
    registry: &Registry,
    problems: &mut ProblemList,
) -> Option<Graph> {
    let mut ids = HashMap::new();
    let mut nodes = Vec::new();
    for (i, node) in spec.nodes.iter().enumerate() {
        check_id(node, problems);
        if let Some(first) = ids.get(node.id) {
            let first: &NodeSpec<'_> = &spec.nodes[*first];
            problems.add(
                problem(
                    detail::MANIFEST_DUPLICATE_NODE,
                    format!("{}/id", node.pointer),
                    format!("Duplicate node ID: {}", excerpt(node.id)),
                )
                .hint(format!("{} has that id, too; give each node its own", first.pointer)),
            );
        } else {
            ids.insert(node.id, i);
        }
        nodes.push(resolve_node(node, registry, problems));
    }
    if spec.nodes.is_empty() && spec.all_nodes {
        problems.add(problem(
            detail::MANIFEST_NO_NODES,
            "/nodes",
            "Manifest must contain at least one node",
        ));
    }
    let builder = Builder { spec, ids, nodes };
    builder.build(registry, problems)
}

fn check_id(node: &NodeSpec<'_>, problems: &mut ProblemList) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if node.id.is_empty() || !node.id.chars().all(fits) {
        let message = match node.id.is_empty() {
            true => "a node id is empty".to_owned(),
            false => {
                format!("the node id '{}' has characters that ids don't take", excerpt(node.id))
            }
        };
        problems.add(
            problem(detail::MANIFEST_NODE_ID, format!("{}/id", node.pointer), message)
                .expected("letters, digits, '_' and '-'"),
        );
    }
}

fn resolve_node(
    node: &NodeSpec<'_>,
    registry: &Registry,
    problems: &mut ProblemList,
) -> Option<GraphNode> {
    let pointer = format!("{}/node_type", node.pointer);
    let (full, node_type) = match registry.find(node.node_type) {
        Lookup::Found(full, node_type) => (full, node_type),
        Lookup::Ambiguous(names) => {
            let message =
                format!("the node type '{}' is registered more than once", node.node_type);
            problems.add(
                problem(detail::MANIFEST_AMBIGUOUS_TYPE, pointer, message)
                    .hint(format!("write {}", names.join(" or "))),
            );
            return None;
        }
        Lookup::Unknown => {
            // A type that is missing or no text has been reported.
            if !node.node_type.is_empty() {
                problems.add(
                    problem(
                        detail::MANIFEST_UNKNOWN_TYPE,
                        pointer,
                        format!(
                            "Unknown node type '{}' for node '{}'",
                            excerpt(node.node_type),
                            excerpt(node.id)
                        ),
                    )
                    .nearest(node.node_type, registry.names()),
                );
            }
            return None;
        }
    };
    let none = Map::new();
    let pointer = format!("{}/params", node.pointer);
    let mut fits = true;
    let params = check_params(
        node_type.params(),
        node.params.unwrap_or(&none),
        node_type.descriptor().name,
        &pointer,
        &mut |problem| {
            fits = false;
            problems.add(problem);
        },
    );
    if !fits {
        return None;
    }
    let ports = match node_type.ports(&params) {
        Ok(ports) => ports,
        Err(e) => {
            let mut problem = problem(detail::MANIFEST_PARAM_CONFLICT, pointer, e.message());
            problem.hint = e.hint().map(str::to_owned);
            problems.add(problem);
            return None;
        }
    };
    Some(GraphNode {
        id: node.id.to_owned(),
        type_name: full.to_owned(),
        node_type: Arc::clone(node_type),
        params,
        ports,
        adapter: false,
    })
}

struct Builder<'a> {
    spec: &'a Spec<'a>,
    ids: HashMap<&'a str, usize>,
    /// By place in the manifest; `None` where the type or params are wrong.
    nodes: Vec<Option<GraphNode>>,
}

/// A connection between nodes, by place in the manifest.
struct Link {
    pointer: String,
    from: PortRef,
    to: PortRef,
    queue: QueueLimits,
}

impl Builder<'_> {
    fn build(self, registry: &Registry, problems: &mut ProblemList) -> Option<Graph> {
        let (links, between) = self.links(problems);
        let order = match order(self.nodes.len(), &between) {
            Ok(order) => order,
            Err(cycle) => {
                problems.add(self.cycle(&cycle));
                return None;
            }
        };
        self.isolated(&between, problems);
        let inputs = self.inputs(&links, problems);
        let outputs = self.outputs(&between, problems);
        let nodes: Option<Vec<GraphNode>> = self.nodes.into_iter().collect();
        let assembly = Assembly {
            nodes: nodes?,
            order,
            links,
            inputs,
            outputs,
            auto_negotiate: self.spec.auto_negotiate,
            adapter: match registry.find(ADAPTER) {
                Lookup::Found(_, node_type) => Some(Arc::clone(node_type)),
                _ => None,
            },
        };
        assembly.graph(self.spec.name, problems)
    }

    /// The connections that could be resolved, and which nodes all connections join.
    fn links(&self, problems: &mut ProblemList) -> (Vec<Link>, Vec<(usize, usize)>) {
        let (mut links, mut between) = (Vec::new(), Vec::new());
        let mut taken: HashMap<PortRef, PortRef> = HashMap::new();
        let mut seen = HashSet::new();
        for connection in &self.spec.connections {
            let pointer = &connection.pointer;
            let ends = [(connection.from, "from", false), (connection.to, "to", true)];
            let [from, to] = ends.map(|(end, field, input)| {
                let end = end?;
                let node = self.node(end, &format!("{pointer}/{field}"), problems)?;
                Some((node, self.port(node, end, input, &format!("{pointer}/{field}"), problems)))
            });
            let (Some((from_node, from)), Some((to_node, to))) = (from, to) else { continue };
            between.push((from_node, to_node));
            let (Some(from), Some(to)) = (from, to) else { continue };
            if !seen.insert((from, to)) {
                problems.add(
                    problem(
                        detail::MANIFEST_DUPLICATE_CONNECTION,
                        pointer,
                        format!(
                            "{} → {} is there twice",
                            self.name(from, false),
                            self.name(to, true)
                        ),
                    )
                    .hint("take one of them out"),
                );
                continue;
            }
            let any = self.ports(to.node, true)[to.port].any;
            if let Some(other) = taken.insert(to, from)
                && !any
            {
                problems.add(
                    problem(
                        detail::MANIFEST_PORT_TAKEN,
                        format!("{pointer}/to"),
                        format!(
                            "'{}' takes one connection, and '{}' feeds it already",
                            self.name(to, true),
                            self.name(other, false)
                        ),
                    )
                    .hint("put a Mixer (adds audio) or a Merge (in order of arrival) before it"),
                );
                continue;
            }
            links.push(Link { pointer: pointer.clone(), from, to, queue: connection.queue });
        }
        (links, between)
    }

    fn node(&self, end: End<'_>, pointer: &str, problems: &mut ProblemList) -> Option<usize> {
        let found = self.ids.get(end.node).copied();
        if found.is_none() && self.spec.all_nodes {
            problems.add(
                problem(
                    detail::MANIFEST_UNKNOWN_NODE,
                    pointer,
                    format!("there is no node '{}'", excerpt(end.node)),
                )
                .nearest(end.node, self.spec.nodes.iter().map(|n| n.id)),
            );
        }
        found
    }

    /// The port that an end names, or the default one.
    fn port(
        &self,
        node: usize,
        end: End<'_>,
        input: bool,
        pointer: &str,
        problems: &mut ProblemList,
    ) -> Option<PortRef> {
        let resolved = self.nodes[node].as_ref()?;
        let (here, there) = match input {
            true => (&resolved.ports.inputs, &resolved.ports.outputs),
            false => (&resolved.ports.outputs, &resolved.ports.inputs),
        };
        let side = |input| if input { "input" } else { "output" };
        let found = match end.port {
            None => (!here.is_empty()).then_some(0),
            Some(name) => here.iter().position(|p| p.name == name),
        };
        if let Some(port) = found {
            return Some(PortRef { node, port });
        }
        let names: Vec<&str> = here.iter().map(|p| p.name).collect();
        let label = format!("'{}' ({})", resolved.id, resolved.node_type.descriptor().name);
        let message = match end.port {
            Some(name) if there.iter().any(|p| p.name == name) => {
                format!("'{name}' is an {} of {label}, not an {}", side(!input), side(input))
            }
            Some(name) => format!("{label} has no {} '{}'", side(input), excerpt(name)),
            None => format!("{label} has no {}s", side(input)),
        };
        let problem = problem(detail::MANIFEST_UNKNOWN_PORT, pointer, message);
        problems.add(match end.port.and_then(|name| nearest(name, names.iter().copied())) {
            Some(name) => problem.hint(format!("did you mean '{}.{name}'?", resolved.id)),
            None if names.is_empty() => problem,
            None => problem.hint(format!("its {}s are {}", side(input), names.join(", "))),
        });
        None
    }

    fn ports(&self, node: usize, input: bool) -> &[Port] {
        match &self.nodes[node] {
            Some(node) if input => &node.ports.inputs,
            Some(node) => &node.ports.outputs,
            None => &[],
        }
    }

    fn name(&self, port: PortRef, input: bool) -> String {
        format!(
            "{}.{}",
            self.spec.nodes[port.node].id,
            self.ports(port.node, input)[port.port].name
        )
    }

    fn cycle(&self, cycle: &[usize]) -> Problem {
        let mut names: Vec<&str> = cycle.iter().map(|n| self.spec.nodes[*n].id).collect();
        if names.len() > 12 {
            names.splice(6..names.len() - 5, ["…"]);
        }
        names.extend(cycle.first().map(|n| self.spec.nodes[*n].id));
        problem(
            detail::MANIFEST_CYCLE,
            "/connections",
            format!("Pipeline contains a cycle - cannot execute: {}", names.join(" → ")),
        )
        .hint("take one of these connections out")
    }

    fn isolated(&self, between: &[(usize, usize)], problems: &mut ProblemList) {
        let mut joined: HashSet<usize> = between.iter().flat_map(|(a, b)| [*a, *b]).collect();
        if joined.is_empty() {
            return;
        }
        let named = self.spec.inputs.iter().chain(&self.spec.outputs);
        joined.extend(named.filter_map(|n| self.ids.get(n.end.node)));
        for (i, node) in self.spec.nodes.iter().enumerate() {
            if !joined.contains(&i) && !node.is_output && self.ids.get(node.id) == Some(&i) {
                problems.add(
                    problem(
                        detail::MANIFEST_ISOLATED_NODE,
                        &node.pointer,
                        format!("no connection leads to or from the node '{}'", excerpt(node.id)),
                    )
                    .hint("connect it, or take it out"),
                );
            }
        }
    }

    /// Input ports that nothing feeds, under the names that the manifest gives them.
    fn inputs(&self, links: &[Link], problems: &mut ProblemList) -> Vec<Endpoint> {
        let fed: HashSet<PortRef> = links.iter().map(|l| l.to).collect();
        let mut endpoints = self.named(true, problems);
        endpoints.retain(|(endpoint, pointer)| {
            let any = self.ports(endpoint.port.node, true)[endpoint.port.port].any;
            let free = any || !fed.contains(&endpoint.port);
            if !free {
                problems.add(
                    problem(
                        detail::MANIFEST_INPUT_NAME,
                        pointer,
                        format!("'{}' is fed by a connection", self.name(endpoint.port, true)),
                    )
                    .hint("take the connection or the input out"),
                );
            }
            free
        });
        for node in 0..self.nodes.len() {
            let open: Vec<usize> = (0..self.ports(node, true).len())
                .filter(|port| !fed.contains(&PortRef { node, port: *port }))
                .collect();
            for port in &open {
                let port = PortRef { node, port: *port };
                self.add_unnamed(&mut endpoints, port, true, open.len() == 1, problems);
            }
        }
        endpoints.into_iter().map(|(endpoint, _)| endpoint).collect()
    }

    /// Default outputs of nodes that nothing follows, and all that the manifest names.
    fn outputs(&self, between: &[(usize, usize)], problems: &mut ProblemList) -> Vec<Endpoint> {
        let followed: HashSet<usize> = between.iter().map(|(from, _)| *from).collect();
        let mut endpoints = self.named(false, problems);
        for (node, spec) in self.spec.nodes.iter().enumerate() {
            let wanted = spec.is_output || !followed.contains(&node);
            if wanted && !self.ports(node, false).is_empty() {
                let port = PortRef { node, port: 0 };
                self.add_unnamed(&mut endpoints, port, false, true, problems);
            } else if spec.is_output && self.nodes[node].is_some() {
                problems.add(problem(
                    detail::MANIFEST_WRONG_VALUE,
                    format!("{}/is_output_node", spec.pointer),
                    format!("the node '{}' has no output", excerpt(spec.id)),
                ));
            }
        }
        endpoints.into_iter().map(|(endpoint, _)| endpoint).collect()
    }

    /// What `inputs` or `outputs` name, with the pointers to it.
    fn named(&self, input: bool, problems: &mut ProblemList) -> Vec<(Endpoint, String)> {
        let specs = if input { &self.spec.inputs } else { &self.spec.outputs };
        let mut endpoints: Vec<(Endpoint, String)> = Vec::new();
        let mut taken: HashMap<PortRef, &str> = HashMap::new();
        for named in specs {
            let side = if input { "inputs" } else { "outputs" };
            if named.name.is_empty() {
                problems.add(problem(
                    detail::MANIFEST_INPUT_NAME,
                    at(&format!("/{side}"), named.name),
                    format!("a name in '{side}' is empty"),
                ));
            }
            let Some(node) = self.node(named.end, &named.pointer, problems) else { continue };
            let port = self.port(node, named.end, input, &named.pointer, problems);
            let Some(port) = port else { continue };
            if let Some(other) = taken.insert(port, named.name) {
                problems.add(problem(
                    detail::MANIFEST_INPUT_NAME,
                    &named.pointer,
                    format!("'{}' is named '{}' already", self.name(port, input), excerpt(other)),
                ));
                continue;
            }
            let endpoint = Endpoint {
                name: named.name.to_owned(),
                port,
                queue: named.queue,
                late: named.late,
                source_rate: named.source_rate.or(self.spec.nodes[node].source_rate),
            };
            endpoints.push((endpoint, named.pointer.clone()));
        }
        endpoints
    }

    /// Adds a port under its default name, unless it has a name.
    fn add_unnamed(
        &self,
        endpoints: &mut Vec<(Endpoint, String)>,
        port: PortRef,
        input: bool,
        alone: bool,
        problems: &mut ProblemList,
    ) {
        if endpoints.iter().any(|(endpoint, _)| endpoint.port == port) {
            return;
        }
        let node = &self.spec.nodes[port.node];
        let name = if alone { node.id.to_owned() } else { self.name(port, input) };
        if let Some((_, pointer)) = endpoints.iter().find(|(endpoint, _)| endpoint.name == name) {
            let side = if input { "input" } else { "output" };
            problems.add(
                problem(
                    detail::MANIFEST_INPUT_NAME,
                    pointer,
                    format!("'{}' is the name of the {side} of that node already", excerpt(&name)),
                )
                .hint("take another name, or give that one a name, too"),
            );
            return;
        }
        let endpoint = Endpoint {
            name,
            port,
            queue: self.spec.queue,
            late: Late::default(),
            source_rate: node.source_rate,
        };
        endpoints.push((endpoint, node.pointer.clone()));
    }
}

/// All parts of the graph, by place in the manifest.
struct Assembly {
    nodes: Vec<GraphNode>,
    order: Vec<usize>,
    links: Vec<Link>,
    inputs: Vec<Endpoint>,
    outputs: Vec<Endpoint>,
    auto_negotiate: bool,
    adapter: Option<Arc<dyn NodeType>>,
}

impl Assembly {
    fn graph(mut self, name: &str, problems: &mut ProblemList) -> Option<Graph> {
        let (links, inputs) = self.negotiate(problems);
        let indeterminate = self.indeterminate();
        let mut graph = Graph {
            name: name.to_owned(),
            nodes: Vec::new(),
            edges: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            indeterminate,
        };
        // Each node comes behind its adapters; what feeds them comes before it anyway.
        let mut places = vec![0; self.nodes.len()];
        let mut link_adapters = HashMap::new();
        let mut input_adapters = HashMap::new();
        let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (i, link) in self.links.iter().enumerate() {
            incoming[link.to.node].push(i);
        }
        let mut entering: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (i, input) in self.inputs.iter().enumerate() {
            entering[input.port.node].push(i);
        }
        let mut links: Vec<Option<GraphNode>> = links;
        let mut inputs: Vec<Option<GraphNode>> = inputs;
        let mut nodes: Vec<Option<GraphNode>> = self.nodes.into_iter().map(Some).collect();
        for node in &self.order {
            for i in &entering[*node] {
                if let Some(adapter) = inputs[*i].take() {
                    input_adapters.insert(*i, graph.nodes.len());
                    graph.nodes.push(adapter);
                }
            }
            for i in &incoming[*node] {
                if let Some(adapter) = links[*i].take() {
                    link_adapters.insert(*i, graph.nodes.len());
                    graph.nodes.push(adapter);
                }
            }
            places[*node] = graph.nodes.len();
            graph.nodes.extend(nodes[*node].take());
        }
        let moved = |port: PortRef| PortRef { node: places[port.node], ..port };
        for (i, link) in self.links.iter().enumerate() {
            let (from, to) = (moved(link.from), moved(link.to));
            match link_adapters.get(&i) {
                None => graph.edges.push(Edge { from, to, queue: link.queue }),
                Some(adapter) => {
                    let inside = PortRef { node: *adapter, port: 0 };
                    graph.edges.push(Edge { from, to: inside, queue: link.queue });
                    graph.edges.push(Edge { from: inside, to, queue: QueueLimits::default() });
                }
            }
        }
        for (i, input) in self.inputs.into_iter().enumerate() {
            let mut port = moved(input.port);
            if let Some(adapter) = input_adapters.get(&i) {
                let inside = PortRef { node: *adapter, port: 0 };
                graph.edges.push(Edge { from: inside, to: port, queue: QueueLimits::default() });
                port = inside;
            }
            graph.inputs.push(Endpoint { port, ..input });
        }
        graph.outputs =
            self.outputs.into_iter().map(|o| Endpoint { port: moved(o.port), ..o }).collect();
        Some(graph)
    }

    /// Carries formats from the inputs to the outputs. Gives the adapters for links and inputs.
    fn negotiate(
        &mut self,
        problems: &mut ProblemList,
    ) -> (Vec<Option<GraphNode>>, Vec<Option<GraphNode>>) {
        let mut links: Vec<Option<GraphNode>> = self.links.iter().map(|_| None).collect();
        let mut inputs: Vec<Option<GraphNode>> = self.inputs.iter().map(|_| None).collect();
        let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (i, link) in self.links.iter().enumerate() {
            incoming[link.to.node].push(i);
        }
        let mut entering: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (i, input) in self.inputs.iter().enumerate() {
            entering[input.port.node].push(i);
        }
        for node in self.order.clone() {
            // What comes to the first port; unknown when it comes from several places.
            let mut arrived: Vec<Caps> = Vec::new();
            for i in &entering[node] {
                let to = self.inputs[*i].port;
                let came = self.enter(&Caps::ANY, to, None, &mut inputs[*i], problems);
                arrived.extend(came.filter(|_| to.port == 0));
            }
            for i in &incoming[node] {
                let Link { from, to, .. } = self.links[*i];
                let given = self.nodes[from.node].ports.outputs[from.port].caps.clone();
                let came = self.enter(&given, to, Some(*i), &mut links[*i], problems);
                arrived.extend(came.filter(|_| to.port == 0));
            }
            let first = match arrived.as_slice() {
                [one] => Some(one.clone()),
                _ => self.nodes[node].ports.inputs.first().map(|p| p.caps.clone()),
            };
            for port in &mut self.nodes[node].ports.outputs {
                port.caps = negotiate::output(port, first.as_ref());
            }
        }
        (links, inputs)
    }

    /// What comes to a port when this is given, through an adapter if one is needed.
    fn enter(
        &self,
        given: &Caps,
        to: PortRef,
        link: Option<usize>,
        adapter: &mut Option<GraphNode>,
        problems: &mut ProblemList,
    ) -> Option<Caps> {
        let taken = &self.nodes[to.node].ports.inputs[to.port].caps;
        let mismatch = |why: &str| {
            let link = &self.links[link?];
            let names = [
                negotiate::name(&self.nodes, link.from, false),
                negotiate::name(&self.nodes, to, true),
            ];
            let message =
                format!("'{}' gives {given}, '{}' takes {taken}{why}", names[0], names[1]);
            Some(problem(detail::MANIFEST_MEDIA_MISMATCH, &link.pointer, message))
        };
        match negotiate::fit(given, taken) {
            Fit::AsIs(caps) => Some(caps),
            Fit::Never => {
                problems.add(mismatch("")?);
                None
            }
            Fit::Convert(caps) => {
                if self.auto_negotiate {
                    *adapter = self.make_adapter(to, &caps);
                }
                if adapter.is_some() {
                    return Some(caps);
                }
                match given.audio.meet(&taken.audio) {
                    // Whether it fits shows at the first packet.
                    Ok(audio) => Some(Caps { audio, ..caps }),
                    Err(field) => {
                        let problem = mismatch(&format!(": the {field} differs"))?;
                        problems.add(match self.auto_negotiate {
                            true => problem,
                            false => {
                                problem.hint("'auto_negotiate' is false; convert it, or set it")
                            }
                        });
                        None
                    }
                }
            }
        }
    }

    fn make_adapter(&self, to: PortRef, caps: &Caps) -> Option<GraphNode> {
        let node_type = self.adapter.as_ref()?;
        let target = &self.nodes[to.node];
        let taken = &target.ports.inputs[to.port].caps.audio;
        let params = negotiate::adapter_params(taken);
        let mut fits = true;
        let params = check_params(node_type.params(), &params, ADAPTER, "", &mut |_| fits = false);
        let ports = node_type.ports(&params).ok()?;
        // Packets that the adapter does not take could not pass it.
        let passes = ports.inputs.first().is_some_and(|p| caps.kinds.within(p.caps.kinds));
        (fits && passes && !ports.outputs.is_empty()).then(|| GraphNode {
            id: format!("{}.{}~adapter", target.id, target.ports.inputs[to.port].name),
            type_name: ADAPTER.to_owned(),
            node_type: Arc::clone(node_type),
            params,
            ports,
            adapter: true,
        })
    }

    /// Why equal inputs may not give equal bytes (rule S18).
    fn indeterminate(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for node in self.nodes.iter().filter(|n| !n.node_type.descriptor().determinate) {
            reasons.push(format!(
                "'{}' ({}) may answer equal inputs differently",
                node.id,
                node.node_type.descriptor().name
            ));
        }
        let mut producers: HashMap<PortRef, usize> = HashMap::new();
        let ends = self.links.iter().map(|l| l.to).chain(self.inputs.iter().map(|i| i.port));
        for end in ends {
            *producers.entry(end).or_default() += 1;
        }
        let mut shared: Vec<_> = producers.into_iter().filter(|(_, n)| *n > 1).collect();
        shared.sort_by_key(|(end, _)| (end.node, end.port));
        for (end, count) in shared {
            let name = negotiate::name(&self.nodes, end, true);
            reasons.push(format!("'{name}' takes from {count} producers in order of arrival"));
        }
        let lossy = |queue: &QueueLimits| queue.policy != QueuePolicy::Block;
        for link in self.links.iter().filter(|l| lossy(&l.queue)) {
            let from = negotiate::name(&self.nodes, link.from, false);
            let to = negotiate::name(&self.nodes, link.to, true);
            reasons.push(format!("the queue {from} → {to} may drop packets"));
        }
        for end in self.inputs.iter().chain(&self.outputs).filter(|e| lossy(&e.queue)) {
            reasons.push(format!("the queue of '{}' may drop packets", end.name));
        }
        reasons
    }
}
