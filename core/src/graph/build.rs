//! A manifest's content to a graph: names to indices, connections to edges.

use super::assemble::{ADAPTER, Assembly, Link};
use super::order::order;
use super::segments::segments;
use super::{Graph, GraphNode, PortRef, nodes};
use crate::error::{Problem, detail};
use crate::manifest::read::{End, Spec};
use crate::manifest::{Problems, error, excerpt, nearest};
use crate::node::{Lookup, Port, Registry};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Cycles that are reported at most.
const MOST_CYCLES: usize = 10;

/// The graph that a manifest describes. What is wrong goes to `problems`; the graph then must not
/// run.
pub(crate) fn build(
    spec: &Spec<'_>,
    registry: &Registry,
    problems: &mut Problems,
) -> Option<Graph> {
    let mut names = Names { spec, ids: HashMap::new(), nodes: Vec::new() };
    for (i, node) in spec.nodes.iter().enumerate() {
        if problems.full() {
            return None;
        }
        nodes::check_id(node, problems);
        let resolved = nodes::resolve(node, spec.remote.as_ref(), registry, problems);
        let first = *names.ids.entry(node.id).or_insert(i);
        if first == i {
            names.nodes.push(resolved);
            continue;
        }
        names.nodes.push(None);
        problems.add(
            error(
                detail::MANIFEST_DUPLICATE_NODE,
                format!("{}/id", node.pointer),
                format!("Duplicate node ID: {}", excerpt(node.id)),
            )
            .hint(format!("the node at {} has it, too", spec.nodes[first].pointer)),
        );
    }
    if spec.nodes.is_empty() && spec.all_nodes && spec.has_nodes {
        let message = "Manifest must contain at least one node";
        problems.add(error(detail::MANIFEST_NO_NODES, "/nodes", message));
    }
    let Links { links, fed, mut between } = names.links(problems);
    names.isolated(&between, problems);
    let order = names.order(&mut between, problems);
    let inputs = names.inputs(&fed, problems);
    let outputs = names.outputs(&between, problems);
    let kept = names.interrupt(problems);
    let adapter = match registry.find(ADAPTER) {
        Lookup::Found(_, node_type) => Some(Arc::clone(node_type)),
        _ => None,
    };
    let (auto_negotiate, timing) = (spec.auto_negotiate, spec.timing);
    let (nodes, order) = (names.nodes, order?);
    let ways: Vec<_> = links.iter().map(|l| (l.from, l.to)).collect();
    // Of two nodes with one id the first is meant.
    let wanted: Vec<_> = spec.nodes.iter().map(|n| n.placement).collect();
    let segments = segments(&order, &nodes, &ways, &wanted, spec.placement);
    let mut assembly = Assembly {
        nodes,
        order,
        links,
        inputs,
        outputs,
        segments: segments.lanes,
        auto_negotiate,
        timing,
        adapter,
    };
    for (node, segment) in assembly.nodes.iter_mut().zip(segments.of) {
        node.iter_mut().for_each(|node| node.segment = segment);
    }
    assembly.mark_hit(kept.as_deref());
    assembly.graph(spec.name, problems)
}

/// What the names in a manifest stand for. Nodes go by their place in the manifest.
pub(super) struct Names<'a> {
    pub(super) spec: &'a Spec<'a>,
    pub(super) ids: HashMap<&'a str, usize>,
    /// `None` where the type or params are wrong, or the id is taken.
    pub(super) nodes: Vec<Option<GraphNode>>,
}

/// The connections of a manifest.
struct Links {
    /// Those with two good ends.
    links: Vec<Link>,
    /// The input ports that any connection feeds.
    fed: HashSet<PortRef>,
    /// The nodes that any connection joins.
    between: Vec<(usize, usize)>,
}

