//! Signal processing: pure functions and small state over slices. No nodes, no allocation while
//! processing, no locks.

pub mod segment;
pub mod vad;
