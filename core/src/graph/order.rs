//! The order in which nodes run, and what keeps them from having one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Indices `0..nodes` in topological order of the links `(from, to)`; ties by index.
///
/// # Errors
/// A cycle: its nodes in the order of their links, the smallest index first.
pub(super) fn order(nodes: usize, links: &[(usize, usize)]) -> Result<Vec<usize>, Vec<usize>> {
    let mut after = vec![Vec::new(); nodes];
    let mut waits = vec![0_usize; nodes];
    for (from, to) in links {
        after[*from].push(*to);
        waits[*to] += 1;
    }
    let mut ready: BinaryHeap<_> = (0..nodes).filter(|n| waits[*n] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(nodes);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for next in &after[node] {
            waits[*next] -= 1;
            if waits[*next] == 0 {
                ready.push(Reverse(*next));
            }
        }
    }
    if order.len() == nodes { Ok(order) } else { Err(cycle(&waits, links)) }
}

/// A cycle among the nodes that still wait.
fn cycle(waits: &[usize], links: &[(usize, usize)]) -> Vec<usize> {
    // Every node that waits has a predecessor that waits, so going backwards comes to a node twice.
    let mut before = vec![usize::MAX; waits.len()];
    for (from, to) in links {
        if waits[*from] > 0 && waits[*to] > 0 {
            before[*to] = before[*to].min(*from);
        }
    }
    let mut seen = vec![false; waits.len()];
    let Some(mut node) = waits.iter().position(|w| *w > 0) else { return Vec::new() };
    while !seen[node] {
        seen[node] = true;
        node = before[node];
    }
    let mut chain = vec![node];
    let mut next = before[node];
    while next != node {
        chain.push(next);
        next = before[next];
    }
    chain.reverse();
    let first = (0..chain.len()).min_by_key(|i| chain[*i]).unwrap_or(0);
    chain.rotate_left(first);
    chain
}
