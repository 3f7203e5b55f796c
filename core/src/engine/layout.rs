//! The layout of a segment: its nodes, the ways between them, and those in and out.

use super::life::Epochs;
use super::queue::Level;
use super::routes::{Dest, Exits, NodeSet, Routes};
use super::runner::{Runner, Way};
use super::slot::NodeSlot;
use crate::graph::{Graph, Lanes};
use crate::node::{AnyNode, Mailbox, TicketDesk, TicketId};
use std::collections::VecDeque;
use std::sync::Arc;

impl Runner {
    /// The runner of a segment, with the graph's nodes that are in it, in their order.
    pub(crate) fn new(
        graph: &Graph,
        lanes: &Lanes,
        segment: usize,
        nodes: Vec<Box<dyn AnyNode>>,
        mailbox: Arc<dyn Mailbox>,
    ) -> Self {
        let here = |n: usize| graph.nodes[n].segment == segment;
        let mut places = vec![usize::MAX; graph.nodes.len()];
        let mut slots = Vec::with_capacity(nodes.len());
        for (index, node) in (0..graph.nodes.len()).filter(|&n| here(n)).zip(nodes) {
            places[index] = slots.len();
            slots.push(NodeSlot::new(index, &graph.nodes[index], node));
        }
        let outputs = |slot: &NodeSlot| graph.nodes[slot.index].ports.outputs.len();
        let mut routes: Vec<Vec<Vec<Dest>>> =
            slots.iter().map(|slot| vec![Vec::new(); outputs(slot)]).collect();
        let mut entries = Vec::new();
        for (entry, endpoint) in graph.inputs.iter().enumerate() {
            if here(endpoint.port.node) {
                let node = places[endpoint.port.node];
                let (lane, items) = (lanes.of_input(entry), endpoint.queue.items);
                entries.push(Way { entry, node, lane, items });
            }
        }
        let mut border = 0;
        for (link, edge) in graph.edges.iter().enumerate() {
            let (from, node) = (places[edge.from.node], places[edge.to.node]);
            let (lane, entry) = (lanes.of_edge(link), graph.inputs.len() + border);
            let dest = match graph.is_border(edge) {
                true => {
                    border += 1;
                    Dest::Border { entry, exit: graph.outputs.len() + border - 1 }
                }
                false => Dest::Edge { link, node, lane },
            };
            if here(edge.from.node) {
                routes[from][edge.from.port].push(dest);
            }
            if here(edge.to.node) && graph.is_border(edge) {
                entries.push(Way { entry, node, lane, items: edge.queue.items });
            }
        }
        for (output, endpoint) in graph.outputs.iter().enumerate() {
            if here(endpoint.port.node) {
                let from = places[endpoint.port.node];
                routes[from][endpoint.port.port].push(Dest::Output(output));
            }
        }
        let mut feeders = Vec::new();
        for slot in &mut slots {
            let (ports, links) = lanes.of_node(slot.index);
            ports.iter().for_each(|port| slot.links_in[usize::from(*port)] += 1);
            slot.set_lanes(ports, graph.nodes[slot.index].ports.join);
            feeders.push(links);
        }
        for slot in &mut slots {
            slot.open.copy_from_slice(&slot.links_in);
        }
        let routes = Routes::new(&routes);
        let exits = Exits::new(&slots, &routes);
        let sources = (0..slots.len()).filter(|&n| slots[n].is_source).collect();
        let hits = |hit: bool| slots.iter().any(|slot| slot.hit == hit);
        Self {
            segment,
            lane: graph.segments[segment],
            feeders,
            has_joins: slots.iter().any(|slot| slot.join.is_some()),
            has_patience: slots.iter().any(|slot| slot.max_wait.is_some()),
            places,
            routes,
            exits,
            levels: graph.edges.iter().map(|e| Level::new(e.queue)).collect(),
            active: NodeSet::new(slots.len()),
            paused: NodeSet::new(slots.len()),
            blocked: NodeSet::new(slots.len()),
            sources,
            entries: entries.into(),
            collector: Vec::new(),
            opened: Vec::new(),
            held_back: false,
            worked: false,
            leaving: VecDeque::new(),
            tickets: TicketDesk { mailbox, next: std::cell::Cell::new(TicketId::FIRST) },
            epochs: Epochs::default(),
            parted: hits(true) && hits(false),
            has_tickets: slots.iter().any(|slot| slot.opens),
            has_deadlines: slots.iter().any(|s| s.opens && s.deadline.is_some()),
            ended: false,
            current: 0,
            stamp: 0,
            tick: 0,
            timing: true,
            booked: false,
            timed: graph.timing,
            runs: 0,
            reports: true,
            counts: vec![0; graph.edges.len()],
            any_queued: false,
            coming: None,
            nodes: slots.into(),
        }
    }
}
