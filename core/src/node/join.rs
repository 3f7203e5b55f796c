//! How packets that come to a node by several connections find each other (rule S6).

use crate::packet::MediaTime;

/// How a node with several connections gets its packets.
///
/// Each connection is a *lane*: packets come on it in order of time, and each packet, gap and end
/// says that nothing earlier will come on it. A lane that stays silent holds up the others only as
/// long as it may still bring something that belongs to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// One packet at a time, in the order in which they arrive. Ends with the last lane.
    Any,
    /// One packet at a time, in the order of their times; of equal times the first lane's first.
    /// Waits for the lane that lies furthest behind. Ends with the last lane.
    Ordered,
    /// Sets of packets with equal times, one of each lane. What finds no partner is dropped as
    /// `unmatched`. Ends when a lane has ended and is empty.
    Exact,
    /// For each packet of the first lane the nearest one of every other lane, no further away than
    /// the tolerance; of two the earlier. Decided once a packet that lies later, or the lane's bound,
    /// rules out a nearer one. Without a partner on some lane it is dropped as `unmatched`. A packet
    /// may be the nearest to several. Ends when a lane has ended and is empty.
    Nearest {
        /// Largest distance.
        tolerance: MediaTime,
    },
    /// At once for each packet of the first lane, with the last that came on every other one, or
    /// none. Ends with the first lane.
    LatestArrived,
    /// Sets of the oldest packets, one of each lane, whatever their times. Ends when a lane has
    /// ended and is empty.
    Barrier,
}

impl Join {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Ordered => "ordered",
            Self::Exact => "exact",
            Self::Nearest { .. } => "nearest",
            Self::LatestArrived => "latest_arrived",
            Self::Barrier => "barrier",
        }
    }

    /// Whether the node gets sets of packets, by [`Node::join`](super::Node::join).
    pub fn is_of_sets(self) -> bool {
        !matches!(self, Self::Any | Self::Ordered)
    }

    /// Whether it goes by the times of packets.
    pub fn is_by_time(self) -> bool {
        matches!(self, Self::Ordered | Self::Exact | Self::Nearest { .. })
    }

    /// Whether what comes out depends on when packets arrive.
    pub fn is_by_arrival(self) -> bool {
        matches!(self, Self::Any | Self::LatestArrived)
    }
}
