//! The turn: the right to run a pipeline's nodes (rule S1).
//!
//! One atomic word says who may touch the value: nobody has the turn (idle), somebody has it
//! (running), or somebody has it and has been asked to look again (again). Nobody ever waits for
//! the turn: who finds it taken leaves its work where the holder will find it, and asks.

#[cfg(loom)]
use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU8, Ordering},
};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU8, Ordering};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const AGAIN: u8 = 2;

/// A value that only the holder of the turn can touch.
pub(crate) struct Turn<T> {
    word: AtomicU8,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a `Guard` alone, and the word lets one guard exist at a
// time; handing the turn on is a release store that the next holder's acquire reads.
unsafe impl<T: Send> Sync for Turn<T> {}

/// The turn, held. Dropping it without [`finish`](Self::finish) (a panic) gives it back.
pub(crate) struct Guard<'a, T> {
    turn: &'a Turn<T>,
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { word: AtomicU8::new(IDLE), value: UnsafeCell::new(value) }
    }

    /// Takes the turn. If somebody has it, asks them to look again and gives `None`: whatever the
    /// caller left before this call will be seen by the holder.
    pub(crate) fn enter(&self) -> Option<Guard<'_, T>> {
        loop {
            match self.word.compare_exchange(IDLE, RUNNING, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(Guard { turn: self }),
                Err(AGAIN) => {
                    // Already asked; but the holder must see what we left: a read-modify-write
                    // joins our release to the one that it will acquire.
                    let asked = self.word.compare_exchange(
                        AGAIN,
                        AGAIN,
                        Ordering::AcqRel,
                        Ordering::Acquire,
                    );
                    if asked.is_ok() {
                        return None;
                    }
                }
                Err(_) => {
                    let asked = self.word.compare_exchange(
                        RUNNING,
                        AGAIN,
                        Ordering::AcqRel,
                        Ordering::Acquire,
                    );
                    if asked.is_ok() {
                        return None;
                    }
                }
            }
        }
    }
}

impl<'a, T> Guard<'a, T> {
    /// Works on the value.
    pub(crate) fn with<R>(&mut self, work: impl FnOnce(&mut T) -> R) -> R {
        self.turn.value.with_mut(|value| {
            // SAFETY: this guard holds the turn, `&mut self` lets one call run at a time, and no
            // other guard exists while the word is not idle.
            work(unsafe { &mut *value })
        })
    }

    /// Gives the turn back, unless somebody asked to look again: then it stays, and comes back.
    pub(crate) fn finish(self) -> Option<Self> {
        let word = &self.turn.word;
        match word.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                std::mem::forget(self);
                None
            }
            Err(_) => {
                // Asked to look again. The swap acquires what the asking thread left.
                word.swap(RUNNING, Ordering::AcqRel);
                Some(self)
            }
        }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // The swap acquires what a thread left that has asked to look again.
        self.turn.word.swap(IDLE, Ordering::AcqRel);
    }
}

/// `std`'s cell with the interface of loom's, so that one source serves the program and its model.
#[cfg(not(loom))]
struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    fn with_mut<R>(&self, work: impl FnOnce(*mut T) -> R) -> R {
        work(self.0.get())
    }
}
