//! Locked state whose dropped packets outlive the lock.
//!
//! The memory of a packet may be somebody else's, whose release function may do anything, also call
//! the pipeline. So nothing that a lock protects is ever dropped under it: it goes into a bin, and
//! the bin goes after the lock.

use crate::packet::Packet;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

/// Packets that are to be dropped. One costs no allocation.
#[derive(Default)]
pub(crate) struct Bin {
    first: Option<Packet>,
    rest: Vec<Packet>,
}

impl Bin {
    pub(crate) fn add(&mut self, packet: Packet) {
        match self.first {
            None => self.first = Some(packet),
            Some(_) => self.rest.push(packet),
        }
    }
}

/// A lock, and what is to be dropped after it.
pub(crate) struct Held<'a, T> {
    // In this order: members are dropped from the first to the last.
    guard: MutexGuard<'a, T>,
    bin: Bin,
}

impl<'a, T> Held<'a, T> {
    pub(crate) fn new(guard: MutexGuard<'a, T>) -> Self {
        Self { guard, bin: Bin::default() }
    }

    /// The state, and where to put what is dropped from it.
    pub(crate) fn parts(&mut self) -> (&mut T, &mut Bin) {
        (&mut self.guard, &mut self.bin)
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
