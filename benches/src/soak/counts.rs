//! What has happened in a soak.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that several threads add to.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What has been done to pipelines, and how they have ended.
#[derive(Default)]
pub(super) struct Counts {
    pub made: Count,
    pub steps: Count,
    pub params: Count,
    pub interrupts: Count,
    pub resets: Count,
    pub ended: Count,
    pub closed: Count,
    pub cancelled: Count,
    pub failed: Count,
}

impl Counts {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "made": self.made.get(), "steps": self.steps.get(), "params": self.params.get(),
            "interrupts": self.interrupts.get(), "resets": self.resets.get(),
            "ended": self.ended.get(), "closed": self.closed.get(),
            "cancelled": self.cancelled.get(), "failed": self.failed.get(),
        })
    }
}
