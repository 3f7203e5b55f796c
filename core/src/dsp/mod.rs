//! Signal processing: pure functions and small state over slices. No nodes, no allocation while
//! processing, no locks.
//!
//! Where a wider SIMD level pays, a function is compiled for several and picks one while running
//! (`multiversion`). None of them fuses multiply and add, and sums have a fixed order of lanes, so
//! every level gives the same bits. The exception is the FFT in `resample`, whose crate has its own
//! kernels for each level; its results differ in their last bits.

pub mod colour;
pub mod convert;
pub mod flip;
pub mod gain;
pub mod level;
pub mod mix;
pub mod picture;
pub mod resample;
pub mod scale;

pub mod segment;
pub mod sum;
pub mod vad;
