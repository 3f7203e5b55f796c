//! A node of one's own: [`Tremolo`], in a registry beside the built-in nodes.

mod tremolo;

pub use tremolo::{Tremolo, TremoloParams};

use remotemedia::{Engine, Result, nodes};

/// An engine that knows the built-in nodes and `example/Tremolo`.
///
/// # Errors
/// When the namespace `example` has such a node already.
pub fn engine() -> Result<Engine> {
    let mut registry = nodes::builtin();
    registry.add::<Tremolo>("example")?;
    Ok(Engine::new(registry))
}
