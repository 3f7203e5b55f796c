//! RemoteMedia SDK for Rust.

pub use remotemedia_core::{error, node, packet};
