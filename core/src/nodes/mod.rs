//! The built-in nodes: thin wrappers over `dsp`.

mod add;
mod audio;
mod audio_adapter;
mod audio_chunker;
mod audio_level;
mod audio_resample;
mod buffer;
mod calculator;
mod channel_mixer;
mod format_converter;
mod gain;
#[cfg(feature = "media")]
mod media_reader;
#[cfg(feature = "media")]
mod media_writer;
mod merge;
mod mixer;
mod multiply;
mod number;
mod pass_through;
mod router;
mod speech;
mod speech_segmenter;
mod text_processor;
mod vad;
mod video;
mod video_flip;
mod video_format_converter;
mod video_scaler;

pub use add::Add;
pub use audio_adapter::AudioAdapter;
pub use audio_chunker::AudioChunker;
pub use audio_level::AudioLevel;
pub use audio_resample::AudioResample;
pub use buffer::Buffer;
pub use calculator::Calculator;
pub use channel_mixer::ChannelMixer;
pub use format_converter::FormatConverter;
pub use gain::Gain;
#[cfg(feature = "media")]
pub use media_reader::{MediaReader, MediaReaderParams, ReaderFormat};
#[cfg(feature = "media")]
pub use media_writer::{MediaWriter, MediaWriterParams};
pub use merge::Merge;
pub use mixer::Mixer;
pub use multiply::Multiply;
pub use pass_through::PassThrough;
pub use router::Router;
pub use speech::VadEngine;
pub use speech_segmenter::{SpeechSegmenter, SpeechSegmenterParams};
pub use text_processor::TextProcessor;
pub use vad::{Report, Vad, VadParams};
pub use video_flip::VideoFlip;
pub use video_format_converter::VideoFormatConverter;
pub use video_scaler::VideoScaler;

use crate::error::Result;
use crate::node::{BUILTIN, Registry};

/// A registry with all built-in node types.
pub fn builtin() -> Registry {
    let mut registry = Registry::empty();
    add_all(&mut registry).expect("built-in names are unique, which a test shows");
    registry
}

fn add_all(registry: &mut Registry) -> Result<()> {
    registry.add::<Add>(BUILTIN)?;
    registry.add::<AudioAdapter>(BUILTIN)?;
    registry.add::<AudioChunker>(BUILTIN)?;
    registry.add::<AudioLevel>(BUILTIN)?;
    registry.add::<AudioResample>(BUILTIN)?;
    registry.add::<Buffer>(BUILTIN)?;
    registry.add::<Calculator>(BUILTIN)?;
    registry.add::<ChannelMixer>(BUILTIN)?;
    registry.add::<FormatConverter>(BUILTIN)?;
    registry.add::<Gain>(BUILTIN)?;
    registry.add::<Merge>(BUILTIN)?;
    registry.add::<Mixer>(BUILTIN)?;
    registry.add::<Multiply>(BUILTIN)?;
    registry.add::<PassThrough>(BUILTIN)?;
    registry.add::<Router>(BUILTIN)?;
    registry.add::<SpeechSegmenter>(BUILTIN)?;
    registry.add::<Vad>(BUILTIN)?;
    registry.add::<VideoFlip>(BUILTIN)?;
    registry.add::<VideoFormatConverter>(BUILTIN)?;
    registry.add::<VideoScaler>(BUILTIN)?;
    #[cfg(feature = "media")]
    registry.add::<MediaReader>(BUILTIN)?;
    #[cfg(feature = "media")]
    registry.add::<MediaWriter>(BUILTIN)?;
    registry.add::<TextProcessor>(BUILTIN)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn built_in_names_and_aliases_are_unique() {
        assert!(super::builtin().types().count() > 0);
    }
}
