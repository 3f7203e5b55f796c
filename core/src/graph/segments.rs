//! Segments: which nodes run together, and on which threads (rules S1, S22).
//!
//! A node that says `placement: thread` begins a segment; those behind it that say nothing belong to
//! the segment of what feeds their first port. All inline nodes are one segment: that of the callers.

use super::{GraphNode, Lane, Placement, PortRef};

/// Segments of a graph. Nodes go by their place in the manifest.
pub(super) struct Segments {
    /// Per node.
    pub(super) of: Vec<usize>,
    pub(super) lanes: Vec<Lane>,
}

/// Puts nodes into segments. `links` lead from output to input ports; `wanted` is what each node
/// asks for, `default` what those do that nothing feeds.
pub(super) fn segments(
    order: &[usize],
    nodes: &[Option<GraphNode>],
    links: &[(PortRef, PortRef)],
    wanted: &[Placement],
    default: Placement,
) -> Segments {
    let mut segments = Segments { of: vec![0; nodes.len()], lanes: Vec::new() };
    let mut inline = None;
    for &index in order {
        let Some(node) = &nodes[index] else { continue };
        // By the first of its ports that a connection feeds, the first connection.
        let feeder = links.iter().filter(|(_, to)| to.node == index).min_by_key(|(_, to)| to.port);
        let placement = match (wanted[index], feeder) {
            (Placement::Inherit, None) => default,
            (placement, _) => placement,
        };
        let segment = match (placement, feeder) {
            (Placement::Thread(lane), _) => segments.begin(lane.unwrap_or(Lane::Pool)),
            (Placement::Inherit, Some((from, _))) => segments.of[from.node],
            (Placement::Inherit | Placement::Inline, _) => {
                *inline.get_or_insert_with(|| segments.begin(Lane::Caller))
            }
        };
        segments.of[index] = segment;
        // One node that waits would hold up whatever else a worker has to do.
        if node.types().any(|t| t.descriptor().blocking) && segments.lanes[segment] == Lane::Pool {
            segments.lanes[segment] = Lane::Blocking;
        }
    }
    segments
}

impl Segments {
    fn begin(&mut self, lane: Lane) -> usize {
        self.lanes.push(lane);
        self.lanes.len() - 1
    }
}
