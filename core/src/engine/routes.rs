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

/// For each node, the exits that its emissions can lead to.
pub(super) fn exits(slots: &[NodeSlot], routes: &[Vec<Vec<Dest>>]) -> Vec<Vec<Dest>> {
    let mut exits: Vec<Vec<Dest>> = vec![Vec::new(); slots.len()];
    for index in (0..slots.len()).rev() {
        let mut found: Vec<Dest> = Vec::new();
        let mut add = |dest: Dest| {
            let same = |other: &Dest| match (*other, dest) {
                (Dest::Output(a), Dest::Output(b)) => a == b,
                (Dest::Border { entry: a, .. }, Dest::Border { entry: b, .. }) => a == b,
                (Dest::Edge { link: a, .. }, Dest::Edge { link: b, .. }) => a == b,
                _ => false,
            };
            if !found.iter().any(same) {
                found.push(dest);
            }
        };
        for &dest in routes[index].iter().flatten() {
            match dest {
                Dest::Edge { node, .. } if !slots[node].waits => {
                    exits[node].iter().copied().for_each(&mut add);
                }
                exit => add(exit),
            }
        }
        exits[index] = found;
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
