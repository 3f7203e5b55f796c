//! The inputs and outputs of a pipeline, and their names.

use super::build::Names;
use super::{Endpoint, Late, PortRef};
use crate::error::detail;
use crate::manifest::{Problems, error, excerpt};
use std::collections::{HashMap, HashSet};

/// Inputs or outputs while they are collected.
struct Ends {
    list: Vec<Endpoint>,
    /// Name to where it was given.
    names: HashMap<String, String>,
    ports: HashSet<PortRef>,
}

impl Names<'_> {
    /// Input ports that nothing feeds: first those that the manifest names, as it lists them, then
    /// the others by node. An `any` port may be fed by connections and callers at once.
    pub(super) fn inputs(&self, fed: &HashSet<PortRef>, problems: &mut Problems) -> Vec<Endpoint> {
        let mut ends = self.named(true, Some(fed), problems);
        for node in 0..self.nodes.len() {
            let ports = (0..self.ports(node, true).len()).map(|port| PortRef { node, port });
            let open: Vec<_> = ports.filter(|port| !fed.contains(port)).collect();
            for port in &open {
                self.add_unnamed(&mut ends, *port, true, open.len() == 1, problems);
            }
        }
        ends.list
    }

    /// What the manifest names, as it lists it; then by node the default outputs of nodes that
    /// nothing follows and none of whose ports is named, and of output nodes.
    pub(super) fn outputs(
        &self,
        between: &[(usize, usize)],
        problems: &mut Problems,
    ) -> Vec<Endpoint> {
        let followed: HashSet<usize> = between.iter().map(|(from, _)| *from).collect();
        let mut ends = self.named(false, None, problems);
        for (node, spec) in self.spec.nodes.iter().enumerate() {
            let named = ends.ports.iter().any(|port| port.node == node);
            let wanted = spec.is_output || !(followed.contains(&node) || named);
            if wanted && !self.ports(node, false).is_empty() {
                let port = PortRef { node, port: 0 };
                self.add_unnamed(&mut ends, port, false, true, problems);
            } else if spec.is_output && self.nodes[node].is_some() {
                problems.add(error(
                    detail::MANIFEST_WRONG_VALUE,
                    format!("{}/is_output_node", spec.pointer),
                    format!("the node '{}' has no output", excerpt(spec.id)),
                ));
            }
        }
        ends.list
    }

    fn named(&self, input: bool, fed: Option<&HashSet<PortRef>>, problems: &mut Problems) -> Ends {
        let (specs, side) = match input {
            true => (&self.spec.inputs, "input"),
            false => (&self.spec.outputs, "output"),
        };
        let mut ends = Ends { list: Vec::new(), names: HashMap::new(), ports: HashSet::new() };
        for named in specs {
            if problems.full() {
                break;
            }
            if named.name.is_empty() {
                let message = format!("the name of an {side} is empty");
                problems.add(error(detail::MANIFEST_INPUT_NAME, &named.pointer, message));
            }
            let (name, at) = (excerpt(named.name), &named.port_pointer);
            let unknown = format!("the {side} '{name}' names an unknown node");
            let Some((node, end)) = self.node(named.end, at, &unknown, problems) else { continue };
            let Some(port) = self.port(node, end, input, at, problems) else { continue };
            if fed.is_some_and(|fed| fed.contains(&port)) && !self.ports(node, true)[port.port].any
            {
                let port = self.name(port, input);
                let message = format!("'{port}' is fed by a connection, so it is no {side}");
                problems.add(
                    error(detail::MANIFEST_INPUT_NAME, &named.pointer, message)
                        .hint("take the connection out, or this name"),
                );
                continue;
            }
            if !ends.ports.insert(port) {
                let message = format!("'{}' has two names", self.name(port, input));
                problems.add(
                    error(detail::MANIFEST_INPUT_NAME, &named.pointer, message)
                        .hint("take one of them out"),
                );
                continue;
            }
            ends.names.insert(named.name.to_owned(), named.pointer.clone());
            ends.list.push(Endpoint {
                name: named.name.to_owned(),
                port,
                queue: named.queue,
                late: named.late,
                source_rate: named.source_rate.or(self.spec.nodes[node].source_rate),
            });
        }
        ends
    }

    /// Adds a port under its default name, unless it is there under another: the node's id if that
    /// is clear, else `node.port`.
    fn add_unnamed(
        &self,
        ends: &mut Ends,
        port: PortRef,
        input: bool,
        clear: bool,
        problems: &mut Problems,
    ) {
        if !ends.ports.insert(port) {
            return;
        }
        let node = &self.spec.nodes[port.node];
        let full = self.name(port, input);
        let name = if clear { node.id.to_owned() } else { full.clone() };
        if let Some(pointer) = ends.names.get(&name) {
            let side = if input { "input" } else { "output" };
            let message =
                format!("'{}' is the name of the {side} '{full}' already", excerpt(&name));
            problems.add(
                error(detail::MANIFEST_INPUT_NAME, pointer, message)
                    .hint("take another name, or give that one a name, too"),
            );
            return;
        }
        ends.list.push(Endpoint {
            name,
            port,
            queue: self.spec.queue,
            late: Late::default(),
            source_rate: node.source_rate,
        });
    }
}
