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
    dests: Box<[Dest]>,
    /// Per port: where its own begin; one more at the end.
    ports: Box<[u32]>,
    /// Per node: its first port; one more at the end.
    nodes: Box<[u32]>,
}

impl Routes {
    /// From lists per node and port.
    pub(super) fn new(lists: &[Vec<Vec<Dest>>]) -> Self {
        let (mut dests, mut ports, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for node in lists {
            nodes.push(ports.len() as u32);
            for port in node {
                ports.push(dests.len() as u32);
                dests.extend_from_slice(port);
            }
        }
        nodes.push(ports.len() as u32);
        ports.push(dests.len() as u32);
        Self { dests: dests.into(), ports: ports.into(), nodes: nodes.into() }
    }

    /// Where its lists lie, and how many bytes they take.
    pub(super) fn places(&self) -> [(usize, usize); 3] {
        [place(&self.dests), place(&self.ports), place(&self.nodes)]
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

/// What has to have room before a node is called: where its emissions can lead to. One list for all
/// nodes.
pub(super) struct Exits {
    outside: Box<[usize]>,
    inside: Box<[Inside]>,
    /// Per node: where its own end.
    ends: Box<[(u32, u32)]>,
}

/// A connection, and the node and lane that it leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) link: usize,
    pub(super) node: usize,
    pub(super) lane: u16,
}

impl Exits {
    pub(super) fn new(slots: &[NodeSlot], routes: &Routes) -> Self {
        let mut lists = vec![(Vec::new(), Vec::new()); slots.len()];
        for index in (0..slots.len()).rev() {
            let (mut outside, mut inside) = (Vec::new(), Vec::new());
            for &dest in routes.of_node(index) {
                match dest {
                    Dest::Edge { node, .. } if !slots[node].waits => {
                        outside.extend_from_slice(&lists[node].0);
                        inside.extend_from_slice(&lists[node].1);
                    }
                    Dest::Edge { link, node, lane } => inside.push(Inside { link, node, lane }),
                    Dest::Output(exit) | Dest::Border { exit, .. } => outside.push(exit),
                }
            }
            outside.sort_unstable();
            outside.dedup();
            inside.sort_unstable_by_key(|inside: &Inside| inside.link);
            inside.dedup();
            lists[index] = (outside, inside);
        }
        let (mut all_outside, mut all_inside, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (outside, inside) in lists {
            all_outside.extend(outside);
            all_inside.extend(inside);
            ends.push((all_outside.len() as u32, all_inside.len() as u32));
        }
        Self { outside: all_outside.into(), inside: all_inside.into(), ends: ends.into() }
    }

    /// As [`Routes::places`].
    pub(super) fn places(&self) -> [(usize, usize); 2] {
        [place(&self.outside), place(&self.ends)]
    }

    /// Outputs and queues before other segments: places in the pipeline's `blocked`.
    #[inline]
    pub(super) fn outside(&self, node: usize) -> &[usize] {
        let begin = node.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.outside[begin as usize..self.ends[node].0 as usize]
    }

    /// Connections into nodes of the segment that packets wait for.
    #[inline]
    pub(super) fn inside(&self, node: usize) -> &[Inside] {
        let begin = node.checked_sub(1).map_or(0, |before| self.ends[before].1);
        &self.inside[begin as usize..self.ends[node].1 as usize]
    }
}

/// A set of node indices. Few segments have more nodes than a word has bits.
pub(super) struct NodeSet {
    first: u64,
    /// Of the nodes from 64 on.
    more: Box<[u64]>,
}

impl NodeSet {
    pub(super) fn new(nodes: usize) -> Self {
        Self { first: 0, more: vec![0; nodes.saturating_sub(1) / 64].into() }
    }

    #[inline]
    fn word(&mut self, node: usize) -> &mut u64 {
        if node < 64 { &mut self.first } else { &mut self.more[node / 64 - 1] }
    }

    #[inline]
    pub(super) fn insert(&mut self, node: usize) {
        *self.word(node) |= 1 << (node % 64);
    }

    pub(super) fn remove(&mut self, node: usize) {
        *self.word(node) &= !(1 << (node % 64));
    }

    pub(super) fn clear(&mut self) {
        self.first = 0;
        self.more.fill(0);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first == 0 && self.more.iter().all(|w| *w == 0)
    }

    /// Moves everything from `other` here.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.first |= std::mem::take(&mut other.first);
        for (word, other) in self.more.iter_mut().zip(&mut other.more) {
            *word |= std::mem::take(other);
        }
    }

    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<usize> {
        let words = std::iter::once(&mut self.first).chain(&mut self.more);
        for (index, word) in words.enumerate() {
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
        let word = |n: usize| if n < 64 { self.first } else { self.more[n / 64 - 1] };
        (0..bound).rev().find(|&n| word(n) & (1 << (n % 64)) != 0)
    }
}

/// Address and size in bytes.
fn place<T>(list: &[T]) -> (usize, usize) {
    (list.as_ptr().addr(), size_of_val(list))
}
