//! What becomes of an interrupt or reset: one event, once every part of the pipeline has come into
//! the new epoch (rule S9).

use super::event::Event;
use super::life::{Begin, Epoch, Epochs};
use super::shared::{Shared, lock};
use super::stats::DropReason;
use crate::packet::MediaTime;
use std::sync::Arc;

/// Epochs that wait at most for a part to come; of more, the oldest are told of together.
const MOST: usize = 64;

/// Epochs that not every part of the pipeline has come into.
#[derive(Default)]
pub(crate) struct Settling {
    epochs: Vec<Unsettled>,
    /// Per link: packets that were forgotten and told of.
    told: Vec<u64>,
    /// Packets that nodes have lost and that no event has told of.
    untold: u64,
}

struct Unsettled {
    epoch: Epoch,
    begin: Begin,
    /// Parts that have not come.
    left: usize,
    /// Packets that nodes have lost.
    lost: u64,
    /// Per output: time of the last packet that was pulled.
    pulled: Vec<Option<MediaTime>>,
}

impl Shared {
    /// Begins an epoch, unless the pipeline is over.
    pub(super) fn begin(&self, begin: Begin) -> Option<Epochs> {
        // Under the lock, so that no part comes into an epoch that is not noted.
        let mut settling = lock(&self.settling);
        let epochs = self.life.next_epoch(begin)?;
        if settling.epochs.len() == MOST {
            let oldest = settling.epochs.remove(0);
            settling.epochs[0].lost += oldest.lost;
        }
        // The segments, and whoever begins it, for the outputs.
        let left = self.segments.len() + 1;
        let unsettled = Unsettled { epoch: epochs.now, begin, left, lost: 0, pulled: Vec::new() };
        settling.epochs.push(unsettled);
        Some(epochs)
    }

    /// Notes what had been pulled when an epoch began.
    pub(super) fn note_pulled(&self, epoch: Epoch, pulled: Vec<Option<MediaTime>>) {
        let mut settling = lock(&self.settling);
        if let Some(unsettled) = settling.epochs.iter_mut().find(|u| u.epoch == epoch) {
            unsettled.pulled = pulled;
        }
    }

    /// Notes that a part has come from one epoch into another and lost so many packets in nodes.
    /// Tells of each epoch that all parts have come into.
    pub(super) fn settle(&self, from: Epoch, to: Epoch, lost: u64) {
        let mut settled = Vec::new();
        {
            let mut settling = lock(&self.settling);
            let Settling { epochs, told, untold } = &mut *settling;
            told.resize(self.links.len(), 0);
            // It may be told of together with a later one.
            let later = |u: &&mut Unsettled| u.epoch.wrapping_sub(to) < u32::MAX / 2;
            match epochs.iter_mut().find(later) {
                Some(unsettled) => unsettled.lost += lost,
                None => *untold += lost,
            }
            for unsettled in &mut *epochs {
                let between = unsettled.epoch.wrapping_sub(from).wrapping_sub(1);
                unsettled.left -= usize::from(between < to.wrapping_sub(from));
            }
            while epochs.first().is_some_and(|u| u.left == 0) {
                let mut unsettled = epochs.remove(0);
                unsettled.lost += std::mem::take(untold);
                let mut links = Vec::new();
                for (link, told) in told.iter_mut().enumerate() {
                    let dropped = &self.links[link].dropped;
                    let now = dropped[DropReason::Reset as usize].get()
                        + dropped[DropReason::Interrupted as usize].get();
                    let new = now - std::mem::replace(told, now);
                    if new > 0 {
                        links.push((link, new));
                    }
                }
                settled.push((unsettled, links));
            }
        }
        for (unsettled, links) in settled {
            self.event(self.settled(unsettled, links));
        }
    }

    fn settled(&self, unsettled: Unsettled, links: Vec<(usize, u64)>) -> Event {
        let Unsettled { epoch, begin, lost, pulled, .. } = unsettled;
        let discarded = lost + links.iter().map(|(_, count)| count).sum::<u64>();
        if begin == Begin::Reset {
            return Event::Reset { epoch, discarded };
        }
        let links: Vec<(Arc<str>, u64)> =
            links.into_iter().map(|(link, count)| (self.link_name(link).into(), count)).collect();
        let pulled = self.output_names.iter().cloned().zip(pulled).collect();
        Event::Interrupted { epoch, discarded, links, pulled }
    }
}
