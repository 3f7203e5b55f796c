//! Memory of Python's that packets borrow, and when it is given back.
//!
//! The last packet may go on a thread of the engine, which must never enter Python. So a buffer that
//! is not needed any more waits here until a thread of Python's comes by.

use pyo3::Python;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Something of Python's that may only be dropped by a thread of Python's.
type Kept = Box<dyn Send>;

static WAITING: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
static ANY: AtomicBool = AtomicBool::new(false);

/// Owns memory of Python's until the engine lets go of it.
pub(crate) struct Borrowed<T: Send + 'static> {
    owner: Option<T>,
    data: *const u8,
    size: usize,
}

// SAFETY: the bytes are only read, and the owner, which is Send, keeps them where they are.
unsafe impl<T: Send> Send for Borrowed<T> {}

impl<T: Send + 'static> Borrowed<T> {
    /// # Safety
    /// `owner` keeps the `size` bytes at `data` alive and as they are.
    pub(crate) unsafe fn new(owner: T, data: *const u8, size: usize) -> Self {
        Self { owner: Some(owner), data, size }
    }
}

impl<T: Send + 'static> AsRef<[u8]> for Borrowed<T> {
    fn as_ref(&self) -> &[u8] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: by contract of `new`.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

impl<T: Send + 'static> Drop for Borrowed<T> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            WAITING.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(owner));
            ANY.store(true, Ordering::Release);
        }
    }
}

/// Gives back what waits.
#[inline]
pub(crate) fn give_back(_attached: Python<'_>) {
    if ANY.load(Ordering::Acquire) {
        ANY.store(false, Ordering::Release);
        let kept = std::mem::take(&mut *WAITING.lock().unwrap_or_else(PoisonError::into_inner));
        // Outside the lock: what it runs may come back here.
        drop(kept);
    }
}
