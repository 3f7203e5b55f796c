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
//! | [`engine`] | runs graphs: pipelines |
//! | [`manifest`] | JSON or YAML to a graph, with everything that is wrong in it |
//! | [`media`] | media files |
//! | [`graph`] | a validated manifest, resolved to what runs |
//! | [`seat`] | one node without a pipeline, called from elsewhere |

// The derives name the crate that users see.
extern crate self as remotemedia;

mod builtin;
pub mod dsp;
pub mod engine;
pub mod error;
pub mod graph;
pub mod manifest;
#[cfg(feature = "media")]
pub mod media;
pub mod node;
pub mod nodes;
pub mod packet;
pub mod seat;
