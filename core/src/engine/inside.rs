//! Knows which pipelines the current thread is running, so that a node or callback that calls its
//! own pipeline gets an error and not a wait for itself.
//!
//! The list lies on the stack, one frame for each run, so that it has no destructor: pipelines work
//! until the very end of a thread, also in the destructors of others.

use super::shared::Shared;
use crate::error::{Error, Result, detail};
use std::cell::Cell;
use std::ptr;

/// A run of a pipeline on this thread.
struct Frame {
    /// Address of the pipeline. Compared, never followed.
    address: usize,
    outer: *const Frame,
}

thread_local! {
    static INNERMOST: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

/// Takes its frame off the list, also when the run panics.
struct Leave(*const Frame);

impl Drop for Leave {
    fn drop(&mut self) {
        INNERMOST.set(self.0);
    }
}

/// Runs `work`; meanwhile this thread runs that pipeline.
pub(crate) fn within<R>(shared: &Shared, work: impl FnOnce() -> R) -> R {
    let outer = INNERMOST.get();
    let frame = Frame { address: ptr::from_ref(shared).addr(), outer };
    INNERMOST.set(&frame);
    let _leave = Leave(outer);
    work()
}

/// An error if this thread runs that pipeline already.
pub(crate) fn check(shared: &Shared) -> Result<()> {
    let address = ptr::from_ref(shared).addr();
    let mut next = INNERMOST.get();
    // SAFETY: a frame lies on this thread's stack, below this call, from `within` until `Leave`
    // takes it off the list, and is never changed in between.
    while let Some(frame) = unsafe { next.as_ref() } {
        if frame.address == address {
            let message = "a node or callback called its own pipeline";
            return Err(Error::new(detail::STATE_REENTRANT, message)
                .with_hint("emit packets, or hand the call to another thread"));
        }
        next = frame.outer;
    }
    Ok(())
}
