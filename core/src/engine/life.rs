//! The life of a pipeline: one atomic word holds its state and its epoch (rule S11).
//!
//! The first terminal state (closed, failed, cancelled) wins and sticks. The epoch counts resets:
//! what carries an older epoch is stale.

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

pub(crate) struct Life(AtomicU64);

impl Life {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> (State, Epoch) {
        let word = self.0.load(Ordering::Acquire);
        (State::from_bits(word), (word >> 32) as Epoch)
    }

    pub(crate) fn state(&self) -> State {
        self.get().0
    }

    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
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
    pub(crate) fn next_epoch(&self) -> Option<Epoch> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (!State::from_bits(word).is_terminal()).then_some(word.wrapping_add(1 << 32))
            })
            .ok()
            .map(|before| (before >> 32) as Epoch + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_terminal_state_sticks() {
        let life = Life::new();
        assert!(life.advance(State::Closing) && !life.advance(State::Closing));
        assert_eq!(life.next_epoch(), Some(1));
        assert!(life.advance(State::Failed));
        for state in [State::Closed, State::Cancelled, State::Failed, State::Running] {
            assert!(!life.advance(state));
        }
        assert_eq!(life.get(), (State::Failed, 1));
        assert_eq!(life.next_epoch(), None);
    }
}
