//! What other threads leave for the holder of a turn: any of them leaves, one takes.
//!
//! Leave first, then ask for the turn; whoever has it looks before it gives it back.

#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// Letters that wait.
pub(crate) struct Letters<T> {
    waiting: Mutex<Vec<T>>,
    any: AtomicBool,
}

impl<T> Letters<T> {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::new(Vec::new()), any: AtomicBool::new(false) }
    }

    /// Leaves a letter.
    pub(crate) fn leave(&self, letter: T) {
        let mut waiting = self.lock();
        waiting.push(letter);
        self.any.store(true, Ordering::Release);
    }

    /// Whether something waits. One atomic load, for the runner's loop.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Takes what waits, in the order in which it was left.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut waiting = self.lock();
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut *waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        // Whole at every step, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
