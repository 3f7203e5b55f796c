//! RemoteMedia SDK: media pipelines from a manifest.
//!
//! Packets are pushed in, packets are pulled out; in between run the nodes that the manifest
//! names, on the threads that call.
//!
//! ```
//! use remotemedia::{Manifest, Packet, Pipeline, Pull};
//! use serde_json::json;
//!
//! let manifest = Manifest::from_value(json!({
//!     "version": "v1",
//!     "nodes": [
//!         {"id": "multiply", "node_type": "MultiplyNode", "params": {"multiplier": 2}},
//!         {"id": "add", "node_type": "AddNode", "params": {"addend": 10}},
//!     ],
//!     "connections": [{"from": "multiply", "to": "add"}],
//! }))?;
//! let pipeline = Pipeline::from_manifest(&manifest)?;
//! pipeline.push(json!(5))?;
//! let Pull::Packet(output, packet) = pipeline.try_pull()? else { panic!("no result") };
//! assert_eq!((output, packet.as_json()), ("add", Some(&json!(20))));
//! # Ok::<(), remotemedia::Error>(())
//! ```

pub mod executor;

#[cfg(feature = "media")]
pub use remotemedia_core::media;
pub use remotemedia_core::{dsp, engine, error, graph, manifest, node, nodes, packet, seat};

#[cfg(feature = "remote")]
pub use remotemedia_remote as remote;

pub use engine::{Closed, Closing, Engine, Event, Pipeline, Pull, PushError, Reason};
pub use error::{Error, Result};
pub use manifest::Manifest;
pub use packet::{Audio, AudioFormat, MediaTime, Packet, Payload};

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
