//! The turn: the right to run the nodes of a segment (rule S1).
//!
//! One atomic word says who may touch the value: nobody has the turn (idle), somebody has it
//! (running), or somebody has it and has been asked to look again (again). Nobody ever waits for
//! the turn: who finds it taken leaves its work where the holder will find it, and asks.
//!
//! A segment of the callers is taken with [`enter`](Turn::enter). One that workers run is asked for
//! with [`ask`](Turn::ask); whoever asks first has to see to it that a worker comes (queued), which
//! takes it with [`start`](Turn::start). So a segment is in the workers' queue at most once.

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
const QUEUED: u8 = 3;

/// A value that only the holder of the turn can touch. It lies right behind the word.
#[repr(C)]
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

impl<T> Turn<T> {
    /// Asks for a run by a worker. True: the caller must queue it. Otherwise it is queued already
    /// or running, and whatever the caller left before this call will be seen.
    #[must_use = "who asks first has to queue the segment"]
    pub(crate) fn ask(&self) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let next = match seen {
                IDLE | QUEUED => QUEUED,
                _ => AGAIN,
            };
            // Also where the word stays as it is: a read-modify-write joins our release to the one
            // that the worker will acquire.
            match self.word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(before) => return before == IDLE,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the turn that was asked for, on the worker that took it from the queue.
    pub(crate) fn start(&self) -> Guard<'_, T> {
        let before = self.word.swap(RUNNING, Ordering::AcqRel);
        debug_assert_eq!(before, QUEUED, "only what is queued is started");
        Guard { turn: self }
    }

    /// Whether nobody has the turn and nobody has asked for it.
    #[cfg(loom)]
    pub(crate) fn is_idle(&self) -> bool {
        self.word.load(Ordering::SeqCst) == IDLE
    }
}

impl<'a, T> Guard<'a, T> {
    /// Gives the turn back while there is more to do: the caller must queue it again.
    pub(crate) fn requeue(self) {
        self.turn.word.swap(QUEUED, Ordering::AcqRel);
        std::mem::forget(self);
    }

    /// Works on the value.
    #[inline]
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
        // A swap, not a store: it acquires what an asking thread left and hands it to the next.
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
