//! What is kept until the client has it.

use super::budget::Share;
use remotemedia_core::error::Result;
use std::collections::VecDeque;

/// Something with a number.
pub(super) trait Numbered {
    fn seq(&self) -> u64;
}

/// Numbered things, without gaps, that the client may not have got, and what they take.
pub(super) struct Kept<T> {
    things: VecDeque<(T, usize)>,
    share: Share,
}

impl<T: Numbered> Kept<T> {
    pub(super) fn new(share: Share) -> Self {
        Self { things: VecDeque::new(), share }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.things.len()
    }

    /// What they take.
    pub(super) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// Keeps the next one. What takes nothing is always kept.
    ///
    /// # Errors
    /// `remote.limit` when the server has no room for it.
    pub(super) fn keep(&mut self, thing: T, bytes: usize) -> Result<()> {
        self.share.set(self.bytes() + bytes)?;
        self.things.push_back((thing, bytes));
        Ok(())
    }

    /// Forgets those up to a number.
    pub(super) fn forget(&mut self, until: u64) {
        let mut bytes = self.bytes();
        while let Some((_, size)) = self.things.pop_front_if(|(thing, _)| thing.seq() <= until) {
            bytes -= size;
        }
        // Less is always good.
        let _ = self.share.set(bytes);
    }

    /// Those behind a number.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &T> {
        let first = self.things.front().map_or(0, |(thing, _)| thing.seq());
        let index = seq.saturating_add(1).saturating_sub(first);
        let index = usize::try_from(index).unwrap_or(usize::MAX).min(self.things.len());
        self.things.range(index..).map(|(thing, _)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    impl Numbered for u64 {
        fn seq(&self) -> u64 {
            *self
        }
    }

    #[test]
    fn what_is_kept_is_there_until_it_is_forgotten_and_takes_what_it_takes() {
        let budget = Budget::new(100);
        let mut kept = Kept::new(budget.share());
        for seq in 1..=4 {
            kept.keep(seq, 20).expect("there is room");
        }
        assert!(kept.keep(5, 21).is_err(), "there is none");
        kept.keep(5, 0).expect("what takes nothing always has room");
        assert_eq!(kept.after(0).copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        kept.forget(2);
        assert_eq!((kept.len(), kept.bytes(), budget.held()), (3, 40, 40));
        assert_eq!(kept.after(3).copied().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(kept.after(0).next(), Some(&3), "the first that is still there");
        assert_eq!(kept.after(5).next().or(kept.after(u64::MAX).next()), None);
        kept.forget(u64::MAX);
        assert_eq!((kept.len(), budget.held()), (0, 0));
    }
}
