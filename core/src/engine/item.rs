//! What waits in front of a node.

use super::join::Timed;
use super::ticks::Ticks;
use crate::packet::{MediaTime, Packet};

/// What waits for a node.
pub(crate) struct Item {
    /// `None`: a link that leads to the port has ended.
    pub(crate) packet: Option<Packet>,
    /// The connection that it came by, of those that lead to the node.
    pub(crate) lane: u16,
    /// The link that it came by; `NO_LINK` once it is counted as taken there.
    pub(crate) link: u32,
    pub(crate) stamp: Ticks,
    /// Its duration, as the counters have it. Of a gap the time before which nothing comes.
    pub(crate) ns: u64,
}

/// Stands for the link of a packet that is counted already.
pub(crate) const NO_LINK: u32 = u32::MAX;
/// Marks what is no packet and no end: nothing will come before a certain time.
pub(super) const GAP: u32 = u32::MAX - 1;
/// Stands for the set of packets that a join has put together.
pub(super) const SET: u32 = u32::MAX - 2;
/// Stands for the news of a join that nothing earlier will come.
pub(super) const NEWS: u32 = u32::MAX - 3;
/// Stands for the link of a packet that serves once more.
pub(super) const AGAIN: u32 = u32::MAX - 4;

impl Item {
    pub(crate) fn end(lane: u16) -> Self {
        Self { packet: None, lane, link: NO_LINK, stamp: 0, ns: 0 }
    }

    /// Nothing before that time will come.
    pub(crate) fn gap(until: MediaTime, lane: u16) -> Self {
        Self { packet: None, lane, link: GAP, stamp: 0, ns: until.nanos().max(0) as u64 }
    }

    /// The set in the slot.
    pub(crate) fn set() -> Self {
        Self { link: SET, ..Self::end(0) }
    }

    /// Nothing before that time will come on any lane.
    pub(crate) fn news(until: MediaTime) -> Self {
        Self { link: NEWS, ..Self::gap(until, 0) }
    }

    /// Whether its link counts it as taken.
    pub(crate) fn is_counted(&self) -> bool {
        self.link == NO_LINK
    }

    /// Whether it is the end of a lane.
    pub(crate) fn is_end(&self) -> bool {
        self.packet.is_none() && self.link == NO_LINK
    }

    /// Whether the node works on it and may open a ticket for it.
    pub(crate) fn is_work(&self) -> bool {
        self.packet.is_some() || self.link == SET
    }

    /// Whether a link still counts it.
    pub(crate) fn has_link(&self) -> bool {
        self.link < AGAIN
    }

    /// A packet that no link counts any more.
    pub(crate) fn counted(packet: Packet, lane: u16, stamp: Ticks) -> Self {
        Self { packet: Some(packet), lane, link: NO_LINK, stamp, ns: 0 }
    }

    /// Whether it is a gap of that lane, which a later one takes the place of.
    pub(crate) fn is_gap_of(&self, lane: u16) -> bool {
        self.link == GAP && self.lane == lane
    }
}

impl Timed for Item {
    fn pts(&self) -> Option<MediaTime> {
        self.packet.as_ref().and_then(Packet::pts)
    }

    fn again(&self) -> Self {
        Self { packet: self.packet.clone(), link: AGAIN, ..*self }
    }
}
