//! The RemoteMedia engine: packets, manifests, nodes and the pipeline that runs them.
//!
//! Rust programs use it through the crate `remotemedia`; this crate is where it lives.
//!
//! | module | what it holds |
//! |---|---|
//! | [`packet`] | what flows: payloads, time, memory |
//! | [`error`] | what went wrong, where, and what to do |
//! | [`node`] | what a node is: trait, params, ports, registry |
//! | [`dsp`] | signal processing over slices |
//! | [`nodes`] | the built-in nodes |
//! | [`media`] | media files |
//! | [`graph`] | a validated manifest, resolved to what runs |

// The derives name the crate that users see.
extern crate self as remotemedia;

pub mod dsp;
pub mod error;
pub mod graph;
#[cfg(feature = "media")]
pub mod media;
pub mod node;
pub mod nodes;
pub mod packet;
