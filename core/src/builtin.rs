//! Where the parts come together: the default engine, and pipelines straight from a manifest.

use crate::engine::{Engine, Pipeline};
use crate::error::Result;
use crate::manifest::Manifest;
use crate::nodes;
use std::path::Path;
use std::sync::LazyLock;

static DEFAULT: LazyLock<Engine> = LazyLock::new(|| Engine::new(nodes::builtin()));

impl Default for Engine {
    /// The process's default engine, with the built-in node types. Always the same one.
    fn default() -> Self {
        DEFAULT.clone()
    }
}

impl Engine {
    /// Makes a pipeline from a manifest.
    ///
    /// # Errors
    /// Everything that is wrong in the manifest; what keeps a node from being made.
    pub fn pipeline(&self, manifest: &Manifest) -> Result<Pipeline> {
        Pipeline::new(self, manifest.resolve(&self.registry())?)
    }
}

impl Pipeline {
    /// Makes a pipeline from a manifest, on the default engine.
    ///
    /// # Errors
    /// As [`Engine::pipeline`].
    pub fn from_manifest(manifest: &Manifest) -> Result<Self> {
        DEFAULT.pipeline(manifest)
    }

    /// Makes a pipeline from a manifest file (`.json`, `.yaml`, `.yml`), on the default engine.
    ///
    /// # Errors
    /// When the file can't be read; as [`Engine::pipeline`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_manifest(&Manifest::from_file(path)?)
    }
}
