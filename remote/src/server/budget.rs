//! How much memory messages may take on a server, all of them together.

use remotemedia_core::error::{Error, Result, detail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all sessions hold of messages, and how much it may be.
#[derive(Clone)]
pub(super) struct Budget(Arc<(AtomicUsize, usize)>);

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new((AtomicUsize::new(0), most)))
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    /// A share of it, empty.
    pub(super) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

/// What one holder has of it. Given back when it goes.
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes or gives back, so that it is so many bytes.
    ///
    /// # Errors
    /// `remote.limit` when there is not as much; then it stays as it is.
    pub(super) fn set(&mut self, bytes: usize) -> Result<()> {
        if bytes == self.bytes {
            return Ok(());
        }
        let (held, most) = &*self.budget.0;
        let change = |now: usize| {
            let then = (now - self.bytes).saturating_add(bytes);
            (then <= *most || bytes <= self.bytes).then_some(then)
        };
        if held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_err() {
            let message = format!("messages take {most} bytes on the server, as many as they may");
            return Err(Error::new(detail::REMOTE_LIMIT, message)
                .with_hint("send less at a time, or give the server more memory"));
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_more_than_there_is_and_come_back() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (budget.share(), budget.share());
        one.set(60).expect("there is as much");
        assert_eq!(other.set(50).expect_err("too much").detail(), detail::REMOTE_LIMIT);
        other.set(40).expect("there is as much");
        one.set(10).expect("less is always good");
        assert_eq!((budget.held(), one.bytes(), other.bytes()), (50, 10, 40));
        drop((one, other));
        assert_eq!(budget.held(), 0);
    }
}
