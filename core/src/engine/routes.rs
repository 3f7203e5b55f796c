//! Where packets can go: the ways between nodes, and sets of nodes.

use super::slot::NodeSlot;

/// Where an output port leads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dest {
    Edge {
        link: usize,
        node: usize,
        lane: u16,
    },
    Output(usize),
    /// The queue before another segment.
    Border {
        entry: usize,
        exit: usize,
    },
}

/// Where every output port of a segment's nodes leads. One after the other, so that little memory is
/// touched on the way through.
pub(super) struct Routes {
    dests: Vec<Dest>,
    /// Per port: where its own begin; one more at the end.
    ports: Vec<u32>,
    /// Per node: its first port; one more at the end.
    nodes: Vec<u32>,
}

impl Routes {
    /// From lists per node and port.
    pub(super) fn new(lists: &[Vec<Vec<Dest>>]) -> Self {
        let mut routes = Self { dests: Vec::new(), ports: Vec::new(), nodes: Vec::new() };
        for node in lists {
            routes.nodes.push(routes.ports.len() as u32);
            for port in node {
                routes.ports.push(routes.dests.len() as u32);
                routes.dests.extend_from_slice(port);
            }
        }
        routes.nodes.push(routes.ports.len() as u32);
        routes.ports.push(routes.dests.len() as u32);
        routes
    }

    /// Ports of a node.
    pub(super) fn ports(&self, node: usize) -> usize {
        (self.nodes[node + 1] - self.nodes[node]) as usize
    }

    /// Where a port leads; a port that there isn't leads nowhere.
    #[inline]
    pub(super) fn of(&self, node: usize, port: usize) -> &[Dest] {
        let at = self.nodes[node] as usize + port;
        if at >= self.nodes[node + 1] as usize {
            return &[];
        }
        &self.dests[self.ports[at] as usize..self.ports[at + 1] as usize]
    }

    /// Where all ports of a node lead.
    fn of_node(&self, node: usize) -> &[Dest] {
        let port = |node: usize| self.ports[self.nodes[node] as usize] as usize;
        &self.dests[port(node)..port(node + 1)]
    }
}

/// What has to have room before a node is called: where its emissions can lead to.
#[derive(Default)]
pub(super) struct Exits {
    /// Outputs and queues before other segments: places in the pipeline's `blocked`.
    pub(super) outside: Vec<usize>,
    /// Connections into nodes of the segment that packets wait for.
    pub(super) inside: Vec<Inside>,
}

/// A connection, and the node and lane that it leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) link: usize,
    pub(super) node: usize,
    pub(super) lane: u16,
}

/// For each node, its exits.
pub(super) fn exits(slots: &[NodeSlot], routes: &Routes) -> Vec<Exits> {
    let mut exits: Vec<Exits> = Vec::new();
    exits.resize_with(slots.len(), Exits::default);
    for index in (0..slots.len()).rev() {
        let (mut outside, mut inside) = (Vec::new(), Vec::new());
        for &dest in routes.of_node(index) {
            match dest {
                Dest::Edge { node, .. } if !slots[node].waits => {
                    outside.extend_from_slice(&exits[node].outside);
                    inside.extend_from_slice(&exits[node].inside);
                }
                Dest::Edge { link, node, lane } => inside.push(Inside { link, node, lane }),
                Dest::Output(exit) | Dest::Border { exit, .. } => outside.push(exit),
            }
        }
        outside.sort_unstable();
        outside.dedup();
        inside.sort_unstable_by_key(|inside| inside.link);
        inside.dedup();
        exits[index] = Exits { outside, inside };
    }
    exits
}

/// A set of node indices.
pub(super) struct NodeSet(Vec<u64>);

impl NodeSet {
    pub(super) fn new(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)])
    }

    #[inline]
    pub(super) fn insert(&mut self, node: usize) {
        self.0[node / 64] |= 1 << (node % 64);
    }

    pub(super) fn remove(&mut self, node: usize) {
        self.0[node / 64] &= !(1 << (node % 64));
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|w| *w == 0)
    }

    /// Moves everything from `other` here.
    pub(super) fn append(&mut self, other: &mut Self) {
        for (word, other) in self.0.iter_mut().zip(&mut other.0) {
            *word |= std::mem::take(other);
        }
    }

    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<usize> {
        for (index, word) in self.0.iter_mut().enumerate() {
            if *word != 0 {
                let bit = word.trailing_zeros() as usize;
                *word &= *word - 1;
                return Some(index * 64 + bit);
            }
        }
        None
    }

    /// The largest member below `bound`.
    pub(super) fn last_below(&self, bound: usize) -> Option<usize> {
        (0..bound).rev().find(|n| self.0[n / 64] & (1 << (n % 64)) != 0)
    }
}
