//! The built-in nodes: thin wrappers over `dsp`.

#[cfg(feature = "media")]
mod media_reader;
#[cfg(feature = "media")]
mod media_writer;
mod pass_through;

#[cfg(feature = "media")]
pub use media_reader::{MediaReader, MediaReaderParams, ReaderFormat};
#[cfg(feature = "media")]
pub use media_writer::{MediaWriter, MediaWriterParams};
pub use pass_through::PassThrough;

use crate::error::Result;
use crate::node::{BUILTIN, Registry};

/// A registry with all built-in node types.
pub fn builtin() -> Registry {
    let mut registry = Registry::empty();
    add_all(&mut registry).expect("built-in names are unique, which a test shows");
    registry
}

fn add_all(registry: &mut Registry) -> Result<()> {
    registry.add::<PassThrough>(BUILTIN)?;
    #[cfg(feature = "media")]
    registry.add::<MediaReader>(BUILTIN)?;
    #[cfg(feature = "media")]
    registry.add::<MediaWriter>(BUILTIN)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn built_in_names_and_aliases_are_unique() {
        assert!(super::builtin().types().count() > 0);
    }
}
