//! A segment: nodes that run together, by one thread at a time (rules S1, S22).

use super::footprint::Footprint;
use super::guard::Watch;
use super::letters::Letters;
use super::mail::Mail;
use super::relief::Standing;
use super::runner::Runner;
use super::turn::Turn;
use crate::graph::Lane;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A segment of a running pipeline. What every packet needs comes first.
#[repr(C, align(64))]
pub(crate) struct Segment {
    pub(crate) footprint: Footprint,
    pub(crate) mail: Arc<Mail>,
    /// Packets and ends that wait at its entries.
    pub(crate) backlog: AtomicUsize,
    pub(crate) lane: Lane,
    pub(crate) turn: Turn<Runner>,
    /// The epoch that begins next is that of another run.
    pub(crate) rewinding: AtomicBool,
    pub(crate) rest: Rest,
    /// Where calls have to be back in time: who sees to it.
    pub(crate) watch: Option<Arc<Watch>>,
    /// Where there are joins: how the nodes stand while it rests.
    pub(crate) standing: Mutex<Standing>,
    /// Connections whose queues get more room.
    pub(crate) room: Letters<usize>,
}

/// How a segment was left by its last run, for who asks why nothing goes on.
#[derive(Default)]
pub(crate) struct Rest {
    /// A node with an open ticket, plus one.
    in_flight: AtomicUsize,
    /// A ticket is open that may take as long as it likes.
    timeless: AtomicBool,
    /// When a timer of it comes, in nanoseconds of the engine's clock, plus one.
    due: AtomicU64,
    /// When the timer comes that is set for it, as `due`.
    armed: AtomicU64,
    /// Media time that its sources have reached, plus one.
    position: AtomicI64,
}

impl Segment {
    pub(crate) fn new(
        lane: Lane,
        runner: Runner,
        mail: Arc<Mail>,
        watch: Option<Arc<Watch>>,
    ) -> Self {
        Self {
            footprint: Footprint::default(),
            lane,
            turn: Turn::new(runner),
            backlog: AtomicUsize::new(0),
            mail,
            rewinding: AtomicBool::new(false),
            rest: Rest::default(),
            standing: Mutex::default(),
            room: Letters::new(),
            watch,
        }
    }
}

impl Rest {
    /// Makes known how a run left its segment. Only who has the turn calls it.
    pub(crate) fn set(&self, in_flight: Option<usize>, due: Option<u64>, position: Option<i64>) {
        self.in_flight.store(in_flight.map_or(0, |n| n + 1), Ordering::Relaxed);
        self.due.store(due.map_or(0, |at| at.saturating_add(1)), Ordering::Relaxed);
        let position = position.map_or(0, |p| p.saturating_add(1));
        self.position.store(position, Ordering::Relaxed);
    }

    /// Notes whether a ticket is open that may take as long as it likes.
    pub(crate) fn set_timeless(&self, timeless: bool) {
        self.timeless.store(timeless, Ordering::Relaxed);
    }

    /// Whether a ticket is open that may take as long as it likes: no virtual time passes.
    pub(crate) fn is_timeless(&self) -> bool {
        self.timeless.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> Option<usize> {
        self.in_flight.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn due(&self) -> Option<u64> {
        self.due.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Notes that a timer is set. Gives the time that one was set for before; `None`: it has been
    /// set for `at` already.
    pub(crate) fn arm(&self, at: u64) -> Option<Option<u64>> {
        let at = at.saturating_add(1);
        let before = self.armed.swap(at, Ordering::AcqRel);
        (before != at).then(|| before.checked_sub(1))
    }

    /// Notes that its timer has come.
    pub(crate) fn disarm(&self) {
        self.armed.store(0, Ordering::Release);
    }

    pub(crate) fn position(&self) -> Option<i64> {
        let position = self.position.load(Ordering::Relaxed);
        (position > 0).then(|| position - 1)
    }
}
