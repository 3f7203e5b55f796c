//! Media files: decoding audio from them and writing packets to them.
//!
//! | module | what it does |
//! |---|---|
//! | [`decode`] | any audio file → packets, sample-exact |
//! | [`encode`] | packets → a file that appears only when it is whole |
//! | [`wav`] | the WAV container, both ways |
//! | [`flac`] | the FLAC container, writing |
//! | [`convert`] | sample formats at the border between memory and files |

pub mod convert;
pub mod decode;
mod gapless;
pub mod wav;

pub use decode::AudioDecoder;

/// Path of one of the real recordings.
#[cfg(test)]
pub(crate) fn recording(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../media").join(name)
}
