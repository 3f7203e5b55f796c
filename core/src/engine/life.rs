//! The life of a pipeline: one atomic word holds its state and its epochs (rule S11).
//!
//! The first terminal state (closed, failed, cancelled) wins and sticks. The epoch counts interrupts
//! and resets (rule S9). Where an interrupt hits, what carries an older epoch is stale; elsewhere
//! only what is older than the last reset.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// What a pipeline is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It takes packets and gives results.
    Running = 0,
    /// `close` was called; it finishes what it has.
    Closing = 1,
    /// Over, everything was worked off or cut by the deadline.
    Closed = 2,
    /// Over, a node failed.
    Failed = 3,
    /// Over, `cancel` was called.
    Cancelled = 4,
}

impl State {
    /// Whether it will never change again.
    pub fn is_terminal(self) -> bool {
        self as u8 >= Self::Closed as u8
    }

    /// Its name in events and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_bits(bits: u64) -> Self {
        match bits & 0xFF {
            0 => Self::Running,
            1 => Self::Closing,
            2 => Self::Closed,
            3 => Self::Failed,
            _ => Self::Cancelled,
        }
    }
}

pub(crate) type Epoch = u32;

/// The epoch, and how many have begun since the last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Epochs {
    pub(crate) now: Epoch,
    age: u32,
}

/// So many interrupts without a reset can be told apart; then, nothing is older than the reset.
const OLDEST: u32 = (1 << 24) - 1;

impl Epochs {
    /// Whether what belongs to `epoch` is forgotten; `hit`: it lies where interrupts hit.
    #[inline]
    pub(crate) fn forget(self, epoch: Epoch, hit: bool) -> bool {
        match hit {
            true => epoch != self.now,
            false => self.now.wrapping_sub(epoch) > self.age && self.age < OLDEST,
        }
    }

    /// Whether a reset began this epoch, not an interrupt.
    pub(crate) fn is_reset(self) -> bool {
        self.age == 0
    }

    /// Whether a reset has begun one of the epochs after `before`.
    pub(crate) fn reset_since(self, before: Self) -> bool {
        self.forget(before.now, false)
    }

    fn of(word: u64) -> Self {
        Self { now: (word >> 32) as u32, age: (word >> 8) as u32 & OLDEST }
    }

    fn bits(self) -> u64 {
        (u64::from(self.now) << 32) | (u64::from(self.age) << 8)
    }
}

/// What begins an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Interrupt,
    Reset,
}

pub(crate) struct Life(AtomicU64);

impl Life {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> (State, Epochs) {
        let word = self.0.load(Ordering::Acquire);
        (State::from_bits(word), Epochs::of(word))
    }

    pub(crate) fn state(&self) -> State {
        self.get().0
    }

    #[inline]
    pub(crate) fn epochs(&self) -> Epochs {
        self.get().1
    }

    /// Goes on to `to`, unless a terminal state was reached or that would be a step back. Says
    /// whether this call made the step.
    pub(crate) fn advance(&self, to: State) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let from = State::from_bits(word);
                let allowed = !from.is_terminal() && to as u8 > from as u8;
                allowed.then_some((word & !0xFF) | to as u64)
            })
            .is_ok()
    }

    /// Begins a new epoch, unless the pipeline is over, and gives it.
    pub(crate) fn next_epoch(&self, begin: Begin) -> Option<Epochs> {
        let next = |word: u64| {
            let Epochs { now, age } = Epochs::of(word);
            let age = if begin == Begin::Reset { 0 } else { (age + 1).min(OLDEST) };
            Epochs { now: now.wrapping_add(1), age }
        };
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let state = State::from_bits(word);
                (!state.is_terminal()).then(|| next(word).bits() | state as u64)
            })
            .ok()
            .map(next)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_terminal_state_sticks() {
        let life = Life::new();
        assert!(life.advance(State::Closing) && !life.advance(State::Closing));
        assert_eq!(life.next_epoch(Begin::Reset).map(|e| e.now), Some(1));
        assert!(life.advance(State::Failed));
        for state in [State::Closed, State::Cancelled, State::Failed, State::Running] {
            assert!(!life.advance(state));
        }
        assert_eq!(life.get(), (State::Failed, Epochs { now: 1, age: 0 }));
        assert_eq!(life.next_epoch(Begin::Interrupt), None);
    }

    #[test]
    fn an_interrupt_forgets_where_it_hits_and_a_reset_everywhere() {
        let life = Life::new();
        let old = life.epochs().now;
        let after = life.next_epoch(Begin::Interrupt).expect("it runs");
        assert_eq!((after.forget(old, true), after.forget(old, false)), (true, false));
        let reset = life.next_epoch(Begin::Reset).expect("it runs");
        assert!(reset.forget(old, false) && reset.forget(after.now, false));
        let later = life.next_epoch(Begin::Interrupt).expect("it runs");
        assert_eq!((later.forget(reset.now, true), later.forget(reset.now, false)), (true, false));
        assert!(later.forget(after.now, false), "it is older than the reset");
    }

    #[test]
    fn epochs_that_wrap_around_are_told_apart() {
        let life = Life(AtomicU64::new(Epochs { now: u32::MAX, age: 3 }.bits()));
        let after = life.next_epoch(Begin::Interrupt).expect("it runs");
        assert_eq!((after.now, after.age), (0, 4));
        assert!(after.forget(u32::MAX, true) && !after.forget(u32::MAX, false));
        assert!(after.forget(u32::MAX - 4, false));
    }
}
