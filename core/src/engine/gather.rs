//! How a node with a join gets its packets: what its lanes have brought becomes packets and sets in
//! its inbox; and how nodes tell those behind them that nothing earlier will come (rule S6).

use super::clock::Nanos;
use super::event::Event;
use super::item::Item;
use super::join::Ready;
use super::routes::Dest;
use super::runner::{Leaving, Runner};
use super::shared::Shared;
use super::slot::NodeSlot;
use super::stats::DropReason;
use crate::node::Join;
use crate::packet::{MediaTime, Packet};

impl Runner {
    /// Puts what a join gives next into its node's inbox. False: nothing.
    pub(super) fn release(&mut self, shared: &Shared, index: usize) -> bool {
        loop {
            let slot = &mut self.nodes[index];
            let Some(join) = &mut slot.join else { return false };
            let item = match join.next(&mut slot.set) {
                Ready::Packet(lane, item) => Item { lane: lane as u16, ..item },
                Ready::Set => Item::set(),
                Ready::Advance(until) => Item::news(until),
                Ready::Ended => {
                    // The last of its links, whatever the others have.
                    slot.open.fill(0);
                    let port = slot.port_of(0);
                    slot.open[port] = 1;
                    Item::end(0)
                }
                Ready::Unmatched(lane, item) => {
                    self.lose_unmatched(shared, index, lane, item);
                    continue;
                }
                Ready::Wait => {
                    self.wait_for_lanes(index);
                    return false;
                }
            };
            slot.inbox.push_back(item);
            slot.patience = None;
            return true;
        }
    }

    /// Counts a packet that has found no partner, and lets go of it.
    fn lose_unmatched(&mut self, shared: &Shared, index: usize, lane: usize, item: Item) {
        let slot = &mut self.nodes[index];
        self.worked = true;
        if item.has_link() {
            let link = item.link as usize;
            shared.links[link].take(item.ns);
            if let Some(packet) = &item.packet {
                self.levels[link].remove(packet);
            }
            slot.stats.taken.add(1);
        }
        slot.stats.unmatched.add(1);
        let reason = DropReason::Unmatched;
        shared.drop_event(self.feeders[index][lane], reason, 1);
    }

    /// Sets the time at which a join goes on without the lanes that are silent.
    fn wait_for_lanes(&mut self, index: usize) {
        let slot = &mut self.nodes[index];
        let (Some(join), Some(time)) = (&slot.join, slot.max_wait) else { return };
        slot.patience = join.awaited().and_then(|(first, until)| {
            // What lies before the first that waits has gone.
            while slot.arrived.front().is_some_and(|(pts, _)| *pts < first) {
                slot.arrived.pop_front();
            }
            let since = slot.arrived.front().map_or(0, |(_, at)| *at);
            Some((since.checked_add(time.as_nanos() as Nanos)?, until))
        });
    }

    /// Notes when a packet came, for a join that does not wait for ever.
    fn note_arrival(&mut self, shared: &Shared, node: usize, pts: Option<MediaTime>) {
        let slot = &mut self.nodes[node];
        if let (Some(pts), Some(_)) = (pts, slot.max_wait) {
            slot.arrived.push_back((pts, shared.scheduler.clock.now()));
        }
    }

    /// Lets joins go on whose patience is over.
    #[inline(never)]
    pub(super) fn lose_patience(&mut self, shared: &Shared) {
        let now = shared.scheduler.clock.now();
        for index in 0..self.nodes.len() {
            let slot = &mut self.nodes[index];
            if let (Some((at, until)), Some(join)) = (slot.patience, &mut slot.join)
                && at <= now
            {
                slot.patience = None;
                join.force(until);
                let node = slot.id.clone();
                shared.event(Event::JoinGap { node, until });
                self.active.insert(index);
                self.worked = true;
            }
        }
    }

    /// When the first join loses its patience.
    pub(super) fn patience(&self) -> Option<Nanos> {
        if !self.has_patience {
            return None;
        }
        self.nodes.iter().filter_map(|slot| slot.patience.map(|(at, _)| at)).min()
    }

    /// Whether a lane of a node waits for more though it may be full.
    pub(super) fn awaits(&self, node: usize, lane: usize) -> bool {
        let join = self.nodes[node].join.as_ref();
        join.is_some_and(|join| join.waits_for().any(|awaited| awaited == lane))
    }

    /// Tells those behind a node how far it has come, where that is news.
    #[inline(never)]
    pub(super) fn tell_bounds(&mut self, shared: &Shared, index: usize) {
        for port in 0..self.routes.ports(index) {
            let Some(until) = self.nodes[index].news_of(port) else { continue };
            for nth in 0..self.routes.of(index, port).len() {
                let dest = self.routes.of(index, port)[nth];
                self.send_gap(shared, dest, until);
            }
        }
    }

    fn send_gap(&mut self, shared: &Shared, to: Dest, until: MediaTime) {
        match to {
            Dest::Output(_) => {}
            Dest::Edge { node, lane, .. } => self.take_gap(node, lane, until),
            Dest::Border { entry, .. } => {
                let node = &shared.graph.nodes[shared.graph.edges[shared.ways[entry].link].to.node];
                if node.bounds || node.ports.join.is_by_time() {
                    self.leaving.push_back(Leaving::Gap { to, until });
                }
            }
        }
    }

    /// Gives a node the news that nothing earlier will come on a lane.
    #[inline(never)]
    pub(super) fn take_gap(&mut self, node: usize, lane: u16, until: MediaTime) {
        let slot = &mut self.nodes[node];
        if let Some(join) = &mut slot.join {
            join.gap(usize::from(lane), until);
        } else if slot.tells {
            match slot.inbox.back_mut() {
                Some(last) if last.is_gap_of(lane) => *last = Item::gap(until, lane),
                _ => slot.inbox.push_back(Item::gap(until, lane)),
            }
        } else {
            return;
        }
        self.active.insert(node);
    }

    /// Gives a node the end of a lane.
    #[inline(never)]
    pub(super) fn take_end(&mut self, node: usize, lane: u16) {
        let slot = &mut self.nodes[node];
        match &mut slot.join {
            Some(join) => join.end(usize::from(lane)),
            None => slot.inbox.push_back(Item::end(lane)),
        }
        self.active.insert(node);
    }

    /// Gives a node a packet that has come by a lane.
    #[inline]
    pub(super) fn take_item(&mut self, shared: &Shared, node: usize, item: Item) {
        if self.has_patience {
            self.note_arrival(shared, node, item.packet.as_ref().and_then(Packet::pts));
        }
        let slot = &mut self.nodes[node];
        match &mut slot.join {
            Some(join) => join.push(usize::from(item.lane), item),
            None => slot.inbox.push_back(item),
        }
        self.active.insert(node);
    }
}

impl NodeSlot {
    /// Makes the lanes of a node that joins.
    pub(super) fn set_lanes(&mut self, ports: Vec<u16>, join: Join) {
        if join == Join::Ordered {
            self.be_ordered(ports.len());
        }
        if join != Join::Any {
            self.join = Some(Box::new(super::join::Lanes::new(join, ports.len())));
        }
        self.port = ports.first().copied().unwrap_or(0);
        self.lanes_in = ports.len() as u16;
        self.lanes = ports;
    }
}
