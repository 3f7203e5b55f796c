//! Waiting for a pipeline to change: blocked threads and async wakers.

use super::time::{CAN_WAIT, Instant};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Counts changes and wakes whoever waits for one. Nobody waiting: a change costs two atomics.
#[derive(Default)]
pub(crate) struct Wait {
    changes: AtomicU64,
    waiting: AtomicUsize,
    wakers: Mutex<Wakers>,
    changed: Condvar,
}

#[derive(Default)]
struct Wakers {
    registered: Vec<Waker>,
    /// Room for those that register while others are being woken.
    spare: Vec<Waker>,
}

impl Wait {
    /// Number of changes so far. Read it before looking for what you would wait for.
    pub(crate) fn seen(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Says that something has changed.
    #[inline]
    pub(crate) fn notify(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let mut wakers = {
                let mut wakers = self.lock();
                let spare = std::mem::take(&mut wakers.spare);
                let registered = std::mem::replace(&mut wakers.registered, spare);
                self.waiting.fetch_sub(registered.len(), Ordering::SeqCst);
                registered
            };
            // Unlocked: a thread that is woken takes the lock before all else.
            self.changed.notify_all();
            if wakers.capacity() > 0 {
                wakers.drain(..).for_each(Waker::wake);
                self.lock().spare = wakers;
            }
        }
    }

    /// As [`notify`](Self::notify), for a change that will be told again soon: free while nobody
    /// waits, and then somebody who begins to wait at this moment may miss it.
    #[inline]
    pub(crate) fn notify_waiting(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.notify();
        }
    }

    /// Waits until something has changed since `seen`, or until the deadline (`None`: for ever).
    /// False when the deadline came first, and where no thread can wait.
    pub(crate) fn until(&self, seen: u64, deadline: Option<Instant>) -> bool {
        if !CAN_WAIT {
            return self.seen() != seen;
        }
        let mut guard = self.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let changed = loop {
            if self.seen() != seen {
                break true;
            }
            guard = match deadline {
                None => self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break false;
                    }
                    let waited = self.changed.wait_timeout(guard, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        drop(guard);
        changed
    }

    /// Leaves a waker for the next change. Register first, look afterwards.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut wakers = self.lock();
        if !wakers.registered.iter().any(|w| w.will_wake(waker)) {
            wakers.registered.push(waker.clone());
            self.waiting.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
