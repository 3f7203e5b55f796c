//! What leads into a segment: an input of the pipeline, or a connection from another segment.

use super::held::Bin;
use super::input::Input;
use super::life::Epochs;
use super::queue::Queue;
use super::stats::LinkStats;
use crate::packet::MediaTime;

/// A queue before a segment. Whoever touches it holds its lock. What every packet needs comes first.
#[repr(C)]
pub(crate) struct Entry {
    /// What waits here belongs to them.
    pub(crate) epochs: Epochs,
    pub(crate) ended: bool,
    /// Whether the runner has taken note of the end.
    pub(crate) end_taken: bool,
    /// Whether interrupts hit what waits here.
    hit: bool,
    pub(crate) queue: Queue,
    /// `None`: it leads from another segment.
    pub(crate) input: Option<Input>,
    /// Behind what waits: nothing before that time will come.
    pub(crate) gap: Option<MediaTime>,
}

impl Entry {
    pub(crate) fn new(queue: Queue, hit: bool, input: Option<Input>) -> Self {
        let epochs = Epochs::default();
        Self { queue, ended: false, end_taken: false, gap: None, epochs, hit, input }
    }

    /// Comes into these epochs: where they are new here, drops what they forget and the times with
    /// it; an end stays. Says how many packets and gaps it dropped.
    pub(crate) fn come(&mut self, epochs: Epochs, stats: &LinkStats, bin: &mut Bin) -> u64 {
        if self.epochs == epochs {
            return 0;
        }
        let forgets = epochs.forget(self.epochs.now, self.hit);
        self.epochs = epochs;
        if !forgets {
            return 0;
        }
        self.input.iter_mut().for_each(Input::forget);
        let gap = u64::from(self.gap.take().is_some());
        gap + self.queue.forget(epochs, self.hit, stats, bin)
    }
}