impl Names<'_> {
    fn links(&self, problems: &mut Problems) -> Links {
        let mut all = Links { links: Vec::new(), fed: HashSet::new(), between: Vec::new() };
        let mut feeders: HashMap<PortRef, End<'_>> = HashMap::new();
        let mut seen = HashSet::new();
        for connection in &self.spec.connections {
            if problems.full() {
                break;
            }
            let pointer = &connection.pointer;
            let ends = [(connection.from, "from"), (connection.to, "to")].map(|(end, field)| {
                let end = end?;
                let (input, pointer) = (field == "to", format!("{pointer}/{field}"));
                let role = if input { "target" } else { "source" };
                let unknown = format!("Connection references unknown {role} node");
                let (node, end) = self.node(end, &pointer, &unknown, problems)?;
                Some((node, self.port(node, end, input, &pointer, problems)))
            });
            if let [Some((from, _)), Some((to, _))] = ends {
                all.between.push((from, to));
            }
            let Some((_, Some(to))) = ends[1] else { continue };
            all.fed.insert(to);
            let Some(from) = connection.from else { continue };
            let name = self.name(to, true);
            if let [Some((_, Some(from))), _] = ends {
                if !seen.insert((from, to)) {
                    let message = format!("{} → {name} is there twice", self.name(from, false));
                    problems.add(
                        error(detail::MANIFEST_DUPLICATE_CONNECTION, pointer, message)
                            .hint("take one of them out"),
                    );
                    continue;
                }
                all.links.push(Link {
                    pointer: pointer.clone(),
                    from,
                    to,
                    queue: connection.queue,
                    own_queue: connection.own_queue,
                });
            }
            // A source that is not there feeds nothing.
            let there =
                ends[0].is_some_and(|(node, port)| port.is_some() || self.nodes[node].is_none());
            if there
                && let Some(other) = feeders.insert(to, from)
                && !self.ports(to.node, true)[to.port].any
            {
                let message = format!("'{name}' takes one connection, and '{other}' feeds it");
                problems.add(
                    error(detail::MANIFEST_PORT_TAKEN, format!("{pointer}/to"), message).hint(
                        "put a Mixer (adds audio up) or a Merge (in order of arrival) before it",
                    ),
                );
            }
        }
        all
    }

    /// The node that an end names.
    pub(super) fn node<'e>(
        &self,
        end: End<'e>,
        pointer: &str,
        unknown: &str,
        problems: &mut Problems,
    ) -> Option<(usize, End<'e>)> {
        // An id with a point in it is wrong, but has been reported as such.
        let whole = self.ids.get(end.written).filter(|_| end.port.is_some());
        if let Some(node) = whole {
            return Some((*node, End { node: end.written, port: None, ..end }));
        }
        if let Some(node) = self.ids.get(end.node) {
            return Some((*node, end));
        }
        if self.spec.all_nodes {
            problems.add(
                error(
                    detail::MANIFEST_UNKNOWN_NODE,
                    pointer,
                    match end.node {
                        "" => format!("{unknown}: ''"),
                        node => format!("{unknown}: {}", excerpt(node)),
                    },
                )
                .nearest(end.node, self.spec.nodes.iter().map(|n| n.id)),
            );
        }
        None
    }

    /// The port that an end names, or the default one.
    pub(super) fn port(
        &self,
        node: usize,
        end: End<'_>,
        input: bool,
        pointer: &str,
        problems: &mut Problems,
    ) -> Option<PortRef> {
        let resolved = self.nodes[node].as_ref()?;
        let (here, there) = match input {
            true => (&resolved.ports.inputs, &resolved.ports.outputs),
            false => (&resolved.ports.outputs, &resolved.ports.inputs),
        };
        let found = match end.port {
            None => (!here.is_empty()).then_some(0),
            Some(name) => here.iter().position(|p| p.name == name),
        };
        if let Some(port) = found {
            return Some(PortRef { node, port });
        }
        let side = |input| if input { "input" } else { "output" };
        let names: Vec<&str> = here.iter().map(|p| p.name).collect();
        let label = format!("'{}' ({})", resolved.id, resolved.node_type.descriptor().name);
        let message = match end.port {
            Some(name) if there.iter().any(|p| p.name == name) => {
                format!("'{name}' is an {} of {label}, not an {}", side(!input), side(input))
            }
            Some(name) => format!("{label} has no {} '{}'", side(input), excerpt(name)),
            None => format!("{label} has no {}s", side(input)),
        };
        let problem = error(detail::MANIFEST_UNKNOWN_PORT, pointer, message);
        problems.add(match end.port.and_then(|name| nearest(name, names.iter().copied())) {
            Some(name) => problem.hint(format!("did you mean '{}.{name}'?", resolved.id)),
            None if end.port.is_none() => problem,
            None if names.is_empty() => problem.hint(format!("it has no {}s", side(input))),
            None => problem.hint(format!("its {}s are {}", side(input), names.join(", "))),
        });
        None
    }

    pub(super) fn ports(&self, node: usize, input: bool) -> &[Port] {
        match &self.nodes[node] {
            Some(node) if input => &node.ports.inputs,
            Some(node) => &node.ports.outputs,
            None => &[],
        }
    }

    /// `node.port`.
    pub(super) fn name(&self, end: PortRef, input: bool) -> String {
        format!("{}.{}", self.spec.nodes[end.node].id, self.ports(end.node, input)[end.port].name)
    }

    /// The order in which the nodes run. Each cycle is reported and then taken as cut, so that
    /// the rest can be checked; `None` when there are too many.
    fn order(
        &self,
        between: &mut Vec<(usize, usize)>,
        problems: &mut Problems,
    ) -> Option<Vec<usize>> {
        for _ in 0..=MOST_CYCLES {
            let cycle = match order(self.nodes.len(), between) {
                Ok(order) => return Some(order),
                Err(cycle) => cycle,
            };
            problems.add(self.cycle(&cycle));
            let last = cycle.last().copied().zip(cycle.first().copied());
            between.retain(|link| Some(*link) != last);
        }
        None
    }

    /// `cycle` is in the order of the connections.
    fn cycle(&self, cycle: &[usize]) -> Problem {
        let id = |n: Option<&usize>| n.map_or("", |n| self.spec.nodes[*n].id);
        let mut names: Vec<&str> = cycle.iter().map(|n| id(Some(n))).collect();
        if names.len() > 12 {
            names.splice(6..names.len() - 5, ["…"]);
        }
        names.push(id(cycle.first()));
        let chain: Vec<String> = names.into_iter().map(excerpt).collect();
        let message = format!("Pipeline contains a cycle - cannot execute: {}", chain.join(" → "));
        // The connection that leads back.
        let (from, to) = (id(cycle.last()), id(cycle.first()));
        let back =
            self.spec.connections.iter().find(|c| {
                c.from.is_some_and(|e| e.node == from) && c.to.is_some_and(|e| e.node == to)
            });
        let pointer = back.map_or("/connections", |c| c.pointer.as_str());
        error(detail::MANIFEST_CYCLE, pointer, message).hint("take one of these connections out")
    }

    /// The nodes behind which an interrupt hits; `None`: it hits everything.
    fn interrupt(&self, problems: &mut Problems) -> Option<Vec<usize>> {
        let ids = self.spec.interrupt.as_ref()?;
        let mut kept = Vec::new();
        for (i, id) in ids.iter().enumerate() {
            let pointer = format!("/interrupt/from/{i}");
            let end = End { written: id, node: id, port: None };
            let node = self.node(end, &pointer, "'interrupt' names an unknown node", problems);
            kept.extend(node.map(|(node, _)| node));
        }
        Some(kept)
    }

    fn isolated(&self, between: &[(usize, usize)], problems: &mut Problems) {
        let mut joined: HashSet<usize> = between.iter().flat_map(|(a, b)| [*a, *b]).collect();
        if joined.is_empty() {
            return;
        }
        let named = self.spec.inputs.iter().chain(&self.spec.outputs);
        joined.extend(named.filter_map(|n| self.ids.get(n.end.node)));
        for (i, node) in self.spec.nodes.iter().enumerate() {
            if !joined.contains(&i) && !node.is_output && self.ids.get(node.id) == Some(&i) {
                let message =
                    format!("no connection leads to or from the node '{}'", excerpt(node.id));
                problems.add(
                    error(detail::MANIFEST_ISOLATED_NODE, &node.pointer, message)
                        .hint("connect it, or take it out"),
                );
            }
        }
    }
}
