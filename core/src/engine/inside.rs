//! Knows which pipelines the current thread is running, so that a node or callback that calls its
//! own pipeline gets an error and not a wait for itself.

use super::shared::Shared;
use crate::error::{Error, Result, detail};
use std::cell::RefCell;

thread_local! {
    /// Addresses of the pipelines that this thread runs, outermost first. Compared, never followed.
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, this thread runs that pipeline.
pub(crate) struct Inside;

pub(crate) fn enter(shared: &Shared) -> Inside {
    RUNNING.with_borrow_mut(|running| running.push(std::ptr::from_ref(shared).addr()));
    Inside
}

impl Drop for Inside {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}

/// An error if this thread runs that pipeline already.
pub(crate) fn check(shared: &Shared) -> Result<()> {
    let address = std::ptr::from_ref(shared).addr();
    if RUNNING.with_borrow(|running| running.contains(&address)) {
        let message = "a node or callback called its own pipeline";
        return Err(Error::new(detail::STATE_REENTRANT, message)
            .with_hint("emit packets, or hand the call to another thread"));
    }
    Ok(())
}
