//! Nodes and pipelines on other machines: the server, the client, and what they say to each other.
//!
//! This crate alone knows gRPC. To the engine a node on a server is a node that hands its work on:
//! each call opens a ticket, and the server's answer completes it.
//!
//! ```no_run
//! # async fn serve() -> remotemedia::Result<()> {
//! use remotemedia::Engine;
//! use remotemedia::remote::server::{Config, Server};
//!
//! // Manifests of this engine may say `placement: remote`.
//! remotemedia::remote::install(&Engine::default());
//! // And this is what they reach.
//! let server = Server::bind(Config::at("127.0.0.1:50051"), &Engine::default()).await?;
//! server.run().await
//! # }
//! ```

mod ask;
mod client;
mod connection;
mod endpoint;
mod failure;
mod fleet;
mod gate;
mod link;
mod nodes;
mod parts;
mod reactor;
mod record;
pub mod server;
mod settings;
mod wire;

pub use ask::{Health, Remote};
pub use client::install;
pub use endpoint::Endpoint;
pub use failure::from_wire as error_from_wire;
pub use link::leave;
pub use nodes::{RemoteExecutionParams, RemotePipelineParams};
#[doc(hidden)]
pub use parts::Parts;
pub use wire::{from_wire as packet_from_wire, to_wire as packet_to_wire};

// The derives name the crate that users see.
extern crate remotemedia_core as remotemedia;

/// The messages of `proto/remotemedia/v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in proto/"
)]
pub mod v1 {
    tonic::include_proto!("remotemedia.v1");

    /// All of it, for reflection.
    pub(crate) const DESCRIPTORS: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

#[cfg(target_endian = "big")]
compile_error!("payloads go as they lie in memory, and the wire is little-endian");
